"""A cut graph as a network of torch, and its trained weights back into the graph, by the name of their Conv node."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as nnf
from onnx import helper, numpy_helper

from models.training.graph import CUT_INPUT

Operator = Callable[..., torch.Tensor]


class GraphModule(torch.nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Runs the cut graph in torch, any batch: the eight operators that it has, and no others.

    Our own few lines rather than onnx2torch, whose import needs a torchvision built for the very same torch.
    ``hardness`` 0..1 turns the activations of a hardened graph from SiLU into ReLU by degrees: weights that were
    trained with the one follow to the other instead of starting again.
    """

    hardness = 1.0

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
                operator, inputs = nnf.silu, inputs[:1]
                fused.add(node.input[1])
            elif node.op_type == "Relu":
                operator = self._relu
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

    def _relu(self, value: torch.Tensor) -> torch.Tensor:
        if self.hardness >= 1:
            return nnf.relu(value)
        return torch.lerp(nnf.silu(value), nnf.relu(value), self.hardness)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """B×3×H×W float 0–255 → the nine raw heads."""
        values = {CUT_INPUT: image}
        for operator, inputs, output in self._steps:
            values[output] = operator(*(values[name] for name in inputs))
        return [values[name] for name in self._outputs]


def _in_full(module: torch.nn.Module, value: torch.Tensor) -> torch.Tensor:
    """The last convolutions stay in float32 where the rest runs in bfloat16: eight bits are too few for a box edge."""
    with torch.autocast(value.device.type, enabled=False):
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
