"""A person's own photographs as a prepared folder, which every script takes with --data.

raw/                 the aligned photographs and their maps in CelebAMask-HQ's merged layout, for g_simple_mask.py
samples/ and so on   as the preprocessing scripts make them from raw/ (see prepared.py)
<k>_colors.png       the map in CelebAMask-HQ's colours
<k>_parts.png        the map over the photograph, and a legend
faces.json           k -> where the face came from
"""

import json
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from facegan import align, celebamask, files, labelmaps, parsers, pictures, pipeline, prepared, regions
from facegan.errors import BadInput, brief

FEWEST = 4
"""Faces that a script takes at least (prepared.split)."""

FACE = {"path?": str, "sha256?": str, "parser?": str, "data?": str, "number?": int}
"""What faces.json says of a face (files.fault)."""


def find(path: Path, parser: keras.Model, aligned: bool) -> dict:
    """The largest face of a photograph: photo (H, H, 3) uint8, cut out; labels (512, 512) uint8; path, sha256, frame
    and note about it. Raises BadInput when there is none. aligned: the photograph is cut as CelebA-HQ's already."""
    size = parser.input_shape[1]
    photo, note, about_frame = align.read_photo(path), "", None
    if aligned:
        height, width = photo.shape[:2]
        if height != width or height < size:
            raise BadInput(f"{path} is {width} x {height}: --aligned needs square photographs of at least {size}.")
    else:
        try:
            frame, count = align.find_face(photo)
        except BadInput as error:
            raise BadInput(
                f"{path}: {error}, or say --aligned if it is cut as CelebA-HQ's are; nothing was written."
            ) from None
        note = f"the largest of {count} faces; " if count > 1 else ""
        note += f"only {frame.side:.0f} pixels wide, so coarse; " if frame.side < size else ""
        photo = align.cut_out(photo, frame, 1024 if frame.side > 512 else 512)
        about_frame = {"center": frame.center.round(2).tolist(), "right": frame.right.round(2).tolist()}
    small = align.resized(photo, size / len(photo)).astype(np.float32) / 255  # as g_simple_mask.py shrinks it
    labels = parsers.label_map(parser, small)
    if not labels.any():
        raise BadInput(f"{path}: the parser finds no part of a face in it; nothing was written.")
    about = dict(path=str(path.resolve()), sha256=files.sha256(path), frame=about_frame, note=note)
    return about | dict(photo=photo, labels=labels)


def claim(out: Path, size: int, kind: str = "overlapping") -> None:
    """Make the folder, or check that it is one of own photographs of this size and kind of regions. Raises BadInput."""
    source = str((out / "raw").resolve())
    if all((out / name).exists() for name in ("faces.json", "prepared.json")):
        source = prepared.describe(out).get("source", source)  # the folder may have moved
    files.claim(
        out / "prepared.json",
        "name a new folder with --out: own photographs do not go among a dataset, nor parts among regions.",
        size=size,
        source=source,
        layout="merged",
        resample="area",
        **({"regions": kind} if kind != "overlapping" else {}),  # as g_simple_mask.py says it
    )


def number_of(out: Path, face: dict) -> int:
    """The number of a face in the folder: that of the same photograph, if it was added before, else the next."""
    faces = read_faces(out)
    same = [int(k) for k, about in faces.items() if about.get("sha256") == face["sha256"]]
    return same[0] if same else next_number(out, faces)


def is_finished(out: Path, k: int) -> bool:
    """Whether face k has all that trainings need; one that was interrupted has not."""
    return all((out / folder / f"{k}.npz").exists() for folder in ("samples", "face_ids"))


def record(out: Path, k: int, face: dict, parser: str) -> None:
    """Say in faces.json where face k came from; parser: sha256 of the one that drew its map, and must not judge it."""
    about = {name: face[name] for name in ("path", "sha256", "frame")} | {"parser": parser}
    write_faces(out, read_faces(out) | {str(k): about})


def next_number(out: Path, faces: dict) -> int:
    """The number after the highest that is taken."""
    return max(map(int, [-1, *faces, *prepared.indices(out, "samples")])) + 1


def read_faces(out: Path) -> dict:
    """faces.json; {} before there is one. Raises BadInput when it is damaged."""
    path = out / "faces.json"
    faces = files.read_json(path) if path.exists() else {}
    for k, about in faces.items():
        if files.face_number(k) is None or files.fault(about, FACE):
            raise BadInput(f"{path} is damaged (face {brief(k)} is {files.in_words(about)}): {files.BRING_BACK}")
    return faces


def write_faces(out: Path, faces: dict) -> None:
    files.write_text(out / "faces.json", json.dumps(faces, indent=2) + "\n")


def write_raw(out: Path, k: int, face: dict) -> celebamask.RawFace:
    """Write face k into out/raw, and two pictures of its map to look at."""
    photo, labels = out / "raw" / celebamask.PHOTOS / f"{k}.jpg", out / "raw" / celebamask.LABEL_MAPS / f"{k}.png"
    for folder in (photo.parent, labels.parent, *(out / name for name in prepared.MAKERS)):
        folder.mkdir(parents=True, exist_ok=True)
    with files.atomic(photo) as temporary:
        Image.fromarray(face["photo"]).save(temporary, format="JPEG", quality=95, subsampling=0)
    with files.atomic(labels) as temporary:
        Image.fromarray(face["labels"]).save(temporary, format="PNG")
    photo_512 = align.resized(face["photo"], regions.MASK_SIZE / len(face["photo"])) / 255
    pictures.save_png(out / f"{k}_colors.png", labelmaps.colored(face["labels"]))
    pictures.save_png(out / f"{k}_parts.png", labelmaps.with_legend(photo_512, face["labels"]))
    return celebamask.RawFace(k, photo, {}, labels)


def fill_up(out: Path, size: int, data: Path) -> None:
    """Fill a folder of fewer than four faces up with the last faces of a dataset prepared at the same size and of the
    same kind of regions, test faces unless it is tiny: the scripts take no fewer, and it is into somebody else's map
    that a face is painted."""
    missing = FEWEST - len(prepared.indices(out, "samples"))
    if missing <= 0:
        return
    kind = prepared.kind_of_regions(prepared.describe(out))
    try:
        numbers = prepared.complete_indices(data)[-missing:]
        pipeline.check_size(data, size)
        if prepared.kind_of_regions(prepared.describe(data)) != kind:
            numbers = []
    except BadInput:
        numbers = []
    if len(numbers) < missing:
        count = f"{FEWEST - missing} {'face' if FEWEST - missing == 1 else 'faces'}"
        print(
            f"{out} holds {count}, and other scripts take {FEWEST} and more: add photographs, or name "
            f"a folder of {prepared.KIND_WORDS[kind]} prepared at size {size} with --data, whose last faces then fill "
            "it up."
        )
        return
    with files.lock(out / ".lock"):
        for number in numbers:
            faces = read_faces(out)
            k = next_number(out, faces)
            for folder in prepared.MAKERS:
                source = data / folder / f"{number}.npz"
                if source.exists():  # colour maps may be missing
                    files.write_bytes(out / folder / f"{k}.npz", files.read_bytes(source))
            write_faces(out, faces | {str(k): {"data": str(data.resolve()), "number": number}})
    print(f"the last {missing} faces of {data} fill {out} up to {FEWEST}: their maps can be painted into")


def what_next(out: Path, size: int) -> str:
    """What can be done with such a folder."""
    flags, run = f"--size {size}", f"a run of size {size}"
    if prepared.kind_of_regions(prepared.describe(out)) == "parts":
        flags, run = f"{flags} --regions parts", f"{run} and --parts"
    return (
        f"To paint: python pix2pix.py --test --data {out} --split all --out {out / 'painted'} ({run}).\n"
        f"To correct a map: edit {out / 'raw' / celebamask.LABEL_MAPS}/<k>.png, one id of 0..{len(regions.PARTS)} a "
        f"pixel, then\n"
        f"    python g_simple_mask.py --source {out / 'raw'} --out {out} {flags} --overwrite\n"
        f"    python c_mask.py --data {out}\n"
        f"    python face_recognition/face_recognition.py --data {out}"
    )
