"""A node's surroundings for the bridge's tests: a site, a core that answers ``status``, a bridge in a thread."""

import contextlib
import copy
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from cloud_bridge.app import Bridge
from cloud_bridge.mqtt import Backoff
from configs.schema import SiteConfig
from device.control import ControlServer
from device.ipc import CORE_SOCKET
from device.site import config_hash, section_hashes
from hal.clock import SYSTEM_CLOCK

QUICK = Backoff(first_s=0.05, ceiling_s=0.2, steady_s=0.0)
"""Reconnects of a test: soon, and never longer than a fifth of a second."""


def site(port: int, node: str = "371500/n0001", *, scheme: str = "mqtt", **bridge: Any) -> SiteConfig:
    host = "localhost" if scheme == "mqtts" else "127.0.0.1"
    return SiteConfig.model_validate(
        {
            "site": {"id": node, "name": "示例路口"},
            "approaches": {
                "main_east": {"road": "main", "limit_kmh": 60, "conflicts": ["branch_south"]},
                "branch_south": {"road": "branch", "limit_kmh": 30, "conflicts": ["main_east"]},
            },
            "lamps": {"l_branch": {"driver": "gpio", "pin": 17, "faces": ["branch_south"]}},
            "bridge": {"url": f"{scheme}://{host}:{port}", **bridge},
        }
    )


class FakeCore:
    """Answers ``status`` on core.sock as core does; ``status`` may be changed between questions."""

    def __init__(self, run_dir: pathlib.Path, config: SiteConfig) -> None:
        self._lock = threading.Lock()
        self._status: dict[str, Any] = {
            "site": {"id": config.site.id, "name": config.site.name},
            "version": "0.1.0",
            "config": {"path": "site.yaml", "sha256": config_hash(config), "sections": section_hashes(config)},
            "uptime_s": 12.5,
            "clock": {"quality": "synced"},
            "booting": False,
            "faces": {"branch_south": {"level": "clear", "health": "ok", "shows": "clear", "reasons": []}},
            "sensors": {"r_east": {"kind": "radar", "state": "ok", "counters": {"frames": 7, "bad": 0}}},
            "parts": {"r_east": {"state": "OK", "problem": None}, "guard": {"state": "OK", "problem": None}},
            "latency_ms": {"radar": {"p50": 1.0, "p99": 2.0, "max": 3.0, "count": 10}},
            "journal": {"stream": "x", "last_seq": 1, "problem": None},
        }
        self.asked = 0
        self._server = ControlServer(run_dir / CORE_SOCKET, self._answer)

    def _answer(self, verb: str, _args: Mapping[str, Any]) -> Any:
        assert verb == "status"
        with self._lock:
            self.asked += 1
            return copy.deepcopy(self._status)

    def change(self, section: str, value: Any) -> None:
        with self._lock:
            self._status[section] = value

    @staticmethod
    def sections_of(config: SiteConfig) -> dict[str, str]:
        return section_hashes(config)

    def close(self) -> None:
        self._server.close()


class Node:
    """The folders of one node and its bridge, run in a thread of this process."""

    def __init__(self, folder: pathlib.Path, config: SiteConfig) -> None:
        self.config = config
        self.run_dir = folder / "run"
        self.state_dir = folder / "state"
        for made in (self.run_dir, self.state_dir):
            made.mkdir(parents=True, exist_ok=True)
        self.journal = self.state_dir / "journal.db"
        self.exit_code: int | None = None

    @contextlib.contextmanager
    def bridge(self, backoff: Backoff = QUICK) -> Iterator[Bridge]:
        bridge = Bridge(self.config, self.run_dir, self.state_dir, SYSTEM_CLOCK, backoff=backoff)

        def run() -> None:
            self.exit_code = bridge.run()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield bridge
        finally:
            bridge.stop()
            thread.join(20)
            assert not thread.is_alive(), "the bridge did not stop"
