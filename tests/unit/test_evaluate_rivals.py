"""The simple units ours is compared with: what lights them, and for how long."""

import pytest

from hal.interfaces import Flag, RadarFrame, RadarTarget
from tests.support.judged import DURATION_S
from tests.support.road import site
from tools.evaluate.lamp import FaceLamp
from tools.evaluate.rivals import fitted_faces, lamps, rivals

Target = tuple[float, float, Flag]


def shown(name: str, *seen: tuple[float, Target]) -> FaceLamp:
    unit = next(one for one in rivals(site()) if one.name == name)
    frames = [
        (t_s, RadarFrame("r_east", round(t_s * 1e9), (RadarTarget(mps, distance_m, flag=flag),)))
        for t_s, (mps, distance_m, flag) in seen
    ]
    return lamps(unit, {"r_east": frames}, site(), DURATION_S)["branch_south"]


FAR = (10.0, 101.0, Flag.APPROACHING)
NEAR = (10.0, 99.0, Flag.APPROACHING)
SOON = (10.0, 94.0, Flag.UNKNOWN)
LEAVES = (10.0, 20.0, Flag.RECEDING)


def test_a_distance_trigger_is_on_within_100_m_and_off_after_5_s() -> None:
    assert list(shown("distance", (1.0, FAR), (2.0, NEAR), (4.0, NEAR), (20.0, LEAVES)).lit) == [(2.0, 9.0)]


def test_a_bare_threshold_takes_range_over_speed_of_each_frame() -> None:
    """10 m/s: 9.9 s at 99 m is not yet inside a lorry's gap of 9.5 s, 9.4 s at 94 m is."""
    assert list(shown("bare", (2.0, NEAR), (3.0, SOON), (20.0, LEAVES)).lit) == [(3.0, pytest.approx(3.5))]
    assert list(shown("bare_held", (3.0, SOON)).lit) == [(3.0, 6.0)]


def test_only_faces_whose_whole_main_road_has_radars_are_compared() -> None:
    assert fitted_faces(site()) == ["branch_south"]
    one_radar = site().model_copy(update={"radars": {"r_east": site().radars["r_east"]}})
    assert fitted_faces(one_radar) == []
