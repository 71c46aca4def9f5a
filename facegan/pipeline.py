"""tf.data parts: packed records, decode, second maps, flips.

A record is one face as raw bytes, packed/<k>.bin beside samples/: image (S, S, 3), region bits (S, S), 21 colour
numbers and 128 face-ID numbers (float32). TensorFlow reads any record in any order without Python, and the
operating system keeps in memory what fits.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from facegan import prepared
from facegan.errors import BadInput
from facegan.regions import REGIONS

FACE_ID = 128
COLORS = 3 * len(REGIONS)


def pack(data: Path, numbers: list[int], size: int) -> None:
    """Bring packed/<k>.bin up to date with samples/ and face_ids/. Raises BadInput when a sample is of another size."""
    there = prepared.describe(data)["size"]
    if there != size:
        raise BadInput(
            f"{data} is prepared at size {there}, asked for is --size {size}: "
            f"run `python g_simple_mask.py --size {size} --out OTHER`, c_mask.py and face_recognition.py into another "
            f"folder and name it with --data, or use --size {there}."
        )
    (data / "packed").mkdir(exist_ok=True)
    prepared.remove_leftovers(data / "packed")
    stale = [k for k in numbers if not is_packed(data, k)]
    with ThreadPoolExecutor() as pool:
        list(tqdm(pool.map(lambda k: pack_one(data, k, size), stale), "packing", len(stale), disable=not stale))


def is_packed(data: Path, k: int) -> bool:
    """Whether record k is there and not older than the two files it is made from."""
    return prepared.is_current(
        data / "packed" / f"{k}.bin", *(data / folder / f"{k}.npz" for folder in ("samples", "face_ids"))
    )


def pack_one(data: Path, k: int, size: int) -> None:
    image, masks, colors = prepared.read_npz(
        data / "samples" / f"{k}.npz",
        Image=(size, size, 3),
        Masks=(size, size, len(REGIONS)),
        Colors=(len(REGIONS), 3),
    )
    (face_id,) = prepared.read_npz(data / "face_ids" / f"{k}.npz", face_id=(FACE_ID,))
    bits = np.packbits(masks, axis=-1, bitorder="little")  # (S, S, 1)
    numbers = np.concatenate([colors.ravel(), face_id]).astype("<f4")
    prepared.write_bytes(data / "packed" / f"{k}.bin", image.tobytes() + bits.tobytes() + numbers.tobytes())


def read_face(data: str, k: tf.Tensor, size: int) -> dict[str, tf.Tensor]:
    """Decode record k: image (S, S, 3) uint8, bits (S, S) uint8, colors (7, 3) in 0..1, face_id (128,) float32."""
    raw = tf.io.decode_raw(
        tf.io.read_file(tf.strings.join([data, "/packed/", tf.strings.as_string(k), ".bin"])), tf.uint8
    )
    pixels = size * size
    numbers = tf.bitcast(tf.reshape(raw[4 * pixels :], (COLORS + FACE_ID, 4)), tf.float32)
    return {
        "image": tf.reshape(raw[: 3 * pixels], (size, size, 3)),
        "bits": tf.reshape(raw[3 * pixels : 4 * pixels], (size, size)),
        "colors": tf.reshape(numbers[:COLORS], (len(REGIONS), 3)) / 255,
        "face_id": numbers[COLORS:],
    }


def unpack_masks(bits: tf.Tensor) -> tf.Tensor:
    """Region bits (..., S, S) uint8 -> masks (..., S, S, 7) float32 of 0/1."""
    shifts = tf.range(len(REGIONS), dtype=tf.int32)
    return tf.cast(tf.bitwise.right_shift(tf.cast(bits, tf.int32)[..., None], shifts) & 1, tf.float32)


def color_map(masks: tf.Tensor, colors: tf.Tensor) -> tf.Tensor:
    """facegan.regions.color_map on the device: masks (B, S, S, 7), colors (B, 7, 3) in 0..1 -> (B, S, S, 3) in 0..1."""
    _, s, _, r = masks.shape
    flat = tf.reshape(masks, (-1, s * s, r))
    sums = tf.matmul(flat, colors)  # (B, S*S, 3)
    return tf.reshape(tf.math.divide_no_nan(sums, tf.reduce_sum(flat, -1, keepdims=True)), (-1, s, s, 3))


def draw_others(numbers: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each face another one of the pool, which holds the faces too; none is drawn twice, and never itself."""
    shuffled = rng.permutation(pool)
    place = {k: i for i, k in enumerate(shuffled)}
    shift = rng.integers(1, len(shuffled))
    return np.array([shuffled[(place[k] + shift) % len(shuffled)] for k in numbers])
