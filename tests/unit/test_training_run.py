"""Training itself: it learns, it is the same again, and after a power cut it ends where it would have ended anyway."""

import dataclasses
import pathlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.manifest import BUNDLED, read_manifest

REASON = "a package of training alone: models/training/requirements.txt"
onnx = pytest.importorskip("onnx", reason=f"onnx is {REASON}")
torch = pytest.importorskip("torch", reason=f"torch is {REASON}")

import onnxruntime as ort  # noqa: E402

from models.training import __main__ as command  # noqa: E402
from models.training import (  # noqa: E402
    average,
    bundle,
    checkpoint,
    distil,
    graph,
    labels,
    loss,
    narrow,
    prune,
    quantise,
    report,
    shipping,
    teachers,
    train,
)
from models.training.data import Sample, read_samples  # noqa: E402
from models.training.network import GraphModule, flatten, write_back  # noqa: E402
from models.training.pictures import Batches  # noqa: E402
from models.training.recipes import RECIPES, Recipe  # noqa: E402

WEIGHTS = BUNDLED.with_name(read_manifest(BUNDLED).file)
RECIPE = Recipe("trial", "tiny", ((64, 64),), integer=False, hard=True, distil=0.5, steps=5, batch=2, size=64)
MACHINE = train.Machine(threads=1, bf16=False)


@pytest.fixture(autouse=True)
def one_way_to_compute() -> None:
    train.repeatable(MACHINE)


@pytest.fixture
def samples(tmp_path: pathlib.Path) -> list[Sample]:
    """Two streets of 160×120 px, in each a dark block that is called a car."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("hw_street", "atl_street"):
        image = np.full((120, 160, 3), 150, np.uint8)
        image[40:80, 60:120] = 40
        cv2.imwrite(str(tmp_path / "images" / f"{name}.jpg"), image)
        (tmp_path / "labels" / f"{name}.txt").write_text("2 0.5625 0.5 0.375 0.3333\n", "ascii")
    return read_samples(tmp_path)


def start(recipe: Recipe = RECIPE) -> "onnx.ModelProto":
    model = graph.read(WEIGHTS)
    if recipe.hard:
        graph.harden(model)
    return model


def trained(
    samples: list[Sample], kept: pathlib.Path, recipe: Recipe = RECIPE
) -> tuple["onnx.ModelProto", train.Outcome]:
    model = start(recipe)
    outcome = train.fit(recipe, model, graph.read(WEIGHTS), samples, "labels", kept, MACHINE)
    return model, outcome


def noise(count: int, side: int) -> "torch.Tensor":
    return torch.from_numpy(np.random.default_rng(3).uniform(0, 255, (count, 3, side, side)).astype(np.float32))


class TestInterrupted:
    def test_a_run_cut_off_and_resumed_ends_with_the_same_bits(
        self, samples: list[Sample], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(train, "SAVE_EVERY", 2)
        whole, outcome = trained(samples, tmp_path / "whole.pt")
        draw = Batches.batch

        def power_cut(self: Batches, step: int) -> list[object]:
            if step == 4:
                raise KeyboardInterrupt
            return draw(self, step)

        with monkeypatch.context() as cut:
            cut.setattr(Batches, "batch", power_cut)
            with pytest.raises(KeyboardInterrupt):
                trained(samples, tmp_path / "cut.pt")
        assert torch.load(tmp_path / "cut.pt", weights_only=True)["step"] == 2
        resumed, again = trained(samples, tmp_path / "cut.pt")
        assert again.losses == outcome.losses
        assert len(again.losses) == RECIPE.steps
        assert resumed.SerializeToString() == whole.SerializeToString()
        assert whole.SerializeToString() != start().SerializeToString()

    def test_another_training_is_refused_and_says_which(self, samples: list[Sample], tmp_path: pathlib.Path) -> None:
        trained(samples, tmp_path / "kept.pt", dataclasses.replace(RECIPE, steps=1))
        with pytest.raises(ValueError, match=r"kept\.pt: of another training.*another --out"):
            trained(samples, tmp_path / "kept.pt", dataclasses.replace(RECIPE, steps=1, seed=21))

    def test_a_disk_that_is_full_leaves_the_last_checkpoint(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "kept.pt"
        weights = {"w": torch.arange(3.0)}
        checkpoint.save(path, "one", checkpoint.Checkpoint(25, weights, weights, {}, [1.0], 2.0))

        def full(_handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("models.training.files.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            checkpoint.save(path, "one", checkpoint.Checkpoint(50, weights, weights, {}, [1.0], 4.0))
        assert checkpoint.load(path, "one").step == 25


def test_the_loss_falls_on_a_street_seen_again_and_again(samples: list[Sample], tmp_path: pathlib.Path) -> None:
    recipe = dataclasses.replace(RECIPE, hard=False, distil=0.0, steps=24, rate=5e-4)
    _, outcome = trained(samples, tmp_path / "kept.pt", recipe)
    assert sum(outcome.losses[-6:]) < 0.8 * sum(outcome.losses[:6])


def test_the_rate_warms_up_peaks_and_dies_away() -> None:
    rates = [train.pace(step, 1000) for step in range(1, 1001)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == rates[49] == 1
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


class Blind:
    """A teacher of labels that sees nothing."""

    def __init__(self, *_args: object, **_more: object) -> None:
        pass

    def candidates(self, _image: np.ndarray) -> teachers.Candidates:
        return teachers.Candidates(np.empty((0, 4), np.float32), np.empty((0, 5), np.float32))


class TestOneCommand:
    @pytest.fixture
    def ask(
        self, samples: list[Sample], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., report.Report]:
        """Runs a recipe on the two streets."""
        folder = samples[0].path.parents[1]
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "train").symlink_to(folder)
        (tmp_path / command.LABEL_TEACHER).write_bytes(b"a teacher")
        monkeypatch.setattr(labels, "NanoDetTeacher", Blind)
        monkeypatch.setattr(narrow, "PICTURES", 2)

        def run(recipe: Recipe, *, resume: bool = False) -> report.Report:
            out = tmp_path / "out"
            return command.run(recipe, tmp_path / "data", tmp_path, WEIGHTS, out, MACHINE, resume=resume)

        return run

    def test_from_pictures_to_files_that_the_node_can_open_and_a_report(
        self, ask: Callable[..., report.Report], tmp_path: pathlib.Path
    ) -> None:
        recipe = dataclasses.replace(RECIPES["tiny"], steps=2, batch=2, size=64, keep=0.9)
        told = ask(recipe)
        out = tmp_path / "out"
        assert report.read(out).files == told.files
        assert told.ships == "model_int8.onnx"
        assert told.labels == {"images": 2, "boxes": 2, "regions_without_loss": 0}
        assert told.parameters < graph.cost(graph.read(WEIGHTS), 64, 64)[1]
        assert set(told.gmac) == {"416×416", "320×544"}
        assert len(told.losses) == 1
        path = bundle.bundle(out, tmp_path, threshold=0.3, overlap=0.5)
        assert read_manifest(path).size_bytes == told.files["model_int8.onnx"]["bytes"] < 1_000_000

    def test_a_finished_training_is_not_written_over(
        self, ask: Callable[..., report.Report], tmp_path: pathlib.Path
    ) -> None:
        recipe = dataclasses.replace(RECIPES["tiny_silu"], steps=1, batch=1, size=64, keep=0.9)
        told = ask(recipe)
        with pytest.raises(FileExistsError, match=r"checkpoint\.pt.*--resume"):
            ask(recipe)
        (tmp_path / "out" / "model.onnx").unlink()
        assert ask(recipe, resume=True).files == told.files


class TestNetwork:
    def onnx_heads(self, model: "onnx.ModelProto", image: "torch.Tensor") -> list[np.ndarray]:
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return list(session.run(None, {graph.CUT_INPUT: image.numpy()}))

    @pytest.mark.parametrize("hard", [False, True])
    def test_torch_computes_what_the_graph_says_for_any_batch(self, hard: bool) -> None:
        model, image = start(dataclasses.replace(RECIPE, hard=hard)), noise(2, 64)
        with torch.no_grad():
            heads = GraphModule(model)(image)
        for ours, theirs in zip(heads, self.onnx_heads(model, image), strict=True):
            assert ours.numpy() == pytest.approx(theirs, rel=1e-3, abs=2e-3)

    def test_a_hardened_network_begins_as_the_soft_one(self) -> None:
        soft, hard = GraphModule(start(dataclasses.replace(RECIPE, hard=False))), GraphModule(start())
        hard.hardness = 0.0
        with torch.no_grad():
            for a, b in zip(soft(noise(1, 64)), hard(noise(1, 64)), strict=True):
                assert a.numpy() == pytest.approx(b.numpy(), rel=1e-3, abs=1e-3)
            hard.hardness = 1.0
            assert (hard(noise(1, 64))[8] - soft(noise(1, 64))[8]).abs().max() > 0.1

    def test_weights_find_their_way_back(self) -> None:
        model = start()
        network = GraphModule(model)
        with torch.no_grad():
            for value in network.parameters():
                value.mul_(1.02)
        write_back(model, network.state_dict())
        with torch.no_grad():
            heads = network(noise(1, 64))
        for ours, theirs in zip(heads, self.onnx_heads(model, noise(1, 64)), strict=True):
            assert ours.numpy() == pytest.approx(theirs, rel=1e-3, abs=5e-3)


def test_a_pupil_that_answers_like_its_teacher_has_nothing_to_learn() -> None:
    random = torch.Generator().manual_seed(1)
    corners, strides = (torch.from_numpy(v) for v in teachers.grid(64, 64))
    shapes = ((2, 84, 5), (2, 84, 4), (2, 84))
    teacher = tuple(torch.randn(shape, generator=random) for shape in shapes)
    pupil = tuple(value.clone().requires_grad_() for value in teacher)
    same = distil.soft_loss(pupil, teacher, corners, strides)
    same.backward()
    assert max(value.grad.abs().max() for value in pupil) < 1e-5
    for i in range(3):
        other = list(teacher)
        other[i] = other[i] + 1
        assert distil.soft_loss(tuple(other), teacher, corners, strides) > same + 0.01


def test_no_loss_is_asked_where_it_is_not_known_what_stands_there() -> None:
    corners, strides = (torch.from_numpy(v) for v in teachers.grid(64, 64))
    cls, raw = torch.zeros(1, 84, 5), torch.zeros(1, 84, 4)
    obj = torch.full((1, 84), -10.0)
    at = int(((corners * strides == 16).all(1) & (strides[:, 0] == 8)).nonzero()[0])
    obj[0, at] = 8.0  # the network is sure of something at 16–24 px
    nobody = torch.empty(0, 4), torch.empty(0, dtype=torch.int64)
    known = loss.loss_of(cls, raw, obj, [loss.Truth(*nobody, torch.empty(0, 4))], corners, strides)
    unknown = loss.loss_of(cls, raw, obj, [loss.Truth(*nobody, torch.tensor([[8.0, 8, 32, 32]]))], corners, strides)
    assert known > 7
    assert unknown < 0.1


def test_narrowing_asks_the_loss_again_after_every_tenth(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrow, "PICTURES", 2)
    asked = []
    worth = narrow.worth

    def counted(model: "onnx.ModelProto", *rest: object) -> dict[str, np.ndarray]:
        asked.append(graph.cost(model, *prune.REFERENCE)[0])
        return worth(model, *rest)

    monkeypatch.setattr(narrow, "worth", counted)
    whole = graph.read(WEIGHTS)
    full = graph.cost(whole, *prune.REFERENCE)[0]
    smaller = narrow.narrow(whole, dataclasses.replace(RECIPE, keep=0.8), samples)
    assert [round(macs / full, 1) for macs in asked] == [1.0, 0.9]
    assert 0.75 * full < graph.cost(smaller, *prune.REFERENCE)[0] <= 0.8 * full
    with torch.no_grad():
        cls, _, obj = flatten(GraphModule(smaller)(noise(1, 64)))
    assert cls.shape == (1, 84, 5)
    assert torch.isfinite(obj).all()


class TestTheMeanOfTwoTrainings:
    @pytest.fixture
    def trained(self, tmp_path: pathlib.Path, samples: list[Sample]) -> list[pathlib.Path]:
        """Two trainings of one start that have finished."""
        folders = []
        for seed in (1, 2):
            recipe = dataclasses.replace(RECIPE, name=f"seed_{seed}", seed=seed, steps=2, hard=False, distil=0.0)
            folder = tmp_path / recipe.name
            folder.mkdir()
            model = graph.read(WEIGHTS)
            outcome = train.fit(recipe, model, None, samples, "key", folder / "checkpoint.pt", MACHINE)
            written = quantise.write_both(folder, shipping.ship(model))
            report.write(folder, command._report(recipe, WEIGHTS, samples, "key", MACHINE, outcome, model, written))
            folders.append(folder)
        return folders

    def test_it_is_the_middle_of_every_weight_and_says_what_it_was_made_of(
        self, trained: list[pathlib.Path], tmp_path: pathlib.Path
    ) -> None:
        done = average.average(trained, tmp_path / "mean")
        assert (done.candidate, done.start, done.recipe["steps"]) == ("tiny", "seed_1 + seed_2", 4)
        assert report.read(tmp_path / "mean") == done
        one, other, mean = (
            {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(folder / "model.onnx")).graph.initializer}
            for folder in (*trained, tmp_path / "mean")
        )
        moved = [name for name in one if one[name].dtype == np.float32 and (one[name] != other[name]).any()]
        assert len(moved) > 50
        for name in moved:
            np.testing.assert_allclose(mean[name], (one[name] + other[name]) / 2, rtol=1e-4, atol=1e-6)
        networks = [onnx.load(str(folder / "model.onnx")) for folder in trained]
        uneven = {t.name: onnx.numpy_helper.to_array(t) for t in average.mean(networks, [0.8, 0.2]).graph.initializer}
        name = max(moved, key=lambda key: np.abs(one[key] - other[key]).max())
        np.testing.assert_allclose(uneven[name], 0.8 * one[name] + 0.2 * other[name], rtol=1e-4, atol=1e-6)
        with pytest.raises(ValueError, match="1 shares for 2 networks"):
            average.mean(networks, [1.0])
        picture = np.full((1, 64, 64, 3), 90, np.uint8)
        whole, small = (
            ort.InferenceSession(str(tmp_path / "mean" / name)).run(None, {"image": picture})
            for name in ("model.onnx", "model_int8.onnx")
        )
        assert np.abs(whole[1] - small[1]).max() < 0.05

    def test_networks_of_other_layers_have_no_mean(self) -> None:
        model = graph.read(WEIGHTS)
        soft = shipping.ship(model)
        del model.graph.initializer[0]
        with pytest.raises(ValueError, match="one start"):
            average.mean([soft, model])
