"""``sentinel aim``: whether a camera of the running node still looks where it did when it was set up, and how well it
sees; ``--accept`` has it take what it looks at now for right.

Invariant: accepting is asked for by name and on purpose; nothing else makes a moved camera count again but turning it
back, or drawing its zones or calibration anew.
"""

from collections.abc import Mapping
from typing import Any

import click

from device.cli.common import BAD_INPUT, FAULT, Verb, call_node, emit, fail
from device.cli.language import N_, _
from device.cli.node_words import node_words

_STATES: Mapping[str, str] = {
    "learning": N_("learning its view, {learned} % done (by daylight, eleven minutes)"),
    "here": N_("looks where it should, {likeness} % alike"),
    "moved": N_("has moved"),
    "gone": N_("shows nothing of its view"),
    "unsure": N_("cannot tell now (dark, fog, or just started)"),
}


@click.command("aim", cls=Verb, help=_("Show whether CAMERA still looks where it should; --accept takes its view."))
@click.argument("camera", metavar="CAMERA")
@click.option("--accept", is_flag=True, help=_("What it looks at now is right; it learns that view anew."))
def command(camera: str, accept: bool) -> None:
    """Exit 1 when something is wrong with the camera, 2 when there is no such camera."""
    if accept:
        result: Any = call_node("accept_view", {"camera": camera})
        text = _("{camera} learns its view anew. If it was calibrated, calibrate it again: distances have changed.")
        emit(result, text.format(camera=camera))
        return
    sensors = call_node("status")["sensors"]
    sensor = sensors.get(camera)
    if sensor is None or sensor["kind"] != "camera":
        known = ", ".join(name for name, row in sensors.items() if row["kind"] == "camera") or "–"
        fail(BAD_INPUT, _("There is no camera {camera}; there are: {known}").format(camera=camera, known=known))
    view = sensor["counters"].get("view")
    emit({"camera": camera, "problem": sensor["problem"], "view": view}, _text(camera, sensor["problem"], view))
    if sensor["problem"]:
        raise SystemExit(FAULT)


def _text(camera: str, problem: str | None, view: Mapping[str, Any] | None) -> str:
    lines = [f"{camera}:"] if not problem else [node_words(problem)]
    if view is not None:
        state = _(_STATES[view["state"]])
        lines.append("  " + state.format(learned=view["learned_pct"], likeness=view["likeness_pct"]))
        if view["blind_pct"] is not None:
            lines.append("  " + _("{blind} % of it has lost its detail").format(blind=view["blind_pct"]))
        if view["visibility_m"] is not None:
            text = _("visibility {far:.0f} m ± {error} %")
            lines.append("  " + text.format(far=view["visibility_m"], error=view["visibility_error_pct"]))
    return "\n".join(lines)
