"""How fast the node decides: one step with 20 tracks, and a replay against the clock of the road."""

import gc
import pathlib
import time

from configs.schema import SiteConfig
from device.day import DAYLIGHT
from device.pipeline import Pipeline
from device.replay import Recorded, Replay, read
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget
from tools.bench.figures import percentile

STEPS = 5_000
WARM_UP = 200
EACH_M = 9.0
REPEATS = 3
NS_PER_MS = 1_000_000


def step_p99_ms(site: SiteConfig) -> tuple[float, int]:
    """The 99th percentile of ``Pipeline.step`` in milliseconds and the tracks there were, at a site with two radars on
    the main road; ten vehicles before each, nose to tail, and every other step at 20 ms without a frame, as core has
    them."""
    radars = list(site.radars)[:2]
    pipeline = Pipeline(site, start_ns=0, booted=True, not_fitted=frozenset({*site.radars, *site.cameras} - {*radars}))
    now_ns, took_ns, tracks = 0, [], 0
    gc.collect()
    gc.freeze()
    for number in range(WARM_UP + STEPS):
        now_ns += NS_PER_S // 50
        frames = _frames(radars, now_ns) if number % 5 == 0 else []
        started_ns = time.perf_counter_ns()
        output = pipeline.step(now_ns, DAYLIGHT, frames)
        if number >= WARM_UP:
            took_ns.append(time.perf_counter_ns() - started_ns)
            tracks = max(tracks, len(output.tracks))
    gc.unfreeze()
    return percentile(took_ns, 0.99) / NS_PER_MS, tracks


def _frames(radars: list[str], now_ns: int) -> list[RadarFrame]:
    # Round and round, so that the picture is the same however long it runs.
    nearest_m = 8.0 - now_ns / NS_PER_S % 4.0
    targets = tuple(RadarTarget(1.0, nearest_m + EACH_M * number, 0.0, Flag.APPROACHING, 100.0) for number in range(10))
    return [RadarFrame(radar, now_ns, targets) for radar in radars]


def replay_ratio(recording: pathlib.Path, site: SiteConfig) -> float:
    """Seconds of road a second of replay, the median of a few plays."""
    recorded = read(recording)
    road_s = (recorded.messages[-1].log_ns - recorded.messages[0].log_ns) / NS_PER_S
    took_s = sorted(_play_s(recorded, site) for _ in range(REPEATS))
    return road_s / took_s[REPEATS // 2]


def _play_s(recorded: Recorded, site: SiteConfig) -> float:
    started_s = time.perf_counter()
    for _ in Replay(recorded, site).lines():
        pass
    return time.perf_counter() - started_s
