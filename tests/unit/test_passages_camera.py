"""How far off the speeds of a passage are where a calibrated camera alone measured them, as docs/technician.md says."""

import itertools

import pytest

from tests.support.lorries import TICKS_A_S, Lorry, Sight, told

SEEDS = range(6)
LINE_OFF_MPS = 1.0
BRAKING_OFF_MPS2 = 1.5


def _true(lorry: Lorry) -> tuple[float, float]:
    """Its speed at the conflict point, and its hardest braking over one second before."""
    way_m = [distance_m for distance_m in lorry.distances_m() if distance_m > 0]
    speeds_mps = [(before - after) * TICKS_A_S for before, after in itertools.pairwise(way_m)]
    falls = [before - after for before, after in zip(speeds_mps, speeds_mps[TICKS_A_S:], strict=False)]
    return speeds_mps[-1], max(0.0, *falls)


@pytest.mark.parametrize(
    "lorry",
    [
        Lorry(1.0, 2.0, brakes_mps2=2.0),
        Lorry(0.5, 0.2, 3.0, brakes_mps2=3.5),
        Lorry(-3.0, 0.2, 3.0, brakes_mps2=2.0),
        Lorry(0.5, 0.2, 8.0),
    ],
)
def test_a_camera_tells_speed_at_the_line_and_braking_roughly(lorry: Lorry) -> None:
    line_mps, braking_mps2 = _true(lorry)
    bodies = [event.body for seed in SEEDS for event in told(lorry, Sight(0.3), seed) if event.kind.value == "passage"]
    assert len(bodies) == len(SEEDS), "one passage each"
    lines_mps = [float(str(body["line_mps"])) for body in bodies]
    brakings_mps2 = [float(str(body["braking_mps2"])) for body in bodies]
    assert all(abs(found - line_mps) <= LINE_OFF_MPS for found in lines_mps)
    assert all(abs(found - braking_mps2) <= BRAKING_OFF_MPS2 for found in brakings_mps2)
    assert all(body["stopped"] is (lorry.slowest_mps == 0) for body in bodies)
