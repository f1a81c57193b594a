"""A node and the county's word: what it tries, confirms and takes back; what runs when nothing is right."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from cloud_bridge.health import config_reported
from configs import loader
from configs.local_layer import KEEP_EVERY_S, LIFE_S, LocalLayer
from device import chosen, ipc
from device.chosen import Runs
from device.provisioning import outcome as outcomes
from device.provisioning.apply import LOOK_S, Provision
from device.provisioning.boot import BOTH_BAD, NOTHING_RUNS, boot
from device.provisioning.outcome import What
from device.provisioning.place import COMPILED, LEFT_OUT
from device.provisioning.slots import MOST_STARTS, STATE_FILE
from device.provisioning.wave import Wave, everyone
from hal.clock import NS_PER_S
from tests.support.guard_process import DEADLINE_S, running_guard
from tests.support.office import Office
from tests.support.pole import ILL_HOLD_S, Pole

SITE_HOLD_S = 3.0


@pytest.fixture(scope="module")
def first_office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def office(first_office: Office) -> Office:
    return first_office.as_it_is()


@pytest.fixture
def pole(tmp_path: pathlib.Path, office: Office) -> Pole:
    return Pole(tmp_path / "pole", office)


def told(pole: Pole) -> chosen.Chosen:
    found = chosen.read(pole.place.run_dir)
    assert found is not None
    return found


def what(pole: Pole, packed: bytes) -> What:
    outcome = pole.takes(packed)
    assert outcome is not None
    assert outcomes.read(pole.place.county) == outcome, "for the bridge"
    assert outcome.bundle in (None, hashlib.sha256(packed).hexdigest())
    assert not list(pole.place.inbox.iterdir())
    return outcome.what


def test_a_good_configuration_is_on_trial_for_its_time_and_then_confirmed(pole: Pole, office: Office) -> None:
    started_ns = pole.clock.monotonic_ns()
    assert what(pole, office.says("north", 5, wave=everyone(trial_s=40))) is What.CONFIRMED
    assert 40 <= (pole.clock.monotonic_ns() - started_ns) / NS_PER_S < 40 + 2 * LOOK_S
    assert pole.core.hold_s == 5
    assert (told(pole).runs, told(pole).version) == (Runs.GOOD, pole.good and pole.good.version)
    assert told(pole).site_sha256 == hashlib.sha256(pole.place.site_path.read_bytes()).hexdigest()


def test_a_trial_of_no_time_is_confirmed_at_once(pole: Pole, office: Office) -> None:
    started_ns = pole.clock.monotonic_ns()
    assert what(pole, office.says("north", 5, wave=everyone(trial_s=0))) is What.CONFIRMED
    assert pole.clock.monotonic_ns() == started_ns


def test_the_longest_trial_of_the_texts_counts(pole: Pole, office: Office) -> None:
    packed = office.says("north", 5, {"n0001": "policy: {hold_s: 6}\n"}, wave=everyone(trial_s=20))
    assert what(pole, packed) is What.CONFIRMED
    assert pole.core.hold_s == 6, "the exception for the node lies over the group's"


def test_what_makes_a_face_fault_is_taken_back_told_and_not_tried_again(pole: Pole, office: Office) -> None:
    assert what(pole, office.says("north", 4)) is What.CONFIRMED
    packed = office.says("north", ILL_HOLD_S)
    started_ns = pole.clock.monotonic_ns()
    outcome = pole.takes(packed)
    assert outcome is not None and outcome.what is What.REVERTED and outcome.exit_code == 1
    assert "stuck target" in str(outcome.why)
    assert (pole.clock.monotonic_ns() - started_ns) / NS_PER_S < 30, "no process had to start anew"
    assert pole.core.hold_s == 4
    back = told(pole).reverted
    assert told(pole).runs is Runs.GOOD and back is not None and "stuck target" in back.why
    reloads = pole.core.reloads
    assert what(pole, packed) is What.REVERTED_BEFORE
    office.renews()
    assert what(pole, office.bundle()) is What.REVERTED_BEFORE, "newer signatures alone are no new offer"
    assert pole.core.reloads == reloads
    assert what(pole, office.says("north", ILL_HOLD_S, wave=everyone("again"))) is What.REVERTED, "offered again"
    assert what(pole, office.says("north", 6)) is What.CONFIRMED


def test_a_restart_that_a_change_needs_has_its_time(pole: Pole, office: Office) -> None:
    pole.core.restarts = ["vision"]
    started_ns = pole.clock.monotonic_ns()
    assert what(pole, office.says("north", ILL_HOLD_S)) is What.REVERTED
    assert (pole.clock.monotonic_ns() - started_ns) / NS_PER_S >= 90


def test_what_was_wrong_before_is_not_the_new_configurations_fault(pole: Pole, office: Office) -> None:
    pole.place.site_path.write_text(
        pole.place.site_path.read_text(encoding="utf-8").replace("hold_s: 3", f"hold_s: {ILL_HOLD_S}"), encoding="utf-8"
    )
    pole.start()
    packed = office.says("north", ILL_HOLD_S, wave=everyone("other"))
    assert what(pole, packed) is What.CONFIRMED


@pytest.mark.parametrize("outside", ["group", "node"])
def test_a_node_outside_the_wave_keeps_what_it_has(pole: Pole, office: Office, outside: str) -> None:
    reloads = pole.core.reloads
    nobody = Wave("later", 0)
    if outside == "group":
        assert what(pole, office.says("north", 5, wave=nobody)) is What.NOT_IN_WAVE
    else:
        named = {"n0001": "policy: {hold_s: 6}\n"}
        assert what(pole, office.says("north", 5, named, waves={"nodes/n0001.yaml": nobody})) is What.NOT_IN_WAVE
    assert (pole.core.hold_s, pole.good, pole.core.reloads) == (SITE_HOLD_S, None, reloads)
    assert what(pole, office.says("north", 5)) is What.CONFIRMED, "the wave is widened"


def test_the_same_again_changes_nothing(pole: Pole, office: Office) -> None:
    packed = office.says("north", 5)
    assert what(pole, packed) is What.CONFIRMED
    good, reloads = pole.good, pole.core.reloads
    assert what(pole, packed) is What.NOTHING_NEW
    office.renews()
    assert what(pole, office.bundle()) is What.NOTHING_NEW
    assert (pole.good, pole.core.reloads) == (good, reloads)


@pytest.mark.parametrize(
    ("packed", "code"), [(b"no bundle", "not_zlib"), (b"", "cut_off"), (b"x" * 300_000, "too_big")]
)
def test_what_is_no_bundle_is_refused_and_thrown_away(pole: Pole, packed: bytes, code: str) -> None:
    outcome = pole.takes(packed)
    assert outcome is not None and (outcome.what, outcome.code, outcome.exit_code) == (What.REFUSED, code, 2)
    assert pole.core.hold_s == SITE_HOLD_S and not list(pole.place.inbox.iterdir())


def test_a_signed_patch_that_this_site_cannot_take_is_never_on_trial(pole: Pole, office: Office) -> None:
    packed = office.says("north", 5, {"n0001": "approaches: {elsewhere: {limit_kmh: 40}}\n"})
    outcome = pole.takes(packed)
    assert outcome is not None and (outcome.what, outcome.code) == (What.REFUSED, "config")
    assert "elsewhere" in str(outcome.why)
    assert pole.core.hold_s == SITE_HOLD_S and pole.place.slots.state().trial is None


def test_only_the_newest_bundle_counts(pole: Pole, office: Office) -> None:
    pole.receives(office.says("north", 4), "1.bundle")
    newest = office.says("north", 5)
    path = pole.place.inbox / "0.bundle"
    path.write_bytes(newest)
    os.utime(pole.place.inbox / "1.bundle", (1, 1))
    (pole.place.inbox / ".half").write_bytes(b"still being written")
    assert pole.run() is not None
    assert pole.core.hold_s == 5
    assert [left.name for left in pole.place.inbox.iterdir()] == [".half"]


def during_the_trial(pole: Pole, act: Callable[[], object]) -> Provision:
    """A provision in whose trial something happens at the third look."""
    looks = 0

    def ask(verb: str, **how: Any) -> Any:
        nonlocal looks
        if verb == "status" and pole.place.slots.state().trial is not None:
            looks += 1
            if looks == 3:
                act()
        return pole.core.ask(verb, **how)

    return Provision(pole.place, ask)


def test_the_county_goes_back_while_a_long_trial_still_runs(pole: Pole, office: Office) -> None:
    pole.takes(office.says("north", 4))
    pole.receives(office.says("north", 5, wave=everyone(trial_s=3600)))
    back = office.says("north", 4)
    started_ns = pole.clock.monotonic_ns()
    outcome = during_the_trial(pole, lambda: pole.receives(back)).run()
    assert outcome is not None and outcome.what is What.REVERTED and "went back" in str(outcome.why)
    assert (pole.clock.monotonic_ns() - started_ns) / NS_PER_S < 30
    assert pole.core.hold_s == 4


def test_a_newer_configuration_takes_the_place_of_one_on_trial(pole: Pole, office: Office) -> None:
    pole.receives(office.says("north", 5, wave=everyone(trial_s=3600)))
    newer = office.says("north", 6)
    outcome = during_the_trial(pole, lambda: pole.receives(newer)).run()
    assert outcome is not None and outcome.what is What.CONFIRMED
    assert pole.core.hold_s == 6


def test_a_trial_that_the_starts_have_ended_is_no_longer_watched(pole: Pole, office: Office) -> None:
    pole.receives(office.says("north", 5, wave=everyone(trial_s=3600)))

    def starts() -> None:
        for _ in range(MOST_STARTS + 1):
            pole.start()

    outcome = during_the_trial(pole, starts).run()
    assert outcome is not None and outcome.what is What.REVERTED and "never confirmed" in str(outcome.why)
    assert pole.core.hold_s == SITE_HOLD_S


def test_a_technicians_change_during_a_trial_is_on_trial_as_well(pole: Pole, office: Office) -> None:
    pole.receives(office.says("north", 5, wave=everyone(trial_s=60)))

    def changes() -> None:
        set_by_hand(pole, "policy.hold_s", 7)
        local, damaged = pole.place.local()
        number = pole.place.slots.state().running
        assert number is not None
        pole.place.install(pole.place.make(pole.place.slots.slot(number), local, damaged))
        pole.core.ask("reload")

    outcome = during_the_trial(pole, changes).run()
    assert outcome is not None and outcome.what is What.CONFIRMED
    assert pole.core.hold_s == 7


def set_by_hand(pole: Pole, path: str, value: Any) -> None:
    LocalLayer(pole.place.state_dir).set(loader.read(pole.place.site_path).values, path, value, pole.place.moment())


def test_a_change_by_hand_wins_is_told_and_ends_while_the_node_runs(pole: Pole, office: Office) -> None:
    pole.takes(office.says("north", 5))
    set_by_hand(pole, "policy.hold_s", 7)
    pole.run()
    assert pole.core.hold_s == 7
    assert [(change.path, change.hours_left) for change in told(pole).local] == [("policy.hold_s", 72)]
    for _ in range(round(LIFE_S / KEEP_EVERY_S) - 1):
        pole.clock.sleep_s(KEEP_EVERY_S)
        pole.run()
    assert pole.core.hold_s == 7
    pole.clock.sleep_s(KEEP_EVERY_S)
    pole.run()
    assert pole.core.hold_s == 5
    assert told(pole).local == ()


def test_a_change_by_hand_that_no_longer_fits_is_left_out_and_told(pole: Pole, office: Office) -> None:
    set_by_hand(pole, "voice.lockout_s", -1)
    said = pole.start()
    assert LEFT_OUT in str(said.problem) and "lockout_s" in str(said.problem)
    assert said.local == ()
    assert pole.takes(office.says("north", 5)).what is What.CONFIRMED  # type: ignore[union-attr]


def test_a_node_that_was_never_enrolled_knows_no_county_and_no_local_layer(pole: Pole, office: Office) -> None:
    set_by_hand(pole, "policy.hold_s", 7)
    (pole.place.county / "enrolment.json").unlink()
    assert pole.takes(office.says("north", 5)) is None
    assert pole.start().runs is Runs.SITE
    assert pole.core.hold_s == SITE_HOLD_S


# --- starts ----------------------------------------------------------------------------------------------------------


def on_trial(pole: Pole, office: Office) -> None:
    """A good configuration, and another on trial whose provision process is gone."""
    pole.takes(office.says("north", 4))
    pole.receives(office.says("north", 5))

    class Gone(Exception):
        pass

    def go() -> None:
        raise Gone

    with pytest.raises(Gone):
        during_the_trial(pole, go).run()
    assert pole.core.hold_s == 5


def test_two_bad_starts_revert_by_themselves(pole: Pole, office: Office) -> None:
    on_trial(pole, office)
    for _ in range(MOST_STARTS):
        assert pole.start().runs is Runs.TRIAL
        assert pole.core.hold_s == 5
    said = pole.start()
    assert said.runs is Runs.GOOD and said.reverted is not None
    assert pole.core.hold_s == 4


def test_a_trial_goes_on_after_a_power_cut(pole: Pole, office: Office) -> None:
    on_trial(pole, office)
    pole.start()
    outcome = pole.run()
    assert outcome is not None and outcome.what is What.CONFIRMED
    assert pole.core.hold_s == 5


def test_a_node_that_still_starts_when_its_trial_goes_on_has_its_time(pole: Pole, office: Office) -> None:
    on_trial(pole, office)
    pole.start()
    looks = 0

    def ask(verb: str, **how: Any) -> Any:
        nonlocal looks
        looks += 1
        answer = pole.core.ask(verb, **how)
        return {**answer, "booting": looks * LOOK_S < 60}

    outcome = Provision(pole.place, ask).run()
    assert outcome is not None and outcome.what is What.CONFIRMED


def test_a_trial_that_is_refused_at_start_is_taken_back_with_its_reason(pole: Pole, office: Office) -> None:
    on_trial(pole, office)
    path = next(iter(sorted((pole.place.county / "slots").glob("*.json"), reverse=True)))
    slot = json.loads(path.read_bytes())
    path.write_text(json.dumps({**slot, "group": "policy: {hold_s: 0}"}))
    said = pole.start()
    assert said.runs is Runs.GOOD and said.reverted is not None and "hold_s" in said.reverted.why
    assert pole.core.hold_s == 4


def break_good(pole: Pole) -> None:
    for path in (pole.place.county / "slots").glob("*.json"):
        path.write_bytes(path.read_bytes()[:20])


def test_a_good_slot_that_cannot_be_used_leaves_the_site_file_and_is_told(pole: Pole, office: Office) -> None:
    pole.takes(office.says("north", 4))
    break_good(pole)
    said = pole.start()
    assert said.runs is Runs.SITE and "left out" in str(said.problem)
    assert pole.core.hold_s == SITE_HOLD_S
    assert pole.takes(office.says("north", 5)).what is What.CONFIRMED  # type: ignore[union-attr]
    assert pole.start().problem is None


def test_a_state_that_cannot_be_read_leaves_the_site_file_and_is_told(pole: Pole, office: Office) -> None:
    pole.takes(office.says("north", 4))
    (pole.place.county / STATE_FILE).write_bytes(b"{")
    said = pole.start()
    assert said.runs is Runs.SITE and STATE_FILE in str(said.problem)
    pole.run()
    assert STATE_FILE in str(told(pole).problem), "it is told for as long as it is so"


def test_a_broken_site_file_and_no_good_slot_keep_the_pins_of_the_last_time_it_was_right(pole: Pole) -> None:
    right = (pole.place.run_dir / ipc.GUARD_CONFIG).read_bytes()
    pole.place.site_path.write_text("lamps: [")
    for path in pole.place.run_dir.iterdir():
        path.unlink()  # a power cut: it is a folder in memory
    said, code = boot(pole.place)
    assert (said.runs, code) == (Runs.SAFE, 0)
    assert BOTH_BAD in str(said.problem) and "site.yaml" in str(said.problem)
    assert (pole.place.run_dir / ipc.GUARD_CONFIG).read_bytes() == right


def test_a_broken_site_file_cannot_be_helped_by_the_county_but_by_its_repair(pole: Pole, office: Office) -> None:
    pole.takes(office.says("north", 4))
    text = pole.place.site_path.read_text(encoding="utf-8")
    pole.place.site_path.write_text("lamps: [")
    assert pole.start().runs is Runs.SAFE
    pole.run()
    assert told(pole).runs is Runs.SAFE, "what runs stays as it is"
    reloads = pole.core.reloads
    pole.place.site_path.write_text(text, encoding="utf-8")
    pole.run()
    assert told(pole).runs is Runs.GOOD and pole.core.reloads == reloads + 1


def test_a_node_that_was_never_right_does_not_start(pole: Pole) -> None:
    pole.place.site_path.write_text("lamps: [")
    for folder in (pole.place.run_dir, pole.place.state_dir / COMPILED):
        for path in folder.iterdir():
            path.unlink()
    said, code = boot(pole.place)
    assert (said.runs, code) == (Runs.SAFE, NOTHING_RUNS)


# --- told to others --------------------------------------------------------------------------------------------------


def test_the_county_hears_what_runs_and_why(pole: Pole, office: Office) -> None:
    pole.takes(office.says("north", 4))
    pole.takes(office.says("north", ILL_HOLD_S))
    config = {"sha256": "a", "sections": {}, "layers": told(pole).model_dump(mode="json")}
    reported = config_reported({"version": "0.1.0", "config": config})
    assert reported is not None and reported.layers == told(pole)
    assert reported.layers.reverted is not None
    other = config_reported({"config": {**config, "layers": {"runs": "something newer"}}})
    assert other is not None and other.layers is None, "the rest is still worth telling"


def test_a_guard_that_runs_takes_the_file_that_a_start_brings_and_is_left_alone_otherwise(pole: Pole) -> None:
    wanted = json.loads((pole.place.run_dir / ipc.GUARD_CONFIG).read_bytes())
    with running_guard(pole.place.run_dir) as guard:
        guard.wait_ready()
        guard.connect().close()
        boot(pole.place)
        assert guard.process.wait(DEADLINE_S) == ipc.EXIT_RESTART
    assert json.loads((pole.place.run_dir / ipc.GUARD_CONFIG).read_bytes()) == wanted
    with running_guard(pole.place.run_dir, **wanted, realtime=False) as guard:
        guard.wait_ready()
        guard.connect().close()
        compiled = pole.place.run_dir / ipc.GUARD_CONFIG
        compiled.write_bytes((pole.place.state_dir / COMPILED / ipc.GUARD_CONFIG).read_bytes())
        boot(pole.place)
        with guard.connect():
            assert guard.process.poll() is None
