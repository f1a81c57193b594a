"""The mean of the weights of several trainings that began as the same network.

    python -m models.training.average DIR DIR --out DIR [--shares 0.8 0.2]

Fine-tuned apart from one start, networks lie in one valley, and the middle of it is better than its sides (Wortsman et
al. 2022, "Model soups"). Ours were tuned by clear pictures and by bad weather: the mean sees as much by day as the
first and in fog and rain as much as the second. Each ``DIR`` is the ``--out`` of ``python -m models.training``.

Invariants: without ``--shares`` every network counts the same; networks of other layers are refused; the report beside
the result is that of the last training, with what it was made of.
"""

import argparse
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from models.training import quantise, report


def mean(networks: Sequence[onnx.ModelProto], shares: Sequence[float] | None = None) -> onnx.ModelProto:
    """The first network with the mean of all weights, by ``shares`` where they are told. Raises ValueError when the
    networks are not of the same layers, or not as many as the shares."""
    if shares is not None and len(shares) != len(networks):
        raise ValueError(f"{len(shares)} shares for {len(networks)} networks; allowed: one each")
    weights = [{t.name: numpy_helper.to_array(t) for t in one.graph.initializer} for one in networks]
    shapes = [{name: value.shape for name, value in one.items()} for one in weights]
    if any(one != shapes[0] for one in shapes):
        raise ValueError("the networks are not of the same layers: only trainings of one start can be averaged")
    parts = np.full(len(networks), 1.0) if shares is None else np.array(shares, np.float64)
    parts /= parts.sum()
    result = onnx.ModelProto()
    result.CopyFrom(networks[0])
    for tensor in result.graph.initializer:
        if weights[0][tensor.name].dtype == np.float32:
            values = np.array([one[tensor.name] for one in weights], np.float64)
            middle = np.tensordot(parts, values, axes=1).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(middle, tensor.name))
    return result


def average(folders: Sequence[pathlib.Path], out: pathlib.Path, shares: Sequence[float] | None = None) -> report.Report:
    """Writes the mean of finished trainings, with float and with integer weights, and its report. Raises ValueError,
    FileNotFoundError."""
    known = [report.read(folder) for folder in folders]
    network = mean([onnx.load(str(folder / quantise.FLOAT)) for folder in folders], shares)
    out.mkdir(parents=True, exist_ok=True)
    last = known[-1]
    done = dataclasses.replace(
        last,
        candidate=last.recipe["model"],
        recipe={**last.recipe, "steps": sum(one.recipe["steps"] for one in known)},
        start=" + ".join(one.candidate for one in known),
        start_sha256=hashlib.sha256("".join(one.files[quantise.FLOAT]["sha256"] for one in known).encode()).hexdigest(),
        minutes=round(sum(one.minutes for one in known), 1),
        losses=[],
        files=quantise.write_both(out, network),
    )
    report.write(out, done)
    return done


def main() -> int:
    """Entry point. Exit 2 when the trainings cannot be averaged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=pathlib.Path, nargs="+", help="finished trainings")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--shares", type=float, nargs="+", help="what each training counts; the same unless told")
    args = parser.parse_args()
    try:
        done = average(args.folders, args.out, args.shares)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - an entry point's own message
        return 2
    sys.stdout.write(report.table([report.row(done, {}, "")]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
