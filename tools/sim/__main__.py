"""``python -m tools.sim``: scenes of a simulated junction, and recordings of what its sensors saw of them.

Exit 0, or 2 when the input or SUMO is missing."""

import os
import pathlib

import click

from device.recording import RecordingError
from tools.sim.demand import LEVELS
from tools.sim.layouts import LAYOUTS
from tools.sim.scene import write_scene
from tools.sim.sensing.fittings import Fitting
from tools.sim.sensing.recorder import record as record_scene
from tools.sim.sensing.weather import PRESETS
from tools.sim.simulate import arrivals, simulate
from tools.sim.sumo import SumoError

BAD_INPUT = 2


class CannotRun(click.ClickException):
    """What is asked for cannot be done here; the message says why and what to do."""

    exit_code = BAD_INPUT


@click.group()
def main() -> None:
    """Simulated junctions: what truly happened, and what sensors saw of it."""


@main.command()
@click.option("--layout", required=True, type=click.Choice(sorted(LAYOUTS)), help="Which junction.")
@click.option(
    "--demand", default="normal", show_default=True, type=click.Choice(list(LEVELS)), help="How much traffic."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--seconds", default=1800.0, show_default=True, type=click.FloatRange(1.0, 86_400.0))
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=pathlib.Path), help="Folder to write to."
)
def scene(layout: str, demand: str, seed: int, seconds: float, out: pathlib.Path) -> None:
    """Simulates a junction and writes its truth file."""
    began_s = _cpu_s()
    try:
        out.mkdir(parents=True, exist_ok=True)
        made = simulate(LAYOUTS[layout], LEVELS[demand], seed, seconds)
    except (OSError, SumoError) as error:
        raise CannotRun(str(error)) from error
    cpu_s = _cpu_s() - began_s
    path = out / f"{layout}-{demand}-{seed}.truth.jsonl"
    write_scene(made, path)
    click.echo(f"{path}: {len(made.users)} road users, {len(made.encounters)} encounters")
    came = arrivals(made)
    click.echo(
        f"{came} reached the junction; simulated in {cpu_s:.1f} s of processor time, {came / cpu_s:.0f} a second"
    )


def _cpu_s() -> float:
    """Processor time of this process and of SUMO's that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@main.command()
@click.option("--layout", required=True, type=click.Choice(sorted(LAYOUTS)), help="Which junction.")
@click.option(
    "--demand", default="normal", show_default=True, type=click.Choice(list(LEVELS)), help="How much traffic."
)
@click.option(
    "--fitting",
    default="radar_camera",
    show_default=True,
    type=click.Choice([one.value for one in Fitting]),
    help="Which sensors hang.",
)
@click.option(
    "--weather", default="clean", show_default=True, type=click.Choice(list(PRESETS)), help="What they suffer."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--seconds", default=600.0, show_default=True, type=click.FloatRange(1.0, 86_400.0))
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=pathlib.Path), help="Folder to write to."
)
def record(layout: str, demand: str, fitting: str, weather: str, seed: int, seconds: float, out: pathlib.Path) -> None:
    """Simulates a junction and writes what its sensors saw, the truth beside it, and the site file for `replay`."""
    try:
        made = simulate(LAYOUTS[layout], LEVELS[demand], seed, seconds)
        files = record_scene(made, fitting, PRESETS[weather], seed, out)
    except (OSError, SumoError, RecordingError) as error:
        raise CannotRun(str(error)) from error
    click.echo(f"{files.recording}: {len(made.users)} road users, {len(made.encounters)} encounters")
    click.echo(f"sentinel replay {files.recording} --config {files.site} --out FILE")


if __name__ == "__main__":
    main()
