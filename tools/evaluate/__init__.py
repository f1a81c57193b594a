"""Judges the warning on simulated traffic: ``make evaluate``."""
