"""Every fitting is a site file that the node accepts, for every shape of junction."""

import dataclasses
import math
import pathlib

import pytest

from configs.loader import Source
from device.site import check_site, check_source
from tests.support.sensed import EDGE_M, scene, user
from tools.sim.scene import Kind
from tools.sim.sensing.fittings import Fitting, site_config, site_values
from tools.sim.sensing.recorder import record
from tools.sim.sensing.weather import CLEAN

MADE = scene(user("car", Kind.CAR, until_s=5), seconds=5)


@pytest.mark.parametrize("fitting", list(Fitting))
def test_the_site_file_passes_config_check(fitting: Fitting, tmp_path: pathlib.Path) -> None:
    site, problems = check_site(record(MADE, fitting, CLEAN, 1, tmp_path).site)
    # What is left are warnings a real site of this fitting would get too.
    assert {problem.code for problem in problems} <= {"short_horizon", "short_widest", "no_heartbeat"}
    assert site.site.design_user == "truck"
    assert all(approach.bearing_deg is not None for approach in site.approaches.values())
    assert sorted(face for lamp in site.lamps.values() for face in lamp.faces) == sorted(site.approaches)


def test_what_each_fitting_mounts() -> None:
    def mounted(fitting: Fitting) -> tuple[dict[str, tuple[str, float]], set[str]]:
        site, _ = check_source(Source("", site_values(MADE, fitting), {}))
        radars = {radar.approach: (radar.driver, radar.reach_m) for radar in site.radars.values()}
        return radars, {approach for camera in site.cameras.values() for approach in camera.zones}

    main = {"main_east", "main_west"}
    short, long = ("ld2451", 90.0), ("ops243", 180.0)
    assert mounted(Fitting.RADAR_CAMERA) == (dict.fromkeys(main, short), {"branch_south"})
    assert mounted(Fitting.LONG_RADAR) == (dict.fromkeys(main, long), {"branch_south"})
    assert mounted(Fitting.FULL) == (dict.fromkeys(main | {"branch_south"}, short), main | {"branch_south"})
    assert mounted(Fitting.RADAR_ONLY) == (dict.fromkeys(main, short), set())
    assert mounted(Fitting.CAMERA_ONLY) == ({}, main | {"branch_south"})


def test_a_bend_is_measured_and_a_straight_road_is_not() -> None:
    """A road that turns by 45° 40 m before the line: a technician finds it longer than the radar's straight line."""
    straight = scene(user("c", Kind.CAR))
    assert all(radar.bend is None for radar in site_config(straight, Fitting.RADAR_CAMERA).radars.values())
    turned = math.sqrt(0.5)
    samples = tuple(
        dataclasses.replace(s, x_m=EDGE_M + 40 + (s.distance_m - 40) * turned, y_m=s.y_m + (s.distance_m - 40) * turned)
        if s.distance_m > 40
        else s
        for s in straight.users[0].samples
    )
    bent = dataclasses.replace(straight, users=(dataclasses.replace(straight.users[0], samples=samples),))
    bend = site_config(bent, Fitting.RADAR_CAMERA).radars["r_main_east"].bend
    assert bend is not None
    far = bend[-1]
    assert far.along_m > 1.05 * far.range_m
    assert site_config(bent, Fitting.RADAR_CAMERA).radars["r_main_west"].bend is None
