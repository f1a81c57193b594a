"""Every speaker driver keeps the same promises; then what is particular to aplay and to the clips."""

import array
import json
import pathlib
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hal import registry
from hal.clock import NS_PER_S, SYSTEM_CLOCK, VirtualClock
from hal.errors import DeviceOpenError, HalError, OptionError
from hal.interfaces import Speaker
from hal.speaker import clips, wav
from tools.voice import render

FAKE_APLAY = """#!/bin/sh
echo "$@" >> "{log}"
{then}
"""


@pytest.fixture
def clips_dir(tmp_path: pathlib.Path) -> pathlib.Path:
    """Clips that are tones, so that no voice has to be installed."""
    folder = tmp_path / "clips"
    folder.mkdir()
    samples = wav.Sound(8000, 1, array.array("h", [10_000, -10_000] * 400))
    for clip in clips.CLIPS:
        wav.write(folder / f"{clip}.wav", samples)
    return folder


class FakeAplay:
    """A program named aplay in front of PATH: it notes its arguments, then does as told."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._log = folder / "aplay.log"
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        self.then("exit 0")

    def then(self, command: str) -> None:
        path = self._folder / "aplay"
        path.write_text(FAKE_APLAY.format(log=self._log, then=command), encoding="utf-8")
        path.chmod(0o755)

    def calls(self) -> list[str]:
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []


@pytest.fixture
def aplay(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> FakeAplay:
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakeAplay(folder, monkeypatch)


def open_speaker(driver: str, clock: Any = None, **options: Any) -> Any:
    parsed = registry.parse_options("speaker", driver, options)
    return registry.driver("speaker", driver).open("s_branch", parsed, clock or VirtualClock())


@pytest.fixture(params=["alsa", "null", "sim", "replay"])
def speaker(request: pytest.FixtureRequest, aplay: FakeAplay, clips_dir: pathlib.Path) -> Iterator[Any]:
    options = {"clips_dir": str(clips_dir)} if request.param == "alsa" else {}
    opened = open_speaker(request.param, **options)
    yield opened
    opened.close()


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 20) -> None:
    pause = threading.Event()
    end_ns = SYSTEM_CLOCK.monotonic_ns() + round(deadline_s * NS_PER_S)
    while not condition():
        assert SYSTEM_CLOCK.monotonic_ns() < end_ns, f"waited {deadline_s} s for {what}"
        pause.wait(0.01)


def test_a_driver_is_a_speaker_and_plays_every_clip(speaker: Any) -> None:
    assert isinstance(speaker, Speaker)
    for clip in clips.CLIPS:
        speaker.play(clip, 80)
    assert speaker.problem() is None


def test_a_clip_nobody_knows_is_refused_with_the_ones_there_are(speaker: Speaker) -> None:
    with pytest.raises(HalError, match=r"s_branch.*'hello'.*left_vehicle"):
        speaker.play("hello", 80)


def test_closing_twice_is_harmless_and_a_closed_speaker_says_so(speaker: Speaker) -> None:
    speaker.close()
    speaker.close()
    with pytest.raises(HalError, match="s_branch"):
        speaker.play("self_test", 80)
    assert not speaker.busy()


@pytest.mark.parametrize("driver", ["alsa", "null", "sim", "replay"])
def test_an_option_nobody_reads_is_refused(driver: str) -> None:
    with pytest.raises(OptionError, match="loudness"):
        registry.parse_options("speaker", driver, {"loudness": 3})


@pytest.mark.parametrize("driver", ["null", "sim", "replay"])
def test_the_silent_ones_remember_what_was_said_and_when(driver: str, tmp_path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=5 * NS_PER_S)
    speaker = open_speaker(driver, clock, log=str(tmp_path / "said"))
    speaker.play("left_vehicle", 70)
    clock.sleep_s(3)
    speaker.play("both_vehicles", 40)
    expected = [("left_vehicle", 70, 5 * NS_PER_S), ("both_vehicles", 40, 8 * NS_PER_S)]
    assert [(said.clip, said.volume_pct, said.mono_ns) for said in speaker.played] == expected
    lines = [json.loads(line) for line in (tmp_path / "said").read_text(encoding="utf-8").splitlines()]
    assert [(line["clip"], line["volume_pct"], line["mono_ns"]) for line in lines] == expected
    assert {line["speaker"] for line in lines} == {"s_branch"}


def test_a_log_that_cannot_be_written_is_a_problem_and_nothing_more(tmp_path: pathlib.Path) -> None:
    speaker = open_speaker("null", log=str(tmp_path / "no" / "such" / "folder"))
    speaker.play("left_vehicle", 70)
    assert "not written" in speaker.problem()
    assert len(speaker.played) == 1


def test_a_simulated_clip_takes_its_time_and_the_one_that_plays_wins() -> None:
    clock = VirtualClock()
    speaker = open_speaker("sim", clock, play_s=1.5)
    speaker.play("left_vehicle", 70)
    assert speaker.busy()
    speaker.play("right_vehicle", 70)
    clock.sleep_s(1.5)
    assert not speaker.busy()
    assert [said.clip for said in speaker.played] == ["left_vehicle"]


def test_a_simulated_card_that_is_busy_or_missing_is_reported() -> None:
    speaker = open_speaker("sim", failure="device_busy")
    speaker.play("left_vehicle", 70)
    assert "busy" in speaker.problem()
    assert not speaker.played
    with pytest.raises(DeviceOpenError, match="s_branch"):
        open_speaker("sim", failure="will_not_open")


def test_aplay_is_given_the_device_and_a_quieter_clip(aplay: FakeAplay, clips_dir: pathlib.Path) -> None:
    aplay.then('cp "$4" "$0.heard"')
    speaker = open_speaker("alsa", device="plughw:1,0", clips_dir=str(clips_dir))
    speaker.play("left_vehicle", 25)
    wait_for(lambda: not speaker.busy(), "aplay to end")
    assert speaker.problem() is None
    assert aplay.calls()[0].startswith("-q -D plughw:1,0 ")
    heard = wav.read(clips_dir.parent / "bin" / "aplay.heard")
    assert max(heard.samples) == 2500
    assert heard.duration_s == wav.read(clips_dir / "left_vehicle.wav").duration_s
    speaker.close()


def test_a_clip_from_the_county_is_played_before_the_own_one(
    aplay: FakeAplay, clips_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    county = tmp_path / "county"
    county.mkdir()
    wav.write(county / "left_vehicle.wav", wav.Sound(8000, 1, array.array("h", [400, -400] * 400)))
    aplay.then('cp "$4" "$0.heard"')
    speaker = open_speaker("alsa", clips_dir=str(clips_dir), county_clips_dir=str(county))
    for clip, loudest in (("left_vehicle", 400), ("right_vehicle", 10_000)):
        speaker.play(clip, 100)
        wait_for(lambda: not speaker.busy(), "aplay to end")
        assert max(wav.read(clips_dir.parent / "bin" / "aplay.heard").samples) == loudest
    speaker.close()


@pytest.mark.parametrize("what", ["no sound", "too long"])
def test_a_clip_from_the_county_that_nobody_should_hear_does_not_open(
    aplay: FakeAplay, clips_dir: pathlib.Path, tmp_path: pathlib.Path, what: str
) -> None:
    county = tmp_path / "county"
    county.mkdir()
    path = county / "left_vehicle.wav"
    if what == "too long":
        wav.write(path, wav.Sound(8000, 1, array.array("h", [400] * 8000 * 3)))
    else:
        path.write_bytes(b"RIFF")
    with pytest.raises(DeviceOpenError, match=r"s_branch.*county/left_vehicle\.wav"):
        open_speaker("alsa", clips_dir=str(clips_dir), county_clips_dir=str(county))


def test_play_returns_while_aplay_plays_and_close_stops_it(aplay: FakeAplay, clips_dir: pathlib.Path) -> None:
    aplay.then("exec sleep 60")
    speaker = open_speaker("alsa", clips_dir=str(clips_dir))
    speaker.play("left_vehicle", 80)
    assert speaker.busy()
    wait_for(lambda: len(aplay.calls()) == 1, "aplay to start")
    speaker.play("right_vehicle", 80)
    speaker.close()
    assert not speaker.busy()
    assert len(aplay.calls()) == 1


def test_volume_nought_starts_nothing(aplay: FakeAplay, clips_dir: pathlib.Path) -> None:
    speaker = open_speaker("alsa", clips_dir=str(clips_dir))
    speaker.play("left_vehicle", 0)
    assert not speaker.busy()
    assert not aplay.calls()


def test_what_aplay_complains_of_is_the_problem_until_a_clip_is_heard(
    aplay: FakeAplay, clips_dir: pathlib.Path
) -> None:
    aplay.then("echo 'audio open error: Device or resource busy' >&2; exit 1")
    speaker = open_speaker("alsa", device="hw:9", clips_dir=str(clips_dir))
    speaker.play("left_vehicle", 80)
    wait_for(lambda: not speaker.busy(), "aplay to fail")
    assert "hw:9" in speaker.problem()
    assert "resource busy" in speaker.problem()
    aplay.then("exit 0")
    speaker.play("left_vehicle", 80)
    wait_for(lambda: not speaker.busy(), "aplay to end")
    assert speaker.problem() is None


def test_an_aplay_that_vanishes_is_a_problem_and_one_that_was_never_there_does_not_open(
    aplay: FakeAplay, clips_dir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = open_speaker("alsa", clips_dir=str(clips_dir))
    monkeypatch.setenv("PATH", "/nowhere")
    speaker.play("left_vehicle", 80)
    wait_for(lambda: not speaker.busy(), "the attempt to end")
    assert "aplay" in speaker.problem()
    with pytest.raises(DeviceOpenError, match="alsa-utils"):
        open_speaker("alsa", clips_dir=str(clips_dir))


def test_an_aplay_that_never_ends_is_stopped(
    aplay: FakeAplay, clips_dir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hal.speaker import alsa

    monkeypatch.setattr(alsa, "OVERTIME_S", 0.2)
    aplay.then("exec sleep 60")
    speaker = open_speaker("alsa", clips_dir=str(clips_dir))
    speaker.play("left_vehicle", 80)
    wait_for(lambda: not speaker.busy(), "aplay to be stopped")
    assert "did not end" in speaker.problem()


def test_missing_clips_say_how_to_make_them(aplay: FakeAplay, clips_dir: pathlib.Path) -> None:
    speaker = open_speaker("alsa", clips_dir=str(clips_dir))
    (clips_dir / "both_vehicles.wav").unlink()
    with pytest.raises(HalError, match=r"both_vehicles\.wav.*tools\.voice\.render"):
        speaker.play("both_vehicles", 80)
    with pytest.raises(DeviceOpenError, match=r"both_vehicles.*tools\.voice\.render"):
        open_speaker("alsa", clips_dir=str(clips_dir))


def test_a_damaged_clip_is_a_problem(aplay: FakeAplay, clips_dir: pathlib.Path) -> None:
    (clips_dir / "left_vehicle.wav").write_bytes(b"RIFF\x00\x00")
    speaker = open_speaker("alsa", clips_dir=str(clips_dir))
    speaker.play("left_vehicle", 80)
    wait_for(lambda: not speaker.busy(), "the attempt to end")
    assert "left_vehicle.wav" in speaker.problem()


def test_the_six_clips_are_the_contract_and_short_enough_to_be_heard_in_time() -> None:
    assert list(clips.CLIPS) == [
        "left_vehicle",
        "right_vehicle",
        "both_vehicles",
        "vehicle_ahead",
        "junction_ahead",
        "self_test",
    ]
    for clip in clips.CLIPS.values():
        characters = [character for character in clip.text if "一" <= character <= "鿿"]
        assert len(characters) <= 8
        assert len(clip.pinyin.replace(",", "").split()) == len(characters)


def test_every_rendered_clip_speaks_and_is_over_in_two_seconds(tmp_path: pathlib.Path) -> None:
    if shutil.which(render.PROGRAM) is None:
        pytest.skip("espeak-ng is not installed (apt install espeak-ng)")
    render.render(tmp_path)
    durations = render.render(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(clips.CLIPS) == set(durations)
    for clip in clips.CLIPS:
        sound = wav.read(tmp_path / f"{clip}.wav")
        loud = [abs(sample) for sample in sound.samples]
        assert 0.5 < sound.duration_s <= clips.LONGEST_S
        assert max(loud) > 5000
        assert sum(value > 500 for value in loud) > len(loud) / 4


def test_rendering_without_a_voice_says_what_to_install(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert render.main(["--out", str(tmp_path)]) == 1
    assert "apt install espeak-ng" in capsys.readouterr().err
