"""Meetings as SUMO's own judge sees them: its SSM device's log, reduced to crossing and merging ones, one a pair.

What is relied on (SUMO's page "SSM Device" and its log): each conflict lists a type code for each tenth of a second.
6, 7 merging ahead; 10, 11 crossing ahead; 12, 13 one of the two is in the shared area; 14, 15 one has left it; 16, 17
both were in it; 2, 3, 18 one follows the other, 20 head-on on one lane. It gives a PET to crossings only; a merging is
judged by its TTC while it is ahead. It sees vehicles, not SUMO's persons, and traffic does not depend on it.

Traps: with several equipped vehicles a pair is logged from both sides; the worst TTC of a log may belong to a stretch
where one merely followed the other, and is 0 ("collision", 111) where a car passes a bicycle in one lane; so the values
are taken from the time lines, and only where the code is one of crossing or merging.
"""

import itertools
import pathlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from tools.sim.scene import Encounter
from tools.sim.sumo import SumoError

TTC_S, PET_S = 1.5, 3.0
"""What counts as a conflict."""
RANGE_M = 120.0
"""A follower 3 s behind at 100 km/h and a quarter over is 104 m away when the first clears the area."""
EXTRA_S = 5.0
"""How long a pair is watched on after the first has passed; more than PET_S."""
MERGING, CROSSING = frozenset({"6", "7"}), frozenset({"10", "11"})
INSIDE = frozenset({"12", "13", "14", "15", "16", "17"})
_MEETS = MERGING | CROSSING | frozenset({"12", "13"})
_NONE = "NA"


def options(log: str) -> list[str]:
    """SUMO's options that make the judge write ``log`` for the vehicles that carry it."""
    return [
        *("--device.ssm.measures", "TTC DRAC PET"),
        # The DRAC threshold is out of reach: DRAC alone makes no conflict here.
        *("--device.ssm.thresholds", f"{TTC_S} 1000 {PET_S}"),
        *("--device.ssm.range", str(RANGE_M), "--device.ssm.extratime", str(EXTRA_S)),
        *("--device.ssm.trajectories", "true", "--device.ssm.file", log),
    ]


def read_encounters(path: pathlib.Path, from_s: float) -> list[Encounter]:
    """The conflicts of a run by time; those that began before ``from_s`` are left out. Raises SumoError."""
    found: dict[tuple[str, str], Encounter] = {}
    try:
        for encounter in _all(path, from_s):
            pair = (encounter.first, encounter.second)
            known = found.get(pair)
            found[pair] = encounter if known is None else _worst(known, encounter)
    except ET.ParseError as error:
        raise SumoError(f"{path}: {error}") from error
    kept = (encounter for encounter in found.values() if encounter.begins_s >= 0.0)
    return sorted(kept, key=lambda encounter: (encounter.begins_s, encounter.first, encounter.second))


def _all(path: pathlib.Path, from_s: float) -> Iterator[Encounter]:
    for _, element in ET.iterparse(path):
        if element.tag == "conflict":
            encounter = _encounter(element, from_s)
            element.clear()
            if encounter is not None:
                yield encounter


def _encounter(conflict: ET.Element, from_s: float) -> Encounter | None:
    times = [float(word) for word in _words(conflict, "timeSpan")]
    codes = _words(conflict, "typeSpan")
    met = [index for index, code in enumerate(codes) if code in _MEETS]
    if not met:
        return None
    ttcs = _words(conflict, "TTCSpan")
    dracs = _words(conflict, "DRACSpan")
    ttc_s = min(_numbers(ttcs[index] for index in met), default=None)
    pet_s = min(_numbers([_value(conflict, "PET")]), default=None)
    close = ttc_s is not None and ttc_s < TTC_S
    if not close and (pet_s is None or pet_s >= PET_S):
        return None
    starts = [times[index] for index in met if ttcs[index] != _NONE and float(ttcs[index]) < TTC_S][:1]
    starts += [times[index] for index in _entries(codes)][:1]
    first, second = sorted((conflict.attrib["ego"], conflict.attrib["foe"]))
    return Encounter(
        first=first,
        second=second,
        merging=codes[met[-1]] in MERGING,
        begins_s=round(min(starts) - from_s, 2),
        ttc_s=ttc_s,
        pet_s=pet_s,
        drac_mps2=max(_numbers(dracs[index] for index in met), default=None),
    )


def _entries(codes: list[str]) -> Iterator[int]:
    """When one of the two came into what they share: said by the code, or, where two ways merge, by what was a merging
    ahead becoming one that follows the other."""
    for index, (before, code) in enumerate(itertools.pairwise(["", *codes])):
        if code in INSIDE or (before in MERGING and code not in MERGING | CROSSING | {"0"}):
            yield index


def _worst(one: Encounter, other: Encounter) -> Encounter:
    """The same pair met twice, or was logged from both sides: the first beginning, the worst values."""
    return Encounter(
        first=one.first,
        second=one.second,
        merging=(one if one.begins_s <= other.begins_s else other).merging,
        begins_s=min(one.begins_s, other.begins_s),
        ttc_s=min(_numbers([one.ttc_s, other.ttc_s]), default=None),
        pet_s=min(_numbers([one.pet_s, other.pet_s]), default=None),
        drac_mps2=max(_numbers([one.drac_mps2, other.drac_mps2]), default=None),
    )


def _numbers(values: Iterable[str | float | None]) -> list[float]:
    return [float(value) for value in values if value is not None and value != _NONE]


def _words(conflict: ET.Element, tag: str) -> list[str]:
    span = conflict.find(tag)
    return [] if span is None else span.attrib["values"].split()


def _value(conflict: ET.Element, tag: str) -> str | None:
    worst = conflict.find(tag)
    return None if worst is None else worst.attrib["value"]
