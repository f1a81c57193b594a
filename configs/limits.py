"""The limits that keep people alive: compiled in, the same for every layer, and asked by the schema and by guard.

Invariants: no configuration that passes the schema makes a lamp dark for longer than ``DARK_LONGEST_S`` while it warns,
dims it by day, holds a warning shorter than ``HOLD_LEAST_S`` or warns later than a driver can stop; there is no key
that moves a number of this file. Standard library only: guard imports it.
"""

import math
from typing import Final

HOLD_LEAST_S: Final = 1.0
HOLD_MOST_S: Final = 30.0
"""Hold after the cause has gone. A radar frame comes every 100 ms and a track may coast 1.5 s: below a second a lamp
flickers with its sensor; above half a minute nobody connects it with a vehicle."""

ON_LEAST_S: Final = 0.5
"""Shortest ``min_on_s``: half a period of the standard flash, less is not seen as one."""

GAP_LEAST_S: Final = 4.0
GAP_MOST_S: Final = 20.0
"""Horizon of a branch face, by the gap of whoever crosses. A walker at 1.5 m/s needs 4 s for one lane of 3.5 m after
1.5 s of looking; the longest gap printed for a junction (AASHTO, combination truck) is 11.5 s, here nearly doubled."""

DARK_LONGEST_S: Final = 1.0
"""The longest that a lamp which warns may be dark between two flashes: twice the half second of the standard flash
(MUTCD 2009, 4L.01: 50 to 60 a minute, lit a half to two thirds), and less than a glance at the road ahead."""

LIT_LEAST_PCT: Final = 30.0
"""Lit share of a pattern: a shorter flash looks weaker than it is (Blondel and Rey: 0.3 s of 1 s still counts 60 %)."""

FLASH_SHORTEST_S: Final = 0.34
"""Under 3 Hz: faster flashes can provoke seizures (WCAG 2.2, 2.3.1) and read as a defect."""

BRIGHTNESS_LEAST_PCT: Final = 20
"""Brightness by night; a signal lamp dimmed further is lost among head lamps. A setting, to be checked on a pole."""

NEVER_DIM: Final = ("11:00", "15:00")
"""Broad day everywhere in the country's one time zone, all year: in Kashgar the sun is up by 10:30 in January, in
Fuyuan it sets after 15:00 in December. A lamp at 20 % in the sun is a dark lamp."""

THRESHOLD_MOST: Final = 0.7
"""A detector that must be surer than this sees hardly anybody, while its camera counts as healthy. The bundled model
ships 0.3. A setting."""

STOPPING_SIGHT_M: Final = ((20, 20), (30, 30), (40, 40), (60, 75), (80, 110), (100, 160), (120, 210))
"""(speed in km/h, stopping sight distance in metres): JTG D20-2017, table 7.9.1. The least warning of a main face."""

_KMH = 3.6


def dark_s(period_s: float, lit_pct: float) -> float:
    """How long a flashing lamp is dark between two flashes, in seconds."""
    return period_s * (1 - lit_pct / 100)


def is_dark_too_long(period_s: float, lit_pct: float) -> bool:
    """Whether a pattern leaves the lamp dark for longer than ``DARK_LONGEST_S`` (a microsecond is rounding)."""
    return dark_s(period_s, lit_pct) > DARK_LONGEST_S + 1e-6


def dims_by_day(start: str, end: str, brightness_pct: int) -> bool:
    """Whether a night from ``start`` to ``end`` (``HH:MM``, over midnight; equal: the whole day) dims ``NEVER_DIM``."""
    if brightness_pct >= 100:
        return False
    day_from, day_until = NEVER_DIM
    if start < end:
        return start < day_until and end > day_from
    return start < day_until or end > day_from


def missing_margin_s(reaction_s: float, margin_s: float, deceleration_mps2: float) -> tuple[float, int]:
    """What a main face's horizon (reaction + v / 2a + margin) lacks at worst to the stopping sight distance, in seconds
    (≤ 0: nothing), and the speed in km/h at which it lacks that."""
    return max(
        (metres / (kmh / _KMH) - reaction_s - margin_s - kmh / _KMH / (2 * deceleration_mps2), kmh)
        for kmh, metres in STOPPING_SIGHT_M
    )


def rounded_up(seconds: float) -> float:
    """To a tenth, upwards, for a message that says what would do."""
    return math.ceil(seconds * 10 - 1e-9) / 10
