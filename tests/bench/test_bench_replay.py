"""How much faster than the road a replay is: a radar-only recording, read and played, in light and in dense traffic."""

import pathlib
import random
from typing import Any

import pytest

from configs.loader import Source, validate
from device.recorded import read
from device.recording import RecordingFile
from device.replay import Replay
from hal.clock import NS_PER_S
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import Vehicle, site

MINUTES = 2


def recording(path: pathlib.Path, every_s: float) -> pathlib.Path:
    """Two radars at 10 Hz; a vehicle ``every_s`` on average, 30 to 80 km/h, at random on either side."""
    values = {**site().model_dump(mode="json"), "cameras": {}}
    rng, vehicles, t_s = random.Random(1), [], 0.0
    while t_s < MINUTES * 60:
        t_s += rng.expovariate(1 / every_s)
        vehicles.append(Vehicle(rng.uniform(30, 80), t_s, radar=rng.choice(("r_east", "r_west"))))
    file = RecordingFile(path, values, anchor_wall_ns=0, anchor_mono_ns=0, clock_quality="synced")
    for tick in range(MINUTES * 600):
        for radar in ("r_east", "r_west"):
            seen = [vehicle.target(tick / 10) for vehicle in vehicles if vehicle.radar == radar]
            report = encode_report(
                WireTarget(0, round(t.distance_m or 0), int(t.speed_mps > 0), round(abs(t.speed_mps) * 3.6))
                for t in seen
                if t is not None
            )
            file.put_radar(radar, report, tick * NS_PER_S // 10)
    file.close()
    return path


@pytest.mark.parametrize("every_s", [30, 6])
def test_bench_replay(benchmark: Any, tmp_path: pathlib.Path, every_s: float) -> None:
    path = recording(tmp_path / "a.mcap", every_s)
    recorded = read(path)
    config = validate(Source("", recorded.site_values() or {}, {}))

    def play() -> int:
        return len(list(Replay(read(path), config).lines()))

    assert benchmark(play) > 10
    if benchmark.stats is not None:  # None where benchmarks are switched off
        seconds = (recorded.messages[-1].log_ns - recorded.messages[0].log_ns) / NS_PER_S + 5
        ratio = seconds / benchmark.stats.stats.min
        benchmark.extra_info["times_real_time"] = round(ratio)
        print(f"a vehicle every {every_s} s: {ratio:.0f} times real time")  # noqa: T201 - what a benchmark is for
