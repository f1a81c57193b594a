"""The demonstration's screen: what the node knows now, drawn from its status. Pure, but for ``LiveScreen``.

On a terminal it is redrawn four times a second; elsewhere (a build's log) a line is printed every few seconds.
"""

from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tools.demo import junction
from tools.demo.node import View
from tools.demo.words import Words

KMH = 3.6
LINE_EVERY_S = 5.0
STYLES = {"alert": "bold white on red", "caution": "black on yellow", "fault": "black on yellow", "clear": "dim"}
USERS_SHOWN = 9
COLUMNS = {"approach": 13, "who": 12, "distance": 10, "speed": 10, "tta": 12, "state": 10, "sensor": 10}
"""Widths that hold every word of both languages, so that columns stand still."""
WIDTH = 100


def draw(view: View, words: Words) -> RenderableType:
    """The whole screen."""
    status = view.status or {}
    return Panel(
        Group(
            _head(view, words),
            _users(status, words),
            Columns([_faces(status, words), _lamps(status, words)]),
            _voice(status, words),
            _messages(view, words),
        ),
        title=words("title"),
        width=WIDTH,
    )


def line(view: View, words: Words) -> str:
    """The screen in one line, for a log."""
    status = view.status or {}
    lamps = " ".join(
        f"{name}={words('dark' if lamp['shows'] == 'clear' else lamp['shows'])}"
        for name, lamp in (status.get("lamps") or {}).items()
    )
    shown = (
        f"{words(view.phase)} {view.elapsed_s:.0f}/{view.seconds:.0f} s"
        if view.phase == "guarding"
        else words(view.phase)
    )
    users = len([track for track in status.get("tracks") or [] if track["state"] != "tentative"])
    return (
        f"{shown}  {words('users')} {users}  {lamps}  {words('messages')}: {words('journalled')} "
        f"{_journalled(view)}, {words('confirmed')} {view.confirmed}, {words('received')} {view.received}"
    )


def _head(view: View, words: Words) -> Text:
    if view.phase != "guarding":
        return Text(f"{words(view.phase)}  {view.elapsed_s:.0f} s", style="bold")
    done = round(30 * min(1.0, view.elapsed_s / view.seconds))
    bar = "█" * done + "░" * (30 - done)
    latency = ((view.status or {}).get("latency_ms") or {}).get("radar") or {}
    text = Text(f"{words('guarding')} {bar} {view.elapsed_s:.0f}/{view.seconds:.0f} s", style="bold")
    if latency.get("p50") is not None:
        text.append(
            f"   {words('lamp_latency')} p50 {latency['p50']:.1f} ms · p99 {latency['p99']:.1f} ms", style="not bold"
        )
    return text


def _users(status: dict[str, Any], words: Words) -> Table:
    table = Table(box=None, pad_edge=False)
    for key, width in COLUMNS.items():
        right = key in ("distance", "speed", "tta")
        table.add_column(words(key), justify="right" if right else "left", header_style="dim", min_width=width)
    rows = 0
    for name in (*junction.MAIN, junction.SOUTH):
        tracks = [track for track in status.get("tracks") or [] if track["approach"] == name]
        for track in tracks[: USERS_SHOWN // 3]:
            table.add_row(*_user(track, words), style="dim" if track["receding"] else "")
            rows += 1
        if not tracks:
            table.add_row(words(name), Text(words("nobody"), style="dim"))
            rows += 1
    for _ in range(USERS_SHOWN - rows):  # a screen of one height does not jump
        table.add_row("")
    return table


def _user(track: dict[str, Any], words: Words) -> list[str]:
    speed_mps, distance_m, tta_s = track["speed_mps"], track["distance_m"], track["time_to_arrival_s"]
    state = track["state"]
    if state == "confirmed":
        state = "leaves" if track["receding"] else "comes"
    return [
        words(track["approach"]),
        words(track["class"] or "vehicle"),
        "–" if distance_m is None else f"{distance_m:.0f}",
        "–" if speed_mps is None else f"{abs(speed_mps) * KMH:.0f}",
        "–" if tta_s is None else f"{tta_s:.1f}",
        words(state),
        track["sensor"],
    ]


def _faces(status: dict[str, Any], words: Words) -> Table:
    table = Table(box=None, pad_edge=False)
    for key in ("faces", "level", "health", "cause"):
        table.add_column(words(key), header_style="dim", min_width={"faces": 13, "cause": 20}.get(key, 8))
    for name, face in (status.get("faces") or {}).items():
        cause = face["cause"]
        text = ""
        if cause is not None:
            text = words(cause["approach"])
            if cause["time_to_arrival_s"] is not None:
                text += f" {cause['distance_m']:.0f} m, {cause['time_to_arrival_s']:.1f} s"
        table.add_row(words(name), Text(words(face["level"]), style=STYLES[face["level"]]), words(face["health"]), text)
    return table


def _lamps(status: dict[str, Any], words: Words) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(words("lamps"), header_style="dim", min_width=10)
    table.add_column("", min_width=8)
    for name, lamp in (status.get("lamps") or {}).items():
        lit = "●" if lamp["on"] else "○"
        shown = words("dark" if lamp["shows"] == "clear" else lamp["shows"])
        table.add_row(name, Text(f"{lit} {shown}", style=STYLES[lamp["shows"]]))
    return table


def _voice(status: dict[str, Any], words: Words) -> Text:
    speaker = (status.get("speakers") or {}).get(junction.SPEAKER) or {}
    text = f"{words('voice')}: "
    if speaker.get("last_clip") is None:
        text += words("no_voice")
    else:
        text += f"“{words(speaker['last_clip'])}” {words('ago', s=format(speaker['last_ago_s'], '.0f'))}"
    if speaker.get("muted"):
        text += f" ({words('muted')})"
    return Text(text)


def _messages(view: View, words: Words) -> Text:
    return Text(
        f"{words('messages')}: {words('journalled')} {_journalled(view)} → {words('confirmed')} {view.confirmed} → "
        f"{words('received')} {view.received}"
    )


def _journalled(view: View) -> str:
    last = ((view.status or {}).get("journal") or {}).get("last_seq")
    return "–" if last is None else str(last)


class LiveScreen:
    """Shows views on a terminal, or as lines where there is none. A context manager."""

    def __init__(self, console: Console, words: Words, *, quiet: bool = False) -> None:
        self._console = console
        self._words = words
        self._quiet = quiet
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal and not quiet else None
        self._printed: tuple[str, int] | None = None

    def show(self, view: View) -> None:
        """One view."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(draw(view, self._words), refresh=True)
            return
        due = (view.phase, int(view.elapsed_s / LINE_EVERY_S))
        if due != self._printed:
            self._printed = due
            self._console.print(line(view, self._words), highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line above the screen."""
        if not self._quiet:
            self._console.print(text, highlight=False, soft_wrap=True)

    def __enter__(self) -> "LiveScreen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._live is not None:
            self._live.stop()
