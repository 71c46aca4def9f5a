"""Draw sample faces in the layout of CelebAMask-HQ, to try everything without the real data set.

    python data/make_sample.py
    python data/make_sample.py --out data/sample --count 2000 --seed 1

Writes CelebA-HQ-img/<k>.jpg (512 x 512), CelebAMask-HQ-mask-anno/<k // 2000>/<k:05d>_<part>.png (0 or 255, one for
each part in sight), index.csv (who is on which picture) and sample.json (how it was made). The faces are drawn by
facegan/drawing; no photograph went into them. Stopping is safe: the same command goes on where it stopped, and
a larger --count adds faces.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # python data/make_sample.py

import facegan  # noqa: F401  first: from here on Ctrl-C ends this script with one line

# isort: split
import csv
import io
import json
from dataclasses import dataclass
from functools import partial

import cv2

from facegan import celebamask, cli, drawing, files, jobs
from facegan.errors import BadInput, brief

# Large plain areas: run lengths alone are both the smallest and four times as fast as the default.
PNG_FLAGS = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
PNG_FLAGS += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


@dataclass
class Args:
    out: Path = Path("data/sample")
    """the folder to write"""
    count: int = 240
    """how many pictures; three in a row show one person"""
    seed: int = 0
    """the same seed gives the same files, byte for byte"""
    workers: int = 0
    """processes to use; 0 takes every core this job may use"""


def photo_path(out: Path, k: int) -> Path:
    return out / celebamask.PHOTOS / f"{k}.jpg"


def write_item(item: tuple[int, None], out: Path, seed: int) -> None:
    """Draw picture k and write its masks, then the photograph, whose presence says that k is complete."""
    k, _ = item
    image, parts, _ = drawing.draw_face(seed, k)
    folder = out / celebamask.PART_MASKS / str(k // 2000)
    for part, mask in parts.items():
        png = cv2.imencode(".png", mask.astype("uint8") * 255, PNG_FLAGS)[1]
        files.write_bytes(folder / f"{k:05d}_{part}.png", png.tobytes())
    jpg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    files.write_bytes(photo_path(out, k), jpg.tobytes())


def claim_folder(out: Path, seed: int) -> None:
    """Make the folder ours, or refuse it: another seed's sample and other people's data are never touched."""
    marker = out / "sample.json"
    ours = {"made_by": "data/make_sample.py", "version": drawing.VERSION, "seed": seed}
    if marker.is_file():
        theirs = files.read_json(marker, "bring it back as it was, or name another --out.")
        if theirs != ours:
            raise BadInput(f"{marker} says {brief(theirs)}, now it would be {ours}: name another --out.")
    elif out.is_dir() and any(path.suffix != ".tmp" for path in out.iterdir()):
        raise BadInput(f"{out} holds other data and no sample.json, so nothing is written into it: name another --out.")
    else:
        out.mkdir(parents=True, exist_ok=True)
        files.write_text(marker, json.dumps(ours, indent=2) + "\n")  # first: killed here, the folder is ours


def write_index(out: Path, seed: int) -> None:
    """index.csv: a line for every complete picture, in the order of k. The facts follow from seed and k alone."""
    photos = celebamask.numbered(out / celebamask.PHOTOS, ".jpg", refusals={})  # what is not ours is no concern here
    rows = [{"k": k, **drawing.facts(seed, k)} for k in sorted(photos)]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0] if rows else ["k", "person"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(out / "index.csv", text.getvalue())


def make_sample(out: Path, count: int, seed: int, workers: int = 0) -> int:
    """Bring the sample in out to pictures 0 .. count - 1 and return how many were drawn now.

    Raises BadInput when the numbers or the folder cannot be used.
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 0)):
        if value < least:
            raise BadInput(f"--{name} {value}: expected {least} or more.")
    claim_folder(out, seed)
    folders = {out / celebamask.PHOTOS, *(out / celebamask.PART_MASKS / str(k // 2000) for k in range(count))}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        files.remove_leftovers(folder)
    todo = {k: None for k in range(count) if not photo_path(out, k).exists()}
    try:
        for _ in jobs.each(partial(write_item, out=out, seed=seed), todo, out.name, workers, jobs.one_opencv_thread):
            pass  # drawn and written by the workers
    finally:
        write_index(out, seed)
    return len(todo)


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    new = make_sample(args.out, args.count, args.seed, args.workers)
    print(f"{args.out}: {new} drawn, {args.count - new} already there")


if __name__ == "__main__":
    cli.run(main)
