"""Every fitting is a site file that the node accepts, for every shape of junction."""

import pathlib

import pytest

from configs.loader import Source
from device.site import check_site, check_source
from tests.support.sensed import scene, user
from tools.sim.scene import Kind
from tools.sim.sensing.fittings import Fitting, site_values
from tools.sim.sensing.recorder import record
from tools.sim.sensing.weather import CLEAN

MADE = scene(user("car", Kind.CAR, until_s=5), seconds=5)


@pytest.mark.parametrize("fitting", list(Fitting))
def test_the_site_file_passes_config_check(fitting: Fitting, tmp_path: pathlib.Path) -> None:
    site, problems = check_site(record(MADE, fitting, CLEAN, 1, tmp_path).site)
    # What is left are warnings a real site of this fitting would get too.
    assert {problem.code for problem in problems} <= {"short_horizon", "no_heartbeat"}
    assert site.site.design_user == "truck"
    assert all(approach.bearing_deg is not None for approach in site.approaches.values())
    assert sorted(face for lamp in site.lamps.values() for face in lamp.faces) == sorted(site.approaches)


def test_what_each_fitting_mounts() -> None:
    def mounted(fitting: Fitting) -> tuple[dict[str, tuple[str, float]], set[str]]:
        site, _ = check_source(Source("", site_values(MADE, fitting), {}))
        radars = {radar.approach: (radar.driver, radar.reach_m) for radar in site.radars.values()}
        return radars, {approach for camera in site.cameras.values() for approach in camera.zones}

    main = {"main_east", "main_west"}
    short, long = ("ld2451", 100.0), ("ops243", 200.0)
    assert mounted(Fitting.RADAR_CAMERA) == (dict.fromkeys(main, short), {"branch_south"})
    assert mounted(Fitting.LONG_RADAR) == (dict.fromkeys(main, long), {"branch_south"})
    assert mounted(Fitting.FULL) == (dict.fromkeys(main | {"branch_south"}, short), main | {"branch_south"})
    assert mounted(Fitting.RADAR_ONLY) == (dict.fromkeys(main, short), set())
    assert mounted(Fitting.CAMERA_ONLY) == ({}, main | {"branch_south"})
