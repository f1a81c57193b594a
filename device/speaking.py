"""The speakers of a node: opens them, and speaks on those of a face. Used by core's control thread alone.

Invariant: a speaker that is missing or fails is a part in ERROR and an entry in the journal; nothing waits for it.
"""

import logging
from typing import Any

from configs.schema import SiteConfig
from hal import registry
from hal.clock import NS_PER_S, Clock
from hal.errors import HalError
from hal.interfaces import Speaker

log = logging.getLogger(__name__)

TEST_VOLUME_PCT = 60


class Speakers:
    """All speakers of the site file."""

    def __init__(self, config: SiteConfig, clock: Clock) -> None:
        self._clock = clock
        self._config = config
        self._open: dict[str, Speaker] = {}
        self._problems: dict[str, str] = {}
        self._last: dict[str, tuple[str, int]] = {}
        for name, entry in config.speakers.items():
            try:
                driver = registry.driver("speaker", entry.driver)
                options = registry.parse_options("speaker", entry.driver, entry.options())
                self._open[name] = driver.open(name, options, clock)
            except (HalError, OSError) as error:
                log.warning("event=speaker_open_failed speaker=%s reason=%s", name, error)
                self._problems[name] = str(error)

    def configure(self, config: SiteConfig) -> None:
        """Takes which faces a speaker speaks to; a changed driver restarts core instead."""
        self._config = config

    def say(self, face: str, clip: str, volume_pct: int) -> dict[str, Any]:
        """Speaks a clip to a face; what became of it: ``{"speakers": {name: problem | null}}``."""
        outcome: dict[str, str | None] = {}
        for name, entry in self._config.speakers.items():
            if face in entry.faces:
                outcome[name] = self._play(name, clip, volume_pct)
        return {"speakers": outcome}

    def test(self, clip: str, speaker: Any = None) -> dict[str, Any]:
        """Speaks a clip because a technician asked, also in quiet hours. Raises ValueError for an unknown speaker."""
        names = list(self._config.speakers) if speaker is None else [str(speaker)]
        if not names or any(name not in self._config.speakers for name in names):
            raise ValueError(f"no speaker {speaker!r}; there are: {', '.join(self._config.speakers) or 'none'}")
        return {"clip": clip, "speakers": {name: self._play(name, clip, TEST_VOLUME_PCT) for name in names}}

    def problem(self, name: str) -> str | None:
        """Why a speaker is not heard, or None."""
        if name in self._problems:
            return self._problems[name]
        speaker = self._open.get(name)
        return "not open" if speaker is None else speaker.problem()

    def status(self) -> dict[str, Any]:
        """For the status: last clip and problem of each."""
        now_ns = self._clock.monotonic_ns()
        found = {}
        for name in self._config.speakers:
            clip, at_ns = self._last.get(name, (None, None))
            ago_s = None if at_ns is None else round((now_ns - at_ns) / NS_PER_S, 1)
            found[name] = {"last_clip": clip, "last_ago_s": ago_s, "problem": self.problem(name)}
        return found

    def close(self) -> None:
        """Stops what plays."""
        for speaker in self._open.values():
            try:
                speaker.close()
            except (HalError, OSError) as error:
                log.warning("event=speaker_close_failed reason=%s", error)

    def _play(self, name: str, clip: str, volume_pct: int) -> str | None:
        speaker = self._open.get(name)
        if speaker is None:
            return self.problem(name)
        try:
            speaker.play(clip, volume_pct)
        except (HalError, OSError) as error:
            return str(error)
        self._last[name] = (clip, self._clock.monotonic_ns())
        return None
