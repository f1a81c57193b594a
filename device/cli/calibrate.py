"""``sentinel calibrate``: known points of a camera's picture make its ground plane; tells how they fit, writes them.

Invariants: without ``--point`` and with ``--try`` nothing is written; what is written goes the way of ``config set``:
checked as a whole, kept in the history, told to the running node, taken back when that refuses.
"""

import math
import pathlib
import re
from typing import Any

import click

from configs import loader
from configs.errors import ConfigError, Problem, both
from configs.schema import SiteConfig
from device.calibration import Calibration, calibrations
from device.cli.common import BAD_INPUT, Settings, Verb, emit, fail, fail_config, pass_settings, problem_lines
from device.cli.language import _

SHOWN_M = (10, 20, 30, 40, 60, 80)
"""Distances whose error is printed, as far as the camera tells any."""

_INDENT = " " * 8
"""Deeper than any key the points may stand under."""

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_POINT = re.compile(f"{_NUMBER},{_NUMBER}={_NUMBER},{_NUMBER}")
_SIZE = re.compile(r"\s*([1-9]\d{1,4})\s*[x×*]\s*([1-9]\d{1,4})\s*")


@click.command(
    "calibrate",
    cls=Verb,
    help=_("Teach CAMERA distances on APPROACH by four or more known points; without --point: how well it fits now."),
)
@click.argument("camera", metavar="CAMERA")
@click.argument("approach", metavar="APPROACH")
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="X,Y=D,L",
    help=_("Picture 0..1 from the top left = metres to the conflict point, metres to the incoming driver's left."),
)
@click.option("--size", metavar="WxH", help=_("X,Y are pixels of a picture of this size, like 1920x1080."))
@click.option("--try", "only_try", is_flag=True, help=_("Only say how well the points fit; write nothing."))
@pass_settings
def command(
    settings: Settings, camera: str, approach: str, points: tuple[str, ...], size: str | None, only_try: bool
) -> None:
    """Exit 2 when the points make no ground plane; nothing is written then."""
    from device.cli.config import change_value, checked, target_of

    path = target_of(settings).path
    _known(path, camera, approach)
    if not points:
        told = [one for one in _of(checked(path)[0]) if (one.camera, one.approach) == (camera, approach)]
        if not told:
            fail(BAD_INPUT, _("{camera} is not calibrated on {approach}: give four or more --point.").format(
                camera=camera, approach=approach
            ))  # fmt: skip
        emit({"ok": True, "file": str(path), "ground": [as_json(one) for one in told]}, as_text(told))
        return
    written = "".join(f"{_INDENT}  {_written(text, size)},\n" for text in points)
    change = change_value(
        settings, f"cameras.{camera}.ground.{approach}", f"[\n{written}{_INDENT}]", only_try=only_try, told=False
    )
    told = [one for one in _of(change.new) if (one.camera, one.approach) == (camera, approach)]
    data = {**change.data, "ground": [as_json(one) for one in told]}
    lines = [problem_lines(change.warnings), as_text(told), *change.lines]
    emit(data, "\n".join(line for line in lines if line))


def ground_of(config: SiteConfig) -> tuple[list[dict[str, Any]], str]:
    """Every calibration of a checked site, as values and as text; empty when there is none."""
    found = _of(config)
    return [as_json(one) for one in found], as_text(found)


def as_json(found: Calibration) -> dict[str, Any]:
    """One calibration as plain values; metres to the centimetre, the picture in per cent."""
    return {
        "camera": found.camera,
        "approach": found.approach,
        "points": [
            {
                "image": list(point.image),
                "distance_m": point.distance_m,
                "lateral_m": point.lateral_m,
                "residual_m": round(point.residual_m, 3),
                "residual_pct": round(point.residual_pct, 2),
                "left_out_m": None if point.left_out_m is None else round(point.left_out_m, 2),
            }
            for point in found.points
        ],
        "worst_m": round(found.worst.residual_m, 3),
        "condition": round(found.condition, 1),
        "reach_m": round(found.plane.reach_m, 1),
        "reliable_to_m": found.reliable_to_m,
        "error_m": {str(distance_m): round(error_m, 2) for distance_m, error_m in _errors(found)},
    }


def as_text(found: list[Calibration]) -> str:
    """Calibrations as lines for people."""
    return "\n".join(line for one in found for line in _lines(one))


def _lines(found: Calibration) -> list[str]:
    worst = found.worst
    lines = [
        _(
            "{camera} on {approach}: {count} points, at most {off:.2f} m off ({share:.2f} % of the picture); "
            "condition {condition:.0f}"
        ).format(
            camera=found.camera,
            approach=found.approach,
            count=len(found.points),
            off=worst.residual_m,
            share=max(point.residual_pct for point in found.points),
            condition=found.condition,
        )
    ]
    for point in found.points:
        text = _("  point {number} {image} = {distance:g} m, {lateral:g} m: {off:.2f} m off ({share:.2f} %)").format(
            number=point.number,
            image=list(point.image),
            distance=point.distance_m,
            lateral=point.lateral_m,
            off=point.residual_m,
            share=point.residual_pct,
        )
        if point.left_out_m is not None:
            text += _("; {off:.2f} m by the other points alone").format(off=point.left_out_m)
        lines.append(text)
    if len(found.points) == 4:
        lines.append(_("  four points always fit: a fifth shows whether they are right"))
    errors = ", ".join(f"{distance_m} m ± {error_m:.1f} m" for distance_m, error_m in _errors(found))
    if found.reliable_to_m is None:
        lines.append(_("  not reliable at any distance: mark more points, and spread them"))
    else:
        lines.append(
            _("  reliable to {reliable} m, distances given to {reach} m; one pixel is {errors}").format(
                reliable=math.floor(found.reliable_to_m), reach=math.floor(found.plane.reach_m), errors=errors or "–"
            )
        )
    return lines


def _errors(found: Calibration) -> list[tuple[int, float]]:
    errors = [(distance_m, found.error_m(distance_m)) for distance_m in SHOWN_M if distance_m <= found.plane.reach_m]
    return [(distance_m, error_m) for distance_m, error_m in errors if error_m is not None]


def _of(config: SiteConfig) -> list[Calibration]:
    held, refused = calibrations(config)
    if refused:
        fail_config(ConfigError(refused))
    return held


def _known(path: pathlib.Path, camera: str, approach: str) -> None:
    """Ends the verb when the site file has no such camera, or that no zone there: a typing error must make neither."""
    try:
        cameras = loader.read(path).values.get("cameras")
    except ConfigError as error:
        fail_config(error)
    cameras = cameras if isinstance(cameras, dict) else {}
    entry = cameras.get(camera)
    zones = entry.get("zones") if isinstance(entry, dict) else None
    zones = zones if isinstance(zones, dict) else {}
    if entry is None:
        place, value, known = "cameras", camera, list(cameras)
    elif approach not in zones:
        place, value, known = f"cameras.{camera}.zones", approach, list(zones)
    else:
        return
    allowed = both(" | ".join(known) or "–")
    fail_config(ConfigError([Problem("no_such_path", file=str(path), path=place, value=value, allowed=allowed)]))


def _written(text: str, size: str | None) -> str:
    """A point as the site file writes it; four decimals of the picture are a fifth of a pixel of 1920."""
    found = _POINT.fullmatch(text)
    if found is None:
        fail(BAD_INPUT, _("--point {text}: write X,Y=D,L, like 0.31,0.86=12,-1.5").format(text=text))
    x, y, distance_m, lateral_m = (float(number) for number in found.groups())
    if size is not None:
        picture = _SIZE.fullmatch(size)
        if picture is None:
            fail(BAD_INPUT, _("--size {text}: write the picture's width x height, like 1920x1080").format(text=size))
        x, y = round(x / int(picture[1]), 4), round(y / int(picture[2]), 4)
    return f"{{image: [{x:.10g}, {y:.10g}], distance_m: {distance_m:.10g}, lateral_m: {lateral_m:.10g}}}"
