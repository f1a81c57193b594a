"""Which validation pictures are fair: looked at one by one and written down in ``val_pictures.json``.

The names say nothing (they are hashes), so every pole view of ``val`` was compared with those of ``train`` by eye, with
gradient histograms as a guide. Found: three of the seven cameras of ``val`` (33 of 216 pictures) are in ``train`` too,
some with the very same frame under other noise; and eleven close views are pictures of ``train``, five of them
mirrored (correlation of 24×24 thumbnails ≥ 0.977; the next one has 0.93 and shows something else).

Invariants: a camera in ``train`` is never counted as unseen; a twin of a training picture is not scored at all.
"""

import json
import pathlib
from collections.abc import Mapping

from tools.detector.errors import CannotMeasure

_FILE = pathlib.Path(__file__).with_name("val_pictures.json")
_READ = json.loads(_FILE.read_text("utf-8"))

POLE, CLOSE = "atl_", "hw_"
"""How the names of the two kinds of view begin."""

CAMERAS: Mapping[str, str] = {
    f"{POLE}{picture}": camera for camera, entry in _READ["cameras"].items() for picture in entry["pictures"].split()
}
"""Camera of every pole view of ``val``, by the picture's stem."""

IN_TRAIN = frozenset(camera for camera, entry in _READ["cameras"].items() if entry["in_train"])
"""Cameras of ``val`` that ``train`` shows as well."""

TWINS = frozenset(f"{CLOSE}{picture}" for picture in _READ["twins"].split())
"""Close views of ``val`` that are in ``train`` too, as they are or mirrored."""


def camera(stem: str) -> str | None:
    """The camera of a pole view, None for a close view. Raises CannotMeasure for a pole view that nobody placed."""
    if stem.startswith(CLOSE):
        return None
    if stem not in CAMERAS:
        raise CannotMeasure(
            f"{stem}: no camera written down in {_FILE.name}; look at it, compare it with train, and add its name"
        )
    return CAMERAS[stem]
