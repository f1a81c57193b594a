"""The office's commands through a real Mosquitto and the real bridge to a real core and guard: what becomes of them."""

import contextlib
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.enrolled_node import EnrolledNode, enrolled
from tests.support.journals import wait_for
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.node import Road, twins
from tests.support.office import COUNTY, NODE
from tests.support.office_today import OfficeOfToday, answer

pytestmark = pytest.mark.timeout(400)

SITE = """\
site: {{id: {node}, name: 县里下命令}}
approaches:
  main_east:    {{road: main, limit_kmh: 60, conflicts: [branch_south]}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east]}}
radars:
  r_east: {{driver: ld2451, url: {east}, approach: main_east, reach_m: 100}}
lamps:
  l_branch: {{driver: gpio, pin: 17, pin_factory: mock, tap: {tap}, faces: [branch_south]}}
speakers:
  s_branch: {{driver: sim, play_s: 0.5, log: {said}, faces: [branch_south]}}
  s_broken: {{driver: sim, failure: will_not_open, faces: [main_east]}}
bridge: {{url: "mqtt://127.0.0.1:{port}"}}
"""


class Pole:
    """The node, its road, and what the county hears of it."""

    def __init__(self, node: EnrolledNode, road: Road, office: OfficeOfToday, county: Subscriber) -> None:
        self.node, self.road, self.office, self.county = node, road, office, county

    def told(self, *words: str) -> dict[str, Any]:
        """The answer to a command that was done."""
        result = self.office.run(*words)
        assert result.exit_code == 0, result.output
        assert answer(result)["outcome"] == "done"
        return dict(answer(result)["result"])

    def refused(self, *words: str) -> str:
        """Why a command could not be done."""
        result = self.office.run(*words)
        assert result.exit_code == 1 and answer(result)["outcome"] == "failed", result.output
        return str(answer(result)["why"])

    def shown(self, since_s: float) -> list[str]:
        """What the lamp has shown since then, in order."""
        return [line["shows"] for line in self.node.tap() if line["mono_ns"] / 1e9 >= since_s]


@pytest.fixture(scope="module")
def pole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pole]:
    """A node that guards and has taken the county's bundle from the broker: from then on it knows the key."""
    folder = tmp_path_factory.mktemp("pole")
    (folder / "node").mkdir()
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        office = OfficeOfToday(folder, broker)
        radars = stack.enter_context(twins("r_east"))
        road = Road(radars)
        stack.callback(road.close)
        site = SITE.format(
            node=f"{COUNTY}/{NODE.node}",
            east=radars["r_east"].path,
            tap=folder / "node" / "tap.jsonl",
            said=folder / "node" / "said.jsonl",
            port=broker.port,
        )
        node = stack.enter_context(enrolled(folder / "node", office.repository, site))
        county = Subscriber(broker.port)
        stack.callback(county.close)
        node.until_guarding()
        county.publish(f"sentinel/v1/{COUNTY}/_group/{NODE.group}/bundle", office.bundle(), retain=True)
        node.until(lambda s: (s["config"]["layers"] or {}).get("runs") == "good", "the county's configuration is taken")
        yield Pole(node, road, office, county)


def test_a_self_test_names_the_one_thing_that_is_broken(pole: Pole) -> None:
    pole.node.until_guarding()
    assert pole.told("self_test") == {
        "ok": False,
        "faces": {},
        "parts": {"s_broken": "speaker s_broken: simulated speaker does not open (failure: will_not_open)"},
    }


def test_a_lamp_test_lights_the_lamp_and_ends_by_itself(pole: Pole) -> None:
    pole.node.until_guarding()
    since_s = time.monotonic()
    assert pole.told("lamp_test", "lamp=l_branch", "shows=alert", "seconds=1") == {
        "lamp": "l_branch",
        "shows": "alert",
        "seconds": 1.0,
    }
    lit = pole.node.until_tap(lambda line: line["shows"] == "alert" and line["on"], since_s)
    pole.node.until_tap(lambda line: line["shows"] == "clear", lit["mono_ns"] / 1e9)
    assert set(pole.shown(since_s)) == {"alert", "clear"}
    assert "no lamp 'l_north'; there are: l_branch" in pole.refused(
        "lamp_test", "lamp=l_north", "shows=alert", "seconds=1"
    )


def test_a_lamp_test_that_ends_while_a_warning_is_due_leaves_the_lamp_lit(pole: Pole) -> None:
    pole.node.until_guarding()
    since_s = time.monotonic()
    arrival_s = pole.road.drive("r_east", 30)
    warned = pole.node.until_tap(lambda line: line["shows"] == "caution", since_s)
    pole.told("lamp_test", "lamp=l_branch", "shows=alert", "seconds=0.5")
    pole.node.until_tap(lambda line: line["shows"] == "alert", since_s)
    wait_for(lambda: time.monotonic() > arrival_s, "the vehicle is there")
    shown = pole.shown(warned["mono_ns"] / 1e9)
    assert set(shown) == {"caution", "alert"} and shown[-1] == "caution"


def test_a_clip_is_spoken_and_a_speaker_that_cannot_is_named(pole: Pole) -> None:
    said = pole.node.folder / "said.jsonl"
    before = len(said.read_text().splitlines()) if said.exists() else 0
    assert pole.told("say", "clip=right_vehicle", "speaker=s_branch") == {
        "clip": "right_vehicle",
        "speakers": {"s_branch": None},
    }
    spoken = [json.loads(line) for line in said.read_text().splitlines()[before:]]
    assert [line["clip"] for line in spoken] == ["right_vehicle"]
    assert "s_broken" in pole.refused("say", "clip=right_vehicle", "speaker=s_broken")
    assert "no clip 'right_boat'; there are left_vehicle" in pole.refused("say", "clip=right_boat")


def test_a_recording_is_made_and_can_be_replayed(pole: Pole) -> None:
    made = pathlib.Path(pole.told("record", "seconds=2")["path"])
    assert made.parent == pole.node.state_dir / "commanded"
    assert "already recording" in pole.refused("record", "seconds=2")
    pole.node.until(lambda s: s["recording"] is None, "the recording ends by itself")
    out = pole.node.folder / "replayed.jsonl"
    pole.node.sentinel("replay", str(made), "--as-recorded", "--out", str(out))
    assert '"kind":"face"' in out.read_text().replace(" ", "")


def test_a_report_brings_health_and_configuration_anew(pole: Pole) -> None:
    before = {leaf: len(pole.county.on(leaf)) for leaf in ("health", "config/reported")}
    assert pole.told("report") == {}
    for leaf, many in before.items():
        pole.county.wait(lambda leaf=leaf, many=many: len(pole.county.on(leaf)) > many, f"another {leaf}")
