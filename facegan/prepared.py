"""The prepared folder: samples/, color_masks/ and face_ids/, one <k>.npz a face in each. Read, write, index, split.

samples/<k>.npz      Image uint8 (S, S, 3); Masks uint8 (S, S, 7) of 0/1; Colors float32 (7, 3) in 0..255;
                     Labels uint8 (S, S), ids 0..18 (not in folders of before parse_face.py, which alone reads them)
color_masks/<k>.npz  cmask float32 (S, S, 3) in 0..255
face_ids/<k>.npz     face_id float32 (128,); detected bool; box int32 (4,) left, top, right, bottom
prepared.json        the size, the raw dataset and the layout the samples were made from
"""

import fcntl
import io
import json
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

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


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Hand out a temporary name beside path; rename it to path when the block ends well, remove it when it does not.

    The name carries host and process, so that two jobs never share one and what a killed job left can be told apart.
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of jobs that were killed on this host."""
    for temporary in folder.glob(f".*.{socket.gethostname()}.*.tmp"):
        try:
            os.kill(int(temporary.name.split(".")[-2]), 0)
        except ProcessLookupError:
            temporary.unlink(missing_ok=True)
        except PermissionError:
            pass  # alive, and somebody else's


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; a killed process lets go too. BadInput when another process holds it."""
    while True:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BadInput(f"another job is writing into {path.parent}: wait for it, or name another folder.") from None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # the one before removed it between our opening and our locking: once more
    try:
        yield
    finally:
        path.unlink()
        file.close()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    write_bytes(path, text.encode())


def write_npz(path: Path, stored: tuple[str, ...] = (), **arrays: np.ndarray) -> None:
    """Write an .npz atomically; equal arrays give equal bytes.

    Masks and colour maps are deflated at the fastest level (a fiftieth of their size, some 2 ms); photographs hardly
    shrink, so the arrays named in stored are not.
    """
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the bytes depend on the arrays alone
            method = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(entry, data.getbuffer(), method, compresslevel=1)


def read_npz(path: Path, **shapes: tuple[int | None, ...]) -> list[np.ndarray]:
    """Read the named arrays of an .npz in the order asked for. None in a shape fits any length.

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


def is_current(path: Path, *sources: Path) -> bool:
    """Whether path is there and not older than any of its sources that is there."""
    if not path.exists():
        return False
    made = path.stat().st_mtime_ns
    return all(source.stat().st_mtime_ns <= made for source in sources if source.exists())


def indices(data: Path, folder: str) -> list[int]:
    """The numbers of the faces in one of the three folders, in order."""
    path = data / folder
    return sorted(int(p.stem) for p in path.glob("*.npz") if p.stem.isdecimal()) if path.is_dir() else []


def sample_indices(data: Path) -> list[int]:
    """The numbers of the prepared samples. Raises BadInput when there are none."""
    if found := indices(data, "samples"):
        return found
    raise BadInput(
        f"no samples in {data}: run `python data/make_sample.py` (or get CelebAMask-HQ, see README), "
        f"then `python g_simple_mask.py --out {data}`."
    )


def complete_indices(data: Path) -> list[int]:
    """The numbers of the samples. BadInput names the script to run unless each has a colour map and face ID as new."""
    samples = sample_indices(data)
    for folder in ("color_masks", "face_ids"):
        missing = [k for k in samples if not is_current(data / folder / f"{k}.npz", data / "samples" / f"{k}.npz")]
        if missing:
            raise BadInput(
                f"{len(missing)} of {len(samples)} samples in {data} have no {folder}/<k>.npz, or an older one "
                f"(first: {missing[0]}): run `python {MAKERS[folder]} --data {data}`."
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
    return read_settings(path)


def read_settings(path: Path, remedy: str = "") -> dict:
    """A .json file that holds an object. Raises BadInput, which ends in the remedy, when it does not."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(settings, dict):
            return settings
    except (OSError, ValueError):
        pass
    remedy = remedy or f"choose another folder, or delete {path.parent} and make it again."
    raise BadInput(f"{path} is missing or damaged: {remedy}")


def claim(path: Path, remedy: str, **settings) -> None:
    """Record with which settings a folder is made in path, or check that what is there was made with the same.

    Results of two datasets, sizes or settings under one roof would train without an error and mean nothing, so other
    settings are refused with BadInput, which ends in the remedy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_text(path, json.dumps(settings, indent=2) + "\n")
        return
    recorded = read_settings(path)
    for name in settings | recorded:
        before, now = (values.get(name, "as it was without that setting") for values in (recorded, settings))
        if before != now:
            raise BadInput(f"{path.parent} was made with {name} {before}, now it is {now}; {remedy}")
