"""The run folder: the flags that training scripts share, and what a run records. It goes on only with its own flags."""

import dataclasses
import datetime
import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np

from facegan import checkpoints, cli, devices, files, flags, prepared
from facegan.errors import BadInput, brief
from facegan.flags import Bounds, Earlier, Kind, Share


@dataclasses.dataclass
class TrainingArgs:
    """Flags of the training scripts. What changes the science stands in each script's own Args."""

    train: Annotated[bool, Kind.CALL] = False
    """train, or go on training, in --run"""
    test: Annotated[bool, Kind.CALL] = False
    """paint the faces of --split into --out with the trained run"""
    dry_run: Annotated[bool, Kind.CALL] = False
    """print shapes, parameters, memory and steps of --train, write nothing, and exit"""
    data: Annotated[Path, Kind.FREE] = Path("data/prepared")
    """prepared folder"""
    run: Annotated[Path, Kind.CALL] = Path("runs")
    """folder of the run: flags, checkpoints, metrics.csv, result grids, TensorBoard logs"""
    out: Annotated[Path, Kind.CALL] = Path("results")
    """where --test writes its pictures"""
    split: Annotated[Literal["test", "validation", "train", "all"], Kind.CALL] = "test"
    """which faces --test paints: the last 20 %; those of --validation; the others of the first 80 %; or all"""
    published: bool = False
    """begin a run with the published recipe's values; flags given beside it take precedence"""

    size: Literal[64, 128, 256, 512] = 256
    """working size S; the prepared folder must have the same"""
    epochs: Annotated[int, Bounds(1, 10**9), Kind.FREE] = 150
    """passes over the training faces; may be raised later"""
    validation: Annotated[Share, Earlier(0.0)] = 0.0
    """share of the first 80 % of the faces, their last ones, that do not train but validate: after every epoch their
    losses are logged as val/..., to choose by and to see when to stop"""
    batch_size: Annotated[int, Bounds(1, 10**6), Kind.TRAINING] = 16
    """faces a step, over all devices together"""
    seed: Annotated[int, Bounds(0, 2**32 - 1)] = 0
    """of weights, order, pairs, flips and dropout"""
    precision: Annotated[Literal["auto", "float32", "mixed_bfloat16", "mixed_float16", "float64"], Kind.TRAINING] = (
        "auto"
    )
    """auto takes the fastest that this machine has; float64 is slow, and made for comparing runs of several devices"""
    xla: Annotated[Literal["auto", "on", "off"], Kind.CALL] = "auto"
    """compile the step; auto measures both on a GPU, and is off on a CPU, where it measured slower"""
    cache: Annotated[Literal["auto", "on", "off"], Kind.CALL] = "auto"
    """keep all faces in memory; auto does when they take less than half of what is free"""


FORMAT = 1
"""Of args.json; another number stands for flags that mean something else."""


def parse(args_type, published: dict, description: str):
    """The command line of a training script.

    A flag that is left out comes from the run folder's args.json when something was trained there, else from the
    published recipe under --published, else from the defaults.
    """
    args = cli.parse(args_type, description=description)
    if not (args.train or args.test or args.dry_run):
        raise BadInput("nothing to do: say --train, --test or both, or --dry-run.")
    script, recorded = script_of(args_type), recorded_flags(args.run)
    trained_by = recorded.pop("script", script)
    if trained_by != script:
        raise BadInput(f"{args.run} was trained by {trained_by}, this is {script}: name another folder with --run.")
    if args.test and not (args.train or recorded):
        raise BadInput(f"no trained run in {args.run}: train first, with --train, or name one with --run.")
    recorded = with_paths(args_type, recorded, args.run)
    check_complete(args_type, recorded, args.run)
    default = args_type(**(recorded or (published if args.published else {})))
    args = cli.parse(args_type, default=default, description=description)
    flags.check_bounds(args)
    check_flags(args, recorded)
    return args


def script_of(args_type) -> str:
    """The file name of the script that defines these flags, also when it is run as __main__."""
    return Path(sys.modules[args_type.__module__].__file__).name


def recorded_flags(run: Path) -> dict:
    """The flags with which the run in this folder was trained, as JSON has them, and its script; {} before its first
    checkpoint, when nothing binds it yet. Raises BadInput when they are damaged or of another version."""
    if not has_checkpoint(run):
        return {}
    recorded = read_record(run / "args.json", {"script?": str, "format?": int})
    if recorded.pop("format", FORMAT) != FORMAT:
        raise BadInput(f"{run / 'args.json'} is of another version: train into a new --run.")
    return recorded


def with_paths(args_type: type, recorded: dict, run: Path) -> dict:
    """The recorded flags of a run with their paths as Path, and of flags that did not exist yet what they would have
    been, where that is known. Raises BadInput for a flag that does not exist, or has a value that it cannot have."""
    for name, value in recorded.items():
        if not flags.fits(args_type, name, value):
            raise BadInput(
                f"{run / 'args.json'} is damaged or of another version ({brief(name)} is {files.in_words(value)}): "
                "bring it back as it was, or train into a new --run; what was trained is kept."
            )
    before = flags.earlier(args_type) if recorded else {}
    return before | recorded | {name: Path(recorded[name]) for name in flags.paths(args_type) & set(recorded)}


def check_complete(args_type: type, recorded: dict, run: Path) -> None:
    """Raise BadInput when a run was trained before a flag existed of which nobody knows what it would have been."""
    once = flags.of_kind(args_type, Kind.CALL)
    missing = [field.name for field in dataclasses.fields(args_type) if field.name not in once | set(recorded)]
    if recorded and missing:
        raise BadInput(
            f"{run} was trained before --{missing[0].replace('_', '-')} existed: to go on, check out a commit that "
            f"{run / 'starts.json'} names; or train into a new --run."
        )


def has_checkpoint(run: Path) -> bool:
    """Whether something was trained here: there is a list of checkpoints, or a file of one though the list is gone."""
    return (run / "checkpoints" / "checkpoint").exists() or checkpoints.has_files(run / "checkpoints")


def is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(number) is int for number in value)


SPLIT = {"source": {"source": str, "regions?": prepared.is_kind}, "train": is_numbers, "test": is_numbers}
SPLIT |= {"validation?": is_numbers, "train_photos?": is_numbers}
STARTS = {"starts": list}
"""What split.json and starts.json hold (files.fault)."""


def read_record(path: Path, schema: dict) -> dict:
    """A .json of a run folder. Raises BadInput when it is missing or damaged."""
    return files.read_json(path, "what was trained is kept; bring the file back, or train into a new --run.", schema)


def check_flags(args: TrainingArgs, recorded: dict) -> None:
    """Raise BadInput with both values where a bound flag differs from the one the run was trained with."""
    if recorded and args.precision == "auto":
        args.precision = recorded.get("precision", "auto")  # what auto chose on the machine where the run began
    for name, before in recorded.items():
        value = getattr(args, name)
        same = value.resolve() == before.resolve() if isinstance(value, Path) else value == before
        if flags.binds(args, name) and not same:
            raise BadInput(
                f"{args.run} was trained with {flags.as_typed(name, before)}, now it is "
                f"{flags.as_typed(name, value)}: leave it out to go on, or name a new folder with --run."
            )


class Split(NamedTuple):
    """Numbers of faces; validation and test ones never train."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def all(self) -> np.ndarray:
        return np.concatenate(self)


def checked_split(args: TrainingArgs, numbers: list[int]) -> Split:
    """Which faces train, validate and test. Raises BadInput where they are not those that the run recorded in
    run/split.json.

    Added or removed samples move the border between the splits: training would go on with former test faces, and
    testing would judge by faces that were trained on. Testing on another dataset is free.
    """
    trains = args.train or args.dry_run
    train_numbers, validation_numbers, test_numbers = parts = prepared.split(numbers, args.validation, trains)
    source = prepared.describe(args.data)
    if has_checkpoint(args.run):
        before = read_split(args.run)
        kind_before, kind = map(prepared.kind_of_regions, (before["source"], source))
        if kind_before != kind:
            words = prepared.KIND_WORDS
            raise BadInput(
                f"{args.run} was trained on {words[kind_before]}, but {args.data} has {words[kind]}: name a folder "
                f"that was prepared with g_simple_mask.py --regions {kind_before}."
            )
        if trains and (other := files.difference(*map(prepared.settings, (before["source"], source)))):
            raise BadInput(
                f"{args.run} was not trained on what {args.data} is ({other}): name a new folder with --run, or the "
                "folder it was trained on with --data."
            )
        recorded = [before.get(name, []) for name in Split._fields]
        for name, then, now in zip(Split._fields, recorded, parts, strict=True):
            if trains and then != now:
                kind = "training" if name == "train" else name
                raise BadInput(
                    f"{args.run} was begun with {len(then)} {kind} faces, but {args.data} has others now ({len(now)}): "
                    "name a new folder with --run, or bring the samples back."
                )
        if trains and not has_photographs(args.data, before):
            raise BadInput(
                f"{args.run} was trained on photographs from {brief(before['source']['source'])}, but {args.data} has "
                f"others, from {source['source']}: name a new folder with --run, or the folder it was trained on with "
                "--data." + ("" if "train_photos" in before else KNOWN_BY_PLACE)
            )
        leaked = trained_faces(args.data, before, validation_numbers + test_numbers)
        if leaked:
            raise BadInput(
                f"{args.run} was trained on {len(leaked)} of what are test or validation faces in {args.data} now "
                f"(first: {min(leaked)}), as samples were removed since: bring them back, or train into a new --run."
            )
    return Split(*(np.array(part, int) for part in (train_numbers, validation_numbers, test_numbers)))


def parts_to_test(args: TrainingArgs, split: Split) -> list[np.ndarray]:
    """The numbers of the faces that --split names, those of each part apart. Raises BadInput when it names none."""
    if args.split == "validation" and not len(split.validation):
        raise BadInput(f"--split validation: {args.run} has no validation faces; a run with --validation does.")
    parts = split if args.split == "all" else [getattr(split, args.split)]
    return [numbers for numbers in parts if len(numbers)]


KNOWN_BY_PLACE = (
    " This run began before checksums of photographs were recorded, so only its place tells a dataset: if it only "
    "moved, write the place that it had into prepared.json."
)


def read_split(run: Path) -> dict:
    """split.json of a run. Raises BadInput when it is missing or damaged."""
    record = read_record(run / "split.json", SPLIT)
    trained, others = record["train"], record.get("validation", []) + record["test"]
    disjoint = len({*trained, *others}) == len(trained) + len(others)
    if not trained or not disjoint or len(record.get("train_photos", trained)) != len(trained):
        raise BadInput(
            f"{run / 'split.json'} is damaged (its parts do not fit together): what was trained is kept; bring the "
            "file back, or train into a new --run."
        )
    return record


def has_photographs(data: Path, split: dict) -> bool:
    """Whether a folder's training photographs, of up to 64 faces, are those of split.json, wherever it lies."""
    numbers, photos = split["train"], split.get("train_photos")
    if photos is None:
        return split["source"]["source"] == prepared.describe(data)["source"]
    if set(numbers) - set(prepared.sample_indices(data)):
        return False
    places = np.linspace(0, len(numbers) - 1, min(64, len(numbers))).astype(int)
    return all(prepared.photo_crc(data, numbers[i]) == photos[i] for i in places)


def trained_faces(data: Path, split: dict, numbers: list[int]) -> list[int]:
    """Which of these faces of a folder trained, by split.json: those of the same number and the same dataset, in
    whatever layout or size it is prepared, and the same photographs under whatever number."""
    same_source = split["source"]["source"] == prepared.describe(data)["source"]
    common = set(numbers) & set(split["train"]) if same_source else set()
    # a dataset may have a photograph twice: what was apart when the run began is no leak
    apart = {*split["test"], *split.get("validation", ())} if has_photographs(data, split) else set()
    photos = set(split.get("train_photos", ()))
    return sorted(common | {k for k in set(numbers) - apart - common if prepared.photo_crc(data, k) in photos})


def steps_of_an_epoch(args: TrainingArgs, faces: int) -> int:
    """Steps to pass over the training faces once, without the few that fill no batch (each epoch's order leaves out
    others). Raises BadInput when they do not fill one."""
    if faces < args.batch_size:
        raise BadInput(f"--batch-size {args.batch_size} is more than the {faces} training faces; lower it.")
    return faces // args.batch_size


def record(args: TrainingArgs, split: Split) -> None:
    """Write the run's flags to run/args.json, its faces and the training photographs' checksums to run/split.json, and
    add this start to run/starts.json: time, command line, versions. Only while the run folder is held, so that nobody
    else's are replaced."""
    if not devices.is_chief():
        return
    args.run.mkdir(parents=True, exist_ok=True)
    if not has_checkpoint(args.run):
        faces = {name: numbers.tolist() for name, numbers in split._asdict().items()}
        faces["train_photos"] = [prepared.photo_crc(args.data, k) for k in faces["train"]]
        faces["source"] = prepared.describe(args.data)
        files.write_text(args.run / "split.json", json.dumps(faces))
    settings = {"format": FORMAT, "script": script_of(type(args)), **flags_to_record(args)}
    files.write_text(args.run / "args.json", json.dumps(settings, indent=2) + "\n")
    path = args.run / "starts.json"
    starts = read_record(path, STARTS)["starts"] if path.exists() else []
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


def flags_to_record(args: TrainingArgs) -> dict:
    """The flags that a run records, as JSON has them; paths are absolute."""
    once = flags.of_kind(type(args), Kind.CALL)
    values = {name: value for name, value in dataclasses.asdict(args).items() if name not in once}
    return {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in values.items()}


def about_test(args: TrainingArgs, step: int) -> dict:
    """What results.json says of a --test: script, run, step, split, flags, and where the faces came from."""
    recorded = flags_to_record(args)
    del recorded["data"]
    return {
        "script": script_of(type(args)),
        "run": str(args.run.resolve()),
        "step": step,
        "split": args.split,
        "data": str(args.data.resolve()),
        "source": prepared.describe(args.data),
        "flags": recorded,
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
