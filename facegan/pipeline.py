"""tf.data parts: packed records, second maps, masks and colour maps on the device.

A record is one face as raw bytes, packed/<k>.bin beside samples/: image (S, S, 3), region bits (S, S), 3 colour numbers
a region and 128 face-ID numbers (float32). The bits of seven regions are one byte a pixel, those of eighteen parts
three. TensorFlow reads any record in any order without Python. What parse_face.py reads, image and label map, lies in
packed_labels/ in the same manner, for it needs no face IDs.

Each ends in a trailer of 32 bytes: "face", RECORD_FORMAT, the checksums of up to four arrays that it was made from, and
a fingerprint of all that, which is compared whenever it is read.
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from facegan import devices, files, prepared
from facegan.errors import BadInput
from facegan.regions import MIRRORED_REGION, PARTS, REGIONS

FACE_ID = 128
LEFT = sum(1 << i for i in range(len(PARTS)) if MIRRORED_REGION[len(PARTS)][i] == i + 1)
RIGHT = 2 * LEFT
"""The bits of the person's left eye, brow and ear among the eighteen parts; of each pair the right one comes next."""
RECORD_FORMAT = 2
"""Records of another format are made anew; those of the first had no trailer."""
TRAILER, FINGERPRINT = 32, 8
"""Bytes at the end of a record, and at the end of these."""
DAMAGED = "is damaged: delete it, and the same command makes it again"


def pack(records: type["Records"], data: Path, numbers: list[int], size: int) -> None:
    """Bring the records of a kind up to date with what they are made from. Raises BadInput when a sample is of another
    size."""
    check_size(data, size)
    folder = data / records.FOLDER
    folder.mkdir(exist_ok=True)
    files.remove_leftovers(folder)
    length = records.record_bytes(size, prepared.region_count(data)) + TRAILER
    stale = [k for k in numbers if not is_packed(records, data, k, length)]

    def pack_one(k):
        about = records_trailer(records, data, k)  # first: a sample that changes meanwhile is packed again next time
        record = records.encode(data, k, size) + about
        files.write_bytes(folder / f"{k}.bin", record + fingerprint(record))

    for _ in tqdm(in_threads(pack_one, stale), "packing", len(stale), disable=not stale):
        pass


def in_threads(work: Callable, items: Iterable) -> Iterator:
    """map(work, items) in several threads; when one fails, or Ctrl-C comes, those that have not begun never do."""
    pool = ThreadPoolExecutor()
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def check_size(data: Path, size: int) -> None:
    """Raise BadInput when a folder is prepared at another size."""
    prepared_size = prepared.describe(data)["size"]
    if prepared_size != size:
        raise BadInput(
            f"{data} is prepared at size {prepared_size}, not --size {size}: "
            f"run `python g_simple_mask.py --size {size} --out OTHER` and face_recognition.py into another folder, "
            f"and name it with --data, or use --size {prepared_size}."
        )


def is_packed(records: type["Records"], data: Path, k: int, length: int) -> bool:
    """Whether record k exists, has that length, trailer included, and was made from the arrays as they are now; what it
    holds is compared with its fingerprint when it is read. Raises BadInput when the arrays are missing or damaged."""
    path = data / records.FOLDER / f"{k}.bin"
    if not path.is_file() or path.stat().st_size != length:
        return False
    with path.open("rb") as file:
        file.seek(-TRAILER, 2)
        return file.read(TRAILER - FINGERPRINT) == records_trailer(records, data, k)


def records_trailer(records: type["Records"], data: Path, k: int) -> bytes:
    """The trailer of record k, without its fingerprint."""
    sums = []
    for folder, names in records.MADE_FROM:
        sums += prepared.checksums(data / folder / f"{k}.npz", *names)
    return struct.pack("<4sI4I", b"face", RECORD_FORMAT, *sums, *[0] * (4 - len(sums)))


def fingerprint(record: bytes) -> bytes:
    """TensorFlow's fingerprint of some bytes (FarmHash64), which it computes at the speed of memory."""
    with tf.device("CPU"):
        return tf.fingerprint(np.frombuffer(record, np.uint8)[None]).numpy().tobytes()


def record_bytes(size: int, regions: int = len(REGIONS)) -> int:
    """Bytes of a record: photo, region bits, colours and face ID."""
    return (3 + bits_bytes(regions)) * size * size + 4 * (3 * regions + FACE_ID)


def bits_bytes(regions: int) -> int:
    """Bytes that the bits of this many regions take."""
    return -(-regions // 8)


class Records:
    """The packed records of some faces: all in memory when they take less than half of what is free there, else read
    from disk, where the operating system keeps what it can.

    cache: "auto" as above, "on" always in memory, "off" never.
    """

    FOLDER = "packed"
    MADE_FROM = ("samples", ("Image", "Masks", "Colors")), ("face_ids", ("face_id",))
    record_bytes = staticmethod(record_bytes)

    def __init__(self, data: Path, numbers: list[int], size: int, cache: str = "auto"):
        """Packs the records first where needed; numbers ascend. Raises BadInput as pack() does."""
        if devices.is_chief():
            pack(type(self), data, numbers, size)
        devices.wait_for_all_machines()  # the others wait for the chief
        self.data, self.numbers, self.size = data, tf.constant(numbers, tf.int64), size
        self.regions = prepared.region_count(data)
        self.bytes = self.record_bytes(size, self.regions)
        fits = len(numbers) * self.bytes < free_memory() / 2
        self.in_memory = self.load() if cache == "on" or (cache == "auto" and fits) else None

    def load(self) -> tf.Tensor:
        """All records, (N, bytes) uint8, in the computer's memory. Raises BadInput for a damaged one."""
        rows = np.empty((len(self.numbers), self.bytes), np.uint8)

        def read(i):
            path = self.data / self.FOLDER / f"{self.numbers[i]}.bin"
            record = files.read_bytes(path)
            if len(record) != self.bytes + TRAILER or fingerprint(record[:-FINGERPRINT]) != record[-FINGERPRINT:]:
                raise BadInput(f"{path} {DAMAGED}.")
            rows[i] = np.frombuffer(record, np.uint8, self.bytes)

        for _ in in_threads(read, range(len(rows))):
            pass
        with tf.device("CPU"):
            return tf.convert_to_tensor(rows)

    def read(self, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Face k, as decode() says. TensorFlow raises InvalidArgumentError for a damaged record."""
        if self.in_memory is None:
            folder = os.fsencode(self.data / self.FOLDER)  # a name need not be UTF-8
            path = tf.strings.join([folder, "/", tf.strings.as_string(k), ".bin"])
            raw = tf.io.decode_raw(tf.io.read_file(path), tf.uint8, fixed_length=self.bytes + TRAILER)
            same = tf.reduce_all(tf.fingerprint(raw[None, :-FINGERPRINT])[0] == raw[-FINGERPRINT:])
            tf.debugging.Assert(same, [tf.strings.join([path, f" {DAMAGED}"])])  # devices makes a sentence of it
            raw = raw[: self.bytes]
        else:
            raw = self.in_memory[tf.searchsorted(self.numbers, [k])[0]]
        return self.decode(raw)

    @staticmethod
    def encode(data: Path, k: int, size: int) -> bytes:
        """The record of face k. Raises BadInput for a damaged file."""
        n = prepared.region_count(data)
        shapes = dict(Image=(size, size, 3), Masks=(size, size, n), Colors=(n, 3))
        image, masks, colors = prepared.read_npz(data / "samples" / f"{k}.npz", **shapes)
        (face_id,) = prepared.read_npz(data / "face_ids" / f"{k}.npz", face_id=(FACE_ID,))
        bits = np.packbits(masks, axis=-1, bitorder="little")  # (S, S, 1), of parts (S, S, 3)
        numbers = np.concatenate([colors.ravel(), face_id]).astype("<f4")
        return image.tobytes() + bits.tobytes() + numbers.tobytes()

    def decode(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """A record: image (S, S, 3) uint8, bits (S, S) uint8 of seven regions or int32 of eighteen parts, colors (R, 3)
        in 0..1, face_id (128,), in keras.config.floatx()."""
        shape, colors = (self.size, self.size), 3 * self.regions
        image, bits, numbers = tf.split(raw, [3 * self.size**2, bits_bytes(self.regions) * self.size**2, -1])
        bits = tf.reshape(bits, (*shape, -1))  # (S, S, 1), of parts (S, S, 3)
        if self.regions == len(REGIONS):
            bits = bits[..., 0]
        else:  # TensorFlow shifts no larger unsigned numbers
            bits = tf.reduce_sum(tf.cast(bits, tf.int32) * [1, 1 << 8, 1 << 16], -1)
        numbers = tf.bitcast(tf.reshape(numbers, (colors + FACE_ID, 4)), tf.float32)
        numbers = tf.cast(numbers, keras.config.floatx())
        return {
            "image": tf.reshape(image, (*shape, 3)),
            "bits": bits,
            "colors": tf.reshape(numbers[:colors], (self.regions, 3)) / 255,
            "face_id": numbers[colors:],
        }


class LabelRecords(Records):
    """Photographs and their label maps, from samples/ alone."""

    FOLDER = "packed_labels"
    MADE_FROM = (("samples", ("Image", "Labels")),)

    @staticmethod
    def record_bytes(size: int, regions: int = len(REGIONS)) -> int:
        """Bytes of a record; whatever the masks' regions, a label map has one id a pixel."""
        return 4 * size * size

    @staticmethod
    def encode(data: Path, k: int, size: int) -> bytes:
        """The record of face k. Raises BadInput for a damaged file, or one prepared before label maps were kept."""
        image, labels = prepared.read_npz(data / "samples" / f"{k}.npz", Image=(size, size, 3), Labels=(size, size))
        return image.tobytes() + labels.tobytes()

    def decode(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """A record: image (S, S, 3) uint8, labels (S, S) uint8, ids 0..18."""
        pixels = self.size * self.size
        return {
            "image": tf.reshape(raw[: 3 * pixels], (self.size, self.size, 3)),
            "labels": tf.reshape(raw[3 * pixels :], (self.size, self.size)),
        }


def free_memory() -> int:
    """Bytes this process may still take: of the machine, and of the container or job it runs in."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = 1024 * int(lines["MemAvailable"].split()[0])
    top = Path("/sys/fs/cgroup")
    group = top / Path("/proc/self/cgroup").read_text().splitlines()[-1].split(":")[2].lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(top) and (folder / "memory.max").exists():
            limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
            if limit != "max":
                stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                free = min(free, int(limit) - int(used) + int(stat["inactive_file"]))  # cached files give way
    return free


def share(context: tf.distribute.InputContext, batch_size: int, first_step: int, *arrays: np.ndarray) -> list:
    """This machine's part of every whole batch from first_step on: each array, (N, ...), cut to its rows.

    Batches are cut into as many pieces as there are machines, so that together they see what one machine would.
    """
    steps = len(arrays[0]) // batch_size
    shape = (steps, context.num_input_pipelines, batch_size // context.num_input_pipelines)
    return [
        array[: steps * batch_size]
        .reshape(*shape, *array.shape[1:])[first_step:, context.input_pipeline_id]
        .reshape(-1, *array.shape[1:])
        for array in arrays
    ]


def unpack_masks(bits: tf.Tensor) -> tf.Tensor:
    """Region bits (..., S, S), as Records.decode() says -> masks (..., S, S, R) of 0/1, in keras.config.floatx()."""
    shifts = tf.range(len(REGIONS) if bits.dtype == tf.uint8 else len(PARTS), dtype=tf.int32)
    return tf.cast(tf.bitwise.right_shift(tf.cast(bits, tf.int32)[..., None], shifts) & 1, keras.config.floatx())


def mirror_bits(bits: tf.Tensor) -> tf.Tensor:
    """The region bits of the mirrored face, (S, S): turned left to right, and of parts l_ and r_ exchanged."""
    bits = tf.reverse(bits, [1])
    if bits.dtype == tf.uint8:  # the seven regions have no sides
        return bits
    left, right = bits & LEFT, bits & RIGHT
    return bits - left - right + 2 * left + right // 2


def mirror_colors(colors: tf.Tensor) -> tf.Tensor:
    """The colours of the mirrored face, (R, 3): those of left and right parts change places."""
    return tf.gather(colors, MIRRORED_REGION[colors.shape[0]])


def color_map(masks: tf.Tensor, colors: tf.Tensor) -> tf.Tensor:
    """facegan.regions.color_map on the device: masks (B, S, S, R), colors (B, R, 3) in 0..1 -> (B, S, S, 3) in 0..1."""
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
