"""How an outage's events reach the county while broker and bridge are killed: ``python -m tools.county.drain``.

    JournalWriter -> journal.db -> python -m cloud_bridge -> mosquitto -> a subscriber that keeps (stream, seq) once

Prints figures as JSON lines like the bench. Invariants: real processes, each killed with SIGKILL at a chosen share of
the events and started again; the broker keeps nothing on a disk; the clock runs from the bridge's start to the last
event, outages included; what arrived is compared with the journal row by row. Beside it stands how the time splits: the
quiet after each kill, and the rate of messages, repeated ones too, in what is left.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from configs.schema import SiteConfig
from device.events import Event, EventKind
from device.journal import JournalWriter
from device.journal_reader import JOURNAL_FILE, JournalReader
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from hal.parent import die_with_parent
from tools.bench.figures import Figure, Reading
from tools.bench.printing import printed
from tools.demo.broker import Broker
from tools.demo.subscriber import Comparison, Subscriber

EVENTS: Final = 100_000
BROKER_KILLS: Final = 20
BRIDGE_KILLS: Final = 4
BACKLOG_PER_S: Final = 10_000.0
"""The most that a site file allows: the rate is a setting that spares a thin line, not what the bridge can do."""

WRITE_AT_ONCE: Final = 5_000
"""Half of what the journal's writer keeps in memory."""

STALLED_S: Final = 60.0
"""Nothing new for this long: it will not come any more."""

QUIET_S: Final = 0.1
"""No message for this long: something is not there or not connected yet. A drain has one in less than a millisecond."""

POLL_S: Final = 0.01
SITE_ID: Final = "371500/n0001"


# A week of a busy junction (50,000 events) is told in a minute at the rate asked for.
FIGURES = (
    Figure(
        "outbox_drain_lost",
        "events",
        0,
        EVENTS,
        "积压 10 万条、杀 20 次代理:丢的",
        "100,000 queued, 20 broker kills: lost",
    ),
    Figure(
        "outbox_drain_doubled_in_effect", "events", 0, EVENTS, "去重之后重复或走样的", "doubled or altered in effect"
    ),
    Figure("outbox_drain_repeated", "messages", None, 1, "重发的消息", "messages sent again"),
    Figure(
        "outbox_drain_rate",
        "events/s",
        1000,
        EVENTS,
        "每秒补发,含断线时间",
        "events a second, outages included",
        at_least=True,
    ),
    Figure("outbox_drain_quiet", "s", None, 1, "其中没有消息的时间", "of that, time without a message"),
    Figure("outbox_drain_flowing_rate", "messages/s", None, 1, "其余时间每秒消息", "messages a second in the rest"),
)


class DrainError(RuntimeError):
    """The run could not be carried out; the message says at which step."""


def site(port: int) -> SiteConfig:
    """A junction with nothing but a lamp and its county."""
    return SiteConfig.model_validate(
        {
            "site": {"id": SITE_ID, "name": "积压"},
            "approaches": {
                "main_east": {"road": "main", "limit_kmh": 60, "conflicts": ["branch_south"]},
                "branch_south": {"road": "branch", "limit_kmh": 30, "conflicts": ["main_east"]},
            },
            "lamps": {"l_branch": {"driver": "gpio", "pin": 17, "faces": ["branch_south"]}},
            "bridge": {"url": f"mqtt://127.0.0.1:{port}", "backlog_per_s": BACKLOG_PER_S},
        }
    )


def journalled(path: pathlib.Path, count: int) -> None:
    """A journal with ``count`` events as an outage leaves it. Raises DrainError."""
    writer = JournalWriter(path, SYSTEM_CLOCK, max_rows=2 * count)
    for n in range(count):
        body = {"from": "clear", "to": "caution", "cause": {"approach": "main_east", "distance_m": 62.4, "n": n}}
        writer.append(Event(EventKind.CAUTION, SYSTEM_CLOCK.monotonic_ns(), "branch_south", body))
        if n % WRITE_AT_ONCE == 0 and not writer.flush(60):
            raise DrainError(f"{path}: {writer.problem()}")
    if not writer.flush(60):
        raise DrainError(f"{path}: {writer.problem()}")
    writer.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Took:
    """Seconds from the bridge's start to the last event, and how many of them nothing arrived."""

    total_s: float
    quiet_s: float


class BridgeProcess:
    """``python -m cloud_bridge`` as a node runs it, in folders of its own."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self.run_dir, self.state_dir = folder / "run", folder / "state"
        for made in (self.run_dir, self.state_dir):
            made.mkdir()
        self._config = self.run_dir / "site.json"
        self._config.write_text(site(port).model_dump_json(), encoding="utf-8")
        self._log = folder / "bridge.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it (again)."""
        command = [sys.executable, "-m", "cloud_bridge", "--config", str(self._config)]
        folders = ["--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, *folders], stderr=log, preexec_fn=die_with_parent)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """In good order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def lag(self) -> int | None:
        """How many events it says are not confirmed; None while it says nothing."""
        try:
            return int(json.loads((self.run_dir / "bridge.json").read_text(encoding="utf-8"))["lag"])
        except (OSError, ValueError, KeyError):
            return None


def drain(folder: pathlib.Path, events: int, broker_kills: int, bridge_kills: int) -> tuple[Comparison, Took]:
    """What arrived against what was journalled, and how long it took. Raises DrainError and the OSErrors of broker and
    subscriber."""
    clock = SYSTEM_CLOCK
    broker = Broker(folder, clock)
    bridge = BridgeProcess(folder, broker.port)
    path = bridge.state_dir / JOURNAL_FILE
    journalled(path, events)
    kills = [(n / (broker_kills + 1), True) for n in range(1, broker_kills + 1)]
    kills += [((n - 0.5) / bridge_kills, False) for n in range(1, bridge_kills + 1)]
    kills.sort()
    try:
        with Subscriber(broker.port, clock) as county:
            started_ns = last_ns = heard_ns = clock.monotonic_ns()
            bridge.start()
            had = heard = quiet_ns = 0
            while had < events:
                clock.sleep_s(POLL_S)
                now_ns, has, messages = clock.monotonic_ns(), county.count(), county.messages()
                if messages > heard:
                    quiet_ns += now_ns - heard_ns if now_ns - heard_ns > QUIET_S * NS_PER_S else 0
                    heard, heard_ns = messages, now_ns
                if has > had:
                    had, last_ns = has, now_ns
                elif now_ns - last_ns > STALLED_S * NS_PER_S:
                    break
                if kills and had >= kills[0][0] * events:
                    _share, is_broker = kills.pop(0)
                    if is_broker:
                        broker.kill()
                        broker = Broker(folder, clock, port=broker.port)
                    else:
                        bridge.kill()
                        bridge.start()
            bridge.stop()
            took = Took((last_ns - started_ns) / NS_PER_S, quiet_ns / NS_PER_S)
            return county.compare(_rows(path)), took
    finally:
        bridge.kill()
        broker.close()


def _rows(path: pathlib.Path) -> Iterator[Any]:
    reader = JournalReader(path)
    seq = 0
    while rows := reader.after(seq, 1000):
        yield from rows
        seq = rows[-1].seq
    reader.close()


def readings(found: Comparison, took: Took, full: bool) -> dict[str, Reading]:
    """Every figure by name; a run that is shorter than the bars ask for (``full``) claims nothing."""
    rate = found.received / took.total_s if took.total_s > 0 else 0.0
    flowing_s = took.total_s - took.quiet_s
    values = {
        "outbox_drain_lost": len(found.missing),
        "outbox_drain_doubled_in_effect": len(found.different) + len(found.unknown) + found.unreadable,
        "outbox_drain_repeated": found.duplicates,
        "outbox_drain_rate": rate,
        "outbox_drain_quiet": took.quiet_s,
        "outbox_drain_flowing_rate": (found.received + found.duplicates) / flowing_s if flowing_s > 0 else 0.0,
    }
    return {name: Reading(value, EVENTS if full else 0) for name, value in values.items()}


def measure(
    events: int = EVENTS, broker_kills: int = BROKER_KILLS, bridge_kills: int = BRIDGE_KILLS
) -> dict[str, Reading]:
    """Every figure by name. Raises DrainError, OSError."""
    with tempfile.TemporaryDirectory(prefix="sentinel-drain-") as folder:
        found, took = drain(pathlib.Path(folder), events, broker_kills, bridge_kills)
    return readings(found, took, full=events >= EVENTS and broker_kills >= BROKER_KILLS)


def main() -> int:
    """Entry point; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.county.drain", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--broker-kills", type=int, default=BROKER_KILLS)
    parser.add_argument("--bridge-kills", type=int, default=BRIDGE_KILLS)
    arguments = parser.parse_args()
    found = measure(arguments.events, arguments.broker_kills, arguments.bridge_kills)
    return printed(FIGURES, found)


if __name__ == "__main__":
    sys.exit(main())
