"""Pictures that somebody hands in: limits that hold before anything is decoded, own photographs, label maps."""

import threading
from pathlib import Path

import numpy as np
from PIL import Image

from facegan import align, numberings, picture_files, regions
from facegan.editor.editing import Face, Original
from facegan.errors import BadInput

MAX_BYTES = 20_000_000
"""Largest file that is taken; pixels are bounded for every picture, picture_files.MAX_PIXELS."""

ONE_DECODER = threading.Lock()
"""A picture is largest while it is decoded. Nothing slow, such as the search of a face, may hold it."""

COLOR_LABEL = {tuple(color): label for label, color in enumerate(regions.LABEL_COLORS.tolist())}


def read(path: Path) -> bytes:
    """A file's content. Raises BadInput when it is missing, no file, or larger than MAX_BYTES."""
    return picture_files.read(path, str(path), MAX_BYTES)


def photo(content: bytes, name: str, aligned: bool) -> tuple[np.ndarray, Original, str]:
    """The largest face of a photograph, cut out as CelebA-HQ's are, (512, 512, 3) uint8, where it lies in the
    photograph, and a note on it, or "".

    aligned: the photograph is square and cut so already. Raises BadInput when it cannot be used or shows no face.
    """
    picture_files.check_bytes(len(content), name, MAX_BYTES)
    with ONE_DECODER:
        picture = picture_files.read_photo(content, name)
    side = regions.MASK_SIZE
    if aligned:
        height, width, _ = picture.shape
        if height != width or height < 64:
            raise BadInput(f"{name} is {width} x {height}: a photograph that is cut already is square, 64 and more.")
        corners = np.array([(0, 0), (width, 0), (0, height)], float)
        return align.resized(picture, side / height), Original(content, corners), ""
    try:
        frame, count = align.find_face(picture)
    except BadInput as error:
        raise BadInput(f"{name}: {error}, or say that it is cut as CelebA-HQ's are.") from None
    corners = frame.to_photo(np.array([(0, 0), (1, 0), (0, 1)]), 1)
    note = f"the largest of {count} faces" if count > 1 else ""
    return align.cut_out(picture, frame, side), Original(content, corners), note


def whole_photo(face: Face) -> np.ndarray:
    """The photograph that a face was cut from, (H, W, 3) uint8."""
    with ONE_DECODER:
        return picture_files.read_photo(face.original.content, "the photograph")


def label_map(content: bytes, name: str) -> np.ndarray:
    """A label map, a PNG, as (512, 512) uint8 ids 0..18: CelebAMask-HQ's ids as 8-bit grey, or its colours.

    Another side than 512 is brought there by the nearest pixel. Raises BadInput, which names the trouble, for ids or
    colours that CelebAMask-HQ does not have, and for anything that would have to be guessed.
    """
    picture_files.check_bytes(len(content), name, MAX_BYTES)
    header = picture_files.open_header(content, name)
    picture_files.check_map(header)
    picture_files.check_ids_depth(header)
    width, height = header.picture.size
    if width != height:
        raise BadInput(f"{name} is {width} x {height}: a label map is square.")
    side = regions.MASK_SIZE
    with ONE_DECODER:
        picture = picture_files.decode(header).resize((side, side), Image.Resampling.NEAREST)
    picture_files.check_opaque(picture, name)
    if picture.mode == "L":
        ids = np.asarray(picture)
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
    try:
        numberings.check([ids], "celebamask", "bring them into the order that README gives.")
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None
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
