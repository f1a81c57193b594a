"""``python -m tools.evaluate``: simulates traffic, plays it through the node, judges every face, prints the figures.

Exit 0 when every bar is met, 1 when one is missed, 2 on bad input or without SUMO.
"""

import functools
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

import click

from configs.errors import ConfigError
from device.replay import ReplayError
from tools.bench import marked
from tools.bench.figures import as_json
from tools.evaluate import figures, pace, page, plan, reached
from tools.evaluate.tally import Tally
from tools.sim.demand import LEVELS
from tools.sim.layouts import LAYOUTS
from tools.sim.scene import Scene, SceneError
from tools.sim.sensing.fittings import Fitting, site_config, site_values
from tools.sim.sensing.recorder import record
from tools.sim.sensing.weather import CLEAN
from tools.sim.simulate import simulate
from tools.sim.sumo import SumoError, home

BAD_INPUT = 2
PACE_SECONDS = 600.0
REACH_M = 100
LEAD_SAYS = ("100 m", "80 km/h", "4.5 s", "9.5 s")
"""100 m at 22.2 m/s are 4.5 s, and an unknown crosser may be a lorry: 9.5 s."""


class CannotRun(click.ClickException):
    """What is asked for cannot be done here; the message says why."""

    exit_code = BAD_INPUT


@click.command()
@click.option("--seeds", type=click.IntRange(1), help="The plan with so many fresh seeds instead of the fixed one.")
@click.option("--passages", type=click.IntRange(1), help="Fresh scenes until so many passages are judged.")
@click.option("--first-seed", type=click.IntRange(0, 2**30), help="The first of the fresh seeds, to run them again.")
@click.option("--only", default="", metavar="LAYOUT/WEATHER", help="Only scenes whose layout and weather begin so.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=pathlib.Path), help="Keep the recordings in this folder."
)
@click.option(
    "--again",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help="Judge the recordings of this folder again (kept by --keep), without simulating.",
)
@click.option("--json", "as_lines", is_flag=True, help="JSON lines alone.")
@click.option("--write/--no-write", default=False, help="Refresh docs/evidence.md and what was reached.")
@click.option("--no-worse", is_flag=True, help="Exit 0 while no figure is worse than the fixed plan has reached.")
def main(
    seeds: int | None,
    passages: int | None,
    first_seed: int | None,
    only: str,
    keep: pathlib.Path | None,
    again: pathlib.Path | None,
    as_lines: bool,
    write: bool,
    no_worse: bool,
) -> None:
    """用模拟车流判定警示是否恰当 / Judges the warning on simulated traffic."""
    started_s = time.monotonic()
    layout, _, weather = only.partition("/")
    first = secrets.randbelow(2**29) if first_seed is None else first_seed
    fresh = bool(seeds or passages)
    if fresh and not as_lines:
        click.echo(f"first seed {first}: run again with --first-seed {first}", err=True)
    if again is not None:
        jobs = iter(_again(again, layout, weather))
    else:
        jobs = (
            functools.partial(plan.work, entry, keep)
            for entry in _entries(seeds, passages, first, layout)
            if entry.weather.startswith(weather)
        )

    def enough(done: Sequence[Tally]) -> bool:
        return passages is not None and sum(one.node.passages for one in done) >= passages

    def told(one: Tally) -> None:
        click.echo(_progress(one, time.monotonic() - started_s), err=True)

    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        if again is None:
            home()
        tallies = plan.run(jobs, enough=enough, told=told)
    except (SumoError, SceneError, ConfigError, ReplayError, OSError) as error:
        raise CannotRun(str(error)) from error
    if not tallies:
        known = ", ".join(sorted({layout for layout, _, _ in plan.PLAN}))
        raise CannotRun(f"--only {only!r}: no such scene or recording; layouts of the plan: {known}")
    load = f"{os.getloadavg()[0]:.1f}"
    partial = bool(only or again)
    lines = list(figures.lines(tallies, {} if partial else _measured(), partial=partial))
    took_min = (time.monotonic() - started_s) / 60
    before = reached.reached()
    worse = reached.worse(lines, before) if no_worse else []
    if write:
        if not (fresh or partial):
            reached.keep(lines, before)
        write_section = page.fresh_section if fresh else page.section
        command = _command(seeds, passages, first, only)
        body = write_section(lines, tallies, command=command, took_min=took_min, load=load)
        name = page.FRESH_SECTION if fresh else page.SECTION
        marked.PAGE.write_text(marked.put(marked.PAGE.read_text(encoding="utf-8"), name, body), encoding="utf-8")
    if as_lines:
        for line in lines:
            click.echo(as_json(line))
    else:
        _tell(lines, tallies, took_min, load)
    if worse:
        click.echo(f"比以前差 / worse than reached before: {', '.join(worse)}", err=True)
    if worse if no_worse else any(line["ok"] is False for line in lines):
        raise SystemExit(1)


def _command(seeds: int | None, passages: int | None, first_seed: int, only: str) -> str:
    """What gives the same figures again: the folder of recordings is nobody else's, the seed is."""
    first = first_seed if seeds or passages else None
    asked = (("--seeds", seeds), ("--passages", passages), ("--first-seed", first), ("--only", only or None))
    words = [f"{word} {value}" for word, value in asked if value is not None]
    return " ".join(["python -m tools.evaluate", *words, "--write"])


def _entries(seeds: int | None, passages: int | None, first: int, layout: str) -> Iterator[plan.Entry]:
    if not any(name.startswith(layout) for name, _, _ in plan.PLAN):
        return iter(())
    every = plan.rounds(first, seeds) if seeds else plan.fresh(first) if passages else plan.fixed()
    return (entry for entry in every if entry.layout.startswith(layout))


def _again(folder: pathlib.Path, layout: str, weather: str) -> list[plan.Job]:
    found = [path for path in plan.kept(folder) if path.name.startswith(layout) and f"-{weather}" in path.name]
    return [functools.partial(plan.work_again, path) for path in found]


def _measured() -> dict[str, figures.Value]:
    """What no tally holds. Measured when nothing else of ours runs."""
    with tempfile.TemporaryDirectory(prefix="sentinel-evaluate-") as name:
        scene = simulate(LAYOUTS["t80"], LEVELS["normal"], plan.CI_SEED, PACE_SECONDS)
        files = record(scene, Fitting.RADAR_ONLY, CLEAN, plan.CI_SEED, pathlib.Path(name))
        site = site_config(scene, Fitting.RADAR_ONLY)
        p99_ms, tracks = pace.step_p99_ms(site)
        merged_ms, merged_tracks = pace.step_p99_ms(site_config(scene, Fitting.RADAR_CAMERA), camera=True)
        return {
            "evaluate_step_p99_ms": p99_ms if tracks >= 20 else None,
            "evaluate_step_merged_p99_ms": merged_ms if merged_tracks >= 20 else None,
            "evaluate_replay_ratio": pace.replay_ratio(files.recording, site),
            "evaluate_config_tells_lead": int(_config_tells_lead(scene, pathlib.Path(name))),
        }


def _config_tells_lead(scene: Scene, folder: pathlib.Path) -> bool:
    """Whether ``sentinel config check`` names reach, limit, the lead a radar of 100 m gives and the lead wanted."""
    values = site_values(scene, Fitting.RADAR_ONLY)
    for radar in values["radars"].values():
        radar["reach_m"] = REACH_M
    site = folder / "lead.site.yaml"
    site.write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, "-m", "device.cli", "--lang", "en", "config", "check", "--config", str(site)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return any(all(word in line for word in LEAD_SAYS) for line in (done.stdout + done.stderr).splitlines())


def _progress(one: Tally, elapsed_s: float) -> str:
    branch, main_road = (one.roads[road].needless_pct for road in ("branch", "main"))
    return (
        f"{elapsed_s:6.0f} s  {one.recording:<44} passages {one.node.passages:4d}  dark {one.node.dark_passages:3d}  "
        f"late {one.late}/{one.leads}  needless branch {branch:.2f} main {main_road:.2f} %  "
        f"alerted {one.met - one.missed}/{one.met}  fault {one.fault_s:.0f} s"
    )


def _tell(lines: Sequence[Mapping[str, object]], tallies: Sequence[Tally], took_min: float, load: str) -> None:
    click.echo(page.table(lines))
    click.echo(f"\n用时 / took {took_min:.1f} min, 负载 / load average {load}\n\n并排 / side by side")
    click.echo(page.side_by_side(tallies))
    for what, words in (
        ("dark", "灭灯最久 / longest dark"),
        ("needless", "无因亮灯最久 / longest needless"),
        ("missed_alert", "未及时警报 / not alerted in time"),
    ):
        found = page.worst([one for one in tallies if one.weather != "rain"], what)
        if found:
            click.echo(f"\n{words}(--keep DIR, python -m tools.evaluate.one RECORDING --at SECOND)")
            for text in found:
                click.echo(f"  {text}")
    click.echo()
    for line in lines:
        click.echo(as_json(line))


if __name__ == "__main__":
    main()
