"""One's own photographs -> a prepared folder, which every script takes with --data.

    python own_photo.py me.jpg you.png --out mine              # finds, aligns and parses the largest face of each
    python pix2pix.py --test --data mine --split all --out mine/painted

The parser of a run of parse_face.py draws the maps. A photograph is aligned as CelebA-HQ's. A map can be corrected by
hand: the commands that follow are printed at the end. Scripts take no fewer than four faces; a smaller folder is filled
up with the last faces of --data. Run again, it adds photographs and leaves alone those that are there.
"""

from facegan import devices  # noqa: F401  first: it sets TensorFlow's environment

# isort: split
from dataclasses import dataclass
from pathlib import Path

import tyro

import c_mask
import g_simple_mask
from face_recognition import face_recognition
from facegan import celebamask, cli, files, own_photos, parsers
from facegan.errors import BadInput


@dataclass
class Args:
    photos: tyro.conf.Positional[tuple[Path, ...]]
    """photographs of a face, JPEG or PNG"""
    out: Path
    """the prepared folder: a new one, or one that this script made"""
    parser: Path = Path("runs/parse_face")
    """run of parse_face.py, which draws the maps; its size is the folder's"""
    data: Path = Path("data/prepared")
    """prepared folder of that size, whose last faces fill up a folder of fewer than four"""
    aligned: bool = False
    """the photographs are square and cut as CelebA-HQ's already: take them as they are"""
    parts: bool = False
    """prepare the 18 parts instead of the seven regions, for runs that were trained with --parts"""


def add(args: Args, size: int, faces: list[dict]) -> None:
    """Add what own_photos.find() returned to the folder, each face under the next free number."""
    kind = "parts" if args.parts else "overlapping"
    own_photos.claim(args.out, size, kind)
    parser = files.sha256(args.parser / "parser.keras")
    with files.lock(args.out / ".lock"):
        for face in faces:
            k = own_photos.number_of(args.out, face)
            if own_photos.is_finished(args.out, k):
                print(f"{face['path']} is face {k} of {args.out} already: left as it is, for its map may be edited")
                continue
            own_photos.record(args.out, k, face, parser)
            prepare(args.out, size, own_photos.write_raw(args.out, k, face), kind)
            parts = args.out / f"{k}_parts.png"
            print(f"{face['path']} is face {k} of {args.out}; {face['note']}{parts} shows its parts")


def prepare(out: Path, size: int, face: celebamask.RawFace, kind: str) -> None:
    """The prepared files of one raw face, exactly as the three preprocessing scripts make them. kind: of regions."""
    files.claim(out / "face_ids" / "settings.json", f"delete {out / 'face_ids'} and run the scripts again.", jitter=0)
    g_simple_mask.prepare(face, out, size, "area", kind)
    c_mask.make_color_mask(face.k, out, png=False)
    face_recognition.embed(face.k, out, jitter=0)


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    if not args.photos:
        raise BadInput("no photograph: name at least one, for instance `python own_photo.py me.jpg --out mine`.")
    parser = parsers.load(args.parser)
    size = parser.input_shape[1]
    faces = [own_photos.find(path, parser, args.aligned) for path in args.photos]  # all, before anything is written
    add(args, size, faces)
    own_photos.fill_up(args.out, size, args.data)
    print(own_photos.what_next(args.out, size))


if __name__ == "__main__":
    cli.run(main)
