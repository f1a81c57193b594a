"""The labels that training uses: those of the data with the teacher's additions, kept so that they are made once.

Invariants: what is kept is taken only for the same images, labels, teacher and thresholds (``key``); it is plain JSON,
so reading it runs nothing; the numbers that come back are the numbers that went in, to the bit.
"""

import hashlib
import json
import logging
import pathlib

import numpy as np

from models.training import files
from models.training.data import ADD_SCORE, IGNORE_SCORE, Sample, fill_gaps, read_samples
from models.training.teachers import NanoDetTeacher

LOG = logging.getLogger("training")


def key(folder: pathlib.Path, teacher: pathlib.Path) -> str:
    """What the filled labels depend on, as a SHA-256. The pictures count by name and size: they are 100 MB."""
    digest = hashlib.sha256(f"{ADD_SCORE} {IGNORE_SCORE}\n".encode())
    digest.update(teacher.read_bytes())
    for picture in sorted((folder / "images").iterdir()):
        digest.update(f"{picture.name} {picture.stat().st_size}\n".encode())
        digest.update((folder / "labels" / f"{picture.stem}.txt").read_bytes())
    return digest.hexdigest()


def filled(folder: pathlib.Path, teacher: pathlib.Path, kept: pathlib.Path, threads: int) -> tuple[list[Sample], str]:
    """Samples of ``folder`` (images/, labels/) with the teacher's additions, and their ``key``.

    Takes them from ``kept`` when that is of the same key, else asks the teacher (a minute or two) and writes it.
    """
    wanted = key(folder, teacher)
    if kept.exists():
        found = json.loads(kept.read_text("ascii"))
        if found["key"] == wanted:
            return [_sample(folder, name, values) for name, values in found["images"].items()], wanted
        LOG.info("%s is of other labels, another teacher or other thresholds: made again", kept)
    seer = NanoDetTeacher(teacher, threads=threads)
    samples = [fill_gaps(sample, seer) for sample in read_samples(folder)]
    rows = {s.path.name: [v.tolist() for v in (s.boxes, s.classes, s.ignored)] for s in samples}
    files.write(kept, json.dumps({"key": wanted, "images": rows}).encode("ascii"))
    return samples, wanted


def _sample(folder: pathlib.Path, name: str, values: list[list[float]]) -> Sample:
    boxes, classes, ignored = values
    return Sample(
        folder / "images" / name,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
    )
