"""The run folder's flags: a run goes on only with those it was started with. No TensorFlow here."""

import dataclasses
import json
from pathlib import Path

from facegan import cli, prepared
from facegan.errors import BadInput

UNRECORDED = {"train", "test", "run", "split", "out"}
"""Flags of the call, not of the run."""

FREE = {"data", "epochs", "batch_statistics"}
"""Flags that the run remembers, but that may be said otherwise later. All others are bound: they made the weights."""

BOUNDS = {
    "epochs": (1, 10**9),
    "batch_size": (1, 10**6),
    "seed": (0, 2**32 - 1),
    "learning_rate": (1e-12, 1e38),
    "beta1": (0, 0.9999999),
    "lambda_": (0, 1e9),
    "ema_decay": (0, 0.9999999),
}
"""Smallest and largest value of each numeric flag."""


def parse(args_type, published: dict, description: str):
    """The command line of a training script.

    What is not said comes from the run folder's args.json when something was trained there, else from the published
    recipe under --published, else from the defaults.
    """
    args = cli.parse(args_type, description=description)
    if not (args.train or args.test):
        raise BadInput("nothing to do: say --train, --test or both.")
    recorded = recorded_flags(args.run)
    if not args.train and not recorded:
        raise BadInput(f"no trained run in {args.run}: train first, with --train, or name one with --run.")
    try:
        default = args_type(**(recorded or (published if args.published else {})))
    except TypeError as error:
        raise BadInput(f"{args.run / 'args.json'} is of another version ({error}): train into a new --run.") from None
    args = cli.parse(args_type, default=default, description=description)
    for name, (low, high) in BOUNDS.items():
        if not low <= getattr(args, name) <= high:
            raise BadInput(f"{as_typed(name, getattr(args, name))}: expected {low} to {high}.")
    check_flags(args, recorded)
    return args


def recorded_flags(run: Path) -> dict:
    """The flags the run in this folder was trained with; {} before its first checkpoint, when nothing binds it yet."""
    if not (run / "checkpoints" / "checkpoint").exists():
        return {}
    flags = prepared.read_settings(run / "args.json")
    return flags | {"data": Path(flags["data"])} if "data" in flags else flags


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
        if name in FREE or (name == "precision" and not args.train):
            continue
        if getattr(args, name) != value:
            raise BadInput(
                f"{args.run} was trained with {as_typed(name, value)}, now it is "
                f"{as_typed(name, getattr(args, name))}: leave it out to go on, or name a new folder with --run."
            )


def check_split(args, train_numbers: list[int], test_numbers: list[int]) -> None:
    """Record the faces a run trains on in run/split.json; raise BadInput where they changed since.

    Added or removed samples move the border between the splits: training would go on with former test faces, and
    testing would judge by faces that were trained on. Testing on another dataset is free.
    """
    path = args.run / "split.json"
    source = prepared.describe(args.data)["source"]
    now = {"source": source, "train": train_numbers, "test": test_numbers}
    if recorded_flags(args.run) and path.exists():
        before = prepared.read_settings(path)
        if args.train and (before["train"], before["test"]) != (train_numbers, test_numbers):
            raise BadInput(
                f"{args.run} was trained on {len(before['train'])} faces, but {args.data} has other training faces now "
                f"({len(train_numbers)}): name a new folder with --run, or bring the samples back."
            )
        leaked = set(test_numbers) & set(before["train"]) if before["source"] == source else ()
        if leaked:
            raise BadInput(
                f"{args.run} was trained on {len(leaked)} of what are test faces in {args.data} now "
                f"(first: {min(leaked)}), as samples were removed since: bring them back, or train into a new --run."
            )
    elif args.train:
        args.run.mkdir(parents=True, exist_ok=True)
        prepared.write_text(path, json.dumps(now))


def record_flags(args) -> None:
    """Write the flags that belong to the run to run/args.json."""
    flags = {name: value for name, value in dataclasses.asdict(args).items() if name not in UNRECORDED}
    flags["data"] = str(args.data.resolve())
    args.run.mkdir(parents=True, exist_ok=True)
    prepared.write_text(args.run / "args.json", json.dumps(flags, indent=2) + "\n")
