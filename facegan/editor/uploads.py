"""Pictures that somebody hands in: limits that hold before anything is decoded, own photographs, label maps."""

import threading
from pathlib import Path

import numpy as np
from PIL import Image

from facegan import align, celebamask, regions
from facegan.errors import BadInput

MAX_BYTES, MAX_PIXELS = 20_000_000, 50_000_000
"""Largest file, and largest picture by what its header says, that is taken."""
FORMATS = ("JPEG", "PNG", "WEBP")
"""Few decoders are few ways in."""

ONE_DECODER = threading.Lock()
"""A picture is largest while it is decoded. Nothing slow, such as the search of a face, may hold it."""

COLOR_LABEL = {tuple(color): label for label, color in enumerate(regions.LABEL_COLORS.tolist())}


def read(path: Path) -> bytes:
    """A file's content. Raises BadInput when it is not there or larger than MAX_BYTES."""
    if not path.is_file():
        raise BadInput(f"no file {path}.")
    check_bytes(path.stat().st_size, path.name)
    return path.read_bytes()


def check_bytes(size: int, name: str) -> None:
    if size > MAX_BYTES:
        raise BadInput(f"{name} is larger than {MAX_BYTES // 10**6} MB: save it smaller.")


def decode(content: bytes, name: str, rule: str = "JPEG, PNG and WebP are taken") -> Image.Image:
    """The decoded picture. Raises BadInput when it is too large, damaged, or none."""
    check_bytes(len(content), name)
    try:
        return celebamask.decode_bytes(content, name, lambda header: check_pixels(header, name), FORMATS)
    except BadInput as error:
        raise BadInput(f"{str(error).rstrip('.')}: {rule}.") from None


def check_pixels(header: Image.Image, name: str) -> None:
    width, height = header.size
    if width * height > MAX_PIXELS:
        raise BadInput(f"{name} is {width} x {height}, more than {MAX_PIXELS // 10**6} million pixels")


def photo(content: bytes, name: str, aligned: bool) -> tuple[np.ndarray, str]:
    """The largest face of a photograph, cut out as CelebA-HQ's are, (512, 512, 3) uint8, and a note on it, or "".

    aligned: the photograph is square and cut so already. Raises BadInput when it cannot be used or shows no face.
    """
    with ONE_DECODER:
        picture = align.upright(decode(content, name))
    side = regions.MASK_SIZE
    if aligned:
        height, width, _ = picture.shape
        if height != width or height < 64:
            raise BadInput(f"{name} is {width} x {height}: a photograph that is cut already is square, 64 and more.")
        return align.resized(picture, side / height), ""
    try:
        frame, count = align.find_face(picture)
    except BadInput as error:
        raise BadInput(
            f"{name}: {error}. Take a photograph that shows the face upright and from the front, or say that it is cut "
            "as CelebA-HQ's are."
        ) from None
    return align.cut_out(picture, frame, side), f"the largest of {count} faces" if count > 1 else ""


def label_map(content: bytes, name: str) -> np.ndarray:
    """A label map, a PNG, as (512, 512) uint8 ids 0..18: CelebAMask-HQ's ids as 8-bit grey, or its colours.

    Another side than 512 is brought there by the nearest pixel. Raises BadInput, which names the trouble, for ids or
    colours that CelebAMask-HQ does not have, and for anything that would have to be guessed.
    """
    with ONE_DECODER:
        picture = decode(content, name, "a label map is a PNG")
    if picture.format != "PNG":  # others may be lossy, and would give ids or colours that nobody wrote
        raise BadInput(f"{name} is a {picture.format}: save the label map as PNG, which keeps every id or colour.")
    if picture.width != picture.height:
        raise BadInput(f"{name} is {picture.width} x {picture.height}: a label map is square.")
    if picture.mode.startswith("I") or picture.mode == "F":
        raise BadInput(f"{name} has more than 8 bits a pixel: save the ids as 8-bit grey.")
    side = regions.MASK_SIZE
    picture = picture.resize((side, side), Image.Resampling.NEAREST)
    if picture.mode in ("L", "1"):
        ids = np.asarray(picture.convert("L"))
    else:
        colors = np.asarray(picture.convert("RGB"))
        ids = colors[..., 0] if is_grey(picture, colors) else ids_of_colors(colors, name)
    if ids.max() > len(regions.PARTS):
        raise BadInput(
            f"{name} has the id {ids.max()}; CelebAMask-HQ's are 0..{len(regions.PARTS)}. Other tools number the parts "
            "differently: bring them into the order that README gives."
        )
    if not ids.any():
        raise BadInput(f"{name} is all background: is it a label map?")
    return ids


def is_grey(picture: Image.Image, colors: np.ndarray) -> bool:
    """Whether three equal channels hold ids. A palette's grey may be anything, so it counts as colour."""
    return picture.mode != "P" and (colors == colors[..., :1]).all()


def ids_of_colors(colors: np.ndarray, name: str) -> np.ndarray:
    """(512, 512, 3) uint8 in the dataset's colours -> ids."""
    distinct, index = np.unique(colors.reshape(-1, 3), axis=0, return_inverse=True)
    distinct = [tuple(color) for color in distinct.tolist()]
    unknown = [color for color in distinct if color not in COLOR_LABEL]
    if unknown:
        raise BadInput(
            f"{name} has {len(unknown)} colours that are not CelebAMask-HQ's (first: RGB {unknown[0]}): save it as "
            "PNG, without smooth edges, in the dataset's colours or with one id of 0..18 a pixel."
        )
    table = np.array([COLOR_LABEL[color] for color in distinct], np.uint8)
    return table[index].reshape(colors.shape[:2])
