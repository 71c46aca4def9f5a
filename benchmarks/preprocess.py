"""How fast are the three preprocessing steps?

    python benchmarks/preprocess.py                       # on sample faces, drawn for the purpose
    python benchmarks/preprocess.py --source /data/CelebAMask-HQ --count 500

Every step runs in four ways, in turn, --repeats times over the same faces: a plain one-process version of the same
logic (cv2.imread of each mask in colour, float64 stacks, np.savez), the decoding (or dlib) alone in one process, this
project with one worker, and with all. The table gives the median faces/s and the median of the ratios of each turn.
"""

import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "data"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import make_sample

import c_mask
import g_simple_mask
from face_recognition import face_recognition
from facegan import celebamask, cli, jobs, regions


@dataclass
class Args:
    source: Path | None = None
    """raw dataset; sample faces are drawn when none is named"""
    count: int = 240
    """faces for the first two steps; face IDs are timed on a fifth of them"""
    size: int = 256
    """working size"""
    repeats: int = 3
    """turns; the median counts"""


# --- the plain versions: what one would write first -------------------------------------------------------------------


def plain_sample(face: celebamask.RawFace, out: Path, size: int) -> None:
    """Colour reads, float64 stacks, np.savez."""
    image = cv2.imread(str(face.photo))[..., ::-1].astype(np.float64)
    step = len(image) // size
    image = image.reshape(size, step, size, step, 3).mean((1, 3)).round()
    stack = np.zeros((512, 512, len(regions.REGIONS)))
    for i, parts in enumerate(regions.REGIONS.values()):
        for part in parts:
            if part in face.part_masks:
                mask = cv2.imread(str(face.part_masks[part])).astype(np.float64)
                stack[..., i] = np.maximum(stack[..., i], mask[..., 0] / 255)
    step = 512 // size
    masks = stack.reshape(size, step, size, step, -1).max((1, 3))
    colors = np.stack([image[m > 0].mean(0) if m.any() else np.zeros(3) for m in np.moveaxis(masks, -1, 0)])
    np.savez(out / f"{face.k}.npz", Image=image, Masks=masks, Colors=colors)


def plain_color_mask(k: int, data: Path, out: Path) -> None:
    sample = np.load(data / "samples" / f"{k}.npz")
    masks, colors = sample["Masks"].astype(np.float64), sample["Colors"].astype(np.float64)
    sums = sum(masks[..., i : i + 1] * colors[i] for i in range(len(colors)))
    count = np.maximum(masks.sum(-1, keepdims=True), 1)
    np.savez(out / f"{k}.npz", cmask=sums / count)


def plain_face_id(k: int, data: Path, out: Path) -> None:
    numbers, detected, box = face_recognition.face_id(np.load(data / "samples" / f"{k}.npz")["Image"])
    np.savez(out / f"{k}.npz", face_id=numbers.astype(np.float64), detected=detected, box=box)


# --- decoding alone ---------------------------------------------------------------------------------------------------


def decode_raw(face: celebamask.RawFace) -> None:
    """Every picture of a face from file to array, by the fastest of our decoders, and nothing else."""
    for path in (face.photo, *face.part_masks.values()):
        with Image.open(path) as picture:
            np.asarray(picture)


def decode_sample(k: int, data: Path) -> None:
    with np.load(data / "samples" / f"{k}.npz") as sample:
        _ = sample["Masks"], sample["Colors"]


def dlib_alone(image: np.ndarray) -> None:
    face_recognition.face_id(image)


# --- timing -----------------------------------------------------------------------------------------------------------


def timed(work) -> float:
    """Seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def table(name: str, count: int, ways: dict, repeats: int) -> None:
    """Run the ways in turn and print the median faces/s and the median ratio to the first two."""
    seconds = {way: [] for way in ways}
    for _ in range(repeats):
        for way, work in ways.items():
            seconds[way].append(timed(work))
    plain, alone, *_ = seconds.values()
    plain_name, alone_name, *_ = ways
    print(f"\n{name}, {count} faces\n\n| way | faces/s | x {plain_name} | x {alone_name} |\n|---|---|---|---|")
    for way, own in seconds.items():
        over = [np.median(np.divide(other, own)) for other in (plain, alone)]
        print(f"| {way} | {count / np.median(own):.1f} | {over[0]:.2f} | {over[1]:.2f} |")


def ours(work, tasks: dict, folder: Path, workers: int, prepare_worker=None):
    """The script's own job with so many workers, as --overwrite runs it."""

    def run():
        with contextlib.redirect_stdout(None):  # the table is all that this script prints
            jobs.run(work, tasks, folder, workers=workers, overwrite=True, prepare_worker=prepare_worker)

    return run


def bench(args: Args, source: Path, scratch: Path) -> None:
    _, faces = celebamask.find_faces(source, "parts")
    faces = {face.k: face for face in faces[: args.count]}
    data, plain = scratch / "prepared", scratch / "plain"
    plain.mkdir()
    cores = jobs.available_cores()
    prepare = partial(g_simple_mask.prepare, out=data, size=args.size, resample="area")
    color = partial(c_mask.make_color_mask, data=data, png=False)
    embed = partial(face_recognition.embed, data=data, jitter=0)
    for work, folder in (
        (prepare, "samples"),
        (color, "color_masks"),
    ):  # a warm file cache, and samples for what follows
        jobs.run(work, faces if folder == "samples" else {k: k for k in faces}, data / folder)
    table(
        "g_simple_mask.py",
        len(faces),
        {
            "plain": lambda: [plain_sample(face, plain, args.size) for face in faces.values()],
            "decoding alone": lambda: [decode_raw(face) for face in faces.values()],
            "1 worker": ours(prepare, faces, data / "samples", 1),
            f"{cores} workers": ours(prepare, faces, data / "samples", cores, jobs.one_opencv_thread),
        },
        args.repeats,
    )
    numbers = {k: k for k in faces}
    table(
        "c_mask.py",
        len(numbers),
        {
            "plain": lambda: [plain_color_mask(k, data, plain) for k in numbers],
            "decoding alone": lambda: [decode_sample(k, data) for k in numbers],
            "1 worker": ours(color, numbers, data / "color_masks", 1),
            f"{cores} workers": ours(color, numbers, data / "color_masks", cores),
        },
        args.repeats,
    )
    few = dict(list(numbers.items())[: max(1, len(numbers) // 5)])
    images = [np.load(data / "samples" / f"{k}.npz")["Image"] for k in few]
    networks = face_recognition.load_networks_once
    table(
        "face_recognition.py",
        len(few),
        {
            "plain": lambda: [plain_face_id(k, data, plain) for k in few],
            "dlib alone": lambda: [dlib_alone(image) for image in images],
            "1 worker": ours(embed, few, data / "face_ids", 1, networks),
            f"{cores} workers": ours(embed, few, data / "face_ids", cores, networks),
        },
        args.repeats,
    )


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        source = args.source or Path(scratch) / "raw"
        if not args.source:
            make_sample.make_sample(source, args.count, seed=0)
        bench(args, source, Path(scratch))


if __name__ == "__main__":
    cli.run(main)
