"""Recordings that are damaged, newer, older, or of another program: a clear error, and what could be read is played."""

import json
import pathlib
import random
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import SiteConfig
from device import recording as recording_module
from device.cli.language import set_language
from device.cli.replay import command
from device.recorded import Recorded, ReplayError, read
from device.recording import CONFIG_TOPIC, RecordingFile
from device.replay import play
from hal.clock import NS_PER_MS, NS_PER_S
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import Vehicle, site

WALL_NS = 1_795_400_000 * NS_PER_S
ANCHOR: dict[str, object] = {"anchor_wall_ns": WALL_NS, "anchor_mono_ns": 0, "clock_quality": "synced"}


def recording(path: pathlib.Path, values: dict[str, object] | None = None, *, seconds: int = 20) -> pathlib.Path:
    """A car at 50 km/h that arrives after 12 s; both main radars at 10 Hz."""
    car = Vehicle(50, 12.0)
    file = RecordingFile(path, values or site().model_dump(mode="json"), **ANCHOR)  # type: ignore[arg-type]
    for tenth in range(10 * seconds):
        target = car.target(tenth / 10)
        seen = [WireTarget(0, round(target.distance_m or 0), int(target.speed_mps > 0), 50)] if target else []
        file.put_radar("r_east", encode_report(seen), tenth * 100 * NS_PER_MS)
        file.put_radar("r_west", encode_report([]), tenth * 100 * NS_PER_MS)
    file.close()
    return path


@pytest.fixture(autouse=True)
def chinese_after() -> Iterator[None]:
    yield
    set_language("zh")


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.delenv("SENTINEL_CONFIG", raising=False)

    def run(*words: str) -> Result:
        return CliRunner().invoke(command, [*words, "--lang", "en", "--out", str(tmp_path / "out.jsonl")])

    return run


def test_without_a_site_file_the_recording_plays_with_its_own(
    tmp_path: pathlib.Path, run: Callable[..., Result]
) -> None:
    result = run(str(recording(tmp_path / "a.mcap")))
    assert result.exit_code == 0, result.output
    assert "site file that is in the recording" in result.output
    written: list[str] = []
    play(read(tmp_path / "a.mcap"), site(), written.append)
    assert (tmp_path / "out.jsonl").read_text() == "".join(written)


def test_a_named_site_file_goes_before_the_recorded_one_unless_as_recorded(
    tmp_path: pathlib.Path, run: Callable[..., Result]
) -> None:
    path = recording(tmp_path / "a.mcap")
    missing = str(tmp_path / "none.yaml")
    assert run(str(path), "--config", missing).exit_code == 2
    assert run(str(path), "--config", missing, "--as-recorded").exit_code == 0


def test_a_site_file_of_an_older_program_is_told_with_what_can_be_read(
    tmp_path: pathlib.Path, run: Callable[..., Result]
) -> None:
    values = site().model_dump(mode="json")
    values["policy"]["gap_seconds"] = 8
    result = run(str(recording(tmp_path / "a.mcap", values)))
    assert result.exit_code == 2
    assert "policy" in result.output and "gap_seconds" in result.output
    assert "r_east 200, r_west 200 messages over 19.9 s" in result.output and "--config" in result.output
    written: list[str] = []
    play(read(tmp_path / "a.mcap"), site(), written.append)
    assert any('"caution"' in line for line in written), "and with a site file it plays"


def test_no_site_file_anywhere_is_told(tmp_path: pathlib.Path, run: Callable[..., Result]) -> None:
    from mcap.writer import Writer

    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start()
        channel = writer.register_channel("/radar/r_east/raw", "json", writer.register_schema("x", "jsonschema", b"{}"))
        writer.add_message(channel, 5, b'{"data": ""}', 5)
        writer.finish()  # type: ignore[no-untyped-call]
    result = run(str(tmp_path / "a.mcap"))
    assert result.exit_code == 2 and "give one with --config" in result.output
    assert read(tmp_path / "a.mcap").site_values() is None


def test_a_newer_format_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]
) -> None:
    monkeypatch.setattr(recording_module, "FORMAT", 3)
    recording(tmp_path / "new.mcap")
    result = run(str(tmp_path / "new.mcap"))
    assert result.exit_code == 2 and "newer version" in result.output and "format 3" in result.output


OLDER = pathlib.Path(__file__).parent / "older" / "format_1.mcap"
"""Three seconds written by the program of commit 93881e6, the last of format 1: a car at 50 km/h that comes into reach
after one second, both main radars and the branch's camera at 10 Hz. Its site file says nothing of what came later."""


def test_a_recording_of_format_1_plays_with_its_own_site_file(
    tmp_path: pathlib.Path, run: Callable[..., Result]
) -> None:
    recorded = read(OLDER)
    assert set(recorded.notes) == {"anchor_wall_ns", "anchor_mono_ns", "clock_quality"}, "it tells no format"
    assert recorded.counts() == {"c_branch": 30, "r_east": 30, "r_west": 30} and recorded.cut_off is None
    result = run(str(OLDER))
    assert result.exit_code == 0, result.output
    assert "site file that is in the recording" in result.output and "plays as by day" in result.output
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    branch = [line for line in lines if line["kind"] == "face" and line["face"] == "branch_south"]
    assert [(line["level"], line["health"]) for line in branch] == [
        ("clear", "ok"),
        ("caution", "ok"),
        ("caution", "fault"),
    ]
    assert branch[1]["cause"]["approach"] == "main_east" and 1.0 <= branch[1]["t_s"] < 1.5


@pytest.mark.parametrize("keep", [60, 200, 5_000])
def test_one_of_format_1_that_is_cut_off_says_where_and_when_it_was_begun(
    tmp_path: pathlib.Path, run: Callable[..., Result], keep: int
) -> None:
    # All of it is one chunk: that is why the chunks of today are short.
    path = tmp_path / "old.mcap"
    path.write_bytes(OLDER.read_bytes()[:keep])
    result = run(str(path))
    assert result.exit_code == 2 and f"cut off after {keep} bytes" in result.output
    assert ("begun at 2026-11-22T00:00:00.000Z" in result.output) is (keep > 60)


def test_the_error_is_told_in_chinese(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.mcap").write_text("text")
    result = CliRunner().invoke(
        command, [str(tmp_path / "a.mcap"), "--config", str(site_file(tmp_path)), "--lang", "zh"]
    )
    assert result.exit_code == 2 and "不是能读的录制" in result.output


def site_file(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "site.json"
    values = site().model_dump(mode="json")
    values["radars"]["r_west"]["url"] = "/dev/ttyAMA2"  # a port serves one radar
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_cut_off_in_the_middle_plays_to_there_and_is_exit_1(tmp_path: pathlib.Path, run: Callable[..., Result]) -> None:
    path = recording(tmp_path / "a.mcap")
    whole = path.read_bytes()
    assert run(str(path)).exit_code == 0
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    path.write_bytes(whole[: len(whole) // 2])
    result = run(str(path))
    assert result.exit_code == 1 and f"of {len(whole) // 2}" in result.output
    assert f"{read(path).duration_s:.1f} s" in result.output and 5.0 < read(path).duration_s < 15.0
    cut = (tmp_path / "out.jsonl").read_text().splitlines()
    assert cut[:3] == lines[:3], "what was read plays as before"


def test_a_cut_costs_a_second_and_never_goes_without_its_reason(tmp_path: pathlib.Path) -> None:
    path = recording(tmp_path / "a.mcap", seconds=4)  # beside the site file that it begins with
    whole, data = read(path), path.read_bytes()
    first_chunk_ends = next(cut for cut in range(len(data)) if _readable(path, data[:cut]) is not None)
    assert first_chunk_ends < len(data) / 3, "of the shortest file, two thirds are what came"
    for cut in range(0, len(data), 7):
        found = _readable(path, data[:cut])
        assert (found is None) is (cut < first_chunk_ends)
        if found is not None:
            assert (
                found.site_values() == whole.site_values() and found.messages == whole.messages[: len(found.messages)]
            )
            assert found.cut_off is not None and found.cut_off.endswith(f" of {cut}")
    half = _readable(path, data[: len(data) * 2 // 3])
    assert half is not None and half.duration_s > 0.8


def _readable(path: pathlib.Path, data: bytes) -> Recorded | None:
    path.write_bytes(data)
    try:
        return read(path)
    except ReplayError as error:
        where = f"cut off after {len(data)} bytes" if data else "it is empty"
        assert where in str(error) and (str(len(data)) if data else "文件是空的") in error.text.zh
        return None


def test_one_cut_off_before_anything_came_says_that_its_site_file_can_be_read(
    tmp_path: pathlib.Path, run: Callable[..., Result]
) -> None:
    path = recording(tmp_path / "a.mcap", seconds=4)  # beside the site file that it begins with
    data = path.read_bytes()
    path.write_bytes(next(data[:cut] for cut in range(len(data)) if _readable(path, data[:cut]) is not None))
    result = run(str(path))
    assert result.exit_code == 2
    assert "before the first radar bytes or camera observation; readable: its site file" in result.output


def test_an_incident_cut_off_inside_its_first_chunk_says_what_it_was_of(tmp_path: pathlib.Path) -> None:
    notes = {"incident": "near_miss", "face": "branch_south"}
    RecordingFile(tmp_path / "a.mcap", site().model_dump(mode="json"), notes=notes, **ANCHOR).close()  # type: ignore[arg-type]
    (tmp_path / "a.mcap").write_bytes((tmp_path / "a.mcap").read_bytes()[:400])
    with pytest.raises(
        ReplayError, match=r"inside its first chunk; it was begun at 2026-.*Z \(near_miss branch_south\)"
    ):
        read(tmp_path / "a.mcap")


@pytest.mark.parametrize("compress", [False, True])
def test_a_byte_that_is_wrong_is_told_by_what_is_wrong(tmp_path: pathlib.Path, compress: bool) -> None:
    path = tmp_path / "a.mcap"
    RecordingFile(path, site().model_dump(mode="json"), compress=compress, **ANCHOR).close()  # type: ignore[arg-type]
    data = bytearray(path.read_bytes())
    data[400] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ReplayError, match=r"damaged after byte \d+ of \d+ \(.+\); it was begun at"):
        read(path)


def test_times_that_jump_are_refused_instead_of_played_for_a_year(tmp_path: pathlib.Path) -> None:
    file = RecordingFile(tmp_path / "a.mcap", {}, **ANCHOR)  # type: ignore[arg-type]
    file.put_radar("r_east", b"", NS_PER_S)
    file.put_radar("r_east", b"", 400 * 24 * 3600 * NS_PER_S)
    file.close()
    with pytest.raises(ReplayError, match="jump 9599 hours ahead"):
        read(tmp_path / "a.mcap")


def test_a_radar_without_bytes_in_the_site_file_is_named(tmp_path: pathlib.Path) -> None:
    values = site().model_dump(mode="json")
    values["radars"]["r_west"] = {"driver": "replay", "path": "none.mcap", "approach": "main_west"}
    config = SiteConfig.model_validate(values)
    recorded = read(recording(tmp_path / "a.mcap", seconds=1))
    with pytest.raises(ReplayError, match=r"radars\.r_west: "):
        play(recorded, config, lambda _line: None)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b'{"data": 5}', b'{"data": "@@@"}', b'{"data": "AAA"}', b"\xff\xfe", b'{"other": ""}', b"null"],
)
def test_a_message_that_says_nothing_costs_itself(tmp_path: pathlib.Path, data: bytes) -> None:
    recorded = read(recording(tmp_path / "a.mcap"))
    bad = Recorded(
        tuple(
            sorted(
                [*recorded.messages, *(m for m in _like(recorded, data))],
                key=lambda m: (m.log_ns, m.topic, m.sequence),
            )
        ),
        recorded.anchor_wall_ns,
        recorded.anchor_mono_ns,
        None,
    )
    assert _faces(bad) == _faces(recorded)


def _like(recorded: Recorded, data: bytes) -> list[recording_module.Any]:
    import dataclasses

    every_third = [m for m in recorded.messages if m.topic != CONFIG_TOPIC][::3]
    return [dataclasses.replace(m, data=data, sequence=m.sequence + 10_000) for m in every_third]


def _faces(recorded: Recorded) -> list[str]:
    written: list[str] = []
    play(recorded, site(), written.append)
    return [line for line in written if '"kind": "face"' in line]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, bytes]:
    folder = tmp_path_factory.mktemp("good")
    found = {}
    for compress in (False, True):
        path = folder / f"{compress}.mcap"
        file = RecordingFile(path, {"site": {}}, compress=compress, **ANCHOR)  # type: ignore[arg-type]
        for tenth in range(300):
            file.put_radar("r_east", random.Random(tenth).randbytes(40), tenth * 100 * NS_PER_MS)
        file.close()
        found[compress] = path.read_bytes()
    return found


@given(
    compress=st.booleans(),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_damage_anywhere_gives_what_could_be_read_or_a_clear_error(
    good: dict[bool, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    compress: bool,
    cut: float,
    flips: list[tuple[float, int]],
) -> None:
    data = bytearray(good[compress])
    for where, value in flips:
        data[int(where * len(data))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.mcap"
    path.write_bytes(data[: round(cut * len(data))])
    try:
        recorded = read(path)
    except ReplayError as error:
        assert "damaged.mcap" in str(error) and error.text.zh
    else:
        assert len(recorded.messages) <= 301
        assert list(recorded.messages) == sorted(recorded.messages, key=lambda m: (m.log_ns, m.topic, m.sequence))
