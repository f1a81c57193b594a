"""A node's places, and what it runs by the layers that lie in them.

Invariants: one function makes a configuration for boot, for a trial and for the command line, so that all three run
what was checked; nothing is compiled that did not pass; a technician's change that does not fit is left out and told,
never the county's or the site's; who changes slots, site file or compiled files holds ``locked``, for seconds at most.
"""

import contextlib
import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Iterator

from configs import edit, loader
from configs.errors import ConfigError, Problem
from configs.layers import Layer, Merged, Part, checked
from configs.local_layer import LOCAL_FILE, Local, LocalLayer, Moment, alive, left_s, parts_of
from configs.schema import SiteConfig
from device import chosen
from device.chosen import Chosen, LocalChange, Runs
from device.ipc import GUARD_CONFIG, SITE_CONFIG
from device.provisioning import enrolment, fitting
from device.provisioning.slots import Slot, Slots, State
from device.provisioning.store import Store
from device.site import check_source, config_hash, write_compiled
from hal.clock import NS_PER_S, Clock, ClockQuality, boot_id

COMPILED = "compiled"
"""Folder of the state folder with the last compiled files: by them guard holds the lamps when nothing else is right."""

LEFT_OUT = "changes made by hand are left out"


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A configuration that passed every check, the changes by hand that are in it, and what is wrong with them."""

    config: SiteConfig
    merged: Merged
    local: Local
    problem: str | None

    @property
    def sha256(self) -> str:
        """What core calls it."""
        return config_hash(self.config)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """The site file and the folders of one node."""

    site_path: pathlib.Path
    run_dir: pathlib.Path
    state_dir: pathlib.Path
    clock: Clock

    @property
    def county(self) -> pathlib.Path:
        """Everything of the county."""
        return self.state_dir / enrolment.FOLDER

    @property
    def inbox(self) -> pathlib.Path:
        """Where bundles come in."""
        return self.county / enrolment.INBOX

    @property
    def is_enrolled(self) -> bool:
        """Whether the node was ever enrolled; such a node has a local layer, and slots once the county has spoken."""
        return (self.county / enrolment.FILE).exists()

    @property
    def slots(self) -> Slots:
        """What the county sent."""
        return Slots(self.county)

    @property
    def store(self) -> Store:
        """The larger files that the county named."""
        return Store(self.county)

    def moment(self) -> Moment:
        """Now."""
        synced = self.clock.quality() is ClockQuality.SYNCED
        wall_s = self.clock.wall_ns() / NS_PER_S if synced else None
        return Moment(boot_id(), self.clock.monotonic_ns() / NS_PER_S, wall_s)

    def local(self) -> tuple[Local, Problem | None]:
        """The changes by hand that win now; writes nothing and takes no lock."""
        if not self.is_enrolled:
            return Local(), None
        kept, problem = LocalLayer(self.state_dir).read()
        return alive(kept, self.moment()), problem

    def count_on(self) -> None:
        """Keeps what the changes by hand have aged, at every start and at least every ten minutes; takes the lock. A
        disk that cannot be written loses the count and stops nobody."""
        if self.is_enrolled:
            with contextlib.suppress(OSError):
                LocalLayer(self.state_dir).now(self.moment())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds off the command line and other processes; not for longer than a reload takes. Raises OSError."""
        with edit.locked(self.state_dir):
            yield

    def make(self, slot: Slot | None, local: Local, damaged: Problem | None = None) -> Made:
        """What these layers make. Raises ConfigError where the site file or the county's patches are to blame."""
        return self.make_of(loader.read(self.site_path), slot, local, damaged)

    def make_of(self, site: loader.Source, slot: Slot | None, local: Local, damaged: Problem | None = None) -> Made:
        """The same over a site file that is not in its place yet."""
        told = None if damaged is None else damaged.render("en")
        below = [Part(Layer.SITE, site), *_patches(slot)]
        by_hand = list(parts_of(local, LOCAL_FILE))
        if by_hand:
            with contextlib.suppress(ConfigError):
                return self._made(slot, [*below, *by_hand], local, told)[0]
        made, _warnings = self._made(slot, below, local, told)
        if not by_hand:
            return made
        try:
            self._made(slot, [*below, *by_hand], local, told)
        except ConfigError as error:
            told = f"{LEFT_OUT}: {error.problems[0].render('en')}"
        return dataclasses.replace(made, local=local.model_copy(update={"changes": ()}), problem=told)

    def checked_by_hand(self, slot: Slot | None, local: Local) -> tuple[Made, list[Problem]]:
        """What these layers make with a change by hand that is not kept yet, and warnings. Raises ConfigError where
        the change is to blame too."""
        below = [Part(Layer.SITE, loader.read(self.site_path)), *_patches(slot)]
        return self._made(slot, [*below, *parts_of(local, LOCAL_FILE)], local, None)

    def _made(self, slot: Slot | None, parts: list[Part], local: Local, told: str | None) -> tuple[Made, list[Problem]]:
        """What all of these parts make, and warnings. The site layer alone has none of the county's files: a model of
        theirs that it names does not load, and that is told. Raises ConfigError."""
        if slot is None:
            merged, config, warnings = checked(parts, check_source)
            return Made(config, merged, local, told), warnings
        merged, config, warnings = checked(parts, fitting.check_with(check_source, slot.files))
        if missing := self.store.lacks(slot.files):
            raise ConfigError([Problem("county_file_missing", params={"name": missing[0]})])
        config = fitting.fitted(config, slot.files, self.store.folder(slot.files).resolve())
        return Made(config, merged, local, told), warnings

    def install(self, made: Made) -> None:
        """Compiles for the processes of the node, and keeps a copy for the day on which nothing can be made. Raises
        OSError."""
        write_compiled(made.config, self.run_dir)
        kept = self.state_dir / COMPILED
        names = (SITE_CONFIG, GUARD_CONFIG)
        if any(_bytes(kept / name) != _bytes(self.run_dir / name) for name in names):
            write_compiled(made.config, kept)

    def tell(self, state: State, made: Made, slot: Slot | None, problem: str | None = None) -> Chosen:
        """Says what runs, for core's status. Raises OSError."""
        runs = Runs.SITE if slot is None else Runs.GOOD if state.trial is None else Runs.TRIAL
        said = Chosen(
            runs=runs,
            version=None if slot is None else slot.version,
            reverted=reverted_in(state),
            site_sha256=self._site_sha256(),
            local=local_changes(made.local, self.moment()),
            problem=problem or made.problem,
        )
        chosen.write(self.run_dir, said)
        return said

    def _site_sha256(self) -> str | None:
        """The office checks what it signs against its own copy of this file, and has to know when they part."""
        data = _bytes(self.site_path)
        return None if data is None else hashlib.sha256(data).hexdigest()


def reverted_in(state: State) -> chosen.Reverted | None:
    """What was taken back, as it is told."""
    back = state.reverted
    return None if back is None else chosen.Reverted(version=back.version, why=back.why)


def local_changes(local: Local, now: Moment) -> tuple[LocalChange, ...]:
    """The changes by hand as they are told."""
    return tuple(
        LocalChange(path=".".join(change.path), hours_left=math.ceil(left_s(change, local, now) / 3600))
        for change in local.changes
    )


def _patches(slot: Slot | None) -> Iterator[Part]:
    if slot is None:
        return
    for layer, text in ((Layer.GROUP, slot.group), (Layer.NODE, slot.node)):
        if text is not None:
            yield Part(layer, loader.parse_patch(text, f"{layer}.yaml of version {slot.version}"))


def _bytes(path: pathlib.Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
