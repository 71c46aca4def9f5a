"""The raw CelebAMask-HQ dataset: find what is on disk, read one face, refuse what is not as it should be."""

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from facegan import regions
from facegan.errors import BadInput

PHOTOS = "CelebA-HQ-img"
PART_MASKS = "CelebAMask-HQ-mask-anno"
LABEL_MAPS = "CelebAMaskHQ-mask"


@dataclass(frozen=True)
class RawFace:
    """Where one face lies. Either part_masks or label_map is filled, according to the dataset's layout."""

    k: int
    photo: Path | None
    part_masks: dict[str, Path]
    label_map: Path | None


def find_faces(source: Path, layout: str = "auto") -> tuple[str, list[RawFace]]:
    """List the faces of a raw dataset, in the order of their numbers.

    source: folder that holds CelebA-HQ-img and one of the two mask folders. layout: "parts", "merged", or "auto",
    which takes the part masks where both are there. Returns the layout found and the faces; a face that lacks its
    photo or its masks is listed too, so that reading it can say so. Raises BadInput when source is not such a folder.
    """
    if not (source / PHOTOS).is_dir():
        inside = next((p.parent for p in source.glob(f"*/{PHOTOS}")), None)
        hint = (
            f"use --source {inside}"
            if inside
            else "run `python data/make_sample.py` or point --source at CelebAMask-HQ"
        )
        raise BadInput(f"no folder {PHOTOS}/ in {source}; {hint} (README, 'CelebAMask-HQ step by step').")
    photos = numbered(source / PHOTOS, ".jpg")
    if not photos:
        raise BadInput(f"{source / PHOTOS} holds no <k>.jpg; unpack the dataset's photographs there.")
    part_masks = find_part_masks(source / PART_MASKS) if layout != "merged" else {}
    label_maps = numbered(source / LABEL_MAPS, ".png") if not part_masks and layout != "parts" else {}
    if not (part_masks or label_maps):
        raise BadInput(
            f"{source} has photos but no masks: looked for {PART_MASKS}/<k // 2000>/<k:05d>_<part>.png "
            f"and {LABEL_MAPS}/<k>.png with --layout {layout}; unpack the dataset's masks there."
        )
    numbers = sorted(photos.keys() | part_masks.keys() | label_maps.keys())
    faces = [RawFace(k, photos.get(k), part_masks.get(k, {}), label_maps.get(k)) for k in numbers]
    return "parts" if part_masks else "merged", faces


def numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """The files of a folder that are named <number><suffix>, by number; none where there is no folder."""
    return {int(p.stem): p for p in folder.glob(f"*{suffix}") if p.stem.isdecimal()}


def find_part_masks(folder: Path) -> dict[int, dict[str, Path]]:
    """All <k:05d>_<part>.png below the numbered folders: k -> part -> file. One listing, not 18 look-ups a face."""
    masks: dict[int, dict[str, Path]] = {}
    for path in folder.glob("*/*.png"):
        if match := re.fullmatch(r"(\d+)_(\w+)", path.stem):
            masks.setdefault(int(match[1]), {})[match[2]] = path
    return masks


def read_photo(path: Path | None, size: int) -> Image.Image:
    """Decode a photograph as RGB. Raises BadInput when it is missing, damaged, not square or smaller than size."""
    if path is None:
        raise BadInput("photo missing")
    photo = decode(path, lambda header: check_photo(path, header, size))
    return photo if photo.mode == "RGB" else photo.convert("RGB")


def check_photo(path: Path, header: Image.Image, size: int) -> None:
    width, height = header.size
    if width != height or width < size:
        raise BadInput(f"{path.name} is {width} x {height}; expected a square photo of at least {size} x {size}")


def read_masks(face: RawFace) -> tuple[np.ndarray, np.ndarray]:
    """The regions of a face as (512, 512) uint8, bit i = region i, and its label map, (512, 512) uint8 ids 0..18.
    Raises BadInput when a mask is not right."""
    if face.label_map:
        labels = read_mask(face.label_map)
        bits = regions.bits_from_labels(labels)
    elif face.part_masks:
        if unknown := sorted(face.part_masks.keys() - set(regions.PARTS)):
            raise BadInput(f"unknown part {unknown[0]!r}: {face.part_masks[unknown[0]].name}")
        parts = {part: read_part_mask(path) for part, path in face.part_masks.items()}
        bits, labels = regions.bits_from_parts(parts), regions.labels_from_parts(parts)
    else:
        raise BadInput("masks missing")
    if not bits.any():
        raise BadInput("no region at all: every mask is empty")
    return bits, labels


def read_part_mask(path: Path) -> np.ndarray:
    """One part's mask, (512, 512) uint8 of 0 or 255."""
    mask = read_mask(path)
    if (mask + np.uint8(1)).max() > 1:  # in one pass: 255 + 1 is 0 again
        strange = mask[(mask != 0) & (mask != 255)][0]
        raise BadInput(f"{path.name} holds the value {strange}; a part mask is 0 or 255")
    return mask


def read_mask(path: Path) -> np.ndarray:
    """A mask or label map, one 8-bit value a pixel, (512, 512) uint8; three equal channels count as one."""
    mask = decode(path, lambda header: check_mask(path, header))
    if mask.mode == "L":
        return np.asarray(mask)
    if mask.mode == "1":
        return np.asarray(mask) * np.uint8(255)
    if mask.mode == "RGB":
        first, *others = mask.split()
        if all(channel.tobytes() == first.tobytes() for channel in others):
            return np.asarray(first)
        raise BadInput(f"{path.name} is colour-coded; expected one id a pixel (grey)")
    # A palette's indices may be ids or may be the order in which some tool met its colours: never guess.
    raise BadInput(f"{path.name} is {'a palette picture' if mask.mode == 'P' else mask.mode}; expected 8-bit grey")


def check_mask(path: Path, header: Image.Image) -> None:
    width, height = header.size
    if (width, height) != (regions.MASK_SIZE, regions.MASK_SIZE):
        raise BadInput(f"{path.name} is {width} x {height}; expected {regions.MASK_SIZE} x {regions.MASK_SIZE}")
    if header.mode.startswith("I") or "16" in str(header.tile[0].args):  # Pillow would halve 16-bit colour silently
        raise BadInput(f"{path.name} is 16-bit; expected 8-bit grey")


def decode(path: Path, check) -> Image.Image:
    """Decode a picture after check(header) agreed to it. Raises BadInput when it is damaged."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path.name} is damaged: {error}") from None
    return decode_bytes(content, path.name, check)


def decode_bytes(content: bytes, name: str, check, formats: tuple[str, ...] | None = None) -> Image.Image:
    """decode() of a file's content; formats: those that are tried, all of Pillow's unless said."""
    try:
        with Image.open(io.BytesIO(content), formats=formats) as picture:
            check(picture)
            picture.verify()  # a PNG's checksums, which decoding skips
        with Image.open(io.BytesIO(content), formats=formats) as picture:
            picture.load()  # refuses truncated files, where OpenCV paints the rest grey
            return picture
    except BadInput:
        raise
    except UnidentifiedImageError:
        raise BadInput(f"{name} is not a picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{name} is damaged: {error}") from None
