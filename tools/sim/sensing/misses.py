"""Runs of misses: what is missed once is likely missed in the next frame too. Pure, given its random source."""

import numpy as np

from tools.sim.sensing.bodies import Bools, Floats, Ints


def runs(user: Ints, share: Floats, mean_frames: float, rng: np.random.Generator) -> Bools:
    """Which rows fall into a run of misses. Rows are in order of time; every user has a chain of two states of its
    own, of which ``share`` (row by row) is the missing one and ``mean_frames`` the mean length of its runs, made
    longer where so great a share needs it."""
    missing: dict[int, bool] = {}
    found = np.zeros(len(user), dtype=np.bool_)
    draws = rng.random(len(user)).tolist()
    for index, (one, wanted, draw) in enumerate(zip(user.tolist(), share.tolist(), draws, strict=True)):
        before = missing.get(one)
        if before is None:
            now = draw < wanted
        else:
            # The flow into the missing state equals the flow out of it; no flow can be above one.
            end = min(1.0 / mean_frames, (1.0 - wanted) / wanted if wanted > 0 else 1.0)
            now = draw >= end if before else draw * (1.0 - wanted) < wanted * end
        missing[one] = now
        found[index] = now
    return found
