"""The run folder: the flags that training scripts share, and what a run records. It goes on only with its own flags."""

import dataclasses
import datetime
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np

from facegan import cli, devices, files, prepared
from facegan.errors import BadInput


@dataclasses.dataclass
class TrainingArgs:
    """Flags of the three training scripts. What changes the science stands in each script's own Args."""

    train: bool = False
    """train, or go on training, in --run"""
    test: bool = False
    """paint the faces of --split into --out with the trained run"""
    dry_run: bool = False
    """print shapes, parameters, memory and steps of --train, write nothing, and exit"""
    data: Path = Path("data/prepared")
    """prepared folder"""
    run: Path = Path("runs")
    """folder of the run: flags, checkpoints, metrics.csv, sample grids, TensorBoard logs"""
    out: Path = Path("results")
    """where --test writes its pictures"""
    split: Literal["test", "train", "all"] = "test"
    """which faces --test paints: the last 20 %, the first 80 %, or all"""
    published: bool = False
    """begin a run with the published recipe's values; flags said beside it still count"""

    size: Literal[64, 128, 256, 512] = 256
    """working size S; the prepared folder must have the same"""
    epochs: int = 150
    """passes over the training faces; may be raised later"""
    batch_size: int = 16
    """faces a step, over all devices together"""
    seed: int = 0
    """of weights, order, pairs, flips and dropout"""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16", "float64"] = "auto"
    """auto takes the fastest that this machine has; float64 is slow, and made for comparing runs of several devices"""
    xla: Literal["auto", "on", "off"] = "auto"
    """compile the step; auto measures both on a GPU, and is off on a CPU, where it measured slower"""
    cache: Literal["auto", "on", "off"] = "auto"
    """keep all faces in memory; auto does when they take less than half of what is free"""


UNRECORDED = {"train", "test", "dry_run", "run", "split", "out", "xla", "cache", "photo", "aligned"}
"""Flags of the call, not of the run."""

GONE = {"gan": "bce", "feature_matching": 0.0, "spectral_norm": False, "cycle": 0.0}
"""Flags of earlier versions, and the value at which they did nothing: runs that recorded it go on. Why they went:
benchmarks/recipes.md."""

FREE = {"data", "epochs", "batch_statistics"}
"""Flags that the run remembers, but that may be said otherwise later. All others are bound: they made the weights."""

BOUNDS = {
    "epochs": (1, 10**9),
    "batch_size": (1, 10**6),
    "seed": (0, 2**32 - 1),
    "learning_rate": (1e-12, 1e38),
    "discriminator_learning_rate": (1e-12, 1e38),
    "beta1": (0, 0.9999999),
    "lambda_": (0, 1e9),
    "ema_decay": (0, 0.9999999),
    "identity": (0, 1e9),
    "perceptual": (0, 1e9),
    "color_consistency": (0, 1e9),
    "face_id_scale": (0, 1e6),
    "map_consistency": (0, 1e9),
    "discriminator_width": (1, 4096),
    "width": (1, 4096),
    "black": (0, 1),
    "soften": (0, 1),
    "dropout": (0, 0.9999999),
    "gan_weight": (0, 1e9),
    "style": (1, 4096),
}
"""Smallest and largest value of each numeric flag."""


def parse(args_type, published: dict, description: str):
    """The command line of a training script.

    What is not said comes from the run folder's args.json when something was trained there, else from the published
    recipe under --published, else from the defaults.
    """
    args = cli.parse(args_type, description=description)
    if not (args.train or args.test or args.dry_run):
        raise BadInput("nothing to do: say --train, --test or both, or --dry-run.")
    script, recorded = script_of(args_type), recorded_flags(args.run)
    trained_by = recorded.pop("script", script)
    if recorded:
        # a flag that is younger than the run has its published value there; one rate was both networks'
        if hasattr(args_type, "discriminator_learning_rate"):
            recorded.setdefault("discriminator_learning_rate", recorded.get("learning_rate"))
        recorded = published | recorded
    if trained_by != script:
        raise BadInput(f"{args.run} was trained by {trained_by}, this is {script}: name another folder with --run.")
    if args.test and not (args.train or recorded):
        raise BadInput(f"no trained run in {args.run}: train first, with --train, or name one with --run.")
    try:
        default = args_type(**(recorded or (published if args.published else {})))
        for name, value in recorded.items():
            if type(value) is not type(getattr(args, name)):
                raise TypeError(f"{name} is {value!r}")
    except TypeError as error:
        raise BadInput(
            f"{args.run / 'args.json'} is damaged or of another version ({error}): train into a new --run."
        ) from None
    args = cli.parse(args_type, default=default, description=description)
    for name, (low, high) in BOUNDS.items():
        if not low <= getattr(args, name, low) <= high:
            raise BadInput(f"{as_typed(name, getattr(args, name))}: expected {low} to {high}.")
    check_flags(args, recorded)
    return args


def script_of(args_type) -> str:
    """The file name of the script that defines these flags, also when it is run as __main__."""
    return Path(sys.modules[args_type.__module__].__file__).name


def recorded_flags(run: Path) -> dict:
    """The flags the run in this folder was trained with; {} before its first checkpoint, when nothing binds it yet."""
    if not (run / "checkpoints" / "checkpoint").exists():
        return {}
    flags = read_record(run / "args.json")
    flags = {name: value for name, value in flags.items() if name not in GONE or value != GONE[name]}
    return flags | {name: Path(flags[name]) for name in ("data", "parser") if name in flags}


def read_record(path: Path) -> dict:
    """A .json of a run folder. Raises BadInput when it is missing or damaged."""
    return files.read_json(path, "what was trained is kept; bring the file back, or train into a new --run.")


def as_typed(name: str, value) -> str:
    """A flag as on the command line."""
    flag = name.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def check_flags(args, recorded: dict) -> None:
    """Raise BadInput with both values where a bound flag differs from the one the run was trained with."""
    if recorded and args.precision == "auto":
        args.precision = recorded["precision"]  # what auto chose on the machine where the run began
    for name, value in recorded.items():
        if name in FREE or (name in ("precision", "batch_size") and not (args.train or args.dry_run)):
            continue
        if name == "parser" and (not args.map_consistency or args.parser.resolve() == value.resolve()):
            continue
        if getattr(args, name) != value:
            raise BadInput(
                f"{args.run} was trained with {as_typed(name, value)}, now it is "
                f"{as_typed(name, getattr(args, name))}: leave it out to go on, or name a new folder with --run."
            )


def checked_split(args, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the faces that train, and of those that test. Raises BadInput where they are not those that the
    run recorded in run/split.json.

    Added or removed samples move the border between the splits: training would go on with former test faces, and
    testing would judge by faces that were trained on. Testing on another dataset is free.
    """
    train_numbers, test_numbers = prepared.split(numbers)
    path = args.run / "split.json"
    source = prepared.describe(args.data)
    if recorded_flags(args.run) and path.exists():
        before, trains = read_record(path), args.train or args.dry_run
        if not is_split(before):
            raise BadInput(f"{path} is damaged: bring it back, or train into a new --run; what was trained is kept.")
        if trains and before["source"] != source:
            raise BadInput(
                f"{args.run} was trained on {before['source']}, but {args.data} was made from {source}: name a new "
                "folder with --run, or the folder it was trained on with --data."
            )
        if trains and (before["train"], before["test"]) != (train_numbers, test_numbers):
            raise BadInput(
                f"{args.run} was trained on {len(before['train'])} faces, but {args.data} has other training faces now "
                f"({len(train_numbers)}): name a new folder with --run, or bring the samples back."
            )
        if before["source"].get("regions") != source.get("regions"):
            raise BadInput(
                f"{args.run} was trained on {before['source'].get('regions', 'overlapping')} regions, {args.data} has "
                f"{source.get('regions', 'overlapping')} ones: name a folder prepared with the same --regions."
            )
        same_faces = before["source"]["source"] == source["source"]  # in whatever layout or size they are prepared
        leaked = set(test_numbers) & set(before["train"]) if same_faces else ()
        if leaked:
            raise BadInput(
                f"{args.run} was trained on {len(leaked)} of what are test faces in {args.data} now "
                f"(first: {min(leaked)}), as samples were removed since: bring them back, or train into a new --run."
            )
    return np.array(train_numbers), np.array(test_numbers)


def is_split(record: dict) -> bool:
    """Whether it has what record() writes into split.json."""
    numbers = [record.get(name) for name in ("train", "test")]
    return (
        isinstance(record.get("source"), dict)
        and "source" in record["source"]
        and all(isinstance(part, list) and all(isinstance(k, int) for k in part) for part in numbers)
    )


def steps_of_an_epoch(args, faces: int) -> int:
    """Steps to pass over the training faces once, without the few that fill no batch (each epoch's order leaves out
    others). Raises BadInput when they do not fill one."""
    if faces < args.batch_size:
        raise BadInput(f"--batch-size {args.batch_size} is more than the {faces} training faces; lower it.")
    return faces // args.batch_size


def record(args, train_numbers: list[int], test_numbers: list[int]) -> None:
    """Write the run's flags to run/args.json, its faces and the training photographs' checksums to run/split.json, and
    add this start to run/starts.json: time, command line, versions. Only while the run folder is held, so that nobody
    else's are replaced."""
    if not devices.is_chief():
        return
    flags = {name: value for name, value in dataclasses.asdict(args).items() if name not in UNRECORDED}
    flags = {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in flags.items()}
    args.run.mkdir(parents=True, exist_ok=True)
    if not (recorded_flags(args.run) and (args.run / "split.json").exists()):
        photos = [prepared.photo_crc(args.data, k) for k in train_numbers]
        faces = {"source": prepared.describe(args.data), "train": train_numbers, "test": test_numbers}
        faces["train_photos"] = photos
        files.write_text(args.run / "split.json", json.dumps(faces))
    files.write_text(args.run / "args.json", json.dumps({"script": script_of(type(args)), **flags}, indent=2) + "\n")
    path = args.run / "starts.json"
    starts = read_record(path)["starts"] if path.exists() else []
    starts.append(
        {
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "command": sys.argv,
            "devices": devices.in_words(),
            "commit": git_commit(),
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")},
        }
    )
    files.write_text(path, json.dumps({"starts": starts}, indent=2) + "\n")


def about_test(args, step: int) -> dict:
    """What results.json says of a --test: script, run, step, split, flags, and where the faces came from."""
    flags = {name: value for name, value in dataclasses.asdict(args).items() if name not in UNRECORDED | {"data"}}
    flags = {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in flags.items()}
    return {
        "script": script_of(type(args)),
        "run": str(args.run.resolve()),
        "step": step,
        "split": args.split,
        "data": str(args.data.resolve()),
        "source": prepared.describe(args.data),
        "flags": flags,
        "commit": git_commit(),
        **{name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")},
    }


def git_commit() -> str | None:
    """The commit these scripts are of, with "+changes" where files differ from it; None outside a git checkout."""

    def git(*words):
        root = Path(__file__).parent.parent
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
