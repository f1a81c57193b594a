"""A dead radar has a day to be mended, over restarts of core and changes of the site file. Core's own steps run on a
virtual clock; the file is on a real disk."""

import pathlib

import pytest

from configs.schema import SiteConfig
from device.core import Core
from device.observation import SensorProblem
from device.runtime import Input, RadarInput, VisionInput
from device.site import config_hash, section_hashes
from hal.clock import NS_PER_S, VirtualClock
from hal.interfaces import RadarFrame
from tests.support.road import site

BRANCH = "branch_south"
HOUR_S = 3600
STEP_S = 300
SENSORS = ("r_east", "r_west", "c_branch", "c_main")


def junction(pin: int = 17) -> SiteConfig:
    """A camera beside the radars of the main road."""
    raw = site().model_dump(mode="json", exclude_none=True)
    zone = {"approach": [[0, 0], [1, 0], [1, 1]]}
    raw["cameras"]["c_main"] = {"driver": "opencv", "source": "1", "zones": {"main_east": zone, "main_west": zone}}
    raw["lamps"]["l_branch"]["pin"] = pin
    return SiteConfig.model_validate(raw)


class Node:
    """Core's control loop without its threads, in steps of five minutes. Each has its own monotonic clock, as after a
    reboot."""

    def __init__(self, folder: pathlib.Path) -> None:
        for name in ("run", "state"):
            (folder / name).mkdir(exist_ok=True)
        self.clock = VirtualClock(start_ns=5 * NS_PER_S)
        self.core = Core(junction(), folder / "site.yaml", folder / "run", folder / "state", self.clock)
        self.step_for(20, step_s=1)

    def step_for(self, seconds: int, *lost: str, step_s: int = STEP_S) -> str:
        """Everything else is heard at every step; returns the health of the branch face."""
        for _step in range(seconds // step_s):
            self.clock.advance_ns(step_s * NS_PER_S)
            self.core._step(self.clock.monotonic_ns(), self._inputs(lost))
        assert self.core.output is not None
        return self.core.output.decisions[BRANCH].health.value

    def _inputs(self, lost: tuple[str, ...]) -> list[Input]:
        now_ns = self.clock.monotonic_ns()
        inputs: list[Input] = [SensorProblem(name, now_ns, "unplugged" if name in lost else None) for name in SENSORS]
        for name in SENSORS:
            if name.startswith("r_"):
                inputs.append(RadarInput(name, (RadarFrame(name, now_ns, ()),), b"", now_ns))
            else:
                message = {"kind": "observation", "camera": name, "captured_ns": now_ns, "zones": {}}
                inputs.append(VisionInput(message, now_ns))
        return inputs

    def reasons(self) -> tuple[str, ...]:
        assert self.core.output is not None
        return self.core.output.decisions[BRANCH].reasons

    def close(self) -> None:
        self.core.vision.close()
        self.core.incident_files.close()
        self.core.camera_alone.close(timeout_s=20.0)
        self.core.journal.close()


def test_a_restart_begins_no_new_day(tmp_path: pathlib.Path) -> None:
    node = Node(tmp_path)
    assert node.step_for(20 * HOUR_S, "r_west") == "degraded"
    node.close()
    again = Node(tmp_path)
    assert again.step_for(int(3.9 * HOUR_S), "r_west") == "degraded"
    assert again.step_for(HOUR_S // 4, "r_west") == "fault"
    assert again.reasons() == ("r_west: unplugged", "camera alone for more than 24 h")
    again.close()
    last = Node(tmp_path)
    assert last.step_for(STEP_S, "r_west") == "fault", "nor does the next one"
    last.close()


def test_a_radar_that_was_mended_has_its_day_after_a_restart(tmp_path: pathlib.Path) -> None:
    node = Node(tmp_path)
    node.step_for(20 * HOUR_S, "r_west")
    assert node.step_for(HOUR_S + STEP_S) == "ok"
    node.close()
    again = Node(tmp_path)
    assert again.step_for(23 * HOUR_S, "r_west") == "degraded"
    again.close()


def test_a_changed_lamp_begins_the_pipeline_again_and_no_new_day(tmp_path: pathlib.Path) -> None:
    node = Node(tmp_path)
    node.step_for(20 * HOUR_S, "r_west")
    config = junction(pin=18)
    before = node.core.pipeline
    node.core._reload({"config": config, "sections": section_hashes(config), "sha256": config_hash(config)})
    assert node.core.pipeline is not before and node.step_for(20, "r_west", step_s=1) == "degraded"
    assert node.step_for(int(3.9 * HOUR_S), "r_west") == "degraded"
    assert node.step_for(HOUR_S // 4, "r_west") == "fault"
    node.close()


def test_a_disk_that_refuses_is_a_part_in_error_and_the_faces_go_on(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(tmp_path)
    (tmp_path / "state" / "camera_alone.json").mkdir()
    assert node.step_for(HOUR_S, "r_west") == "degraded"
    node.close()
    assert "hours of camera alone cannot be written" in str(node.core.camera_alone.problem())
    assert "camera_alone_not_written" in caplog.text
