"""samples/<k>.npz -> face_ids/<k>.npz: dlib's 128 numbers for the person in the picture.

    python face_recognition/face_recognition.py

dlib's frontal face detector (one upsampling), 5-point landmarks and ResNet v1 descriptor (King, Dlib-ml, JMLR 10,
2009); two pictures of one person are usually less than 0.6 apart (Euclidean). Of several faces the largest counts.
Where none is found the whole frame is taken, for these photographs are aligned; detected is then False and
face_ids/report.csv names the picture.
"""

import sys
from pathlib import Path

if not __package__:  # run as python face_recognition/face_recognition.py
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import facegan  # noqa: F401  first: from here on Ctrl-C ends this script with one line

# isort: split
from dataclasses import dataclass
from functools import cache, partial

import dlib
import numpy as np

from facegan import cli, files, jobs, prepared
from facegan.dlibfiles import DESCRIPTOR, LANDMARKS_5, model_file
from facegan.errors import BadInput

NOT_DETECTED = "not detected"


@dataclass
class Args(cli.BatchArgs):
    data: Path = Path("data/prepared")
    """prepared folder: reads samples/, writes face_ids/"""
    jitter: int = 0
    """average over this many randomly moved and mirrored copies (100 is usual, 100 x slower, never twice the same)"""


@dataclass(frozen=True)
class Networks:
    detector: object
    landmarks: object
    descriptor: object


@cache
def load_networks() -> Networks:
    """dlib's detector, 5-point predictor and descriptor, once a process. Raises BadInput without the weights."""
    return Networks(
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(model_file(LANDMARKS_5))),
        dlib.face_recognition_model_v1(str(model_file(DESCRIPTOR))),
    )


def load_networks_once() -> None:
    load_networks()


def face_id(image: np.ndarray, jitter: int = 0) -> tuple[np.ndarray, bool, np.ndarray]:
    """The face ID of an RGB picture, (H, W, 3) uint8.

    Returns face_id (128,) float32; detected; box (4,) int32 left, top, right, bottom in pixels, which may reach
    over the edge. jitter: see Args.
    """
    networks = load_networks()
    height, width, _ = image.shape
    boxes = networks.detector(image, 1)
    box = max(boxes, key=lambda b: b.area(), default=dlib.rectangle(0, 0, width - 1, height - 1))
    shape = networks.landmarks(image, box)
    numbers = networks.descriptor.compute_face_descriptor(image, shape, jitter)
    return (
        np.array(numbers, np.float32),
        bool(boxes),
        np.array([box.left(), box.top(), box.right(), box.bottom()], np.int32),
    )


def embed(k: int, data: Path, jitter: int) -> str:
    """Read samples/<k>.npz and write face_ids/<k>.npz. Raises BadInput for a damaged sample."""
    s, note = prepared.working_size(data), prepared.made_from(data, "face_ids", k)
    (image,) = prepared.read_npz(data / "samples" / f"{k}.npz", Image=(s, s, 3))
    numbers, detected, box = face_id(image, jitter)
    values = dict(face_id=numbers, detected=np.array(detected), box=box)
    prepared.write_npz(data / "face_ids" / f"{k}.npz", made_from=note, **values)
    return jobs.DONE if detected else NOT_DETECTED


def main() -> int:
    args = cli.parse(Args, description=__doc__)
    if args.jitter < 0:
        raise BadInput(f"--jitter {args.jitter}: expected 0 or more.")
    numbers = prepared.sample_indices(args.data)
    files.claim(
        args.data / "face_ids" / "settings.json",
        f"delete {args.data / 'face_ids'} to embed all faces again.",
        jitter=args.jitter,
    )
    return jobs.run(
        partial(embed, data=args.data, jitter=args.jitter),
        {k: k for k in numbers},
        args.data / "face_ids",
        workers=args.workers,
        overwrite=args.overwrite,
        keep_going=args.keep_going,
        part=args.shard,
        made_from=args.data / "samples",
        prepare_worker=load_networks_once,
    )


if __name__ == "__main__":
    cli.run(main)
