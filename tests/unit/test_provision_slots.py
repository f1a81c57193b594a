"""Which configuration a node runs: on trial, confirmed, reverted; whatever happens to the power."""

import pathlib
import shutil
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device.provisioning.slots import MOST_STARTS, SLOTS, STATE_FILE, Slot, Slots, SlotsError, State
from tests.support.killed import killed_before

HOLD_4 = Slot(version=7, group="policy: {hold_s: 4}")
HOLD_5 = Slot(version=8, group="policy: {hold_s: 5}", node="voice: {volume_pct: 40}")


@pytest.fixture
def slots(tmp_path: pathlib.Path) -> Slots:
    return Slots(tmp_path / "provision")


def confirmed(slots: Slots, slot: Slot) -> None:
    slots.begin(slot)
    slots.confirm()


def running(slots: Slots) -> Slot | None:
    number = slots.state().running
    return None if number is None else slots.slot(number)


def test_a_node_that_the_office_never_configured_runs_its_site_file(slots: Slots) -> None:
    assert slots.state() == State()
    assert slots.started() == State()
    assert running(slots) is None


def test_what_is_on_trial_runs_and_what_was_good_is_kept(slots: Slots) -> None:
    confirmed(slots, HOLD_4)
    slots.begin(HOLD_5)
    assert running(slots) == HOLD_5
    slots.revert("the radar on the branch went stale")
    assert running(slots) == HOLD_4
    reverted = slots.state().reverted
    assert reverted is not None
    assert (reverted.version, reverted.why) == (8, "the radar on the branch went stale")


def test_a_confirmed_slot_is_good_and_forgets_what_was_reverted_before(slots: Slots) -> None:
    slots.begin(HOLD_4)
    slots.revert("no")
    confirmed(slots, HOLD_5)
    assert running(slots) == HOLD_5
    assert slots.state().reverted is None


def test_two_starts_that_were_never_confirmed_revert_before_the_third(slots: Slots) -> None:
    confirmed(slots, HOLD_4)
    slots.begin(HOLD_5)
    for _ in range(MOST_STARTS):
        slots.started()
        assert running(slots) == HOLD_5
    slots.started()
    assert running(slots) == HOLD_4
    assert "2 times" in str(slots.state().reverted)


def test_starts_with_a_good_slot_are_not_counted(slots: Slots) -> None:
    confirmed(slots, HOLD_4)
    for _ in range(5):
        slots.started()
    assert running(slots) == HOLD_4


def test_only_slots_that_somebody_names_are_kept(slots: Slots) -> None:
    confirmed(slots, HOLD_4)
    slots.begin(HOLD_5)
    assert len(list((slots.folder / SLOTS).iterdir())) == 2
    slots.begin(HOLD_4)
    assert len(list((slots.folder / SLOTS).iterdir())) == 2
    slots.confirm()
    assert len(list((slots.folder / SLOTS).iterdir())) == 1


def test_without_a_trial_there_is_nothing_to_judge(slots: Slots) -> None:
    confirmed(slots, HOLD_4)
    for judge in (slots.confirm, lambda: slots.revert("no")):
        with pytest.raises(ValueError, match="nothing is on trial"):
            judge()
    assert running(slots) == HOLD_4


@pytest.mark.parametrize(
    "damaged", [b"", b"\0" * 40, b'{"best": 1}', b'{"format": "sentinel-slots-1", "good": true}', b"[" * 9_000]
)
def test_a_damaged_state_is_named_and_a_new_bundle_mends_it(slots: Slots, damaged: bytes) -> None:
    confirmed(slots, HOLD_4)
    (slots.folder / STATE_FILE).write_bytes(damaged)
    with pytest.raises(SlotsError, match=STATE_FILE):
        slots.state()
    slots.begin(HOLD_5)
    assert running(slots) == HOLD_5


def test_a_slot_on_trial_that_cannot_be_read_can_still_be_reverted(slots: Slots) -> None:
    confirmed(slots, HOLD_4)
    number = slots.begin(HOLD_5).running
    path = slots.folder / SLOTS / f"{number:06d}.json"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(SlotsError, match=path.name):
        running(slots)
    slots.revert("unreadable")
    assert running(slots) == HOLD_4


CHANGES: dict[str, Callable[[Slots], object]] = {
    "begin": lambda slots: slots.begin(HOLD_5),
    "started": Slots.started,
    "confirm": Slots.confirm,
    "revert": lambda slots: slots.revert("no"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_killed_before_any_change_of_a_file_the_node_runs_the_old_or_the_new(slots: Slots, name: str) -> None:
    change = CHANGES[name]
    confirmed(slots, HOLD_4)
    if name != "begin":
        slots.begin(HOLD_5)
    kept = slots.folder.with_name("kept")
    shutil.copytree(slots.folder, kept)
    before = told(slots)
    change(slots)
    after = told(slots)
    assert before != after
    deaths = 0
    while True:
        shutil.rmtree(slots.folder)
        shutil.copytree(kept, slots.folder)
        if not killed_before(deaths, lambda: change(slots)):
            break
        deaths += 1
        assert told(slots) in (before, after)
        if told(slots) == before:
            change(slots)
        assert told(slots) == after, "with the power back it goes on"
    assert deaths >= 3
    assert told(slots) == after


def told(slots: Slots) -> tuple[object, ...]:
    """All that makes a difference: numbers of slots do not."""
    state = slots.state()
    good = None if state.good is None else slots.slot(state.good)
    return running(slots), good, state.trial and state.trial.starts, state.reverted


class Life(RuleBasedStateMachine):
    """A node's years: bundles, starts, verdicts, in any order, against what an engineer would say of it."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.slots = Slots(pathlib.Path(self.place.name))
        self.good: Slot | None = None
        self.trial: Slot | None = None
        self.starts = 0

    @rule(version=st.integers(0, 9), node=st.none() | st.text(max_size=5))
    def bundle(self, version: int, node: str | None) -> None:
        self.trial, self.starts = Slot(version=version, group="{}", node=node), 0
        self.slots.begin(self.trial)

    @rule()
    def start(self) -> None:
        self.slots.started()
        if self.trial is not None:
            self.starts += 1
            if self.starts > MOST_STARTS:
                self.trial = None

    @precondition(lambda self: self.trial is not None)
    @rule()
    def healthy(self) -> None:
        self.slots.confirm()
        self.good, self.trial = self.trial, None

    @precondition(lambda self: self.trial is not None)
    @rule()
    def ill(self) -> None:
        self.slots.revert("ill")
        self.trial = None

    @invariant()
    def it_runs_what_it_should(self) -> None:
        good = self.slots.state().good
        assert running(self.slots) == (self.trial or self.good)
        assert (None if good is None else self.slots.slot(good)) == self.good

    def teardown(self) -> None:
        self.place.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
