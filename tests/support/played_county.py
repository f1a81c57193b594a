"""A county without a network: the office's real driver, real provision on every pole, and a broker that is a dict.

The poles' clocks are virtual: a trial of a minute is over at once. What the broker keeps outlives a driver that is
killed, as it would; the office's calendar stands still.
"""

import pathlib
import threading
from collections.abc import Collection, Mapping
from typing import Any

from cloud_bridge.topics import ConfigReportedBody
from device import chosen
from device.provisioning import outcome
from hal.clock import NS_PER_S, VirtualClock
from tests.support import county_folder
from tests.support.office import OPENING, Office
from tests.support.pole import Pole
from tools.county.config import checked_folder
from tools.county.line import NodeSaid
from tools.county.rollout import signing, state
from tools.county.rollout.driver import Driver
from tools.county.rollout.plan import parse
from tools.county.rollout.state import Rollout
from tools.county.trust import repository

SOAK_S, ANSWER_S = 60.0, 120.0
TURN_S = 5.0


class Broker:
    """Keeps the bundles of the groups; a ``Line`` to it delivers at once. ``away``: poles that hear nothing."""

    def __init__(self, poles: Mapping[str, Pole], group_of: Mapping[str, str]) -> None:
        self.poles, self.group_of = poles, group_of
        self.kept: dict[str, bytes] = {}
        self.away: set[str] = set()
        self.published = 0
        self._given: dict[str, bytes] = {}
        self.error: str | None = None
        self.news = threading.Event()
        self.is_settled = True
        self.nodes: dict[str, NodeSaid] = {}
        self.news.set()

    def take(self) -> None:
        """The poles run what came, and say what became of it."""
        for node, pole in self.poles.items():
            if node in self.away:
                continue
            packed = self.kept.get(self.group_of[node])
            if packed is not None and self._given.get(node) != packed:
                pole.takes(packed)
                self._given[node] = packed
            layers = chosen.read(pole.place.run_dir)
            said = ConfigReportedBody(
                sha256="00", version="1", sections={}, layers=layers, outcome=outcome.read(pole.place.county)
            )
            self.nodes[node] = NodeSaid(reported=said)

    def forget(self) -> None:
        """Its store is lost, and what it knows of the poles."""
        self.kept.clear()
        self.nodes.clear()
        self._given.clear()

    def keep(self, bundles: Mapping[str, bytes]) -> int:
        for group, data in bundles.items():
            if self.kept.get(group) != data:
                self.kept[group] = data
                self.published += 1
        return 0


class PlayedCounty:
    """Five nodes in two groups, each configured by the office once (hold 4 s in the north, 3 s in the south)."""

    def __init__(self, folder: pathlib.Path, nodes: Collection[str] = tuple(county_folder.GROUPS)) -> None:
        group_of = {node: group for node, group in county_folder.GROUPS.items() if node in nodes}
        register = "county: 371500\nnodes:\n" + "".join(f"  {node}: {group}\n" for node, group in group_of.items())
        gone = county_folder.GROUPS.keys() - group_of.keys()
        left_out: dict[str, str | None] = {f"{kind}/{node}.yaml": None for node in gone for kind in ("sites", "nodes")}
        empty = set(county_folder.GROUPS.values()) - set(group_of.values())
        left_out |= {f"groups/{group}.yaml": None for group in empty}
        self.files = county_folder.write(folder / "county", {**left_out, "register.yaml": register})
        self.office = Office(folder / "keys")
        self.desk = folder / "desk"
        self.desk.mkdir()
        self.path = self.desk / "county.json"
        repository.save(self.path, self.office.repository)
        self.poles = {node: Pole(folder / node, self.office, node, group) for node, group in group_of.items()}
        self.broker = Broker(self.poles, group_of)
        self.clock = VirtualClock()

    def wants(self, changed: Mapping[str, str] | None = None) -> None:
        """Somebody edits the folder."""
        for name, text in (changed or {}).items():
            (self.files / name).write_text(text, encoding="utf-8")

    def starts(self, waves: str = "1nodes,50%,100%", first: tuple[str, ...] = ("n0001",), **how: Any) -> Rollout:
        settings: dict[str, Any] = {
            "trial_s": 60,
            "soak_s": SOAK_S,
            "answer_s": ANSWER_S,
            "abort_over_pct": 30.0,
            **how,
        }
        folder = checked_folder(self.files).folder
        steps = parse(waves, first)
        before = repository.load(self.path)
        made, rollout = signing.prepare(folder, before, steps, self.office.ring, OPENING, **settings)
        repository.save(self.path, made)
        state.save(state.path_of(self.path), rollout)
        return rollout

    def drives(self) -> Driver:
        """An office process that has just been started. It has the online key alone."""
        self.office.ring._known.clear()
        self.office.ring._given.clear()
        return Driver(self.path, self.office.ring, self.broker, self.clock, lambda: OPENING)  # type: ignore[arg-type]

    def until_over(self, drives: Driver, turns: int = 200) -> Rollout:
        for _turn in range(turns):
            found = drives.turn()
            self.clock.advance_ns(round(TURN_S * NS_PER_S))
            if found is not None and found.is_over:
                return found
        raise AssertionError(f"not over after {turns} turns: {found}")

    def holds(self) -> dict[str, float | None]:
        return {node: pole.core.hold_s for node, pole in self.poles.items()}

    def rollout(self) -> Rollout:
        found = state.load(state.path_of(self.path))
        assert found is not None
        return found
