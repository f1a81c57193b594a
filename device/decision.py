"""The rule: what each face shows, by time to arrival against the gap of whoever crosses. Pure.

Invariants (DESIGN.md §3): the gap belongs to the road user who crosses, the class of the one who comes never
shortens it; presence unknown counts as present; attack is immediate, release waits for the hold, which runs from the
last frame that really saw the cause; parked turns alert into caution, never into clear; the lamp shows the first true
of alert, fault, caution, clear.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from configs.schema import Approach, CautionRequires, Level, Policy, Road, RoadUser, SiteConfig
from device.fusion import classes_present
from device.health import FaceHealth, Health
from device.tracks import ACTED_ON, STANDING, Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Shows

HOLD_FACTOR: Mapping[Health, float] = {Health.OK: 1.0, Health.DEGRADED: 1.5, Health.FAULT: 1.5}
"""FAULTS.md: with fewer sensors the release is slower."""

ARRIVAL_SPREAD_S = 1.0
"""Half the width of an arrival window: two road users within it meet, whoever is nominally first."""

STUCK_CELL_M = 3.0
"""A standing echo wanders by this much; a target of its own is a busy road."""

SHOW_ORDER = (Shows.ALERT, Shows.FAULT, Shows.CAUTION, Shows.CLEAR)


@dataclasses.dataclass(frozen=True, slots=True)
class FaceDecision:
    """What one face shows and why. ``caused_by_ns`` is the capture time of the frame that last supported it."""

    face: str
    level: Level
    health: Health
    shows: Shows
    cause: Track | None
    conflict: Track | None
    """On the face's own approach (branch) or on the branch (main): who would meet the cause. None in caution."""
    reasons: tuple[str, ...]
    caused_by_ns: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Raw:
    """The rule before hold and health."""

    cause: Track | None = None
    conflict: Track | None = None
    count: int = 0


def shows(level: Level, health: Health) -> Shows:
    """The first true of alert, fault, caution, clear."""
    if level == "alert":
        return Shows.ALERT
    if health is Health.FAULT:
        return Shows.FAULT
    return Shows.CAUTION if level == "caution" else Shows.CLEAR


def first_shown(shown: Iterable[Shows]) -> Shows:
    """What a lamp shared by several faces shows."""
    return min(shown, key=SHOW_ORDER.index, default=Shows.FAULT)


def gap_s(policy: Policy, design_user: RoadUser, own: Sequence[Track]) -> float:
    """The gap the crossing road user needs: the slowest class on the own approach, else the design user's."""
    classes = classes_present(own)
    return max((policy.gap_s.of(user) for user in classes), default=policy.gap_s.of(design_user))


def stopping_s(policy: Policy, speed_mps: float) -> float:
    """Reaction + stopping time + margin of a main-road user: 2.5 s + v / 6.8 + 2 s with the default policy."""
    return policy.reaction_s + speed_mps / (2 * policy.deceleration_mps2) + policy.margin_s


class FaceDecider:
    """The decision of one face over time."""

    def __init__(self, face: str, config: SiteConfig) -> None:
        self._face = face
        self._cause_id: int | None = None
        self._last_cause: Track | None = None
        self._last_conflict: Track | None = None
        self._caution_seen_ns: int | None = None
        self._alert_seen_ns: int | None = None
        self._sole_since: tuple[Track, int] | None = None
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values between two steps; what is lit stays lit by its hold."""
        self._policy = config.policy
        self._design_user = config.site.design_user
        self._approach: Approach = config.approaches[self._face]
        self._lamp_m = sorted({lamp.to_conflict_m for lamp in config.lamps.values() if self._face in lamp.faces}) or [
            0.0
        ]
        self._conflicts = [
            name
            for name in self._approach.conflicts
            if self._approach.road is Road.BRANCH or config.approaches[name].road is Road.BRANCH
        ]

    def stuck(self, now_ns: int) -> str | None:
        """Names the target that has been the only cause for too long."""
        if self._sole_since is None:
            return None
        track, since_ns = self._sole_since
        if (now_ns - since_ns) / NS_PER_S < self._policy.stuck_cause_s:
            return None
        where = "" if track.distance_m is None else f" at {track.distance_m:.0f} m"
        return f"{track.sensor}: one target{where} is the only cause for {self._policy.stuck_cause_s:.0f} s"

    def step(self, now_ns: int, by_approach: Mapping[str, Sequence[Track]], health: FaceHealth) -> FaceDecision:
        """Decides. ``by_approach`` holds the tracks that may be acted on (see ``usable``)."""
        own = by_approach.get(self._face, ())
        others = [track for name in self._conflicts for track in by_approach.get(name, ())]
        if self._approach.road is Road.BRANCH:
            raw = self._branch(own, others)
        else:
            raw = self._main(own, others, health.presence_known)
        self._remember(now_ns, raw)
        hold_ns = self._policy.hold_s * HOLD_FACTOR[health.health] * NS_PER_S
        alert = self._alert_seen_ns is not None and now_ns - self._alert_seen_ns <= hold_ns
        caution = alert or (self._caution_seen_ns is not None and now_ns - self._caution_seen_ns <= hold_ns)
        level: Level = "alert" if alert else "caution" if caution else "clear"
        if not caution:
            self._last_cause = self._last_conflict = None
            # An echo that flickers keeps the lamp lit by its hold: only a dark face begins the count anew.
            self._sole_since = None
        if not alert:
            self._last_conflict = None
        shown = shows(level, health.health)
        return FaceDecision(
            face=self._face,
            level=level,
            health=health.health,
            shows=shown,
            cause=self._last_cause,
            conflict=self._last_conflict,
            reasons=health.reasons,
            caused_by_ns=self._last_cause.updated_ns if self._last_cause is not None else None,
        )

    def _branch(self, own: Sequence[Track], others: Sequence[Track]) -> _Raw:
        """Lit when any approaching road user arrives within the gap of whoever crosses here."""
        if self._policy.caution_requires is CautionRequires.OWN_PRESENT and not own:
            return _Raw()
        needed_s = gap_s(self._policy, self._design_user, own)
        causes = [track for track in others if _arrives_within(track, needed_s)]
        meets = None
        for user in own:
            if user.state is not TrackState.PARKED and any(_overlap(user, needed_s, cause) for cause in causes):
                meets = user
                break
        return self._pick(causes, meets)

    def _main(self, own: Sequence[Track], others: Sequence[Track], presence_known: bool) -> _Raw:
        """Lit when the branch is occupied and a main-road user is inside the stopping time before this lamp."""
        branch = [track for track in others if _occupies(track, self._policy.branch_arrival_s)]
        if presence_known and not branch:
            return _Raw()
        causes = [track for track in own if self._inside_stopping(track)]
        meets = None
        if causes:
            moving = [track for track in branch if track.state is not TrackState.PARKED]
            meets = moving[0] if moving else None
        return self._pick(causes, meets)

    def _inside_stopping(self, track: Track) -> bool:
        if track.distance_m is None:
            return track.state is not TrackState.PARKED
        needed_s = stopping_s(self._policy, track.speed_mps or 0.0)
        return any(
            (arrival_s := track.time_to_point_s(lamp_m)) is not None and arrival_s <= needed_s
            for lamp_m in self._lamp_m
        )

    def _pick(self, causes: Sequence[Track], meets: Track | None) -> _Raw:
        if not causes:
            return _Raw()
        # The causing track stays the same while it is a cause, so that a line of the replay is a change of the road.
        kept = next((track for track in causes if track.id == self._cause_id), None)
        return _Raw(kept or min(causes, key=_arrival_order), meets, len(causes))

    def _remember(self, now_ns: int, raw: _Raw) -> None:
        if raw.cause is None:
            self._cause_id = None
            return
        self._cause_id = raw.cause.id
        self._last_cause = raw.cause
        # Real sight of the cause, not its coasting: the coast counts inside the hold, not on top of it.
        seen_ns = raw.cause.updated_ns if raw.cause.state is TrackState.COASTING else now_ns
        self._caution_seen_ns = max(self._caution_seen_ns or 0, seen_ns)
        if raw.conflict is not None:
            self._last_conflict = raw.conflict
            self._alert_seen_ns = max(self._alert_seen_ns or 0, seen_ns)
        if raw.count > 1:
            self._sole_since = None
        elif self._sole_since is not None and _same_target(self._sole_since[0], raw.cause):
            # Where it was last seen, not where it is predicted to have gone meanwhile.
            seen = self._sole_since[0] if raw.cause.state is TrackState.COASTING else raw.cause
            self._sole_since = (seen, self._sole_since[1])
        else:
            self._sole_since = (raw.cause, now_ns)


def usable(tracks: Iterable[Track]) -> dict[str, list[Track]]:
    """Tracks that may be acted on, by approach: confirmed ones that do not leave."""
    found: dict[str, list[Track]] = {}
    for track in tracks:
        if track.state in ACTED_ON and not track.receding:
            found.setdefault(track.approach, []).append(track)
    return found


def _arrives_within(track: Track, seconds: float) -> bool:
    if track.distance_m is None:
        # Seen by a camera zone or a speed-only radar: it comes, and nobody knows when, so it comes now.
        return track.state is not TrackState.PARKED
    arrival_s = track.time_to_arrival_s
    return arrival_s is not None and arrival_s <= seconds


def _occupies(track: Track, seconds: float) -> bool:
    return track.state in STANDING or track.distance_m is None or _arrives_within(track, seconds)


def _overlap(own: Track, needed_s: float, other: Track) -> bool:
    """Whether the own user's time on the conflict point can meet the other's arrival."""
    own_s = own.time_to_arrival_s
    other_s = other.time_to_arrival_s
    if own_s is None or other_s is None:
        return True  # standing, or known by a zone alone: it may start at any moment
    return own_s - ARRIVAL_SPREAD_S <= other_s <= own_s + needed_s + ARRIVAL_SPREAD_S


def _same_target(before: Track, now: Track) -> bool:
    """One track, or one range cell: a standing echo that is lost and found where it was is still one target, the next
    vehicle of a column appears where the last one did not vanish."""
    if before.id == now.id:
        return True
    if before.sensor != now.sensor or before.distance_m is None or now.distance_m is None:
        return False
    return abs(before.distance_m - now.distance_m) <= STUCK_CELL_M


def _arrival_order(track: Track) -> tuple[float, int]:
    arrival_s = track.time_to_arrival_s
    return (-1.0 if arrival_s is None else arrival_s, track.id)
