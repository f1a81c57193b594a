"""What one step of the pipeline costs with twenty road users: beside an empty road, beside reading their bytes, and
beside telling of them, which core does when the lamps are renewed."""

from typing import Any

import pytest

from configs.schema import SiteConfig
from device.chronicle import Chronicle
from device.day import DAYLIGHT
from device.fusion import Fuser
from device.pipeline import Pipeline
from device.tracks import Track, TrackState
from hal.interfaces import Flag, RadarFrame, RadarTarget
from hal.radar.ld2451_wire import Ld2451Decoder, WireTarget, encode_report

TENTH_NS = 100_000_000


def junction() -> SiteConfig:
    """A crossing with a radar on either main approach."""
    road = {"limit_kmh": 60, "road": "main", "conflicts": ["branch_south"]}
    radar = {"driver": "ld2451", "reach_m": 100}
    return SiteConfig.model_validate(
        {
            "site": {"id": "371500/n0001", "name": "示例路口"},
            "approaches": {
                "main_east": road,
                "main_west": road,
                "branch_south": {"road": "branch", "limit_kmh": 30, "conflicts": ["main_east", "main_west"]},
            },
            "radars": {
                "r_east": {**radar, "approach": "main_east"},
                "r_west": {**radar, "approach": "main_west"},
            },
            "lamps": {"l_branch": {"driver": "gpio", "pin": 17, "faces": ["branch_south"]}},
        }
    )


class Traffic:
    """So many vehicles on each of two roads, nose to tail, one report of both radars at a time."""

    def __init__(self, each: int) -> None:
        self.pipeline = Pipeline(junction(), start_ns=0, booted=True)
        self._each = each
        self._now_ns = 0

    def step(self) -> Any:
        """A tenth of a second later."""
        self._now_ns += TENTH_NS
        # Round and round, so that the picture is the same however long the benchmark runs.
        nearest_m = 8.0 - self._now_ns / 1e9 % 4.0
        targets = tuple(
            RadarTarget(1.0, nearest_m + 9.0 * number, 0.0, Flag.APPROACHING, 100.0) for number in range(self._each)
        )
        frames = [RadarFrame(radar, self._now_ns, targets) for radar in ("r_east", "r_west")]
        return self.pipeline.step(self._now_ns, DAYLIGHT, frames)


@pytest.mark.parametrize("each", [0, 1, 10])
def test_bench_pipeline_step(benchmark: Any, each: int) -> None:
    traffic = Traffic(each)
    for _ in range(5):
        traffic.step()
    output = benchmark(traffic.step)
    assert len(output.tracks) >= 2 * each
    assert (output.decisions["branch_south"].level == "caution") is (each > 0)


@pytest.mark.parametrize("each", [0, 1, 10])
def test_bench_pipeline_step_between_frames(benchmark: Any, each: int) -> None:
    """What a replay does four times for every frame: 20 ms later, nothing heard."""
    traffic = Traffic(each)
    for _ in range(5):
        traffic.step()
    now_ns = traffic._now_ns + TENTH_NS // 5
    output = benchmark(lambda: traffic.pipeline.step(now_ns, DAYLIGHT, []))
    assert len(output.tracks) >= 2 * each


def test_bench_telling_of_twenty(benchmark: Any) -> None:
    traffic, chronicle = Traffic(10), Chronicle(junction())

    def stepped() -> tuple[tuple[Any, ...], dict[str, Any]]:
        output = traffic.step()
        return (traffic._now_ns, output), {}

    benchmark.pedantic(chronicle.step, setup=stepped, rounds=2000)
    assert chronicle.failed == 0


def test_bench_fusion_of_ten_pairs(benchmark: Any) -> None:
    tracks = [
        Track(number, "main_east", sensor, TrackState.CONFIRMED, None, 9.0 * (number % 10) + 5, 10.0, False, 0)
        for number, sensor in enumerate(["r"] * 10 + ["c"] * 10)
    ]
    fuser = Fuser({"r"}, {})
    assert len(benchmark(fuser.merge, tracks)) == 10


def test_bench_reading_the_bytes_of_ten_vehicles(benchmark: Any) -> None:
    frame = encode_report([WireTarget(0, 10 + 9 * number, 1, 40) for number in range(10)])
    decoder = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    assert len(benchmark(decoder.feed, frame, 1)[0].targets) == 10
