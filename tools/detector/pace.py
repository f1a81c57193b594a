"""How long each model takes for a picture: all by turns on the same pictures, so that a busy machine slows all alike.

Timed is the way from a picture to the boxes of every cell, without suppression (the same for all). What counts is the
processor time of the one thread it runs on: on an idle machine that is the time on the clock, and on a busy one
the wait for the processor is not the model's fault.
"""

import time
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from models.boxes import Image
from tools.detector.scorers import Contestant

ROUNDS = 40
"""Turns; every model has one in each."""

Times = Mapping[str, npt.NDArray[np.float64]]
"""ms of each turn, by model."""


def by_turns(contestants: Sequence[Contestant], pictures: Sequence[Image], rounds: int = ROUNDS) -> Times:
    """Every model once a round, the first one moving on by one each time; the first round warms up and is not kept."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    taken: dict[str, list[float]] = {one.name: [] for one in contestants}
    try:
        for turn in range(rounds + 1):
            image = pictures[turn % len(pictures)]
            for place in range(len(contestants)):
                one = contestants[(place + turn) % len(contestants)]
                begun = time.thread_time_ns()
                one.scorer.candidates(image)
                taken[one.name].append((time.thread_time_ns() - begun) / 1e6)
    finally:
        cv2.setNumThreads(threads)
    return {name: np.array(each[1:]) for name, each in taken.items()}


def median_ms(times: Times, name: str) -> float:
    """Median time a picture."""
    return float(np.median(times[name]))


def ratio(times: Times, name: str, other: str) -> float:
    """Median over the rounds of one model's time by the other's in the same round."""
    return float(np.median(times[name] / times[other]))
