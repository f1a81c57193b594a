"""``sentinel demo``: guards a demonstration junction for a minute and says whether it was guarded well.

Exit 0 when every vehicle was warned in time, no lamp was lit without cause for more than a second, the camera drove a
face and the county received what was journalled; 1 otherwise; 2 when something it needs is missing.
"""

import pathlib
import tempfile

import click

from device.cli.common import BAD_INPUT, FAULT, Verb, emit, fail, settings
from device.cli.language import language
from hal.clock import SYSTEM_CLOCK
from tools.demo.words import Words

SHORTEST_S, LONGEST_S = 15, 3600


def _help(zh: str, en: str) -> str:
    return en if language() == "en" else zh


@click.command(
    "demo",
    cls=Verb,
    without=("--config", "--run-dir", "--state-dir"),
    help=_help(
        "演示路口值守一段时间并给出小结:真实的驱动、进程和代理服务器,雷达字节走伪终端,相机放真实录像。",
        "Guard a demonstration junction for a while and print a summary: real drivers, processes and broker, "
        "radar bytes down a pty, a camera on a real video.",
    ),
)
@click.option(
    "--seconds",
    type=click.IntRange(SHORTEST_S, LONGEST_S),
    default=60,
    show_default=True,
    help=_help("值守多少秒。", "How long to guard."),
)
@click.option("--seed", type=int, default=1, show_default=True, help=_help("车流的种子。", "Seed of the traffic."))
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    default=None,
    help=_help("把证据(灯记录、录制、日志)留在此目录。", "Keep the evidence (tap, recording, logs) in this folder."),
)
def demo(seconds: int, seed: int, keep: pathlib.Path | None) -> None:
    """Runs the demonstration."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="sentinel-demo-") as folder:
            _demo(pathlib.Path(folder), seconds, seed)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        used = any(keep.iterdir())
    except OSError as error:
        fail(BAD_INPUT, f"--keep {keep}: {error.strerror}")
    if used:
        fail(BAD_INPUT, _help(f"--keep {keep}:要一个空目录", f"--keep {keep}: must be an empty folder"))
    _demo(keep.resolve(), seconds, seed, kept=True)


def _demo(folder: pathlib.Path, seconds: int, seed: int, *, kept: bool = False) -> None:
    # Imported here: the help of the command line must not load paho and Rich.
    from rich.console import Console

    from tools.demo.broker import BrokerError, installed
    from tools.demo.footage import FootageError, footage
    from tools.demo.node import Demo, DemoError
    from tools.demo.screen import LiveScreen
    from tools.demo.subscriber import SubscriberError

    words = Words(language())
    screen = LiveScreen(Console(), words, quiet=settings().json)
    try:
        screen.say(words("footage"))
        video = footage()
        county = installed() is not None
        if not county:
            screen.say(words("no_broker"))
        with screen:
            demonstration = Demo(folder, video, seconds=seconds, seed=seed, clock=SYSTEM_CLOCK, county=county)
            summary = demonstration.run(screen.show)
    except (FootageError, BrokerError, SubscriberError) as error:
        fail(BAD_INPUT, str(error))
    except DemoError as error:
        fail(FAULT, str(error))
    except KeyboardInterrupt:
        fail(FAULT, _help("已中断", "interrupted"))
    text = summary.as_text(words)
    if kept:
        text += f"\n  {words('kept')} {folder}"
    emit(summary.as_json(), text)
    if not summary.passed:
        raise click.exceptions.Exit(FAULT)
