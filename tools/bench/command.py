"""``sentinel bench``: measures a node that it starts itself, and prints figures as JSON lines or as a table.

Exit 0 when no figure missed its bar, 1 when one did or could not be measured, 2 on bad options.
"""

import dataclasses
import pathlib
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

import click

from device.cli.common import FAULT, Verb, settings
from device.cli.language import language
from tools.bench import (
    edges,
    kills,
    memory,
    radar_event,
    radar_to_lamp,
    runtimes,
    start_up,
    vision_overhead,
    vision_share,
)
from tools.bench.figures import FIGURES, Reading, as_json, lines
from tools.bench.rig import BenchError
from tools.bench.session import FULL, QUICK, Session


@dataclasses.dataclass(frozen=True, slots=True)
class Measure:
    """One measurement and the figures that it gives, by the beginnings of their names."""

    run: Callable[[Session], Mapping[str, Reading]]
    prefixes: tuple[str, ...]

    def names(self) -> list[str]:
        """The figures it gives."""
        return [figure.name for figure in FIGURES if figure.name.startswith(self.prefixes)]


MEASURES: tuple[Measure, ...] = (
    Measure(
        radar_to_lamp.measure,
        ("radar_to_lamp_p50", "radar_to_lamp_p99", "radar_to_lamp_max", "camera_event_to_lamp"),
    ),
    Measure(radar_event.measure, ("radar_event_to_lamp",)),
    Measure(memory.measure, ("rss_",)),
    Measure(vision_share.measure, ("vision_beyond",)),
    Measure(edges.measure, ("radar_to_lamp_edge",)),
    Measure(radar_to_lamp.measure_busy, ("radar_to_lamp_busy",)),
    Measure(kills.measure_killed, ("core_killed",)),
    Measure(kills.measure_hung, ("core_hung",)),
    Measure(start_up.measure, ("start_",)),
    Measure(vision_overhead.measure, ("vision_overhead",)),
    Measure(runtimes.measure, ("detect_",)),
)
"""In this order: memory before cores are killed, and what needs no node at the end."""


def run(only: str, *, quick: bool) -> list[dict[str, object]]:
    """The lines of all figures whose name begins with ``only``, measured now."""
    found: dict[str, Reading | None] = {}
    session = Session(QUICK if quick else FULL)
    try:
        for measure in MEASURES:
            wanted = [name for name in measure.names() if name.startswith(only)]
            if not wanted:
                continue
            readings: Mapping[str, Reading] = {}
            try:
                readings = measure.run(session)
            except BenchError as error:
                session.note(f"not measured: {', '.join(wanted)}: {error}")
            found |= {name: readings.get(name) for name in wanted}
    finally:
        session.close()
    return list(lines(found))


def failed(measured: Sequence[Mapping[str, object]]) -> bool:
    """Whether any figure missed its bar or has no value."""
    return any(line["ok"] is False for line in measured)


def said(zh: str, en: str) -> str:
    """The text in the language of the command line, which is settled before this module is imported."""
    return en if language() == "en" else zh


@click.command(
    "bench",
    cls=Verb,
    short_help=said("测量延迟、内存与启动时间", "Measure latency, memory and start-up"),
    help=said(
        "在本机启动一个完整节点并测量它。完整测量约 16 分钟,--quick 约 3 分钟;测量期间请勿运行其他程序。",
        "Starts a whole node on this machine and measures it. A full run takes about 16 minutes, --quick about 3; "
        "leave the machine alone meanwhile.",
    ),
)
@click.option("--quick", is_flag=True, help=said("样本少,不作合格结论", "few samples, claims nothing (ok is null)"))
@click.option(
    "--only", default="", metavar="PREFIX", help=said("只测名称以此开头的", "only figures whose name begins so")
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=pathlib.Path),
    help=said("把 JSON 行另存到文件", "write the JSON lines to a file too"),
)
def command(quick: bool, only: str, out: pathlib.Path | None) -> None:
    """The verb."""
    if not any(figure.name.startswith(only) for figure in FIGURES):
        names = "".join(f"\n  {figure.name}" for figure in FIGURES)
        raise click.BadParameter(said("没有这样的指标,可用的有:", "no such figure; there are:") + names)
    # A bench that is told to end takes its node with it.
    signal.signal(signal.SIGTERM, _interrupt)
    measured = run(only, quick=quick)
    if out is not None:
        out.write_text("".join(as_json(line) + "\n" for line in measured), encoding="utf-8")
    for line in measured:
        click.echo(as_json(line) if settings().json else row(line))
    if failed(measured):
        sys.exit(FAULT)


def row(line: Mapping[str, object]) -> str:
    """One figure for people, with what it is in the language of the command line."""
    figure = next(figure for figure in FIGURES if figure.name == line["name"])
    value = "-" if line["value"] is None else f"{line['value']:.3f}"
    bar = "" if figure.bar is None else f"≤ {figure.bar:g}"
    says = {True: "✓", False: "✗", None: " "}[line["ok"]]  # type: ignore[index]
    return f"{says} {figure.name:<30} {value:>10} {figure.unit:<3} {bar:>7}  {said(figure.zh, figure.en)}"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
