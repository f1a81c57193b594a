"""The vision process as a node runs it: real pixels, the real detector, and core at the other end of the socket."""

import base64
import json
import os
import pathlib
import signal
import subprocess
from typing import Any

import psutil
import pytest
from mcap.reader import make_reader

from configs.loader import load_site
from device import ipc
from device.vision.view_file import ViewFile
from hal.clock import SYSTEM_CLOCK
from models.manifest import BUNDLED
from tests.support.video import write_video
from tests.support.vision_core import WHOLE, StubCore, site_text, vision_process
from tests.unit.test_view import learned

FOOTAGE = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "footage" / "side_road_day.mp4"

pytestmark = pytest.mark.skipif(not BUNDLED.exists(), reason=f"the bundled model is not there yet: {BUNDLED}")


def site(folder: pathlib.Path, cameras: str, extra: str = "") -> pathlib.Path:
    path = folder / "site.yaml"
    path.write_text(site_text(cameras, extra), encoding="utf-8")
    return path


def observation(camera: str) -> Any:
    return lambda message: message["kind"] == "observation" and message["camera"] == camera


def stop(process: "subprocess.Popen[bytes]") -> int:
    helpers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    status = process.wait(20)
    assert not psutil.wait_procs(helpers, timeout=10)[1]
    return status


def test_one_camera_films_while_the_others_are_told_as_faults(tmp_path: pathlib.Path) -> None:
    lane = write_video(tmp_path / "lane.avi", frames=60)
    config = site(
        tmp_path,
        f"  c_lane: {{driver: opencv, source: {lane}, loop: true, {WHOLE}}}\n"
        f"  c_gone: {{driver: opencv, source: /dev/video97, {WHOLE}}}\n"
        f"  c_typo: {{driver: opencv, source: {lane}, looop: true, {WHOLE}}}\n",
    )
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        core.until(observation("c_lane"))
        gone = core.until(lambda m: m["kind"] == "camera" and m["camera"] == "c_gone" and m["problem"] != "starting")
        assert "/dev/video97" in gone["problem"]
        typo = core.until(lambda m: m["kind"] == "camera" and m["camera"] == "c_typo" and m["problem"] != "starting")
        assert "looop" in typo["problem"]
        told = core.until(lambda m: m["kind"] == "vision" and m["ready"] and m["frames"] > 5)
        assert told["problem"] is None
        assert told["latency_p99_ms"] > told["inference_p50_ms"] > 0
        assert stop(process) == 0
    core.close()


def test_core_may_die_and_come_back(tmp_path: pathlib.Path) -> None:
    config = site(tmp_path, f"  c_lane: {{driver: sim, {WHOLE}}}\n")
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        core.until(observation("c_lane"))
        core.close()
        core = StubCore(tmp_path)
        assert core.until(lambda m: m["kind"] == "camera")["problem"] is None  # told afresh
        core.until(observation("c_lane"))
        assert process.poll() is None
        core.say({"kind": "restart"})
        assert process.wait(20) == ipc.EXIT_RESTART
    core.close()


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_model_that_cannot_be_trusted_is_a_fault_and_the_process_lives(tmp_path: pathlib.Path, damage: str) -> None:
    manifest = tmp_path / BUNDLED.name
    if damage == "cut off":
        manifest.write_bytes(BUNDLED.read_bytes())
        weights = json.loads(BUNDLED.read_text())["file"]
        (tmp_path / weights).write_bytes((BUNDLED.parent / weights).read_bytes()[:-1000])
    config = site(tmp_path, f"  c_lane: {{driver: sim, {WHOLE}}}\n", f"detector: {{manifest: {manifest}}}\n")
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        told = core.until(lambda m: m["kind"] == "vision")
        assert told["problem"]
        assert not told["ready"]
        core.until(lambda m: m["kind"] == "camera" and m["problem"] is None)
        assert not [m for m in core.listen_for(0.5) if m["kind"] == "observation"]
        assert stop(process) == 0
    core.close()


def test_a_site_file_that_cannot_be_used_ends_with_two(tmp_path: pathlib.Path) -> None:
    config = site(tmp_path, f"  c_lane: {{driver: sim, zonen: 1, {WHOLE}}}\n", "policy: {hold_s: 900}\n")
    with vision_process(config, tmp_path) as process:
        assert process.wait(20) == 2
    assert "hold_s" in (tmp_path / "vision.log").read_text()


def test_a_hung_capture_is_replaced_while_the_other_camera_is_observed(tmp_path: pathlib.Path) -> None:
    lane = write_video(tmp_path / "lane.avi", frames=60)
    config = site(
        tmp_path,
        f"  c_a: {{driver: opencv, source: {lane}, loop: true, {WHOLE}}}\n"
        f"  c_b: {{driver: opencv, source: {lane}, loop: true, {WHOLE}}}\n",
    )
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        core.until(observation("c_a"))
        core.until(observation("c_b"))
        (nursery,) = psutil.Process(process.pid).children()
        victim = nursery.children()[0]
        victim.suspend()
        sick = core.until(lambda m: m["kind"] == "camera" and m["restarts"] == 1)["camera"]
        core.until(observation("c_b" if sick == "c_a" else "c_a"))
        core.until(observation(sick))
        assert not psutil.wait_procs([victim], timeout=5)[1]
        assert stop(process) == 0
    core.close()


def test_pictures_are_recorded_only_where_the_site_says_so(tmp_path: pathlib.Path) -> None:
    lane = write_video(tmp_path / "lane.avi", frames=60)
    camera = f"  c_lane: {{driver: opencv, source: {lane}, loop: true, {WHOLE}}}\n"
    for images in (False, True):
        folder = tmp_path / str(images)
        folder.mkdir()
        core = StubCore(folder)
        with vision_process(site(folder, camera, f"recording: {{images: {str(images).lower()}}}\n"), folder) as process:
            core.until(lambda m: m["kind"] == "vision" and m["frames"] >= 3)
            assert stop(process) == 0
        core.close()
        found = list(folder.glob("state/images/*.mcap"))
        assert len(found) == images
    seen = {message["captured_ns"] for message in core.messages if message["kind"] == "observation"}
    with found[0].open("rb") as file:
        reader = make_reader(file)
        anchor = next(record for record in reader.iter_metadata() if record.name == "sentinel").metadata
        messages = list(reader.iter_messages())
    assert {channel.topic for _, channel, _ in messages} == {"/camera/c_lane/image"}
    assert {schema.name for schema, _, _ in messages if schema is not None} == {"foxglove.CompressedImage"}
    jpeg = base64.b64decode(json.loads(messages[0][2].data)["data"])
    assert jpeg[:2] == b"\xff\xd8"
    offset_ns = int(anchor["anchor_mono_ns"]) - int(anchor["anchor_wall_ns"])
    assert seen & {message.log_time + offset_ns for _, _, message in messages}


def test_a_picture_of_an_event_is_kept_only_where_the_site_says_so(tmp_path: pathlib.Path) -> None:
    lane = write_video(tmp_path / "lane.avi", frames=60)
    camera = f"  c_lane: {{driver: opencv, source: {lane}, loop: true, {WHOLE}}}\n"
    for wanted in (False, True):
        folder = tmp_path / str(wanted)
        folder.mkdir()
        core = StubCore(folder)
        extra = f"recording: {{snapshots: {str(wanted).lower()}}}\n"
        with vision_process(site(folder, camera, extra), folder) as process:
            core.until(observation("c_lane"))
            core.say({"kind": "snapshot", "camera": "c_lane"})
            core.until(lambda m: m["kind"] == "vision" and m["frames"] >= 15)
            assert stop(process) == 0
        core.close()
        found = list((folder / "state" / "images" / "snapshots").glob("*-c_lane.jpg"))
        assert len(found) == wanted
        assert list(folder.rglob("*.mcap")) == []
    assert found[0].read_bytes()[:2] == b"\xff\xd8"


def test_a_view_is_known_after_a_restart_until_core_says_that_another_one_is_right(tmp_path: pathlib.Path) -> None:
    lane = write_video(tmp_path / "lane.avi", frames=60)
    config = site(tmp_path, f"  c_lane: {{driver: opencv, source: {lane}, loop: true, {WHOLE}}}\n")
    file = ViewFile(tmp_path / "state", "c_lane", load_site(config).cameras["c_lane"], SYSTEM_CLOCK)
    file.keep(learned())
    file.close()
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        core.until(lambda m: m["kind"] == "camera" and m["view"]["state"] == "unsure")
        core.say({"kind": "accept_view", "camera": "c_lane"})
        core.until(lambda m: m["kind"] == "camera" and m["view"]["state"] == "learning")
        assert stop(process) == 0
    core.close()
    assert file.read() is None


@pytest.mark.skipif(not FOOTAGE.exists(), reason=f"footage is not part of the project and not there: {FOOTAGE}")
def test_real_cars_on_a_side_road_occupy_its_zone(tmp_path: pathlib.Path) -> None:
    config = site(tmp_path, f"  c_road: {{driver: opencv, source: {FOOTAGE}, loop: true, {WHOLE}}}\n")
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        told = core.until(lambda m: m["kind"] == "observation" and m["counts"].get("car", 0) >= 3)
        assert told["zones"]["branch_south"]["wait"]["car"] == told["counts"]["car"]
        assert told["size"] == [640, 352]
        assert all(0 <= box[2] < box[4] <= 640 and 0 <= box[3] < box[5] <= 352 for box in told["boxes"])
        assert stop(process) == 0
    core.close()


def test_what_vision_must_not_import_stays_out(tmp_path: pathlib.Path) -> None:
    config = site(tmp_path, f"  c_lane: {{driver: opencv, source: {write_video(tmp_path / 'lane.avi')}, {WHOLE}}}\n")
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path) as process:
        core.until(observation("c_lane"))
        (nursery,) = psutil.Process(process.pid).children()
        maps = {
            "vision": pathlib.Path(f"/proc/{process.pid}/maps").read_text(),
            "capture": pathlib.Path(f"/proc/{nursery.pid}/maps").read_text(),
        }
        assert "onnxruntime" in maps["vision"]
        assert "onnxruntime" not in maps["capture"]
        assert "pydantic" not in maps["capture"]
        assert os.getpriority(os.PRIO_PROCESS, process.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        assert stop(process) == 0
    core.close()
