"""The pictures of --test side by side with the prepared faces that they were painted from, a batch at a time."""

from typing import NamedTuple

import numpy as np

from facegan import prepared
from facegan.errors import BadInput
from facegan.evaluation import metrics
from facegan.regions import REGIONS, mean_colors, seven_regions
from facegan.results import Results, read_picture


class Batch(NamedTuple):
    pictures: dict[str, np.ndarray]
    """kind -> (B, S, S, 3) uint8, background black"""
    own: dict[str, np.ndarray]
    """what was prepared of the faces, stacked: Image, Masks, Colors, face_id, box, Labels"""
    other: dict[str, np.ndarray]
    """the same of those whose maps the manipulated pictures follow"""

    def map_owners(self, kind: str) -> dict[str, np.ndarray]:
        """The faces whose maps the pictures of a kind follow."""
        return self.other if kind == "man" else self.own


def read_batch(results: Results, places: np.ndarray, labels: bool) -> Batch:
    """The faces at these places of results.k. labels: with their label maps, which only the parser needs.

    Raises BadInput when the ground truth among the results is not the prepared photograph.
    """
    own = [read_sample(results, k, labels) for k in results.k[places]]
    other = [read_sample(results, k, labels) for k in results.map_k[places]]
    pictures = {}
    for kind in results.kinds:
        samples = other if kind == "man" else own
        faces = [read_face(results, k, kind, sample) for k, sample in zip(results.k[places], samples, strict=True)]
        pictures[kind] = np.stack(faces)
    for k, sample, photo in zip(results.k[places], own, pictures["real"], strict=True):
        truth = metrics.black_background(read_picture(results.folder / f"{k}_real.png", results.size), sample["Masks"])
        if np.abs(truth.astype(int) - photo).max() > 1:
            raise BadInput(f"face {k} in {results.data} is not the one in {results.folder}: see --data.")
    return Batch(pictures, stack(own), stack(other))


def read_sample(results: Results, k: int, labels: bool) -> dict[str, np.ndarray]:
    """Face k of the prepared folder: Image, Masks, Colors, face_id, box, and Labels if labels. Masks and Colors are
    those of the seven regions, also of a folder of the 18 parts: so runs on either are judged by the same."""
    s, n = results.size, results.region_count
    shapes = {"Image": (s, s, 3), "Masks": (s, s, n), "Colors": (n, 3), **({"Labels": (s, s)} if labels else {})}
    sample = dict(zip(shapes, prepared.read_npz(results.data / "samples" / f"{k}.npz", **shapes), strict=True))
    if n != len(REGIONS):
        sample["Masks"] = seven_regions(sample["Masks"])
        sample["Colors"] = mean_colors(sample["Image"], sample["Masks"])
    face_id, box = prepared.read_npz(results.data / "face_ids" / f"{k}.npz", face_id=(128,), box=(4,))
    return sample | {"face_id": face_id, "box": box}


def read_face(results: Results, k: int, kind: str, sample: dict) -> np.ndarray:
    """One picture of face k, (S, S, 3) uint8, its background black. sample: the face whose map it follows."""
    picture = sample["Image"] if kind == "real" else read_picture(results.folder / f"{k}_{kind}.png", results.size)
    return metrics.black_background(picture, sample["Masks"])


def stack(samples: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
