"""What keeping the last 30 s costs the thread that renews the lamp's lease: a step with nothing to keep, one with two
radars and a camera, and the step on which an incident begins."""

from typing import Any

import pytest

from configs.schema import Recording as RecordingSettings
from device.events import Event, EventKind
from device.incidents import Begin, Incidents, Kept

TICK_NS = 20_000_000
OBSERVATION = {
    "kind": "observation",
    "camera": "c_branch",
    "captured_ns": 1,
    "zones": {"branch_south": {"wait": {"person": 1}}},
    "boxes": [["person", 0.9, 1.0, 2.0, 3.0, 4.0]] * 4,
}


class Road:
    """Two radars and a camera at 10 Hz for a minute, then as many steps as asked for."""

    def __init__(self) -> None:
        self.incidents = Incidents(RecordingSettings())
        self.now_ns = 0
        for _ in range(600):
            self.step()

    def step(self, events: tuple[Event, ...] = ()) -> list[Any]:
        """A tenth of a second later, with three messages."""
        self.now_ns += 5 * TICK_NS
        kept = [Kept(radar, self.now_ns, self.now_ns, bytes(40)) for radar in ("r_east", "r_west")]
        kept.append(Kept("c_branch", self.now_ns, self.now_ns, OBSERVATION))
        return self.incidents.step(self.now_ns, kept, events)

    def nothing(self) -> list[Any]:
        """A tick without any input."""
        self.now_ns += TICK_NS
        return self.incidents.step(self.now_ns, (), ())

    def alert(self) -> list[Any]:
        """An incident begins: everything of the last 30 s is handed over."""
        return self.step((Event(EventKind.NEAR_MISS, self.now_ns, "branch_south", {}),))


@pytest.mark.parametrize("what", ["nothing", "step"])
def test_bench_keeping(benchmark: Any, what: str) -> None:
    assert benchmark(getattr(Road(), what)) == []


def test_bench_an_incident_begins(benchmark: Any) -> None:
    def ended() -> tuple[tuple[Road], dict[str, object]]:
        if road.incidents.open:
            road.incidents.end()
        return (road,), {}

    road = Road()
    orders = benchmark.pedantic(Road.alert, setup=ended, rounds=200)
    assert isinstance(orders[0], Begin) and len(orders[0].before) >= 890
