"""Provision, the process that comes and goes: verifies, stages, switches, watches health, confirms or reverts.

Never part of core, guard, vision or the bridge; none of them imports it.
"""
