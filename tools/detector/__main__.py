"""``python -m tools.detector``: measures the bundled detectors beside both teachers, prints the figures and the bars.

Exit 0 when every bar is met, 1 when one is missed, 2 on bad input or without the pictures.
"""

import os
import pathlib
import sys
import time
from collections.abc import Mapping

import click

from hal.clock import SYSTEM_CLOCK, iso_utc
from tools.bench import marked
from tools.bench.figures import as_json
from tools.detector import alarms, bars, curves, pace, page, sheets
from tools.detector.looking import look, read_pictures, view
from tools.detector.questions import Answer, Asked, ask
from tools.detector.scorers import WEIGHTS, contestants

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SHARED = PROJECT.parent / "shared"
PAGE = PROJECT / "models" / "README.md"
CARD = WEIGHTS / "MODEL_CARD.md"

TIMED_ON = 8
"""Pole views that the models are timed on, spread over the set."""

_Folder = click.Path(file_okay=False, path_type=pathlib.Path)


@click.command()
@click.option("--data", type=_Folder, default=SHARED / "road_users" / "val", help="Folder with images/ and labels/.")
@click.option("--teachers", type=_Folder, default=SHARED / "teacher", help="Folder of the two published detectors.")
@click.option("--footage", type=_Folder, default=SHARED / "footage", help="Folder of the roadside clips.")
@click.option("--weights", type=_Folder, default=WEIGHTS, help="Folder of model manifests (default: the bundled ones).")
@click.option("--sheets", "sheet_folder", type=_Folder, help="Write picture sheets of the worst misses into it.")
@click.option("--every", type=click.IntRange(1), default=1, help="Only every so many-th picture: a look, no verdict.")
@click.option("--json", "as_lines", is_flag=True, help="Every figure as a JSON line, and nothing else.")
@click.option("--write", is_flag=True, help="Refresh the sections of models/README.md and of the model card.")
def main(
    data: pathlib.Path,
    teachers: pathlib.Path,
    footage: pathlib.Path,
    weights: pathlib.Path,
    sheet_folder: pathlib.Path | None,
    every: int,
    as_lines: bool,
    write: bool,
) -> None:
    """在同样的图片上把自带检测器与两个公开检测器并排评测 / Judges the bundled detectors beside two public ones."""
    if write and every > 1:
        raise click.UsageError("--write: a look at every few pictures is no verdict; leave --every out")
    if sheet_folder is not None:
        sheets.check(sheet_folder)
    started_s = time.monotonic()
    load = f"{os.getloadavg()[0]:.1f}"

    def told(text: str) -> None:
        click.echo(f"{time.monotonic() - started_s:6.0f} s  {text}", err=True)

    pictures = read_pictures(data, every)
    models = contestants(weights, teachers)
    counted = alarms.count(models, footage)
    told("clips")
    looks = look(models, pictures, told)
    pole = [one.sample.image() for one in pictures if one.sample.pole]
    times = pace.by_turns(models, pole[:: max(1, len(pole) // TIMED_ON)])
    views = [view(True, pictures, looks), view(False, pictures, looks)]
    answers: dict[Asked, Mapping[str, Answer]] = {}
    for one in views:
        answers.update(ask(one, curves.draws(len(one.pictures)), {model.name: model.threshold for model in models}))
    ours = [model.name for model in models if model.ours]
    judged = list(bars.lines(ours, answers, times))
    if every > 1:
        judged = [{**line, "ok": None} for line in judged]
    run = page.Measured([model.name for model in models], views, answers, times, counted, judged)
    if sheet_folder is not None:
        told(f"{sheets.write(sheet_folder, models, pictures, looks)} sheets in {sheet_folder}")
    if as_lines:
        for line in page.every_line(run):
            click.echo(as_json(line))
    else:
        click.echo(page.tables(run))
        click.echo()
        for line in judged:
            click.echo(as_json(line))
    if write:
        _write(run, took_min=(time.monotonic() - started_s) / 60, load=load)
    sys.exit(1 if any(line["ok"] is False for line in judged) else 0)


def _write(run: page.Measured, *, took_min: float, load: str) -> None:
    command, date = "python -m tools.detector --write", iso_utc(SYSTEM_CLOCK.wall_ns())[:10]
    for path, name, body in (
        (PAGE, page.SECTION, page.section(run, command=command, date=date, took_min=took_min, load=load)),
        (CARD, page.CARD_SECTION, page.card_section(run, command=command, date=date)),
    ):
        path.write_text(marked.put(path.read_text(encoding="utf-8"), name, body), encoding="utf-8")


if __name__ == "__main__":
    main()
