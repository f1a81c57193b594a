"""How many seconds the crossing road user needs: who is unknown counts as the design user, a shorter gap is earned."""

from dataclasses import replace

import pytest

from configs.gaps import gap_table
from configs.schema import RoadUser, SiteConfig
from device.day import DAYLIGHT
from device.gap import GapKeeper, Widening, widening
from device.tracks import TrackState
from tests.support.road import site
from tests.support.tracks import BRANCH, ns, seen, waits


def designed_for(user: str, **policy: object) -> SiteConfig:
    config = site(**policy)
    return config.model_copy(update={"site": config.site.model_copy(update={"design_user": RoadUser(user)})})


def after(seconds: float, *users: RoadUser | None, config: SiteConfig | None = None) -> float:
    """The gap after somebody was called these names for so long, at 10 Hz."""
    keeper = GapKeeper(config or site())
    needed_s = 0.0
    for n in range(round(seconds * 10) + 1):
        needed_s = keeper.needed_s(ns(n / 10), [waits(users[n % len(users)])])
    return needed_s


def test_nobody_seen_and_somebody_unknown_are_the_design_user() -> None:
    assert GapKeeper(site()).needed_s(0, []) == 9.5
    assert after(5, None) == 9.5
    assert after(5, None, config=designed_for("car")) == 7.5


@pytest.mark.parametrize(
    ("user", "needed_s"),
    [("walker", 9.5), ("two_wheeler", 8.5), ("tricycle", 8.5), ("car", 7.5), ("bus", 9.5), ("truck", 9.5)],
)
def test_the_gap_of_whom_a_sensor_names(user: str, needed_s: float) -> None:
    """A two-wheeler may be a farm tricycle, which no detector here can name."""
    assert after(2, RoadUser(user)) == needed_s
    assert after(2, RoadUser(user), config=designed_for("long_truck")) == (
        11.5 if user in ("bus", "truck") else needed_s
    )


def test_a_bus_may_be_a_lorry_seen_from_the_front() -> None:
    table = gap_table(designed_for("car", gap_s={"bus": 8.0, "truck": 10.0}))
    assert (table[RoadUser.BUS], table[RoadUser.TRUCK], table[RoadUser.CAR]) == (10.0, 10.0, 7.5)
    assert set(table) == set(RoadUser)


def test_a_two_wheeler_that_needs_longer_than_a_tricycle_gets_it() -> None:
    assert gap_table(site(gap_s={"two_wheeler": 9.0}))[RoadUser.TWO_WHEELER] == 9.0


def test_a_shorter_gap_is_earned_by_a_second_and_a_half_of_agreement() -> None:
    assert after(1.4, RoadUser.CAR) == 9.5
    assert after(1.5, RoadUser.CAR) == 7.5
    assert after(0.9, RoadUser.CAR, config=site(class_agreed_s=1.0)) == 9.5
    assert after(1.0, RoadUser.CAR, config=site(class_agreed_s=1.0)) == 7.5


def test_a_longer_gap_is_believed_at_once() -> None:
    assert after(0, RoadUser.TRUCK, config=designed_for("car")) == 9.5


def test_one_picture_in_ten_that_says_lorry_keeps_the_lorrys_gap() -> None:
    words = [RoadUser.CAR] * 9 + [RoadUser.TRUCK]
    assert after(8.5, *words, config=designed_for("car")) == 9.5


def test_a_word_that_was_said_once_is_forgotten_when_the_time_of_agreement_has_passed() -> None:
    keeper = GapKeeper(site())
    keeper.needed_s(ns(0), [waits(RoadUser.TRUCK)])
    assert keeper.needed_s(ns(1.5), [waits(RoadUser.CAR)]) == 9.5, "still inside"
    assert keeper.needed_s(ns(1.6), [waits(RoadUser.CAR)]) == 7.5


def test_a_picture_without_a_name_begins_anew() -> None:
    keeper = GapKeeper(site())
    for n in range(30):
        keeper.needed_s(ns(n / 10), [waits(RoadUser.CAR)])
    assert keeper.needed_s(ns(3.0), [waits(None)]) == 9.5
    assert keeper.needed_s(ns(3.1), [waits(RoadUser.CAR)]) == 9.5
    assert keeper.needed_s(ns(4.6), [waits(RoadUser.CAR)]) == 7.5


def test_the_slowest_of_all_counts_and_one_unknown_beside_a_car_is_the_design_user() -> None:
    keeper = GapKeeper(site())
    car, rider = waits(RoadUser.CAR), waits(RoadUser.TWO_WHEELER, number=51)
    radar = seen(BRANCH, 4.0, number=52, sensor="r_branch")
    for n in range(20):
        keeper.needed_s(ns(n / 10), [car, rider])
    assert keeper.needed_s(ns(2.0), [car, rider]) == keeper.needed_s(ns(2.0), [rider, car]) == 8.5
    assert keeper.needed_s(ns(2.1), [car]) == 7.5
    assert keeper.needed_s(ns(2.2), [car, radar]) == keeper.needed_s(ns(2.2), [radar, car]) == 9.5


def test_what_one_has_earned_the_next_has_not() -> None:
    keeper = GapKeeper(site())
    for n in range(20):
        keeper.needed_s(ns(n / 10), [waits(RoadUser.CAR)])
    assert keeper.needed_s(ns(2.0), [waits(RoadUser.CAR, number=77)]) == 9.5


@pytest.mark.parametrize("between", [[], [waits(RoadUser.CAR, number=60)]])
def test_who_was_away_begins_anew(between: list[object]) -> None:
    keeper = GapKeeper(site())
    for n in range(20):
        keeper.needed_s(ns(n / 10), [waits(RoadUser.CAR), *between])  # type: ignore[list-item]
    keeper.needed_s(ns(2.0), between)  # type: ignore[arg-type]
    assert keeper.needed_s(ns(2.1), [waits(RoadUser.CAR)]) == 9.5


def test_new_gaps_are_taken_between_two_steps_and_what_was_earned_stays() -> None:
    keeper = GapKeeper(site())
    for n in range(20):
        keeper.needed_s(ns(n / 10), [waits(RoadUser.CAR)])
    keeper.configure(site(gap_s={"car": 6.5}))
    assert keeper.needed_s(ns(2.0), [waits(RoadUser.CAR)]) == 6.5


def test_daylight_on_a_dry_road_in_clear_air_widens_nothing() -> None:
    assert widening(site().policy, DAYLIGHT) == Widening(0.0, 1.0)


@pytest.mark.parametrize(
    ("conditions", "extra_s", "factor"),
    [
        ({"night": True}, 0.5, 1.0),
        ({"wet": True}, 0.5, 0.7),
        ({"visibility_m": 200.0}, 0.0, 1.0),
        ({"visibility_m": 199.0}, 0.5, 1.0),
        ({"visibility_m": 100.0}, 0.5, 1.0),
        ({"visibility_m": 99.0}, 1.0, 1.0),
        ({"visibility_m": 49.0}, 1.5, 1.0),
        ({"night": True, "wet": True, "visibility_m": 49.0}, 2.5, 0.7),
    ],
)
def test_night_a_wet_road_and_fog_add_up(conditions: dict[str, object], extra_s: float, factor: float) -> None:
    assert widening(site().policy, replace(DAYLIGHT, **conditions)) == Widening(extra_s, factor)  # type: ignore[arg-type]


def test_a_county_sets_its_own_widening() -> None:
    own = site(widen={"night_s": 1.0, "wet_s": 0.25, "wet_deceleration_factor": 0.5, "low_visibility_s": 2.0})
    dark = replace(DAYLIGHT, night=True, wet=True, visibility_m=150.0)
    assert widening(own.policy, dark) == Widening(3.25, 0.5)


@pytest.mark.parametrize(("fastest_kmh", "needed_s"), [(39, 9.5), (40, 7.5), (50, 7.5)])
def test_where_there_are_tractors_a_car_is_one_that_drove_faster_than_they_can(
    fastest_kmh: float, needed_s: float
) -> None:
    keeper = GapKeeper(site(car_proven_kmh=40))
    comes = seen(BRANCH, 4.0, speed_mps=fastest_kmh / 3.6, user=RoadUser.CAR)
    for n in range(20):
        keeper.needed_s(ns(n / 10), [comes])
    # It is judged by the fastest it was, also when it waits; believed or not it is a car for whoever is slower.
    assert keeper.needed_s(ns(2.0), [comes._replace(speed_mps=0.0, state=TrackState.WAITING)]) == needed_s


def test_a_two_wheeler_needs_no_proof_of_speed() -> None:
    assert after(2, RoadUser.TWO_WHEELER, config=site(car_proven_kmh=40)) == 8.5


def test_a_car_that_nobody_saw_move_is_not_proven_however_low_the_proof_is_set() -> None:
    assert after(2, RoadUser.CAR, config=site(car_proven_kmh=3)) == 9.5
