"""Where a training was when it was cut off: everything that the next step depends on.

There is no random state in it: pictures are a function of the seed and the step (``pictures``), and the network draws
nothing. Invariants: a file is whole or not there; one of another training is refused, never continued.
"""

import dataclasses
import io
import pathlib
from typing import Any

import torch

from models.training import files


@dataclasses.dataclass(slots=True)
class Checkpoint:
    """After ``step`` steps: the network, its running average, the optimiser, the loss so far and the time it took."""

    step: int
    model: dict[str, Any]
    average: dict[str, Any]
    optimiser: dict[str, Any]
    losses: list[float]
    seconds: float


def save(path: pathlib.Path, settings: str, state: Checkpoint) -> None:
    """Writes ``state`` of the training that ``settings`` describes."""
    buffer = io.BytesIO()
    torch.save({"settings": settings} | {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}, buffer)
    files.write(path, buffer.getvalue())


def load(path: pathlib.Path, settings: str) -> Checkpoint:
    """Reads what ``save`` wrote. Raises ValueError when it is of another training."""
    kept = torch.load(path, map_location="cpu", weights_only=True)
    found = kept.pop("settings")
    if found != settings:
        raise ValueError(
            f"{path}: of another training: it says {found}, wanted {settings}; "
            "give the same recipe and data, or another --out"
        )
    return Checkpoint(**kept)
