"""Edit a face: paint and shape its map, recolour its regions, borrow from others. For notebooks, edit.py and its page.

    face, other = editing.read_face(data, 12), editing.read_face(data, 57)
    edit = editing.begin(face)
    edit = editing.borrow_region(edit, other.map, "hair")
    edit = editing.borrow_style(edit, other, "hair", 0.7)  # of a run that has style codes
    edit = editing.recolor(edit, "skin", editing.parse_color("#e0b090"))
    edit = editing.paint(edit, where, "mouth")  # where (S, S) bool
    edit = editing.close_eyes(editing.transform(edit, "nose", down=2, scale=1.2), 0.5)
    picture = editing.composite(edit, painter(edit))

Every function returns a new edit and leaves the old one as it was. A painter is any function edit -> picture
(S, S, 3) in 0..1: edit.py makes one of a trained run, and editing.inputs(edit) is what a model written by export.py
takes. S is the working size, R the number of regions: 7, or the 18 parts of a run on these. No TensorFlow.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facegan import labelmaps, prepared, regions
from facegan.editor import borrowing, compositing, oklab, parts, shaping
from facegan.editor.compositing import fill_gaps, grow
from facegan.errors import BadInput, brief
from facegan.regions import LABEL_NUMBERS, LABEL_REGION, PARTS, REGIONS, TABLES

NAMES = ("background", *REGIONS)
"""Number of a region in a grid -> its name, of seven regions; Edit.names has those of a face."""
REGION_WORDS = f"{', '.join(REGIONS)}; of a run on --parts {', '.join(PARTS)}"
"""What can be named before it is known which of the two a run is on."""
UNPAINTED, OWN = 255, 254
"""In a grid: as the map under it has it; as the photograph's own map has it, which is what an eraser leaves."""

BENEATH = ("background", "skin", "clothes")
"""What shows where a region was before another face's took its place."""
IS_BENEATH = np.isin(LABEL_REGION, [NAMES.index(name) for name in BENEATH])  # label id -> whether it is of these


class FaceMap(NamedTuple):
    """A map: masks (S, S, R) uint8 of 0/1, which may overlap; labels (S, S) uint8, CelebAMask-HQ ids 0..18."""

    masks: np.ndarray
    labels: np.ndarray

    @property
    def count(self) -> int:
        """R."""
        return self.masks.shape[-1]

    @property
    def regions(self) -> np.ndarray:
        """The region that each pixel shows, (S, S) uint8: 0 background, 1..R."""
        return LABEL_NUMBERS[self.count][self.labels]


class Original(NamedTuple):
    """The photograph that a face was cut from."""

    content: bytes
    """the file, as small as it came"""
    corners: np.ndarray
    """upper left, upper right and lower left corner of the cut-out, positions (x, y) in the photograph, (3, 2)"""


@dataclass(frozen=True, eq=False)  # equal to itself alone, so that what is computed of a face can be kept by it
class Face:
    """A prepared face: image (S, S, 3) uint8; its map; colors (R, 3) float32 in 0..255; face_id (128,) float32; the
    photograph that it was cut from, where that is known."""

    image: np.ndarray
    map: FaceMap
    colors: np.ndarray
    face_id: np.ndarray
    original: Original | None = None

    @cached_property
    def regions(self) -> np.ndarray:
        """The region that each pixel shows, (S, S) uint8: 0 background, 1..R."""
        return self.map.regions

    @cached_property
    def area(self) -> np.ndarray:
        """All but the background, (S, S) bool."""
        return union(self.map.masks)


class Style(NamedTuple):
    """Whose style a region has."""

    face: Face
    strength: float
    """0..1: how much of its style code and its mean colour is mixed with the edited face's own"""


@dataclass(frozen=True)
class Edit:
    """What a face is to become."""

    face: Face
    map: FaceMap
    """the map under what was painted: the face's own, or a borrowed one"""
    grid: np.ndarray
    """what was painted, (S, S) uint8: 0 background, 1..R a region (names), UNPAINTED or OWN"""
    colors: np.ndarray
    """(R, 3) float32 in 0..255"""
    face_id: np.ndarray
    """(128,) float32"""
    styles: dict[str, Style] = field(default_factory=dict)
    """by the names of the regions that have another face's"""

    @property
    def names(self) -> tuple[str, ...]:
        """Number of a region in the grid -> its name: the seven regions or the 18 parts, after the background."""
        return ("background", *TABLES[self.face.map.count])

    @cached_property
    def nose_follows(self) -> bool:
        """Whether the nose, which is skin to everybody but the dataset, takes the skin's colour and style: it has
        neither of its own."""
        nose = self.names.index("nose") - 1
        has_own = "nose" in self.styles or (self.colors[nose] != self.face.colors[nose]).any()
        return not has_own and bool(self.face.map.masks[..., nose].any())

    @cached_property
    def new_colors(self) -> np.ndarray:
        """colors, where the nose follows the skin shifted as that is."""
        skin, nose = (self.names.index(name) - 1 for name in ("skin", "nose"))
        if not self.nose_follows or (self.colors[skin] == self.face.colors[skin]).all():
            return self.colors
        colors = self.colors.copy()
        colors[nose] = oklab.shift(colors[[nose]], self.face.colors[skin], colors[skin])[0]
        return colors

    @cached_property
    def new_styles(self) -> dict[str, Style]:
        """styles, where the nose follows the skin with that of the same face's nose."""
        style = self.styles.get("skin")
        follows = style and self.nose_follows and style.face.map.masks[..., self.names.index("nose") - 1].any()
        return {**self.styles, "nose": style} if follows else self.styles

    @cached_property
    def under(self) -> FaceMap:
        """The map before anything was painted: the face's own where it was erased to, else `map`."""
        own = self.grid == OWN
        return FaceMap(
            np.where(own[..., None], self.face.map.masks, self.map.masks),
            np.where(own, self.face.map.labels, self.map.labels),
        )

    @cached_property
    def masks(self) -> np.ndarray:
        """The masks, (S, S, R) uint8: as prepared where nothing was painted, exactly the painted region where
        something was. The rim of a region that was painted over goes with it: prepared masks reach a pixel beyond what
        the label map shows, and would leave a ring of dots."""
        strokes, before, now = self.grid < OWN, self.under.regions, self.regions
        masks = self.under.masks.copy()
        masks[strokes] = np.eye(len(self.names), dtype=np.uint8)[self.grid[strokes], 1:]
        for number in np.unique(before[strokes & (before != now)]):
            if number:
                lost = grow(strokes & (before == number) & (now != number), 1)
                rim = lost & ~strokes & (before != number) & ~grow(now == number, 1)
                masks[rim, number - 1] = 0
        return masks

    @cached_property
    def regions(self) -> np.ndarray:
        """The region that each pixel shows, (S, S) uint8: 0 background, 1..R."""
        return np.where(self.grid < OWN, self.grid, self.under.regions)

    @cached_property
    def area(self) -> np.ndarray:
        """All but the background, (S, S) bool."""
        return union(self.masks)


def union(masks: np.ndarray) -> np.ndarray:
    """Masks (S, S, R) of 0/1 -> the pixels that any of them has, (S, S) bool; five times as fast as any(-1)."""
    return reduce(np.bitwise_or, np.moveaxis(masks, -1, 0)) > 0


# --- faces ------------------------------------------------------------------------------------------------------------


def face_numbers(data: Path) -> list[int]:
    """The faces of a prepared folder that can be edited. BadInput names the script to run when there are none, or when
    one has no face ID."""
    numbers = prepared.sample_indices(data)
    missing = set(numbers) - set(prepared.indices(data, "face_ids"))
    if missing:
        raise BadInput(
            f"{len(missing)} of {len(numbers)} samples in {data} have no face ID (first: {min(missing)}): run "
            f"`python {prepared.MAKERS['face_ids']} --data {data}`."
        )
    return numbers


def read_face(data: Path, k: int) -> Face:
    """Face k of a prepared folder. Raises BadInput when it is missing, damaged or of another format."""
    s = prepared.describe(data)["size"]
    n = prepared.region_count(data)
    image, masks, colors, labels = prepared.read_npz(
        data / "samples" / f"{k}.npz", Image=(s, s, 3), Masks=(s, s, n), Colors=(n, 3), Labels=(s, s)
    )
    (face_id,) = prepared.read_npz(data / "face_ids" / f"{k}.npz", face_id=(128,))
    return Face(image, FaceMap(masks, labels), colors, face_id)


def map_from_labels(labels: np.ndarray, size: int, kind: str = "overlapping") -> FaceMap:
    """Label ids on the 512 grid, (512, 512) uint8, as a map at the working size, as g_simple_mask.py makes it; kind: of
    regions, its --regions. Raises BadInput for an unknown id."""
    bits = regions.bits_from_labels(labels, prepared.REGION_COUNTS[kind])
    small = regions.shrink_labels(labels, size)
    return FaceMap(
        regions.masks_from_labels(small) if kind == "exclusive" else regions.masks_from_bits(bits, size), small
    )


# --- edits ------------------------------------------------------------------------------------------------------------


def begin(face: Face) -> Edit:
    """The edit that changes nothing."""
    return Edit(face, face.map, np.full(face.map.labels.shape, UNPAINTED, np.uint8), face.colors, face.face_id)


def paint(edit: Edit, where: np.ndarray, region: str) -> Edit:
    """where (S, S) bool becomes a region, or "background". A pixel that shows it already stays as it is: a region that
    is painted over itself is no edit."""
    number = np.uint8(edit.names.index(region))
    return replace(edit, grid=np.where(where & (edit.regions != number), number, edit.grid))


def erase(edit: Edit, where: np.ndarray) -> Edit:
    """where (S, S) bool becomes what the photograph's own map has there."""
    return replace(edit, grid=np.where(where, np.uint8(OWN), edit.grid))


def recolor(edit: Edit, region: str, color: np.ndarray) -> Edit:
    """Give a region another colour, (3,) RGB in 0..255."""
    check_region(edit, region)
    colors = edit.colors.copy()
    colors[edit.names.index(region) - 1] = color
    return replace(edit, colors=colors)


def borrow(edit: Edit, other: Face, what: str) -> Edit:
    """Borrow from another face: a region by its name, "map", "colors" or "identity". Raises BadInput for others; styles
    are borrowed with borrow_style()."""
    if what in edit.names[1:]:
        return borrow_region(edit, other.map, what)
    if what == "map":
        return borrow_map(edit, other.map)
    if what in ("colors", "identity"):
        return (borrow_colors if what == "colors" else borrow_identity)(edit, other)
    raise BadInput(f"cannot borrow {brief(what)!r}: there are {', '.join(edit.names[1:])}, map, colors and identity.")


def borrow_map(edit: Edit, other: FaceMap) -> Edit:
    """Another face's whole map; what was painted before goes."""
    return replace(edit, map=other, grid=np.full_like(edit.grid, UNPAINTED))


def borrow_region(edit: Edit, other: FaceMap, region: str) -> Edit:
    """One region of another map, moved and scaled to this face, without slits between it and the head: see
    borrowing.place(). Where the old one was and the new one is not, what lies beneath shows: borrowing.beneath(). What
    was painted of the region goes, and what earlier borrowing left where it was."""
    number, rest = edit.names.index(region), LABEL_NUMBERS[edit.face.map.count][IS_BENEATH]
    is_rest = (edit.under.regions == number) & np.isin(edit.grid, rest)
    edit = replace(edit, grid=np.where(is_rest | (edit.grid == number), np.uint8(UNPAINTED), edit.grid))
    return show(edit, borrowing.place(number, other.labels, edit.masks, labels(edit)))


def show(edit: Edit, regions: np.ndarray) -> Edit:
    """Paint a whole map of regions, (S, S) uint8; what shows already stays as it is."""
    return replace(edit, grid=np.where(regions == edit.regions, edit.grid, regions))


def transform(edit: Edit, name: str, **how: float) -> Edit:
    """Move, scale, turn or mirror a region or part, by its name in shaping.NAMES: right and down in pixels, scale, turn
    in degrees clockwise, mirror: see shaping.transform(). Raises BadInput."""
    return show(edit, shaping.transform(edit.masks, labels(edit), name, **how))


def open_mouth(edit: Edit, amount: float) -> Edit:
    """Open the mouth, amount 0..1, or close it, -1..0: see shaping.open_mouth(). Raises BadInput."""
    return show(edit, shaping.open_mouth(edit.masks, labels(edit), amount))


def close_eyes(edit: Edit, amount: float) -> Edit:
    """Close the eyes, amount 0..1, or open them wide, -1..0: see shaping.close_eyes(). Raises BadInput."""
    return show(edit, shaping.close_eyes(edit.masks, labels(edit), amount))


def lengthen_hair(edit: Edit, amount: float) -> Edit:
    """Let the hair grow, amount 0..1, or cut it, -1..0: see shaping.lengthen_hair(). Raises BadInput."""
    return show(edit, shaping.lengthen_hair(edit.masks, labels(edit), amount))


def borrow_colors(edit: Edit, other: Face) -> Edit:
    """Another face's colours, of the regions that it has."""
    has_region = other.map.masks.any((0, 1))
    return replace(edit, colors=np.where(has_region[:, None], other.colors, edit.colors))


def borrow_identity(edit: Edit, other: Face) -> Edit:
    """Another person's face ID."""
    return replace(edit, face_id=other.face_id)


def borrow_style(edit: Edit, other: Face, region: str, strength: float = 1.0) -> Edit:
    """Another face's style of a region: colour, texture and light, but not the shape; strength in 0..1. Raises BadInput
    where either of the two shows nothing of the region."""
    edited = set_style(edit, other, region, strength)
    if not (edit.regions == edit.names.index(region)).any():
        raise BadInput(f"this map shows no {region}: paint or borrow some first.")
    return edited


def set_style(edit: Edit, other: Face, region: str, strength: float) -> Edit:
    """borrow_style(), also while the edited map shows nothing of the region."""
    check_style(region, strength)
    check_region(edit, region)
    if not other.map.masks[..., edit.names.index(region) - 1].any():
        raise BadInput(f"the other face has no {region} to borrow the style of: take another face or region.")
    return replace(edit, styles={**edit.styles, region: Style(other, strength)})


def check_region(edit: Edit, region: str) -> None:
    """Raise BadInput for a region that faces here do not have."""
    if region not in edit.names[1:]:
        raise BadInput(f"there is no {brief(region)!r} here: the regions are {', '.join(edit.names[1:])}.")


def check_style(region: str, strength: float) -> None:
    """Raise BadInput for a style that no face has, of regions or of parts."""
    if region not in (*REGIONS, *PARTS):
        raise BadInput(f"no style of {brief(region)!r}: the regions are {REGION_WORDS}.")
    if not 0 <= strength <= 1:
        raise BadInput(f"the strength of a style goes from 0 to 1, not {brief(strength)}.")


def parse_color(text: str) -> np.ndarray:
    """ "#8a3b1f" -> (3,) float32 in 0..255. Raises BadInput."""
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise BadInput(f"{brief(text)!r} is no colour: write it as #rrggbb, for instance #8a3b1f.")
    return np.array(list(bytes.fromhex(text.removeprefix("#"))), np.float32)


def color_text(color: np.ndarray) -> str:
    """(3,) in 0..255 -> "#8a3b1f"."""
    return "#" + bytes(np.clip(np.rint(color), 0, 255).astype(np.uint8)).hex()


# --- what an edit gives -----------------------------------------------------------------------------------------------


def inputs(edit: Edit) -> dict[str, np.ndarray]:
    """A generator's inputs, of one face, as export.py's models take them: masks (1, S, S, R), colors (1, R, 3) and
    photo (1, S, S, 3) in 0..1, face_id (1, 128), float32; and strengths (1, R + 1) of style_codes.mixing(). A model of
    few inputs takes those it has."""
    colors, strengths = edit.new_colors.copy(), np.zeros(len(edit.names))
    for region, style in edit.new_styles.items():
        i = edit.names.index(region) - 1
        strengths[i] = style.strength
        if (colors[i] == edit.face.colors[i]).all():  # a colour that was chosen stays
            share = style.strength if edit.face.map.masks[..., i].any() else 1  # else there is no own one to mix
            colors[i] = (1 - share) * colors[i] + share * style.face.colors[i]
    values = {
        "masks": edit.masks,
        "colors": colors / 255,
        "face_id": edit.face_id,
        "photo": edit.face.image / np.float32(255),
        "strengths": strengths,
    }
    return {name: x[None].astype(np.float32) for name, x in values.items()}


def paint_weights(edit: Edit) -> np.ndarray:
    """How much of each pixel the generator paints when the rest of the photograph is kept, (S, S) float32 in 0..1: all
    of the face for another identity or another map under it, else what compositing.repaint_weights() says, and all of
    a region with another style with the pixel around, which is a mixture; 0 in the background."""
    has_own_map = np.array_equal(edit.under.labels, edit.face.map.labels)
    if not has_own_map or not np.array_equal(edit.face_id, edit.face.face_id):  # old shadows would be bruises there
        return edit.area.astype(np.float32)
    weights = compositing.repaint_weights(edit.face.regions, edit.regions, edit.face.map.count)
    return np.maximum(weights, compositing.fade(is_styled(edit), 1)) * edit.area


def is_styled(edit: Edit) -> np.ndarray:
    """Which pixels show a region with another style, (S, S) bool."""
    numbers = [edit.names.index(region) for region, style in edit.new_styles.items() if style.strength]
    return np.isin(edit.regions, numbers)


def recolor_weights(edit: Edit) -> dict[int, np.ndarray]:
    """Number of a region with another colour -> how much of each pixel of the photograph takes it, (S, S) float32 in
    0..1. Only pixels that show the region count: eyes, mouth and accessories lie over the skin, and stay."""
    numbers = 1 + np.flatnonzero((edit.new_colors != edit.face.colors).any(-1))
    return compositing.recolor_weights(edit.face.regions, edit.regions, numbers)


def bare_background(edit: Edit) -> np.ndarray:
    """Background that becomes visible only now, and S / 64 pixels around, where single hairs may stand, (S, S) bool."""
    gap = edit.face.area & ~edit.area
    return grow(gap, len(gap) // 64) & ~edit.area


def changed_pixels(edit: Edit) -> np.ndarray:
    """Where the result can differ from the photograph when the rest of it is kept, (S, S) bool."""
    changed = (paint_weights(edit) > 0) | bare_background(edit)
    for weights in recolor_weights(edit).values():
        changed |= weights > 0
    return changed


class Layers(NamedTuple):
    """What composite() lays over a photograph, one after the other."""

    recolored: dict[int, np.ndarray]
    """number of a region -> how much of each pixel takes its new colour, (S, S) float32 in 0..1"""
    base: np.ndarray
    """the photograph after that, (S, S, 3) float32 in 0..255"""
    bare: np.ndarray
    """background that becomes visible only now, (S, S) bool"""
    filling: np.ndarray
    """what shows there, (S, S, 3) float32 in 0..255"""
    weights: np.ndarray
    """how much of each pixel is painted, (S, S) float32 in 0..1"""
    picture: np.ndarray
    """what is painted there, (S, S, 3) float32 in 0..255"""


def layers(edit: Edit, generated: np.ndarray, keep: bool) -> Layers:
    """See composite()."""
    face, picture, recolored = edit.face, np.clip(generated, 0, 1).astype(np.float32) * 255, {}
    weights = paint_weights(edit) if keep else edit.area.astype(np.float32)
    base = face.image.astype(np.float32)
    if keep:
        recolored = recolor_weights(edit)
        base = compositing.recolor(face.image, recolored, face.colors, edit.new_colors)
        shares = np.where(is_styled(edit), np.float32(1), weights)  # which keeps the style's colours
        picture = compositing.match_colors(picture, base, face.regions, edit.regions, shares)
    bare = bare_background(edit)
    filling = fill_gaps(base, ~grow(face.area, len(base) // 64)) if bare.any() else base
    return Layers(recolored, base, bare, filling, weights, picture)


def composite(edit: Edit, generated: np.ndarray, keep: bool = True) -> np.ndarray:
    """The result, (S, S, 3) uint8, of what a generator made of the edit, (S, S, 3) in 0..1.

    keep: what changes is painted by its weight of paint_weights(), in the photograph's local colours, or in its own
    where the style is another face's; a recoloured region is the photograph's own in another colour; all other pixels
    are the photograph's, to the bit. Otherwise the whole face is as generated. The background is the photograph's
    either way; where it becomes visible only now, it is filled smoothly from what the photograph shows of it.
    """
    _, base, bare, filling, weights, picture = layers(edit, generated, keep)
    base = np.where(bare[..., None], filling, base)
    mixed = base + (picture - base) * weights[..., None]
    return np.rint(mixed).astype(np.uint8)


def labels(edit: Edit) -> np.ndarray:
    """The edited map in CelebAMask-HQ ids, (S, S) uint8. An unpainted pixel keeps its part; a painted one gets the
    nearest part of its region in the map under it, else the region's first; of eyes, brows and ears the person's own
    side, also when the map has only one of the two. Of a map of parts it is what was painted."""
    if edit.face.map.count == len(PARTS):
        return edit.regions
    under, result = edit.under.labels, edit.under.labels.copy()
    for number in np.unique(edit.grid[edit.grid < OWN]):
        strokes = edit.grid == number
        result[strokes] = parts.of_region(under, number)[strokes]
    return result


def full_labels(small: np.ndarray) -> np.ndarray:
    """Label ids at the working size on CelebAMask-HQ's 512 grid, which regions.shrink_labels brings back exactly."""
    step = regions.MASK_SIZE // len(small)
    return small.repeat(step, 0).repeat(step, 1)


def colored(edit: Edit) -> np.ndarray:
    """The edited map in the dataset's own colours, (512, 512, 3) uint8."""
    return (labelmaps.colored(full_labels(labels(edit))) * 255).round().astype(np.uint8)


def sample(edit: Edit, picture: np.ndarray) -> dict[str, np.ndarray]:
    """The edited face as the arrays of samples/<k>.npz: the result as Image, Masks, Labels, and Colors, which as in
    every sample are the means of Image, not the colours of the edit."""
    masks = edit.masks
    return dict(Image=picture, Masks=masks, Colors=regions.mean_colors(picture, masks), Labels=labels(edit))
