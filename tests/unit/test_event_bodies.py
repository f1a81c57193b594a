"""The models of event bodies are what the node really writes: every kind, every key."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any, get_args

import pydantic
import pytest

from cloud_bridge import event_bodies
from cloud_bridge.event_bodies import BODIES
from cloud_bridge.topics import event_envelope
from device.control import ControlServer
from device.core import Core
from device.events import EventKind
from device.health import Health
from device.ipc import CORE_SOCKET
from device.journal import JournalWriter
from device.journal_reader import JOURNAL_FILE, Row
from device.passing import How
from device.site import config_hash, section_hashes
from hal.clock import NS_PER_MS, NS_PER_S, SYSTEM_CLOCK, VirtualClock
from tests.support.journals import alert, rows_of
from tests.support.road import site

GOLDEN = pathlib.Path(__file__).parents[1] / "replay" / "golden"


def check(kind: EventKind, body: Mapping[str, Any]) -> None:
    """Fails, saying which key, where no model of the kind fits."""
    pydantic.TypeAdapter(_any_of(BODIES[kind])).validate_python(body)


def _any_of(models: tuple[type, ...]) -> Any:
    union: Any = models[0]
    for model in models[1:]:
        union = union | model
    return union


def body_of(row: Row) -> Mapping[str, Any]:
    return event_envelope(row).body


def test_every_kind_of_event_has_a_model() -> None:
    assert set(BODIES) == set(EventKind)


def test_the_words_are_the_nodes() -> None:
    assert set(get_args(event_bodies.Health)) == set(Health)
    assert set(get_args(event_bodies.PassageBody.model_fields["how"].annotation)) == set(How)


def test_what_the_golden_recordings_tell_is_as_the_models_say() -> None:
    kinds = set()
    for path in sorted(GOLDEN.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if line["kind"] != "event" or line["event"] == "voice":  # core adds the speakers, below
                continue
            kind = EventKind(line["event"])
            kinds.add(kind)
            body = {key: value for key, value in line.items() if key not in ("t_s", "kind", "event", "face")}
            check(kind, body if line["face"] is None else {"face": line["face"], **body})
    assert kinds >= {"alert", "caution", "health", "near_miss", "passage", "right_turn", "speeding", "wrong_way"}


def test_what_core_tells_of_itself_is_as_the_models_say(tmp_path: pathlib.Path) -> None:
    """A core that stands idle for eleven minutes, speaks, loses a sensor, takes a configuration and stops."""
    clock = VirtualClock(start_ns=100 * NS_PER_S)
    config = site().model_copy(update={"cameras": {}})
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    core = Core(config, tmp_path / "site.yaml", tmp_path / "run", tmp_path / "state", clock)
    for _ in range(11 * 60 * 2):
        clock.advance_ns(500 * NS_PER_MS)
        core._step(clock.monotonic_ns(), [])
    output = core.output
    assert output is not None
    face = next(iter(config.approaches))
    output.says[face] = "right_car"  # type: ignore[index]
    core._speak(clock.monotonic_ns(), output)
    slower = config.model_copy(update={"policy": config.policy.model_copy(update={"hold_s": 4.0})})
    core._reload({"config": slower, "sections": section_hashes(slower), "sha256": config_hash(slower)})
    core._close(ControlServer(core.run_dir / CORE_SOCKET, core._call))
    rows = rows_of(tmp_path / "state" / JOURNAL_FILE)
    assert {row.kind for row in rows} >= {"part", "duty", "voice", "config", "node"}
    for row in rows:
        check(EventKind(row.kind), body_of(row))


def test_what_the_journal_tells_of_itself_is_as_the_models_say(tmp_path: pathlib.Path) -> None:
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(b"no database" * 1000)
    writer = JournalWriter(path, SYSTEM_CLOCK, max_rows=20, retry_s=0.01)
    for n in range(40):
        writer.append(alert(n))
    assert writer.flush(10)
    writer.close()
    told = [row for row in rows_of(path) if row.kind == "journal"]
    assert {row.body["state"] for row in told} == {"new_stream", "losing"}
    for row in told:
        check(EventKind.JOURNAL, body_of(row))


@pytest.mark.parametrize(
    "change", [{"extra": 1}, {"to": "green"}, {"face": None}, {"cause": {"approach": "main_east"}}]
)
def test_a_body_out_of_the_contract_is_refused(change: dict[str, object]) -> None:
    body: dict[str, object] = {"face": "branch_south", "from": "clear", "to": "alert", "cause": None}
    check(EventKind.ALERT, body)
    with pytest.raises(pydantic.ValidationError, match=next(iter(change))):
        check(EventKind.ALERT, body | change)
