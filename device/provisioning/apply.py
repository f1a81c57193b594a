"""Takes the county's word: verify, check, put on trial, watch, confirm or take back.

Invariants: nothing is on trial that was not signed for this node, in its wave and right when merged; every change on
disk is one step, and whoever is started again reads from the disk where it stood (a trial under way is watched anew,
a bundle not yet dealt with still lies in the inbox); the order of the county to go back is taken while a trial still
runs; what was taken back is not tried again until it is offered again. One process at a time watches.
"""

import contextlib
import fcntl
import hashlib
import logging
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from configs import bundle, loader
from configs.bundle import BundleError
from configs.errors import ConfigError
from device import chosen, control, ipc
from device.chosen import Runs
from device.provisioning import enrolment
from device.provisioning import outcome as outcomes
from device.provisioning.gate import SETTLE_S, Gate, Verdict, faults
from device.provisioning.loading import Loading
from device.provisioning.outcome import Outcome, What
from device.provisioning.place import Made, Place
from device.provisioning.refusal import FetchError
from device.provisioning.slots import Slot, SlotsError, State
from device.site import config_hash

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often a trial is looked at, and the inbox meanwhile: the county's order to go back has to be heard soon."""

RELOAD_TIMEOUT_S = 10.0
LOCK_FILE = ".provision"

Ask = Callable[..., Any]
"""``device.control.call`` for one node: ``ask(verb, timeout_s=…)``."""


class Provision:
    """One node's provision. ``ask`` is how it speaks with core, ``look_s`` how often it looks at a trial."""

    def __init__(self, place: Place, ask: Ask | None = None, *, look_s: float = LOOK_S) -> None:
        self._place = place
        self._look_s = look_s
        self._clock = place.clock
        self._ask = ask or (lambda verb, **how: control.call(place.run_dir, verb, **how))
        self._loading = Loading(place)
        self._told: Outcome | None = None
        self._compiled: tuple[str, str | None] = "", None
        """What is compiled, as text, and its hash: a trial asks for it at every look."""
        self._begun: int | None = None
        """The slot that this process put on trial: of another one nobody here knows what is still starting."""

    def run(self) -> Outcome | None:
        """Deals with the inbox, watches what is on trial to its end, brings what runs up to date. What happened last,
        None where nothing did or another process is at it. Raises OSError."""
        if enrolment.read(self._place.state_dir) is None:
            return None
        with self._alone() as alone:
            if not alone:
                return None
            self._told = None
            self._place.run_dir.mkdir(parents=True, exist_ok=True)
            self._place.count_on()
            self._empty_inbox()
            looking = True
            while looking:
                while (trial := self._on_trial()) is not None:
                    self._watch(trial)
                with self._place.locked():
                    self._run_good()
                looking = self._load()
            with contextlib.suppress(SlotsError):  # of damaged slots nobody knows which files are theirs
                self._loading.tidy(self._place.slots.kept())
            return self._told

    # --- a bundle ------------------------------------------------------------------------------------------------

    def _empty_inbox(self) -> None:
        """Deals with the newest bundle; those before it say nothing any more. Removed when all is on disk."""
        found = inbox_files(self._place.inbox)
        if found:
            with found[-1].open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            self._outcome(self._take(found[-1]).model_copy(update={"bundle": sha256}))
            for path in found:
                path.unlink(missing_ok=True)

    def _take(self, path: pathlib.Path) -> Outcome:
        from device.provisioning.verify import Addressee, verify  # cryptography, which boot never loads

        whose = enrolment.read(self._place.state_dir)
        assert whose is not None, "run asked"
        try:
            to = Addressee(whose.county, whose.group, whose.node)
            found = verify(bundle.read(path), self._place.county, to)
        except BundleError as error:
            return Outcome(what=What.REFUSED, code=error.code, why=str(error))
        targets = [target for target in (found.group, found.node, found.files) if target is not None]
        if not all(target.wave.includes(whose.node) for target in targets):
            self._loading.drop()
            return Outcome(what=What.NOT_IN_WAVE, version=found.version)
        return self._offered(
            Slot(
                version=found.version,
                group=found.group.text,
                node=None if found.node is None else found.node.text,
                files=dict(found.named),
                trial_s=max(target.wave.trial_s for target in targets),
                salt=found.group.wave.salt,
            )
        )

    def _offered(self, slot: Slot) -> Outcome:
        """Puts on trial what is new and right, or has it wait for its files; what waited before waits no longer."""
        outcome = self._judged(slot)
        if outcome.what is What.AWAITING:
            self._loading.keep(slot)
        else:
            self._loading.drop()
        return outcome

    def _judged(self, slot: Slot) -> Outcome:
        """What becomes of it now."""
        before = faults(self._status())
        with self._place.locked():
            local, damaged = self._place.local()
            slots = self._place.slots
            try:
                state = slots.state()
            except SlotsError:  # as Slots.begin has it: else nothing could ever mend it
                state = State()
            good = self._slot(state.good)
            if state.trial is not None and slot.says_the_same(self._slot(state.trial.slot)):
                return Outcome(what=What.ON_TRIAL, version=slot.version)
            if slot.says_the_same(good):
                if state.trial is None:
                    return Outcome(what=What.NOTHING_NEW, version=slot.version)
                return self._revert("the county went back", slot.version)
            if state.trial is None and state.reverted is not None and state.reverted.offer == slot.offer:
                return Outcome(what=What.REVERTED_BEFORE, version=slot.version, why=state.reverted.why)
            if self._place.store.lacks(slot.files):
                return Outcome(what=What.AWAITING, version=slot.version)
            try:
                self._place.make(slot, local, damaged)
            except ConfigError as error:
                why = "; ".join(problem.render("en") for problem in error.problems)
                return Outcome(what=What.REFUSED, version=slot.version, code="config", why=why)
            if state.trial is not None:
                before = state.trial.before  # what the trial before this one broke is no reason to excuse this one
            self._begun = slots.begin(slot, before).running
        return Outcome(what=What.ON_TRIAL, version=slot.version)

    # --- larger files --------------------------------------------------------------------------------------------

    def _load(self) -> bool:
        """Fetches what is awaited, or what the good slot lost to the disk; whether there is something to do by it. A
        bundle that comes meanwhile is looked at first."""
        slot = self._loading.awaited()  # its files may be there: whoever was killed then had not put it on trial
        if slot is None:
            slot = self._slot(self._state().good)
            if slot is None or not self._place.store.lacks(slot.files):
                return False
        self._place.count_on()
        try:
            if self._loading.load(slot, self._is_called):
                self._outcome(self._offered(slot))
            self._empty_inbox()
        except FetchError as error:
            self._outcome(Outcome(what=What.AWAITING, version=slot.version, code=error.code, why=str(error)))
            return False
        return True

    def _is_called(self) -> bool:
        """Whether a bundle came. Asked all along while something is fetched."""
        return bool(inbox_files(self._place.inbox))

    # --- a trial -------------------------------------------------------------------------------------------------

    def _watch(self, number: int) -> None:
        """Runs slot ``number`` until it is confirmed, taken back, or another stands in its place."""
        started = self._start(number)
        if started is None:
            return
        slot, before, made, settle_s = started
        sha256 = made.sha256
        gate = Gate(before, sha256, slot.trial_s, self._clock.monotonic_ns(), settle_s=settle_s)
        while self._on_trial() == number:
            said = gate.look(self._status(), self._clock.monotonic_ns())
            if said.verdict is Verdict.PASSED:
                self._confirm(number, slot, made)
                return
            if said.verdict is Verdict.FAILED:
                with self._place.locked():
                    if self._on_trial() == number:
                        self._outcome(self._revert(said.why, slot.version))
                return
            self._clock.sleep_s(self._look_s)
            self._place.count_on()
            self._empty_inbox()
            compiled = self._compiled_sha256()
            if compiled not in (None, sha256):  # a technician changed something meanwhile: that is on trial as well
                sha256 = str(compiled)
                gate = Gate(before, sha256, slot.trial_s, self._clock.monotonic_ns())
        if self._on_trial() is None and (self._told is None or self._told.what is What.ON_TRIAL):
            back = self._state().reverted  # by the counter of starts
            self._outcome(Outcome(what=What.REVERTED, version=slot.version, why=None if back is None else back.why))

    def _start(self, number: int) -> tuple[Slot, Mapping[str, str], Made, float] | None:
        """Compiles what is on trial and has core take it: (slot, faults before, what was made, seconds to settle)."""
        with self._place.locked():
            local, damaged = self._place.local()
            state = self._state()
            if state.trial is None or state.trial.slot != number:
                return None
            status = self._status()
            was_up = number == self._begun and status is not None and not status["booting"]
            try:
                slot = self._place.slots.slot(number)
                made = self._place.make(slot, local, damaged)
                self._place.install(made)
                self._place.tell(state, made, slot)
                settle_s = SETTLE_S if self._reload() or not was_up else 0.0
            except (SlotsError, ConfigError, control.ControlError) as error:
                self._outcome(self._revert(f"refused: {error}", None))
                return None
        return slot, state.trial.before, made, settle_s

    def _confirm(self, number: int, slot: Slot, made: Made) -> None:
        with self._place.locked():
            if self._on_trial() != number:
                return
            self._place.tell(self._place.slots.confirm(), made, slot)
        self._outcome(Outcome(what=What.CONFIRMED, version=slot.version))

    def _revert(self, why: str, version: int | None) -> Outcome:
        """Takes back what is on trial and runs the last good again; the lock is held."""
        state = self._place.slots.revert(why)
        self._run_good()
        if version is None and state.reverted is not None:
            version = state.reverted.version
        return Outcome(what=What.REVERTED, version=version, why=why)

    # --- what runs -----------------------------------------------------------------------------------------------

    def _run_good(self) -> None:
        """Runs what was confirmed last with the changes by hand that still win, where anything else runs; the lock is
        held. A site file that somebody broke by hand leaves what runs as it is."""
        local, damaged = self._place.local()
        state, slot, problem = State(), None, None
        try:
            state = self._place.slots.state()
            slot = None if state.good is None else self._place.slots.slot(state.good)
        except SlotsError as error:
            problem = str(error)
        try:
            try:
                made = self._place.make(slot, local, damaged)
            except ConfigError as error:
                if slot is None:
                    raise
                problem = f"the county's configuration is left out: {error.problems[0].render('en')}"
                slot, made = None, self._place.make(None, local, damaged)
        except ConfigError as error:
            log.error("event=site_file_refused reason=%s", error.problems[0].render("en"))
            return
        told = chosen.read(self._place.run_dir)
        is_new = self._compiled_sha256() != made.sha256 or (told is not None and told.runs is Runs.SAFE)
        if is_new:
            self._place.install(made)
        self._place.tell(state, made, slot, problem)
        status = self._status()
        if is_new or (status is not None and status["config"]["sha256"] != made.sha256):
            with contextlib.suppress(control.ControlError):
                self._reload()

    def _reload(self) -> bool:
        """Has core take what is compiled; whether any process starts anew by it. Raises ControlError where core
        refuses; a core that is not there takes it when it starts."""
        try:
            return bool(self._ask("reload", timeout_s=RELOAD_TIMEOUT_S)["restarts"])
        except control.NotRunningError:
            return True

    def _status(self) -> Mapping[str, Any] | None:
        try:
            status: Mapping[str, Any] = self._ask("status")
        except control.ControlError:
            return None
        return status

    def _compiled_sha256(self) -> str | None:
        with contextlib.suppress(ConfigError):
            text = loader.read_text(self._place.run_dir / ipc.SITE_CONFIG)
            if text != self._compiled[0]:
                self._compiled = text, config_hash(loader.validate(loader.parse_json(text)))
            return self._compiled[1]
        return None

    # --- files ---------------------------------------------------------------------------------------------------

    def _state(self) -> State:
        try:
            return self._place.slots.state()
        except SlotsError as error:
            log.error("event=slots_unreadable reason=%s", error)
            return State()

    def _on_trial(self) -> int | None:
        trial = self._state().trial
        return None if trial is None else trial.slot

    def _slot(self, number: int | None) -> Slot | None:
        with contextlib.suppress(SlotsError):
            return None if number is None else self._place.slots.slot(number)
        return None

    def _outcome(self, outcome: Outcome) -> None:
        """Keeps it for the bridge, where it is news."""
        self._told = outcome
        outcomes.write(self._place.county, outcome)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process is at it; what lies in the inbox is then the other's to take."""
        with (self._place.county / LOCK_FILE).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def inbox_files(inbox: pathlib.Path) -> list[pathlib.Path]:
    """The bundles that came, oldest first; one that is still being written has a name with a dot."""
    with contextlib.suppress(OSError):
        found = [path for path in inbox.iterdir() if path.is_file() and not path.name.startswith(".")]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
    return []
