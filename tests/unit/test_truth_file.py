"""The truth file beside a simulated recording: what is written is read again, and a damaged one is named."""

import pathlib

import pytest

from tools.sim.scene import ApproachTruth, Encounter, Kind, Sample, Scene, SceneError, User, read_scene, write_scene

SCENE = Scene(
    junction="t60",
    seed=7,
    duration_s=60.0,
    weather="clean",
    approaches={"main_east": ApproachTruth(True, 60, 90, 1, 300, ("branch_south",))},
    users=(
        User(
            "c1",
            Kind.CAR,
            4.5,
            1.8,
            False,
            12.0,
            (
                Sample(0.1, "main_east", 140.25, 0.5, 13.89, 140.25, 1.6, False),
                Sample(9.0, "main_east", 5.0, -3.0, 13.89, 5.0, -1.6, True),
            ),
        ),
    ),
    encounters=(Encounter("c1", "b1", False, 9.5, 1.2, None, 2.0),),
)


def test_a_truth_file_reads_as_it_was_written(tmp_path: pathlib.Path) -> None:
    write_scene(SCENE, tmp_path / "scene.truth.jsonl")
    assert read_scene(tmp_path / "scene.truth.jsonl") == SCENE


@pytest.mark.parametrize("text", ["", "{", '{"kind": "scene"}', "[]", '"scene"', "\x00"])
def test_what_is_no_truth_file_is_refused_by_name(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(SceneError, match=r"other\.jsonl"):
        read_scene(path)
    with pytest.raises(SceneError, match="missing"):
        read_scene(tmp_path / "missing")
