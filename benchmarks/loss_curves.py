"""Does another commit, or 16 bits, train alike? Each way trains with every seed; their losses are set side by side.

    python data/make_sample.py --count 80
    python g_simple_mask.py --size 64 --out data/prepared-64
    python face_recognition/face_recognition.py --data data/prepared-64
    python c_mask.py --data data/prepared-64
    git worktree add ../before 0304f4d
    python benchmarks/loss_curves.py --data data/prepared-64 --size 64 --before ../before

The first way is the other commit in float32, or this one where --before names none; `--precisions float32` leaves out
16 bits, which an older CPU has to imitate. For each loss the table has its mean over the second half of the training,
with the least and the largest of the seeds; of the other ways also how far it is off, in standard deviations of a
difference between two means of seeds (below 3 is noise). What is finished is skipped.
"""

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import cli
from facegan.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Args:
    data: Path = Path("data/prepared-128")
    """prepared folder"""
    size: int = 128
    """its size"""
    script: str = "pix2pix.py"
    """which script"""
    epochs: int = 32
    """passes over the training faces"""
    seeds: tuple[int, ...] = (0, 1, 2)
    """seeds; two at least"""
    precisions: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32", "mixed_bfloat16")
    """of this commit"""
    before: Path | None = None
    """checkout of another commit, in float32"""
    runs: Path = Path("runs/loss_curves")
    """folder of the runs"""


def train(args: Args, checkout: Path, precision: str, seed: int, run: Path) -> dict[str, np.ndarray]:
    """The losses of a run by name, a value for every row of metrics.csv."""
    flags = ["--train", "--data", args.data.resolve(), "--run", run.resolve(), "--size", args.size, "--batch-size", 4]
    flags += ["--epochs", args.epochs, "--precision", precision, "--seed", seed]
    # each commit turns oneDNN on, or not, for itself
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    command = [sys.executable, args.script, *map(str, flags)]
    if subprocess.run(command, cwd=checkout, env=environment).returncode:
        raise BadInput(f"{run} ended early: see above; the same command goes on from here.")
    rows = list(csv.DictReader((run / "metrics.csv").open(newline="")))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "images_per_second"}


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    if len(args.seeds) < 2:
        raise BadInput("--seeds: at least two, as their spread is what a difference is measured by.")
    ways = {"before, float32": (args.before, "float32")} if args.before else {}
    ways |= {precision.removeprefix("mixed_"): (ROOT, precision) for precision in args.precisions}
    late = {}  # way -> loss -> its means over the second half, one a seed
    for way, (checkout, precision) in ways.items():
        folders = [args.runs / f"{way.replace(', ', '-')}-s{seed}" for seed in args.seeds]
        runs = [train(args, checkout, precision, *x) for x in zip(args.seeds, folders, strict=True)]
        steps = int(runs[0].pop("step")[-1])
        late[way] = {name: np.array([run[name][len(run[name]) // 2 :].mean() for run in runs]) for name in runs[0]}
    first = next(iter(late.values()))
    print(f"\n{args.script}, {args.size} x {args.size}, batch 4, {steps} steps, {len(args.seeds)} seeds\n")
    print(f"| loss | {' | '.join(late)} |\n|{'---|' * (len(late) + 1)}")
    for name, ours in first.items():
        cells = []
        for losses in late.values():
            values = losses[name]
            cells.append(f"{values.mean():.4f} ({values.min():.4f} to {values.max():.4f})")
            if values is not ours:
                spread = np.sqrt((values.var(ddof=1) + ours.var(ddof=1)) / len(values))
                cells[-1] += f", {(values.mean() - ours.mean()) / max(spread, 1e-9):+.1f}"
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    cli.run(main)
