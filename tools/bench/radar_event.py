"""A vehicle enters the reach of a radar to lamp lit: the phase of the 10 Hz radar and the confirmation included.

Single vehicles at 60 km/h come within 100 m on four main roads, each at a random moment between two reports, stay for
four reports and turn off; the lamp is dark again before the next. Not included: the radar's own signal processing
(not published; at most one period) and the UART (2.3 ms for one target at 115200 baud).
"""

import time
from collections.abc import Mapping

from hal.clock import NS_PER_S
from tools.bench.figures import Reading, spread
from tools.bench.rig import PAIRS, chance
from tools.bench.session import Session
from tools.bench.taps import visit_latencies_ms
from tools.bench.world import Arrivals, empty, visits

EVERY_S = 2.2
"""In sight 0.4 s, remembered for 1.5 s more (the hold of 1 s runs meanwhile), dark for the rest."""
STAYS_S = 0.4


def measure(session: Session) -> Mapping[str, Reading]:
    """radar_event_to_lamp_* on the node at work."""
    node = session.node()
    count = session.sizes.events_each
    session.note(f"vehicles entering the horizon, {4 * count} of them, {count * EVERY_S:.0f} s")
    random = chance()
    start_ns = time.monotonic_ns() + NS_PER_S
    arrivals = {}
    for number, pair in enumerate(PAIRS):
        own_ns = start_ns + round(number * EVERY_S / len(PAIRS) * NS_PER_S)
        arrivals[pair] = visits(own_ns, count, every_s=EVERY_S, stay_s=STAYS_S, chance=random)
        node.radars[f"main_{pair}"].play(Arrivals(arrivals[pair]))
    node.rest(start_ns + round((count + 1) * EVERY_S * NS_PER_S))
    for pair in PAIRS:
        node.radars[f"main_{pair}"].play(empty)
    # The tap holds changes only: a lamp that was dark all along has its last line before the measurement began.
    lines = node.tap.all()
    latencies_ms: list[float] = []
    for pair, seen in arrivals.items():
        found, not_dark = visit_latencies_ms(seen, lines, f"l_branch_{pair}")
        latencies_ms += found
        if not_dark:
            session.note(f"{not_dark} vehicles came while l_branch_{pair} was not dark: not counted")
    return spread("radar_event_to_lamp", latencies_ms)
