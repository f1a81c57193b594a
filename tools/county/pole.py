"""An enrolled node on a desk: its real files and the real provision; core is played, time is virtual.

What core runs lies in a file beside the node's folder, which stands for its memory: it outlives a provision process
that is killed, and a power cut takes it. A hold of ``ILL_HOLD_S`` makes a face fault: no schema knows that it would.
"""

import json
import pathlib
from typing import Any, Final

from configs.loader import load_site
from device import ipc
from device.chosen import Chosen
from device.control import NotRunningError
from device.health import Health
from device.provisioning import enrolment, trusted
from device.provisioning.apply import Ask, Provision
from device.provisioning.boot import OK, boot
from device.provisioning.outcome import Outcome
from device.provisioning.place import Place
from device.provisioning.slots import Slot
from device.provisioning.verify import Addressee
from device.site import config_hash
from hal.clock import VirtualClock

ILL_HOLD_S: Final = 9.0


class NothingRunsError(RuntimeError):
    """The node came up with nothing that it could run."""


class PlayedCore:
    """Answers as core does, and remembers what it runs."""

    def __init__(self, run_dir: pathlib.Path, memory: pathlib.Path) -> None:
        self._run_dir = run_dir
        self._memory = memory
        self.restarts: list[str] = []
        self.reloads = 0

    @property
    def _runs(self) -> Any:
        return json.loads(self._memory.read_bytes()) if self._memory.exists() else None

    @property
    def hold_s(self) -> float | None:
        """By what it runs; None while it does not."""
        runs = self._runs
        return None if runs is None else float(runs["hold_s"])

    def start(self) -> None:
        """Takes what is compiled; ``stop`` is a power cut for it."""
        config = load_site(self._run_dir / ipc.SITE_CONFIG)
        self._memory.write_text(
            json.dumps({"hold_s": config.policy.hold_s, "sha256": config_hash(config)}), encoding="utf-8"
        )

    def stop(self) -> None:
        """It forgets."""
        self._memory.unlink(missing_ok=True)

    def ask(self, verb: str, **_how: Any) -> Any:
        """As ``device.control.call``."""
        runs = self._runs
        if runs is None:
            raise NotRunningError("core.sock: nobody")
        if verb == "reload":
            self.reloads += 1
            self.start()
            return {"restarts": self.restarts}
        health = Health.FAULT if runs["hold_s"] == ILL_HOLD_S else Health.OK
        faces = {"branch_south": {"health": health.value, "reasons": ["stuck target"] if health == "fault" else []}}
        return {"booting": False, "config": {"sha256": runs["sha256"]}, "faces": faces, "parts": {}}


class Pole:
    """The node whose files lie in ``folder``: ``site.yaml``, ``run`` and ``state``."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.place = Place(folder / "site.yaml", folder / "run", folder / "state", self.clock)
        self.core = PlayedCore(self.place.run_dir, self.memory)

    @property
    def memory(self) -> pathlib.Path:
        """Where it stands what core runs."""
        return self.folder.with_name(f"{self.folder.name}.core")

    def enrol(self, whose: Addressee, root: bytes, site_text: str) -> None:
        """Makes the files of a node that was just enrolled, and starts it."""
        self.place.inbox.mkdir(parents=True)
        self.place.site_path.write_text(site_text, encoding="utf-8")
        trusted.save(self.place.county, trusted.begin(root))
        enrolment.write(
            self.place.state_dir, enrolment.Enrolment(county=whose.county, group=whose.group, node=whose.node)
        )
        self.start()

    def start(self) -> Chosen:
        """Power comes: boot, then core. Raises NothingRunsError."""
        self.core.stop()
        said, code = boot(self.place)
        if code != OK:
            raise NothingRunsError(str(said.problem))
        self.core.start()
        return said

    def receives(self, packed: bytes, name: str = "a.bundle") -> None:
        """A bundle is put into the inbox, in one step as the bridge does it: provision may be looking."""
        half = self.place.inbox / f".{name}"
        half.write_bytes(packed)
        half.rename(self.place.inbox / name)

    def run(self, ask: Ask | None = None) -> Outcome | None:
        """Provision, once. ``ask``: another way to speak with core."""
        return Provision(self.place, ask or self.core.ask).run()

    def takes(self, packed: bytes) -> Outcome | None:
        """Receives a bundle and deals with it."""
        self.receives(packed)
        return self.run()

    @property
    def good(self) -> Slot | None:
        """What was confirmed last."""
        state = self.place.slots.state()
        return None if state.good is None else self.place.slots.slot(state.good)
