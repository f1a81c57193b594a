"""What a face shows when what it needs fails: stale is a fault, and dark is earned back slowly."""

import pytest

from configs.schema import RoadUser
from device.health import Health, unwatched
from device.observation import CameraObservation, SensorProblem
from hal.clock import NS_PER_S
from hal.interfaces import RadarFrame, RadarTarget, Shows
from tests.support.road import START_NS, Drive, Vehicle, lit_spans, site

BRANCH, EAST, WEST = "branch_south", "main_east", "main_west"


def test_a_silent_radar_is_a_fault_half_a_second_later_on_the_faces_that_need_it() -> None:
    moments = Drive(silent_from={"r_west": 10.05}).run(12)
    fault_s = next(moment.t_s for moment in moments if moment[BRANCH].shows is Shows.FAULT)
    assert fault_s == pytest.approx(10.5, abs=0.05)
    assert moments[-1][WEST].shows is Shows.FAULT
    assert moments[-1][EAST].shows is Shows.CLEAR, "the east radar is well"
    assert "r_west" in moments[-1][BRANCH].reasons[0]


def test_fault_clears_after_thirty_seconds_of_flash_and_ten_of_health() -> None:
    moments = Drive(silent_from={"r_west": 5.0}, back_at={"r_west": 8.0}).run(50)
    faults = [moment.t_s for moment in moments if moment[BRANCH].shows is Shows.FAULT]
    assert faults[0] == pytest.approx(5.5, abs=0.1)
    assert faults[-1] == pytest.approx(35.5, abs=0.2)
    late = Drive(silent_from={"r_west": 5.0}, back_at={"r_west": 60.0}).run(75)
    faults = [moment.t_s for moment in late if moment[BRANCH].shows is Shows.FAULT]
    assert faults[-1] == pytest.approx(70.0, abs=0.2), "ten seconds healthy after it came back"


def test_alert_is_shown_even_in_fault() -> None:
    moments = Drive(Vehicle(50, 20.0), branch=lambda _t: {RoadUser.CAR: 1}, silent_from={"r_west": 5.0}).run(20)
    assert moments[-1][BRANCH].health is Health.FAULT
    assert moments[-1][BRANCH].shows is Shows.ALERT


def test_a_silent_camera_degrades_and_holds_longer() -> None:
    moments = Drive(Vehicle(50, 20.0), silent_from={"c_branch": 5.0}).run(30)
    (span,) = lit_spans(moments, BRANCH)
    assert moments[-1][BRANCH].health is Health.DEGRADED
    assert span[1] == pytest.approx(20.0 + 4.5, abs=0.4)


def test_what_a_stale_radar_saw_is_never_acted_on() -> None:
    """The vehicle would pass at 20 s; its radar dies when it is 60 m away."""
    moments = Drive(Vehicle(50, 20.0), silent_from={"r_east": 15.7}).run(19)
    assert not [track for track in moments[-1].output.tracks if track.sensor == "r_east"]
    assert moments[-1][BRANCH].shows is Shows.FAULT


def test_a_sensor_that_says_it_cannot_be_trusted_is_not_trusted_though_it_talks() -> None:
    def blind(now_ns: int, t_s: float) -> list[SensorProblem]:
        return [SensorProblem("r_east", now_ns, "settings lost")] if t_s == 5.0 else []

    moments = Drive(extra=blind).run(6)  # type: ignore[arg-type]
    assert moments[-1][BRANCH].reasons == ("r_east: settings lost",)


def test_boot_flashes_until_ten_seconds_were_healthy() -> None:
    moments = Drive(booted=False).run(12)
    clear_s = next(moment.t_s for moment in moments if moment[BRANCH].shows is Shows.CLEAR)
    assert clear_s == pytest.approx(10.0, abs=0.1)


def test_boot_with_a_dead_radar_never_leaves_its_flash() -> None:
    moments = Drive(booted=False, silent_from={"r_east": 0.0}).run(90)
    assert {moment[BRANCH].shows for moment in moments} == {Shows.FAULT}


def test_an_approach_that_no_sensor_watches_is_named_and_the_others_are_guarded() -> None:
    raw = site().model_dump(mode="json", exclude_none=True)
    del raw["radars"]["r_west"]
    config = type(site()).model_validate(raw)
    moments = Drive(Vehicle(50, 20.0), config=config).run(20)
    assert moments[0][BRANCH].shows is Shows.CLEAR
    assert moments[-1][BRANCH].level == "caution"
    assert unwatched(config) == [WEST] and unwatched(site()) == []


def test_a_face_that_has_nothing_to_watch_is_in_fault() -> None:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["radars"], raw["cameras"] = {}, {}
    config = type(site()).model_validate(raw)
    moments = Drive(config=config).run(1)
    assert {moments[-1][face].shows for face in (BRANCH, EAST, WEST)} == {Shows.FAULT}
    assert "no sensor is fitted" in moments[-1][BRANCH].reasons[0]


def test_late_repeated_and_future_frames_are_skipped_and_counted() -> None:
    ghost = (RadarTarget(speed_mps=20.0, distance_m=30.0),)

    def burst(now_ns: int, t_s: float) -> list[RadarFrame]:
        if 5.0 < t_s < 6.0:
            return [
                RadarFrame("r_east", now_ns - NS_PER_S, ghost),  # a second late
                RadarFrame("r_east", now_ns + NS_PER_S, ghost),  # not yet captured
            ]
        return []

    drive = Drive(extra=burst)  # type: ignore[arg-type]
    moments = drive.run(7)
    assert lit_spans(moments, BRANCH) == []
    assert drive.pipeline.counters.late == 2 * 49


def test_one_observation_that_raises_costs_only_itself() -> None:
    class Poison(RadarFrame):
        @property
        def targets(self):  # type: ignore[no-untyped-def, override]
            raise RuntimeError("poison")

    def poison(now_ns: int, t_s: float) -> list[RadarFrame]:
        frame = Poison.__new__(Poison)
        object.__setattr__(frame, "radar", "r_west")
        object.__setattr__(frame, "captured_ns", now_ns)
        return [frame] if t_s > 1 and round(t_s * 50) % 5 == 2 else []

    drive = Drive(Vehicle(50, 20.0), extra=poison)  # type: ignore[arg-type]
    moments = drive.run(20)
    assert moments[-1][BRANCH].level == "caution"
    assert drive.pipeline.counters.faulty > 0


def test_unknown_sensors_are_counted_and_ignored() -> None:
    drive = Drive()
    drive.pipeline.step(
        START_NS, drive._day, [RadarFrame("r_north", START_NS, ()), CameraObservation("c_x", START_NS, ())]
    )
    assert drive.pipeline.counters.unknown_sensor == 2
