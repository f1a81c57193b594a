"""Scenes for tests, each simulated once a process; without SUMO a test is skipped with the command that installs it."""

import functools

import pytest

from tools.sim import sumo
from tools.sim.demand import LEVELS
from tools.sim.layouts import LAYOUTS
from tools.sim.scene import Scene
from tools.sim.simulate import simulate


def _why_not() -> str | None:
    try:
        sumo.home()
    except sumo.SumoError as error:
        return str(error)
    return None


_REASON = _why_not()
needs_sumo = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")


@functools.cache
def scene(layout: str, level: str, seed: int, seconds: float) -> Scene:
    """A simulated scene, the same object for the same arguments."""
    return simulate(LAYOUTS[layout], LEVELS[level], seed, seconds)
