"""The prepared folder: samples/, color_masks/ and face_ids/, one <k>.npz a face in each. Read, write, index, split.

samples/<k>.npz      Image uint8 (S, S, 3); Masks uint8 (S, S, 7) of 0/1; Colors float32 (7, 3) in 0..255;
                     Labels uint8 (S, S), ids 0..18 (missing from folders older than parse_face.py, its only reader)
color_masks/<k>.npz  cmask float32 (S, S, 3) in 0..255
face_ids/<k>.npz     face_id float32 (128,); detected bool; box int32 (4,) left, top, right, bottom
prepared.json        the size, the raw dataset and the layout the samples were made from
"""

import io
import threading
import zipfile
from pathlib import Path

import numpy as np

from facegan import files
from facegan.errors import BadInput

MAKERS = {
    "samples": "g_simple_mask.py",
    "color_masks": "c_mask.py",
    "face_ids": "face_recognition/face_recognition.py",
}
"""Which script fills which folder."""

TRAIN_SHARE = 0.8
"""The first 80 % of the indices train, the rest test (24,000 and 6,000 of CelebAMask-HQ)."""

ONE_READER = threading.Lock()
"""NumPy reads an array's header by Python's ast, which up to 3.11 counts its depth over all threads: two at once may
find it wrong and raise SystemError."""


def write_npz(path: Path, stored: tuple[str, ...] = (), **arrays: np.ndarray) -> None:
    """Write an .npz atomically; equal arrays give equal bytes.

    Masks and colour maps are deflated at the fastest level (a fiftieth of their size, some 2 ms); photographs hardly
    shrink, so the arrays named in stored are not.
    """
    with files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the bytes depend on the arrays alone
            method = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(entry, data.getbuffer(), method, compresslevel=1)


def read_npz(path: Path, **shapes: tuple[int | None, ...]) -> list[np.ndarray]:
    """Read the named arrays of an .npz in the order of their names. None in a shape fits any length.

    Raises BadInput when the file is missing or damaged, or an array is missing or of another shape.
    """
    maker = MAKERS.get(path.parent.name, "its script")
    try:
        with ONE_READER, np.load(path, allow_pickle=False) as archive:
            arrays = [archive[name] for name in shapes]
    except FileNotFoundError:
        raise BadInput(f"{path} is missing; run {maker}") from None
    except KeyError as error:  # whole, but older than an array that was added to the format
        name = error.args[0].split()[0]
        raise BadInput(f"{path} has no {name}; run {maker} again, with --overwrite") from None
    except Exception as error:  # a damaged zip can raise anything from zlib.error to NotImplementedError
        raise BadInput(f"{path} is damaged ({error}); delete it and run {maker} again") from None
    for (name, shape), array in zip(shapes.items(), arrays, strict=True):
        if len(shape) != array.ndim or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
            raise BadInput(f"{path}: {name} is {array.shape}, expected {shape}; delete it and run {maker} again")
    return arrays


def photo_crc(data: Path, k: int) -> int:
    """The checksum of a sample's photograph, which its archive carries: equal ones are the same pixels. Raises BadInput
    when the sample is missing or damaged."""
    path = data / "samples" / f"{k}.npz"
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.getinfo("Image.npy").CRC
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} is missing or damaged ({error}); run g_simple_mask.py again") from None


def indices(data: Path, folder: str) -> list[int]:
    """The numbers of the faces in one of the three folders, in order."""
    path = data / folder
    return sorted(int(p.stem) for p in path.glob("*.npz") if p.stem.isdecimal()) if path.is_dir() else []


def sample_indices(data: Path) -> list[int]:
    """The numbers of the prepared samples. Raises BadInput when there are none."""
    if numbers := indices(data, "samples"):
        return numbers
    raise BadInput(
        f"no samples in {data}: run `python data/make_sample.py` (or get CelebAMask-HQ, see README), "
        f"then `python g_simple_mask.py --out {data}`."
    )


def complete_indices(data: Path) -> list[int]:
    """The numbers of the samples. Raises BadInput unless each has a face ID that is not older. Colour maps are not
    needed: trainings compute them on the device."""
    samples = sample_indices(data)
    missing = [
        k for k in samples if not files.is_current(data / "face_ids" / f"{k}.npz", data / "samples" / f"{k}.npz")
    ]
    if missing:
        raise BadInput(
            f"{len(missing)} of {len(samples)} samples in {data} have no face_ids/<k>.npz, or an older one "
            f"(first: {missing[0]}): run `python {MAKERS['face_ids']} --data {data}`."
        )
    return samples


def split(numbers: list[int]) -> tuple[list[int], list[int]]:
    """The training and the test numbers: the first 80 % of the list, and the rest. Raises BadInput below 4 samples."""
    if len(numbers) < 4:
        # two faces on either side, so that a second map can be somebody else's
        raise BadInput(
            f"{len(numbers)} samples are too few to train and test on; prepare at least 4, better thousands."
        )
    boundary = min(int(TRAIN_SHARE * len(numbers)), len(numbers) - 2)
    return numbers[:boundary], numbers[boundary:]


def describe(data: Path) -> dict:
    """What prepared.json says: size, source, layout, resample. Raises BadInput when it is missing or damaged."""
    path = data / "prepared.json"
    if not path.exists():
        raise BadInput(f"{path} is missing: is this a prepared folder? Run `python g_simple_mask.py --out {data}`.")
    return files.read_json(path)


def settings(about: dict) -> dict:
    """Of what describe() returns, how the samples were made. Where the raw dataset lay does not say what it is: that
    its photographs do."""
    return {name: value for name, value in about.items() if name != "source"}
