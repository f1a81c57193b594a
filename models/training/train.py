"""Fine-tunes YOLOX-Nano to five road users and writes the ONNX file that the node runs.

    python -m models.training.train --data DIR --start yolox_nano_416.onnx --teacher nanodet.onnx --out model.onnx

Invariants: the same seed, data and thread count draw the same batches; the exported weights are the running average of
the trained ones; nothing of the validation folder is read here.
"""

import argparse
import logging
import math
import pathlib
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import torch

from models.training import data, loss, network, teachers

LOG = logging.getLogger("train")
SIZE = 416


def _samples(folder: pathlib.Path, teacher: pathlib.Path, cache: pathlib.Path) -> list[data.Sample]:
    """Labels with the teacher's additions; the teacher needs a minute or two, so its answers are kept in ``cache``."""
    if cache.exists():
        # Written by an earlier run of this very script, never taken from elsewhere.
        kept: list[data.Sample] = pickle.loads(cache.read_bytes())
        return kept
    seer = teachers.NanoDetTeacher(teacher, threads=2)
    samples = [data.fill_gaps(sample, seer) for sample in data.read_samples(folder)]
    cache.write_bytes(pickle.dumps(samples))
    return samples


def _truth(picture: data.Picture) -> loss.Truth:
    return loss.Truth(*(torch.from_numpy(v) for v in (picture.boxes, picture.classes, picture.ignored)))


def main() -> None:
    """Trains, logging the loss every 20 steps; writes ``--out`` every ``--save-every`` steps and at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--start", type=pathlib.Path, required=True, help="published yolox_nano_416.onnx")
    parser.add_argument("--teacher", type=pathlib.Path, required=True, help="nanodet_plus_m_1_5x_640x384.onnx")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--rate", type=float, default=8e-5)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="half the time a step, where the processor has bfloat16")
    parser.add_argument("--save-every", type=int, default=300)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)

    samples = _samples(args.data, args.teacher, args.out.with_suffix(".labels"))
    LOG.info("%d images, %d boxes, %d regions without a loss", len(samples), *_totals(samples))
    batches = data.Batches(samples, SIZE, args.seed)
    published = network.read_published(args.start)
    model = network.GraphModule(published).train().to(memory_format=torch.channels_last)
    average = network.GraphModule(published).requires_grad_(False)
    corners, strides = (torch.from_numpy(v) for v in teachers.grid(SIZE, SIZE))
    optimiser = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=5e-4)
    warm = max(1, args.steps // 20)

    def pace(step: int) -> float:
        if step < warm:
            return float((step + 1) / warm)
        turned: float = (step - warm) / max(1, args.steps - warm)
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * turned))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, pace)
    # One drawing thread: it keeps the order of the random numbers, and a step takes longer than a batch.
    with ThreadPoolExecutor(1) as drawing:
        coming = drawing.submit(lambda: [batches.picture() for _ in range(args.batch)])
        recent: list[float] = []
        for step in range(1, args.steps + 1):
            pictures = coming.result()
            coming = drawing.submit(lambda: [batches.picture() for _ in range(args.batch)])
            images = torch.from_numpy(np.stack([p.image for p in pictures])).permute(0, 3, 1, 2).float()
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                heads = model(images.contiguous(memory_format=torch.channels_last))
            outputs = network.flatten(heads)
            value = loss.loss_of(*outputs, [_truth(p) for p in pictures], corners, strides)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 20.0)
            optimiser.step()
            schedule.step()
            _follow(average, model, min(0.998, (step + 1) / (step + 10)))
            recent.append(value.item())
            if step % 20 == 0:
                LOG.info("step %d loss %.3f", step, sum(recent) / len(recent))
                recent.clear()
            if step % args.save_every == 0 or step == args.steps:
                network.write_back(published, dict(average.named_parameters()))
                onnx.save(network.ship(published), str(args.out))
                LOG.info("wrote %s", args.out)


def _follow(average: torch.nn.Module, model: torch.nn.Module, keep: float) -> None:
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), model.parameters(), strict=True):
            ours.lerp_(theirs, 1 - keep)


def _totals(samples: list[data.Sample]) -> tuple[int, int]:
    return sum(len(s.boxes) for s in samples), sum(len(s.ignored) for s in samples)


if __name__ == "__main__":
    main()
