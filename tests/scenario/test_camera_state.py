"""A camera knows its state: real clips through the real slot, made worse by dirt, hands, weather, night and headlights.

Time is the pictures' own, so that ten minutes of it take seconds here. ``python -m tools.camera_state`` measures more.
"""

import dataclasses
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from device.vision.view import View, view_of
from device.vision.view_health import MOVED_BACK_WINDOWS, MOVED_WINDOWS
from tools.camera_state import degraded, scenes
from tools.camera_state.cases import by_night, changed_by, in_rain
from tools.camera_state.days import DUSK, RAIN, Day
from tools.camera_state.degraded import Image, Noise
from tools.camera_state.scenes import NoFootageError, Scene
from tools.camera_state.watched import Degrade, Watched, untouched

WINDOW_S = 11.0
"""A little more than a window takes."""

DARK = 0.14
"""Of the day's light: any less is a black picture, which is told as such."""

_learned: dict[str, tuple[Scene, View]] = {}


def well(make: Callable[[], Scene]) -> Watched:
    """A camera that knows its view; learned once for all tests."""
    name = make.__name__
    if name not in _learned:
        try:
            scene = make()
        except NoFootageError as error:
            pytest.skip(str(error))
        _learned[name] = scene, Watched(scene).learn()
    return Watched(*_learned[name])


@pytest.fixture(params=[scenes.side_road, scenes.street, scenes.pole], ids=lambda make: make.__name__)
def camera(request: pytest.FixtureRequest) -> Watched:
    return well(request.param)


@pytest.fixture(params=[scenes.side_road, scenes.street], ids=lambda make: make.__name__)
def clip(request: pytest.FixtureRequest) -> Watched:
    return well(request.param)


def told(watched: Watched, seconds: float, degrade: Degrade = untouched) -> set[str]:
    """The first words of what is told in a time."""
    return {problem.partition(":")[0] for problem in watched.film(seconds, degrade) if problem is not None}


# --- dirty lens, drop, condensation, fog: FAULTS row 20 ---------------------------------------------------------------


@pytest.mark.parametrize(
    "lens",
    [(degraded.blurred, 0.007), (degraded.drop, 0.5, 0.6, 0.3), (degraded.steamed, 0.5)],
    ids=["grease", "drop", "steam"],
)
def test_a_lens_that_goes_bad_is_told_within_ten_minutes_and_not_at_once(
    camera: Watched, lens: tuple[Callable[..., Image], *tuple[float, ...]]
) -> None:
    told_s = camera.until_told("blurred", 600, changed_by(lens[0], *lens[1:]))
    assert told_s is not None
    assert told_s > 300, "a lorry that waits before the camera is no dirty lens"


def test_a_lens_that_was_wiped_counts_again(clip: Watched) -> None:
    steam = changed_by(degraded.steamed, 0.4)
    assert clip.until_told("blurred", 600, steam) is not None
    assert clip.slot.problem() is not None
    assert told(clip, 30) == {"blurred"}, "one clear half minute is not yet a clean lens"
    list(clip.film(60))
    assert clip.slot.problem() is None


def test_steam_that_comes_and_goes_is_not_told(clip: Watched) -> None:
    steam = changed_by(degraded.steamed, 0.4)
    for _ in range(3):
        assert not told(clip, 300, steam)
        assert not told(clip, 60)


def test_fog_in_which_the_zones_are_seen_costs_the_camera_nothing() -> None:
    camera = well(scenes.side_road)
    assert camera.scene.depth_m is not None
    assert not told(camera, 700, changed_by(degraded.fogged, camera.scene.depth_m, 250.0))


def test_night_that_cannot_be_judged_is_no_dirty_lens(clip: Watched) -> None:
    noise = Noise(*clip.scene.pictures[0].shape[:2])
    assert not told(clip, 700, by_night(untouched, noise, DARK))
    far_lamp = changed_by(degraded.lamp_lit, 0.15, 0.1, 0.1, 0.8)
    assert not told(clip, 700, lambda image, t_s: noise.add(far_lamp(image, t_s), 5.0))


def test_where_the_zones_have_too_few_edges_the_whole_picture_is_judged() -> None:
    camera = well(scenes.street)
    bare = dataclasses.replace(camera.scene, areas=())
    watched = Watched(bare, _learned["street"][1])
    assert watched.until_told("blurred", 600, changed_by(degraded.blurred, 0.007)) is not None


# --- moved: FAULTS row 21 ---------------------------------------------------------------------------------------------

TURNS = [(0.025, 0.0, 0.0), (0.0, -0.05, 0.0), (0.0, 0.0, 4.0), (-0.16, 0.06, -10.0)]
"""Shares of the width to the right and down, degrees: knocked, sagged, twisted, turned by a hand."""


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("weather", ["day", "rain", "night"])
def test_a_camera_that_was_turned_is_told_within_a_minute(
    clip: Watched, turn: tuple[float, float, float], weather: str
) -> None:
    degrade = changed_by(degraded.turned, *turn)
    if weather == "rain":
        degrade = in_rain(degrade)
    elif weather == "night":
        degrade = by_night(degrade, Noise(*clip.scene.pictures[0].shape[:2]))
    list(clip.film(27))
    assert clip.slot.problem() is None
    told_s = clip.until_told("moved", 60, degrade)
    assert told_s is not None


def test_what_is_told_says_how_far(clip: Watched) -> None:
    assert clip.until_told("moved", 60, changed_by(degraded.turned, 0.1, -0.05, 0.0)) is not None
    assert "off by +10 % across, -5 % down, +0 degrees" in (clip.slot.problem() or "")


def test_a_real_pole_camera_in_real_light_and_traffic_has_not_moved_until_it_is_turned() -> None:
    camera = well(scenes.pole)
    assert not told(camera, 1200)
    assert camera.until_told("moved", 60, changed_by(degraded.turned, 0.03, 0.0, 0.0)) is not None


@pytest.mark.parametrize("away", [lambda image, _t_s: image[:, ::-1].copy(), changed_by(degraded.turned, 0.6, 0, 0)])
def test_a_camera_that_was_turned_away_altogether_is_told_by_day(camera: Watched, away: Degrade) -> None:
    assert camera.until_told("moved", 60, away) is not None
    assert "nothing of its view is left" in (camera.slot.problem() or "")


def test_a_camera_that_looks_elsewhere_in_the_dark_says_nothing_new(clip: Watched) -> None:
    noise = Noise(*clip.scene.pictures[0].shape[:2])
    away = by_night(lambda image, _t_s: image[:, ::-1], noise, DARK)
    assert not told(clip, 300, away)
    assert clip.until_told("moved", 60, lambda image, _t_s: image[:, ::-1].copy()) is not None, "it does by daylight"


def test_a_camera_that_was_turned_back_counts_again(clip: Watched) -> None:
    assert clip.until_told("moved", 60, changed_by(degraded.turned, 0.1, 0.0, 0.0)) is not None
    assert told(clip, (MOVED_BACK_WINDOWS - 1) * 10) == {"moved"}
    list(clip.film(2 * WINDOW_S))
    assert clip.slot.problem() is None


def test_a_moved_camera_stays_moved_when_night_falls(clip: Watched) -> None:
    turned = changed_by(degraded.turned, 0.1, 0.0, 0.0)
    assert clip.until_told("moved", 60, turned) is not None
    noise = Noise(*clip.scene.pictures[0].shape[:2])
    assert told(clip, 120, by_night(turned, noise, DARK)) == {"moved"}


def test_a_camera_that_was_knocked_while_the_node_was_off_is_told_after_the_start(clip: Watched) -> None:
    after = Watched(clip.scene, view_of(_learned[clip.scene.name][1].as_json()))
    assert after.until_told("moved", 60, changed_by(degraded.turned, 0.05, 0.0, 0.0)) is not None


def test_a_technician_who_accepts_the_new_view_has_it_learned(clip: Watched) -> None:
    turned = changed_by(degraded.turned, 0.1, 0.0, 0.0)
    assert clip.until_told("moved", 60, turned) is not None
    clip.view.learn_anew()
    assert clip.slot.problem() is None
    assert clip.learned == [None], "the file forgets it too: a restart must not bring the old view back"
    clip.learn(turned)
    assert not told(clip, 120, turned)
    assert clip.until_told("moved", 60) is not None, "now the old view is the wrong one"


# --- nothing is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hour", [0.2, RAIN, DUSK + 0.5, DUSK + 1.2], ids=["day", "rain", "dusk", "night"])
def test_a_quarter_of_an_hour_of_nothing_wrong_is_silent(clip: Watched, hour: float) -> None:
    small = clip.scene.small()
    day = Day(*small.pictures[0].shape[:2], seed=3)
    assert not told(Watched(small, _learned[clip.scene.name][1]), 900, lambda image, t_s: day(image, t_s + hour * 3600))


def test_a_lorry_that_stands_before_the_camera_for_half_a_minute_is_not_told(clip: Watched) -> None:
    for seed in range(3):
        assert not told(clip, 30, changed_by(degraded.lorry, seed))
        assert not told(clip, 40)
    assert MOVED_WINDOWS * 10 > 30


def test_pictures_of_another_size_show_the_same_view(clip: Watched) -> None:
    list(clip.film(25))
    smaller = changed_by(lambda image: np.asarray(cv2.resize(image, (480, 264 + 6 * (image.shape[0] > 352))), np.uint8))
    assert not told(clip, 120, smaller)
    assert clip.view.report()["state"] == "here"
    assert clip.slot.counts()["resized"] == 0, "only a picture that was read counts"


def test_a_camera_that_was_never_taught_is_never_told_to_have_moved() -> None:
    scene = well(scenes.side_road).scene
    camera = Watched(scene)
    assert not told(camera, 60)
    assert not told(camera, 60, changed_by(degraded.turned, 0.2, 0.0, 0.0))
    assert camera.view.report()["state"] == "learning"


# --- headlights: FAULTS row 24 ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nights() -> Iterator[list[Image]]:
    try:
        yield scenes.night_views()
    except NoFootageError as error:
        pytest.skip(str(error))


def test_traffic_by_night_dazzles_nobody_and_a_beam_in_the_lens_does_at_once(nights: list[Image]) -> None:
    camera = well(scenes.street)
    for night in nights[:60]:
        assert not (camera.show(night) or "").startswith("dazzled")
    flared = degraded.headlights(nights[60], 0.5, 0.6, 0.2)
    assert (flared[:, :, 1] >= 250).mean() > 0.1
    assert (camera.show(flared) or "").startswith("dazzled")
    assert camera.slot.counts()["dazzled"] == 1
    list(map(camera.show, nights[:3]))
    assert not (camera.slot.problem() or "").startswith("dazzled")


# --- visibility -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("far_m", [60.0, 120.0, 250.0])
def test_fog_on_a_calibrated_road_is_told_in_metres(far_m: float) -> None:
    camera = well(scenes.side_road)
    assert camera.scene.depth_m is not None
    list(camera.film(140, changed_by(degraded.fogged, camera.scene.depth_m, far_m)))
    sighted = camera.view.visibility
    assert sighted is not None
    assert sighted.visibility_m == pytest.approx(far_m, rel=0.25)
    list(camera.film(140))
    assert camera.view.visibility is None, "the fog has gone"


@pytest.mark.parametrize(
    "change",
    [
        (degraded.exposed, 0.6, 1.3),
        (degraded.exposed, 1.4, 0.8),
        (degraded.shaded, 4),
        (degraded.blurred, 0.004),
        (degraded.drop, 0.5, 0.6, 0.3),
        (degraded.lorry, 1),
        (degraded.exposed, 0.1),
    ],
    ids=["dull", "glaring", "clouds", "grease", "drop", "lorry", "night"],
)
def test_what_is_no_fog_is_not_told_as_fog(change: tuple[Callable[..., Image], *tuple[float, ...]]) -> None:
    camera = well(scenes.side_road)
    list(camera.film(140, changed_by(change[0], *change[1:])))
    assert camera.view.visibility is None


def test_a_lorry_in_the_fog_ends_no_fog_and_night_does() -> None:
    camera = well(scenes.side_road)
    assert camera.scene.depth_m is not None
    fog = changed_by(degraded.fogged, camera.scene.depth_m, 120.0)
    list(camera.film(140, fog))
    list(camera.film(40, lambda image, t_s: degraded.lorry(fog(image, t_s), 2)))
    assert camera.view.visibility is not None
    noise = Noise(*camera.scene.pictures[0].shape[:2])
    list(camera.film(700, by_night(fog, noise, 0.16)))
    assert camera.view.visibility is None, "nobody knows"


def test_a_camera_that_is_not_calibrated_tells_no_visibility() -> None:
    camera = well(scenes.street)
    depth_m = np.full(camera.scene.pictures[0].shape[:2], 40.0, np.float32)
    list(camera.film(140, changed_by(degraded.fogged, depth_m, 100.0)))
    assert camera.view.visibility is None
