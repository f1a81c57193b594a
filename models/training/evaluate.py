"""Measures a model and the teacher it came from on the same images, in one run: AP50, close and pole views apart.

    python -m models.training.evaluate --data DIR [--model MANIFEST] [--teacher yolox_nano_416.onnx]

Prints JSON lines {"name", "value", "unit", "bar", "ok"}; the bar of a figure is what the teacher reaches in the same
run. Exit 1 when one is missed. Needs only what a node has installed.

Invariants: both go through the same suppression (``models.boxes.select`` with the manifest's settings, threshold 0.01);
person is scored on close views only, since the pole views carry no person labels; a pole view asks for any vehicle.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from models.boxes import select
from models.manifest import BUNDLED
from models.onnx_detector import OnnxDetector, load_detector
from models.training.data import Sample, overlap, read_samples
from models.training.teachers import CLASSES, Candidates, Floats, Image, Scorer, YoloxTeacher

LOW_SCORE = 0.01
"""Average precision wants the whole curve, so nearly everything is kept."""

MATCH_IOU = 0.5
"""AP50."""

PERSON = CLASSES.index("person")


class OwnScorer:
    """A bundled model before suppression."""

    def __init__(self, detector: OnnxDetector) -> None:
        self._detector = detector

    def candidates(self, image: Image) -> Candidates:
        """Scores one picture, in source pixels."""
        ratio = self._detector.letterbox.fit(image)
        boxes, scores = self._detector.run()
        return Candidates(boxes[0].T / np.float32(ratio), scores[0].T)


def average_precision(hits: npt.NDArray[np.bool_], scores: Floats, labels: int) -> float:
    """Area under the precision envelope (every point, as PASCAL VOC since 2010); 0 without labels."""
    if not labels or not len(hits):
        return 0.0
    true = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    recall = np.concatenate([[0.0], true / labels])
    precision = true / np.arange(1, len(true) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def match(boxes: Floats, truth: Floats) -> npt.NDArray[np.bool_]:
    """Which of the boxes (best first) meet a label of their own with IoU of at least MATCH_IOU."""
    hits = np.zeros(len(boxes), np.bool_)
    free = np.ones(len(truth), np.bool_)
    table = overlap(boxes, truth)
    for row in range(len(boxes)):
        if not free.any():
            break
        best = int(np.where(free, table[row], -1).argmax())
        if table[row, best] >= MATCH_IOU:
            hits[row], free[best] = True, False
    return hits


def score_each(
    scorer: Scorer, samples: Iterable[Sample], detector: OnnxDetector, asked: tuple[tuple[int, ...], ...]
) -> list[float]:
    """AP50 for each set of classes taken as one (its boxes compete, and any label of the set is met)."""
    manifest = detector.manifest
    hits: list[list[npt.NDArray[np.bool_]]] = [[] for _ in asked]
    values: list[list[Floats]] = [[] for _ in asked]
    labels = [0] * len(asked)
    for sample in samples:
        found = scorer.candidates(sample.image())
        for i, classes in enumerate(asked):
            one = len(classes) > 1
            rows = found.scores[:, classes].max(axis=1)[None] if one else found.scores.T
            boxes, kinds, scores = select(
                found.boxes.T, rows, threshold=LOW_SCORE, overlap=manifest.overlap, max_detections=300
            )
            if not one:
                wanted = kinds == classes[0]
                boxes, scores = boxes[wanted], scores[wanted]
            truth = sample.boxes[np.isin(sample.classes, classes)]
            hits[i].append(match(boxes, truth))
            values[i].append(scores)
            labels[i] += len(truth)
    return [
        average_precision(np.concatenate(h), np.concatenate(v), n) for h, v, n in zip(hits, values, labels, strict=True)
    ]


def milliseconds(detector: OnnxDetector, image: Image, rounds: int = 60) -> float:
    """Median time of one ``detect`` on this machine, ms."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        detector.detect(image)
        taken.append((time.perf_counter_ns() - start) / 1e6)
    return float(np.median(taken))


def figure(name: str, value: float, unit: str, bar: float | None = None) -> bool:
    """Prints one JSON line; returns whether the bar is met."""
    ok = None if bar is None else value >= bar
    line = {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "bar": None if bar is None else round(bar, 4),
        "ok": ok,
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return ok is not False


def main() -> int:
    """Measures and prints. Returns 1 when the model is worse than the teacher in either view."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--model", type=pathlib.Path, default=BUNDLED, help="manifest of the model (default: ours)")
    parser.add_argument("--teacher", type=pathlib.Path, help="published yolox_nano_416.onnx: its figures are the bars")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    samples = read_samples(args.data)
    pole, close = [s for s in samples if s.pole], [s for s in samples if not s.pole]
    detector = load_detector(args.model, threads=args.threads)
    every = tuple((i,) for i in range(len(CLASSES)))
    vehicles = tuple(i for i in range(len(CLASSES)) if i != PERSON)
    pole_asked = (vehicles, *((i,) for i in vehicles))
    bars: tuple[float | None, float | None] = (None, None)
    good = True
    scorers: list[tuple[str, Scorer]] = [("model", OwnScorer(detector))]
    if args.teacher is not None:
        scorers.insert(0, ("teacher", YoloxTeacher(args.teacher, args.threads)))
    for who, scorer in scorers:
        close_scores = score_each(scorer, close, detector, every)
        pole_scores = score_each(scorer, pole, detector, pole_asked)
        close_mean = sum(close_scores) / len(close_scores)
        judged = who == "model"
        good &= figure(f"{who}_close_ap50", close_mean, "AP50 mean of 5 classes", bars[0] if judged else None)
        good &= figure(f"{who}_pole_ap50", pole_scores[0], "AP50 any vehicle", bars[1] if judged else None)
        for name, value in zip(CLASSES, close_scores, strict=True):
            figure(f"{who}_close_{name}_ap50", value, "AP50")
        for index, value in zip(vehicles, pole_scores[1:], strict=True):
            figure(f"{who}_pole_{CLASSES[index]}_ap50", value, "AP50")
        bars = (close_mean, pole_scores[0])
    figure("model_detect_ms", milliseconds(detector, pole[0].image()), "ms median, this machine")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
