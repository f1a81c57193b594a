"""Follows one camera's view: learned once, then watched: was the camera moved, does it see no detail any more. Pure.

Every two seconds a look, every five looks a window: the middle one of the five, pixel by pixel. Each window says yes,
no or nobody can tell of each fault; what must last is counted in windows that could tell.

Invariants: nothing is told before the view is learned; darkness and fog tell nothing new; what is told is taken back
only by windows that prove it.
"""

import collections
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from device.ground_plane import GroundPlane
from device.vision.detail import Detail, detail_of
from device.vision.view import Edges, View, edges_of, middle_of_five
from device.vision.view_learning import Learner
from device.vision.view_match import Sight, Where, find
from device.vision.visibility import Sighted, Visibility
from device.zones import ZoneArea, contains
from hal.clock import NS_PER_S

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.vision.view import Picture

LOOK_S = 2.0
LOOKS = 5
"""A window is ten seconds: who passes is in one or two of five looks, and the middle one has nobody."""

MOVED_WINDOWS = 4
"""FAULTS row 21 allows 60 s: a window that was under way, and four whole ones, are 50."""

BLURRED_WINDOWS = 50
"""FAULTS row 20 allows ten minutes: a window that was under way, and 50 whole ones, are eight and a half; looks come a
little late, and windows in which a lorry stands before the lens do not count."""

MOVED_BACK_WINDOWS = 3
CLEAN_WINDOWS = 6

BLIND_SHARE = 1 / 3
"""Of a zone's points in blind cells. Zones, because the camera is there for them: fog that hides the far houses and not
the road costs it nothing."""

LEAST_ZONE_POINTS = 12
"""A zone with fewer says little; where none has as many, the whole picture is judged."""

LEAST_JUDGED = 0.5
log = logging.getLogger(__name__)


class _Lasting:
    """Something that must last ``told_after`` windows to be told, and be over for ``over_after`` to be taken back;
    before it is told, ``anew_after`` windows without it begin the count anew."""

    def __init__(self, told_after: int, *, anew_after: int, over_after: int) -> None:
        self.told = False
        self._told_after, self._anew_after, self._over_after = told_after, anew_after, over_after
        self._with = self._without = 0

    def take(self, seen: bool | None) -> None:
        """Takes what a window says; None: it cannot tell."""
        if seen is None:
            return
        if seen:
            self._with, self._without = self._with + 1, 0
            self.told = self.told or self._with >= self._told_after
            return
        self._without += 1
        if self._without >= (self._over_after if self.told else self._anew_after):
            self.told, self._with = False, 0


class ViewHealth:
    """See the module. ``view`` is what was learned before, None where nothing was; ``keep`` is handed what is learned,
    and None when it is forgotten."""

    def __init__(
        self,
        camera: str,
        areas: Sequence[ZoneArea],
        planes: Mapping[str, GroundPlane],
        *,
        view: View | None = None,
        keep: Callable[[View | None], None] | None = None,
    ) -> None:
        self._camera = camera
        self._areas, self._planes = areas, planes
        self._keep = keep
        self._looks: collections.deque[Picture] = collections.deque(maxlen=LOOKS)
        self._next_ns: int | None = None
        self._width = 1
        self._begin(view)

    @property
    def moved(self) -> Sight | None:
        """Where the view was seen last, while the camera is told to have moved."""
        return self._elsewhere if self._moved.told else None

    @property
    def blurred(self) -> bool:
        """Whether the picture is told to have lost its detail."""
        return self._blurred.told

    @property
    def visibility(self) -> Sighted | None:
        """How far one can see; None: far, or nobody knows."""
        believed = not (self._moved.told or self._blurred.told)
        return self._sighted if believed else None

    def due(self, captured_ns: int) -> bool:
        """Whether it is time for a look."""
        return self._next_ns is None or captured_ns >= self._next_ns

    def look(self, picture: "Picture", captured_ns: int) -> None:
        """Takes a reduced grey picture (H x W uint8) in which nothing more basic is wrong; it is kept until the window
        is full, so it must be the caller's to give away."""
        self._next_ns = captured_ns + round(LOOK_S * NS_PER_S)
        if self._looks and self._looks[0].shape != picture.shape:
            self._looks.clear()
        self._looks.append(picture)
        self._width = picture.shape[1]
        if len(self._looks) == LOOKS:
            edges = edges_of(middle_of_five(list(self._looks)))
            self._looks.clear()
            self._judge(edges)

    def learn_anew(self) -> None:
        """Forgets the view: what the camera looks at from now on is right."""
        log.info("camera=%s event=view_forgotten", self._camera)
        self._looks.clear()
        self._begin(None)
        if self._keep is not None:
            self._keep(None)

    def moved_by(self, sight: Sight) -> tuple[int, int]:
        """How far the view has moved, in per cent of the picture's width to the right and down."""
        return round(100 * sight.right / self._width), round(100 * sight.down / self._width)

    def report(self) -> dict[str, Any]:
        """For the status: the state of the view, how like it is, how much of it has lost its detail, visibility."""
        sighted = self.visibility
        return {
            "state": "learning" if self._view is None else "moved" if self._moved.told else str(self._where),
            "learned_pct": self._learner.learned_pct if self._view is None else 100,
            "likeness_pct": None if self._likeness is None else round(100 * self._likeness),
            "blind_pct": None if self._blind is None else round(100 * self._blind),
            "visibility_m": None if sighted is None else round(sighted.visibility_m, -1),
            "visibility_error_pct": None if sighted is None else round(sighted.error_pct),
        }

    def _begin(self, view: View | None) -> None:
        self._view = view
        self._learner = Learner()
        # One window in which the view is at its place proves that the camera is; one clear window may be a passing van.
        self._moved = _Lasting(MOVED_WINDOWS, anew_after=1, over_after=MOVED_BACK_WINDOWS)
        self._blurred = _Lasting(BLURRED_WINDOWS, anew_after=CLEAN_WINDOWS, over_after=CLEAN_WINDOWS)
        self._where = Where.UNSURE
        self._elsewhere: Sight | None = None
        self._likeness: float | None = None
        self._blind: float | None = None
        self._sighted: Sighted | None = None
        self._visibility: Visibility | None = None
        self._zones: list[npt.NDArray[np.bool_]] = []
        if view is not None:
            self._visibility = Visibility(view, self._areas, self._planes)
            self._zones = _points_of_zones(view, self._areas)

    def _judge(self, edges: Edges) -> None:
        if self._view is None:
            learned = self._learner.take(edges)
            if learned is not None:
                log.info("camera=%s event=view_learned points=%d", self._camera, len(learned.places))
                self._begin(learned)
                if self._keep is not None:
                    self._keep(learned)
            return
        sight = find(self._view, edges)
        self._where, self._likeness = sight.where, sight.likeness
        elsewhere = sight.where in (Where.MOVED, Where.GONE)
        if elsewhere:
            self._elsewhere = sight
        self._moved.take(None if sight.where is Where.UNSURE else elsewhere)
        detail = None if elsewhere else detail_of(self._view, edges, sight.right, sight.down)
        self._blurred.take(None if detail is None else self._is_blind(detail))
        if self._visibility is not None and self._visibility.can_tell:
            self._visibility.take(edges, detail if sight.where is Where.HERE else None)
            self._sighted = self._visibility.estimate()

    def _is_blind(self, detail: Detail) -> bool | None:
        """Whether too much of a zone has lost its detail; None where too little of all zones can be judged."""
        shares = [
            float(detail.blind[zone].sum()) / float(detail.judged[zone].sum())
            for zone in self._zones
            if detail.judged[zone].mean() >= LEAST_JUDGED
        ]
        self._blind = max(shares, default=None)
        return None if self._blind is None else self._blind >= BLIND_SHARE


def _points_of_zones(view: View, areas: Sequence[ZoneArea]) -> "list[npt.NDArray[np.bool_]]":
    """For each zone with enough points which of them are in it; all of them where there is no such zone."""
    places = view.places.tolist()
    inside = [np.array([contains(area.polygon, (x, y)) for x, y in places]) for area in areas]
    return [points for points in inside if points.sum() >= LEAST_ZONE_POINTS] or [np.ones(len(places), bool)]
