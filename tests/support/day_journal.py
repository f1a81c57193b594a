"""A junction's day in a real journal, written by the node's own writer at chosen wall times."""

import datetime
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from device.events import Event, EventKind
from device.journal import JournalWriter
from hal.clock import NS_PER_S, ClockQuality, VirtualClock

CHINA = datetime.timezone(datetime.timedelta(hours=8))
DAY = datetime.datetime(2026, 12, 5, tzinfo=CHINA)
NEXT = DAY + datetime.timedelta(days=1)


def at(hour: int, minute: int = 0, second: float = 0.0) -> datetime.datetime:
    """A time of the day."""
    return DAY + datetime.timedelta(hours=hour, minutes=minute, seconds=second)


def passage(
    face: str, when: datetime.datetime, **body: Any
) -> tuple[EventKind, datetime.datetime, str, dict[str, Any]]:
    """A car that was led by 6 s and kept its 60 km/h, unless told."""
    usual = {
        "class": "car",
        "how": "arrived",
        "lit": ["branch_south"],
        "lead_s": 6.0,
        "met_lit": False,
        "warned_mps": 16.7,
        "line_mps": 16.7,
        "braking_mps2": 0.3,
        "stopped": False,
        "wait_s": 0.0,
    }
    return (EventKind.PASSAGE, when, face, usual | body)


def change(
    face: str, when: datetime.datetime, before: str, after: str
) -> tuple[EventKind, datetime.datetime, str, dict[str, Any]]:
    """A face that goes from one level to another."""
    kind = EventKind.ALERT if "alert" in (before, after) else EventKind.CAUTION
    return (kind, when, face, {"from": before, "to": after, "cause": None})


def duty(
    when: datetime.datetime, **faces: Mapping[str, float]
) -> tuple[EventKind, datetime.datetime, None, dict[str, Any]]:
    """Ten minutes that end at ``when``."""
    nothing = {"lit_s": 0.0, "fault_s": 0.0, "arrivals": 0, "met_lit": 0, "needless": 0}
    return (
        EventKind.DUTY,
        when,
        None,
        {"watched_s": 600.0, "faces": {face: nothing | dict(its) for face, its in faces.items()}},
    )


def near_miss(when: datetime.datetime, pet_s: float = 1.2) -> tuple[EventKind, datetime.datetime, str, dict[str, Any]]:
    """A walker just behind a lorry."""
    return (
        EventKind.NEAR_MISS,
        when,
        "branch_south",
        {
            "first": {"approach": "main_east", "class": "truck", "speed_mps": 13.9},
            "second": {"approach": "branch_south", "class": "walker", "speed_mps": 1.4},
            "pet_s": pet_s,
            "ttc_s": None,
            "alert_s": {"main_east": None, "branch_south": 4.2},
        },
    )


def write(
    path: pathlib.Path,
    events: Iterable[tuple[EventKind, datetime.datetime, str | None, Mapping[str, Any]]],
    quality: ClockQuality = ClockQuality.SYNCED,
) -> None:
    """Writes (or goes on with) a journal."""
    start_ns = 10**18
    clock = VirtualClock(start_ns=start_ns, wall_ns=round(DAY.timestamp()) * NS_PER_S)
    clock.set_quality(quality)
    writer = JournalWriter(path, clock)
    try:
        for kind, when, face, body in events:
            at_ns = start_ns + round((when - DAY).total_seconds() * 1000) * 1_000_000
            writer.append(Event(kind, at_ns, face, body))
        assert writer.flush(20)
    finally:
        writer.close()
