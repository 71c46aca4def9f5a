"""The run folder's flags: a run goes on only with those it was started with. No TensorFlow here."""

import dataclasses
import json
from pathlib import Path

from facegan import cli, prepared
from facegan.errors import BadInput

FREE_FLAGS = {"train", "test", "data", "run", "split", "out", "epochs"}
"""Flags that may differ from one call to the next. All others belong to the run."""


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
    default = args_type(**(recorded or (published if args.published else {})))
    args = cli.parse(args_type, default=default, description=description)
    for name in ("epochs", "batch_size"):
        if getattr(args, name) < 1:
            raise BadInput(f"--{name.replace('_', '-')} {getattr(args, name)}: expected 1 or more.")
    check_flags(args, recorded)
    return args


def recorded_flags(run: Path) -> dict:
    """The flags the run in this folder was trained with; {} before its first checkpoint, when nothing binds it yet."""
    if not (run / "checkpoints" / "checkpoint").exists():
        return {}
    return json.loads((run / "args.json").read_text(encoding="utf-8"))


def check_flags(args, recorded: dict) -> None:
    """Raise BadInput with both values where a flag differs from the one the run was trained with."""
    for name, value in recorded.items():
        if getattr(args, name) != value:
            flag = "--" + name.rstrip("_").replace("_", "-")
            raise BadInput(
                f"{args.run} was trained with {flag} {value}, now it is {getattr(args, name)}: "
                f"leave {flag} out to go on, or name a new folder with --run."
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
        before = json.loads(path.read_text(encoding="utf-8"))
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
    flags = {name: value for name, value in dataclasses.asdict(args).items() if name not in FREE_FLAGS}
    args.run.mkdir(parents=True, exist_ok=True)
    prepared.write_text(args.run / "args.json", json.dumps(flags, indent=2) + "\n")
