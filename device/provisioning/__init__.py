"""Provision, the process that comes and goes: verifies, stages, switches, watches health, confirms or reverts."""
