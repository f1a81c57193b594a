"""Who stands where in a sensor's field of view at given times, and who is hidden behind whom. Pure geometry.

Invariants: nothing here is random; a row is one road user at one time, measured to the middle of the end it turns to
the sensor (its front, or its back when it drives away: the flat face that sends most back); rows are sorted by time
and then by range.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tools.sim.scene import Scene
from tools.sim.sensing.bodies import HEIGHT_M, Bools, Floats, Ints, Leg, reach_m
from tools.sim.sensing.mounts import Mount

HIDDEN_SHARE = 0.7
"""Hidden when a nearer body covers this much of its width: what is left of a vehicle behind is a mirror."""

HIDDEN_TOP_M = 0.3
"""... and no more than this of its height shows above the roof in front."""

ASIDE_DEG = 15.0
"""How far outside the field of view bodies are still followed, because they hide those inside it."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """Rows of one sensor; arrays of one length. ``time`` indexes the times asked for, ``user`` the scene's users,
    ``leg`` the legs; ``closing_mps`` is the speed along the line of sight, positive = nearer; ``angle_deg`` is from
    the sensor's axis, positive to the left; ``in_view``: inside field of view and reach of its class; ``hidden``:
    behind a nearer body."""

    time: Ints
    user: Ints
    leg: Ints
    range_m: Floats
    closing_mps: Floats
    angle_deg: Floats
    in_view: Bools
    hidden: Bools
    distance_m: Floats
    lateral_m: Floats


def view(scene: Scene, legs: Sequence[Leg], mount: Mount, times_s: Floats, *, by_class: bool) -> View:
    """What geometry allows a sensor at ``mount`` to see at ``times_s`` (rising). ``by_class``: small road users are
    seen less far (a radar's echo); False: all as far as the mount's reach (a camera)."""
    tables = []
    for index, leg in enumerate(legs):
        first, last = np.searchsorted(times_s, (leg.t_s[0], leg.t_s[-1] + 1e-9))
        if first < last and _worth(leg, mount):
            tables.append(_rows(scene, leg, index, mount, times_s, int(first), int(last), by_class=by_class))
    columns = np.concatenate(tables, axis=1) if tables else np.zeros((13, 0))
    columns = columns[:, np.lexsort((columns[1], columns[3], columns[0]))]
    time, user, leg_of, range_m, closing, angle, in_view, distance, lateral, low, high, far, height = columns
    return View(
        time.astype(np.int64),
        user.astype(np.int64),
        leg_of.astype(np.int64),
        range_m,
        closing,
        angle,
        in_view > 0,
        _hidden(time, range_m, far, low, high, height, mount.height_m),
        distance,
        lateral,
    )


def _worth(leg: Leg, mount: Mount) -> bool:
    """Whether any of it is before the sensor and near enough."""
    dx, dy = leg.x_m - mount.x_m, leg.y_m - mount.y_m
    before = dx * mount.look_x + dy * mount.look_y > 0
    return bool(np.any(before & (np.hypot(dx, dy) < mount.reach_m + 30)))


def _rows(
    scene: Scene, leg: Leg, index: int, mount: Mount, times_s: Floats, first: int, last: int, *, by_class: bool
) -> Floats:
    user = scene.users[leg.user]
    at_s = times_s[first:last]
    x, y, hx, hy, speed, distance, lateral = (
        np.interp(at_s, leg.t_s, values)
        for values in (
            leg.x_m,
            leg.y_m,
            leg.heading_x,
            leg.heading_y,
            leg.speed_mps,
            leg.distance_m,
            leg.lateral_m,
        )
    )
    # In the sensor's own axes: forward along its look, left across it.
    forward = (x - mount.x_m) * mount.look_x + (y - mount.y_m) * mount.look_y
    left = -(x - mount.x_m) * mount.look_y + (y - mount.y_m) * mount.look_x
    ahead = hx * mount.look_x + hy * mount.look_y
    aside = -hx * mount.look_y + hy * mount.look_x
    rear_forward, rear_left = forward - user.length_m * ahead, left - user.length_m * aside
    to_front, to_rear = np.hypot(forward, left), np.hypot(rear_forward, rear_left)
    front_first = to_front <= to_rear
    near_forward = np.where(front_first, forward, rear_forward)
    near_left = np.where(front_first, left, rear_left)
    range_m = np.where(front_first, to_front, to_rear)
    closing = -speed * (ahead * near_forward + aside * near_left) / np.maximum(range_m, 0.1)
    angle = np.degrees(np.arctan2(near_left, near_forward))
    half_m = user.width_m / 2
    corners = np.stack(
        [
            np.stack((end_forward - side * aside, end_left + side * ahead))
            for end_forward, end_left in ((forward, left), (rear_forward, rear_left))
            for side in (half_m, -half_m)
        ]
    )
    corner_deg = np.degrees(np.arctan2(corners[:, 1], np.maximum(corners[:, 0], 0.1)))
    limit_m = reach_m(user.kind, mount.reach_m) if by_class else mount.reach_m
    in_view = (np.abs(angle) <= mount.half_angle_deg) & (range_m <= limit_m) & (near_forward > 0)
    keep = (range_m <= mount.reach_m) & (np.abs(angle) <= mount.half_angle_deg + ASIDE_DEG)
    count = last - first
    table = np.stack(
        (
            np.arange(first, last, dtype=np.float64),
            np.full(count, float(leg.user)),
            np.full(count, float(index)),
            range_m,
            closing,
            angle,
            in_view.astype(np.float64),
            distance,
            lateral,
            corner_deg.min(axis=0),
            corner_deg.max(axis=0),
            np.hypot(corners[:, 0], corners[:, 1]).max(axis=0),
            np.full(count, HEIGHT_M[user.kind]),
        )
    )
    return table[:, keep]


def _hidden(
    time: Floats, range_m: Floats, far_m: Floats, low: Floats, high: Floats, height: Floats, eye_m: float
) -> Bools:
    """Row by row against the nearer rows of the same time: those before it in the order."""
    hidden = np.zeros(len(time), dtype=np.bool_)
    for step in range(1, len(time)):
        front, back = slice(None, -step), slice(step, None)
        same = time[front] == time[back]
        if not same.any():
            break
        covered = np.minimum(high[front], high[back]) - np.maximum(low[front], low[back])
        wide = covered >= HIDDEN_SHARE * (high[back] - low[back])
        # The sight line over the roof in front, at the place of the one behind: over the roof's far edge for an eye
        # above it, over its near edge for one below.
        over = eye_m + np.maximum(
            (height[front] - eye_m) * range_m[back] / np.maximum(range_m[front], 0.1),
            (height[front] - eye_m) * range_m[back] / np.maximum(far_m[front], 0.1),
        )
        hidden[back] |= same & wide & (height[back] - over < HIDDEN_TOP_M) & (range_m[front] < range_m[back])
    return hidden
