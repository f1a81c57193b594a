"""How the bytes were cut, sent twice or put into the file in another order changes nothing of what the replay says."""

import base64
import dataclasses
import itertools
import json
import pathlib
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.loader import Source, validate
from device.recorded import Message, Recorded, read, source_of
from device.recording import CONFIG_TOPIC, RecordingFile, encoded, radar_message
from device.replay import play
from hal.clock import NS_PER_S
from tests.replay.scenes import FOLDER

RECORDED = read(FOLDER / "walker_waits_while_a_car_comes.mcap")
FROM_S, UNTIL_S = 5.0, 11.0
"""The car is first warned of in here."""


def cut_out(recorded: Recorded) -> Recorded:
    begin_ns = recorded.messages[0].log_ns
    inside = [
        message
        for message in recorded.messages
        if FROM_S <= (message.log_ns - begin_ns) / NS_PER_S <= UNTIL_S and message.topic != CONFIG_TOPIC
    ]
    return dataclasses.replace(recorded, messages=tuple(inside))


SHORT = cut_out(RECORDED)
CONFIG = validate(Source("", RECORDED.site_values() or {}, {}))


def lines(messages: Sequence[Message]) -> list[str]:
    written: list[str] = []
    play(dataclasses.replace(SHORT, messages=tuple(messages)), CONFIG, written.append)
    return written


@pytest.fixture(scope="module")
def whole() -> list[str]:
    found = lines(SHORT.messages)
    assert any('"shows": "caution"' in line or '"shows": "alert"' in line for line in found)
    return found


def numbered(messages: Sequence[Message]) -> list[Message]:
    """With sequence numbers that keep the order given."""
    return [dataclasses.replace(message, sequence=number) for number, message in enumerate(messages)]


def split(message: Message, cuts: Sequence[int]) -> Iterator[Message]:
    """A radar's message in pieces that arrive at the same moment."""

    kind, _name = source_of(message.topic)
    if kind != "radar":
        yield message
        return
    data = base64.b64decode(json.loads(message.data)["data"])
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    for begin, end in itertools.pairwise(places):
        yield dataclasses.replace(message, data=encoded(radar_message(data[begin:end])))


def test_radar_bytes_split_at_every_byte(whole: list[str]) -> None:
    assert lines(numbered([part for m in SHORT.messages for part in split(m, range(256))])) == whole


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 255), max_size=4))
def test_radar_bytes_split_anywhere(whole: list[str], cuts: list[int]) -> None:
    assert lines(numbered([part for m in SHORT.messages for part in split(m, cuts)])) == whole


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, len(SHORT.messages) - 1)))
def test_messages_that_come_twice(whole: list[str], twice: set[int]) -> None:
    doubled = [m for n, m in enumerate(SHORT.messages) for _ in range(2 if n in twice else 1)]
    assert lines(numbered(doubled)) == whole


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_in_the_file(whole: list[str], tmp_path_factory: pytest.TempPathFactory, rng: random.Random) -> None:
    shuffled = list(SHORT.messages)
    rng.shuffle(shuffled)
    path: pathlib.Path = tmp_path_factory.mktemp("order") / "a.mcap"
    file = RecordingFile(
        path,
        {},
        anchor_wall_ns=SHORT.anchor_wall_ns or 0,
        anchor_mono_ns=SHORT.anchor_mono_ns or 0,
        clock_quality="synced",
        config_at_ns=SHORT.messages[0].log_ns - (SHORT.anchor_wall_ns or 0) + (SHORT.anchor_mono_ns or 0),
    )
    for message in shuffled:
        at_ns = message.log_ns - (SHORT.anchor_wall_ns or 0) + (SHORT.anchor_mono_ns or 0)
        file.write(message.topic, message.data, at_ns)
    file.close()
    assert lines(read(path).messages) == whole


def test_a_sensor_named_before_or_after_another_in_the_site_file(whole: list[str]) -> None:
    values = dict(RECORDED.site_values() or {})
    for section in ("radars", "cameras", "approaches", "lamps"):
        values[section] = dict(reversed(list(values[section].items())))
    written: list[str] = []
    play(SHORT, validate(Source("", values, {})), written.append)
    assert sorted(written) == sorted(whole)
