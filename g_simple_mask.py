"""Raw CelebAMask-HQ -> samples/<k>.npz: photograph, region masks, mean colours and label map at the working size.

    python g_simple_mask.py                                         # data/sample -> data/prepared, 256 x 256
    python g_simple_mask.py --source /data/CelebAMask-HQ --workers 8

A file for each part and merged label maps are both found by themselves. What cannot be used is named with its reason
in samples/report.csv. The photograph is area-resampled; a working pixel belongs to a region when any mask pixel
under it does; a region's colour is its mean over the working picture. The label map, one part a pixel (the majority
under it), is what parse_face.py learns from; the GANs do not read it.
"""

import facegan  # noqa: F401  first: from here on Ctrl-C ends this script with one line

# isort: split
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from facegan import celebamask, cli, files, jobs, prepared, regions
from facegan.errors import BadInput


@dataclass
class Args(cli.BatchArgs):
    source: Path = Path("data/sample")
    """folder with CelebA-HQ-img/ and CelebAMask-HQ-mask-anno/ or CelebAMaskHQ-mask/"""
    out: Path = Path("data/prepared")
    """prepared folder to write samples/ into"""
    size: int = 256
    """working size S in pixels: divides 512, at least 16"""
    layout: Literal["auto", "parts", "merged"] = "auto"
    """which masks to read where both are there; auto prefers a file for each part (they keep what is covered whole)"""
    resample: Literal["area", "nearest"] = "area"
    """how photographs are shrunk; the published recipe used nearest neighbour, which aliases"""
    regions: Literal["overlapping", "exclusive", "parts"] = "overlapping"
    """overlapping, as published: a pixel is in every one of the seven regions that any mask pixel under it is in;
    exclusive: in that of its label alone; parts: overlapping, but CelebAMask-HQ's 18 parts instead of the seven
    regions, for runs that are trained with --parts"""
    numbering: Literal["celebamask", "face-parsing"] = "celebamask"
    """how merged label maps number the parts; those of face-parsing.PyTorch are converted"""


def shrink(photo: np.ndarray, size: int, resample: str) -> np.ndarray:
    """A photograph (H, H, 3) at the working size, (S, S, 3)."""
    interpolation = {"area": cv2.INTER_AREA, "nearest": cv2.INTER_NEAREST}[resample]
    return cv2.resize(photo, (size, size), interpolation=interpolation)


def make_sample(photo: np.ndarray, region_bits: np.ndarray, size: int, resample: str = "area"):
    """One face at the working size.

    photo (H, H, 3) uint8 RGB; region_bits (512, 512), bit i = region i (facegan.regions).
    Returns Image (S, S, 3) uint8, Masks (S, S, R) uint8 of 0/1, Colors (R, 3) float32 in 0..255.
    """
    image = shrink(photo, size, resample)
    masks = regions.masks_from_bits(region_bits, size)
    return image, masks, regions.mean_colors(image, masks)


def prepare(
    face: celebamask.RawFace,
    out: Path,
    size: int,
    resample: str,
    kind: str = "overlapping",
    numbering: str = "celebamask",
) -> str:
    """Read one raw face and write out/samples/<k>.npz. Raises BadInput for a face that cannot be used. kind: of
    regions, as --regions says."""
    if face.refusal:
        raise BadInput(face.refusal)
    photo = celebamask.read_photo(face.photo, size)
    bits, labels = celebamask.read_masks(face, numbering, prepared.REGION_COUNTS[kind])
    image, masks, colors = make_sample(photo, bits, size, resample)
    labels = regions.shrink_labels(labels, size)
    if kind == "exclusive":
        masks = regions.masks_from_labels(labels)
        colors = regions.mean_colors(image, masks)
    arrays = dict(Image=image, Masks=masks, Colors=colors, Labels=labels)
    prepared.write_npz(out / "samples" / f"{face.k}.npz", stored=("Image",), **arrays)
    return jobs.DONE


def check_numbering(args: Args, layout: str, faces: list[celebamask.RawFace]) -> None:
    """Raise BadInput when the label maps have another numbering than --numbering says."""
    if layout == "merged":
        celebamask.check_numbering(faces, args.numbering)
    elif args.numbering != "celebamask":
        raise BadInput(
            f"--numbering {args.numbering}: {args.source} holds a file for each part, and their names say what they "
            "are; leave it out, or add --layout merged."
        )


def source_name(args: Args, faces: list[celebamask.RawFace]) -> str:
    """The raw dataset as prepared.json names it: where it was when the folder was begun, if it only moved since."""
    here = str(args.source.resolve())
    if not (args.out / "prepared.json").exists():
        return here
    before = prepared.describe(args.out).get("source", here)
    return before if before == here or is_prepared_from(args, faces) else here


def is_prepared_from(args: Args, faces: list[celebamask.RawFace]) -> bool:
    """Whether samples of the folder, up to eight, show the photographs of these faces; rounding may differ."""
    samples = set(prepared.indices(args.out, "samples"))
    common = [face for face in faces if face.k in samples]
    for i in np.linspace(0, len(common) - 1, min(8, len(common))).astype(int):
        face = common[i]
        (image,) = prepared.read_npz(args.out / "samples" / f"{face.k}.npz", Image=(args.size, args.size, 3))
        photo = shrink(np.asarray(celebamask.read_photo(face.photo, args.size)), args.size, args.resample)
        if np.abs(image.astype(int) - photo).mean() > 2:
            return False
    return bool(common)


def main() -> int:
    args = cli.parse(Args, description=__doc__)
    if args.size < 16 or regions.MASK_SIZE % args.size:
        raise BadInput(f"--size {args.size} does not divide {regions.MASK_SIZE}; use 64, 128, 256 or 512.")
    layout, faces = celebamask.find_faces(args.source, args.layout)
    check_numbering(args, layout, faces)
    if prepared.indices(args.out, "samples") and not (args.out / "prepared.json").exists():
        raise BadInput(f"{args.out} holds samples but no prepared.json; choose another --out.")
    files.claim(
        args.out / "prepared.json",
        f"choose another --out, or delete {args.out} to start again.",
        size=args.size,
        source=source_name(args, faces),
        layout=layout,
        resample=args.resample,
        # folders prepared before these flags existed do not name them
        **({"regions": args.regions} if args.regions != "overlapping" else {}),
        **({"numbering": args.numbering} if args.numbering != "celebamask" else {}),
    )
    print(f"{args.source}: {len(faces)} faces, {'a file for each part' if layout == 'parts' else 'merged label maps'}")
    return jobs.run(
        partial(
            prepare,
            out=args.out,
            size=args.size,
            resample=args.resample,
            kind=args.regions,
            numbering=args.numbering,
        ),
        {face.k: face for face in faces},
        args.out / "samples",
        workers=args.workers,
        overwrite=args.overwrite,
        keep_going=args.keep_going,
        part=args.shard,
        prepare_worker=jobs.one_opencv_thread,
    )


if __name__ == "__main__":
    cli.run(main)
