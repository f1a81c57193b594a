"""Lamps and the heartbeat pin. Imported by guard: standard library and gpiozero only."""
