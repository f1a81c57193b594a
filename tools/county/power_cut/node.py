"""A node with something in its inbox, and what becomes of it when a process is killed or the power goes.

Invariants: every state is judged by the node's own code on real files: first whether each file it keeps can be read
and every slot that is named is there, then boot (after a power cut) and what core runs, then a whole provision, which
has to end as if nothing had happened.
"""

import dataclasses
import datetime
import json
import os
import pathlib
import shutil
from typing import Final

from configs import loader
from configs.local_layer import LocalLayer
from device.ipc import GUARD_CONFIG, SITE_CONFIG
from device.provisioning import outcome, trusted
from device.provisioning.place import COMPILED
from device.provisioning.refusal import Refused
from device.provisioning.slots import SlotsError
from device.provisioning.verify import Addressee, Target
from device.provisioning.wave import everyone
from tools.county.pole import ILL_HOLD_S, Pole
from tools.county.power_cut.disk import Tree
from tools.county.power_cut.work import RESTART, RUN
from tools.county.trust import issue
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import bundle_of

NODE: Final = "node"
"""Name of the node's folder in the folder of a scenario."""

IN_MEMORY: Final = (f"{NODE}/run", f"{NODE}.core")
"""Gone with the power: ``/run`` of a node, and what core runs."""

SITE_HOLD_S: Final = 3.0
SITE: Final = f"""\
site: {{id: 371500/n0001, name: 断电}}
approaches:
  main_east:    {{road: main, limit_kmh: 40, conflicts: [branch_south]}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east]}}
radars:
  r_east: {{driver: ld2451, url: /dev/ttyAMA0, approach: main_east, reach_m: 120}}
lamps:
  l_branch: {{driver: gpio, pin: 17, pin_factory: mock, faces: [branch_south]}}
  l_main:   {{driver: gpio, pin: 27, pin_factory: mock, faces: [main_east]}}
heartbeat: {{driver: gpio, pin: 22, pin_factory: mock}}
policy: {{hold_s: {SITE_HOLD_S}}}
"""

_WHOSE: Final = Addressee("371500", "north", "n0001")
_OPENING: Final = datetime.datetime(2027, 3, 1, tzinfo=datetime.UTC)
_EARLIER, _NEWEST = "1.bundle", "2.bundle"


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """A node that runs by ``before`` (None: its site file alone) finds ``offered`` in its inbox, and the county's
    bundle of the time before, which nobody looked at. ``by_hand``: a technician has changed something too."""

    name: str
    before: float | None
    offered: float
    how: str = RUN
    by_hand: bool = False

    @property
    def old(self) -> float:
        """Seconds of hold that ran before."""
        return SITE_HOLD_S if self.before is None else self.before

    @property
    def ends(self) -> float:
        """What has to run at the end."""
        return self.old if self.offered == ILL_HOLD_S else self.offered


SCENARIOS: Final = (
    Scenario("confirm", 4.0, 5.0),
    Scenario("revert", 4.0, ILL_HOLD_S),
    Scenario("first", None, 5.0),
    Scenario("restart", 4.0, 5.0, how=RESTART, by_hand=True),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a state, None where nothing is: a file that cannot be read or leads nowhere; something else
    ran than the old or the new; another end than without a cut."""

    torn: str | None = None
    neither: str | None = None
    unfinished: str | None = None

    @property
    def wrong(self) -> bool:
        """Anything."""
        return (self.torn or self.neither or self.unfinished) is not None


def prepare(folder: pathlib.Path, scenario: Scenario) -> None:
    """Makes the node's files as they are when provision begins; the county is made anew for each."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    ring = KeyRing([keys], lambda _name, _new: b"power")
    county = issue.create(_WHOSE.county, ring, _OPENING)
    pole = Pole(folder / NODE)
    pole.enrol(_WHOSE, county.files["1.root.json"], SITE)
    for hold_s in (scenario.before or scenario.old + 1, scenario.offered):
        texts = {"group.yaml": f"policy: {{hold_s: {hold_s}}}\n", "files.json": "{}\n"}
        targets = {name: Target(text, everyone(trial_s=0)) for name, text in texts.items()}
        county = issue.sign_group(county, _WHOSE.group, targets, ring, _OPENING)
        packed = bundle_of(county, _WHOSE.group)
        if hold_s == scenario.before:
            pole.takes(packed)
        pole.receives(packed, _NEWEST if hold_s == scenario.offered else _EARLIER)
    if scenario.by_hand:
        values = loader.read(pole.place.site_path).values
        LocalLayer(pole.place.state_dir).set(values, "voice.lockout_s", 9, pole.place.moment())
    shutil.rmtree(keys)


def tree_of(folder: pathlib.Path) -> dict[str, bytes | None]:
    """Contents by path below the folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def put(tree: Tree, folder: pathlib.Path) -> None:
    """Makes the folder so. Times are all the same: of two bundles the name says which is the newer."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in sorted(tree.items()):
        path = folder / name
        if data is None:
            path.mkdir()
        else:
            path.write_bytes(data)
            os.utime(path, (0, 0))


def judged(folder: pathlib.Path, scenario: Scenario, *, power: bool) -> Found:
    """What a node makes of its files. ``power``: it went, and comes back; else core still runs."""
    pole = Pole(folder / NODE)
    if (why := _unreadable(pole, scenario)) is not None:
        return Found(torn=why)
    either = (scenario.old, scenario.offered)
    try:
        if power or pole.core.hold_s is None:  # who was killed was boot, and whoever starts core starts it again
            pole.start()
        ran = pole.core.hold_s
        if ran not in either:
            return Found(neither=f"runs {ran}, not one of {either}")
        pole.run()
        return Found(unfinished=_unfinished(pole, scenario))
    except Exception as error:  # noqa: BLE001 - whatever a node dies of is what is looked for
        return Found(torn=repr(error))


def _unreadable(pole: Pole, scenario: Scenario) -> str | None:
    place = pole.place
    try:
        trusted.load(place.county)
        state = place.slots.state()
        for number in {state.good, state.running} - {None}:
            place.slots.slot(number or 0)
    except (Refused, SlotsError) as error:
        return str(error)
    if scenario.by_hand:
        local, problem = LocalLayer(place.state_dir).read()
        if problem is not None or not local.changes:
            return "the change made by hand is lost" if problem is None else problem.render("en")
    for path in (
        place.county / outcome.FILE,
        *(place.state_dir / COMPILED / name for name in (SITE_CONFIG, GUARD_CONFIG)),
    ):
        try:
            json.loads(path.read_bytes()) if path.exists() else None
        except ValueError as error:
            return f"{path.name}: {error}"
    return None


def _unfinished(pole: Pole, scenario: Scenario) -> str | None:
    state, good = pole.place.slots.state(), pole.good
    if pole.core.hold_s != scenario.ends:
        return f"ends with {pole.core.hold_s}, not with {scenario.ends}"
    wanted = None if scenario.ends == SITE_HOLD_S else f"policy: {{hold_s: {scenario.ends}}}\n"
    if (None if good is None else good.group) != wanted or state.trial is not None:
        return f"ends with {state}"
    if left := [path.name for path in pole.place.inbox.iterdir()]:
        return f"{left} still in the inbox"
    return None
