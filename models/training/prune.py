"""A narrower network: whole channels leave a cut graph, those that matter least for what they cost.

Channels that only make sense together (both sides of an addition, a depthwise convolution and what feeds it) are one
*bundle* and leave together. What a bundle has put into the convolutions behind it on average stays, as a bias.

Invariants: the graph keeps its nodes, names, inputs and outputs; removing bundles that are always zero changes nothing.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from models.training import graph
from models.training.teachers import Floats, Image

REFERENCE = (320, 544)
"""Input (height, width) at which cost is counted; the shares are the same at any size."""

LEAST_SHARE = 0.5
"""Of the channels of a layer that stay: a layer that closes like a tap cannot be trained open again."""

_SAME = ("Sigmoid", "Relu", "MaxPool", "Resize")
"""Operators whose first input gives their output channel by channel."""


@dataclasses.dataclass(slots=True)
class Bundle:
    """Channels that leave together: rows of the convolutions that make them, columns of those that read them."""

    rows: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    columns: list[tuple[str, int]] = dataclasses.field(default_factory=list)


class Wiring:
    """Who makes and who reads each channel of a cut graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.convolutions = {n.name: n for n in model.graph.node if n.op_type == "Conv"}
        self.weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self._parents: list[int] = []
        self._channels: dict[str, list[int]] = {graph.CUT_INPUT: self._fresh(3)}
        rows: list[tuple[int, str, int]] = []
        columns: list[tuple[int, str, int]] = []
        for node in model.graph.node:
            if node.op_type == "Conv":
                ins, outs = self._channels[node.input[0]], len(self.weights[node.input[1]])
                made = ins if self.depthwise(node.name) else self._fresh(outs)
                if not self.depthwise(node.name):
                    columns += [(channel, node.name, i) for i, channel in enumerate(ins)]
                rows += [(channel, node.name, i) for i, channel in enumerate(made)]
            elif node.op_type in _SAME:
                made = self._channels[node.input[0]]
            elif node.op_type == "Concat":
                made = [channel for name in node.input for channel in self._channels[name]]
            elif node.op_type in ("Add", "Mul"):
                made, others = (self._channels[name] for name in node.input)
                for a, b in zip(made, others, strict=True):
                    self._parents[self._root(a)] = self._root(b)
            else:
                raise ValueError(f"{node.name}: how channels pass through {node.op_type} is not known here")
            self._channels[node.output[0]] = made
        fixed = {self._root(c) for name in [graph.CUT_INPUT, *self._outputs(model)] for c in self._channels[name]}
        bundles: dict[int, Bundle] = defaultdict(Bundle)
        for channel, name, row in rows:
            bundles[self._root(channel)].rows.append((name, row))
        for channel, name, column in columns:
            bundles[self._root(channel)].columns.append((name, column))
        self.layers: dict[frozenset[str], list[Bundle]] = defaultdict(list)
        """Bundles of the same convolutions, by the names of those that make them."""
        for root, bundle in bundles.items():
            if root not in fixed:
                self.layers[frozenset(name for name, _ in bundle.rows)].append(bundle)

    def depthwise(self, name: str) -> bool:
        """Whether a convolution reads one channel for each that it makes."""
        node = self.convolutions[name]
        return any(a.name == "group" and a.i > 1 for a in node.attribute)

    def _outputs(self, model: onnx.ModelProto) -> list[str]:
        return [o.name for o in model.graph.output]

    def _fresh(self, count: int) -> list[int]:
        first = len(self._parents)
        self._parents += range(first, first + count)
        return list(range(first, first + count))

    def _root(self, channel: int) -> int:
        while self._parents[channel] != channel:
            channel = self._parents[channel]
        return channel


def means(model: onnx.ModelProto, pictures: Iterable[Image]) -> dict[str, Floats]:
    """Mean of each channel that a convolution reads, over pictures (H×W×3 BGR, sides by 32): by the node's name."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    inputs = {n.name: n.input[0] for n in model.graph.node if n.op_type == "Conv" and n.input[0] != graph.CUT_INPUT}
    tensors = sorted(set(inputs.values()))
    del watched.graph.output[:]
    watched.graph.output.extend(helper.make_tensor_value_info(t, onnx.TensorProto.FLOAT, None) for t in tensors)
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = [
        [value.mean(axis=(0, 2, 3)) for value in session.run(tensors, {graph.CUT_INPUT: _planes(picture)})]
        for picture in pictures
    ]
    mean = {tensor: np.mean([values[i] for values in seen], axis=0) for i, tensor in enumerate(tensors)}
    return {name: mean[tensor] for name, tensor in inputs.items()}


def _planes(picture: Image) -> Floats:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)


def prune(
    model: onnx.ModelProto,
    keep: float,
    importance: dict[str, Floats],
    mean: dict[str, Floats],
    *,
    multiple: int,
) -> onnx.ModelProto:
    """The cut graph with at most ``keep`` of its multiply-accumulates, channels taken ``multiple`` at a time.

    ``importance`` says what each weight of a convolution is worth, by the node's name; ``mean`` is of ``means``.
    Raises ValueError when no layer may give any more.
    """
    wiring = Wiring(model)
    areas = graph.conv_areas(model, *REFERENCE)
    worth = {id(b): _worth(b, importance) for bundles in wiring.layers.values() for b in bundles}
    left = {layer: sorted(bundles, key=lambda b: worth[id(b)]) for layer, bundles in wiring.layers.items()}
    least = {layer: max(multiple, LEAST_SHARE * len(bundles)) for layer, bundles in left.items()}
    shapes = {name: list(wiring.weights[node.input[1]].shape) for name, node in wiring.convolutions.items()}
    gone: list[Bundle] = []

    def macs() -> int:
        return sum(areas[name] * int(np.prod(shape)) for name, shape in shapes.items())

    def saved(bundle: Bundle) -> float:
        made = sum(areas[name] * np.prod(shapes[name][1:]) for name, _ in bundle.rows)
        return float(made + sum(areas[name] * np.prod(shapes[name]) / shapes[name][1] for name, _ in bundle.columns))

    target = keep * macs()
    while macs() > target:
        open_to_more = [layer for layer, bundles in left.items() if len(bundles) - multiple >= least[layer]]
        if not open_to_more:
            raise ValueError(f"keep {keep}: no layer may give more channels; allowed: a larger share, ≥ about 0.35")
        prices = {layer: sum(worth[id(b)] / saved(b) for b in left[layer][:multiple]) for layer in open_to_more}
        cheapest = min(open_to_more, key=lambda layer: (prices[layer], sorted(layer)))
        leaving, left[cheapest] = left[cheapest][:multiple], left[cheapest][multiple:]
        gone += leaving
        for bundle in leaving:
            for name, _ in bundle.rows:
                shapes[name][0] -= 1
            for name, _ in bundle.columns:
                shapes[name][1] -= 1
    return _without(model, wiring, gone, mean)


def _worth(bundle: Bundle, importance: dict[str, Floats]) -> float:
    made = sum(float(importance[name][row].sum()) for name, row in bundle.rows)
    return made + sum(float(importance[name][:, column].sum()) for name, column in bundle.columns)


def _without(model: onnx.ModelProto, wiring: Wiring, gone: list[Bundle], mean: dict[str, Floats]) -> onnx.ModelProto:
    rows, columns = defaultdict(list), defaultdict(list)
    for bundle in gone:
        for name, row in bundle.rows:
            rows[name].append(row)
        for name, column in bundle.columns:
            columns[name].append(column)
    constants = dict(wiring.weights)
    nodes = []
    for node in model.graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        nodes.append(copy)
        if node.op_type != "Conv":
            continue
        weight, bias = (wiring.weights[name] for name in node.input[1:3])
        if columns[node.name]:
            lost = weight[:, columns[node.name]].sum(axis=(2, 3)) @ mean[node.name][columns[node.name]]
            bias, weight = bias + lost.astype(np.float32), np.delete(weight, columns[node.name], axis=1)
        if rows[node.name]:
            weight, bias = (np.delete(value, rows[node.name], axis=0) for value in (weight, bias))
        constants[node.input[1]], constants[node.input[2]] = weight, bias
        for attribute in copy.attribute:
            if attribute.name == "group" and attribute.i > 1:
                attribute.i = len(weight)
    return graph.cut_model(nodes, constants, [o.name for o in model.graph.output])
