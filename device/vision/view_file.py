"""Keeps what each camera's view is on the disk, so that a camera that was knocked while the node was off is noticed.

Invariants: no picture is in the file (see device.vision.view); zones or calibration that were drawn anew are another
view, which is learned anew; a file that cannot be read is a view that is learned anew, told in the log; writing costs
the caller no time, and a disk that refuses costs the memory of it, not the camera. One thread of its own.
"""

import hashlib
import json
import logging
import pathlib
import queue
import threading
from typing import Any

from configs.files import write_atomically
from configs.schema import Camera
from device.vision.view import View, view_of
from hal.clock import Clock, iso_utc

FOLDER = "views"
log = logging.getLogger(__name__)


class ViewFile:
    """The file of one camera in the state folder."""

    def __init__(self, state_dir: pathlib.Path, camera_id: str, camera: Camera, clock: Clock) -> None:
        self.path = state_dir / FOLDER / f"{camera_id}.json"
        self._drawn = drawn_on(camera)
        self._clock = clock
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"view {camera_id}", daemon=True)
        self._thread.start()

    def read(self) -> View | None:
        """The view that was kept, None where there is none for what is drawn on it now."""
        try:
            written = json.loads(self.path.read_bytes())
            if written["drawn"] != self._drawn:
                log.info("event=view_of_other_zones path=%s", self.path)
                return None
            return None if written["view"] is None else view_of(written["view"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.error("event=view_unreadable path=%s error=%r counts_as=never_learned", self.path, error)
            return None

    def keep(self, view: View | None) -> None:
        """Has a view written in place of the one before, or that there is none. Never waits."""
        kept = None if view is None else view.as_json()
        learned = iso_utc(self._clock.wall_ns())
        self._queue.put(json.dumps({"drawn": self._drawn, "learned": learned, "view": kept}).encode() + b"\n")

    def close(self, timeout_s: float = 2.0) -> None:
        """Writes what is waiting and ends the thread; a disk that hangs costs ``timeout_s`` at most."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self.path, data)
            except OSError as error:
                log.error("event=view_not_written path=%s error=%r", self.path, error)


def drawn_on(camera: Camera) -> str:
    """Which view a camera's zones and marks were drawn on: whoever draws them anew has looked at the picture. Its
    driver is not in it: a camera that is replaced must show the same view."""
    zones: dict[str, Any] = {
        approach: {"wait": zone.wait, "approach": zone.approach} for approach, zone in camera.zones.items()
    }
    ground = {approach: [point.model_dump() for point in points] for approach, points in camera.ground.items()}
    return hashlib.sha256(json.dumps([zones, ground], sort_keys=True).encode()).hexdigest()
