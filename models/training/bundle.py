"""Puts a finished candidate into the package: weights, and the manifest that proves them.

    python -m models.training.bundle DIR --into models/weights

``DIR`` is the ``--out`` of ``python -m models.training``; which bundled model it becomes is in its report. Invariants:
a pair that the node's own detector refuses, or that is larger than its recipe allows, is not written.
"""

import argparse
import hashlib
import pathlib
import tempfile

from models.detector import ROAD_USERS
from models.manifest import BUNDLED_MODELS, InputSize, Manifest, ModelInput, Source
from models.onnx_detector import load_detector
from models.training import files, report
from models.training.recipes import MOST_BYTES

SOURCES = (
    Source(
        name="YOLOX-Nano (COCO)",
        author="Megvii, YOLOX authors",
        licence="Apache-2.0",
        used_for="starting weights and graph; modified: five classes, fine-tuned, decoding inside the graph",
    ),
    Source(
        name="Highway Object Detection",
        author="Universitas Tidar, by way of Roboflow",
        licence="CC BY 4.0",
        used_for="training images and labels, close views",
    ),
    Source(
        name="ATL version 2",
        author="finalproject, by way of Roboflow",
        licence="CC BY 4.0",
        used_for="training images and labels, views from poles",
    ),
    Source(
        name="NanoDet-Plus-m-1.5x (COCO)",
        author="NanoDet authors",
        licence="Apache-2.0",
        used_for="teacher: boxes that the labels lack, no weights taken",
    ),
)

STANDARD = Source(
    name="road_users standard",
    author="this project",
    licence="Apache-2.0",
    used_for="starting weights, modified; teacher: soft targets",
)
"""What every other model of this project is made from."""


def bundle(folder: pathlib.Path, into: pathlib.Path, *, threshold: float, overlap: float) -> pathlib.Path:
    """Copies the weights, writes the manifest, opens the pair once; returns the manifest's path.

    Raises ValueError when the weights are too large, ModelError when the detector refuses them.
    """
    known = report.read(folder)
    model, sizes = known.recipe["model"], known.recipe["sizes"]
    data = (folder / known.ships).read_bytes()
    most = MOST_BYTES[model]
    if len(data) > most:
        raise ValueError(f"{folder / known.ships}: {len(data)} bytes; allowed for {model}: {most}")
    name = BUNDLED_MODELS[model].stem
    manifest = Manifest(
        version=1,
        name=name,
        file=f"{name}.onnx",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        input=ModelInput(
            sizes=tuple(InputSize(height=height, width=width) for height, width in sizes),
            layout="nhwc_bgr_uint8",
            placing="letterbox_top_left",
            pad=114,
        ),
        classes=ROAD_USERS,
        threshold=threshold,
        overlap=overlap,
        max_detections=100,
        licence="Apache-2.0",
        sources=SOURCES if model == "standard" else (*SOURCES, STANDARD),
    )
    text = (manifest.model_dump_json(indent=2, exclude_none=True) + "\n").encode("utf-8")
    with tempfile.TemporaryDirectory() as trial:
        for place in (pathlib.Path(trial), into):
            files.write(place / manifest.file, data)
            files.write(place / f"{name}.json", text)
            load_detector(place / f"{name}.json")
    return into / f"{name}.json"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the training wrote")
    parser.add_argument("--into", type=pathlib.Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.3)
    parser.add_argument("--overlap", type=float, default=0.5)
    args = parser.parse_args()
    bundle(args.folder, args.into, threshold=args.threshold, overlap=args.overlap)


if __name__ == "__main__":
    main()
