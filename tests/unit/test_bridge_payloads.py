"""Topics and payloads word for word, addresses, and how long a node waits before it knocks again."""

import pathlib
import subprocess
import sys

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge import topics
from cloud_bridge.mqtt import Backoff, address_of
from cloud_bridge.topics import Envelope, Leaf, NodeTopics
from device.journal_reader import Row

ROW = Row("s", 7, "boot", 1234, "2026-11-22T00:00:00.000Z", "rtc", "alert", "branch_south", {"level": "alert"})


def test_the_topics_are_those_of_the_contract() -> None:
    node = NodeTopics("371500/n0001")
    assert [node.of(leaf) for leaf in Leaf] == [
        f"sentinel/v1/371500/n0001/{leaf}"
        for leaf in ("presence", "health", "event", "backlog", "config/reported", "reply")
    ]
    assert node.command("say") == "sentinel/v1/371500/n0001/command/say"
    assert node.group_bundle("all") == "sentinel/v1/371500/_group/all/bundle"


@pytest.mark.parametrize("bad", ["n0001", "371500/", "371500/N1", "371500/n1/x", "37150/n1", "371500/+", "371500/n#"])
def test_what_is_no_site_id_makes_no_topic(bad: str) -> None:
    with pytest.raises(ValueError, match="site id"):
        NodeTopics(bad)


@pytest.mark.parametrize("bad", ["", "a/b", "+", "#", "Say"])
def test_a_verb_cannot_reach_into_another_topic(bad: str) -> None:
    with pytest.raises(ValueError, match="topic part"):
        NodeTopics("371500/n0001").command(bad)


@given(leaf=st.sampled_from(list(Leaf)))
def test_a_topic_says_whose_it_is(leaf: Leaf) -> None:
    assert topics.parse(NodeTopics("371500/n0001").of(leaf)) == ("371500/n0001", leaf.value)


@given(st.one_of(st.text(), st.from_regex(r"sentinel/v1/[a-z0-9/_]*", fullmatch=True)))
def test_any_other_topic_is_nobodys(topic: str) -> None:
    parsed = topics.parse(topic)
    assert parsed is None or NodeTopics(parsed[0]).of(Leaf(parsed[1])) == topic


def test_an_event_keeps_the_journals_words() -> None:
    envelope = topics.event_envelope(ROW)
    assert topics.decode(topics.encode(envelope)) == envelope
    assert envelope.model_dump() == {
        "v": 1,
        "stream": "s",
        "seq": 7,
        "boot_id": "boot",
        "mono_ms": 1234,
        "t": "2026-11-22T00:00:00.000Z",
        "t_quality": "rtc",
        "kind": "alert",
        "body": {"face": "branch_south", "level": "alert"},
    }


@pytest.mark.parametrize("change", [{"v": 2}, {"seq": -1}, {"t_quality": "sure"}, {"extra": 1}, {"body": []}])
def test_a_payload_out_of_the_contract_is_refused(change: dict[str, object]) -> None:
    values = topics.event_envelope(ROW).model_dump() | change
    with pytest.raises(pydantic.ValidationError, match=next(iter(change))):
        Envelope.model_validate(values)


def test_addresses() -> None:
    assert address_of("mqtt://broker") == ("broker", 1883, False)
    assert address_of("mqtts://broker") == ("broker", 8883, True)
    assert address_of("mqtts://[::1]:99") == ("::1", 99, True)
    with pytest.raises(ValueError, match=r"bridge\.url"):
        address_of("http://broker")


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_waiting_grows_to_a_ceiling_and_uses_its_whole_width(failures: int, chance: float) -> None:
    backoff = Backoff(first_s=1, ceiling_s=60)
    widest = backoff.pause_s(failures, 1.0)
    assert widest == min(60, 2 ** min(failures - 1, 16))
    assert backoff.pause_s(failures, 0.0) == 0
    assert 0 <= backoff.pause_s(failures, chance) <= widest


@pytest.mark.parametrize(
    ("held_s", "confirmed", "failures"), [(2.9, 99, 6), (3.0, 0, 1), (0.4, 100, 1)], ids=["neither", "held", "brought"]
)
def test_a_connection_that_held_or_brought_something_starts_the_waiting_over(
    held_s: float, confirmed: int, failures: int
) -> None:
    assert Backoff().failures(5, held_s, confirmed) == failures


def test_the_bridge_loads_no_driver_no_pixels_and_no_cryptography_that_it_may_never_need() -> None:
    check = "import sys, cloud_bridge.__main__; print(*sorted(sys.modules))"
    root = pathlib.Path(__file__).parents[2]
    loaded = subprocess.run([sys.executable, "-c", check], cwd=root, capture_output=True, check=True).stdout.split()
    assert not {b"gpiozero", b"serial", b"cv2", b"onnxruntime", b"numpy", b"tuf", b"cryptography"} & set(loaded)
