"""The played core of a simulated node: answers what provision and bridge ask, and remembers what it ever ran.

It runs what is compiled in ``run_dir``, as core does, and starts anew for the same sections. What it does not play:
sensors, lamps, the road and the events of it. What it ran is kept in ``ran.jsonl``, a line for each configuration that
it took, so that "who ever ran it" is judged from what was run and not from what anybody said of it.
"""

import dataclasses
import json
import pathlib
import threading
from collections.abc import Mapping
from typing import Any, Final

from configs.loader import load_site
from configs.schema import SiteConfig
from device import chosen, ipc
from device.chosen import Runs
from device.control import ControlError, NotRunningError
from device.core import RESTARTS
from device.health import Health
from device.site import config_hash, section_hashes
from device.snapshot import VERSION
from hal.clock import NS_PER_S, Clock
from tools.county.simulate.behaviour import Ailment

RAN_FILE: Final = "ran.jsonl"
BOOTING_S: Final = 5.0
"""A played start flashes for this long; on a pole it is ten seconds and the self-tests. The first start of a fleet,
which has stood there for long, does not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """One configuration that a node ran. ``version`` of the county's issue, None of the site file alone; ``value``:
    what it says where the ailment looks; ``mono_ns``: since when, CLOCK_MONOTONIC of this machine."""

    sha256: str
    version: int | None
    ill: bool
    value: Any
    mono_ns: int


class PlayedCore:
    """One core. ``slow``: flashes for a while after each change; ``failing``: ill with whatever it did not start with.
    Methods may be called from any thread."""

    def __init__(
        self,
        run_dir: pathlib.Path,
        ran: pathlib.Path,
        clock: Clock,
        *,
        slow: bool = False,
        failing: bool = False,
        ill_by: Ailment | None = None,
    ) -> None:
        self._run_dir = run_dir
        self._ran = ran
        self._clock = clock
        self._slow = slow
        self._failing = failing
        self._ill_by = ill_by
        self._lock = threading.Lock()
        self._config: SiteConfig | None = None
        self._sections: dict[str, str] = {}
        self._sha256 = ""
        self._well: str | None = None
        self._ill = False
        self._started_ns = 0
        self._booting_ns = 0
        self.wants_start = True
        """Whether it is to be started, after a boot: at first, and where a change needs it."""

    def start(self) -> None:
        """Takes what is compiled, after a boot."""
        with self._lock:
            self.wants_start = False
            self._started_ns = self._clock.monotonic_ns()
            is_first = self._config is None
            self._take(load_site(self._run_dir / ipc.SITE_CONFIG), starts=is_first)
            if not is_first:
                self._flash()

    def stop(self) -> None:
        """The power goes."""
        self.wants_start = True

    def ask(self, verb: str, args: Mapping[str, Any] | None = None, *, timeout_s: float = 0.0) -> Any:
        """As ``device.control.call``. Raises ControlError."""
        with self._lock:
            if self._config is None or self.wants_start:
                raise NotRunningError("core.sock: the played core is starting")
            if verb == "status":
                return self._status(self._config)
            if verb == "reload":
                return self._reload()
        raise ControlError(f"{verb}: a simulated node has nothing to do it with")

    def _reload(self) -> dict[str, Any]:
        before = self._sections
        self._take(load_site(self._run_dir / ipc.SITE_CONFIG))
        changed = [name for name, value in self._sections.items() if before.get(name) != value]
        restarts = sorted({who for name in changed for who in RESTARTS.get(name, ()) if who != "pipeline"})
        self.wants_start = "core" in restarts
        if self._slow:
            self._flash()
        return {"changed": changed, "restarts": restarts}

    def _flash(self) -> None:
        self._booting_ns = self._clock.monotonic_ns() + round(BOOTING_S * NS_PER_S)

    def _take(self, config: SiteConfig, *, starts: bool = False) -> None:
        said = chosen.read(self._run_dir)
        self._config, self._sections, self._sha256 = config, section_hashes(config), config_hash(config)
        if starts and (said is None or said.runs is not Runs.TRIAL):
            self._well = self._sha256
        value = None
        self._ill = self._failing and self._sha256 != self._well
        if self._ill_by is not None:
            value = self._ill_by.value_in(config.model_dump(mode="json"))
            self._ill = self._ill or value == self._ill_by.value
        version = None if said is None else said.version
        ran = Ran(self._sha256, version, self._ill, value, self._clock.monotonic_ns())
        with self._ran.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(ran)) + "\n")

    def _status(self, config: SiteConfig) -> dict[str, Any]:
        """The status of core as far as provision and bridge read it (``device.snapshot``)."""
        now_ns = self._clock.monotonic_ns()
        said = chosen.read(self._run_dir)
        health = Health.FAULT if self._ill else Health.OK
        face = {"level": "clear", "health": health.value, "reasons": ["simulated: ill"] if self._ill else []}
        parts = ["guard", *config.radars, *config.cameras]
        return {
            "site": {"id": config.site.id, "name": config.site.name},
            "version": VERSION,
            "config": {
                "sha256": self._sha256,
                "sections": self._sections,
                "layers": None if said is None else said.model_dump(mode="json"),
            },
            "uptime_s": round((now_ns - self._started_ns) / NS_PER_S, 1),
            "clock": {"quality": self._clock.quality().value},
            "booting": now_ns < self._booting_ns,
            "faces": {name: face for lamp in config.lamps.values() for name in lamp.faces},
            "parts": {name: {"state": "OK", "problem": None} for name in parts},
        }


def ever_ran(ran: pathlib.Path) -> list[Ran]:
    """What a node ever ran, in order; nothing where it never started."""
    if not ran.exists():
        return []
    return [Ran(**json.loads(line)) for line in ran.read_text(encoding="utf-8").splitlines()]
