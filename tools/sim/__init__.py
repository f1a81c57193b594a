"""Desk twins of devices and roads, for demonstrations, benches and tests."""
