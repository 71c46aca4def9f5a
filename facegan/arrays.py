"""The arrays of the prepared folder: dtype, shape and range of each, checked whenever one is read from an .npz."""

import math
import threading
import zipfile
from typing import BinaryIO, NamedTuple

import numpy as np

from facegan import files
from facegan.errors import brief
from facegan.regions import MASK_SIZE, PARTS, TABLES

S = None
"""In a shape: any length; the same one for all of an array."""
R = tuple(TABLES)
"""In a shape: the number of regions, 7 or 18."""


class Kind(NamedTuple):
    """dtype, shape, and the smallest and the largest value."""

    dtype: type
    shape: tuple[int | tuple[int, ...] | None, ...]
    low: float
    high: float


KINDS = {
    "Image": Kind(np.uint8, (S, S, 3), 0, 255),
    "Masks": Kind(np.uint8, (S, S, R), 0, 1),
    "Colors": Kind(np.float32, (R, 3), 0, 255.1),  # a mean of 255 over many pixels may be rounded up
    "Labels": Kind(np.uint8, (S, S), 0, len(PARTS)),
    "cmask": Kind(np.float32, (S, S, 3), 0, 255.1),
    "face_id": Kind(np.float32, (128,), -10, 10),
    "detected": Kind(np.bool_, (), 0, 1),
    "box": Kind(np.int32, (4,), -MASK_SIZE, 2 * MASK_SIZE),  # it may reach over the edge, by less than the picture
}
NORM = (0.1, 10)
"""The length that a face ID may have; dlib's are near 1.4."""

ONE_READER = threading.Lock()
"""NumPy reads an array's header by Python's ast, which up to 3.11 counts its depth over all threads: two at once may
find it wrong and raise SystemError."""


class Unfit(ValueError):
    """An array that is whole, but not what it should be. The message says how."""


def read(archive: zipfile.ZipFile, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of an .npz, checked. None in a shape fits any length.

    Raises KeyError when it is missing, Unfit when it is another kind of array, and all sorts of errors when it is
    damaged. Nothing is allocated before the header says that the array is what it should be.
    """
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("an unknown compression")  # that of others is not bounded while it is undone
    with archive.open(entry) as stream:
        actual, is_fortran, dtype = read_header(stream)
        if fault := header_fault(name, actual, dtype, shape):
            raise Unfit(fault)
        count = math.prod(actual) * dtype.itemsize
        content = stream.read(count)
        if len(content) != count or stream.read(1):  # reading to the end compares the checksum
            raise ValueError(f"{name} has another length than its header says")
    array = np.ndarray(actual, dtype, content, order="F" if is_fortran else "C").copy()
    if fault := value_fault(name, array):
        raise Unfit(fault)
    return array


def read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the order is Fortran's, and dtype of the .npy that begins here. Raises ValueError."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"unknown version {version}")
    with ONE_READER:
        return readers[version](stream)


def header_fault(name: str, actual: tuple[int, ...], dtype: np.dtype, shape: tuple[int | None, ...]) -> str:
    """What is wrong with an array by its header; "" when nothing is. shape: what is expected where it is read."""
    kind = KINDS.get(name, Kind(dtype, shape, 0, 0))
    if not (fits(actual, shape) and fits(actual, kind.shape)):
        return f"is {brief(actual)}, expected {shape}"
    if len({n for n, m in zip(actual, kind.shape, strict=True) if m is S}) > 1:
        return f"is {actual}, expected a square"
    if dtype != kind.dtype or dtype.hasobject:
        return f"is {brief(dtype)}, expected {np.dtype(kind.dtype)}"
    if min(actual, default=1) < (name in KINDS) or math.prod(actual) * dtype.itemsize > files.LARGEST:
        return f"is {brief(actual)} of {brief(dtype)}: too large, or empty"
    return ""


def fits(actual: tuple[int, ...], shape: tuple[int | tuple[int, ...] | None, ...]) -> bool:
    return len(actual) == len(shape) and all(
        n in m if m is R else m in (None, n) for n, m in zip(actual, shape, strict=True)
    )


def value_fault(name: str, array: np.ndarray) -> str:
    """What is wrong with an array by its values; "" when nothing is."""
    if name not in KINDS:
        return ""
    kind = KINDS[name]
    for value in (array.min(), array.max()):
        if not kind.low <= value <= kind.high:  # NaN neither
            return f"holds {value}, expected {kind.low:g} to {kind.high:.0f}"
    if name == "face_id" and not NORM[0] <= np.linalg.norm(array) <= NORM[1]:
        return f"has length {np.linalg.norm(array):.3g}, expected {NORM[0]} to {NORM[1]}"
    if name == "box" and not (array[:2] < array[2:]).all():
        return f"is {array.tolist()}, expected left, top, right, bottom"
    return ""
