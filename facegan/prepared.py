"""The prepared folder: samples/, color_masks/ and face_ids/, one <k>.npz a face in each. Read, write, index, split.

samples/<k>.npz      Image uint8 (S, S, 3); Masks uint8 (S, S, R) of 0/1; Colors float32 (R, 3) in 0..255, R = 7
                     regions or 18 parts;
                     Labels uint8 (S, S), ids 0..18 (missing from folders made before parse_face.py existed)
color_masks/<k>.npz  cmask float32 (S, S, 3) in 0..255
face_ids/<k>.npz     face_id float32 (128,); detected bool; box int32 (4,) left, top, right, bottom
prepared.json        the size, the raw dataset and the layout the samples were made from, the kind of regions
"""

import functools
import io
import os
import zipfile
from pathlib import Path

import numpy as np

from facegan import arrays, files
from facegan.errors import BadInput, brief
from facegan.regions import MASK_SIZE, PARTS, REGIONS

MAKERS = {
    "samples": "g_simple_mask.py",
    "color_masks": "c_mask.py",
    "face_ids": "face_recognition/face_recognition.py",
}
"""Which script fills which folder."""


def is_size(value: object) -> bool:
    """Whether a value is a working size."""
    return type(value) is int and value >= 16 and MASK_SIZE % value == 0


REGION_COUNTS = {"overlapping": len(REGIONS), "exclusive": len(REGIONS), "parts": len(PARTS)}
"""Kind of regions, as g_simple_mask.py --regions says -> how many they are."""
KIND_WORDS = {"overlapping": "overlapping regions", "exclusive": "exclusive regions", "parts": "the 18 parts"}


def is_kind(value: object) -> bool:
    """Whether a value is a kind of regions."""
    return isinstance(value, str) and value in REGION_COUNTS


PREPARED = {"size": is_size, "source": str, "layout?": str, "resample?": str, "regions?": is_kind, "numbering?": str}
"""What prepared.json holds (files.fault)."""

TRAIN_SHARE = 0.8
"""The first 80 % of the indices train, the rest test (24,000 and 6,000 of CelebAMask-HQ)."""


MADE_FROM = {"color_masks": ("Masks", "Colors"), "face_ids": ("Image",)}
"""Which arrays of a sample the files of a folder are made from."""


def write_npz(path: Path, stored: tuple[str, ...] = (), made_from: str = "", **arrays: np.ndarray) -> None:
    """Write an .npz atomically; equal arrays give equal bytes. made_from becomes the archive's comment.

    Masks and colour maps are deflated at the fastest level (a fiftieth of their size, some 2 ms); photographs hardly
    shrink, so the arrays named in stored are not.
    """
    with files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.comment = made_from.encode()
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the bytes depend on the arrays alone
            method = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
            archive.writestr(entry, data.getbuffer(), method, compresslevel=1)


def read_npz(path: Path, **shapes: tuple[int | None, ...]) -> list[np.ndarray]:
    """Read the named arrays of an .npz in the order in which the call names them. None in a shape fits any length.

    Raises BadInput when the file is missing or damaged, or an array is missing, of another shape, or not what
    arrays.KINDS says.
    """
    maker = MAKERS.get(path.parent.name, "its script")
    try:
        content = files.read_bytes(path)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing; run {maker}") from None
    values, name = [], ""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name, shape in shapes.items():
                values.append(arrays.read(archive, name, shape))
    except KeyError:  # whole, but older than an array that was added to the format
        raise BadInput(f"{path} has no {name}; run {maker} again, with --overwrite") from None
    except arrays.Unfit as error:
        raise BadInput(f"{path}: {name} {error}; delete it and run {maker} again") from None
    except Exception as error:  # a damaged zip can raise anything from zlib.error to NotImplementedError
        raise BadInput(f"{path} is damaged ({brief(error)}); delete it and run {maker} again") from None
    return values


def photo_crc(data: Path, k: int) -> int:
    """The checksum of a sample's photograph: equal ones are the same pixels. Raises BadInput when the sample is missing
    or damaged."""
    return checksums(data / "samples" / f"{k}.npz", "Image")[0]


def checksums(path: Path, *names: str) -> list[int]:
    """The checksums of these arrays of an .npz, which its directory carries, so that nothing else is read. Raises
    BadInput when it is missing or damaged, or has no such array."""
    crc, _ = directory(path)
    if missing := [name for name in names if name not in crc]:
        maker = MAKERS.get(path.parent.name, "its script")
        raise BadInput(f"{path} has no {missing[0]}; run {maker} again, with --overwrite")
    return [crc[name] for name in names]


def directory(path: Path) -> tuple[dict[str, int], str]:
    """The checksum of each array of an .npz, and the comment that write_npz() left. Raises BadInput."""
    maker = MAKERS.get(path.parent.name, "its script")
    try:
        about = path.stat()
        return read_directory(path, about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino)
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{path} is missing; run {maker}") from None
    except Exception as error:  # a damaged zip can raise anything
        raise BadInput(f"{path} is damaged ({brief(error)}); delete it and run {maker} again") from None


@functools.lru_cache(1 << 17)
def read_directory(path: Path, *stat: int) -> tuple[dict[str, int], str]:
    """directory(), once for each state of a file: starting a training asks two or three times."""
    with files.open_regular(path) as file, zipfile.ZipFile(file) as archive:
        crc = {entry.filename.removesuffix(".npy"): entry.CRC for entry in archive.infolist()}
        return crc, archive.comment.decode("ascii", "replace")


def made_from(data: Path, folder: str, k: int) -> str:
    """What a file of color_masks/ or face_ids/ is made from, for instance "Image 1a2b3c4d": the checksums of arrays of
    the sample as it is now. Raises BadInput when that is missing or damaged."""
    names = MADE_FROM[folder]
    sums = checksums(data / "samples" / f"{k}.npz", *names)
    return ", ".join(f"{name} {crc:08x}" for name, crc in zip(names, sums, strict=True))


def is_current(data: Path, folder: str, k: int) -> bool:
    """Whether face k of color_masks/ or face_ids/ exists and was made from the sample as it is now. Dates decide only
    where a file does not say what it was made from, as those of earlier versions, or the sample is damaged."""
    path, sample = data / folder / f"{k}.npz", data / "samples" / f"{k}.npz"
    if not path.exists():
        return False
    try:
        _, note = directory(path)
        if note:
            return note == made_from(data, folder, k)
    except BadInput:
        pass  # whoever reads it says what is wrong
    return files.is_current(path, sample)


def indices(data: Path, folder: str) -> list[int]:
    """The numbers of the faces in one of the three folders, in order."""
    path = data / folder
    names = [p.stem for p in path.glob("*.npz")] if path.is_dir() else []
    return sorted(int(name) for name in names if name == str(files.face_number(name)))  # 007 is none


def sample_indices(data: Path) -> list[int]:
    """The numbers of the prepared samples. Raises BadInput when there are none."""
    if numbers := indices(data, "samples"):
        return numbers
    raise BadInput(
        f"no samples in {data}: run `python data/make_sample.py` (or get CelebAMask-HQ, see README), "
        f"then `python g_simple_mask.py --out {data}`."
    )


def complete_indices(data: Path) -> list[int]:
    """The numbers of the samples. Raises BadInput unless each has a face ID that was made from it. Colour maps are not
    needed: trainings compute them on the device."""
    samples = sample_indices(data)
    missing = [k for k in samples if not is_current(data, "face_ids", k)]
    if missing:
        raise BadInput(
            f"{len(missing)} of {len(samples)} samples in {data} have no face_ids/<k>.npz, or one of another "
            f"photograph (first: {missing[0]}): run `python {MAKERS['face_ids']} --data {data}`."
        )
    return samples


def split(numbers: list[int], validation: float = 0.0, trains: bool = True) -> tuple[list[int], list[int], list[int]]:
    """The numbers of the faces that train, of those that validate, and of those that test: the first 80 % of the list
    without its last part, that part, a share of them, and the rest. Raises BadInput where they are too few.

    trains: whether they are to train a run. A folder of a few faces that a run only paints has none that validate.
    """
    if len(numbers) < 4:
        # two faces on either side, so that a second map can be somebody else's
        raise BadInput(
            f"{len(numbers)} samples are too few to train and test on; prepare at least 4, better thousands."
        )
    boundary = min(int(TRAIN_SHARE * len(numbers)), len(numbers) - 2)
    first = boundary - round(validation * boundary)
    if validation and min(first, boundary - first) < 2:
        if trains:
            raise BadInput(
                f"--validation {validation} of {boundary} faces leaves fewer than two to train, or to validate."
            )
        first = boundary
    return numbers[:first], numbers[first:boundary], numbers[boundary:]


def working_size(data: Path) -> int | None:
    """The size S that prepared.json says; None without one. Raises BadInput when it is damaged."""
    return describe(data)["size"] if (data / "prepared.json").exists() else None


def describe(data: Path) -> dict:
    """What prepared.json says: size, source, layout, resample. Raises BadInput when it is missing or damaged."""
    path = data / "prepared.json"
    if not os.path.exists(path):  # unlike Path.exists(), it takes any name: this one may come from a record
        raise BadInput(f"{path} is missing: is this a prepared folder? Run `python g_simple_mask.py --out {data}`.")
    return files.read_json(path, schema=PREPARED)


def kind_of_regions(about: dict) -> str:
    """The kind of regions of what describe() returns; folders prepared before there were several do not say it."""
    return about.get("regions", "overlapping")


def region_count(data: Path) -> int:
    """How many regions the masks of a prepared folder have, 7 or 18; 7 without prepared.json. Raises BadInput when that
    is damaged."""
    return REGION_COUNTS[kind_of_regions(describe(data) if (data / "prepared.json").exists() else {})]


def check_regions(data: Path, parts: bool) -> None:
    """Raise BadInput when a folder is of regions and a run of parts (--parts), or the other way round."""
    kind = kind_of_regions(describe(data))
    if kind == "parts" and not parts:
        raise BadInput(
            f"{data} is prepared with --regions parts, but a run without --parts is of the seven regions: add --parts, "
            "or name a folder of the seven regions with --data."
        )
    if parts and kind != "parts":
        raise BadInput(
            f"{data} has {KIND_WORDS[kind]}, but --parts needs the 18 parts: run "
            "`python g_simple_mask.py --regions parts --out OTHER` and face_recognition.py into another folder, and "
            "name it with --data, or leave out --parts."
        )


def check_run_regions(data: Path, run: Path, parts: bool) -> None:
    """Raise BadInput when a trained run is of parts and a folder of regions, or the other way round."""
    kind = kind_of_regions(describe(data))
    if parts != (kind == "parts"):
        words = KIND_WORDS["parts"] if parts else "the seven regions"
        raise BadInput(
            f"{run} was trained on {words}, but {data} has {KIND_WORDS[kind]}: name with --data a folder prepared "
            f"{'with' if parts else 'without'} g_simple_mask.py --regions parts, or another run with --run."
        )


def settings(about: dict) -> dict:
    """Of what describe() returns, how the samples were made. Where the raw dataset lay does not say what it is: that
    its photographs do."""
    return {name: value for name, value in about.items() if name != "source"} | {"regions": kind_of_regions(about)}
