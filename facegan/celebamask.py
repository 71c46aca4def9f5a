"""The raw CelebAMask-HQ dataset: find what is on disk, read one face, refuse what is not as it should be."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan import files, numberings, picture_files, regions
from facegan.errors import BadInput

PHOTOS = "CelebA-HQ-img"
PART_MASKS = "CelebAMask-HQ-mask-anno"
LABEL_MAPS = "CelebAMaskHQ-mask"

PART_MASK = re.compile(r"\d+_(\w+)\.png")
NUMBERED = re.compile(r"(\d+).*\.(?:jpe?g|png|webp|bmp|gif|tiff?)", re.IGNORECASE | re.DOTALL)
"""A picture that was meant for the dataset, whether its name is right or not."""
FIRST_FACES = 12
"""Label maps by which the numbering of their ids is judged."""


@dataclass(frozen=True)
class RawFace:
    """Where one face lies. Either part_masks or label_map is filled, according to the dataset's layout.

    refusal: why it cannot be told which files are this face's; "" where it can.
    """

    k: int
    photo: Path | None
    part_masks: dict[str, Path]
    label_map: Path | None
    refusal: str = ""


def find_faces(source: Path, layout: str = "auto") -> tuple[str, list[RawFace]]:
    """List the faces of a raw dataset, in the order of their numbers.

    source: folder that holds CelebA-HQ-img and one of the two mask folders. layout: "parts", "merged", or "auto",
    which takes the part masks where both are there. Returns the layout found and the faces; a face that lacks its
    photo or its masks, or has files of a doubtful name, is listed too, so that it is refused by name. Raises BadInput
    when source is not such a folder.
    """
    if not (source / PHOTOS).is_dir():
        inside = next((p.parent for p in source.glob(f"*/{PHOTOS}")), None)
        hint = (
            f"use --source {inside}"
            if inside
            else "run `python data/make_sample.py` or point --source at CelebAMask-HQ"
        )
        raise BadInput(f"no folder {PHOTOS}/ in {source}; {hint} (README, 'CelebAMask-HQ step by step').")
    refusals: dict[int, str] = {}
    photos = numbered(source / PHOTOS, ".jpg", refusals)
    if not photos:
        raise BadInput(
            f"{source / PHOTOS} holds no <k>.jpg; unpack the dataset's photographs there{first_of(refusals)}."
        )
    part_masks = find_part_masks(source / PART_MASKS, refusals) if layout != "merged" else {}
    label_maps = numbered(source / LABEL_MAPS, ".png", refusals) if not part_masks and layout != "parts" else {}
    if not (part_masks or label_maps):
        raise BadInput(
            f"{source} has photos but no masks: looked for {PART_MASKS}/<k // 2000>/<k:05d>_<part>.png "
            f"and {LABEL_MAPS}/<k>.png with --layout {layout}; unpack the dataset's masks there"
            f"{first_of(refusals)}."
        )
    numbers = sorted(photos.keys() | part_masks.keys() | label_maps.keys() | refusals.keys())
    faces = [RawFace(k, photos.get(k), part_masks.get(k, {}), label_maps.get(k), refusals.get(k, "")) for k in numbers]
    return "parts" if part_masks else "merged", faces


def first_of(refusals: dict[int, str]) -> str:
    """The first refusal in brackets: a wrong name may be why nothing was found. "" where there is none."""
    return f" ({refusals[min(refusals)]})" if refusals else ""


def numbered(folder: Path, suffix: str, refusals: dict[int, str]) -> dict[int, Path]:
    """The files of a folder that are named <number><suffix>, by number; none where there is no folder. Other pictures
    whose names begin with a number, and the second one of a number, are named in refusals: number -> why."""
    paths: dict[int, Path] = {}
    for k, path in numbered_pictures(folder):
        if path.stem.isdecimal() and files.face_number(path.stem) is None:
            refusals[k] = f"{path.name}: the number of a face has at most nine digits, 0 to 9; rename or remove it"
        elif not path.stem.isdecimal() or path.suffix != suffix:
            refusals[k] = f"{path.name} is not named {k}{suffix}: rename or remove it"
        elif k in paths:
            both = sorted((paths[k].name, path.name))
            refusals[k] = f"{both[0]} and {both[1]} are two files of one face: remove one"
        else:
            paths[k] = path
    return paths


def find_part_masks(folder: Path, refusals: dict[int, str]) -> dict[int, dict[str, Path]]:
    """All <k:05d>_<part>.png below the numbered folders: k -> part -> file. One listing, not 18 look-ups a face. Other
    pictures there whose names begin with a number, and the second mask of a part, are named in refusals."""
    masks: dict[int, dict[str, Path]] = {}
    for inside in (folder, *filter(Path.is_dir, paths_in(folder))):
        misplaced = inside == folder
        for k, path in numbered_pictures(inside):
            match = PART_MASK.fullmatch(path.name)
            parts = masks.setdefault(k, {})
            if misplaced or not match:
                place = path.relative_to(folder.parent)
                refusals[k] = f"{place} is not named <k // 2000>/<k:05d>_<part>.png: rename, move or remove it"
            elif match[1] in parts:
                both = sorted(str(mask.relative_to(folder)) for mask in (path, parts[match[1]]))
                refusals[k] = f"{both[0]} and {both[1]} are two masks of one part: remove one"
            else:
                parts[match[1]] = path
    return {k: parts for k, parts in masks.items() if parts}


def numbered_pictures(folder: Path) -> list[tuple[int, Path]]:
    """The pictures of a folder whose names begin with a number, and the number; none where there is no folder."""
    matches = [(NUMBERED.fullmatch(path.name), path) for path in paths_in(folder)]
    return [(int(match[1]), path) for match, path in matches if match]


def paths_in(folder: Path) -> list[Path]:
    """What a folder holds; nothing where there is no folder. Raises BadInput when it cannot be read."""
    try:
        return list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise BadInput(f"{folder} cannot be read ({error.strerror}).") from None


def check_numbering(faces: list[RawFace], numbering: str) -> None:
    """Raise BadInput when the label maps of the first faces look as if their ids were of another numbering."""
    maps = []
    for face in faces:
        with suppress(BadInput):  # one that cannot be read is refused in its turn
            maps += [read_label_map(face.label_map)] if face.label_map else []
        if len(maps) == FIRST_FACES:
            break
    numberings.check(maps, numbering, "add --numbering {}.")


def read_photo(path: Path | None, size: int) -> np.ndarray:
    """A photograph as (H, H, 3) uint8 sRGB, by the rule of picture_files.to_rgb(). Raises BadInput when it is missing,
    damaged, turned, not square or smaller than size."""
    if path is None:
        raise BadInput("photo missing")
    header = picture_files.open_header(picture_files.read(path, path.name), path.name)
    width, height = header.picture.size
    if width != height or width < size:
        raise BadInput(f"{path.name} is {width} x {height}; expected a square photo of at least {size} x {size}")
    turn = picture_files.orientation(picture_files.decode(header), header.name)
    if turn != 1:  # its masks may have been drawn on either
        raise BadInput(f"{path.name} is turned by its EXIF block (orientation {turn}); save it as its masks lie")
    return picture_files.to_rgb(header)


def read_masks(
    face: RawFace, numbering: str = "celebamask", count: int = len(regions.REGIONS)
) -> tuple[np.ndarray, np.ndarray]:
    """The regions of a face as (512, 512), bit i = region i, and its label map, (512, 512) uint8 ids 0..18. Raises
    BadInput when a mask is not right. numbering: of the file's ids. count: of the regions; the bits of seven are uint8,
    of eighteen uint32."""
    if face.label_map:
        labels = numberings.convert(read_label_map(face.label_map), numbering)
        bits = regions.bits_from_labels(labels, count)
    elif face.part_masks:
        if unknown := sorted(face.part_masks.keys() - set(regions.PARTS)):
            raise BadInput(f"unknown part {unknown[0]!r}: {face.part_masks[unknown[0]].name}")
        parts = {part: read_part_mask(path) for part, path in face.part_masks.items()}
        bits, labels = regions.bits_from_parts(parts, count), regions.labels_from_parts(parts)
    else:
        raise BadInput("masks missing")
    if not bits.any():
        raise BadInput("no region at all: every mask is empty")
    return bits, labels


def read_part_mask(path: Path) -> np.ndarray:
    """One part's mask, (512, 512) uint8 of 0 or 255. Black and white are that at any depth."""
    mask = read_mask(open_mask(path))
    if (mask + np.uint8(1)).max() > 1:  # in one pass: 255 + 1 is 0 again
        strange = mask[(mask != 0) & (mask != 255)][0]
        raise BadInput(f"{path.name} holds the value {strange}; a part mask is 0 or 255")
    return mask


def read_label_map(path: Path) -> np.ndarray:
    """A label map, (512, 512) uint8, as its file numbers the parts."""
    header = open_mask(path)
    picture_files.check_ids_depth(header)
    return read_mask(header)


def open_mask(path: Path) -> picture_files.Header:
    header = picture_files.open_header(picture_files.read(path, path.name), path.name)
    picture_files.check_map(header)
    width, height = header.picture.size
    if (width, height) != (regions.MASK_SIZE, regions.MASK_SIZE):
        raise BadInput(f"{path.name} is {width} x {height}; expected {regions.MASK_SIZE} x {regions.MASK_SIZE}")
    return header


def read_mask(header: picture_files.Header) -> np.ndarray:
    """A mask or label map, one value a pixel, (512, 512) uint8; three equal channels count as one."""
    mask, name = picture_files.decode(header), header.name
    picture_files.check_opaque(mask, name)
    if mask.mode == "L":
        return np.asarray(mask)
    if mask.mode == "1":
        return np.asarray(mask) * np.uint8(255)
    if mask.mode == "RGB":
        first, *others = mask.split()
        if all(channel.tobytes() == first.tobytes() for channel in others):
            return np.asarray(first)
        raise BadInput(f"{name} is colour-coded; expected one id a pixel (grey)")
    # A palette's indices may be ids or may be the order in which some tool met its colours: never guess.
    raise BadInput(f"{name} is {'a palette picture' if mask.mode == 'P' else mask.mode}; expected 8-bit grey")
