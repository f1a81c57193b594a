"""The network as it trains and as it ships: YOLOX-Nano's published graph with a class head of our own.

Invariants: the graph is never redrawn by hand or traced; trained weights go back into the published graph by the
name of their Conv node. BatchNorm is folded into the convolutions there, so it is frozen by construction.

Training cuts the graph at its nine raw head outputs (class, box, objectness × three levels, NCHW). That also avoids the
reshape at its end, which is written for a batch of one and would fold a larger batch into the wrong order.

Shipping gives the graph a uint8 input in camera order (1×H×W×3 BGR, letterboxed, any H and W by 32) and two outputs:
``boxes`` [1, 4, N] xyxy in input pixels, ``scores`` [1, 5, N] = objectness × class, both already sigmoid.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from models.training.teachers import CLASSES, COCO_ROWS

LEVELS = (0, 1, 2)
STRIDES = (8, 16, 32)
HEADS = ("cls", "reg", "obj")
PUBLISHED_INPUT = "images"
OPSET = 13

Operator = Callable[..., torch.Tensor]


def _head_outputs(graph: onnx.GraphProto) -> dict[str, str]:
    """Name of the tensor that each head convolution gives, found by the name of its weights: ``cls0`` …"""
    found = {}
    for head in HEADS:
        for level in LEVELS:
            weights = f"head.{head}_preds.{level}.weight"
            node = next(n for n in graph.node if n.op_type == "Conv" and n.input[1] == weights)
            found[f"{head}{level}"] = node.output[0]
    return found


def read_published(path: pathlib.Path) -> onnx.ModelProto:
    """The published model cut at its raw heads, its 80 class rows reduced to our five (the mean of their COCO rows).

    Its first eight slices become part of the first convolution (see ``_fold_focus``).
    """
    model = onnx.load(str(path))
    graph = model.graph
    heads = _head_outputs(graph)
    needed = set(heads.values())
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in heads.values())
    del graph.value_info[:]
    for tensor in graph.initializer:
        if tensor.name.startswith("head.cls_preds."):
            coco = numpy_helper.to_array(tensor)
            ours = np.stack([coco[list(rows)].mean(axis=0) for rows in COCO_ROWS]).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(ours, tensor.name))
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    nodes = _fold_focus(list(graph.node), constants)
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(v.copy(), name) for name, v in constants.items())
    return model


class GraphModule(torch.nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Runs the cut graph in torch, any batch: the seven operators that it has, and no others.

    Our own few lines rather than onnx2torch, whose import needs a torchvision built for the very same torch.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._inputs = [i.name for i in model.graph.input]
        self._outputs = [o.name for o in model.graph.output]
        constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self._steps: list[tuple[Operator, list[str], str]] = []
        nodes = list(model.graph.node)
        gates = {n.output[0]: n.input[0] for n in nodes if n.op_type == "Sigmoid"}
        fused: set[str] = set()
        for node in nodes:
            inputs, attributes = list(node.input), {a.name: helper.get_attribute_value(a) for a in node.attribute}
            operator: Operator
            if node.op_type == "Conv":
                operator = self._convolution(node, constants, attributes)
                inputs = inputs[:1]
            elif node.op_type == "Mul" and gates.get(inputs[1]) == inputs[0]:
                # x × sigmoid(x) is SiLU: the same values, half the memory traffic.
                operator, inputs = torch.nn.functional.silu, inputs[:1]
                fused.add(node.input[1])
            elif node.op_type == "MaxPool":
                operator = torch.nn.MaxPool2d(attributes["kernel_shape"], attributes["strides"], attributes["pads"][0])
            elif node.op_type == "Resize":
                operator, inputs = torch.nn.Upsample(scale_factor=2, mode="nearest"), inputs[:1]
            elif node.op_type == "Concat":
                operator = functools.partial(_joined, attributes["axis"])
            elif node.op_type in _PLAIN:
                operator = _PLAIN[node.op_type]
            else:
                raise ValueError(f"{node.name}: operator {node.op_type} is not one of the published YOLOX-Nano")
            self._steps.append((operator, inputs, node.output[0]))
        self._steps = [step for step in self._steps if step[2] not in fused]

    def _convolution(
        self, node: onnx.NodeProto, constants: dict[str, np.ndarray], attributes: dict[str, Any]
    ) -> Operator:
        weight, bias = (torch.from_numpy(constants[name].copy()) for name in node.input[1:3])
        groups = attributes["group"]
        module = torch.nn.Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(attributes["kernel_shape"]),
            tuple(attributes["strides"]),
            attributes["pads"][0],
            groups=groups,
        )
        with torch.no_grad():
            module.weight.copy_(weight)
            module.bias.copy_(bias)
        # Registered under the node's name, so that the weights find their way back.
        self.add_module(node.name, module)
        return functools.partial(_in_full, module) if "_preds." in node.input[1] else module

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """B×3×H×W float 0–255 → the nine raw heads."""
        values = {PUBLISHED_INPUT: image}
        for operator, inputs, output in self._steps:
            values[output] = operator(*(values[name] for name in inputs))
        return [values[name] for name in self._outputs]


def _in_full(module: torch.nn.Module, value: torch.Tensor) -> torch.Tensor:
    """The last convolutions stay in float32 where the rest runs in bfloat16: eight bits are too few for a box edge."""
    with torch.autocast("cpu", enabled=False):
        return module(value.float())


def _joined(axis: int, *parts: torch.Tensor) -> torch.Tensor:
    return torch.cat(parts, dim=axis)


_PLAIN: dict[str, Operator] = {"Sigmoid": torch.sigmoid, "Add": torch.add, "Mul": torch.mul}


def flatten(outputs: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Nine heads → class logits B×N×5, boxes B×N×4 (raw), objectness logits B×N, levels in order of stride."""
    per_head = []
    for first in range(0, 9, 3):
        levels = [o.flatten(2).transpose(1, 2) for o in outputs[first : first + 3]]
        per_head.append(torch.cat(levels, dim=1))
    return per_head[0], per_head[1], per_head[2][..., 0]


def write_back(model: onnx.ModelProto, weights: dict[str, torch.Tensor]) -> None:
    """Puts trained weights into the graph they came from. Raises KeyError when a convolution has none."""
    initializers = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv":
            for name, key in zip(node.input[1:], ("weight", "bias"), strict=True):
                trained = weights[f"{node.name}.{key}"].detach().cpu().float().numpy()
                initializers[name].CopyFrom(numpy_helper.from_array(trained, name))


def ship(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph that the node runs, any input size that divides by 32; ``model`` is cut and holds trained weights."""
    heads = _head_outputs(model.graph)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    constants |= {
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "axis_high": np.array(2, np.int64),
        "axis_wide": np.array(3, np.int64),
        "as_column": np.array([1], np.int64),
        "one_one_two": np.array([1, 1, 2], np.int64),
        "shape_cls": np.array([1, len(CLASSES), -1], np.int64),
        "shape_obj": np.array([1, 1, -1], np.int64),
        "shape_box": np.array([1, 4, -1], np.int64),
    }
    front = [
        helper.make_node("Transpose", ["image"], ["image_chw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["image_chw"], [PUBLISHED_INPUT], to=TensorProto.FLOAT),
    ]
    tail = []
    for head in ("cls", "obj"):
        for level in LEVELS:
            tail.append(helper.make_node("Reshape", [heads[f"{head}{level}"], f"shape_{head}"], [f"{head}_{level}"]))
        tail.append(helper.make_node("Concat", [f"{head}_{level}" for level in LEVELS], [f"{head}_all"], axis=2))
        tail.append(helper.make_node("Sigmoid", [f"{head}_all"], [f"{head}_score"]))
    tail.append(helper.make_node("Mul", ["cls_score", "obj_score"], ["scores"]))
    for level, stride in zip(LEVELS, STRIDES, strict=True):
        constants[f"stride_{level}"] = np.array(stride, np.float32)
        constants[f"half_stride_{level}"] = np.array(stride / 2, np.float32)
        tail += _decode(heads[f"reg{level}"], level)
    tail.append(helper.make_node("Concat", [f"box_{level}" for level in LEVELS], ["boxes"], axis=2))
    graph = helper.make_graph(
        front + list(model.graph.node) + tail,
        "road_users",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "height", "width", 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 4, "cells"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(CLASSES), "cells"]),
        ],
        [numpy_helper.from_array(value.copy(), name) for name, value in constants.items()],
    )
    shipped = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(shipped, full_check=True)
    return shipped


def _decode(raw: str, level: int) -> list[onnx.NodeProto]:
    """Raw boxes 1×4×h×w of one level → ``box_{level}`` 1×4×(h·w), xyxy in input pixels; the grid is of the shape."""

    def at(name: str) -> str:
        return f"{name}_{level}"

    node = helper.make_node
    return [
        node("Split", [raw, "one_one_two"], [at("x"), at("y"), at("log_size")], axis=1),
        node("Shape", [raw], [at("shape")]),
        node("Gather", [at("shape"), "axis_high"], [at("rows")]),
        node("Gather", [at("shape"), "axis_wide"], [at("columns")]),
        node("Range", ["zero", at("columns"), "one"], [at("column_numbers")]),
        node("Range", ["zero", at("rows"), "one"], [at("row_numbers")]),
        node("Cast", [at("column_numbers")], [at("lefts")], to=TensorProto.FLOAT),
        node("Cast", [at("row_numbers")], [at("tops_flat")], to=TensorProto.FLOAT),
        node("Unsqueeze", [at("tops_flat"), "as_column"], [at("tops")]),
        node("Add", [at("x"), at("lefts")], [at("cell_x")]),
        node("Add", [at("y"), at("tops")], [at("cell_y")]),
        node("Concat", [at("cell_x"), at("cell_y")], [at("cell")], axis=1),
        node("Mul", [at("cell"), at("stride")], [at("centre")]),
        node("Exp", [at("log_size")], [at("size")]),
        node("Mul", [at("size"), at("half_stride")], [at("half")]),
        node("Sub", [at("centre"), at("half")], [at("low")]),
        node("Add", [at("centre"), at("half")], [at("high")]),
        node("Concat", [at("low"), at("high")], [at("corners")], axis=1),
        node("Reshape", [at("corners"), "shape_box"], [at("box")]),
    ]


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
    folded = helper.make_node(
        "Conv", [PUBLISHED_INPUT, *first.input[1:]], list(first.output), name=first.name, **attributes
    )
    rest = [n for n in nodes if n.op_type != "Slice" and PUBLISHED_INPUT not in n.input and n is not first]
    focus = next(n for n in nodes if first.input[0] in n.output)
    rest.remove(focus)
    used = {name for node in [folded, *rest] for name in node.input}
    for name in [name for name in constants if name not in used]:
        del constants[name]
    return [folded, *rest]
