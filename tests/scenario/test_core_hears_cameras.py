"""What a camera says of itself reaches the faces, the day and the technician; and accepting its view reaches vision."""

import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from configs.schema import Conditions
from device import ipc
from device.control import ControlError
from device.core import Core
from device.health import Health
from device.observation import SensorProblem
from device.runtime import VisionInput
from device.snapshot import snapshot
from device.vision.link import CoreLink
from device.vision.picture_health import Fault, describe
from hal.clock import NS_PER_MS, NS_PER_S, SYSTEM_CLOCK, VirtualClock
from hal.interfaces import Shows
from tests.support.road import Drive, site

BRANCH = "branch_south"


class Node:
    """Core's own steps; ``hear`` lets a second pass with a message of vision in it."""

    def __init__(self, folder: pathlib.Path, **conditions: Any) -> None:
        for name in ("run", "state"):
            (folder / name).mkdir()
        self.config = site().model_copy(update={"lamps": {}, "conditions": Conditions(**conditions)})
        self.clock = VirtualClock(start_ns=100 * NS_PER_S)
        self.core = Core(self.config, folder / "site.yaml", folder / "run", folder / "state", self.clock)

    def hear(self, message: dict[str, Any] | None) -> float | None:
        inputs = [VisionInput(message, self.clock.monotonic_ns())]
        for _ in range(55):
            self.clock.advance_ns(20 * NS_PER_MS)
            self.core._step(self.clock.monotonic_ns(), list(inputs))
            inputs = []
        return self.core.day.visibility_m

    def close(self) -> None:
        self.core.vision.close()
        self.core.incident_files.close(timeout_s=20.0)
        self.core.journal.close()


@pytest.fixture
def node(tmp_path: pathlib.Path) -> Iterator[Node]:
    started = Node(tmp_path)
    yield started
    started.close()


def says(**view: Any) -> dict[str, Any]:
    return {"kind": "camera", "camera": "c_branch", "problem": None, "fps": 10.0, "view": view}


def test_fog_that_a_camera_sees_is_in_force_within_a_second_and_ends_with_it(node: Node) -> None:
    assert node.hear(says(visibility_m=None)) is None
    assert node.hear(says(visibility_m=80.0)) == 80.0
    assert snapshot(node.core)["sensors"]["c_branch"]["counters"]["view"] == {"visibility_m": 80.0}
    assert node.hear(says(visibility_m=None)) is None


def test_when_vision_has_gone_its_fog_is_unknown_as_before(node: Node) -> None:
    assert node.hear(says(visibility_m=80.0)) == 80.0
    assert node.hear(None) is None


def test_a_camera_can_only_widen_what_the_county_has_set(tmp_path: pathlib.Path) -> None:
    node = Node(tmp_path, visibility_m=120)
    assert node.hear(says(visibility_m=300.0)) == 120.0
    assert node.hear(says(visibility_m=60.0)) == 60.0
    assert node.hear(says(visibility_m=None)) == 120.0
    node.close()


@pytest.mark.parametrize(
    "view", [{"visibility_m": "far"}, {"visibility_m": float("nan")}, {"visibility_m": []}, None, 3]
)
def test_a_visibility_that_is_no_length_is_unknown_and_the_rest_is_heard(node: Node, view: Any) -> None:
    assert node.hear(says(visibility_m=80.0)) == 80.0
    assert node.hear({**says(), "view": view, "problem": "black: covered"}) is None
    assert snapshot(node.core)["sensors"]["c_branch"]["problem"] == "c_branch: black: covered"


@pytest.mark.parametrize("fault", [Fault.MOVED, Fault.BLURRED, Fault.DAZZLED])
def test_a_camera_that_knows_that_it_does_not_see_leaves_the_junction_to_the_radars(fault: Fault) -> None:
    def word(now_ns: int, t_s: float) -> list[SensorProblem]:
        return [SensorProblem("c_branch", now_ns, describe(fault))] if t_s == 5.0 else []

    moments = Drive(extra=word).run(6)  # type: ignore[arg-type]
    face = moments[-1][BRANCH]
    assert face.health is Health.DEGRADED
    assert face.shows is Shows.CLEAR
    assert face.reasons == (f"c_branch: {describe(fault)}", "radar alone, held longer")


def test_a_view_of_a_camera_that_is_not_there_is_refused(node: Node) -> None:
    with pytest.raises(ControlError, match=r"c_nowhere.*c_branch"):
        node.core._accept_view({"camera": "c_nowhere"})


def test_without_vision_accepting_a_view_is_refused_and_with_it_vision_is_told(
    node: Node, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ControlError, match="vision is not connected"):
        node.core._accept_view({"camera": "c_branch"})
    node.core.vision.start()
    link = CoreLink(tmp_path / "run" / ipc.VISION_SOCKET, SYSTEM_CLOCK)
    assert link.connect()
    deadline = time.monotonic() + 20
    heard: list[dict[str, Any]] = []
    while not heard:
        assert time.monotonic() < deadline
        try:
            assert node.core._accept_view({"camera": "c_branch"}) == {"camera": "c_branch"}
        except ControlError:
            time.sleep(0.01)  # the receiver has not taken the connection yet
        heard = link.heard()
    assert heard[0] == {"kind": "accept_view", "camera": "c_branch"}
    link.close()
