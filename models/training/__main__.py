"""From a folder of labelled pictures to an ONNX file and a report: one command for each candidate.

    python -m models.training standard_clear --data ../shared/road_users --teachers ../shared/teacher --out DIR
    python -m models.training tiny … --standard DIR/model.onnx

``--resume`` goes on after an interruption and gives, on the same machine, the weights of an uninterrupted run to the
bit. ``DIR`` then holds ``model.onnx`` (float weights), ``model_int8.onnx`` (the same, integer weights),
``report.json``, and what a resumed run needs: ``labels.json`` (labels with the teacher's additions), ``start.onnx`` and
``checkpoint.pt``. Needs ``requirements.txt`` beside this file.
"""

import argparse
import dataclasses
import hashlib
import logging
import pathlib
import platform
import sys
from typing import Any

import onnx
import torch

from models.manifest import BUNDLED, read_manifest
from models.training import corruptions, files, graph, labels, quantise, report, shipping
from models.training.data import Sample
from models.training.narrow import narrow
from models.training.recipes import RECIPES, Recipe
from models.training.train import Machine, Outcome, fit, repeatable

LOG = logging.getLogger("training")

PUBLISHED = "yolox_nano_416.onnx"
LABEL_TEACHER = "nanodet_plus_m_1_5x_640x384.onnx"


def run(
    recipe: Recipe,
    data: pathlib.Path,
    teachers: pathlib.Path,
    standard: pathlib.Path,
    out: pathlib.Path,
    machine: Machine,
    *,
    resume: bool,
) -> report.Report:
    """Trains one candidate into ``out``. Raises FileExistsError when something is there and ``resume`` is not said."""
    repeatable(machine)
    kept, begun = out / "checkpoint.pt", out / "start.onnx"
    if kept.exists() and not resume:
        raise FileExistsError(f"{kept}: a training is here; go on with it (--resume) or name another --out")
    out.mkdir(parents=True, exist_ok=True)
    train = data / "train"
    samples, key = labels.filled(train, teachers / LABEL_TEACHER, out / "labels.json", machine.threads)
    LOG.info("%d images, %d boxes", len(samples), sum(len(s.boxes) for s in samples))
    start = teachers / PUBLISHED if recipe.model == "standard" else standard
    teacher = graph.read(start) if recipe.distil else None
    if not (resume and begun.exists()):
        files.write(begun, _begin(recipe, start, samples).SerializeToString(deterministic=True))
    model = onnx.load(str(begun))
    outcome = fit(recipe, model, teacher, samples, key, kept, machine)
    written = quantise.write_both(out, shipping.ship(model))
    done = _report(recipe, start, samples, key, machine, outcome, model, written)
    report.write(out, done)
    return done


def _begin(recipe: Recipe, start: pathlib.Path, samples: list[Sample]) -> onnx.ModelProto:
    """The graph that training begins with."""
    model = graph.read(start)
    if recipe.keep < 1:
        model = narrow(model, recipe, samples)
    if recipe.hard:
        graph.harden(model)
    return model


def _report(
    recipe: Recipe,
    start: pathlib.Path,
    samples: list[Sample],
    key: str,
    machine: Machine,
    outcome: Outcome,
    model: onnx.ModelProto,
    written: dict[str, dict[str, Any]],
) -> report.Report:
    costs = {f"{height}×{width}": graph.cost(model, height, width) for height, width in recipe.sizes}
    hundreds = [outcome.losses[i : i + 100] for i in range(0, len(outcome.losses), 100)]
    return report.Report(
        candidate=recipe.name,
        recipe=dataclasses.asdict(recipe),
        start=start.name,
        start_sha256=hashlib.sha256(start.read_bytes()).hexdigest(),
        teacher=start.name if recipe.distil else None,
        labels={
            "images": len(samples),
            "boxes": sum(len(s.boxes) for s in samples),
            "regions_without_loss": sum(len(s.ignored) for s in samples),
        },
        labels_key=key,
        corruptions=corruptions.NAME,
        machine=f"{machine.device} ({platform.machine()}), {machine.threads} threads, "
        f"{'bfloat16' if machine.bf16 else 'float32'}, torch {torch.__version__}",
        minutes=round(outcome.seconds / 60, 1),
        losses=[round(sum(part) / len(part), 4) for part in hundreds],
        parameters=next(iter(costs.values()))[1],
        gmac={size: round(macs / 1e9, 3) for size, (macs, _) in costs.items()},
        files=written,
        ships=quantise.INTEGER if recipe.integer else quantise.FLOAT,
    )


def main() -> int:
    """Trains; prints the row of the table of candidates. Exit 2 when the folders do not fit what is asked."""
    parser = argparse.ArgumentParser(
        "models.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with train/images and train/labels")
    parser.add_argument(
        "--teachers", type=pathlib.Path, required=True, help=f"folder with {PUBLISHED}, {LABEL_TEACHER}"
    )
    parser.add_argument("--out", type=pathlib.Path, required=True)
    bundled = BUNDLED.with_name(read_manifest(BUNDLED).file)
    parser.add_argument("--standard", type=pathlib.Path, default=bundled, help="what tiny starts from and learns from")
    parser.add_argument("--steps", type=int, help="other than the recipe's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="half the time a step, where the processor has bfloat16")
    parser.add_argument("--resume", action="store_true", help="go on with what is in --out")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = RECIPES[args.recipe]
    if args.steps is not None:
        recipe = dataclasses.replace(recipe, steps=args.steps)
    machine = Machine(args.threads, args.bf16)
    try:
        done = run(recipe, args.data, args.teachers, args.standard, args.out, machine, resume=args.resume)
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        LOG.error("%s", error)
        return 2
    sys.stdout.write(report.table([report.row(done, {}, "")]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
