"""What stands at the top: the day in a few sentences, and what to keep in mind. Text and page share it."""

import datetime

from tools.report.figures import UNKNOWN, Day, percentile
from tools.report.reading import Read
from tools.report.words import WORDS, number, say


def highlights(day: Day) -> list[str]:
    """The day in sentences, the most important first."""
    total = day.total
    passed = total.passed.total()
    said = [say("passed", count=passed) if passed else say("passed_none")]
    said.append(say("near", count=total.near_misses) if total.near_misses else say("near_none"))
    if total.leads_s:
        p5, median = percentile(total.leads_s, 5), percentile(total.leads_s, 50)
        said.append(say("warned", count=len(total.leads_s), p5=number(p5), median=number(median)))
        dark = sum(lead_s <= 0 for lead_s in total.leads_s)
        if dark:
            said.append(say("unwarned", count=dark))
    for name, duty in sorted(total.faces.items()):
        if duty.watched_s > 0:
            said.append(say("lit_share", face=name, pct=number(duty.lit_pct), times=duty.activations))
        if duty.fault_s >= 60:
            said.append(say("fault_share", face=name, minutes=round(duty.fault_s / 60)))
    if total.warned.count:
        said.append(
            say(
                "slowed",
                count=total.warned.count,
                kmh=_slowed(total.warned.change_kmh()),
                others=total.unwarned.count,
                other_kmh=_slowed(total.unwarned.change_kmh()),
            )
        )
    for name, duty in sorted(total.faces.items()):
        if duty.arrivals:
            said.append(
                say(
                    "needless",
                    face=name,
                    arrivals=duty.arrivals,
                    needless=duty.needless,
                    pct=number(duty.needless_pct),
                )
            )
    return said


def cautions(day: Day, read: Read, until: datetime.datetime) -> list[str]:
    """What the reader must know of these figures."""
    said = []
    if read.cut_short is not None:
        said.append(say("cut_short", reason=read.cut_short))
    floor, rtc = day.clock.get("floor", 0), day.clock.get("rtc", 0)
    if floor:
        said.append(say("clock_floor", count=floor))
    if read.undated > floor:
        said.append(say("undated", count=read.undated - floor))
    if rtc:
        said.append(say("clock_rtc", count=rtc))
    if day.odd:
        said.append(say("odd", count=day.odd))
    if day.watched_until is None:
        said.append(say("no_duty"))
    elif day.watched_until < until - datetime.timedelta(minutes=1):
        said.append(say("so_far", until=day.watched_until.strftime("%H:%M")))
    return said


def class_word(name: object) -> str:
    """A class of road user in words."""
    key = str(name) if name else UNKNOWN
    return say(key) if key in WORDS else key


def _slowed(change_kmh: float | None) -> str:
    # Adding zero turns -0.0 into 0.0.
    return number(None if change_kmh is None else round(-change_kmh, 1) + 0.0)
