"""Integer weights: convolutions stored as int8, a quarter of the bytes, computed in float32 as before.

Each weight is an int8 number times a scale of its output channel, written as Cast and Mul on constants. onnxruntime
folds those when it opens the file, so a frame takes the same time and the node needs no option for it.

``static`` is onnxruntime's own way, integer activations too; ``python -m models.training.quantise MODEL --data DIR
--out FILE`` writes such a file. On the bundled model (SiLU, many depthwise convolutions) it takes 1.2 times as long on
one x86 core and leaves half of the AP50: 0.26 of 0.58 on every second pole view of ``val``, where ``pack`` leaves all
but 0.001. It stays as a tool because a network without SiLU may take it better.

Invariant: ``unpack`` gives back the very numbers that ``pack`` has left in the graph.
"""

import argparse
import hashlib
import pathlib
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from models.training import files
from models.training.teachers import Image

CALIBRATION_PICTURES = 48
CALIBRATION_SEED = 20
"""Pictures of ``train`` that set the ranges of activations."""

MOST = 127
"""int8 without -128, so that the range is the same on both sides."""


FLOAT, INTEGER = "model.onnx", "model_int8.onnx"
"""The two files of a finished network."""


def write_both(folder: pathlib.Path, shipped: onnx.ModelProto) -> dict[str, dict[str, Any]]:
    """Writes a shipped graph with float and with integer weights (it then holds those); by file name ``bytes`` and
    ``sha256``, as a report has it."""
    written = {FLOAT: shipped.SerializeToString(deterministic=True)}
    pack(shipped)
    written[INTEGER] = shipped.SerializeToString(deterministic=True)
    for name, data in written.items():
        files.write(folder / name, data)
    return {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in written.items()}


def pack(model: onnx.ModelProto) -> None:
    """Stores the weights of all convolutions as int8 with one scale for each output channel; biases stay floats."""
    weights = {t.name: t for t in model.graph.initializer}
    first: list[onnx.NodeProto] = []
    for name in [n.input[1] for n in model.graph.node if n.op_type == "Conv"]:
        value = numpy_helper.to_array(weights[name])
        peak = np.abs(value).max(axis=(1, 2, 3), keepdims=True)
        scale = np.where(peak > 0, peak, 1).astype(np.float32) / np.float32(MOST)
        whole = np.clip(np.rint(value / scale), -MOST, MOST).astype(np.int8)
        model.graph.initializer.remove(weights[name])
        model.graph.initializer.append(numpy_helper.from_array(whole, f"{name}_int8"))
        model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        first.append(helper.make_node("Cast", [f"{name}_int8"], [f"{name}_whole"], to=TensorProto.FLOAT))
        first.append(helper.make_node("Mul", [f"{name}_whole", f"{name}_scale"], [name]))
    _replace_nodes(model, first + list(model.graph.node))


def unpack(model: onnx.ModelProto) -> None:
    """Float weights again; a graph without packed ones stays as it is."""
    constants = {t.name: t for t in model.graph.initializer}
    casts = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast" and n.input[0] in constants}
    rest = []
    for node in model.graph.node:
        if node.op_type == "Mul" and node.input[0] in casts:
            whole, scale = (constants[name] for name in (casts[node.input[0]], node.input[1]))
            value = numpy_helper.to_array(whole).astype(np.float32) * numpy_helper.to_array(scale)
            model.graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            model.graph.initializer.remove(whole)
            model.graph.initializer.remove(scale)
        elif not (node.output and node.output[0] in casts):
            rest.append(node)
    _replace_nodes(model, rest)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)


class _Pictures(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime carries no types
    def __init__(self, pictures: Iterable[Image], height: int, width: int) -> None:
        self._pictures = iter(pictures)
        self._shape = (1, height, width, 3)

    def get_next(self) -> dict[str, Image] | None:
        picture = next(self._pictures, None)
        if picture is None:
            return None
        _, height, width, _ = self._shape
        ratio = min(height / picture.shape[0], width / picture.shape[1])
        size = (int(picture.shape[1] * ratio), int(picture.shape[0] * ratio))
        blob = np.full(self._shape, 114, np.uint8)
        blob[0, : size[1], : size[0]] = cv2.resize(picture, size)
        return {"image": blob}


def static(shipped: pathlib.Path, out: pathlib.Path, pictures: Iterable[Image], height: int, width: int) -> None:
    """Writes ``shipped`` with int8 weights and uint8 activations (QDQ); ``pictures`` of training set the ranges.

    The head's last convolutions and the decoding stay floats: eight bits are too few for a box edge.
    """
    model = onnx.load(str(shipped))
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    last = max(i for i, node in enumerate(model.graph.node) if node.op_type == "Conv")
    heads = [n.name for n in model.graph.node if n.op_type == "Conv" and "_preds." in n.input[1]]
    tail = [n.name for n in list(model.graph.node)[last + 1 :]]
    front = [n.name for n in model.graph.node if n.op_type in ("Transpose", "Cast")]
    quantize_static(
        model,
        str(out),
        _Pictures(pictures, height, width),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=heads + tail + front,
    )


def main() -> None:
    """Writes a model with integer weights and activations, for measuring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="a model of this project with float weights")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with train/images")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    paths = sorted((args.data / "train" / "images").iterdir())
    chosen = np.random.default_rng(CALIBRATION_SEED).choice(len(paths), CALIBRATION_PICTURES, replace=False)
    pictures = (np.asarray(cv2.imread(str(paths[i]), cv2.IMREAD_COLOR), np.uint8) for i in chosen)
    static(args.model, args.out, pictures, 320, 544)


if __name__ == "__main__":
    main()
