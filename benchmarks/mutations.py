"""Mutations of files, seeded: what benchmarks/fuzz.py puts in the place of a file that a script reads."""

import contextlib
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
VALUES = (
    None, True, False, -1, 0, 1, 7, 2**31, 10**400, -0.5, 1e308, float("nan"), float("inf"), "", "x" * 5000, "64",
    "nan", "\n\0\x1b[2J", "../../etc/passwd", "\udcff", "٣", "1" * 5000, [], [[]], {}, {"a": {}}, [0] * 5000,
)  # fmt: skip
"""What a value of a record may become."""
CELLS = ('"', '"a\nb', "\r", "\0", "=1+1", "x" * 200_000, "-", "1e3", "7,7")
CHUNKS = (b"tRNS", b"PLTE", b"gAMA", b"iCCP", b"eXIf", b"acTL", b"IHDR", b"IEND")


def mutated(path: Path, content: bytes, other: bytes, rng: random.Random) -> bytes:
    """A mutation of a file's content: half of the time by its format, told by the path, else of its bytes."""
    mutate = BY_FORMAT.get(path.suffix)
    return mutate(content, rng) if mutate and rng.random() < 0.5 else mutated_bytes(content, rng, other)


def mutated_bytes(content: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """One to three changes that know nothing of the format. other: a file to splice in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 16, 256, 4096))
        end = min(place + length, len(data))
        match rng.randrange(10):
            case 0:
                data[place : place + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in data[place : place + 1])
            case 1:
                data[place:end] = rng.randbytes(end - place)
            case 2:
                data[place:end] = bytes(end - place)
            case 3:
                del data[place:]
            case 4:
                del data[place:end]
            case 5:
                data[place:place] = rng.randbytes(length)
            case 6:
                data[place:place] = data[place:end]
            case 7:
                start = rng.randrange(len(other) + 1)
                data[place:end] = other[start : start + length]
            case 8:
                data[place : place + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(NUMBERS))
            case 9:
                data = bytearray(rng.choice((b"", other, bytes(len(data)), data + data, b"\xef\xbb\xbf" + data)))
    return bytes(data)


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """One value, somewhere in it, becomes another one, disappears, is doubled, or nested deep."""
    whole = json.loads(content)
    container, key = rng.choice(list(places_of([whole])))
    match rng.randrange(8):
        case 0:
            del container[key]
        case 1:
            container[key] = [container[key], container[key]]
        case 2:
            return content.replace(b":", b": " + b"[" * rng.choice((10, 1000, 100_000)), 1)
        case 3 if isinstance(container, dict):
            container[str(rng.choice(VALUES))] = container.pop(key)
        case _:
            container[key] = rng.choice(VALUES)
    return json.dumps(whole).encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16")))


def places_of(value: object) -> Iterator[tuple[dict | list, str | int]]:
    """Every place of a value in a container: what holds it, and its key."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_of(value[key])


def mutated_csv(content: bytes, rng: random.Random) -> bytes:
    """A cell, a row or the separators become others."""
    rows = [line.split(",") for line in content.decode().splitlines()]
    row = rng.choice(rows)
    match rng.randrange(6):
        case 0:
            return content.replace(b",", rng.choice((b";", b"\t", b",,", b" , ")))
        case 1:
            rows.append(list(row))
        case 2:
            rows.remove(row)
        case 3:
            del row[rng.randrange(len(row))]
        case 4:
            row[rng.randrange(len(row))] = rng.choice(CELLS)
        case 5:
            row[rng.randrange(len(row))] = str(rng.choice(VALUES))
    return ("\n".join(map(",".join, rows)) + "\n").encode(errors="surrogateescape")


def mutated_npz(content: bytes, rng: random.Random) -> bytes:
    """One array becomes another one (values, dtype, shape, order), is gone, or has a header that promises too much."""
    members = members_of(content)
    name = rng.choice(list(members))
    array = np.lib.format.read_array(io.BytesIO(members[name])).copy()
    match rng.randrange(9):
        case 0:
            array.flat[rng.randrange(array.size)] = rng.choice((1, 2, 19, 200))
        case 1:
            array = array.astype("f4")
            array.flat[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -np.inf, -1, 256, 1e9))
        case 2:
            array = array.astype(rng.choice(("f2", "f4", "f8", "i1", "i8", "u1", "u2", "c8", "?", "S3", "U3", ">i4")))
        case 3:
            some = np.atleast_1d(array)
            array = rng.choice((some.ravel(), array[None], some[..., :1], some[..., :0], np.zeros([1] * some.ndim)))
        case 4:
            array = np.asfortranarray(array)
        case 5:
            array = np.full_like(array, rng.choice((0, 1)))
        case 6:
            array = None
        case 7:
            shape = f"({rng.choice((10**12, 10**9, -1, 7))}, 64, 3)"
            header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
            members[name] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(100)
            return archive_of(members, rng)
        case 8:
            members[name] = mutated_bytes(members[name], rng)
            return archive_of(members, rng)
    if array is None:
        del members[name]
    else:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=False)
        members[name] = stream.getvalue()
    return archive_of(members, rng)


def mutated_keras(content: bytes, rng: random.Random) -> bytes:
    """One member of a .keras file is mutated, its description most of the time."""
    members = members_of(content)
    name = rng.choice(["config.json", "config.json", *members])
    mutate = mutated_json if name.endswith(".json") else mutated_bytes
    members[name] = mutate(members[name], rng)
    return archive_of(members)


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members: dict[str, bytes], rng: random.Random | None = None) -> bytes:
    """A zip of these members, whose checksums are right; rng draws the compression, none without it."""
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice(methods) if rng else zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def mutated_png(content: bytes, rng: random.Random) -> bytes:
    """One chunk's bytes are mutated, or the pixels before they are deflated; checksums are right again."""
    chunks, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    i = rng.randrange(len(chunks))
    kind, data = chunks[i]
    if kind == b"IDAT" and rng.random() < 0.5:
        with contextlib.suppress(zlib.error):  # one of several
            data = zlib.compress(mutated_bytes(zlib.decompress(data), rng))
    else:
        data = mutated_bytes(data, rng)
    match rng.randrange(6):
        case 0:
            del chunks[i]
        case 1:
            chunks.insert(i, rng.choice(chunks))
        case 2:
            chunks[i] = rng.choice(CHUNKS), data
        case _:
            chunks[i] = kind, data
    mended = [struct.pack(">I", len(x)) + k + x + struct.pack(">I", zlib.crc32(k + x)) for k, x in chunks]
    return content[:8] + b"".join(mended)


BY_FORMAT = {
    ".json": mutated_json, ".csv": mutated_csv, ".npz": mutated_npz, ".png": mutated_png, ".keras": mutated_keras,
}  # fmt: skip
