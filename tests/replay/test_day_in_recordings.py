"""Night, quiet hours, a wet road and fog are in the recording, and the replay decides by them."""

import dataclasses
import json
import pathlib

import pytest
from click.testing import CliRunner

from configs.loader import Source, validate
from configs.schema import SiteConfig
from device.cli.language import set_language
from device.cli.replay import command
from device.day import DAYLIGHT, day_message, day_written
from device.recorded import Message, Recorded, read
from device.recording import DAY_TOPIC, Recording, RecordingFile, encoded
from device.replay import Replay
from hal.clock import NS_PER_S, VirtualClock
from tests.replay.scenes import FOLDER, NIGHT, QUIET
from tests.support.road import site

NIGHT_ROAD, WET_ROAD = FOLDER / "night_and_quiet_from_30_s_on.mcap", FOLDER / "wet_road_in_fog.mcap"


def opened(path: pathlib.Path) -> tuple[Recorded, SiteConfig]:
    recorded = read(path)
    return recorded, validate(Source("", recorded.site_values() or {}, {}))


def with_days(recorded: Recorded, *days: tuple[float, bytes]) -> Recorded:
    """The recording with these day states instead of its own."""
    first_ns = recorded.messages[0].log_ns
    told = [
        Message(first_ns + round(at_s * NS_PER_S), DAY_TOPIC, number, data)
        for number, (at_s, data) in enumerate(days, 1)
    ]
    kept = [message for message in recorded.messages if message.topic != DAY_TOPIC]
    return dataclasses.replace(
        recorded, messages=tuple(sorted([*kept, *told], key=lambda m: (m.log_ns, m.topic, m.sequence)))
    )


def played(recorded: Recorded, config: SiteConfig) -> list[str]:
    return list(Replay(recorded, config).lines())


def alerts_s(recorded: Recorded, config: SiteConfig) -> list[float]:
    """When the branch's face went to alert."""
    lines = [json.loads(line) for line in played(recorded, config)]
    return [
        line["t_s"]
        for line in lines
        if line["kind"] == "event" and line["event"] == "alert" and line["to"] == "alert" and "branch" in line["face"]
    ]


def voices_s(recorded: Recorded, config: SiteConfig) -> list[float]:
    lines = [json.loads(line) for line in played(recorded, config)]
    return [line["t_s"] for line in lines if line["kind"] == "event" and line["event"] == "voice"]


def test_by_night_the_face_lights_the_half_second_earlier_that_the_policy_says() -> None:
    recorded, config = opened(NIGHT_ROAD)
    by_night, by_day = alerts_s(recorded, config), alerts_s(with_days(recorded), config)
    assert len(by_night) == 2 == len(by_day)
    assert [day - night for night, day in zip(by_night, by_day, strict=True)] == pytest.approx(
        [config.policy.widen.night_s] * 2, abs=0.1
    )


def test_the_voice_is_still_from_when_the_quiet_hours_begin() -> None:
    recorded, config = opened(NIGHT_ROAD)
    assert voices_s(recorded, config) and max(voices_s(recorded, config)) < 30.0
    assert max(voices_s(with_days(recorded), config)) > 40.0, "the second car is spoken of by day"


def test_a_wet_road_in_fog_lights_earlier_by_what_the_policy_adds_for_both() -> None:
    recorded, config = opened(WET_ROAD)
    widen = config.policy.widen
    (wet_s,), (dry_s,) = alerts_s(recorded, config), alerts_s(with_days(recorded), config)
    assert dry_s - wet_s == pytest.approx(widen.wet_s + 2 * widen.low_visibility_s, abs=0.1)


def test_what_came_before_the_first_day_state_is_played_by_it() -> None:
    recorded, config = opened(WET_ROAD)
    (wet,) = [message.data for message in recorded.messages if message.topic == DAY_TOPIC]
    assert alerts_s(with_days(recorded, (20.0, wet)), config) == alerts_s(recorded, config)


@pytest.mark.parametrize(
    "data", [b"", b"null", b"{}", b'{"night": true}', b'{"quiet": 1, "night": "yes"}', b"\xff", b"[]"]
)
def test_a_day_state_that_is_damaged_costs_itself(data: bytes) -> None:
    recorded, config = opened(WET_ROAD)
    (wet,) = [message.data for message in recorded.messages if message.topic == DAY_TOPIC]
    assert played(with_days(recorded, (0.0, wet), (5.0, data)), config) == played(recorded, config)
    assert alerts_s(with_days(recorded, (0.0, data)), config) == alerts_s(with_days(recorded), config)


def test_what_a_later_version_says_besides_is_left_out() -> None:
    assert day_written(encoded({**day_message(QUIET), "moon": "full"})) == QUIET
    older = {key: value for key, value in day_message(DAYLIGHT).items() if key not in ("wet", "visibility_m")}
    assert day_written(encoded(older)) == DAYLIGHT


def test_it_stands_beside_the_site_file_and_is_written_again_only_when_it_changes(tmp_path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=NS_PER_S)
    recording = Recording(tmp_path / "a.mcap", site().model_dump(mode="json"), clock, day=NIGHT)
    for day in (NIGHT, NIGHT, QUIET, QUIET, NIGHT):
        clock.advance_ns(NS_PER_S)
        recording.put_day(day, clock.monotonic_ns())
    recording.close()
    recorded = read(tmp_path / "a.mcap")
    assert [message.topic for message in recorded.messages[:2]] == ["/config", "/day"]
    first_ns = recorded.messages[0].log_ns
    told = [((m.log_ns - first_ns) // NS_PER_S, day_written(m.data)) for m in recorded.messages[1:]]
    assert told == [(0, NIGHT), (3, QUIET), (5, NIGHT)]


def test_the_technician_is_told_when_a_recording_tells_no_day_state(tmp_path: pathlib.Path) -> None:
    try:
        for path, told in ((FOLDER / "rain.mcap", True), (WET_ROAD, False)):
            out = str(tmp_path / "out.jsonl")
            result = CliRunner().invoke(command, [str(path), "--as-recorded", "--lang", "en", "--out", out])
            assert result.exit_code == 0 and ("plays as by day" in result.output) is told
    finally:
        set_language("zh")


def test_one_without_a_day_state_has_no_message_of_it(tmp_path: pathlib.Path) -> None:
    file = RecordingFile(tmp_path / "a.mcap", {}, anchor_wall_ns=0, anchor_mono_ns=0, clock_quality="synced")
    file.close()
    assert [message.topic for message in read(tmp_path / "a.mcap").messages] == ["/config"]
