"""A command is the office's own, for this node, in time and for the first time, or nothing is done; and whatever is
asked, core is asked for nothing that could make a lamp dark."""

import datetime
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_bridge.command_judge import SEEN_FILE
from cloud_bridge.command_payloads import MAX_COMMAND_BYTES, CommandVerb, ReplyBody
from cloud_bridge.commands import KEPT, WAITING, Commands
from cloud_bridge.mqtt import Received
from device.control import ControlError
from hal.clock import ClockQuality, VirtualClock
from tests.support.commands import MINUTE, CommandingOffice
from tools.county.trust.errors import TrustError
from tools.county.trust.keys import KeyRing

NODE = "371500/n0001"
LAMP = {"lamp": "l_branch", "shows": "alert", "seconds": 30}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> CommandingOffice:
    return CommandingOffice(tmp_path_factory.mktemp("office"))


@pytest.fixture
def office(made: CommandingOffice) -> CommandingOffice:
    office = made.as_it_is()
    assert isinstance(office, CommandingOffice)
    return office


class Pole:
    """A node that believes the office, and what its core was asked."""

    def __init__(self, folder: pathlib.Path, office: CommandingOffice, clock: VirtualClock | None = None) -> None:
        self.office = office
        self.state_dir = folder
        self.county = office.enrols(folder)
        self.clock = clock or office.clock()
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.fails: str | None = None
        self.reported = 0
        self.start()

    def start(self) -> None:
        self.commands = Commands(NODE, self.state_dir, self.county, self.clock, self.ask, self.report)

    def ask(self, verb: str, args: Mapping[str, Any]) -> Any:
        self.asked.append((verb, args))
        if self.fails is not None:
            raise ControlError(self.fails)
        if verb == "record_start":
            pathlib.Path(args["path"]).write_bytes(b"mcap")
        return {"booting": False, "faces": {}, "parts": {}}

    def report(self) -> None:
        self.reported += 1

    def hears(self, payload: bytes, verb: str = "self_test", *, retained: bool = False) -> ReplyBody:
        return self.commands.answer(Received(f"sentinel/v1/{NODE}/command/{verb}", payload, retained))

    def refuses(self, payload: bytes, verb: str = "self_test", *, retained: bool = False) -> str | None:
        """The code; whatever is refused has not been acted on."""
        before = len(self.asked)
        reply = self.hears(payload, verb, retained=retained)
        assert reply.outcome == "refused" and reply.why and len(self.asked) == before
        return reply.code


@pytest.fixture
def pole(tmp_path: pathlib.Path, office: CommandingOffice) -> Pole:
    return Pole(tmp_path, office)


def test_each_verb_asks_core_for_one_thing_and_is_answered_with_its_number(pole: Pole) -> None:
    wanted: list[tuple[str, dict[str, Any], list[tuple[str, Mapping[str, Any]]]]] = [
        ("self_test", {}, [("status", {})]),
        ("say", {"clip": "right_vehicle"}, [("say", {"clip": "right_vehicle", "speaker": None})]),
        ("lamp_test", LAMP, [("lamp", LAMP)]),
        ("report", {}, []),
    ]
    for verb, args, asked in wanted:
        pole.asked.clear()
        payload = pole.office.command(verb, args)
        reply = pole.hears(payload, verb)
        assert (reply.outcome, pole.asked) == ("done", asked), reply
        assert reply.command_seq == json.loads(json.loads(payload)["command"])["seq"]
    assert pole.reported == 1


def test_a_self_test_names_what_is_not_well(pole: Pole) -> None:
    bad = {
        "booting": False,
        "faces": {"branch_south": {"health": "fault", "reasons": ["r_east unheard"]}, "main": {"health": "ok"}},
        "parts": {"r_east": {"state": "STALE", "problem": "unheard"}, "guard": {"state": "OK", "problem": None}},
    }
    pole.commands = Commands(NODE, pole.state_dir, pole.county, pole.clock, lambda *_: bad, pole.report)
    result = pole.hears(pole.office.command()).result
    assert result == {"ok": False, "faces": {"branch_south": ["r_east unheard"]}, "parts": {"r_east": "unheard"}}


def test_recordings_stay_at_the_pole_and_the_oldest_go(pole: Pole) -> None:
    for _ in range(KEPT + 2):
        assert pole.hears(pole.office.command("record", {"seconds": 60}), "record").outcome == "done"
    paths = [pathlib.Path(args["path"]) for _verb, args in pole.asked]
    assert sorted((pole.state_dir / "commanded").iterdir()) == paths[-KEPT:]


@pytest.mark.attack
def test_the_same_again_and_an_older_one_are_refused_also_after_a_restart(pole: Pole) -> None:
    older, newer = pole.office.command("say", {"clip": "right_vehicle"}), pole.office.command()
    assert pole.hears(newer).outcome == "done"
    assert pole.refuses(newer) == "replayed"
    pole.start()
    assert pole.refuses(newer) == "replayed"
    assert pole.refuses(older, "say") == "replayed"


def test_a_number_is_on_the_disk_before_it_is_acted_on(pole: Pole) -> None:
    pole.fails = "core died at this moment"
    command = pole.office.command()
    assert pole.hears(command).outcome == "failed"
    pole.fails = None
    assert pole.refuses(command) == "replayed"


def test_what_was_refused_uses_up_no_number(pole: Pole) -> None:
    command = pole.office.command("lamp_test", LAMP)
    assert pole.refuses(command, "lamp_test", retained=True) == "retained"
    assert pole.refuses(command, "say") == "other_topic"
    assert pole.hears(command, "lamp_test").outcome == "done"


def test_numbers_that_cannot_be_kept_or_read_let_nothing_happen(pole: Pole) -> None:
    (pole.county / SEEN_FILE).write_text('{"key": "x", "seq": "many"}')
    assert pole.refuses(pole.office.command()) == "seen_unreadable"
    (pole.county / SEEN_FILE).unlink()
    (pole.county / SEEN_FILE).mkdir()
    assert pole.hears(pole.office.command()).outcome == "failed" and not pole.asked


@pytest.mark.attack
def test_a_command_to_another_node_is_not_this_ones(pole: Pole) -> None:
    assert pole.refuses(pole.office.command(node="n0002")) == "other_node"


@pytest.mark.attack
def test_at_a_synchronised_clock_a_command_counts_from_its_issue_to_its_end(pole: Pole) -> None:
    early = pole.office.command(now=pole.office.now + 10 * MINUTE)
    assert pole.refuses(early) == "future"
    pole.clock.advance_ns(7 * 60 * 10**9)
    assert pole.hears(early).outcome == "done", "five minutes apart are no lie"
    late = pole.office.command(now=pole.office.now + 11 * MINUTE)
    pole.clock.advance_ns(5 * 60 * 10**9)
    assert pole.refuses(late) == "expired"


@pytest.mark.parametrize("quality", [ClockQuality.RTC, ClockQuality.FLOOR])
@pytest.mark.parametrize("year", [1970, 2038])
@pytest.mark.attack
def test_at_any_other_clock_the_floor_alone_judges(
    tmp_path: pathlib.Path, office: CommandingOffice, quality: ClockQuality, year: int
) -> None:
    wall_ns = round(datetime.datetime(year, 1, 2, tzinfo=datetime.UTC).timestamp()) * 10**9
    clock = VirtualClock(wall_ns=wall_ns)
    clock.set_quality(quality)
    pole = Pole(tmp_path, office, clock)
    old = office.command(now=office.now - 2 * MINUTE)
    assert pole.refuses(old) == "expired"
    assert pole.hears(office.command()).outcome == "done"


@pytest.mark.attack
def test_no_command_lasts(pole: Pole) -> None:
    assert pole.refuses(pole.office.command(life=61 * MINUTE)) == "too_lasting"
    assert pole.refuses(pole.office.command(life=0 * MINUTE)) == "too_lasting"


def changed(payload: bytes, **how: Any) -> bytes:
    return json.dumps(json.loads(payload) | how).encode()


@pytest.mark.attack
def test_only_the_key_of_the_county_commands(pole: Pole, tmp_path: pathlib.Path) -> None:
    payload = pole.office.command("say", {"clip": "right_vehicle"})
    text = json.loads(payload)["command"]
    assert pole.refuses(changed(payload, command=text.replace("right_vehicle", "left_vehicle")), "say") == "signature"
    assert pole.refuses(changed(payload, signature="0" * 128), "say") == "signature"
    assert pole.refuses(changed(payload, key="another"), "say") == "unknown_key"
    stranger = CommandingOffice(tmp_path / "stranger")
    assert pole.refuses(stranger.command()) == "unknown_key"
    named = pole.office.repository.targets.unrecognized_fields["commands"]["keyid"]
    assert pole.refuses(changed(stranger.command(), key=named)) == "signature"
    bare = pole.office.ring.find(named)
    assert bare is not None
    assert pole.refuses(changed(payload, signature=bare.sign_bytes(text.encode()).hex()), "say") == "signature", (
        "a seal"
    )


def test_a_changed_key_counts_with_the_next_bundle_and_its_numbers_begin_anew(pole: Pole) -> None:
    pole.clock.set_quality(ClockQuality.RTC)
    ahead = pole.office.command(now=pole.office.now + datetime.timedelta(days=400))
    assert pole.hears(ahead).outcome == "done"
    assert pole.refuses(pole.office.command()) == "replayed", "an office whose clock was ahead"
    old = pole.office.command(now=pole.office.now + datetime.timedelta(days=401))
    pole.office.rotates("commands")
    assert pole.refuses(pole.office.command()) == "unknown_key"
    pole.office.publishes(pole.county)
    assert pole.hears(pole.office.command()).outcome == "done"
    assert pole.refuses(old) == "unknown_key"


@pytest.mark.attack
def test_a_county_without_a_key_for_commands_commands_nobody(pole: Pole, office: CommandingOffice) -> None:
    targets = json.loads((pole.county / "trusted.json").read_text())
    signed = json.loads(targets["files"]["targets.json"])
    del signed["signed"]["commands"]
    targets["files"]["targets.json"] = json.dumps(signed)
    (pole.county / "trusted.json").write_text(json.dumps(targets))
    assert pole.refuses(office.command()) == "no_trust"
    (pole.county / "trusted.json").unlink()
    assert pole.refuses(office.command()) == "no_trust"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"{}", "malformed"),
        (b"[" * 8000, "malformed"),
        (bytes(MAX_COMMAND_BYTES + 1), "too_long"),
    ],
)
@pytest.mark.attack
def test_what_is_no_command_is_refused_for_its_shape(pole: Pole, payload: bytes, code: str) -> None:
    assert pole.refuses(payload) == code


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["clear", "../x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)
KEYS = ["lamp", "shows", "seconds", "clip", "speaker", "path", "config", "camera", "verb"]
arguments = st.dictionaries(
    st.sampled_from(KEYS),
    hostile
    | st.sampled_from(["l_branch", "alert", "caution", "fault", "clear", "right_vehicle", "/etc/passwd", 30, -1, 1e9]),
    max_size=4,
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(list(CommandVerb)), args=arguments)
@pytest.mark.attack
def test_no_argument_of_any_verb_can_make_a_lamp_dark_or_reach_a_file(
    pole: Pole, verb: CommandVerb, args: dict[str, Any]
) -> None:
    """Even a thief of the key, who signs what the office's own program refuses to sign."""
    office = pole.office
    office.now += datetime.timedelta(seconds=1)
    pole.clock.advance_ns(10**9)
    payload = json.loads(office.command("self_test", now=office.now))
    command = json.loads(payload["command"]) | {"verb": verb.value, "args": args}
    text = json.dumps(command)
    key = office.ring.find(payload["key"])
    assert key is not None
    sealed = {
        "command": text,
        "key": payload["key"],
        "signature": key.sign_bytes(b"sentinel-command-1\0" + text.encode()).hex(),
    }
    pole.asked.clear()
    reply = pole.hears(json.dumps(sealed).encode(), verb.value)
    assert reply.outcome == "done" or (reply.code in ("arguments", "malformed") and not pole.asked)
    for asked, values in pole.asked:
        if asked == "lamp":
            assert values.keys() == {"lamp", "shows", "seconds"}
            assert values["shows"] in ("caution", "alert", "fault") and 0 < values["seconds"] <= 600
        elif asked == "record_start":
            assert pathlib.Path(values["path"]).parent == pole.state_dir / "commanded" and 0 < values["seconds"] <= 600
        elif asked == "say":
            assert values.keys() == {"clip", "speaker"} and values["clip"].isidentifier()
        else:
            assert (asked, values) == ("status", {})


@pytest.mark.attack
def test_a_flood_is_bounded_and_counted(pole: Pole) -> None:
    for _ in range(10_000):
        pole.commands.offer(Received(f"sentinel/v1/{NODE}/command/{'x' * 60_000}", b"nonsense", False))
    assert pole.commands.dropped >= 10_000 - 10 * WAITING
    first = pole.commands.reply()
    assert first is None or len(first.verb) <= 32


def test_the_office_signs_nothing_that_a_node_would_refuse(office: CommandingOffice) -> None:
    for verb, args in [("lamp_test", LAMP | {"shows": "clear"}), ("say", {"clip": "你好"}), ("report", {"a": 1})]:
        with pytest.raises(TrustError, match=verb):
            office.command(verb, args)


def test_a_county_is_told_how_to_get_a_key_for_commands(office: CommandingOffice) -> None:
    empty = KeyRing([pathlib.Path("/nowhere")], lambda *_: b"")
    kept, office.ring = office.ring, empty
    with pytest.raises(TrustError, match="commands"):
        office.command()
    office.ring = kept
