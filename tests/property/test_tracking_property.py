"""What must hold for any road that a radar sees: order, repeats and idle steps change nothing, company hides nobody."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from configs.bend import Straight
from device.fusion import Fuser
from device.tracking import RadarTracker
from device.tracks import ACTED_ON, Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget

FEW = settings(max_examples=30, deadline=None)
FRAMES = 40

speeds_mps = st.floats(5, 40)
starts_m = st.floats(60, 100)


def rows(rng: random.Random, over_m: int) -> list[RadarTarget]:
    """Targets without rhyme or reason, within so many metres: the fewer, the more of them fit one another."""
    return [
        RadarTarget(
            speed_mps=rng.randint(-100, 100) / 3.6,
            distance_m=float(rng.randint(0, over_m)),
            flag=rng.choice(list(Flag)),
        )
        for _ in range(rng.randint(0, 6))
    ]


def seen(speed_mps: float, from_m: float, frame: int) -> list[RadarTarget]:
    """A vehicle that comes, in whole metres and km/h, as long as it is before the radar."""
    distance_m = from_m - speed_mps * frame / 10
    if distance_m < 1:
        return []
    return [RadarTarget(round(speed_mps * 3.6) / 3.6, float(round(distance_m)), None, Flag.APPROACHING)]


def played(frames: list[list[RadarTarget]], idle_steps: int = 0) -> list[list[Track]]:
    tracker = RadarTracker("r", "main_east", 0.0, itertools.count(1), Straight(0.0), Straight(0.0))
    found = []
    for frame, targets in enumerate(frames):
        now_ns = (frame + 1) * NS_PER_S // 10
        for step in range(idle_steps):
            tracker.advance(now_ns - NS_PER_S // 10 + (step + 1) * NS_PER_S // 50)
        tracker.update(RadarFrame("r", now_ns, tuple(targets)))
        tracker.advance(now_ns)
        found.append(tracker.tracks())
    return found


def soonest_s(tracks: list[Track]) -> float:
    arrivals = [t.time_to_arrival_s for t in tracks if t.state in ACTED_ON and not t.receding]
    return min((arrival_s for arrival_s in arrivals if arrival_s is not None), default=1e9)


@FEW
@given(speed_mps=speeds_mps, from_m=starts_m, dropped=st.sets(st.integers(2, FRAMES), max_size=6))
def test_any_vehicle_is_known_from_its_second_frame_to_its_arrival(
    speed_mps: float, from_m: float, dropped: set[int]
) -> None:
    arrives_s = from_m / speed_mps
    for frame, tracks in enumerate(
        played([[] if frame in dropped else seen(speed_mps, from_m, frame) for frame in range(FRAMES)])
    ):
        left_s = arrives_s - frame / 10
        if frame >= 1 and left_s > 0.5:
            assert abs(soonest_s(tracks) - left_s) < max(0.35, 0.07 * left_s)


@FEW
@given(seed=st.integers(0, 2**32), over_m=st.sampled_from([10, 30, 100]))
def test_neither_order_nor_repeats_of_rows_change_a_track(seed: int, over_m: int) -> None:
    rng = random.Random(seed)
    frames = [rows(rng, over_m) for _ in range(15)]
    mixed = [rng.sample(frame, len(frame)) + frame[: len(frame) // 2] for frame in frames]
    assert played(mixed) == played(frames)


@FEW
@given(many=st.lists(st.tuples(speeds_mps, starts_m), min_size=1, max_size=4))
def test_steps_between_frames_change_nothing_while_vehicles_come(many: list[tuple[float, float]]) -> None:
    until = min(round((from_m - 5) / speed_mps * 10) for speed_mps, from_m in many)
    frames = [[row for one in many for row in seen(*one, frame)] for frame in range(min(FRAMES, until))]
    assert played(frames, idle_steps=4) == played(frames)


@FEW
@given(
    mine=st.tuples(speeds_mps, starts_m),
    others=st.lists(st.tuples(speeds_mps, st.floats(20, 100)), min_size=1, max_size=4),
)
def test_a_further_road_user_never_makes_the_first_arrival_later(
    mine: tuple[float, float], others: list[tuple[float, float]]
) -> None:
    alone = played([seen(*mine, frame) for frame in range(FRAMES)])
    company = played([[row for one in (mine, *others) for row in seen(*one, frame)] for frame in range(FRAMES)])
    for frame, (one, many) in enumerate(zip(alone, company, strict=True)):
        left_s = (mine[1] - mine[0] * frame / 10) / mine[0]
        if frame >= 3 and left_s > 0.5:
            assert soonest_s(many) <= soonest_s(one) + 0.35


cameras = st.lists(st.tuples(st.floats(0, 60), st.floats(-5, 20)), max_size=4)


@FEW
@given(radar=cameras, camera=cameras, seed=st.integers(0, 2**16))
def test_fusion_never_lets_the_first_arrival_come_later_than_the_radars_and_invents_nobody(
    radar: list[tuple[float, float]], camera: list[tuple[float, float]], seed: int
) -> None:
    def made(number: int, sensor: str, place: tuple[float, float]) -> Track:
        return Track(number, "a", sensor, TrackState.CONFIRMED, None, place[0], place[1], False, 0)

    tracks = [made(n, "r", place) for n, place in enumerate(radar)]
    tracks += [made(100 + n, "c", place) for n, place in enumerate(camera)]
    merged = Fuser({"r"}, {}).merge(tracks)
    assert len(merged) <= len(tracks) and len({t.id for t in merged}) == len(merged)
    assert soonest_s(merged) <= soonest_s([t for t in tracks if t.sensor == "r"])
    mixed = random.Random(seed).sample(tracks, len(tracks))
    assert sorted(Fuser({"r"}, {}).merge(mixed)) == sorted(merged)
