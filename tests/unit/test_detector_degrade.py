"""The evaluation's own night, rain and fog: repeatable, physical, and not what training learns from."""

import ast
import pathlib

import numpy as np
import pytest

from tools.detector.degrade import WEATHERS, degraded
from tools.detector.degrade.fog import AIRLIGHT, DENSEST_M, PATCHINESS, transmission
from tools.detector.degrade.night import FULL_WELL
from tools.detector.degrade.optics import View, decoded, encoded
from tools.detector.degrade.rain import extinction_per_m, fall_mps, slope_per_mm

PROJECT = pathlib.Path(__file__).resolve().parents[2]
NOBODY = np.empty((0, 4), np.float32)
CARS = np.array([(60, 110, 110, 150), (200, 90, 230, 112)], np.float32)


def street(height: int = 180, width: int = 320) -> np.ndarray:
    """Sky, a road with markings, and two dark cars on it."""
    picture = np.full((height, width, 3), (205, 190, 180), np.uint8)
    picture[height * 3 // 10 :] = 95
    picture[height // 2 :, ::40] = 220
    for x0, y0, x1, y1 in CARS.astype(int).tolist():
        picture[y0:y1, x0:x1] = 25
    return picture


def shown(
    weather: str, strength: float | None = None, name: str = "a", frame: int = 0, pole: bool = True
) -> np.ndarray:
    return degraded(street(), weather, name, pole=pole, vehicles=CARS, frame=frame, strength=strength)


@pytest.mark.parametrize("weather", WEATHERS)
def test_the_same_seed_gives_the_same_bytes_and_another_picture_other_ones(weather: str) -> None:
    assert (shown(weather) == shown(weather)).all()
    assert (shown(weather) != shown(weather, name="b")).any()
    assert (shown(weather) != shown(weather, frame=1)).any()


@pytest.mark.parametrize("weather", WEATHERS)
def test_without_strength_nothing_changes(weather: str) -> None:
    assert np.abs(shown(weather, 0).astype(int) - street()).max() <= 1


@pytest.mark.parametrize("weather", WEATHERS)
def test_the_stronger_the_less_a_car_stands_out_from_the_road(weather: str) -> None:
    left = []
    for strength in (0, 0.1, 0.3, 0.6, 1):
        got = decoded(degraded(street(), weather, "a", pole=True, vehicles=NOBODY, strength=strength))
        x0, y0, x1, y1 = CARS[0].astype(int)
        left.append(float(np.median(got[y0:y1, x1 : x1 + 30]) - np.median(got[y0:y1, x0:x1])))
    assert left == sorted(left, reverse=True)
    assert 0 < left[-1] < 0.75 * left[0]


@pytest.mark.parametrize("weather", WEATHERS)
def test_the_exporters_black_bars_stay_black(weather: str) -> None:
    boxed = np.zeros((300, 320, 3), np.uint8)
    boxed[60:240] = street()
    got = degraded(boxed, weather, "a", pole=True, vehicles=CARS + np.array([0, 60, 0, 60], np.float32))
    assert got[:60].max() == got[240:].max() == 0
    assert (got[60:240] == shown(weather)).all(), "and do not move what is inside"


def test_light_goes_to_linear_and_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert (encoded(decoded(every)) == every).all()
    assert decoded(np.array([0, 188, 255], np.uint8)).tolist() == pytest.approx([0, 0.503, 1], abs=0.002)
    assert encoded(np.array([-0.5, 1.7], np.float32)).tolist() == [0, 255]


def test_koschmieders_numbers() -> None:
    depth = np.array([0, 50, 100, 200], np.float32)
    assert transmission(depth, 100).tolist() == pytest.approx([1, 0.02**0.5, 0.02, 0.0004], rel=1e-4)


def test_the_road_is_flat_and_the_sky_far() -> None:
    view = View.of(288, 512, pole=True)
    depth = view.depth_m()
    # 6 m up, 512 px of focal length: 114.5 px under the horizon (row 186.5) the road is 6 · 512 / 114.5 m away.
    assert depth[186] == pytest.approx(6 * 512 / (186.5 - 0.25 * 288))
    assert (depth[:72] == view.far_m).all()
    assert (np.diff(depth[90:]) < 0).all()
    assert View.of(512, 512, pole=False).depth_m()[511] == pytest.approx(1.5 * 512 / (511.5 - 0.45 * 512))


def test_a_black_object_keeps_two_hundredths_of_its_contrast_at_the_visibility() -> None:
    black = np.full((288, 512, 3), 30, np.uint8)
    got = decoded(degraded(black, "fog", "a", pole=True, vehicles=NOBODY, strength=1))
    depth = View.of(288, 512, pole=True).depth_m()
    for row in (int(np.abs(depth - DENSEST_M).argmin()), 200, 280):
        through = transmission(depth[row] * np.array([1 - PATCHINESS, 1 + PATCHINESS], np.float32), DENSEST_M)
        left = 1 - (got[row] / AIRLIGHT).mean()
        assert through[1] * 0.9 - 0.01 <= left <= through[0] + 0.01


def test_fog_takes_the_far_car_before_the_near_one() -> None:
    got = decoded(shown("fog", 1)).mean(axis=2)
    near, far = (got[y1 + 2, x0:x1].mean() - got[y0 + 4 : y1, x0:x1].mean() for x0, y0, x1, y1 in CARS.astype(int))
    assert far < near


def test_night_is_darker_grainier_and_has_lamps() -> None:
    def grain(picture: np.ndarray) -> float:
        patch = picture[120:170, 242:278].astype(float)
        return float(patch.std() / patch.mean())

    dusk, night = shown("night", 0.4), shown("night", 1)
    assert np.median(street()) > np.median(dusk) > np.median(night)
    assert grain(dusk) < grain(night)
    assert (night.min(axis=2) > 250).any(), "a headlight or an oncoming beam"
    unlit = degraded(street(), "night", "a", pole=True, vehicles=NOBODY, strength=1)
    cars = night.astype(int) - unlit
    assert cars.mean() > 0.1, "lamps and what they light"


def test_the_grain_of_night_is_that_of_counted_photons() -> None:
    even = np.full((200, 200, 3), 128, np.uint8)
    got = decoded(degraded(even, "night", "c", pole=True, vehicles=NOBODY, strength=0.25))[150:, :, 1]
    ambient = 0.005**0.25
    electrons = got.mean() / ambient**-0.75 * FULL_WELL * ambient**-0.75
    # Under the shutter's limit nothing is amplified: noise is the root of what was caught (and a little to read it).
    assert got.std() * FULL_WELL == pytest.approx(np.sqrt(electrons + 9), rel=0.1)


def test_published_numbers_of_rain() -> None:
    assert slope_per_mm(1) == pytest.approx(4.1)
    assert slope_per_mm(25) == pytest.approx(2.085, abs=0.01)  # Marshall and Palmer's table: 21 per cm
    assert fall_mps(np.array([1, 2, 5], np.float32)).tolist() == pytest.approx([4.0, 6.55, 9.14], abs=0.05)
    assert extinction_per_m(80) > 2 * extinction_per_m(20)


def test_drops_stay_on_the_glass_while_streaks_fall() -> None:
    first, second = (shown("rain", 1, frame=frame).astype(float) for frame in (0, 1))
    moved = np.abs(first - second).mean()
    elsewhere = shown("rain", 1, name="other").astype(float)
    assert 0 < moved < 0.5 * np.abs(first - elsewhere).mean()


def imports(path: pathlib.Path) -> set[str]:
    """Modules that a file imports, dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_neither_set_of_degradations_knows_the_other() -> None:
    evaluation = sorted((PROJECT / "tools" / "detector" / "degrade").glob("*.py"))
    training = sorted((PROJECT / "models" / "training").glob("*.py"))
    assert len(evaluation) >= 4
    assert training
    for path in (*evaluation, PROJECT / "tools" / "detector" / "borders.py"):
        assert not {name for name in imports(path) if name.startswith("models.training")}, path
    for path in training:
        assert not {name for name in imports(path) if name.split(".")[0] == "tools"}, path
