"""A finished candidate on its way into the package: its row in the table, its manifest, and the word that names it."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from models import manifest
from models.errors import ModelError
from models.manifest import BUNDLED, BUNDLED_MODELS, located, read_manifest, read_weights
from models.onnx_detector import load_detector
from models.training import bundle, recipes, report
from tools.bench import marked
from tools.build import candidates

WEIGHTS = BUNDLED.with_name(read_manifest(BUNDLED).file)

REPORT = report.Report(
    candidate="standard",
    recipe=json.loads(json.dumps(dataclasses.asdict(recipes.RECIPES["standard_weather"]))),
    start="yolox_nano_416.onnx",
    start_sha256="0" * 64,
    teacher=None,
    labels={"images": 2195, "boxes": 20000, "regions_without_loss": 4000},
    labels_key="0" * 64,
    corruptions="painted-1",
    machine="cpu (x86_64), 2 threads, float32, torch 2.13.0, onnxruntime 1.31.1",
    minutes=41.7,
    losses=[5.5, 4.25],
    parameters=889_838,
    gmac={"512×512": 0.766, "384×640": 0.718},
    files={"model.onnx": {"bytes": 3_591_860, "sha256": "0" * 64}},
    ships="model.onnx",
)

TINY = dataclasses.replace(
    REPORT,
    candidate="tiny",
    recipe=json.loads(json.dumps(dataclasses.asdict(recipes.RECIPES["tiny"]))),
    teacher="model.onnx",
    parameters=580_000,
)

FIGURES = """
{"name": "nanodet_pole_clear_any_vehicle_ap50", "value": 0.45, "unit": "ap50", "bar": null, "ok": null}
{"name": "road_users_standard_pole_clear_any_vehicle_ap50", "value": 0.6123, "unit": "ap50", "bar": null, "ok": null}
{"name": "road_users_standard_pole_clear_any_vehicle_ap50_low", "value": 0.5811, "unit": "ap50", "bar": null}
{"name": "road_users_standard_pole_clear_any_vehicle_ap50_high", "value": 0.6409, "unit": "ap50", "bar": null}
{"name": "road_users_standard_close_clear_mean_of_5_classes_ap50", "value": null, "unit": "ap50", "bar": null}
{"name": "road_users_standard_time_ratio", "value": 0.3712, "unit": "x nanodet", "bar": 0.6, "ok": true}
"""


@pytest.fixture
def trained(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of a finished training: the bundled weights in the place of new ones."""
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(WEIGHTS.read_bytes())
    report.write(folder, REPORT)
    return folder


def test_a_report_comes_back_as_it_was_written(trained: pathlib.Path) -> None:
    assert report.read(trained) == REPORT


def test_a_training_that_has_not_finished_has_no_report(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"report\.json.*--resume"):
        report.read(tmp_path)


def test_a_row_shows_what_was_measured_and_a_dash_for_what_was_not() -> None:
    row = report.row(REPORT, report.figures(FIGURES), "kept")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == len(report.HEADER)
    assert cells[:4] == ["`standard`", "yolox_nano_416.onnx", "3000", "42"]
    assert cells[4:7] == ["0.89", "0.77 (512×512)", "3.59"]
    assert cells[7:] == ["0.612 [0.581, 0.641]", "–", "0.371", "kept"]


def test_a_new_row_takes_the_place_of_the_candidates_old_one_and_leaves_the_losers() -> None:
    page = "# Models\n\nWords.\n"
    for known, verdict in ((REPORT, "first"), (TINY, "lost"), (REPORT, "second")):
        page = candidates.renewed(page, report.row(known, {}, verdict))
    table = marked.taken(page, candidates.SECTION)
    assert table is not None
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert [row.rsplit("|", 2)[1].strip() for row in rows] == ["second", "lost"]
    assert page.startswith("# Models\n\nWords.\n")


def test_words_around_the_table_stay() -> None:
    page = marked.put("", candidates.SECTION, "## Candidates\n\n" + report.table([]) + "\n\nMeasured on one core.")
    page = candidates.renewed(page, report.row(REPORT, {}, ""))
    lines = (marked.taken(page, candidates.SECTION) or "").splitlines()
    assert lines[0] == "## Candidates"
    assert lines[-1] == "Measured on one core."
    assert lines[-3].startswith("| `standard`")


def test_a_table_of_other_columns_is_not_torn() -> None:
    with pytest.raises(ValueError, match="columns"):
        report.with_row("| a | b |\n|---|---|", report.row(REPORT, {}, ""))


def test_a_finished_training_becomes_a_bundled_model(
    trained: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "weights"
    into.mkdir()
    path = bundle.bundle(trained, into, threshold=0.3, overlap=0.5)
    assert path.name == BUNDLED.name
    made = read_manifest(path)
    assert [(size.height, size.width) for size in made.input.sizes] == [(512, 512), (384, 640)]
    detector = load_detector(path)
    detector.detect(np.full((360, 640, 3), 90, np.uint8))
    assert detector.letterbox.blob.shape == (1, 384, 640, 3)
    # The site file's word for it, as the node opens it.
    monkeypatch.setitem(BUNDLED_MODELS, "standard", path)
    assert read_manifest(pathlib.Path("standard")) == made
    assert read_weights(pathlib.Path("standard"), made) == WEIGHTS.read_bytes()
    assert load_detector(pathlib.Path("standard")).manifest == made


def test_tiny_says_whom_it_learnt_from_and_is_held_to_2_mb(trained: pathlib.Path, tmp_path: pathlib.Path) -> None:
    report.write(trained, TINY)
    into = tmp_path / "weights"
    into.mkdir()
    with pytest.raises(ValueError, match=r"3591860 bytes; allowed for tiny: 2000000"):
        bundle.bundle(trained, into, threshold=0.3, overlap=0.5)
    assert not list(into.iterdir())


def test_tiny_names_the_standard_among_its_sources(
    trained: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.write(trained, TINY)
    monkeypatch.setitem(recipes.MOST_BYTES, "tiny", 4_000_000)
    path = bundle.bundle(trained, tmp_path, threshold=0.3, overlap=0.5)
    assert path.name == "road_users_tiny.json"
    assert "road_users standard" in {source.name for source in read_manifest(path).sources}


def test_weights_that_the_detector_refuses_do_not_reach_the_package(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (trained / "model.onnx").write_bytes(b"not a network")
    into = tmp_path / "weights"
    into.mkdir()
    with pytest.raises(ModelError):
        bundle.bundle(trained, into, threshold=0.3, overlap=0.5)
    assert not list(into.iterdir())


def test_a_bare_word_is_a_bundled_model_and_a_path_is_itself() -> None:
    assert located(pathlib.Path("standard")) == BUNDLED
    assert located(pathlib.Path("tiny")).name == "road_users_tiny.json"
    for path in (pathlib.Path("./weights/standard"), pathlib.Path("/etc/sentinel/tiny"), pathlib.Path("tiny.json")):
        assert located(path) == path


def test_every_recipe_is_for_a_bundled_model_and_a_size_that_the_network_takes() -> None:
    assert set(recipes.MOST_BYTES) == set(manifest.BUNDLED_MODELS)
    for recipe in recipes.RECIPES.values():
        assert recipe.model in BUNDLED_MODELS
        assert all(side % 32 == 0 for size in [*recipe.sizes, (recipe.size,)] for side in size)
    assert {recipe.model for recipe in recipes.RECIPES.values()} == set(BUNDLED_MODELS)
