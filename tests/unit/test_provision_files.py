"""A configuration with larger files: it waits until they are there, is tried with them, and takes them along when it
goes."""

import hashlib
import json
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from configs import loader
from configs.local_layer import LIFE_S, LocalLayer
from device.chosen import Runs
from device.provisioning import loading
from device.provisioning import outcome as outcomes
from device.provisioning.enrolment import AWAITED
from device.provisioning.fetch import TRIES
from device.provisioning.fitting import OPTION
from device.provisioning.outcome import What
from device.provisioning.place import Place
from device.provisioning.store import PART
from device.provisioning.wave import Wave, everyone
from device.speaking import Speakers
from hal.speaker import clips
from models.errors import ModelError
from models.manifest import BUNDLED, read_manifest, read_weights
from models.runtimes import open_detector
from tests.support.county_files import CLIP, SPEAKER, clip, config, listed, tone
from tests.support.file_server import RIGHT, Does, FileServer, serving
from tests.support.office import Office
from tests.support.pole import ILL_HOLD_S, Pole

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def first_office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return QuickOffice(tmp_path_factory.mktemp("keys"))


class QuickOffice(Office):
    """Its trials take no time unless it says so."""

    def says(self, group: str, hold_s: float, nodes: Mapping[str, str] | None = None, **how: Any) -> bytes:
        return super().says(group, hold_s, nodes, **{"wave": everyone(trial_s=0), **how})


@pytest.fixture
def office(first_office: Office) -> Office:
    return first_office.as_it_is()


@pytest.fixture
def pole(tmp_path: pathlib.Path, office: Office) -> Pole:
    found = Pole(tmp_path / "pole", office)
    text = found.place.site_path.read_text(encoding="utf-8")
    found.place.site_path.write_text(text + SPEAKER, encoding="utf-8")
    found.start()
    return found


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as found:
        yield found
    for thread in threading.enumerate():
        if thread.name == "fetch":  # left behind in a transfer that has just ended
            thread.join(20)


def what(pole: Pole, packed: bytes) -> What:
    outcome = pole.takes(packed)
    assert outcome is not None
    assert outcomes.read(pole.place.county) == outcome
    assert not list(pole.place.inbox.iterdir())
    return outcome.what


def stored(place: Place) -> set[str]:
    return {path.name for path in place.store.files.iterdir()}


def test_a_clip_alone_is_a_new_trial_and_is_played_when_it_is_over(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    assert what(pole, office.says("north", 5)) is What.CONFIRMED
    first, second = tone(1000, tmp_path), tone(2000, tmp_path)
    assert what(pole, office.says("north", 5, files=listed(server, {CLIP: first}))) is What.CONFIRMED
    assert clip(pole) == first
    assert OPTION not in config(pole).speakers["s_desk"].options(), "its driver plays no files"
    before = pole.core.reloads
    assert what(pole, office.says("north", 5, files=listed(server, {CLIP: second}))) is What.CONFIRMED
    assert clip(pole) == second and pole.core.reloads > before
    assert stored(pole.place) == {hashlib.sha256(second).hexdigest()}, "nobody names the first any more"
    assert len(list(pole.place.store.sets.iterdir())) == 1
    assert what(pole, office.says("north", 5)) is What.CONFIRMED, "the county takes its clip back"
    assert clip(pole) is None and stored(pole.place) == set()


def test_another_address_of_the_same_file_is_no_new_trial(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    files = listed(server, {CLIP: tone(1000, tmp_path)})
    assert what(pole, office.says("north", 5, files=files)) is What.CONFIRMED
    moved = files.replace(server.url, "https://files.example.net")
    assert what(pole, office.says("north", 5, files=moved)) is What.NOTHING_NEW


def test_what_does_harm_with_a_file_is_taken_back_with_its_file(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    first, second = tone(1000, tmp_path), tone(2000, tmp_path)
    assert what(pole, office.says("north", 4, files=listed(server, {CLIP: first}))) is What.CONFIRMED
    packed = office.says("north", ILL_HOLD_S, files=listed(server, {CLIP: second}))
    assert what(pole, packed) is What.REVERTED
    assert clip(pole) == first and stored(pole.place) == {hashlib.sha256(first).hexdigest()}
    asked = len(server.asked)
    assert what(pole, packed) is What.REVERTED_BEFORE
    assert len(server.asked) == asked, "and is not fetched again"
    third = listed(server, {CLIP: tone(3000, tmp_path)})
    assert what(pole, office.says("north", ILL_HOLD_S, files=third)) is What.REVERTED, "another file is another offer"
    assert what(pole, office.says("north", 6, files=third)) is What.CONFIRMED


def test_until_its_files_are_there_the_node_runs_what_it_had_and_goes_on_the_next_time(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    assert what(pole, office.says("north", 4)) is What.CONFIRMED
    server.then, server.always = [Does(cut_at=100)], Does(status=503)
    outcome = pole.takes(office.says("north", 5, files=listed(server, {CLIP: tone(1000, tmp_path)})))
    assert outcome is not None and (outcome.what, outcome.code, outcome.exit_code) == (What.AWAITING, "status", 1)
    assert "503" in str(outcome.why) and outcome.version is not None
    assert len(server.asked) == 1 + TRIES
    assert pole.core.hold_s == 4 and pole.place.slots.state().trial is None
    pole.start()
    assert pole.core.hold_s == 4
    server.always = RIGHT
    outcome = pole.run()
    assert outcome is not None and outcome.what is What.CONFIRMED
    assert pole.core.hold_s == 5 and not (pole.place.county / AWAITED).exists()
    assert server.asked[-1].begins == 100, "what came was kept"


def while_loading(server: FileServer, act: Callable[[], object]) -> None:
    """Something happens in the middle of the next transfer, which is then cut."""
    server.then = [Does(cut_at=100, first=act)]


@pytest.mark.parametrize("says", ["back", "nobody", "newer", "no_bundle"])
def test_the_county_is_heard_while_a_file_loads(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path, says: str
) -> None:
    assert what(pole, office.says("north", 4)) is What.CONFIRMED
    files = listed(server, {CLIP: tone(1000, tmp_path)})
    pole.receives(office.says("north", 5, files=files))
    heard = {
        "back": lambda: office.says("north", 4),
        "nobody": lambda: office.says("north", 5, files=files, wave=Wave("later", 0)),
        "newer": lambda: office.says("north", 6),
        "no_bundle": lambda: b"rubbish",
    }[says]()
    while_loading(server, lambda: pole.receives(heard, "b.bundle"))
    outcome = pole.run()
    assert outcome is not None and not list(pole.place.inbox.iterdir())
    expected, hold_s, requests = {
        "back": (What.NOTHING_NEW, 4, 1),
        "nobody": (What.NOT_IN_WAVE, 4, 1),
        "newer": (What.CONFIRMED, 6, 1),
        "no_bundle": (What.CONFIRMED, 5, 2),
    }[says]
    assert (outcome.what, pole.core.hold_s, len(server.asked)) == (expected, hold_s, requests)
    assert not (pole.place.county / AWAITED).exists()
    assert not [name for name in stored(pole.place) if name.endswith(PART)], "what nobody waits for is thrown away"


def test_a_server_that_never_comes_to_the_point_keeps_no_order_waiting(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LISTENS_S", 0.1)
    files = listed(server, {CLIP: tone(1000, tmp_path)})
    pole.receives(office.says("north", 5, files=files))
    back = office.says("north", 4)
    server.then = [Does(trickles=True, first=lambda: pole.receives(back, "b.bundle"))]
    outcome = pole.run()
    assert outcome is not None and outcome.what is What.CONFIRMED and pole.core.hold_s == 4
    assert len(server.asked) == 1, "it still sends"
    (left,) = (thread for thread in threading.enumerate() if thread.name == "fetch")
    server.to_the_point.set()
    left.join(20)
    assert not left.is_alive() and stored(pole.place) == set(), "nobody waits for it any more"


def test_an_address_that_never_comes_to_the_point_is_not_the_only_one(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LISTENS_S", 0.1)
    named = json.loads(listed(server, {CLIP: tone(1000, tmp_path)}))
    named[CLIP]["urls"].append(f"{server.url}/b")
    server.files["/b"] = tone(1000, tmp_path)
    server.then = [Does(trickles=True, first=lambda: pole.clock.sleep_s(loading.SLICE_S))]
    assert what(pole, office.says("north", 5, files=json.dumps(named))) is What.CONFIRMED
    assert [asked.path for asked in server.asked][1:] == ["/b"]


def test_the_order_to_go_back_reaches_a_trial_whose_successor_waits_for_a_file(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    """The trial goes on; what waits is fetched when it is over."""
    pole.receives(office.says("north", 5, wave=everyone(trial_s=60)))
    next_one = office.says("north", 6, files=listed(server, {CLIP: tone(1000, tmp_path)}))
    looks = 0
    ask = pole.core.ask

    def looked(verb: str, **how: object) -> object:
        nonlocal looks
        if verb == "status" and pole.place.slots.state().trial is not None:
            looks += 1
            if looks == 3:
                pole.receives(next_one)
            if looks == 6:
                assert (pole.core.hold_s, server.asked) == (5, []), "watched, and nothing is fetched"
        return ask(verb, **how)

    pole.core.ask = looked  # type: ignore[method-assign]
    outcome = pole.run()
    assert outcome is not None and outcome.what is What.CONFIRMED and looks > 6
    assert pole.core.hold_s == 6


def test_a_change_made_by_hand_ends_while_a_file_loads_for_days(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    assert what(pole, office.says("north", 4)) is What.CONFIRMED
    site = loader.read(pole.place.site_path).values
    LocalLayer(pole.place.state_dir).set(site, "policy.hold_s", 7, pole.place.moment())
    pole.run()
    holds, kept_up_s = [], []

    def a_day() -> None:
        holds.append(pole.core.hold_s)
        kept_up_s.append(round(LocalLayer(pole.place.state_dir).read()[0].up_s))
        pole.clock.sleep_s(LIFE_S / 3)

    server.then = [Does(cut_at=100, first=a_day)] * 5
    files = listed(server, {CLIP: tone(1000, tmp_path)})
    assert what(pole, office.says("north", 5, files=files)) is What.CONFIRMED
    assert holds == [7, 7, 7, 4, 4]
    began_s = kept_up_s[0]
    assert kept_up_s[:3] == [began_s + round(day * LIFE_S / 3) for day in range(3)], "its age outlives a power cut"


@pytest.mark.parametrize(
    "files", ["[]", "{", '{"clips/../x.wav": {}}', '{"models/a": {"sha256": "0", "bytes": 1, "urls": []}}']
)
def test_files_that_are_not_well_named_refuse_the_bundle(pole: Pole, office: Office, files: str) -> None:
    outcome = pole.takes(office.says("north", 5, files=files))
    assert outcome is not None and (outcome.what, outcome.code) == (What.REFUSED, "bad_files")
    assert pole.core.hold_s == 3


def test_a_node_outside_the_wave_of_the_files_takes_nothing(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    files = listed(server, {CLIP: tone(1000, tmp_path)})
    packed = office.says("north", 5, files=files, waves={"files.json": Wave("later", 0)})
    assert what(pole, packed) is What.NOT_IN_WAVE
    assert not server.asked and pole.core.hold_s == 3


MODEL = {"models/better.json": b'{"a": 1}', "models/better.onnx": b"weights" * 100}


def test_a_model_of_the_county_is_a_path_that_vision_can_open(pole: Pole, office: Office, server: FileServer) -> None:
    named = {"n0001": "detector: {manifest: county/better.json}\n"}
    assert what(pole, office.says("north", 5, named, files=listed(server, MODEL))) is What.CONFIRMED
    manifest = pathlib.Path(str(config(pole).detector.manifest))
    assert manifest.read_bytes() == MODEL["models/better.json"]
    assert manifest.with_name("better.onnx").read_bytes() == MODEL["models/better.onnx"]


def test_a_model_that_the_county_does_not_name_is_refused(pole: Pole, office: Office, server: FileServer) -> None:
    named = {"n0001": "detector: {manifest: county/other.json}\n"}
    outcome = pole.takes(office.says("north", 5, named, files=listed(server, MODEL)))
    assert outcome is not None and (outcome.what, outcome.code) == (What.REFUSED, "config")
    assert "county/other.json" in str(outcome.why) and "county/better.json" in str(outcome.why)
    assert pole.core.hold_s == 3


@pytest.fixture
def opening(pole: Pole, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Pole:
    """A pole whose core says of detector and speaker what those really say when they open what is compiled."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aplay").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "bin" / "aplay").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for name in clips.CLIPS:  # no voice has to be rendered
        (tmp_path / f"{name}.wav").write_bytes(tone(500, tmp_path))
    text = pole.place.site_path.read_text(encoding="utf-8")
    text = text.replace("driver: alsa, ", f"driver: alsa, clips_dir: {tmp_path}, ")
    pole.place.site_path.write_text(text, encoding="utf-8")
    pole.start()
    ask, opened = pole.core.ask, {}

    def parts() -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            manifest = config(pole).detector.manifest
            open_detector("onnxruntime", None if manifest is None else pathlib.Path(manifest))
            found["vision"] = {"state": "OK", "problem": None}
        except ModelError as error:
            found["vision"] = {"state": "ERROR", "problem": str(error)}
        speakers = Speakers(config(pole), pole.clock)
        problem = speakers.problem("s_branch")
        speakers.close()
        return {**found, "s_branch": {"state": "ERROR" if problem else "OK", "problem": problem}}

    def really(verb: str, **how: object) -> Any:
        answer = ask(verb, **how)
        if verb == "status":
            sha256 = answer["config"]["sha256"]
            if sha256 not in opened:
                opened[sha256] = parts()
            answer["parts"] = opened[sha256]
        return answer

    pole.core.restarts = ["vision"]
    pole.core.ask = really  # type: ignore[method-assign]
    return pole


@pytest.mark.skipif(not BUNDLED.exists(), reason="the bundled model is not there yet")
def test_a_model_that_vision_opens_is_confirmed_and_one_that_it_cannot_is_taken_back(
    opening: Pole, office: Office, server: FileServer
) -> None:
    manifest = read_manifest(BUNDLED)
    better = {"models/ours.json": BUNDLED.read_bytes(), f"models/{manifest.file}": read_weights(BUNDLED, manifest)}
    named = {"n0001": "detector: {manifest: county/ours.json}\n"}
    assert what(opening, office.says("north", 5, named, files=listed(server, better))) is What.CONFIRMED
    runs = config(opening).detector.manifest
    worse = {**better, f"models/{manifest.file}": b"weights of another model"}
    outcome = opening.takes(office.says("north", 5, named, files=listed(server, worse)))
    assert outcome is not None and outcome.what is What.REVERTED and "part vision" in str(outcome.why)
    assert config(opening).detector.manifest == runs and read_weights(pathlib.Path(str(runs)), manifest)


def test_a_clip_that_cannot_be_played_is_taken_back(opening: Pole, office: Office, server: FileServer) -> None:
    packed = office.says("north", 5, files=listed(server, {CLIP: b"RIFF, and then nothing"}))
    outcome = opening.takes(packed)
    assert outcome is not None and outcome.what is What.REVERTED and "left_vehicle.wav" in str(outcome.why)
    assert clip(opening) is None


def test_a_good_slot_that_lost_a_file_is_left_out_told_and_mended(
    pole: Pole, office: Office, server: FileServer, tmp_path: pathlib.Path
) -> None:
    sound = tone(1000, tmp_path)
    assert what(pole, office.says("north", 5, files=listed(server, {CLIP: sound}))) is What.CONFIRMED
    (folder,) = pole.place.store.sets.iterdir()
    (folder / CLIP).unlink()
    said = pole.start()
    assert said.runs is Runs.SITE and CLIP in str(said.problem)
    pole.run()
    assert pole.core.hold_s == 5 and clip(pole) == sound
    assert len(server.asked) == 1, "the bytes were still there"
    (folder / CLIP).unlink()
    (pole.place.store.files / hashlib.sha256(sound).hexdigest()).unlink()
    pole.start()
    pole.run()
    assert clip(pole) == sound and len(server.asked) == 2


def test_a_slot_of_an_earlier_version_is_read(pole: Pole, office: Office) -> None:
    assert what(pole, office.says("north", 5)) is What.CONFIRMED
    (path,) = (pole.place.county / "slots").iterdir()
    values = json.loads(path.read_bytes())
    del values["files"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert pole.good is not None and pole.good.files == {}
    offer = hashlib.sha256(json.dumps([pole.good.group, None, pole.good.salt]).encode()).hexdigest()
    assert pole.good.offer == offer, "what was reverted then is not tried again now"
    assert what(pole, office.says("north", 5)) is What.NOTHING_NEW
