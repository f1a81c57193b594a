"""Writes the manifest beside a trained model, after checking that the node's own detector accepts the pair.

python -m models.training.bundle --model model.onnx --name road_users_nano_416 --into models/weights
"""

import argparse
import hashlib
import pathlib
import shutil

from models.detector import ROAD_USERS
from models.manifest import InputSize, Manifest, ModelInput, Source
from models.onnx_detector import load_detector

SIZES = (InputSize(height=416, width=416), InputSize(height=320, width=544))
"""Square as trained, and wide for 16:9 cameras: the same cost (173,056 and 174,080 px), a third more scale there."""

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


def main() -> None:
    """Copies the weights, writes the manifest, opens the pair once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--name", default="road_users_nano_416")
    parser.add_argument("--into", type=pathlib.Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.3)
    parser.add_argument("--overlap", type=float, default=0.5)
    args = parser.parse_args()
    data = args.model.read_bytes()
    weights = args.into / f"{args.name}.onnx"
    if args.model.resolve() != weights.resolve():
        shutil.copyfile(args.model, weights)
    manifest = Manifest(
        version=1,
        name=args.name,
        file=weights.name,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        input=ModelInput(sizes=SIZES, layout="nhwc_bgr_uint8", placing="letterbox_top_left", pad=114),
        classes=ROAD_USERS,
        threshold=args.threshold,
        overlap=args.overlap,
        max_detections=100,
        licence="Apache-2.0",
        sources=SOURCES,
    )
    path = args.into / f"{args.name}.json"
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    load_detector(path)


if __name__ == "__main__":
    main()
