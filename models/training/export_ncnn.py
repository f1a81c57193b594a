"""Makes the files for ncnn from a bundled ONNX model and enters them in its manifest.

    python -m models.training.export_ncnn models/weights/road_users_standard.json

The graph is cut where its pictures become numbers and before the heads are decoded; pnnx (Tencent, BSD-3-Clause, a
separate program) turns the rest into ncnn's layers and weights, all fp32. ``models.ncnn_detector`` decodes the heads.

Invariants: outputs are named ``out0`` … by level, finest first, each class scores, box, objectness; any input sides
that divide by the largest cell will do, as in the ONNX file.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import onnx
from onnx.utils import Extractor

from models.manifest import read_manifest, read_weights
from models.training import graph, quantise

LEVELS = 3


def heads(whole: Any) -> list[str]:
    """The tensors before decoding: class scores, box and objectness of each level, finest first."""
    made_by = {name: node for node in whole.node for name in node.output}
    return [made_by[f"{name}_{level}"].input[0] for level in range(LEVELS) for name in ("cls", "x", "obj")]


def export(manifest_path: pathlib.Path) -> None:
    """Writes the two files beside the manifest and enters them in it. Raises ModelError, CalledProcessError."""
    manifest = read_manifest(manifest_path)
    model = onnx.load_from_string(read_weights(manifest_path, manifest))
    quantise.unpack(model)
    model = onnx.shape_inference.infer_shapes(model)
    cut = Extractor(model).extract_model([graph.CUT_INPUT], heads(model.graph))
    shapes = [f"[1,3,{size.height},{size.width}]" for size in manifest.input.sizes]
    entry = {}
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "cut.onnx"
        onnx.save(cut, str(source))
        # Two different shapes tell pnnx that none is fixed.
        command = ["pnnx", str(source), f"inputshape={shapes[0]}", f"inputshape2={shapes[-1]}", "fp16=0"]
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
        for key, ending in (("param", "param"), ("weights", "bin")):
            data = source.with_name(f"cut.ncnn.{ending}").read_bytes()
            file = f"{manifest.name}.ncnn.{ending}"
            manifest_path.with_name(file).write_bytes(data)
            entry[key] = {"file": file, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    values = json.loads(manifest_path.read_text(encoding="utf-8")) | {"ncnn": entry}
    manifest_path.write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=pathlib.Path, help="manifest of a bundled model")
    export(parser.parse_args().manifest)


if __name__ == "__main__":
    main()
