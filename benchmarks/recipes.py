"""Which choice makes the faces better? The published recipe, then one change at a time, by the scores of evaluate.py.

    python benchmarks/recipes.py --list                                        # the recipes, and their flags
    python benchmarks/recipes.py --data data/celeba-128 --size 128 --epochs 12 # all of them, as many images each
    python benchmarks/recipes.py --data data/celeba-128 --size 128 --minutes 30 --seeds 0 1 --only published default

Every recipe is trained, tested and evaluated by the project's own command lines, one after the other, into
RUNS/<name>-s<seed>; what is finished is skipped, what was stopped goes on. The table is printed and written to
RUNS/recipes-<split>.md, each score with its ratio to the first recipe's mean over seeds.

Recipes are chosen by faces that validate: --validation keeps the last of the training faces out of every training. The
parser that judges must not have seen them either: train it with the same --validation. `--split test`, for the final
table alone, judges the same runs by the test faces. What we found: benchmarks/recipes.md.
"""

import importlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import cli, files, flags, prepared, progress, results, run_folder
from facegan.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent

BASE = "--published --batch-size 4"
"""What one change at a time is made to: batches of 16 are too few steps for a small budget of images."""

DEFAULT = "--batch-size 4"
"""The default: batches of 4 again."""

EARLIER = f"{DEFAULT} --identity 30 --perceptual 10 --face-id-scale 8"
"""The default before, from which one change at a time was taken back."""

RECIPES = {
    "published": "--published",
    "base": BASE,
    "upsampling-resize": f"{BASE} --upsampling resize",
    "upsampling-subpixel": f"{BASE} --upsampling subpixel",
    "upsampling-blend": f"{BASE} --upsampling blend",
    "residual": f"{BASE} --residual",
    "group-norm": f"{BASE} --norm group --no-batch-statistics",
    "instance-norm": f"{BASE} --norm instance --no-batch-statistics",
    "ema": f"{BASE} --ema-decay 0.999",
    "flip": f"{BASE} --flip",
    "learning-rate": f"{BASE} --learning-rate 4e-4 --discriminator-learning-rate 4e-4",
    "two-time-scale": f"{BASE} --learning-rate 1e-4 --discriminator-learning-rate 4e-4",
    "modulation-code": f"{BASE} --modulation code",
    "modulation-regions": f"{BASE} --modulation regions",
    "face-id-scale": f"{BASE} --face-id-scale 8",
    "identity": f"{BASE} --identity 10",
    "perceptual": f"{BASE} --perceptual 10",
    "color-consistency": f"{BASE} --color-consistency 30",
    "no-push": f"{BASE} --no-push",
    "map-consistency": f"{BASE} --no-push --map-consistency 10",
    "discriminator-32": f"{BASE} --discriminator-width 32",
    "earlier": EARLIER,
    "earlier-no-residual": f"{EARLIER} --no-residual",
    "earlier-no-identity": f"{EARLIER} --identity 0",
    "earlier-no-perceptual": f"{EARLIER} --perceptual 0",
    "earlier-no-color": f"{EARLIER} --color-consistency 0",
    "earlier-no-modulation": f"{EARLIER} --modulation none",
    "earlier-no-scale": f"{EARLIER} --face-id-scale 1",
    "earlier-no-full-resolution": f"{EARLIER} --no-full-resolution",
    "earlier-batch-norm": f"{EARLIER} --norm batch --batch-statistics",
    "earlier-perceptual-30": f"{EARLIER} --perceptual 30",
    "earlier-perceptual-60": f"{EARLIER} --perceptual 60",
    "default-scale-8": f"{DEFAULT} --face-id-scale 8",
    "default": DEFAULT,
    "default-scale-64": f"{DEFAULT} --face-id-scale 64",
    "default-no-push": f"{DEFAULT} --no-push",
    "default-map-consistency": f"{DEFAULT} --no-push --map-consistency 10",
    "v2-base": f"pix2pix_v2.py {BASE}",
    "v2-default": f"pix2pix_v2.py {DEFAULT}",
    "rec-base": f"pix2pix_rec.py {BASE}",
    "rec-default": f"pix2pix_rec.py {DEFAULT}",
}
"""Name -> flags of pix2pix.py, or another script and its flags."""

SCORES = {
    "rec LPIPS": ("rec", "lpips"),
    "rec L1": ("rec", "l1"),
    "rec MS-SSIM": ("rec", "ms_ssim"),
    "rec ID": ("rec", "identity"),
    "man ID": ("man", "identity"),
    "man mIoU": ("man", "miou"),
    "man colour": ("man", "color"),
    "rec board": ("rec", "checkerboard"),
    "man board": ("man", "checkerboard"),
    "man energy": ("man", "checkerboard_energy"),
}
"""Column of the table -> kind of picture and score in scores.json."""


@dataclass
class Args:
    list: bool = False
    """print the recipes, and exit"""
    data: Path = Path("data/prepared-128")
    """prepared folder"""
    size: int = 128
    """its size"""
    epochs: int = 12
    """passes over the training faces that every recipe gets"""
    minutes: float = 0.0
    """give every recipe this much time instead: steps, and what an epoch's end saves and paints; not testing, nor the
    first start's compiling (one that was stopped pays for its second: delete it to be fair)"""
    seeds: tuple[int, ...] = (0,)
    """every recipe once with each"""
    only: tuple[str, ...] = ()
    """recipes to run, the first is what the others are compared with; all unless said"""
    validation: flags.Share = 0.15
    """share of the training faces that no recipe trains on"""
    split: Literal["validation", "test"] = "validation"
    """which faces judge: a recipe is chosen by validation ones; test ones are for the final table alone"""
    runs: Path = Path("runs/recipes")
    """folder of the runs, their results and the table"""
    parser: Path = Path("runs/parse_face")
    """run of parse_face.py that judges maps"""
    loss_parser: Path = Path("runs/parse_face-loss")
    """run of parse_face.py for --map-consistency, another than the judge"""
    weights: Path | None = None
    """folder with LPIPS's weights, as for evaluate.py"""


def trained_seconds(run: Path) -> float:
    """Time spent in training steps so far, from metrics.csv; the first row, which holds compiling, counts as the
    second."""
    rows = progress.metrics_rows(run / "metrics.csv")
    pairs = [[progress.as_number(row.get(name)) for name in ("step", "images_per_second")] for row in rows]
    pairs = [pair for pair in pairs if np.isfinite(pair).all() and min(pair) > 0]  # without those of validation
    if len(pairs) < 2:
        return 0.0
    steps, rates = np.array(pairs).T
    images = np.diff(steps, prepend=0) * run_folder.read_record(run / "args.json", {"batch_size": int})["batch_size"]
    return float((images / [rates[1], *rates[1:]]).sum())


def call(script: str, *flags, seconds: float = 0.0, run: Path | None = None) -> None:
    """Run a script to its end, or until it has trained for so many seconds. Raises BadInput when it fails."""
    with subprocess.Popen([sys.executable, str(ROOT / script), *map(str, flags)]) as process:
        try:
            while process.poll() is None:
                if seconds and trained_seconds(run) >= seconds:
                    process.send_signal(signal.SIGINT)
                    if process.wait() == 130:
                        return
                time.sleep(0.5)
        except KeyboardInterrupt:
            process.wait()  # the terminal told it, too: it saves
            raise
    if process.returncode:
        raise BadInput(f"{script} ended with {process.returncode}: see above; the same command goes on from here.")


def make(args: Args, name: str, seed: int) -> dict:
    """scores.json of a recipe, made unless it exists."""
    run = args.runs / f"{name}-s{seed}"
    painted = run / f"results-{args.split}"
    scores = painted / "evaluation" / "scores.json"
    where = ("--data", args.data, "--run", run)
    words = shlex.split(RECIPES[name])
    script = words.pop(0) if words[0].endswith(".py") else "pix2pix.py"
    module = importlib.import_module(script.removesuffix(".py"))
    others = {**vars(module.Args()), **(module.PUBLISHED if "--published" in words else {})}
    others = {name: value for name, value in others.items() if not isinstance(value, Path | tuple)}
    files.claim(run / "recipe.json", "name another folder with --runs.", flags=RECIPES[name], **others)
    words = (*where, "--size", args.size, "--seed", seed, "--validation", args.validation, *words)
    if "--map-consistency" in words:
        words += ("--parser", args.loss_parser)
    if not (painted / "results.json").exists():
        epochs, seconds = 10**6 if args.minutes else args.epochs, 60 * args.minutes
        if not seconds or trained_seconds(run) < seconds:  # else it was stopped in testing
            call(script, "--train", *words, "--epochs", epochs, seconds=seconds, run=run)
        call(script, "--test", *where, "--split", args.split, "--out", painted)
    if not scores.exists():
        weights = ("--weights", args.weights) if args.weights else ()
        call("evaluate.py", "--results", painted, "--parser", args.parser, *weights, "--skip", "fid", "arcface")
    return files.read_json(scores, schema={"scores": dict})["scores"]


def check_judges(args: Args, names: Iterable[str]) -> None:
    """Raise BadInput where evaluate.py would refuse a judge or leave a score out, or a recipe lacks its parser: before
    hours of training, not after."""
    from facegan import parsers  # TensorFlow, which --list does not need
    from facegan.evaluation import judges
    from facegan.evaluation.weights import Missing

    _, validation, test = prepared.split(prepared.complete_indices(args.data), args.validation)
    judged = test if args.split == "test" else validation
    if not judged:
        raise BadInput("--validation 0 leaves no faces to judge by: give them a share, or say --split test.")
    photos = {k: prepared.photo_crc(args.data, k) for k in judged}
    try:
        judges.load_parser(args.parser, args.size, prepared.describe(args.data), photos)
        judges.load_lpips(args.weights)
    except Missing as reason:
        raise BadInput(f"a judge is missing: {reason}.") from None
    if any("--map-consistency" in RECIPES[name] for name in names):
        parsers.load(args.loss_parser, args.size)
        if parsers.are_the_same(args.loss_parser, args.parser):
            raise BadInput(
                f"--loss-parser {args.loss_parser} and --parser {args.parser} are the same: what is trained for must "
                "not judge."
            )


def table(args: Args, scores_of: dict[str, list[dict]]) -> str:
    """A row a recipe: time, images/s, and every score, the mean over seeds and its ratio to the first recipe's."""

    def value(scores: dict, column: str) -> float:
        kind, name = SCORES[column]
        return scores[kind][name]["value"] if name in scores.get(kind, {}) else np.nan  # not of every script

    columns = [column for column in SCORES if np.isfinite(value(next(iter(scores_of.values()))[0], column))]
    lines = [f"| recipe | flags | min | img/s | {' | '.join(columns)} |", f"|{'---|' * (len(columns) + 4)}"]
    first = None
    for name, runs in scores_of.items():
        means = [np.mean([value(run, column) for run in runs]) for column in columns]
        first = first or means
        folders = [args.runs / f"{name}-s{seed}" for seed in args.seeds]
        minutes = np.mean([trained_seconds(folder) for folder in folders]) / 60
        paths = [folder / f"results-{args.split}" / "results.json" for folder in folders]
        images = [files.read_json(path, results.AGAIN, results.RESULTS) for path in paths]
        images = np.mean([about["step"] * about["flags"]["batch_size"] for about in images])
        cells = [f"{x:.3f} ({x / y:.2f})" if np.isfinite(x) else "" for x, y in zip(means, first, strict=True)]
        speed = f"{minutes:.1f} | {images / 60 / minutes:.1f}" if minutes else "  |  "
        lines.append(f"| {name} | `{RECIPES[name]}` | {speed} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    if args.list:
        print("\n".join(f"{name:20} {flags}" for name, flags in RECIPES.items()))
        return
    if unknown := set(args.only) - set(RECIPES):
        raise BadInput(f"no recipe {sorted(unknown)[0]}; --list shows them.")
    flags.check_bounds(args)
    if not args.seeds:
        raise BadInput("--seeds: at least one.")
    if not (0 <= args.minutes < float("inf") and args.epochs >= 1):
        raise BadInput(
            f"--minutes {args.minutes} --epochs {args.epochs}: expected minutes from 0 on and at least one epoch."
        )
    names = args.only or tuple(RECIPES)
    check_judges(args, names)
    settings = dict(size=args.size, epochs=args.epochs, minutes=args.minutes, validation=args.validation)
    settings |= dict(source=prepared.describe(args.data))
    settings |= dict(parser=str(args.parser.resolve()), loss_parser=str(args.loss_parser.resolve()))
    files.claim(args.runs / "recipes.json", "name another folder with --runs.", **settings)
    scores_of, failed = {}, []
    for name in names:
        try:
            scores_of[name] = [make(args, name, seed) for seed in args.seeds]
        except BadInput as error:  # a recipe that cannot be trained says so, and the night goes on
            if not scores_of:
                raise  # without the first there is nothing to compare with
            failed.append(f"{name}: {error}")
            print(f"error: {failed[-1]}", file=sys.stderr)
            continue
        files.write_text(args.runs / f"recipes-{args.split}.md", table(args, scores_of))
    if scores_of:
        print(table(args, scores_of))
    if failed:
        raise BadInput("not every recipe came through: " + " ".join(failed))


if __name__ == "__main__":
    cli.run(main)
