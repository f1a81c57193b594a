"""What happened at the line, measured from the tracks and what the faces showed: PASSAGE, NEAR_MISS and DUTY. Pure.

    tracks, decisions -> Passing per road user (device.passing) -> passage -> near misses (device.near_miss), duty

Invariants: it decides nothing and nothing decides by it; a road user makes one PASSAGE at most, under however many
track ids and sensors it was seen; what was not measured is null. Needs steps as frequent as core's (20 ms).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from configs.schema import CautionRequires, Road, RoadUser, SiteConfig
from device.decision import FaceDecision
from device.duty import Duty
from device.events import Event, EventKind
from device.near_miss import NearMisses, rounded
from device.passing import Ended, How, Passing
from device.tracks import ACTED_ON, Track, TrackState
from hal.clock import NS_PER_S

REFOUND_S = 2.5
"""A road user lost behind a lorry is found again within this: its coasting (1.5 s) and a second to confirm it."""

REFOUND_M = 6.0
REFOUND_MPS = 3.0
"""How far from where it was expected it may be found again, at once and for each second it was unseen."""

STOOD_S = 60.0
STOOD_BACK_M, STOOD_ON_M = 3.0, 15.0
STARTS_BELOW_MPS = 8.0
"""Who was lost coming to a stand is found again where it stood, or up to a few car lengths on, while it gathers speed:
the radar sees it again only when it moves, and a queue moves on unseen."""

REPLACED_M = 3.0
"""The same while its old track is still kept; nobody follows this near."""

SAME_S = 0.7
"""Two sensors that measure the same arrival differ by less; two road users on one lane follow at more."""


class PassageLog:
    """The passages of one junction."""

    def __init__(self, config: SiteConfig) -> None:
        self._numbers = 0
        self._live: dict[int, Passing] = {}
        self._over: set[int] = set()
        """Track ids whose road user has had its passage, while the tracker still shows them."""
        self._lost: list[Passing] = []
        self._arrived: dict[str, deque[Passing]] = {name: deque(maxlen=8) for name in config.approaches}
        self._duty = Duty(config, self._coming)
        self._near = NearMisses(config)
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values between two steps. Approaches must be the same."""
        self._config = config
        self._watchers = {
            name: frozenset(
                face
                for face, its in config.approaches.items()
                if name in its.conflicts and Road.BRANCH in (its.road, approach.road)
            )
            for name, approach in config.approaches.items()
        }
        self._has_wait_zone = {
            name: any(
                name in camera.zones and camera.zones[name].wait is not None for camera in config.cameras.values()
            )
            for name in config.approaches
        }
        self._duty.configure(config)
        self._near.configure(config)

    def step(self, now_ns: int, tracks: Iterable[Track], decisions: Mapping[str, FaceDecision]) -> list[Event]:
        """Events of this step, from all tracks of the pipeline and what every face shows."""
        events: list[Event] = []
        lit = frozenset(face for face, decision in decisions.items() if decision.level != "clear")
        self._near.alerts(now_ns, decisions)
        present: set[int] = set()
        for track in tracks:
            present.add(track.id)
            if track.id in self._over:
                continue
            user = self._live.get(track.id)
            if user is None:
                if track.state not in ACTED_ON or track.receding:
                    continue
                user = self._begin(now_ns, track)
            user.see(now_ns, track, self._watchers[track.approach], lit)
            ended = user.over(now_ns)
            if ended is not None:
                events += self._end(user, ended)
            if ended is not None or track.receding:
                del self._live[track.id]
                self._over.add(track.id)
        self._over &= present
        for track_id in [track_id for track_id in self._live if track_id not in present]:
            user = self._live.pop(track_id)
            user.lost_ns = now_ns
            self._lost.append(user)
        if self._lost:
            events += self._settle(now_ns)
        events += self._near.step(now_ns, self._live.values())
        duty = self._duty.step(now_ns, decisions)
        return events if duty is None else [*events, duty]

    def idle_until_ns(self) -> int | None:
        """Until when steps without a track can be left out; None while anybody is followed."""
        duty_ns = self._duty.idle_until_ns()
        if self._live or duty_ns is None or not self._near.idle:
            return None
        return min([duty_ns, *(self._judged_ns(user) for user in self._lost)])

    def _begin(self, now_ns: int, track: Track) -> Passing:
        self._numbers += 1
        user = Passing(self._numbers, track)
        before = min(
            (lost for lost in self._lost if lost.track.approach == track.approach and _fits(lost, track, now_ns)),
            key=lambda lost: (lost.seen_m or 0.0, lost.number),
            default=None,
        )
        if before is not None:
            self._lost.remove(before)
            user.inherit(before)
        else:
            for track_id, other in self._live.items():
                if _replaces(other, track, now_ns):
                    user.inherit(other)
                    del self._live[track_id]
                    self._over.add(track_id)
                    break
        self._live[track.id] = user
        return user

    def _settle(self, now_ns: int) -> Iterator[Event]:
        """Judges those whose track is gone: at once when they have arrived, else once they can no more be found."""
        waiting: list[Passing] = []
        for user in self._lost:
            approach = user.track.approach
            ended = user.ended(self._has_wait_zone[approach])
            if now_ns < self._judged_ns(user):
                waiting.append(user)
            elif ended is not None and (user.ranged or not self._seen_otherwise(user)):
                yield from self._end(user, ended)
        self._lost = waiting

    def _judged_ns(self, user: Passing) -> int:
        """When one whose track is gone is judged: at its arrival, else once it can no more be found again."""
        ended = user.ended(self._has_wait_zone[user.track.approach])
        crossed_ns = None if ended is None else ended.crossed_ns
        found_s = STOOD_S if ended is not None and user.stopping and crossed_ns is None else REFOUND_S
        latest_ns = (user.lost_ns or 0) + round(found_s * NS_PER_S)
        return latest_ns if crossed_ns is None or user.standing or not user.ranged else min(latest_ns, crossed_ns)

    def _seen_otherwise(self, zone_user: Passing) -> bool:
        """Whether a road user known by a camera's zone alone is one that has a range too, or stands in two zones."""
        approach = zone_user.track.approach
        others = [*self._live.values(), *self._lost, *self._arrived[approach]]
        for other in sorted(others, key=lambda other: other.number):
            if other is zone_user or other.track.approach != approach or other.paired:
                continue
            overlap = other.born_ns <= zone_user.seen_ns + REFOUND_S * NS_PER_S and other.seen_ns >= zone_user.born_ns
            if not other.ranged:
                # From the approach zone into the wait zone of the same camera: one road user goes on.
                overlap = overlap and other.born_ns > zone_user.born_ns and other.track.sensor == zone_user.track.sensor
                overlap = overlap and other.user is zone_user.user and not zone_user.waited
            if overlap:
                if other.ranged:
                    other.paired = True
                return True
        return False

    def _end(self, user: Passing, ended: Ended) -> Iterator[Event]:
        approach = user.track.approach
        if ended.how is How.ARRIVED and user.ranged and self._measured_twice(user, ended):
            return
        user.ended_ns = ended.at_ns
        self._duty.ended(approach, ended.at_ns)
        if ended.how is How.ARRIVED:
            self._arrived[approach].append(user)
            self._duty.arrived(approach, ended.at_ns, approach in user.lit)
        yield Event(EventKind.PASSAGE, ended.at_ns, approach, self._body(user, ended))
        if ended.crossed_ns is not None:
            yield from self._near.crossed(user, ended.crossed_ns)

    def _body(self, user: Passing, ended: Ended) -> dict[str, object]:
        approach = user.track.approach
        arrived = ended.how is How.ARRIVED
        faces = sorted(self._watchers[approach] & user.lit) if arrived else []
        lead_s: float | None = None
        if faces and user.watched_ns is not None:
            lead_s = max(0.0, (ended.at_ns - user.watched_ns) / NS_PER_S)
        elif arrived and self._is_due(approach):
            lead_s = 0.0
        seen_as = self._class(user)
        return {
            "class": None if seen_as is None else seen_as.value,
            "how": ended.how.value,
            "lit": faces,
            "lead_s": rounded(lead_s),
            "met_lit": approach in user.lit,
            "warned_mps": rounded(user.warned_mps),
            "line_mps": rounded(user.line_mps(ended.how)),
            "braking_mps2": rounded(user.braking_mps2()),
            "stopped": user.stopped(),
            "wait_s": rounded(user.waited_s()),
        }

    def _is_due(self, approach: str) -> bool:
        """Whether the branch is to be warned of everyone who comes here, present or not."""
        return (
            self._config.approaches[approach].road is Road.MAIN
            and bool(self._watchers[approach])
            and self._config.policy.caution_requires is CautionRequires.ANY
        )

    def _class(self, user: Passing) -> RoadUser | None:
        """Its own class, or the one that a camera names on its approach where it names one alone."""
        if user.user is not None:
            return user.user
        named = {
            other.user
            for other in (*self._live.values(), *self._lost)
            if other.track.approach == user.track.approach and other.user is not None and not other.stopping
        }
        return named.pop() if len(named) == 1 else None

    def _measured_twice(self, user: Passing, ended: Ended) -> bool:
        """Whether another sensor has reported this arrival already."""
        for other in self._arrived[user.track.approach]:
            off_s = abs(ended.at_ns - other.ended_ns) / NS_PER_S
            if other.ranged and other.track.sensor != user.track.sensor and off_s < SAME_S and not other.paired:
                other.paired = True
                return True
        return False

    def _coming(self, approach: str, since_ns: int) -> bool:
        return any(
            user.track.approach == approach and user.born_ns <= since_ns and user.is_real
            for user in self._live.values()
        )


def _fits(lost: Passing, found: Track, now_ns: int) -> bool:
    """Whether a new track may be a road user that was lost."""
    if lost.user is not None and found.user is not None and lost.user is not found.user:
        return False
    expected_m = lost.expected_m(now_ns)
    if expected_m is None or found.distance_m is None:
        return expected_m is None and found.distance_m is None and lost.track.sensor == found.sensor
    if lost.stopping:
        starts = found.speed_mps is not None and found.speed_mps <= STARTS_BELOW_MPS
        return starts and -STOOD_ON_M <= found.distance_m - expected_m <= STOOD_BACK_M
    unseen_s = (now_ns - lost.seen_ns) / NS_PER_S
    return abs(found.distance_m - expected_m) <= REFOUND_M + REFOUND_MPS * unseen_s


def _replaces(live: Passing, found: Track, now_ns: int) -> bool:
    """Whether a new track is a road user whose old track is still kept, unseen: it moved off faster than expected."""
    if live.seen_ns >= found.updated_ns or live.track.sensor != found.sensor or found.distance_m is None:
        return False
    if live.track.state not in (TrackState.COASTING, TrackState.WAITING) or live.track.approach != found.approach:
        return False
    expected_m = live.expected_m(now_ns)
    return expected_m is not None and abs(found.distance_m - expected_m) <= REPLACED_M
