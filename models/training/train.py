"""The training loop: a cut graph in, the same graph with better weights out, at any point able to go on after a stop.

Invariants: the same recipe, samples, seed and thread count draw the same pictures and, on the same machine, give the
same weights to the bit, interrupted or not; what comes out is the running average of the trained weights; nothing of
the validation folder is read here.
"""

import dataclasses
import hashlib
import json
import logging
import math
import os
import pathlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np
import onnx
import torch

from hal.clock import NS_PER_S, SYSTEM_CLOCK
from models.training import checkpoint, corruptions, distil, loss, teachers
from models.training.data import Sample
from models.training.network import GraphModule, flatten, write_back
from models.training.pictures import Batches, Picture
from models.training.recipes import Recipe

LOG = logging.getLogger("training")

SAVE_EVERY = 25
"""Steps between checkpoints: about 20 s of two cores, for 15 MB written."""

AVERAGE_KEEPS = 0.998
"""Of the running average, each step: the mean of about the last 500 steps."""

HARDEN_UNTIL = 0.3
"""Share of the steps over which SiLU becomes ReLU; the rest is for the weights to settle."""

AHEAD = 2
"""Batches drawn ahead by each drawing thread."""


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What a training runs on. It changes how numbers round, not what is learnt."""

    threads: int
    bf16: bool

    @property
    def device(self) -> torch.device:
        """A GPU where there is one."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a training went: the loss of each step, and the seconds of all its runs together."""

    losses: tuple[float, ...]
    seconds: float


def pace(step: int, steps: int) -> float:
    """Share of the full rate at a step (from 1): 5 % of the steps to warm up, then half a cosine down to 2 %."""
    warm = max(1, steps // 20)
    if step <= warm:
        return step / warm
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - 1 - warm) / max(1, steps - warm)))


def fit(
    recipe: Recipe,
    model: onnx.ModelProto,
    teacher: onnx.ModelProto | None,
    samples: list[Sample],
    labels_key: str,
    kept: pathlib.Path,
    machine: Machine,
) -> Outcome:
    """Trains ``model`` (a cut graph) in place. ``kept`` is its checkpoint: gone on from where it is there.

    ``repeatable`` has been called before. Raises ValueError when the checkpoint is of another training.
    """
    device, layout = machine.device, torch.channels_last
    settings = _settings(recipe, model, teacher, labels_key, machine)
    network = GraphModule(model).train().to(device, memory_format=layout)
    average = GraphModule(model).requires_grad_(False).to(device)
    judge = None if teacher is None else GraphModule(teacher).requires_grad_(False).to(device, memory_format=layout)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=5e-4)
    done, losses, before_s = 0, [], 0.0
    if kept.exists():
        state = checkpoint.load(kept, settings)
        network.load_state_dict(state.model)
        average.load_state_dict(state.average)
        optimiser.load_state_dict(state.optimiser)
        done, losses, before_s = state.step, state.losses, state.seconds
        LOG.info("goes on after step %d of %d", done, recipe.steps)
    corners, strides = (torch.from_numpy(v).to(device) for v in teachers.grid(recipe.size, recipe.size))
    batches = Batches(
        samples,
        size=recipe.size,
        batch=recipe.batch,
        seed=recipe.seed,
        small=recipe.small,
        degraded=recipe.degraded,
    )
    began_ns = SYSTEM_CLOCK.monotonic_ns()
    for step, pictures in _drawn(batches, done + 1, recipe.steps, machine.threads):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * pace(step, recipe.steps)
        network.hardness = min(1.0, step / (HARDEN_UNTIL * recipe.steps))
        with torch.autocast(device.type, torch.bfloat16, enabled=machine.bf16):
            heads = flatten(network(tensor([p.image for p in pictures], device)))
        value = loss.loss_of(*heads, [truth(p, device) for p in pictures], corners, strides)
        if judge is not None:
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=machine.bf16):
                answers = flatten(judge(tensor([p.clean for p in pictures], device)))
            value = value + recipe.distil * distil.soft_loss(heads, answers, corners, strides)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 20.0)
        optimiser.step()
        _follow(average, network, min(AVERAGE_KEEPS, (step + 1) / (step + 10)))
        losses.append(value.item())
        if step % 20 == 0:
            LOG.info("step %d of %d, loss %.3f", step, recipe.steps, sum(losses[-20:]) / 20)
        if step % SAVE_EVERY == 0 or step == recipe.steps:
            seconds = before_s + (SYSTEM_CLOCK.monotonic_ns() - began_ns) / NS_PER_S
            parts = (network.state_dict(), average.state_dict(), optimiser.state_dict())
            checkpoint.save(kept, settings, checkpoint.Checkpoint(step, *parts, losses, seconds))
    write_back(model, average.state_dict())
    return Outcome(tuple(losses), before_s + (SYSTEM_CLOCK.monotonic_ns() - began_ns) / NS_PER_S)


def repeatable(machine: Machine) -> None:
    """Tells torch and OpenCV to compute the same way every time, for the rest of this process."""
    torch.set_num_threads(machine.threads)
    # A GPU adds in whatever order it likes unless told; this has to be in the environment before its first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory that it has not written; filling it first would cost a pass over every activation.
    torch.utils.deterministic.fill_uninitialized_memory = False
    # Several pictures are drawn at once; one of them in several threads as well would only get in the way.
    cv2.setNumThreads(1)


def _settings(
    recipe: Recipe, model: onnx.ModelProto, teacher: onnx.ModelProto | None, labels_key: str, machine: Machine
) -> str:
    """What a checkpoint belongs to."""
    said = {
        "recipe": dataclasses.asdict(recipe),
        "bf16": machine.bf16,
        "labels": labels_key,
        "corruptions": corruptions.NAME,
        "start": _digest(model),
        "teacher": None if teacher is None else _digest(teacher),
    }
    return json.dumps(said, sort_keys=True)


def _digest(model: onnx.ModelProto) -> str:
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def _drawn(batches: Batches, first: int, last: int, threads: int) -> Iterator[tuple[int, list[Picture]]]:
    """The batches of steps ``first`` to ``last`` in order, drawn ahead."""
    with ThreadPoolExecutor(threads) as drawing:
        coming: dict[int, Future[list[Picture]]] = {}
        for step in range(first, last + 1):
            for ahead in range(step, min(step + AHEAD * threads, last + 1)):
                if ahead not in coming:
                    coming[ahead] = drawing.submit(batches.batch, ahead)
            yield step, coming.pop(step).result()


def tensor(images: list[teachers.Image], device: torch.device) -> torch.Tensor:
    """Pictures as the network takes them: B×3×H×W floats 0–255, channels last in memory."""
    planes = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float()
    return planes.contiguous(memory_format=torch.channels_last)


def truth(picture: Picture, device: torch.device) -> loss.Truth:
    """What the loss asks of a picture."""
    parts = (picture.boxes, picture.classes, picture.ignored)
    return loss.Truth(*(torch.from_numpy(v).to(device) for v in parts))


def _follow(average: torch.nn.Module, network: torch.nn.Module, keep: float) -> None:
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
            ours.lerp_(theirs, 1 - keep)
