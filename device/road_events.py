"""What road users do against the rules, from the same tracks that decide the lamps; of lorries that turn right
device.right_turn knows whether they stopped. Pure.

Invariants: one event of a kind for one track; only frames that really saw it count, a coasting track proves nothing;
in doubt there is no event, because the county may act on it; no lamp depends on anything here.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping

from configs.schema import Approach, OneWay, RoadUser, SiteConfig
from device.events import Event, EventKind
from device.right_turn import Turn, TurnWatch
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S

FAST_FRAMES = 3
"""One frame may be a ghost or two vehicles in one range cell; the lowest of three is what is reported."""

WRONG_WAY_M = 10.0
"""Who goes the wrong way really goes: an echo that drifts for two seconds covers less."""

OVER_CENTRE_M = 1.0
"""Half a lane is what a calibrated camera may be off, and what a driver may cut a bend by."""


@dataclasses.dataclass(slots=True)
class _Way:
    """One track so far."""

    seen_ns: int
    turn: TurnWatch
    fast_mps: deque[float] = dataclasses.field(default_factory=lambda: deque(maxlen=FAST_FRAMES))
    wrong_from: tuple[int, float] | None = None
    told: set[EventKind] = dataclasses.field(default_factory=set)


class RoadEventKeeper:
    """Follows every track of a node and tells what it did, once."""

    def __init__(self, config: SiteConfig) -> None:
        self._ways: dict[int, _Way] = {}
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new thresholds between two steps."""
        rules = config.road_events
        self._rules = rules
        self._approaches: Mapping[str, Approach] = config.approaches
        # A camera's speed is a difference of places: too coarse to accuse anybody.
        self._radars = frozenset(config.radars)
        self._fast_mps = {
            name: (
                approach.limit_kmh + max(approach.limit_kmh * rules.speeding_over_pct / 100, rules.speeding_over_kmh)
            )
            / 3.6
            for name, approach in config.approaches.items()
        }

    def step(self, now_ns: int, tracks: Iterable[Track]) -> list[Event]:
        """The events of this step. ``tracks``: all of them, also those that leave."""
        found: list[Event] = []
        ways: dict[int, _Way] = {}
        for track in tracks:
            way = self._ways.get(track.id) or _Way(0, TurnWatch())
            ways[track.id] = way
            found += self._right_turn(now_ns, track, way)
            if track.state is not TrackState.CONFIRMED or track.updated_ns <= way.seen_ns:
                continue
            way.seen_ns = track.updated_ns
            for kind, body in (self._speeding(track, way), self._wrong_way(track, way)):
                if body is not None and kind not in way.told:
                    way.told.add(kind)
                    found.append(Event(kind, now_ns, None, {**self._body(track), **body}))
        for track_id, way in self._ways.items():
            if track_id not in ways:
                found += self._turned(now_ns, way.turn.gone())
        self._ways = ways
        return found

    def _speeding(self, track: Track, way: _Way) -> tuple[EventKind, dict[str, float] | None]:
        limit_mps = self._fast_mps[track.approach]
        speed_mps = track.speed_mps
        near = track.distance_m is not None and track.distance_m < self._rules.speeding_from_m
        if speed_mps is None or speed_mps <= limit_mps or near or track.sensor not in self._radars:
            way.fast_mps.clear()
            return EventKind.SPEEDING, None
        way.fast_mps.append(speed_mps)
        if len(way.fast_mps) < FAST_FRAMES:
            return EventKind.SPEEDING, None
        return EventKind.SPEEDING, {"speed_mps": round(min(way.fast_mps), 1)}

    def _wrong_way(self, track: Track, way: _Way) -> tuple[EventKind, dict[str, float] | None]:
        if track.distance_m is None or track.user is RoadUser.WALKER or not self._against(track):
            way.wrong_from = None
            return EventKind.WRONG_WAY, None
        if way.wrong_from is None:
            way.wrong_from = (track.updated_ns, track.distance_m)
        since_ns, from_m = way.wrong_from
        long_enough = track.updated_ns - since_ns >= self._rules.wrong_way_s * NS_PER_S
        if not long_enough or abs(track.distance_m - from_m) < WRONG_WAY_M:
            return EventKind.WRONG_WAY, None
        return EventKind.WRONG_WAY, {}

    def _against(self, track: Track) -> bool:
        """Whether it goes against its one-way approach, or comes in on the side of those who go out."""
        one_way = self._approaches[track.approach].one_way
        if one_way is OneWay.IN:
            return track.receding
        if track.receding:
            return False
        return one_way is OneWay.OUT or (track.lateral_m is not None and track.lateral_m > OVER_CENTRE_M)

    def _right_turn(self, now_ns: int, track: Track, way: _Way) -> list[Event]:
        lane = self._approaches[track.approach].truck_right_turn
        return [] if lane is None else self._turned(now_ns, way.turn.see(now_ns, track, lane))

    def _turned(self, now_ns: int, turn: Turn | None) -> list[Event]:
        """The event of a lorry that is surely past its line, unless it had stopped."""
        if turn is None or turn.slowest_mps < self._rules.stop_below_mps:
            return []
        slowest = {"slowest_mps": round(turn.slowest_mps, 1)}
        return [Event(EventKind.RIGHT_TURN, now_ns, None, {**self._body(turn.past), **slowest})]

    def _body(self, track: Track) -> dict[str, object]:
        return {
            "approach": track.approach,
            "class": track.user.value if track.user is not None else None,
            "distance_m": None if track.distance_m is None else round(track.distance_m, 1) + 0.0,
            "speed_mps": None if track.speed_mps is None else round(track.speed_mps, 1) + 0.0,
            "limit_kmh": self._approaches[track.approach].limit_kmh,
        }
