"""An enrolled node for tests: its real files and the real provision; core is played, time is virtual.

What core runs lies in shared memory, so that it outlives a provision process that is killed. A hold of ``ILL_HOLD_S``
makes a face fault: no schema knows that it would.
"""

import json
import mmap
import pathlib
import shutil
from typing import Any

from configs.loader import load_site
from device import ipc
from device.chosen import Chosen
from device.control import NotRunningError
from device.health import Health
from device.provisioning import enrolment, trusted
from device.provisioning.apply import Provision
from device.provisioning.boot import boot
from device.provisioning.outcome import Outcome
from device.provisioning.place import Place
from device.provisioning.slots import Slot
from device.site import config_hash
from hal.clock import VirtualClock
from tests.support.county_folder import site_text
from tests.support.office import COUNTY, NODE, Office

ILL_HOLD_S = 9.0


class PlayedCore:
    """Answers as core does, and remembers what it runs."""

    def __init__(self, run_dir: pathlib.Path) -> None:
        self._run_dir = run_dir
        self._memory = mmap.mmap(-1, 4096)
        self.restarts: list[str] = []
        self.reloads = 0
        self._remember(None)

    def _remember(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self._memory[: len(data) + 1] = data + b"\n"

    @property
    def _runs(self) -> Any:
        return json.loads(self._memory[:].partition(b"\n")[0])

    @property
    def hold_s(self) -> float | None:
        return None if self._runs is None else float(self._runs["hold_s"])

    def start(self) -> None:
        """Takes what is compiled; ``stop`` is a power cut for it."""
        config = load_site(self._run_dir / ipc.SITE_CONFIG)
        self._remember({"hold_s": config.policy.hold_s, "sha256": config_hash(config)})

    def stop(self) -> None:
        self._remember(None)

    def ask(self, verb: str, **_how: Any) -> Any:
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
    """A node in ``folder``, enrolled with an office's county, started with its site file."""

    def __init__(self, folder: pathlib.Path, office: Office, node: str = NODE.node, group: str = NODE.group) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.place = Place(folder / "site.yaml", folder / "run", folder / "state", self.clock)
        self.place.inbox.mkdir(parents=True)
        self.place.site_path.write_text(site_text(node), encoding="utf-8")
        trusted.save(self.place.county, trusted.begin(office.repository.files["1.root.json"]))
        enrolment.write(self.place.state_dir, enrolment.Enrolment(county=COUNTY, group=group, node=node))
        self.core = PlayedCore(self.place.run_dir)
        self.start()

    def start(self) -> Chosen:
        """Power comes: boot, then core."""
        self.core.stop()
        said, code = boot(self.place)
        assert code == 0
        self.core.start()
        return said

    def receives(self, packed: bytes, name: str = "a.bundle") -> None:
        (self.place.inbox / name).write_bytes(packed)

    def run(self) -> Outcome | None:
        return Provision(self.place, self.core.ask).run()

    def takes(self, packed: bytes) -> Outcome | None:
        self.receives(packed)
        return self.run()

    @property
    def good(self) -> Slot | None:
        state = self.place.slots.state()
        return None if state.good is None else self.place.slots.slot(state.good)

    def keep(self) -> pathlib.Path:
        """A copy of all its files, for ``again``."""
        kept = self.folder.with_name(f"{self.folder.name}_kept")
        shutil.copytree(self.folder, kept)
        return kept

    def again(self, kept: pathlib.Path) -> None:
        """Everything as it was when it was kept, core running."""
        shutil.rmtree(self.folder)
        shutil.copytree(kept, self.folder)
        self.core.start()
