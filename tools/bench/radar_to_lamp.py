"""Radar frame to lamp at 100 Hz, plain and with a busy vision process; and people who enter wait zones meanwhile.

One radar reports a column of vehicles at 100 Hz, so that somebody is always arriving and every frame is the newest
cause of a lit lamp: guard writes it to the tap when it applies the renewal. The other three main roads are busy too,
at 10 Hz, because a main road's lamp is lit when a vehicle comes *and* somebody is at the branch: the person who steps
into a wait zone is then what lights it. Each person is there from a random moment between two pictures on.
"""

import time
from collections.abc import Mapping

from hal.clock import NS_PER_S
from tools.bench.figures import Reading, spread
from tools.bench.rig import CAMERAS, PAIRS, Node, chance
from tools.bench.session import Session
from tools.bench.taps import TapLine, Visit, frame_latencies_ms, visit_latencies_ms
from tools.bench.world import Column, visits

HZ = 100
SETTLE_NS = 2 * NS_PER_S
"""From an empty road to a lit lamp, and for the vision process to settle."""

PERSON_EVERY_S = 3.7
"""A person leaves after 0.5 s, the camera keeps the track 1.5 s, the hold is 1 s (1.5 s while a camera is slow)."""
PERSON_STAYS_S = 0.5


def measure(session: Session) -> Mapping[str, Reading]:
    """radar_to_lamp_* and camera_event_to_lamp_* on the node at work."""
    node = session.node()
    seconds = max(session.sizes.frames / HZ, session.sizes.events_each * PERSON_EVERY_S / 2)
    session.note(f"radar to lamp and people to lamp, {seconds:.0f} s")
    start_ns = time.monotonic_ns() + SETTLE_NS
    count = int((seconds - PERSON_EVERY_S) / PERSON_EVERY_S)
    people = _people(node, start_ns, max(2, count))
    written_ns, lines = _drive(node, start_ns, seconds)
    frames = frame_latencies_ms(written_ns, lines, "l_branch_a")
    person_ms: list[float] = []
    for pair, seen in people.items():
        found, not_dark = visit_latencies_ms(seen, lines, f"l_main_{pair}")
        person_ms += found
        if not_dark:
            session.note(f"{not_dark} people entered while l_main_{pair} was not dark: not counted")
    return spread("radar_to_lamp", frames) | spread("camera_event_to_lamp", person_ms)


def measure_busy(session: Session) -> Mapping[str, Reading]:
    """radar_to_lamp_busy_*: the same with a busy Python loop inside the vision process."""
    node = session.node()
    seconds = session.sizes.frames / HZ
    session.note(f"radar to lamp beside a busy vision process, {seconds:.0f} s")
    node.replace("vision", "tools.bench.busy_vision")
    try:
        node.rest(time.monotonic_ns() + 2 * SETTLE_NS)
        written_ns, lines = _drive(node, time.monotonic_ns() + SETTLE_NS, seconds)
    finally:
        node.replace("vision", "device.vision")
    return spread("radar_to_lamp_busy", frame_latencies_ms(written_ns, lines, "l_branch_a"), ("p99", "max"))


def _people(node: Node, start_ns: int, count: int) -> dict[str, list[Visit]]:
    """Who enters which wait zone, branch by branch; the four are spread over the cycle."""
    random = chance()
    people = {
        pair: visits(
            start_ns + round(number * PERSON_EVERY_S / len(PAIRS) * NS_PER_S),
            count,
            every_s=PERSON_EVERY_S,
            stay_s=PERSON_STAYS_S,
            chance=random,
        )
        for number, pair in enumerate(PAIRS)
    }
    for camera, (left, right) in CAMERAS.items():
        node.pictures[camera].visits = (people[left], people[right])
    return people


def _drive(node: Node, start_ns: int, seconds: float) -> tuple[list[int], list[TapLine]]:
    """Lets the columns roll; returns when each report of main_a was written from ``start_ns`` on, and the tap."""
    for pair in PAIRS:
        node.radars[f"main_{pair}"].play(Column(), hz=HZ if pair == "a" else 10)
    end_ns = start_ns + round(seconds * NS_PER_S)
    # A little longer, so that the last frames meet a newer one where they have none of their own.
    node.rest(end_ns + NS_PER_S)
    written_ns = [at_ns for at_ns in node.radars["main_a"].written_ns if start_ns <= at_ns < end_ns]
    for pictures in node.pictures.values():
        pictures.visits = ((), ())
    return written_ns, node.tap.all()
