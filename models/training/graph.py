"""The detector as a graph of ONNX: read, cut where training begins, made harder, its cost counted.

Invariants: the graph is never redrawn by hand or traced. BatchNorm is folded into the convolutions of the published
one, so it is frozen by construction.

A *cut* graph takes B×3×H×W float BGR 0–255 and ends at its nine raw head outputs (class, box, objectness × three
levels, NCHW). Cutting there also avoids the reshape at the end of the published one, which is written for a batch of
one and would fold a larger batch into the wrong order. What has shipped (``shipping``) can be cut again: it is the
start or the teacher of the next one.
"""

import math
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.training import quantise
from models.training.teachers import COCO_ROWS

LEVELS = (0, 1, 2)
HEADS = ("cls", "reg", "obj")
CUT_INPUT = "images"
SHIPPED_INPUT = "image"
OPSET = 13


def head_outputs(graph: onnx.GraphProto) -> dict[str, str]:
    """Name of the tensor that each head convolution gives, found by the name of its weights: ``cls0`` …"""
    found = {}
    for head in HEADS:
        for level in LEVELS:
            weights = f"head.{head}_preds.{level}.weight"
            node = next(n for n in graph.node if n.op_type == "Conv" and n.input[1] == weights)
            found[f"{head}{level}"] = node.output[0]
    return found


def read(path: pathlib.Path) -> onnx.ModelProto:
    """The published model, or one that this project shipped, cut at its raw heads: B×3×H×W float 0–255 → nine heads.

    Of the published one the 80 class rows are reduced to our five (the mean of their COCO rows), and its first eight
    slices become part of the first convolution (see ``_fold_focus``); of ours integer weights become floats again.
    """
    model = onnx.load(str(path))
    graph = model.graph
    ours = graph.input[0].name == SHIPPED_INPUT
    if ours:
        quantise.unpack(model)
    heads = head_outputs(graph)
    needed = set(heads.values())
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output) and CUT_INPUT not in node.output:
            kept.append(node)
            needed |= set(node.input)
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.name in needed}
    nodes = list(reversed(kept))
    if not ours:
        for name in (name for name in constants if name.startswith("head.cls_preds.")):
            constants[name] = np.stack([constants[name][list(rows)].mean(axis=0) for rows in COCO_ROWS])
        nodes = _fold_focus(nodes, constants)
    return cut_model(nodes, constants, list(heads.values()))


def cut_model(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], outputs: list[str]) -> onnx.ModelProto:
    """A cut graph from its parts, any batch and size."""
    graph = helper.make_graph(
        nodes,
        "road_users_cut",
        [helper.make_tensor_value_info(CUT_INPUT, TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def harden(model: onnx.ModelProto) -> None:
    """Every SiLU of a cut graph becomes a ReLU, which onnxruntime computes inside the convolution, for nothing.

    SiLU takes a quarter of the network's time on one x86 core. The weights have to be trained again afterwards.
    """
    nodes = list(model.graph.node)
    gates = {n.output[0]: n.input[0] for n in nodes if n.op_type == "Sigmoid"}
    hard = []
    for node in nodes:
        if node.op_type == "Mul" and gates.get(node.input[1]) == node.input[0]:
            hard.append(helper.make_node("Relu", [node.input[0]], [node.output[0]], name=node.name))
        elif node.op_type != "Sigmoid":
            hard.append(node)
    del model.graph.node[:]
    model.graph.node.extend(hard)


def cost(model: onnx.ModelProto, height: int, width: int) -> tuple[int, int]:
    """Multiply-accumulates of one picture and parameters, of the convolutions of a cut graph."""
    weights = {t.name: t.dims for t in model.graph.initializer}
    areas = conv_areas(model, height, width)
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    macs = sum(areas[n.name] * math.prod(weights[n.input[1]]) for n in convolutions)
    return macs, sum(math.prod(weights[name]) for n in convolutions for name in n.input[1:])


def conv_areas(model: onnx.ModelProto, height: int, width: int) -> dict[str, int]:
    """Cells of the output of each convolution of a cut graph, by the name of its node."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for dim, side in zip(sized.graph.input[0].type.tensor_type.shape.dim, (1, 3, height, width), strict=True):
        dim.dim_value = side
    inferred = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    shapes = {v.name: v.type.tensor_type.shape.dim for v in [*inferred.value_info, *inferred.output]}
    outputs = {n.name: shapes[n.output[0]] for n in model.graph.node if n.op_type == "Conv"}
    return {name: shape[2].dim_value * shape[3].dim_value for name, shape in outputs.items()}


def _fold_focus(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """Eight slices, a concat and a 3×3 convolution on 12 channels → one 6×6 convolution of stride 2: the same sums.

    YOLOX's order of the four sub-images (even rows and columns first): (0,0), (1,0), (0,1), (1,1) as (row, column).
    """
    first = next(n for n in nodes if n.op_type == "Conv")
    small = constants[first.input[1]]
    big = np.zeros((small.shape[0], 3, 6, 6), np.float32)
    for part, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        big[:, :, row::2, column::2] = small[:, 3 * part : 3 * part + 3]
    constants[first.input[1]] = big
    attributes = {"kernel_shape": [6, 6], "strides": [2, 2], "pads": [2, 2, 2, 2], "dilations": [1, 1], "group": 1}
    folded = helper.make_node("Conv", [CUT_INPUT, *first.input[1:]], list(first.output), name=first.name, **attributes)
    rest = [n for n in nodes if n.op_type != "Slice" and CUT_INPUT not in n.input and n is not first]
    focus = next(n for n in nodes if first.input[0] in n.output)
    rest.remove(focus)
    used = {name for node in [folded, *rest] for name in node.input}
    for name in [name for name in constants if name not in used]:
        del constants[name]
    return [folded, *rest]
