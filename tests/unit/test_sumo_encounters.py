"""The judge's log, reduced: crossing and merging only, one a pair, and when each became a conflict."""

import pathlib

import pytest

from tools.sim.encounters import read_encounters
from tools.sim.sumo import SumoError

T0 = 100.0


def conflict(ego: str, foe: str, codes: str, ttc: str, pet: str = "NA", drac: str | None = None) -> str:
    """One conflict of the log, a tenth of a second a code, from second 10 of the scene."""
    times = " ".join(f"{T0 + 10 + index / 10:.2f}" for index in range(len(codes.split())))
    return (
        f'<conflict begin="110" end="120" ego="{ego}" foe="{foe}"><timeSpan values="{times}"/>'
        f'<typeSpan values="{codes}"/><TTCSpan values="{ttc}"/><DRACSpan values="{drac or ttc}"/>'
        f'<minTTC time="NA" value="NA" type="NA"/><PET time="111" value="{pet}" type="17"/></conflict>'
    )


@pytest.fixture
def log(tmp_path: pathlib.Path):
    def write(*conflicts: str) -> pathlib.Path:
        path = tmp_path / "ssm.xml"
        path.write_text("<SSMLog>" + "".join(conflicts) + "</SSMLog>")
        return path

    return write


def test_a_crossing_begins_when_the_first_of_the_two_is_in_what_they_share(log) -> None:
    path = log(
        conflict("b", "c", "11 11 11 13 13 15 16 17", "NA 9 4 NA NA NA NA NA", pet="1.4", drac="NA 1 3 NA NA NA NA NA")
    )
    (met,) = read_encounters(path, T0)
    assert (met.first, met.second, met.merging) == ("b", "c", False)
    assert met.begins_s == pytest.approx(10.3)
    assert (met.ttc_s, met.pet_s, met.drac_mps2) == (4.0, 1.4, 3.0)


def test_a_ttc_under_its_threshold_begins_the_conflict_before_anyone_is_in(log) -> None:
    (met,) = read_encounters(log(conflict("b", "c", "11 11 11 13 16 17", "NA 1.4 0.9 NA NA NA", pet="1.0")), T0)
    assert met.begins_s == pytest.approx(10.1)
    assert met.ttc_s == 0.9


def test_a_merging_begins_when_the_one_ahead_is_on_the_common_lane(log) -> None:
    (met,) = read_encounters(log(conflict("b", "c", "6 6 6 3 3", "4 1.3 1.2 0.1 0.0")), T0)
    assert met.merging
    assert met.begins_s == pytest.approx(10.1)
    assert met.ttc_s == 1.2, "the 0.0 belongs to following, which is not judged"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(("2 2 3 18", "1.0 0.0 0.2 NA"), id="one follows the other, however close"),
        pytest.param(("11 11 0 0", "2.0 1.6 NA NA"), id="a crossing with room enough"),
        pytest.param(("4 4 20 20", "NA NA 0.5 NA"), id="side by side, then head-on on one lane"),
    ],
)
def test_what_is_no_crossing_or_merging_conflict_is_left_out(log, line: tuple[str, str]) -> None:
    assert read_encounters(log(conflict("b", "c", *line)), T0) == []
    assert read_encounters(log(conflict("b", "c", *line, pet="3.0")), T0) == [], "three seconds is no conflict any more"


def test_a_pair_logged_from_both_sides_is_one_with_its_worst_values(log) -> None:
    path = log(
        conflict("b", "c", "10 10 12 16 17", "1.4 1.2 NA NA NA", pet="1.1"),
        conflict("c", "b", "11 11 13 16 17", "1.6 1.3 NA NA NA", pet="0.9"),
        conflict("a", "b", "11 13 16 17", "1.0 NA NA NA", pet="2.0"),
    )
    first, second = read_encounters(path, T0)
    assert {(first.first, first.second), (second.first, second.second)} == {("a", "b"), ("b", "c")}
    met = first if first.first == "b" else second
    assert (met.begins_s, met.ttc_s, met.pet_s) == (pytest.approx(10.0), 1.2, 0.9)


def test_a_conflict_of_the_warm_up_is_no_part_of_the_scene(log) -> None:
    assert read_encounters(log(conflict("b", "c", "11 13 16 17", "1.0 NA NA NA", pet="1.0")), T0 + 10.2) == []


def test_a_log_cut_off_is_named(log) -> None:
    path = log(conflict("b", "c", "11 13", "1.0 NA"))
    path.write_text(path.read_text()[:-20])
    with pytest.raises(SumoError, match=r"ssm\.xml"):
        read_encounters(path, T0)
