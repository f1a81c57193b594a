"""The detector as a graph: cut and shipped again, narrowed, its weights integers, and what it then still computes."""

import pathlib

import numpy as np
import pytest

from models.manifest import BUNDLED, read_manifest
from models.onnx_detector import OnnxDetector

onnx = pytest.importorskip("onnx", reason="onnx is a package of training alone: models/training/requirements.txt")

import onnxruntime as ort  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from models.training import graph, prune, quantise, shipping  # noqa: E402

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"
WEIGHTS = BUNDLED.with_name(read_manifest(BUNDLED).file)


def answers(model: "onnx.ModelProto", image: np.ndarray) -> list[np.ndarray]:
    """What a graph says of B×3×H×W floats (a cut one) or 1×H×W×3 bytes (a shipped one)."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: image}))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, (1, 3, height, width)).astype(np.float32)


def weights_of(model: "onnx.ModelProto") -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}


def convolution(name: str, source: str, group: int = 1, side: int = 1) -> "onnx.NodeProto":
    return helper.make_node(
        "Conv",
        [source, f"{name}.w", f"{name}.b"],
        [name],
        name=name,
        kernel_shape=[side, side],
        pads=[side // 2] * 4,
        strides=[1, 1],
        dilations=[1, 1],
        group=group,
    )


def silu(source: str) -> list["onnx.NodeProto"]:
    return [
        helper.make_node("Sigmoid", [source], [f"{source}.gate"]),
        helper.make_node("Mul", [source, f"{source}.gate"], [f"{source}.out"]),
    ]


def toy() -> "onnx.ModelProto":
    """Everything that the real network does with channels: a depthwise step, an addition, a pool, a concatenation."""
    shapes = {"stem": (48, 3, 3, 3), "deep": (48, 1, 3, 3), "point": (48, 48, 1, 1), "last": (5, 96, 1, 1)}
    random = np.random.default_rng(7)
    constants = {f"{name}.w": random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    constants |= {f"{name}.b": random.normal(0, 0.3, shape[0]).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        convolution("stem", graph.CUT_INPUT, side=3),
        *silu("stem"),
        convolution("deep", "stem.out", group=48, side=3),
        *silu("deep"),
        convolution("point", "deep.out"),
        *silu("point"),
        helper.make_node("Add", ["point.out", "stem.out"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["pool"], kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1]),
        helper.make_node("Concat", ["sum", "pool"], ["both"], axis=1),
        convolution("last", "both"),
    ]
    return graph.cut_model(nodes, constants, ["last"])


def with_weights(model: "onnx.ModelProto", **changed: np.ndarray) -> "onnx.ModelProto":
    constants = weights_of(model) | {name.replace("_", "."): value for name, value in changed.items()}
    return graph.cut_model(list(model.graph.node), constants, [o.name for o in model.graph.output])


def test_what_has_shipped_is_cut_and_shipped_again_to_the_byte() -> None:
    assert shipping.ship(graph.read(WEIGHTS)).SerializeToString() == WEIGHTS.read_bytes()


@pytest.mark.skipif(not (SHARED / "teacher").exists(), reason=f"the teachers are not there: {SHARED / 'teacher'}")
def test_the_published_network_says_the_same_with_its_slices_inside_the_first_convolution() -> None:
    published = SHARED / "teacher" / "yolox_nano_416.onnx"
    image = noise(416, 416)
    whole = answers(onnx.load(str(published)), image)[0][0]
    cut = graph.read(published)
    heads = dict(zip((o.name for o in cut.graph.output), answers(cut, image), strict=True))
    names = graph.head_outputs(cut.graph)

    def cells(head: str) -> np.ndarray:
        levels = [heads[names[f"{head}{level}"]][0] for level in graph.LEVELS]
        return np.concatenate([level.reshape(len(level), -1).T for level in levels])

    assert cells("reg") == pytest.approx(whole[:, :4], abs=2e-3)
    assert 1 / (1 + np.exp(-cells("obj")[:, 0])) == pytest.approx(whole[:, 4], abs=1e-4)
    assert cells("cls").shape[1] == 5


def test_cost_counts_multiplications_and_parameters() -> None:
    macs, parameters = graph.cost(toy(), 8, 16)
    assert macs == 8 * 16 * (48 * 27 + 48 * 9 + 48 * 48 + 5 * 96)
    assert parameters == 48 * 27 + 48 + 48 * 9 + 48 + 48 * 48 + 48 + 5 * 96 + 5


def test_a_hardened_graph_has_relus_alone_and_keeps_its_weights() -> None:
    model = graph.read(WEIGHTS)
    before = weights_of(model)
    activations = sum(node.op_type == "Sigmoid" for node in model.graph.node)
    graph.harden(model)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Relu") == activations > 100
    assert not {"Sigmoid", "Mul"} & set(kinds)
    assert all((before[name] == value).all() for name, value in weights_of(model).items())
    soft, hard = toy(), toy()
    graph.harden(hard)
    # Where everything is far above zero the two are one.
    high = {name.replace(".", "_"): np.abs(value) + 30 * (value.ndim == 1) for name, value in weights_of(soft).items()}
    soft, hard, image = with_weights(soft, **high), with_weights(hard, **high), noise(8, 8) / 255
    assert answers(hard, image)[0] == pytest.approx(answers(soft, image)[0], rel=1e-5)


class TestNarrowing:
    def worth(self, model: "onnx.ModelProto", spare: np.ndarray) -> dict[str, np.ndarray]:
        """Every weight is worth one, those that make the spare channels of ``stem`` and ``point`` nothing."""
        worth = {n.name: np.ones_like(weights_of(model)[n.input[1]]) for n in model.graph.node if n.op_type == "Conv"}
        for name in ("stem", "point", "deep"):
            worth[name][spare] = 0
        worth["point"][:, spare] = 0
        worth["last"][:, np.concatenate([spare, spare + 48])] = 0
        return worth

    def without(self, spare: np.ndarray, bias: float) -> "onnx.ModelProto":
        """The toy with some channels that show nothing of the picture, only ``bias``."""
        model = toy()
        values = {name.replace(".", "_"): value for name, value in weights_of(model).items()}
        for name in ("stem", "deep", "point"):
            values[f"{name}_w"][spare] = 0
            values[f"{name}_b"][spare] = bias
        return with_weights(model, **values)

    @pytest.mark.parametrize("bias", [0.0, 1.5])
    def test_channels_that_never_change_leave_and_nothing_else_changes(self, bias: float) -> None:
        spare = np.arange(5, 37, 2)
        model, image = self.without(spare, bias), noise(16, 24)
        pictures = [image[0].transpose(1, 2, 0).astype(np.uint8)]
        mean = prune.means(model, pictures)
        narrow = prune.prune(model, 0.68, self.worth(model, spare), mean, multiple=16)
        shapes = {name: value.shape for name, value in weights_of(narrow).items()}
        assert shapes["stem.w"] == (32, 3, 3, 3)
        assert shapes["deep.w"] == (32, 1, 3, 3)
        assert shapes["point.w"] == (32, 32, 1, 1)
        assert shapes["last.w"] == (5, 64, 1, 1)
        assert answers(narrow, image)[0] == pytest.approx(answers(model, image)[0], rel=1e-4, abs=1e-3)

    def test_a_graph_that_would_lose_more_than_half_of_a_layer_is_refused(self) -> None:
        model = toy()
        worth = self.worth(model, np.arange(0))
        mean = {name: np.zeros(200, np.float32) for name in worth}
        with pytest.raises(ValueError, match=r"keep 0\.1.*larger share"):
            prune.prune(model, 0.1, worth, mean, multiple=16)

    def test_the_real_network_still_runs_and_its_layers_are_sixteens(self) -> None:
        model = graph.read(WEIGHTS)
        full = graph.cost(model, *prune.REFERENCE)[0]
        weights = weights_of(model)
        worth = {n.name: weights[n.input[1]] ** 2 for n in model.graph.node if n.op_type == "Conv"}
        mean = prune.means(model, [np.full((64, 96, 3), 114, np.uint8)])
        narrow = prune.prune(model, 0.8, worth, mean, multiple=16)
        macs, parameters = graph.cost(narrow, *prune.REFERENCE)
        assert 0.7 * full < macs <= 0.8 * full
        assert parameters < graph.cost(model, *prune.REFERENCE)[1]
        for node in narrow.graph.node:
            if node.op_type == "Conv" and "_preds." not in node.input[1]:
                assert weights_of(narrow)[node.input[1]].shape[0] % 16 == 0
        detector = OnnxDetector(shipping.ship(narrow).SerializeToString(), read_manifest(BUNDLED))
        assert detector.run()[1].shape[1] == 5


class TestIntegerWeights:
    def test_the_file_is_a_quarter_and_says_nearly_the_same(self) -> None:
        shipped = onnx.load(str(WEIGHTS))
        image = np.random.default_rng(2).integers(0, 255, (1, 320, 544, 3), np.uint8)
        boxes, scores = answers(shipped, image)
        quantise.pack(shipped)
        assert len(shipped.SerializeToString()) < 0.3 * WEIGHTS.stat().st_size
        packed_boxes, packed_scores = answers(shipped, image)
        assert packed_scores == pytest.approx(scores, abs=0.05)
        assert np.median(np.abs(packed_boxes - boxes)) < 1.0

    def test_each_weight_is_off_by_half_a_step_at_most_and_channels_have_their_own_steps(self) -> None:
        model = toy()
        before = weights_of(model)
        before["stem.w"][3] = 0  # a dead channel must not divide by zero
        model = with_weights(model, stem_w=before["stem.w"])
        quantise.pack(model)
        assert {t.data_type for t in model.graph.initializer if t.name.endswith("_int8")} == {onnx.TensorProto.INT8}
        quantise.unpack(model)
        after = weights_of(model)
        assert set(after) == set(before)
        for name in ("stem.w", "deep.w", "point.w", "last.w"):
            step = np.abs(before[name]).max(axis=(1, 2, 3), keepdims=True) / 127
            assert (np.abs(after[name] - before[name]) <= 0.5 * step + 1e-7).all()
        assert (after["stem.w"][3] == 0).all()

    def test_packed_and_unpacked_compute_the_same_and_packing_again_changes_nothing(self) -> None:
        model, image = toy(), noise(16, 16)
        quantise.pack(model)
        once = answers(model, image)[0]
        quantise.unpack(model)
        assert [node.op_type for node in model.graph.node] == [node.op_type for node in toy().graph.node]
        assert (answers(model, image)[0] == once).all()
        quantise.pack(model)
        assert answers(model, image)[0] == pytest.approx(once, rel=1e-6, abs=1e-6)

    def test_a_packed_model_can_be_the_start_of_the_next(self, tmp_path: pathlib.Path) -> None:
        packed = onnx.load(str(WEIGHTS))
        quantise.pack(packed)
        onnx.save(packed, str(tmp_path / "packed.onnx"))
        cut, whole = graph.read(tmp_path / "packed.onnx"), graph.read(WEIGHTS)
        assert set(weights_of(cut)) == set(weights_of(whole))
        assert graph.cost(cut, 64, 64) == graph.cost(whole, 64, 64)

    def test_onnxruntimes_own_integers_leave_the_heads_alone(self, tmp_path: pathlib.Path) -> None:
        pictures = [np.random.default_rng(i).integers(0, 255, (90, 160, 3), np.uint8) for i in range(2)]
        quantise.static(WEIGHTS, tmp_path / "static.onnx", pictures, 64, 96)
        model = onnx.load(str(tmp_path / "static.onnx"))
        made = {name: node for node in model.graph.node for name in node.output}
        heads = [n for n in model.graph.node if n.op_type == "Conv" and "_preds." in n.input[1]]
        assert len(heads) == 9
        others = [n for n in model.graph.node if n.op_type == "Conv" and n not in heads]
        assert all(made[n.input[1]].op_type == "DequantizeLinear" for n in others)
        boxes, scores = answers(model, np.zeros((1, 64, 96, 3), np.uint8))
        assert boxes.shape[2] == scores.shape[2] == 12 * 8 + 6 * 4 + 3 * 2
