"""The measurements behind the figures. Each yields its lines; ``note`` is told each case."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from device.vision.dazzle import NIGHT_BELOW, SATURATED
from device.vision.view import View
from hal.clock import NS_PER_MS, NS_PER_S
from hal.interfaces import CameraFrame
from tools.camera_state import degraded
from tools.camera_state.cases import bad_lenses, turns
from tools.camera_state.days import Day
from tools.camera_state.degraded import Floats, Image, Noise
from tools.camera_state.figures import BLUR_MIN, MOVED_S, line
from tools.camera_state.scenes import Scene, plane
from tools.camera_state.watched import Degrade, Watched

Note = Callable[[str], None]
Lines = Iterator[dict[str, object]]

WELL_S = (4.0, 27.0, 49.0)
"""So long a camera is well before it is turned: other places of the clip, other places in a window of looks."""

FLARED = 0.10
"""Saturated share of a picture from which its vote must be ignored; the detector misses every tenth vehicle in it."""

VISIBILITIES_M = (50.0, 75.0, 100.0, 150.0, 200.0, 300.0)
FOGS = ((1, 0.5), (2, 0.3), (3, 0.6))
"""Seed of the technician's marks, airlight."""

FOG_S = 150.0
FOG_STEP_M = 200.0
"""Below it the horizon is widened (device.gap)."""

TIMED_PICTURES, PICTURES_A_S = 600, 10


def blurred(scenes: Sequence[tuple[Scene, View]], note: Note) -> Lines:
    """Whether and how soon a lens that went bad is told."""
    times = []
    for scene, view in scenes:
        for name, degrade in bad_lenses(scene):
            told_s = Watched(scene, view).until_told("blurred", BLUR_MIN * 60 + 60, degrade)
            note(f"{scene.name}, {name}: {_shown(told_s)}")
            times.append(told_s)
    yield line("camera_blurred_found_pct", _found_pct(times))
    yield line("camera_blurred_slowest_min", _slowest(times, 60))


def moved(scenes: Sequence[tuple[Scene, View]], note: Note) -> Lines:
    """Whether and how soon a camera that was turned is told, begun at three places of the clip."""
    times = []
    for scene, view in scenes:
        for name, degrade in turns(scene):
            for well_s in WELL_S:
                watched = Watched(scene, view)
                for _problem in watched.film(well_s):
                    pass
                told_s = watched.until_told("moved", MOVED_S + 30, degrade)
                note(f"{scene.name}, {name} after {well_s:.0f} s: {_shown(told_s)}")
                times.append(told_s)
    yield line("camera_moved_found_pct", _found_pct(times))
    yield line("camera_moved_slowest_s", _slowest(times, 1))


def quiet(scenes: Sequence[Scene], hours: float, note: Note) -> Lines:
    """What is told while nothing is wrong. The view is learned in the first minutes of the day itself."""
    alarms, low, looks = 0, 0, 0
    for seed, scene in enumerate(scenes):
        height, width = scene.pictures[0].shape[:2]
        watched = Watched(scene)
        before: str | None = None
        for problem in watched.film(hours * 3600, Day(height, width, seed)):
            if problem is not None and problem != before:
                note(f"{scene.name}, false after {watched.t_s / 3600:.2f} h: {problem}")
                alarms += 1
            before = problem
            sighted = watched.view.visibility
            low += sighted is not None and sighted.visibility_m < FOG_STEP_M
            looks += 1
        note(f"{scene.name}: {watched.t_s / 3600:.1f} h, {watched.view.report()}")
    yield line("camera_quiet_hours", hours * len(scenes))
    yield line("camera_false_alarms", alarms)
    yield line("camera_false_fog_pct", 100 * low / looks)


def dazzled(views: Sequence[Image], scene: Scene, note: Note) -> Lines:
    """Beams in the lens by night; and night pictures, traffic and all, without."""
    dark = [view for view in views if np.median(view[:, :, 1]) < NIGHT_BELOW]
    watched = Watched(scene)
    for view in (*dark, *dark):
        watched.show(view)
    false = watched.slot.counts()["dazzled"]
    found = beams = 0
    for number, view in enumerate(dark):
        flared = degraded.headlights(view, 0.3 + 0.4 * (number % 5) / 4, 0.6, 0.2)
        if (flared[:, :, 1] >= SATURATED).mean() < FLARED:
            continue
        for usual in dark[max(0, number - 5) : number + 1]:
            watched.show(usual)
        beams += 1
        found += (watched.show(flared) or "").startswith("dazzled")
    note(f"{len(dark)} night views, {beams} beams")
    yield line("camera_dazzled_found_pct", 100 * found / beams if beams else None)
    yield line("camera_dazzled_false_pct", 100 * false / (2 * len(dark)) if dark else None)


def visibility(scene: Scene, view: View, note: Note) -> Lines:
    """How far off the estimate is in drawn fog, with marks that are up to two pixels off."""
    errors: list[float] = []
    depth_m = scene.depth_m
    assert depth_m is not None  # a calibrated scene is handed in
    height, width = depth_m.shape
    for seed, airlight in FOGS:
        noise = Noise(height, width, seed)
        marked = dataclasses.replace(scene, planes=dict.fromkeys(scene.planes, plane(seed)))
        for far_m in VISIBILITIES_M:
            watched = Watched(marked, view)
            for _problem in watched.film(FOG_S, _in_fog(depth_m, far_m, airlight, noise)):
                pass
            sighted = watched.view.visibility
            note(f"fog of {far_m:.0f} m, airlight {airlight}: {sighted}")
            errors.append(100.0 if sighted is None else 100 * abs(sighted.visibility_m / far_m - 1))
    yield line("camera_visibility_error_pct", statistics.median(errors))
    yield line("camera_visibility_error_max_pct", max(errors))


def cost(scene: Scene, view: View) -> Lines:
    """The processor time of all of it a picture, by night, when most is done."""
    height, width = scene.pictures[0].shape[:2]
    noise = Noise(height, width)
    pictures = [noise.add(degraded.exposed(picture, 0.25), 4.0) for picture in scene.pictures[:20]]
    watched = Watched(scene, view)
    taken_ms = []
    for number in range(TIMED_PICTURES):
        frame = CameraFrame("c_branch", number * NS_PER_S // PICTURES_A_S, pictures[number % len(pictures)], number)
        before_ns = time.thread_time_ns()
        watched.slot.dazzled(frame)
        watched.slot.look(frame)
        taken_ms.append((time.thread_time_ns() - before_ns) / NS_PER_MS)
    yield line("camera_state_ms", statistics.fmean(taken_ms))
    yield line("camera_state_max_ms", max(taken_ms))


def _in_fog(depth_m: Floats, far_m: float, airlight: float, noise: Noise) -> Degrade:
    return lambda image, _t_s: noise.add(degraded.fogged(image, depth_m, far_m, airlight), 1.5)


def _found_pct(times: Sequence[float | None]) -> float:
    return 100 * sum(told_s is not None for told_s in times) / len(times)


def _slowest(times: Sequence[float | None], unit_s: float) -> float | None:
    found = [told_s for told_s in times if told_s is not None]
    return max(found) / unit_s if len(found) == len(times) else None


def _shown(told_s: float | None) -> str:
    return "not told" if told_s is None else f"told after {told_s:.0f} s"
