"""What a bad configuration does to a county: ``python -m tools.county.rollout.measure`` prints JSON lines.

A simulated county, every node with its real bridge and provision, behind one Mosquitto with mutual TLS. The office's
real driver sends a configuration with which every core falls ill, though its schema allows it, in waves of 1 %, 10 %
and 100 %. Who ever ran it is counted from what the cores ran; the way back is timed from the driver's order to the
report of the last node. Then a worker is stopped with all its nodes, their connections left open, and the office waits
to hear of it. Invariants: nothing is counted from what was sent; a node that did not come back in ``LOST_S`` makes the
time infinite.
"""

import math
import pathlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.bench.figures import Figure, Reading
from tools.bench.printing import printed
from tools.county import folder as folders
from tools.county.checking import check
from tools.county.desk import now
from tools.county.line import Line
from tools.county.rollout import plan, signing, state
from tools.county.rollout.driver import Driver, driving
from tools.county.rollout.state import Phase, Rollout
from tools.county.simulate.behaviour import Behaviour, ailment
from tools.county.simulate.county import County, make
from tools.county.simulate.fleet import Fleet
from tools.county.simulate.measure import NODES, in_a_folder, nodes_asked_for
from tools.county.trust import repository as trust

WAVES: Final = "1%,10%,100%"
GOOD_HOLD_S, ILL_HOLD_S = 4, 9
TRIAL_S: Final = 5
SOAK_S, ANSWER_S = 5.0, 120.0
ABORT_OVER_PCT: Final = 5.0
LOST_S: Final = 300.0
ONLINE_S: Final = 300.0

FIGURES = (
    Figure("rollout_bad_wave", "", 2, NODES, "坏配置停在第几波", "the wave in which a bad configuration stops"),
    Figure("rollout_bad_ran_pct", "pct", 2, NODES, "跑过坏配置的节点", "nodes that ever ran it"),
    Figure(
        "rollout_back_s",
        "s",
        30,
        NODES,
        "下令退回到最后一个节点退回",
        "from the order to go back to the last node that was back",
    ),
    Figure("rollout_back_lost", "nodes", 0, NODES, "没有退回的节点", "nodes that did not go back"),
    Figure(
        "rollout_good_s", "s", None, 1, "同样的波次推送好配置", "a good one by the same waves, soaks of 5 s included"
    ),
    Figure(
        "rollout_all_back_s",
        "s",
        None,
        1,
        "把已经完成的推送在全部节点上退回",
        "a rollout that was done taken back on every node",
    ),
    Figure(
        "silent_shown_s",
        "s",
        90,
        NODES // 4,
        "节点停住(连接还在)到办公室看得到,最慢的",
        "a node stops with its connection open, until the office sees it, the slowest",
    ),
)


def measure(folder: pathlib.Path, nodes: int) -> dict[str, Reading]:
    """Every figure by name, of a county that is made in ``folder``. Raises RuntimeError."""
    county = make(folder, nodes, min(10, nodes))
    with Fleet(county, Behaviour(ill_by=ailment(f"policy.hold_s={ILL_HOLD_S}"))) as fleet:
        if not fleet.wait_online(ONLINE_S):
            raise RuntimeError(f"not every node connects; see {folder}/worker-*.log")
        return _measured(fleet)


def _measured(fleet: Fleet) -> dict[str, Reading]:
    nodes = len(fleet.county.group_of)
    office = _Office(fleet)
    good_s, found = office.rolls_out(GOOD_HOLD_S)
    _expect(found, Phase.DONE)
    before = {node: len(ran) for node, ran in fleet.ever_ran().items()}
    _bad_s, found = office.rolls_out(ILL_HOLD_S)
    back_s = office.back_s
    ran = {node: ran[before[node] :] for node, ran in fleet.ever_ran().items()}
    ill = sum(any(one.ill for one in each) for each in ran.values())
    is_back = found.phase is Phase.WENT_BACK
    all_back_s, taken_back = office.takes_back_what_is_done()
    return {
        "rollout_bad_wave": Reading(found.wave + 1 if is_back else math.inf, nodes),
        "rollout_bad_ran_pct": Reading(100 * ill / nodes, nodes),
        "rollout_back_s": Reading(back_s if is_back else math.inf, nodes),
        "rollout_back_lost": Reading(sum(each[-1].ill for each in ran.values() if each), nodes),
        "rollout_good_s": Reading(good_s, nodes),
        "rollout_all_back_s": Reading(all_back_s if taken_back.phase is Phase.WENT_BACK else math.inf, nodes),
        **_silence(fleet),
    }


class _Office:
    """The office's driver over a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._county: County = fleet.county
        self.back_s = math.inf

    def rolls_out(self, hold_s: float) -> tuple[float, Rollout]:
        """One hold for every group, to its end: seconds, and the rollout as it ended."""
        for group in self._county.groups:
            path = self._county.files / folders.GROUPS / f"{group}.yaml"
            path.write_text(f"policy: {{hold_s: {hold_s}}}\n", encoding="utf-8")
        checked = check(*folders.read(self._county.files))
        assert checked.is_right, "a measurement's own folder"
        with trust.locked(self._county.repository):
            county, rollout = signing.prepare(
                checked.folder,
                trust.load(self._county.repository),
                plan.parse(WAVES),
                self._county.ring(),
                now(),
                trial_s=TRIAL_S,
                soak_s=SOAK_S,
                answer_s=ANSWER_S,
                abort_over_pct=ABORT_OVER_PCT,
            )
            trust.save(self._county.repository, county)
            state.save(state.path_of(self._county.repository), rollout)
        return self._to_its_end()

    def takes_back_what_is_done(self) -> tuple[float, Rollout]:
        """A good one to its end, then the order to go back."""
        _seconds, found = self.rolls_out(GOOD_HOLD_S + 1)
        _expect(found, Phase.DONE)
        state.ordered(state.path_of(self._county.repository), state.Order.BACK)
        return self._to_its_end(lambda found: found.phase is Phase.DONE)

    def _to_its_end(self, goes_on: Callable[[Rollout], bool] = lambda _found: False) -> tuple[float, Rollout]:
        start_ns = SYSTEM_CLOCK.monotonic_ns()
        with self._driving() as drives:
            ordered_ns: int | None = None
            while True:
                found = drives.turn()
                assert found is not None, "it was saved"
                now_ns = SYSTEM_CLOCK.monotonic_ns()
                if found.phase is Phase.BACK and ordered_ns is None:
                    ordered_ns = now_ns
                if (found.is_over and not goes_on(found)) or now_ns - start_ns > LOST_S * NS_PER_S:
                    break
        if ordered_ns is not None:
            self.back_s = (now_ns - ordered_ns) / NS_PER_S
        return (now_ns - start_ns) / NS_PER_S, found

    def _driving(self) -> AbstractContextManager[Driver]:
        county = self._county
        return driving(
            county.repository,
            county.ring(),
            county.office_url,
            county.ca_file,
            county.office_pair,
            SYSTEM_CLOCK,
            now,
        )


def _silence(fleet: Fleet) -> dict[str, Reading]:
    """From the moment at which a worker is stopped to the last of its nodes that is told as offline."""
    county = fleet.county
    line = Line(
        folders.register(county.files)[0],
        county.office_url,
        county.ca_file,
        county.office_pair,
        "silence",
        SYSTEM_CLOCK,
    )
    line.start()
    stopped = set(fleet.workers[0])
    try:
        while not line.is_settled:
            line.news.wait(0.2)
            line.take()
        fleet.pause_worker(0)
        start_ns = now_ns = SYSTEM_CLOCK.monotonic_ns()
        waiting = stopped
        while waiting and now_ns - start_ns < LOST_S * NS_PER_S:
            line.news.wait(0.2)
            line.take()
            now_ns = SYSTEM_CLOCK.monotonic_ns()
            waiting = {node for node in waiting if not _is_offline(line, node)}
    finally:
        fleet.pause_worker(0, on=False)
        line.close()
    seconds = math.inf if waiting else (now_ns - start_ns) / NS_PER_S
    return {"silent_shown_s": Reading(seconds, len(stopped))}


def _is_offline(line: Line, node: str) -> bool:
    presence = line.nodes[node].presence if node in line.nodes else None
    return presence is not None and presence.state == "offline"


def _expect(found: Rollout, phase: Phase) -> None:
    if found.phase is not phase:
        raise RuntimeError(
            f"the rollout ended as {found.phase} in wave {found.wave + 1}: {found.why}; {found.failed[:5]}"
        )


def main() -> int:
    """Entry point; exit 1 where a bar is missed."""
    return printed(FIGURES, in_a_folder(measure, nodes_asked_for("tools.county.rollout.measure", __doc__)))


if __name__ == "__main__":
    sys.exit(main())
