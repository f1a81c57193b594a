"""The detector's evaluation from real pictures to its tables, and what it refuses."""

import dataclasses
import pathlib
import re
import shutil

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.onnx_detector import load_detector
from models.training.data import overlap
from tools.bench import marked
from tools.bench.figures import as_json
from tools.detector import alarms, bars, curves, pace, page, questions, sheets, split
from tools.detector.__main__ import main
from tools.detector.degrade import WEATHERS
from tools.detector.errors import CannotMeasure
from tools.detector.looking import CLEAR, IN_WEATHERS, Looks, Picture, View, look, read_pictures, view
from tools.detector.questions import ALL_CAMERAS, SEEN_CAMERAS, Answer, Asked, ask
from tools.detector.scorers import NANODET, WEIGHTS, YOLOX, YOLOX_WIDE, Contestant, contestants, wide_yolox

pytestmark = pytest.mark.timeout(300)

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SHARED = PROJECT.parent / "shared"
OURS, SMALL = "road_users_standard", "road_users_tiny"

PICTURES = (
    "atl_28e2ab9b1b",  # avenue, never in train
    "atl_0526986bb5",  # junction, in train too
    "hw_cc8bd3a5d6",
    "hw_2a1d85e0e3",  # a picture of train
)

with_shared = pytest.mark.skipif(
    not (SHARED / "road_users").is_dir(), reason="pictures, teachers and clips are not at ../shared"
)


def refused(*arguments: str) -> str:
    """What it says to arguments that it does not take."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    return done.output


def test_without_the_pictures_it_says_which_folder_is_missing(tmp_path: pathlib.Path) -> None:
    assert str(tmp_path / "images") in refused("--data", str(tmp_path))


def test_a_look_at_every_few_pictures_is_not_written_down() -> None:
    assert "--every" in refused("--write", "--every", "5")


def test_pictures_that_are_not_ours_do_not_get_into_the_project() -> None:
    assert "inside the project" in refused("--sheets", str(PROJECT / "docs" / "sheets"))
    assert not (PROJECT / "docs" / "sheets").exists()


def test_a_folder_without_models_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CannotMeasure, match="manifest"):
        contestants(tmp_path, tmp_path)
    with pytest.raises(CannotMeasure, match="yolox_nano_416"):
        contestants(WEIGHTS, tmp_path)


def test_a_teacher_that_is_another_network_is_not_widened(tmp_path: pathlib.Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes((WEIGHTS / f"{OURS}.onnx").read_bytes())
    with pytest.raises(CannotMeasure, match=r"other\.onnx.*416"):
        wide_yolox(other)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Done:
    """A small run: two pole views and a close one."""

    models: list[Contestant]
    pictures: list[Picture]
    looks: Looks
    views: list[View]
    answers: dict[Asked, dict[str, Answer]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("val")
    for part, ending in (("images", "jpg"), ("labels", "txt")):
        (folder / part).mkdir()
        for name in PICTURES:
            shutil.copy(SHARED / "road_users" / "val" / part / f"{name}.{ending}", folder / part)
    pictures = read_pictures(folder)
    models = contestants(WEIGHTS, SHARED / "teacher")
    looks = look(models, pictures, lambda _text: None)
    views = [view(True, pictures, looks), view(False, pictures, looks)]
    answers: dict[Asked, dict[str, Answer]] = {}
    for one in views:
        drawn = curves.draws(len(one.pictures), rounds=50)
        answers.update(ask(one, drawn, {model.name: model.threshold for model in models}))
    return Done(models, pictures, looks, views, answers)


@with_shared
def test_ours_and_both_teachers_are_there_one_of_them_twice(done: Done) -> None:
    assert [(one.name, one.ours) for one in done.models] == [
        (OURS, True),
        (SMALL, True),
        (NANODET, False),
        (YOLOX_WIDE, False),
        (YOLOX, False),
    ]
    picture = done.pictures[0].sample.image()
    cells = [len(one.scorer.candidates(picture).scores) for one in done.models]
    # 640×384 in cells of 8, 16 and 32: 3840 + 960 + 240; 544×320: 2720 + 680 + 170; 416×416: 3549.
    assert cells == [5040, 3570, 5100, 3570, 3549]


@with_shared
def test_the_wide_teacher_sees_the_same_vehicles_a_little_larger(done: Done) -> None:
    found = []
    for square, wide in zip(*(done.looks[name, CLEAR] for name in (YOLOX, YOLOX_WIDE)), strict=True):
        sure = square.vehicle.boxes[square.vehicle.scores > 0.4]
        found += (overlap(sure, wide.vehicle.boxes[wide.vehicle.scores > 0.2]).max(axis=1, initial=0) > 0.6).tolist()
    assert len(found) > 4
    assert np.mean(found) > 0.8


@with_shared
def test_the_bundled_model_is_judged_by_what_it_says_on_a_node(done: Done) -> None:
    node = load_detector()
    for number, picture in enumerate(done.pictures):
        said = done.looks[OURS, CLEAR][number].kinds
        sure = said.of(said.scores >= np.float32(node.threshold))
        found = node.detect(picture.sample.image())
        assert [node.classes[cls] for cls in sure.classes] == [one.cls for one in found]
        assert sure.scores.tolist() == pytest.approx([one.score for one in found])


@with_shared
def test_a_picture_of_train_is_left_out_and_a_camera_of_train_is_told_apart(done: Done) -> None:
    assert [one.name for one in done.pictures] == sorted(set(PICTURES) - split.TWINS)
    labels = {asked.what: next(iter(by_model.values())).labels for asked, by_model in done.answers.items()}
    unseen, seen = (len(done.pictures[i].sample.boxes) for i in (1, 0))
    assert labels[bars.POLE.what] == unseen
    assert labels[SEEN_CAMERAS] == seen
    assert labels[ALL_CAMERAS] == unseen + seen


@with_shared
def test_every_model_answers_every_question_on_the_same_labels(done: Done) -> None:
    names = {one.name for one in done.models}
    assert {asked.weather for asked in done.answers} == {CLEAR, *WEATHERS} == set(IN_WEATHERS)
    for asked, by_model in done.answers.items():
        assert set(by_model) == names, asked
        assert len({one.labels for one in by_model.values()}) == 1, asked
    clear = done.answers[bars.POLE]
    assert 0.2 < clear[OURS].ap50().value <= 1
    for view_of in done.views:
        classes = {index for one in view_of.kinds.values() for index in one.cls.tolist()}
        assert (0 in classes) == (view_of.name == "close"), "nobody is a person on a pole view"


@with_shared
def test_the_tables_say_what_they_do_not_show_and_every_figure_has_a_name_of_its_own(
    done: Done, tmp_path: pathlib.Path
) -> None:
    times = pace.by_turns(done.models, [done.pictures[0].sample.image()], rounds=3)
    short = (alarms.Stretch("street_side_view.mp4", 0, 2, 1, 10.04, ()),)
    counted = alarms.count(done.models, SHARED / "footage", short)
    assert counted[OURS, CLEAR].alarms > 0, "with nothing marked as parked every parked car is one"
    judged = list(bars.lines([OURS, SMALL], done.answers, times))
    run = page.Measured([one.name for one in done.models], done.views, done.answers, times, counted, judged)
    tables = page.tables(run)
    for words in ("no person labels", "miss some far vehicles", "in `train` too", "darkened", "simulated"):
        assert words in " ".join(tables.split())
    names = [str(line["name"]) for line in page.every_line(run)]
    assert len(names) == len(set(names))
    assert f"{OURS}_pole_clear_under_16_px_ap50_low" in names
    for line in page.every_line(run):
        as_json(line)
    section = page.section(run, command="x", date="2000-01-01", took_min=1, load="1.0")
    assert all(str(line["name"]) in section for line in judged)
    card = page.card_section(run, command="x", date="2000-01-01")
    assert [str(line["name"]) for line in judged if line["ok"] is False] == re.findall(
        r"^- `(\w+)`", card, re.MULTILINE
    )
    for asked in (Asked("pole", CLEAR, "bus"), Asked("close", CLEAR, "person"), Asked("close", "fog", questions.CLOSE)):
        assert f" {done.answers[asked][OURS].ap50().value:.3f} |" in card
    before = (PROJECT / "models" / "README.md").read_text(encoding="utf-8")
    after = marked.put(before, page.SECTION, section)
    assert marked.taken(after, "candidates") == marked.taken(before, "candidates") is not None
    folder = tmp_path / "sheets"
    written = sheets.write(folder, done.models, done.pictures, done.looks)
    found = sorted(folder.glob("*.png"))
    assert len(found) == written > 4
    assert cv2.imread(str(folder / f"{OURS}_pole_{CLEAR}_misses.png")).shape[1] == sheets.ACROSS * sheets.TILE_PX
