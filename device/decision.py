"""The rule: what each face shows, by time to arrival against the gap of whoever crosses. Pure.

Invariants (DESIGN.md §3): the gap belongs to the road user who crosses, the class of the one who comes never
shortens it; presence unknown counts as present; attack is immediate, release waits for the hold, which runs from the
last frame that really saw the cause; parked turns alert into caution, never into clear; the lamp shows the first true
of alert, fault, caution, clear.
"""

import typing
from collections.abc import Iterable, Mapping, Sequence

from configs.schema import Approach, CautionRequires, Level, Policy, Road, SiteConfig
from device.day import DAYLIGHT, DayState
from device.gap import GapKeeper, Widening, widening
from device.health import FaceHealth, Health
from device.stuck import StuckWatch
from device.tracks import ACTED_ON, COAST_S, STANDING, Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Shows

ARRIVAL_SPREAD_S = 1.0
"""How far an arrival foretold may be off, of both road users together."""

ENCROACHMENT_S = 3.0
"""Who enters the conflict area less than this after the other has left it has had a near miss (PET < 3 s)."""

NEAR_LINE_M = 8.0
"""Standing this near the conflict point, somebody may start into it; farther back only the wait zone says so."""

STAYS_S = 0.2
"""A cause stays one until it is this far outside the horizon: 1 km/h of radar noise at 40 km/h moves an arrival 9 s
away by 0.2 s, and a lamp must not follow that."""

NOW_S = -1.0
"""The arrival of somebody of whom nobody knows when: before all others."""

PICTURE_NS = 400_000_000
"""A camera's newest picture is up to this old when it is acted on: 10 a second, and 0.15 s until core has it."""

_COASTING, _PARKED = TrackState.COASTING, TrackState.PARKED
"""A name costs a tenth of what looking up a member of an enumeration costs, dozens of times a step."""

SHOW_ORDER = (Shows.ALERT, Shows.FAULT, Shows.CAUTION, Shows.CLEAR)


class FaceDecision(typing.NamedTuple):
    """What one face shows and why. ``caused_by_ns`` is the capture time of the frame that last supported it.

    A named tuple for the reason that a track is one: each face makes one at every step."""

    face: str
    level: Level
    health: Health
    shows: Shows
    cause: Track | None
    conflict: Track | None
    """On the face's own approach (branch) or on the branch (main): who would meet the cause. None in caution."""
    reasons: tuple[str, ...]
    caused_by_ns: int | None
    soonest: Track | None = None
    """Of all that light the face now, the first to arrive; None while the lamp is only held."""
    coming: frozenset[str] = frozenset()
    """The approaches from which road users light the face now."""


class _Raw(typing.NamedTuple):
    """The rule before hold and health: who lights the face, and whom they would meet."""

    causes: Sequence[Track] = ()
    soonest: Track | None = None
    """Of the causes; None when there is none."""
    meets: Track | None = None
    there: Sequence[Track] = ()
    """On the branch, where a main face is lit only because of them."""


_NOBODY = _Raw()


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


class Stopping(typing.NamedTuple):
    """Reaction + stopping time + margin of a main-road user at v: ``fixed_s`` + v / ``twice_mps2``, which is
    2.5 s + v / 6.8 + 2 s with the default policy by day."""

    fixed_s: float
    twice_mps2: float

    @classmethod
    def of(cls, policy: Policy, wide: Widening) -> "Stopping":
        """By the policy and the conditions."""
        fixed_s = policy.reaction_s + wide.extra_s + policy.margin_s
        return cls(fixed_s, 2 * policy.deceleration_mps2 * wide.deceleration_factor)


class FaceDecider:
    """The decision of one face over time."""

    def __init__(self, face: str, config: SiteConfig) -> None:
        self._face = face
        self._gap = GapKeeper(config)
        self._stuck = StuckWatch()
        self._lit_by: frozenset[int] = frozenset()
        self._last_cause: Track | None = None
        self._last_conflict: Track | None = None
        self._lit_since_ns: int | None = None
        self._caution_seen_ns: int | None = None
        self._alert_seen_ns: int | None = None
        self._dark: FaceDecision | None = None
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values between two steps; what is lit stays lit by its hold."""
        self._policy = config.policy
        self._gap.configure(config)
        self._day = DAYLIGHT
        self._wide = widening(config.policy, DAYLIGHT)
        self._stopping = Stopping.of(config.policy, self._wide)
        self._own_present = config.policy.caution_requires is CautionRequires.OWN_PRESENT
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
        return self._stuck.why(now_ns, self._policy.stuck_cause_s)

    def step(
        self, now_ns: int, by_approach: Mapping[str, Sequence[Track]], health: FaceHealth, day: DayState = DAYLIGHT
    ) -> FaceDecision:
        """Decides. ``by_approach`` holds the tracks that may be acted on (see ``usable``)."""
        if not by_approach and self._caution_seen_ns is None:
            return self._all_dark(health)
        if day is not self._day:
            self._day, self._wide = day, widening(self._policy, day)
            self._stopping = Stopping.of(self._policy, self._wide)
        own = by_approach.get(self._face, ())
        others = [track for name in self._conflicts for track in by_approach.get(name, ())]
        if self._approach.road is Road.BRANCH:
            raw = self._branch(now_ns, own, others, health.presence_known)
        else:
            raw = self._main(own, others, health.presence_known)
        soonest = self._remember(now_ns, raw)
        level = self._level(now_ns, health)
        return FaceDecision(
            face=self._face,
            level=level,
            health=health.health,
            shows=shows(level, health.health),
            cause=self._last_cause,
            conflict=self._last_conflict,
            reasons=health.reasons,
            caused_by_ns=self._last_cause.updated_ns if self._last_cause is not None else None,
            soonest=soonest,
            coming=frozenset([track.approach for track in raw.causes]),
        )

    def _all_dark(self, health: FaceHealth) -> FaceDecision:
        """Nobody anywhere and nothing held: the same answer for as long as health stays what it is."""
        self._gap.nobody_s()
        dark = self._dark
        if dark is None or dark.health is not health.health or dark.reasons != health.reasons:
            shown = shows("clear", health.health)
            dark = FaceDecision(self._face, "clear", health.health, shown, None, None, health.reasons, None)
            self._dark = dark
        return dark

    def _branch(self, now_ns: int, own: Sequence[Track], others: Sequence[Track], presence_known: bool) -> _Raw:
        """Lit when any approaching road user arrives within the gap of whoever crosses here."""
        needed_s = self._gap.needed_s(now_ns, own) + self._wide.extra_s
        if self._own_present and presence_known and not own:
            return _NOBODY
        causes, soonest = _arriving_within(others, needed_s, self._lit_by)
        if soonest is None:
            return _NOBODY
        meeting = [user for user in own if user.state is not _PARKED and any(_overlap(user, cause) for cause in causes)]
        return _Raw(causes, soonest, _soonest(meeting))

    def _main(self, own: Sequence[Track], others: Sequence[Track], presence_known: bool) -> _Raw:
        """Lit when the branch is occupied and a main-road user is inside the stopping time before this lamp."""
        if not own:
            return _NOBODY
        arrival_s = self._policy.branch_arrival_s
        branch = [track for track in others if _occupies(track, arrival_s)]
        if presence_known and not branch:
            return _NOBODY
        causes = self._inside_stopping(own)
        if not causes:
            return _NOBODY
        there = branch if presence_known else ()
        meets = _soonest([track for track in branch if track.state is not _PARKED])
        return _Raw(causes, _soonest(causes), meets, there)

    def _inside_stopping(self, own: Sequence[Track]) -> list[Track]:
        """Those of ``own`` that reach one of the face's lamps within their stopping time."""
        (fixed_s, twice_mps2), lit_by, lamp_m = self._stopping, self._lit_by, self._lamp_m
        found = []
        for track in own:
            if track.distance_m is None:
                if track.state is not _PARKED:
                    found.append(track)
                continue
            needed_s = fixed_s + (track.speed_mps or 0.0) / twice_mps2
            if track.id in lit_by:
                needed_s += STAYS_S
            for point_m in lamp_m:
                arrival_s = track.time_to_point_s(point_m)
                if arrival_s is not None and arrival_s <= needed_s:
                    found.append(track)
                    break
        return found

    def _remember(self, now_ns: int, raw: _Raw) -> Track | None:
        """Notes what this step saw; returns the cause that arrives first."""
        soonest = raw.soonest
        if soonest is None:
            self._lit_by = frozenset()
            return None
        # The causing track stays the same while it is a cause, so that a line of the replay is a change of the road.
        cause, last = soonest, self._last_cause
        if last is not None and last.id != soonest.id and last.id in self._lit_by:
            cause = next((track for track in raw.causes if track.id == last.id), soonest)
        self._lit_by = frozenset([track.id for track in raw.causes])
        self._last_cause = cause
        # Real sight of a cause, not its coasting: the coast counts inside the hold, not on top of it.
        seen_ns = _seen_ns(now_ns, raw.causes)
        if raw.there:
            seen_ns = min(seen_ns, _seen_ns(now_ns, raw.there))
        self._caution_seen_ns = max(self._caution_seen_ns or 0, seen_ns)
        if raw.meets is not None:
            self._last_conflict = raw.meets
            self._alert_seen_ns = max(self._alert_seen_ns or 0, seen_ns)
        self._stuck.caused(now_ns, cause, len(raw.causes))
        return soonest

    def _level(self, now_ns: int, health: FaceHealth) -> Level:
        """The level by hold, release and the shortest time on."""
        hold_ns = self._policy.hold_s * health.hold_factor * NS_PER_S
        alert = self._alert_seen_ns is not None and now_ns - self._alert_seen_ns <= hold_ns
        caution = alert or (self._caution_seen_ns is not None and now_ns - self._caution_seen_ns <= hold_ns)
        if caution and self._lit_since_ns is None:
            self._lit_since_ns = now_ns
        elif self._lit_since_ns is not None and now_ns - self._lit_since_ns <= self._policy.min_on_s * NS_PER_S:
            caution = True
        if not alert:
            self._last_conflict = self._alert_seen_ns = None
        if caution:
            return "alert" if alert else "caution"
        self._last_cause = self._lit_since_ns = self._caution_seen_ns = None
        # An echo that flickers keeps the lamp lit by its hold: only a dark face begins the count anew.
        self._stuck.dark()
        return "clear"


def usable(tracks: Iterable[Track]) -> dict[str, list[Track]]:
    """Tracks that may be acted on, by approach: confirmed ones that do not leave."""
    found: dict[str, list[Track]] = {}
    for track in tracks:
        if track.state in ACTED_ON and not track.receding:
            found.setdefault(track.approach, []).append(track)
    return found


def _arriving_within(
    tracks: Iterable[Track], seconds: float, lit_by: frozenset[int]
) -> tuple[list[Track], Track | None]:
    """Those that arrive in time, one of ``lit_by`` until it is ``STAYS_S`` outside of it; and the first of them, by
    the order of ``_soonest``."""
    stays_s = seconds + STAYS_S
    found = []
    for track in tracks:
        arrival_s = track.time_to_arrival_s
        if arrival_s is None:
            # Seen by a camera zone or a speed-only radar: it comes, and nobody knows when, so it comes now.
            if track.distance_m is not None or track.state is _PARKED:
                continue
            arrival_s = NOW_S
        elif arrival_s > seconds and (arrival_s > stays_s or track.id not in lit_by):
            continue
        found.append((arrival_s, track.id, track))
    return [track for _arrival_s, _id, track in found], min(found)[2] if found else None


def _seen_ns(now_ns: int, tracks: Sequence[Track]) -> int:
    """When one of these was really seen, for the hold. Who is remembered to wait (unseen for longer than a coast) is
    there now; who has just gone from a camera's wait zone was there when it last saw him."""
    newest_ns = 0
    for track in tracks:
        unseen_ns = now_ns - track.updated_ns
        coasts = track.state is _COASTING or (track.state in STANDING and PICTURE_NS < unseen_ns <= COAST_S * NS_PER_S)
        if not coasts:
            return now_ns
        newest_ns = max(newest_ns, track.updated_ns)
    return newest_ns


def _occupies(track: Track, seconds: float) -> bool:
    if track.in_wait_zone or track.state in STANDING or track.distance_m is None or track.distance_m <= NEAR_LINE_M:
        return True
    arrival_s = track.time_to_arrival_s
    return arrival_s is not None and arrival_s <= seconds


def _overlap(own: Track, cause: Track) -> bool:
    """Whether the own user's time on the conflict point can meet the cause's arrival. The cause arrives within the gap
    that the own user needs, so it never comes too late for that; it may have gone long before the own user is there."""
    own_s = own.time_to_arrival_s
    if own_s is None:
        # Standing, or known by a zone alone: it may start at any moment. Standing far back it waits for nothing here.
        return own.distance_m is None or own.state in STANDING or own.distance_m <= NEAR_LINE_M
    cause_s = cause.time_to_arrival_s
    if cause_s is None:
        return True  # known by a zone alone: it comes now and nobody knows for how long
    return own_s - cause_s <= ARRIVAL_SPREAD_S + ENCROACHMENT_S


def _soonest(tracks: Iterable[Track]) -> Track | None:
    """Who arrives first, those first of whom nobody knows when; of two at once the older number."""
    found = []
    for track in tracks:
        arrival_s = track.time_to_arrival_s
        found.append((NOW_S if arrival_s is None else arrival_s, track.id, track))
    return min(found)[2] if found else None
