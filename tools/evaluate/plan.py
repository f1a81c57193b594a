"""Which scenes are judged: junctions, traffic, fittings and seeds; and the work of one scene, for a pool of processes.

Invariants: a scene's result depends on its entry alone, so the same seeds give the same figures on any number of
workers and in any order; recordings live in a folder of the caller's and are removed as soon as they are judged unless
they are to be kept.
"""

import concurrent.futures
import dataclasses
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence

from configs.loader import load_site
from tools.evaluate.case import judge, tally
from tools.evaluate.tally import Tally
from tools.sim.demand import LEVELS
from tools.sim.layouts import LAYOUTS
from tools.sim.scene import read_scene
from tools.sim.sensing.fittings import Fitting, site_config
from tools.sim.sensing.recorder import record
from tools.sim.sensing.weather import PRESETS
from tools.sim.simulate import simulate

WEATHERS = ("clean", "faults", "rain")
"""Each scene is driven and recorded in each, by other road users every time: a conflict that was recorded in three
weathers would be one conflict, and count as three."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One scene. ``layout`` names one of ``tools.sim.layouts``, ``demand`` a level of ``tools.sim.demand``, ``weather``
    one of ``tools.sim.sensing.weather``."""

    layout: str
    demand: str
    fitting: Fitting
    weather: str
    seed: int
    seconds: float


PLAN: tuple[tuple[str, str, Fitting], ...] = (
    ("t60", "normal", Fitting.RADAR_CAMERA),
    ("crossing80x2", "conflicts", Fitting.RADAR_CAMERA),
    ("t80", "busy", Fitting.LONG_RADAR),
    ("crossing60", "conflicts", Fitting.FULL),
    ("curve60", "normal", Fitting.RADAR_CAMERA),
    ("t60x2", "busy", Fitting.RADAR_ONLY),
    ("skew80", "conflicts", Fitting.FULL),
    ("crossing100x2", "conflicts", Fitting.LONG_RADAR),
    ("t40", "busy", Fitting.FULL),
    ("crossing40", "conflicts", Fitting.RADAR_CAMERA),
    ("curve40x2", "normal", Fitting.RADAR_ONLY),
    ("crossing80", "conflicts", Fitting.FULL),
    ("skew60x2", "quiet", Fitting.RADAR_CAMERA),
    ("t100x2", "normal", Fitting.LONG_RADAR),
    ("crossing60x2", "conflicts", Fitting.RADAR_CAMERA),
    ("crossing100", "conflicts", Fitting.LONG_RADAR),
)
"""Every shape, limit, number of lanes, level of traffic and fitting that a node is sold with. Half of the scenes are
crossings full of reckless branch drivers: without them there are hardly any conflicts to be alerted of."""

CI_SECONDS = 600.0
FULL_SECONDS = 1200.0
CONFLICTS_LONGER = 2.0
"""Scenes full of reckless drivers run longer: a thousand conflicts are wanted, and one comes in 15 s at best."""

CI_SEED = 20_260
WORKERS = 2

Job = Callable[[], Tally]
"""The work of one scene or recording; it goes to another process."""


def fixed() -> Iterator[Entry]:
    """The scenes of CI."""
    yield from _round(CI_SEED, CI_SECONDS)


def fresh(first_seed: int) -> Iterator[Entry]:
    """Scenes without end, with seeds from ``first_seed`` on."""
    for turn in itertools.count():
        yield from _round(first_seed + turn, FULL_SECONDS)


def rounds(first_seed: int, count: int) -> Iterator[Entry]:
    """The plan with each of ``count`` seeds."""
    for turn in range(count):
        yield from _round(first_seed + turn, CI_SECONDS)


def _round(seed: int, seconds: float) -> Iterator[Entry]:
    for number, (layout, demand, fitting) in enumerate(PLAN):
        longer = CONFLICTS_LONGER if demand == "conflicts" else 1.0
        for weather, name in enumerate(WEATHERS):
            own_seed = seed + 1000 * number + 100_000 * weather
            yield Entry(layout, demand, fitting, name, own_seed, seconds * longer)


def work(entry: Entry, keep: pathlib.Path | None) -> Tally:
    """Simulates, records, plays and judges one scene."""
    scene = simulate(LAYOUTS[entry.layout], LEVELS[entry.demand], entry.seed, entry.seconds)
    with tempfile.TemporaryDirectory(prefix="sentinel-evaluate-") as name:
        files = record(scene, entry.fitting, PRESETS[entry.weather], entry.seed, keep or pathlib.Path(name))
        # The truth as it was written is what is judged, so that the same files give the same verdict again.
        truth = read_scene(files.truth)
        return tally(judge(files.recording, truth, site_config(scene, entry.fitting)), fitting=entry.fitting.value)


def kept(folder: pathlib.Path) -> list[pathlib.Path]:
    """The recordings that an earlier run kept."""
    return sorted(folder.glob("*.mcap"))


def work_again(recording: pathlib.Path) -> Tally:
    """Plays and judges a kept recording again. Raises SceneError, ConfigError, ReplayError."""
    stem = recording.name.removesuffix(".mcap")
    truth = read_scene(recording.with_name(f"{stem}.truth.jsonl"))
    site = load_site(recording.with_name(f"{stem}.site.yaml"))
    return tally(judge(recording, truth, site), fitting=stem.split("-")[1])


def run(
    jobs: Iterable[Job],
    *,
    enough: Callable[[Sequence[Tally]], bool] = lambda _: False,
    told: Callable[[Tally], None] = lambda _: None,
    workers: int = WORKERS,
) -> list[Tally]:
    """All jobs, or as many as are ``enough``; results in the order of the jobs, whoever was done first."""
    found: list[Tally] = []
    waiting = iter(jobs)
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        running = [pool.submit(job) for job in itertools.islice(waiting, workers)]
        while running:
            found.append(running.pop(0).result())
            told(found[-1])
            if enough(found):
                for other in running:
                    other.cancel()
                break
            running += [pool.submit(job) for job in itertools.islice(waiting, 1)]
    return found
