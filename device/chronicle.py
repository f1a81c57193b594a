"""What happened on the road, told from what the pipeline gave: PASSAGE, NEAR_MISS, DUTY and the road events. Pure.

    Output of a step -> device.passages (passages, near misses, duty), device.road_events (speeding, wrong way, ...)

Invariants: it only reads; nothing that decides a lamp can see it (``lint-imports`` proves that the pipeline does not
import it), so core runs it when the lamps of the step are already renewed. What fails in here costs itself alone: it is
counted and begins anew, because one road user that cannot be followed must not silence the report of all the others.
"""

import logging
from collections.abc import Callable, Iterable

from configs.schema import SiteConfig
from device.events import Event
from device.passages import PassageLog
from device.pipeline import Output
from device.road_events import RoadEventKeeper
from hal.clock import NS_PER_S

log = logging.getLogger(__name__)

TOLD_AGAIN_NS = 60 * NS_PER_S
"""What fails at every step is written down once a minute, and is called a problem for as long after its last time."""


class Chronicle:
    """What the node tells of its road users. It needs every step of one pipeline, in order, or those that
    ``idle_until_ns`` does not call idle; a new pipeline numbers its tracks anew and needs a new chronicle."""

    def __init__(self, config: SiteConfig) -> None:
        self.failed = 0
        """Steps of a part of it that raised."""
        self._failed_ns: int | None = None
        self._logged_ns: int | None = None
        self._why = ""
        self._config = config
        self._passages = PassageLog(config)
        self._road_events = RoadEventKeeper(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values and thresholds between two steps. Devices and approaches must be the same."""
        self._config = config
        self._passages.configure(config)
        self._road_events.configure(config)

    def step(self, now_ns: int, output: Output) -> tuple[Event, ...]:
        """What became known with the step that gave ``output``."""
        tracks = output.tracks
        events: list[Event] = []
        if not self._told(now_ns, events, lambda: self._passages.step(now_ns, tracks, output.decisions)):
            self._passages = PassageLog(self._config)
        if not self._told(now_ns, events, lambda: self._road_events.step(now_ns, tracks)):
            self._road_events = RoadEventKeeper(self._config)
        return tuple(events)

    def idle_until_ns(self) -> int | None:
        """Until when steps of an empty road, with every face as it is, can be left out; None while anybody is
        followed."""
        return self._passages.idle_until_ns()

    def problem(self, now_ns: int) -> str | None:
        """What failed in the last minute, in words; None when nothing did."""
        if self._failed_ns is None or now_ns - self._failed_ns > TOLD_AGAIN_NS:
            return None
        return f"passages and road events are not all told: {self._why}"

    def _told(self, now_ns: int, events: list[Event], tell: Callable[[], Iterable[Event]]) -> bool:
        try:
            events.extend(tell())
        except Exception as error:  # what is told for the report must not cost the step it is told of
            self.failed += 1
            self._failed_ns, self._why = now_ns, type(error).__name__
            if self._logged_ns is None or now_ns - self._logged_ns > TOLD_AGAIN_NS:
                self._logged_ns = now_ns
                log.exception("event=chronicle_failed failed=%d", self.failed)
            return False
        return True
