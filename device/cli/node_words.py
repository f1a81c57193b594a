"""The node's own sentences in the technician's language; the node itself writes English (logs, journal, JSON).


Invariant: a sentence that is not in the table is shown as the node wrote it, never dropped.
"""

import re

from device.cli.language import N_, _

_TABLE: tuple[tuple[str, str], ...] = (
    (r"self-test", N_("self-test")),
    (r"boot", N_("starting up")),
    (r"recovering", N_("recovering")),
    (
        r"no sensor is fitted for what this face must watch",
        N_("no sensor is fitted for what this face must watch"),
    ),
    (r"(?P<who>\S+): not heard yet", N_("{who}: not heard yet")),
    (r"(?P<who>\S+): silent for (?P<n>\d+) s", N_("{who}: silent for {n} s")),
    (r"(?P<who>\S+): no sensor in the site file watches it", N_("{who}: no sensor in the site file watches it")),
    (
        r"(?P<who>\S+): one target at (?P<n>\d+) m is the only cause for (?P<s>\d+) s",
        N_("{who}: one target at {n} m is the only cause for {s} s"),
    ),
    (r"fewer sensors, held longer", N_("fewer sensors, held longer")),
    (r"radar alone, held longer", N_("radar alone, held longer")),
    (r"camera alone, held longer", N_("camera alone, held longer")),
    (r"camera alone for more than 24 h", N_("camera alone for more than 24 h")),
    (
        r"(?P<who>\S+): frozen, the same moving targets in every frame",
        N_("{who}: frozen, the same moving targets in every frame"),
    ),
    (r"(?P<who>\S+): flooded by clutter", N_("{who}: flooded by clutter")),
    (
        r"(?P<who>\S+): (?P<n>\d+) frames a second, (?P<m>\d+) before",
        N_("{who}: {n} frames a second, {m} before"),
    ),
    (r"lamps in the safe pattern: (?P<inner>.+)", N_("lamps in the safe pattern: {inner}")),
    (
        r"guard does not answer on guard\.sock: the external flasher must be flashing",
        N_("guard does not answer: the external flasher must be flashing"),
    ),
    (r"guard does not answer", N_("guard does not answer")),
    (
        r"incident recordings cannot be written: (?P<why>.+)",
        N_("incident recordings cannot be written: {why}"),
    ),
    (
        r"incident recordings: the disk does not keep up, (?P<n>\d+) messages dropped",
        N_("incident recordings: the disk does not keep up, {n} messages dropped"),
    ),
    (
        r"hours of camera alone cannot be written: (?P<why>.+)",
        N_("hours of camera alone cannot be written: {why}"),
    ),
    (
        r"hours of camera alone: the disk does not keep up",
        N_("hours of camera alone: the disk does not keep up"),
    ),
    (
        r"incident recordings: the day's bytes are spent, (?P<n>\d+) alerts not kept",
        N_("incident recordings: the day's bytes are spent, {n} alerts not kept"),
    ),
    (
        r"moved: its view is off by (?P<right>\S+) % across, (?P<down>\S+) % down, (?P<turn>\S+) degrees; "
        r"turn it back, or accept: sentinel aim --accept",
        N_(
            "moved: its view is off by {right} % across, {down} % down, {turn} degrees; "
            "turn it back, or accept: sentinel aim --accept"
        ),
    ),
    (
        r"(?P<n>\d+) pictures in a row cannot be decoded; check the cable and its plugs",
        N_("{n} pictures in a row cannot be decoded; check the cable and its plugs"),
    ),
    (
        r"unusable: its pictures are (?P<form>.+), allowed: uint8 \(height, width, 3\); mend its driver",
        N_("unusable: its pictures are {form}, allowed: uint8 (height, width, 3); mend its driver"),
    ),
    (r"not connected or not ready", N_("not connected or not ready")),
    (
        r"the wall clock cannot be trusted: voice quiet, lamp at full brightness",
        N_("the wall clock cannot be trusted: voice quiet, lamp at full brightness"),
    ),
    (r"(?P<who>[\w ]+): (?P<inner>.+)", "{who}: {inner}"),
)


_PICTURES: frozenset[str] = frozenset(
    (
        N_("black: the picture is black; is the lens covered, or the camera without night vision?"),
        N_("overexposed: the picture is overexposed; is a lamp or the sun in the lens, or the exposure fixed?"),
        N_("low_contrast: the picture has no contrast; clean the lens, look for fog or a hood"),
        N_("frozen: the same picture again and again; power-cycle the camera"),
        N_("dazzled: headlights shine into the lens; it counts again when they are gone"),
        N_("blurred: the picture has lost its detail; clean the lens, unless there is fog or something before it"),
        N_(
            "moved: nothing of its view is left; turn it back, clear what is before it, or accept: "
            "sentinel aim --accept"
        ),
    )
)
"""What device.vision.picture_health says of a picture, word for word."""


def node_words(text: str) -> str:
    """A sentence of the node in the language in use."""
    if text in _PICTURES:
        return _(text)
    for pattern, message in _TABLE:
        found = re.fullmatch(pattern, text)
        if found is not None:
            words = found.groupdict()
            if "inner" in words:
                words["inner"] = node_words(words["inner"])
            return (_(message) if message != "{who}: {inner}" else message).format(**words)
    return text
