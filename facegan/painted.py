"""The folders that --test wrote, read back for evaluate.py beside the prepared faces they were painted from."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from facegan import metrics, prepared
from facegan.errors import BadInput
from facegan.regions import REGIONS


class Results(NamedTuple):
    folder: Path
    about: dict
    """results.json"""
    data: Path
    k: np.ndarray
    map_k: np.ndarray
    """the face whose map the manipulated picture follows; k itself where there is none"""
    kinds: list[str]
    """what there is to measure, of KINDS"""

    @property
    def size(self) -> int:
        return self.about["source"]["size"]


def read_results(folder: Path, data: Path | None) -> Results:
    """Raises BadInput when --test has not finished there, or when data is not what it was painted from."""
    path = folder / "results.json"
    if not path.is_file():
        raise BadInput(f"no finished results in {folder} ({path.name} is missing): run --test into it again.")
    about = prepared.read_settings(path, "run --test into it again.")
    if about.get("script") == "parse_face.py":
        raise BadInput(f"{folder} holds maps that parse_face.py found and scored itself: see scores.md there.")
    try:
        data, source = data or Path(about["data"]), about["source"]
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        k = np.array([int(row["k"]) for row in rows])
        map_k = np.array([int(row["map_k"]) for row in rows])
        faces = len(set(k.tolist()))
        if not len(k) == faces == about.get("faces", faces):  # results of earlier versions do not say how many
            raise ValueError(
                f"results.csv has {len(k)} rows of {faces} faces, painted were {about.get('faces', faces)}"
            )
        int(source["size"])
        _ = about["script"], about["step"], about["split"], about["flags"]["batch_size"]
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise BadInput(f"results in {folder} are damaged ({error!r}): run --test into it again.") from None
    if prepared.describe(data) != source:
        raise BadInput(f"{folder} was painted from {source}, but {data} is {prepared.describe(data)}: see --data.")
    if len(k) < 2:
        raise BadInput(f"{folder} has {len(k)} face: scores of a set need at least two, better hundreds.")
    kinds = ["rec", *["man"] * bool((k != map_k).any()), "cmask", "real"]
    return Results(folder, about, data, k, map_k, kinds)


def read_picture(path: Path, size: int) -> np.ndarray:
    """(S, S, 3) uint8. Raises BadInput when it is missing, damaged or of another size."""
    try:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise BadInput(f"{path} is missing or damaged ({error}): run --test into its folder again.") from None
    if picture.shape != (size, size, 3):
        raise BadInput(f"{path} is {picture.shape}, expected {(size, size, 3)}: run --test into its folder again.")
    return picture


def read_sample(results: Results, k: int, labels: bool) -> dict[str, np.ndarray]:
    """Face k of the prepared folder: Image, Masks, Colors, face_id, box, and Labels where they are asked for."""
    s, n = results.size, len(REGIONS)
    shapes = {"Image": (s, s, 3), "Masks": (s, s, n), "Colors": (n, 3), **({"Labels": (s, s)} if labels else {})}
    sample = dict(zip(shapes, prepared.read_npz(results.data / "samples" / f"{k}.npz", **shapes), strict=True))
    face_id, box = prepared.read_npz(results.data / "face_ids" / f"{k}.npz", face_id=(128,), box=(4,))
    return sample | {"face_id": face_id, "box": box}


def read_face(results: Results, k: int, kind: str, sample: dict) -> np.ndarray:
    """One picture of face k, (S, S, 3) uint8, its background black. sample: the face whose map it follows."""
    picture = sample["Image"] if kind == "real" else read_picture(results.folder / f"{k}_{kind}.png", results.size)
    return metrics.black_background(picture, sample["Masks"])


class Batch(NamedTuple):
    pictures: dict[str, np.ndarray]
    """kind -> (B, S, S, 3) uint8, background black"""
    own: dict[str, np.ndarray]
    """what was prepared of the faces, stacked: Image, Masks, Colors, face_id, box, Labels"""
    other: dict[str, np.ndarray]
    """the same of those whose maps the manipulated pictures follow"""

    def asked(self, kind: str) -> dict[str, np.ndarray]:
        return self.other if kind == "man" else self.own


def read_batch(results: Results, places: np.ndarray, labels: bool) -> Batch:
    """Raises BadInput when the ground truth among the results is not the prepared photograph."""
    own, other = ([read_sample(results, k, labels) for k in which[places]] for which in (results.k, results.map_k))
    pictures = {
        kind: np.stack([
            read_face(results, k, kind, sample)
            for k, sample in zip(results.k[places], other if kind == "man" else own, strict=True)
        ])
        for kind in results.kinds
    }  # fmt: skip
    for k, sample, photo in zip(results.k[places], own, pictures["real"], strict=True):
        shown = metrics.black_background(read_picture(results.folder / f"{k}_real.png", results.size), sample["Masks"])
        if np.abs(shown.astype(int) - photo).max() > 1:
            raise BadInput(f"face {k} in {results.data} is not the one in {results.folder}: see --data.")
    return Batch(pictures, *({name: np.stack([x[name] for x in s]) for name in s[0]} for s in (own, other)))
