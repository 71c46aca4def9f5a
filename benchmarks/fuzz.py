"""Does a damaged file end a script otherwise than by one sentence? Seeded mutations of every file that a script reads.

    python benchmarks/fuzz.py                          # 10,000 files, some 20 minutes
    python benchmarks/fuzz.py --count 2000 --only csv  # the readers whose names contain this, other mutations: --seed 1

Drawn faces are prepared, trained on for an epoch, painted and parsed, in a temporary folder; then each file in turn is
mutated (mutations.py) and read as the scripts read it. A reader may take it or refuse it with a sentence of one line.
Anything else is a fault: another exception, longer than --seconds, more than 1 GB, a file that a read changed.
The table counts; the files of faults are kept. tests/test_fuzz.py is the short form.
"""

import contextlib
import io
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import keras
import numpy as np
import recipes
from mutations import mutated
from PIL import ExifTags, Image, ImageCms

import export
import pix2pix
from facegan import (
    align,
    celebamask,
    checkpoints,
    cli,
    files,
    jobs,
    own_photos,
    parsers,
    pictures,
    pipeline,
    prepared,
    progress,
    results,
    run_folder,
)  # fmt: skip
from facegan.editor import edit_files, editing, routes, uploads, wire
from facegan.editor.answers import Answers, Setup
from facegan.editor.upload_store import UploadStore
from facegan.errors import BadInput, brief
from facegan.evaluation import batches

ROOT = Path(__file__).resolve().parent.parent
SIZE = 64
LONGEST_SENTENCE = 1000
MOST_BYTES = 10**9
"""What reading one file may add to the process's peak memory."""
FINE = ("read", "refused")


@dataclass
class Args:
    count: int = 10_000
    """files in all"""
    seed: int = 0
    """of the mutations"""
    only: str = ""
    """readers whose names contain this"""
    seconds: float = 30
    """longest that a reader may take"""
    faults: Path = Path("runs/fuzz")
    """where the files of faults are kept"""


# --- readers ----------------------------------------------------------------------------------------------------------


class Reader(NamedTuple):
    """A file, and how scripts read it."""

    file: Path
    read: Callable[[], object]
    share: float = 1.0
    """of the mutations: slow ones get fewer"""
    writes: bool = False
    """changing the file is its purpose"""
    lenient: bool = False
    """it makes the best of whatever the file holds, and refuses nothing"""
    checked: bool = False
    """the file carries checksums, so that what is read of it, (N,) bytes or numbers, is what was written"""


@dataclass
class Folders:
    """What the scripts made of a few faces at 64 x 64; read, but for the mutations, and left as it was."""

    raw: Path
    data: Path
    run: Path
    """of pix2pix.py"""
    painted: Path
    """its results"""
    parser: Path
    """run of parse_face.py"""
    place: Path
    """an empty one"""


def all_readers(of: Folders) -> dict[str, Reader]:
    """Every reader by name."""
    return dataset_readers(of) | own_readers(of) | prepared_readers(of) | run_readers(of) | editor_readers(of)


def dataset_readers(of: Folders) -> dict[str, Reader]:
    """Files of the raw dataset."""
    k = prepared.sample_indices(of.data)[0]
    photo, label_map = of.raw / celebamask.PHOTOS / f"{k}.jpg", of.raw / celebamask.LABEL_MAPS / f"{k}.png"
    part = next((of.raw / celebamask.PART_MASKS).rglob(f"{k:05d}_skin.png"))
    return {
        "photograph of the dataset": Reader(photo, lambda: celebamask.read_photo(photo, SIZE)),
        "part mask": Reader(part, lambda: celebamask.read_part_mask(part)),
        "label map": Reader(label_map, lambda: celebamask.read_label_map(label_map)),
    }


def own_readers(of: Folders) -> dict[str, Reader]:
    """One's own photographs, and what is recorded of them."""
    jpg, png, webp, faces = (of.place / name for name in ("own.jpg", "own.png", "own.webp", "faces.json"))
    photo = Image.open(next((of.raw / celebamask.PHOTOS).glob("*.jpg"))).resize((128, 128))
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    for path in (jpg, png, webp):
        photo.save(path, exif=turned, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    faces.write_text(json.dumps({"3": {"path": "/me.jpg", "sha256": "ab", "number": 7}}))
    return {
        "photograph, JPEG": Reader(jpg, lambda: align.read_photo(jpg)),
        "photograph, PNG": Reader(png, lambda: align.read_photo(png)),
        "photograph, WebP": Reader(webp, lambda: align.read_photo(webp)),
        "faces.json": Reader(faces, lambda: own_photos.read_faces(of.place)),
    }


def prepared_readers(of: Folders) -> dict[str, Reader]:
    """The prepared folder, and what a job reports."""
    data, k = of.data, prepared.sample_indices(of.data)[0]
    settings, report = data / "face_ids" / "settings.json", of.place / "report.csv"
    report.write_text(jobs.csv_text([jobs.Report.HEADER, (3, "refused", "photo missing")]))
    records, labels = pipeline.Records(data, [k], SIZE), pipeline.LabelRecords(data, [k], SIZE)
    painted = results.read_results(of.painted, data)

    def use_sample():
        records.encode(data, k, SIZE)
        labels.encode(data, k, SIZE)
        editing.read_face(data, k)
        prepared.is_current(data, "face_ids", k)
        batches.read_sample(painted, k, labels=True)

    return {
        "sample, npz": Reader(data / "samples" / f"{k}.npz", use_sample),
        "face ID, npz": Reader(data / "face_ids" / f"{k}.npz", use_sample),
        "packed record": Reader(data / "packed" / f"{k}.bin", lambda: records.load()[0], checked=True),
        "packed labels": Reader(data / "packed_labels" / f"{k}.bin", lambda: labels.load()[0], checked=True),
        "prepared.json": Reader(data / "prepared.json", lambda: prepared.describe(data)),
        "settings.json": Reader(settings, lambda: files.claim(settings, "embed again.", jitter=0)),
        "report.csv": Reader(report, lambda: jobs.Report(of.place, "1/1").rows()),
    }


def run_readers(of: Folders) -> dict[str, Reader]:
    """Runs, their results, and the parser."""
    run, painted, data = of.run, of.painted, of.data
    metrics, index = run / "metrics.csv", max((run / "checkpoints").glob("*.index"))
    weights = next(index.parent.glob(f"{index.stem}.data*"))
    picture = next(painted.glob("*_rec.png"))
    flags = recorded_flags(run) | {"run": run, "data": data}
    args, testing = pix2pix.Args(**flags | {"train": True}), pix2pix.Args(**flags | {"test": True})
    generator = pix2pix.Generator(args)

    def restore():
        with contextlib.redirect_stdout(io.StringIO()):
            checkpoints.Checkpoints(run, average=generator).restore(required=True)
        return np.concatenate([weight.ravel() for weight in generator.get_weights()])

    def restore_described():
        with contextlib.redirect_stdout(io.StringIO()):
            export.restore(run)
        keras.backend.clear_session()

    return {
        "args.json": Reader(run / "args.json", lambda: recorded_flags(run)),
        "args.json, its networks": Reader(run / "args.json", restore_described, 0.05),
        "split.json": Reader(run / "split.json", lambda: pix2pix.split(args)),
        "split.json, to test": Reader(run / "split.json", lambda: pix2pix.split(testing)),
        "starts.json": Reader(
            run / "starts.json", lambda: run_folder.read_record(run / "starts.json", run_folder.STARTS)
        ),
        "metrics.csv, resumed": Reader(metrics, lambda: progress.forget_rows_after(metrics, 2), writes=True),
        "metrics.csv, a row more": Reader(metrics, lambda: add_row(metrics), writes=True, lenient=True),
        "metrics.csv, read": Reader(
            metrics, lambda: (progress.best_epoch(metrics, 2), recipes.trained_seconds(run)), lenient=True
        ),
        "list of checkpoints": Reader(index.parent / "checkpoint", restore, 0.3, checked=True),
        "index of a checkpoint": Reader(index, restore, 0.3, checked=True),
        "weights of a checkpoint": Reader(weights, restore, 0.1, checked=True),
        "parser.keras": Reader(of.parser / "parser.keras", lambda: parsers.load(of.parser, SIZE), 0.3),
        "results.json": Reader(painted / "results.json", lambda: results.read_results(painted, data)),
        "results.csv": Reader(painted / "results.csv", lambda: results.read_results(painted, data)),
        "painted picture": Reader(picture, lambda: results.read_picture(picture, SIZE)),
    }


def add_row(metrics: Path) -> None:
    """A row of losses over the validation faces. A file of another program's is put aside, and not needed here."""
    with contextlib.redirect_stdout(io.StringIO()):
        progress.append_row(metrics, {"step": 4, "val/loss": 0.5})
    for path in metrics.parent.glob("metrics.changed-*.csv"):
        path.unlink()


def recorded_flags(run: Path) -> dict:
    """The flags of a run of pix2pix.py, as its --train reads them."""
    flags = run_folder.recorded_flags(run)
    flags.pop("script", None)
    return run_folder.with_paths(pix2pix.Args, flags, run)


def editor_readers(of: Folders) -> dict[str, Reader]:
    """What a page sends to the editor."""
    k, session = prepared.sample_indices(of.data)[0], "s" * 32
    edit, photo, label_map = (of.place / name for name in ("edit.json", "upload.jpg", "upload.png"))
    edit_file = of.place / "edit_file.json"
    face, grid = editing.read_face(of.data, k), np.full((SIZE, SIZE), editing.UNPAINTED, np.uint8)
    message = dict(face=str(k), map=None, grid=wire.pack(grid), colors=["#804020"] * 7, identity=str(k), keep=True)
    message["styles"] = {"skin": {"from": str(k), "strength": 0.5}}
    edit.write_text(json.dumps(message))
    Image.fromarray(face.image).save(photo)
    label_map.write_bytes(pictures.encode(editing.full_labels(face.map.labels), "PNG"))

    def own_photo(content: bytes, name: str, aligned: bool) -> tuple[editing.Face, str]:
        uploads.photo(content, name, aligned)
        return face, ""

    run = {"script": "pix2pix.py", "name": "run", "step": 1, "weights": "0"}
    place = edit_files.Place(run, SIZE, of.data, of.parser)
    setup = Setup(place, None, "", None, lambda edit: edit.face.image / 255, own_photo, own_map)
    answers = Answers(setup, UploadStore())
    edit_file.write_text(edit_files.text_of(message, {str(k): face}, place))

    def upload(kind: str, path: Path):
        answers.upload(session, kind, path.read_bytes(), path.name, True)

    def open_edit():
        answers.open(session, edit_file.read_bytes(), edit_file.name)

    return {
        "editor: an edit": Reader(edit, lambda: answers.paint(session, routes.edit_of(edit.read_bytes()))),
        "editor: an edit's file": Reader(edit_file, open_edit),
        "editor: a photograph": Reader(photo, lambda: upload("photo", photo)),
        "editor: a map": Reader(label_map, lambda: upload("map", label_map)),
    }


def own_map(labels: np.ndarray) -> editing.FaceMap:
    return editing.map_from_labels(labels, SIZE)


# --- trials -----------------------------------------------------------------------------------------------------------


class Trial(NamedTuple):
    """What became of a mutated file: "read", "refused", or the fault; what was raised."""

    outcome: str
    words: str = ""


def attempt(reader: Reader, content: bytes, seconds: float = 30) -> Trial:
    """Put the content in the file's place, read it, and bring the file back."""
    whole, expected = reader.file.read_bytes(), reader.read() if reader.checked else None
    memory, begin = peak(), time.monotonic()
    reader.file.write_bytes(content)
    try:
        trial = outcome(reader, expected)
        if not reader.writes and reader.file.read_bytes() != content:
            trial = Trial("changed the file", trial.words)
    finally:
        reader.file.write_bytes(whole)
    if time.monotonic() - begin > seconds:
        return Trial("slow", f"{time.monotonic() - begin:.0f} s")
    if peak() - memory > MOST_BYTES:
        return Trial("memory", f"{(peak() - memory) / 1e9:.1f} GB more")
    return trial


def outcome(reader: Reader, expected: np.ndarray | None) -> Trial:
    try:
        with devices.errors_as_sentences():
            value = reader.read()
    except BadInput as error:
        words = str(error)
        fine = words.isprintable() and len(words) <= LONGEST_SENTENCE
        return Trial("refused" if fine else "no sentence", words)
    except Exception as error:
        return Trial(type(error).__name__, str(error))
    if expected is not None and not np.array_equal(value, expected):
        return Trial("believed", "it was read as something else")
    return Trial("read")


def peak() -> int:
    """The process's largest memory so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fuzz(name: str, reader: Reader, others: list[bytes], args: Args, count: int) -> Counter:
    """Try so many mutations; how often each outcome came. Prints what is a fault, and keeps its file. others: to splice
    in."""
    content, counts = reader.file.read_bytes(), Counter()
    reader.read()  # the whole one
    for i in range(count):
        rng = random.Random(f"{args.seed} {name} {i}")
        data = mutated(reader.file, content, rng.choice(others), rng)
        trial = attempt(reader, data, args.seconds)
        counts[trial.outcome] += 1
        if trial.outcome not in FINE:
            fault = args.faults / f"{re.sub('[^a-z]+', '-', name.lower())}-{args.seed}-{i}{reader.file.suffix}"
            files.write_bytes(fault, data)
            print(f"{name}: {trial.outcome} ({brief(trial.words)}), kept as {fault}", flush=True)
    return counts


def make_folders(place: Path) -> Folders:
    """Drawn faces, prepared, trained on for an epoch, painted and parsed, by the scripts."""
    of = Folders(*(place / name for name in ("raw", "data", "run", "painted", "parser", "place")))
    tiny = (
        "--data",
        of.data,
        "--size",
        SIZE,
        "--epochs",
        1,
        "--batch-size",
        2,
        "--validation",
        0.25,
        "--precision",
        "float32",
    )
    for command in (
        ("data/make_sample.py", "--out", of.raw, "--count", 10),
        ("g_simple_mask.py", "--source", of.raw, "--out", of.data, "--size", SIZE),
        ("face_recognition/face_recognition.py", "--data", of.data),
        ("pix2pix.py", "--train", "--test", "--split", "all", "--run", of.run, "--out", of.painted, *tiny),
        ("parse_face.py", "--train", "--run", of.parser, "--width", 8, *tiny),
    ):
        script, *words = map(str, command)
        subprocess.run([sys.executable, ROOT / script, *words], check=True)
    of.place.mkdir()
    for face in celebamask.find_faces(of.raw)[1]:  # the merged layout, too
        path = of.raw / celebamask.LABEL_MAPS / f"{face.k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(celebamask.read_masks(face)[1]).save(path)
    return of


def main() -> int:
    args = cli.parse(Args, description=__doc__)
    args.faults.mkdir(parents=True, exist_ok=True)
    table = {}
    with tempfile.TemporaryDirectory() as place:
        readers = {name: reader for name, reader in all_readers(make_folders(Path(place))).items() if args.only in name}
        others = [reader.file.read_bytes() for reader in readers.values()]
        shares = sum(reader.share for reader in readers.values())
        for name, reader in readers.items():
            table[name] = fuzz(name, reader, others, args, round(args.count * reader.share / shares))
            print(f"{name}: {dict(table[name])}", flush=True)
    table["all"] = sum(table.values(), Counter())
    print(f"\nseed {args.seed}\n\n| file | mutations | read | refused | faults |\n|---|---|---|---|---|")
    for name, counts in table.items():
        read, refused = (counts[outcome] for outcome in FINE)
        print(f"| {name} | {counts.total()} | {read} | {refused} | {counts.total() - read - refused} |")
    return int(any(outcome not in FINE for outcome in table["all"]))


if __name__ == "__main__":
    cli.run(main)
