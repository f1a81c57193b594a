"""A change made by hand on the pole wins for three days and then ends, whatever power and clock do meanwhile."""

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import layers, loader
from configs.errors import ConfigError
from configs.layers import Layer, Part
from configs.local_layer import (
    KEEP_EVERY_S,
    LIFE_S,
    LOCAL_FILE,
    MAX_BYTES,
    MAX_CHANGES,
    Local,
    LocalLayer,
    Moment,
    alive,
    left_s,
    parts_of,
    with_change,
)
from device.site import check_source
from hal.clock import NS_PER_S, ClockQuality, VirtualClock
from tests.support.site_files import DESK

HOUR_S = 3600.0
WEEK_S = 7 * 24 * HOUR_S
SITE = loader.parse_yaml(DESK, "site.yaml")


class Pole:
    """A node on a pole: its clocks, its boots and its file."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.local = LocalLayer(folder)
        self.boots = 0
        self.clock = VirtualClock()
        self.start()

    def start(self, *, off_s: float = 0.0, quality: ClockQuality = ClockQuality.SYNCED) -> None:
        """Power comes back after ``off_s``: the monotonic clock begins at 20 s of boot."""
        self.boots += 1
        wall_ns = self.clock.wall_ns() + round((off_s + 20) * NS_PER_S)
        self.clock = VirtualClock(start_ns=20 * NS_PER_S, wall_ns=wall_ns)
        self.clock.set_quality(quality)

    def moment(self) -> Moment:
        wall_s = self.clock.wall_ns() / NS_PER_S if self.clock.quality() is ClockQuality.SYNCED else None
        return Moment(f"boot-{self.boots}", self.clock.monotonic_ns() / NS_PER_S, wall_s)

    def jump_wall_s(self, seconds: float) -> None:
        quality = self.clock.quality()
        self.clock = VirtualClock(
            start_ns=self.clock.monotonic_ns(), wall_ns=self.clock.wall_ns() + round(seconds * NS_PER_S)
        )
        self.clock.set_quality(quality)

    def set(self, path: str = "policy.hold_s", value: object = 5) -> None:
        self.local.set(SITE.values, path, value, self.moment())

    def run(self, seconds: float) -> None:
        """Runs on, and asks as often as a node has to."""
        while seconds > 0:
            step_s = min(seconds, KEEP_EVERY_S / 2)
            self.clock.sleep_s(step_s)
            seconds -= step_s
            self.local.now(self.moment())

    def hold_s(self) -> float:
        """What the node holds with now: the site says 3, the hand said 5."""
        local, _problem = self.local.now(self.moment())
        found = [Part(Layer.SITE, SITE), *parts_of(local, LOCAL_FILE)]
        return layers.checked(found, check_source)[1].policy.hold_s


@pytest.fixture
def pole(tmp_path: pathlib.Path) -> Pole:
    return Pole(tmp_path)


def test_a_change_wins_for_three_days_of_running_and_then_ends(pole: Pole) -> None:
    pole.set()
    assert pole.hold_s() == 5
    pole.run(LIFE_S - 60)
    assert pole.hold_s() == 5
    pole.run(120)
    assert pole.hold_s() == 3
    assert pole.local.read()[0].changes == ()


def test_what_is_left_is_told(pole: Pole) -> None:
    pole.set()
    pole.run(10 * HOUR_S)
    local, _problem = pole.local.now(pole.moment())
    assert left_s(local.changes[0], local, pole.moment()) == pytest.approx(LIFE_S - 10 * HOUR_S, abs=1)


def test_off_for_weeks_it_is_over_when_the_clock_is_in_step_again(pole: Pole) -> None:
    pole.set()
    pole.start(off_s=3 * WEEK_S, quality=ClockQuality.RTC)
    assert pole.hold_s() == 5  # nobody knows how long it was off
    pole.clock.set_quality(ClockQuality.SYNCED)
    assert pole.hold_s() == 3
    pole.clock.set_quality(ClockQuality.RTC)
    assert pole.hold_s() == 3  # over is over


def test_set_at_1970_it_ends_by_what_the_node_has_run(pole: Pole) -> None:
    pole.clock = VirtualClock(start_ns=20 * NS_PER_S, wall_ns=0)
    pole.clock.set_quality(ClockQuality.FLOOR)
    pole.set()
    pole.start(off_s=0)
    pole.jump_wall_s(60 * 365 * 24 * HOUR_S)  # in step at last, 60 years later
    assert pole.hold_s() == 5
    pole.run(LIFE_S)
    assert pole.hold_s() == 3


def test_a_wall_clock_that_jumps_back_keeps_nothing_alive(pole: Pole) -> None:
    pole.set()
    pole.run(HOUR_S)
    pole.jump_wall_s(-400 * WEEK_S)
    assert pole.hold_s() == 5
    pole.run(LIFE_S - HOUR_S + 60)
    assert pole.hold_s() == 3


def test_a_wall_clock_nobody_vouches_for_ends_nothing(pole: Pole) -> None:
    pole.set()
    pole.clock.set_quality(ClockQuality.RTC)
    pole.jump_wall_s(400 * WEEK_S)
    assert pole.hold_s() == 5


def test_a_node_that_restarts_every_minute_gets_there_too(pole: Pole) -> None:
    pole.clock.set_quality(ClockQuality.FLOOR)
    pole.set()
    starts = 0
    while pole.hold_s() == 5:
        pole.start(quality=ClockQuality.FLOOR)
        starts += 1
        assert starts <= LIFE_S / KEEP_EVERY_S
    assert starts > 300  # and does not end after an afternoon of work on the power supply


def test_a_process_that_restarts_within_a_boot_counts_nothing_twice(pole: Pole) -> None:
    pole.set()
    for _ in range(1000):
        pole.clock.sleep_s(10)
        pole.local = LocalLayer(pole.local.path.parent)
        local, _problem = pole.local.now(pole.moment())
    assert left_s(local.changes[0], local, pole.moment()) == pytest.approx(LIFE_S - 10_000, abs=1)


def test_a_kernel_that_names_no_boot_makes_no_change_younger() -> None:
    set_at, after_a_restart = Moment("unknown", 1000.0, None), Moment("unknown", 20.0, None)
    local = alive(with_change(Local(), SITE.values, "policy.hold_s", 5, set_at), after_a_restart)
    assert left_s(local.changes[0], local, after_a_restart) <= LIFE_S - 20


def test_the_card_is_written_seldom_and_never_without_a_change(pole: Pole) -> None:
    pole.run(HOUR_S)
    assert not pole.local.path.exists()
    pole.set()
    states = set()
    for _ in range(360):
        pole.clock.sleep_s(10)
        pole.local.now(pole.moment())
        states.add(pole.local.path.read_bytes())
    assert 5 <= len(states) <= 7  # an hour: once every ten minutes


@given(cut_after_s=st.floats(0, 2 * KEEP_EVERY_S), off_s=st.floats(0, WEEK_S))
def test_a_power_cut_between_two_writes_makes_no_change_younger_than_it_is(
    cut_after_s: float, off_s: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pole = Pole(tmp_path_factory.mktemp("pole"))
    pole.clock.set_quality(ClockQuality.FLOOR)
    pole.set()
    pole.run(cut_after_s)
    pole.start(off_s=off_s, quality=ClockQuality.FLOOR)
    local, _problem = pole.local.now(pole.moment())
    aged_s = LIFE_S - left_s(local.changes[0], local, pole.moment())
    ran_s = cut_after_s + 20
    assert ran_s - 1e-3 <= aged_s <= ran_s + KEEP_EVERY_S + 1e-3


DAMAGED = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe\x00",
    b'{"format": 2}',
    b'{"format": 1, "ran_s": NaN}',
    b'{"format": 1, "ran_s": -1}',
    b'{"format": 1, "ran_s": 1, "changes": [{"path": ["policy", "hold_s"], "value": 5, "ran_s": 1e9, "wall_s": null}]}',
    b'{"format": 1, "changes": [{"path": [], "value": 5, "ran_s": 0, "wall_s": null}]}',
    b'{"format": 1, "changes": [{"path": ["policy", "hold_s"], "ran_s": 0, "wall_s": null}]}',
    b'{"format": 1, "changes": {}, "more": 1}',
    b'{"format": 1, "changes": ' + b"[" * 30_000,
    b" " * (MAX_BYTES + 1),
]


@pytest.mark.parametrize("data", DAMAGED, ids=lambda data: repr(data[:30]))
def test_a_damaged_file_is_no_layer_and_a_named_problem(pole: Pole, data: bytes) -> None:
    pole.local.path.write_bytes(data)
    local, problem = pole.local.now(pole.moment())
    assert local.changes == ()
    assert problem is not None and problem.code == "local_damaged" and problem.is_warning
    assert problem.file == str(pole.local.path)
    assert problem.render("zh") != problem.render("en")
    assert pole.hold_s() == 3
    pole.set()
    assert pole.local.now(pole.moment())[1] is None
    assert pole.hold_s() == 5


@given(data=st.binary(max_size=300))
def test_no_file_whatever_crashes_the_node(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    pole = Pole(tmp_path_factory.mktemp("pole"))
    pole.local.path.write_bytes(data)
    assert pole.hold_s() == 3


def test_a_folder_in_the_place_of_the_file_is_a_named_problem(pole: Pole) -> None:
    pole.local.path.mkdir()
    _local, problem = pole.local.read()
    assert problem is not None and problem.code == "local_damaged"


def test_every_cut_of_the_file_is_told_or_is_the_file(pole: Pole) -> None:
    pole.set()
    whole = pole.local.path.read_bytes()
    for length in range(len(whole)):
        pole.local.path.write_bytes(whole[:length])
        assert pole.local.read()[1] is not None


def test_the_newest_word_on_a_value_counts_and_each_has_its_own_age(pole: Pole) -> None:
    pole.set("policy.hold_s", 5)
    pole.run(HOUR_S)
    pole.set("policy.min_on_s", 3)
    pole.set("policy.hold_s", 6)
    local, _problem = pole.local.now(pole.moment())
    assert [(change.path[-1], change.value) for change in local.changes] == [("min_on_s", 3), ("hold_s", 6)]
    assert {round(left_s(change, local, pole.moment())) for change in local.changes} == {round(LIFE_S)}


def test_a_value_taken_away_and_one_below_it_are_both_heard_in_their_order(pole: Pole) -> None:
    pole.set("policy.gap_s", None)
    pole.set("policy.gap_s.car", 8)
    local, _problem = pole.local.now(pole.moment())
    merged = layers.merged([Part(Layer.SITE, SITE), *parts_of(local, LOCAL_FILE)])
    assert merged.values["policy"]["gap_s"] == {"car": 8}
    assert merged.provenance()[("policy", "gap_s", "car")] is Layer.LOCAL
    pole.set("policy", None)
    assert [change.path for change in pole.local.read()[0].changes] == [("policy",)]


def test_a_place_in_a_list_sets_the_list() -> None:
    values = {"voice": {"volume": [{"start": "07:00", "volume_pct": 80}, {"start": "18:00", "volume_pct": 60}]}}
    moment = Moment("boot", 1.0, None)
    [change] = with_change(Local(), values, "voice.volume[1].volume_pct", 30, moment).changes
    assert change.path == ("voice", "volume")
    assert change.value == [{"start": "07:00", "volume_pct": 80}, {"start": "18:00", "volume_pct": 30}]
    assert values["voice"]["volume"][1]["volume_pct"] == 60
    for path in ("voice.volume[2].volume_pct", "voice.volume.first", "voice.volume[0].start.hour"):
        with pytest.raises(ConfigError):
            with_change(Local(), values, path, 30, moment)


def test_more_changes_than_a_person_makes_are_refused_by_name(pole: Pole) -> None:
    for number in range(MAX_CHANGES):
        pole.set(f"policy.k{number}", 1)
    with pytest.raises(ConfigError) as caught:
        pole.set("policy.hold_s", 5)
    assert [problem.code for problem in caught.value.problems] == ["local_full"]
    pole.set("policy.k0", 2)  # a value that is there already may change


def test_taking_everything_back(pole: Pole) -> None:
    pole.set()
    pole.local.clear()
    assert pole.hold_s() == 3
    pole.local.clear()


def test_the_file_is_plain_enough_to_be_read_on_the_pole(pole: Pole) -> None:
    pole.set("policy.hold_s", 5)
    [change] = json.loads(pole.local.path.read_text())["changes"]
    assert (change["path"], change["value"]) == (["policy", "hold_s"], 5)
