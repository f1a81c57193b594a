"""The graph that the node runs, made from a cut one: input in camera order, decoding inside.

Input ``image`` uint8 1×H×W×3 BGR, letterboxed, any H and W by 32. Outputs ``boxes`` [1, 4, N] xyxy in input pixels and
``scores`` [1, 5, N] = objectness × class, both already sigmoid.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.training.graph import CUT_INPUT, LEVELS, OPSET, SHIPPED_INPUT, head_outputs
from models.training.teachers import CLASSES

STRIDES = (8, 16, 32)
"""Cell sizes of the three levels, px."""


def ship(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph that the node runs, any input size that divides by 32; ``model`` is cut and holds trained weights."""
    heads = head_outputs(model.graph)
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
        helper.make_node("Transpose", [SHIPPED_INPUT], ["image_chw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["image_chw"], [CUT_INPUT], to=TensorProto.FLOAT),
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
        [helper.make_tensor_value_info(SHIPPED_INPUT, TensorProto.UINT8, [1, "height", "width", 3])],
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
