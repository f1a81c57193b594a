"""One camera as vision keeps it: being opened, open, or waiting to be tried again, with the reason.

Invariants: opening happens in a thread of its own, because it may take seconds and other cameras must go on; a camera
that does not open is tried again every ``RETRY_S``; one that says it is gone for good (a file at its end) is not.
"""

import collections
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from device.ground_plane import GroundPlane
from device.vision.dazzle import Dazzle
from device.vision.picture_health import Fault, PictureHealth, describe
from device.vision.view_health import ViewHealth
from device.vision.view_match import Sight, Where
from device.zones import ZoneArea
from hal.clock import NS_PER_S, Clock
from hal.errors import DeviceLostError, HalError
from hal.interfaces import Camera, CameraFrame

RETRY_S = 5.0
RATE_WINDOW_S = 2.0
"""FAULTS row 27: two seconds from too slow to degraded."""
LEAST_FPS = 5.0
"""FAULTS row 27: below five pictures a second the camera does not count."""
_SLACK = 0.8
"""A camera capped below ``LEAST_FPS`` by the site must reach this share of its cap."""

log = logging.getLogger(__name__)


class CameraSlot:
    """See the module. ``camera`` may be handed in open; otherwise ``opener`` is called off the loop until it works."""

    def __init__(
        self,
        camera_id: str,
        areas: tuple[ZoneArea, ...],
        clock: Clock,
        *,
        max_fps: float,
        planes: Mapping[str, GroundPlane] | None = None,
        view: ViewHealth | None = None,
        camera: Camera | None = None,
        opener: Callable[[], Camera] | None = None,
    ) -> None:
        self.id = camera_id
        self.areas = areas
        self.planes = planes or {}
        self.view = ViewHealth(camera_id, areas, self.planes) if view is None else view
        self.tried = camera is not None
        self.size: tuple[int, int] | None = None
        self._clock = clock
        self._gap_ns = round(NS_PER_S / max_fps)
        self._least_fps = min(LEAST_FPS, _SLACK * max_fps)
        self._camera = camera
        self._opener = opener
        self._opening: threading.Thread | None = None
        self._outcome: Camera | str | None = None
        self._reason: str | None = None if camera is not None else "starting"
        self._retry_ns: int | None = 0
        self._due_ns = 0
        self._health = PictureHealth()
        self._dazzle = Dazzle()
        self._unusable: str | None = None
        self._rated: collections.deque[int] = collections.deque()
        self._rated_since_ns: int | None = None
        self._slow = False
        self._counts = {"pictures": 0, "unusable": 0, "resized": 0, "dazzled": 0}

    @property
    def is_open(self) -> bool:
        """Whether there is a camera to read."""
        return self._camera is not None

    @property
    def due_ns(self) -> int:
        """When the next picture is wanted, by the site's cap on the rate."""
        return self._due_ns

    def fileno(self) -> int | None:
        """Readable when ``read`` has something to do; None when the driver cannot say."""
        own = getattr(self._camera, "fileno", None)
        return int(own()) if own is not None else None

    def advance(self, now_ns: int) -> None:
        """Starts an attempt to open the camera when it is time, and takes in how it went."""
        if self._camera is not None or self._opener is None:
            return
        if self._opening is None:
            if self._retry_ns is not None and now_ns >= self._retry_ns:
                self._opening = threading.Thread(target=self._open, name=f"open {self.id}", daemon=True)
                self._opening.start()
        elif self._outcome is not None:
            self._opening.join()
            outcome, self._opening, self._outcome = self._outcome, None, None
            self.tried = True
            if isinstance(outcome, str):
                log.error("camera=%s event=open_failed reason=%r", self.id, outcome)
                self._reason = outcome
                self._retry_ns = now_ns + round(RETRY_S * NS_PER_S)
            else:
                log.info("camera=%s event=open", self.id)
                self._camera, self._reason = outcome, None

    def read(self, now_ns: int) -> CameraFrame | None:
        """The newest picture, without waiting, or None; at most ``max_fps`` a second."""
        if self._camera is None or now_ns < self._due_ns:
            return None
        try:
            frame = self._camera.read(0.0)
        except DeviceLostError as error:
            self._lose(str(error), None)
            return None
        except HalError as error:
            self._lose(str(error), now_ns + round(RETRY_S * NS_PER_S))
            return None
        if frame is None:
            return None
        self._due_ns = max(self._due_ns + self._gap_ns, now_ns)
        self._unusable = unusable(frame.image)
        if self._unusable is not None:
            self._counts["unusable"] += 1
            return None
        size = (frame.image.shape[1], frame.image.shape[0])
        if self.size not in (None, size):
            log.warning("camera=%s event=resized from=%s to=%s", self.id, self.size, size)
            self._counts["resized"] += 1
        self.size = size
        return frame

    def dazzled(self, frame: CameraFrame) -> bool:
        """Whether headlights blind the camera on this picture: its vote is to be ignored."""
        dazzled = self._dazzle.look(frame.image, frame.captured_ns)
        self._counts["dazzled"] += dazzled
        return dazzled

    def look(self, frame: CameraFrame) -> None:
        """Judges the picture itself: black, frozen, …, and now and then the view that it shows."""
        fault, now_ns = self._health.observe(frame.image, frame.captured_ns), frame.captured_ns
        reduced = self._health.reduced
        if self._health.looked_ns != now_ns or reduced is None:
            return
        self._dazzle.usual(frame.image, self._health.light.p50, now_ns)
        if fault is None and self._dazzle.since_ns is None and self.view.due(now_ns):
            self.view.look(reduced, now_ns)

    def inferred(self, now_ns: int) -> None:
        """Counts a picture that went through the detector."""
        if self._rated_since_ns is None:
            self._rated_since_ns = now_ns
        self._rated.append(now_ns)
        self._counts["pictures"] += 1

    def fps(self, now_ns: int) -> float:
        """Pictures a second through the detector, over the last two seconds."""
        window_ns = round(RATE_WINDOW_S * NS_PER_S)
        while self._rated and self._rated[0] < now_ns - window_ns:
            self._rated.popleft()
        if self._rated_since_ns is None:
            return 0.0
        span_ns = min(window_ns, max(now_ns - self._rated_since_ns, self._gap_ns))
        least = self._least_fps * RATE_WINDOW_S - 1  # a camera at exactly that rate may fall between two windows
        self._slow = now_ns - self._rated_since_ns > window_ns and len(self._rated) < least
        return len(self._rated) * NS_PER_S / span_ns

    def problem(self) -> str | None:
        """Why the camera cannot be trusted now, the most basic reason first; None when it can."""
        if self._camera is None:
            return self._reason
        own: Callable[[], str | None] | None = getattr(self._camera, "problem", None)
        reason = own() if own is not None else None
        if reason is not None:
            return reason
        if self._unusable is not None:
            return self._unusable
        if self._health.fault is not None:
            return describe(self._health.fault)
        if self._dazzle.since_ns is not None:
            return describe(Fault.DAZZLED)
        if self.view.moved is not None:
            return self._moved(self.view.moved)
        if self.view.blurred:
            return describe(Fault.BLURRED)
        if self._slow:
            return f"slow: fewer than {self._least_fps:g} pictures a second get through the detector"
        return None

    def counts(self) -> dict[str, int]:
        """Pictures that went through the detector, that were not usable or dazzled; changes of size; and the counters
        that its driver has."""
        names = ("overwritten", "restarts", "undecodable")
        own = {name: int(getattr(self._camera, name)) for name in names if hasattr(self._camera, name)}
        return {**self._counts, **own}

    def close(self) -> None:
        """Releases the camera; one that is just being opened goes with the process."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _moved(self, sight: Sight) -> str:
        if sight.where is Where.GONE:
            return describe(Fault.MOVED)
        right, down = self.view.moved_by(sight)
        return (
            f"{Fault.MOVED}: its view is off by {right:+d} % across, {down:+d} % down, "
            f"{sight.turned_deg:+.0f} degrees; turn it back, or accept: sentinel aim --accept"
        )

    def _lose(self, reason: str, retry_ns: int | None) -> None:
        log.error("camera=%s event=lost reason=%r", self.id, reason)
        self.close()
        self._reason, self._retry_ns = reason, retry_ns
        self._health, self._dazzle, self._unusable = PictureHealth(), Dazzle(), None
        self._rated.clear()
        self._rated_since_ns = None
        self._slow = False

    def _open(self) -> None:
        assert self._opener is not None  # started by advance only
        outcome: Camera | str = "the driver gave neither a camera nor a reason"
        try:
            outcome = self._opener()
        except HalError as error:
            outcome = str(error)
        except Exception as error:  # the thread's top: a driver from elsewhere may raise anything
            log.exception("camera=%s event=driver_broken", self.id)
            outcome = f"the driver is broken: {type(error).__name__}: {error}"
        finally:
            self._outcome = outcome


def unusable(image: Any) -> str | None:
    """Why a picture cannot be used, whatever its driver handed over; None when it can."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return None if image.size else "unusable: its pictures are empty; power-cycle the camera"
    form = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    return f"unusable: its pictures are {form}, allowed: uint8 (height, width, 3); mend its driver"
