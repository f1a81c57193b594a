"""Radars: one module a driver, and beside it a module of wire rules that knows no port."""
