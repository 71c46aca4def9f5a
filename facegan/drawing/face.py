"""A whole picture: who is on it, every layer back to front, and the photograph of that."""

import numpy as np

from facegan.drawing.accessories import paint_earrings, paint_glasses, paint_hat, paint_necklace
from facegan.drawing.canvas import Canvas
from facegan.drawing.clothes import paint_cloth
from facegan.drawing.features import paint_brow, paint_eye, paint_mouth, paint_nose
from facegan.drawing.hair import hair_sheets, paint_hair
from facegan.drawing.head import paint_body, paint_chin_shadow, paint_ears
from facegan.drawing.light import develop, paint_backdrop
from facegan.drawing.person import Person, Shot, make_person, make_shot
from facegan.drawing.shapes import Pose
from facegan.drawing.skin import paint_skin, skin_colour

VERSION = 1
"""Raise it when the same seed no longer gives the same picture."""

PICTURES_PER_PERSON = 3


def draw_face(
    seed: int, k: int, pictures_per_person: int = PICTURES_PER_PERSON
) -> tuple[np.ndarray, dict[str, np.ndarray], dict]:
    """Picture k of the sample with that seed.

    Returns the photograph, (512, 512, 3) uint8 RGB; its visible parts, name to bool (512, 512); and its `facts`.
    The result depends on the arguments alone. ValueError: a negative seed or k.
    """
    person, shot = cast_of(seed, k, pictures_per_person)
    rng = np.random.default_rng([seed, 3, k])
    pose = Pose(person.half_width, shot.yaw, shot.pitch, shot.roll)
    canvas = Canvas()
    paint_figure(canvas, person, shot, pose, rng)
    image = develop(canvas, shot, paint_backdrop(shot, rng), rng)
    return image, canvas.masks(), facts(seed, k, pictures_per_person)


def facts(seed: int, k: int, pictures_per_person: int = PICTURES_PER_PERSON) -> dict[str, int | float | str]:
    """What is on picture k, without drawing it; pictures of one person follow each other."""
    p, s = cast_of(seed, k, pictures_per_person)
    return {
        "person": k // pictures_per_person,
        "style": p.style,
        "hair": p.hair_name,
        "glasses": int(s.glasses),
        "hat": s.hat,
        "earrings": s.earrings,
        "necklace": s.necklace,
        "smile": round(s.smile, 2),
        "mouth_open": int(s.lip_gap > 0),
    }


def cast_of(seed: int, k: int, pictures_per_person: int) -> tuple[Person, Shot]:
    """Who is on picture k, and how."""
    person = make_person(seed, k // pictures_per_person)
    return person, make_shot(seed, k, person)


def paint_figure(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """Every layer, back to front."""
    sheets = hair_sheets(p, bool(s.hat))
    paint_hair(canvas, p, s, pose, [sheet for sheet in sheets if not sheet.front], rng)
    flesh = skin_colour(p, rng)
    paint_body(canvas, p, pose, flesh)
    paint_chin_shadow(canvas, p, s, pose)
    if s.necklace:
        paint_necklace(canvas, p, s, pose, rng)
    paint_cloth(canvas, p, s, pose, rng)
    paint_ears(canvas, p, pose, flesh)
    paint_skin(canvas, p, s, pose, flesh, rng)
    paint_nose(canvas, p, pose)
    paint_mouth(canvas, p, s, pose)
    for side in (1, -1):
        paint_eye(canvas, p, s, pose, side)
        paint_brow(canvas, p, s, pose, side, rng)
    if s.earrings:
        paint_earrings(canvas, p, s, pose, rng)
    if s.glasses:
        paint_glasses(canvas, p, s, pose)
    paint_hair(canvas, p, s, pose, [sheet for sheet in sheets if sheet.front], rng)
    if s.hat:
        paint_hat(canvas, p, s, pose, rng)
