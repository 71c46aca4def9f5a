"""A person's own photograph: read it, find the face, cut it out as CelebA-HQ's photographs are cut. No TensorFlow.

Positions are (x, y) in pixels from the upper left corner of the picture: the middle of the first pixel is (0.5, 0.5).
"""

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import dlib
import numpy as np

from facegan import picture_files
from facegan.dlibfiles import LANDMARKS_68, model_file
from facegan.errors import BadInput

EYES, MOUTH = ((36, 42), (42, 48)), (48, 54)
"""Of dlib's 68 points: six around each eye, the viewer's left one first, and the two corners of the mouth."""

# The published crop has 0.1, 2.0 and 1.8 (Karras et al., ICLR 2018, appendix C, there as whole sides 4.0 and 3.6), for
# the points that people set in CelebA. dlib's lie a little apart: on CelebA-HQ photographs, which are cut already, the
# published numbers gave a frame 3.5 pixels of 512 too low and 1.2 % too small (mean of 107). With these the mean of 213
# is off by 0.3 pixels and 0.1 %, and half of the frames are within 1.9 pixels, 1.4 % and 0.5 degrees.
DOWN, EYE_SIDE, MOUTH_SIDE = 0.073, 2.024, 1.8216

FACE_BOX = dlib.rectangle(100, 157, 404, 460)
"""Where dlib's detector sees the face in a CelebA-HQ photograph of 512 x 512, in the mean."""

BOXES = [
    dlib.rectangle(FACE_BOX.left() + x - s, FACE_BOX.top() + y - s, FACE_BOX.right() + x + s, FACE_BOX.bottom() + y + s)
    for s in (-16, 0, 16)
    for x, y in ((0, 0), (12, 0), (-12, 0), (0, 12), (0, -12))
]
"""dlib's points jump by some pixels with the box they are looked for in: the mean of 15 boxes hardly does."""
SIDE, ROUNDS = 512, 3
"""Side of the cut-out in which landmarks are found again, and how often."""


@dataclass(frozen=True)
class Frame:
    """A square in a photograph: its centre, and the way from there to the middle of its right edge, (2,) each."""

    center: np.ndarray
    right: np.ndarray

    @property
    def side(self) -> float:
        return 2 * float(np.hypot(*self.right))

    def to_photo(self, points: np.ndarray, size: int) -> np.ndarray:
        """Positions in the cut-out, (..., 2) in 0..size -> positions in the photograph."""
        across, down = np.moveaxis(np.asarray(points, float) / size * 2 - 1, -1, 0)
        return self.center + across[..., None] * self.right + down[..., None] * turned(self.right)


def turned(v: np.ndarray) -> np.ndarray:
    """A vector a quarter turn on, from right to down."""
    return np.array([-v[1], v[0]])


def read_photo(path: Path) -> np.ndarray:
    """Any photograph as (H, W, 3) uint8 sRGB, upright as its EXIF block says, transparent parts black. Raises BadInput
    when it cannot be read."""
    return picture_files.read_photo(picture_files.read(path, str(path)), str(path))


def load_networks() -> tuple[dlib.fhog_object_detector, dlib.shape_predictor]:
    """dlib's detector, once a thread, and 68-point predictor, once a process. Raises BadInput without the weights."""
    if not hasattr(OF_THREAD, "detector"):
        OF_THREAD.detector = dlib.get_frontal_face_detector()
    return OF_THREAD.detector, load_predictor()


OF_THREAD = threading.local()
"""A detector holds the picture that it searches, and lets other threads run meanwhile."""


@cache
def load_predictor() -> dlib.shape_predictor:
    return dlib.shape_predictor(str(model_file(LANDMARKS_68)))


def landmarks(picture: np.ndarray, box: dlib.rectangle) -> np.ndarray:
    """dlib's 68 points of the face in a box, (68, 2)."""
    # no half pixel is added: with it the frames of real faces lay 0.6 pixels to the right, as if the points that dlib
    # learnt from counted from 1
    return np.array([(p.x, p.y) for p in load_networks()[1](picture, box).parts()], float)


def frame_of(points: np.ndarray) -> Frame:
    """The square that CelebA-HQ cuts around a face with these 68 points (Karras et al., ICLR 2018, appendix C)."""
    left_eye, right_eye = (points[a:b].mean(0) for a, b in EYES)
    eyes, mouth = (left_eye + right_eye) / 2, points[list(MOUTH)].mean(0)
    across, down = right_eye - left_eye, mouth - eyes
    right = across - turned(down)  # both say where right is; their sum is surer
    right *= max(np.hypot(*across) * EYE_SIDE, np.hypot(*down) * MOUTH_SIDE) / np.hypot(*right)
    return Frame(eyes + DOWN * down, right)


def find_face(photo: np.ndarray) -> tuple[Frame, int]:
    """The frame of the largest face in a photograph, (H, W, 3) uint8, and how many faces there are.

    The points are found again in the cut-out: upright and always at one place there, they hardly depend on how the face
    lay in the photograph. Raises BadInput when no face is found.
    """
    detector, _ = load_networks()
    longest = max(photo.shape[:2])
    # A photograph as it comes may have 50 megapixels or a face of 40 pixels. Most are found at a moderate size; a small
    # face in a large picture at the second try.
    for side in (min(max(longest, 512), 1024), 2560):
        small = resized(photo, side / longest) if side <= max(longest, 512) else photo
        if boxes := detector(small, 1):
            break
    else:
        raise BadInput("no face found: take a photograph that shows it upright and from the front")
    largest = max(boxes, key=lambda box: box.area())
    frame = frame_of(landmarks(small, largest) * (longest / max(small.shape[:2])))
    for _ in range(ROUNDS):
        face = cut_out(photo, frame, SIDE)
        frame = frame_of(frame.to_photo(np.mean([landmarks(face, box) for box in BOXES], 0), SIDE))
    return frame, len(boxes)


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    """A picture scaled by a factor; area-resampled when that makes it smaller."""
    height, width = (max(1, round(n * factor)) for n in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


def cut_out(photo: np.ndarray, frame: Frame, size: int) -> np.ndarray:
    """What a frame shows, (size, size, 3) uint8.

    Where the frame leaves the photograph, that is mirrored at its edge and blurred, as in CelebA-HQ: the parser has
    seen such edges, and black ones are for it what a mask has cut away.
    """
    pixels = 2 * size  # drawn at twice the size, then averaged: neither jagged nor soft
    factor = min(1.0, pixels / frame.side)
    corners = frame.to_photo(np.array([(0, 0), (1, 0), (0, 1)]), 1)
    origin, across, down = corners[0], (corners[1] - corners[0]) / pixels, (corners[2] - corners[0]) / pixels
    matrix = np.stack([across, down, origin + (across + down) / 2], 1)  # pixel of the cut-out -> position in the photo
    source = resized(photo, factor) if factor < 1 else photo
    scale = np.array(source.shape[1::-1]) / photo.shape[1::-1]
    fine = cv2.warpAffine(
        source,
        matrix * scale[:, None] - [[0, 0, 0.5]],
        (pixels, pixels),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    cut = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    grid = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), -1)  # (size, size, 2)
    x, y = np.moveaxis(frame.to_photo(grid, size), -1, 0)
    height, width = photo.shape[:2]
    outside = np.max([-x, x - width, -y, y - height], 0) / frame.side  # (size, size), in sides of the frame
    if outside.max() <= 0:
        return cut
    share = np.clip(outside / 0.04, 0, 1)[..., None]  # the blur sets in softly
    blurred = cv2.GaussianBlur(cut, (0, 0), 0.03 * size, borderType=cv2.BORDER_REFLECT)
    return (cut * (1 - share) + blurred * share).round().astype(np.uint8)
