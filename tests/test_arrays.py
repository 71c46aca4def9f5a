"""facegan/arrays.py: what an array of the prepared folder may be, and what is refused before it takes memory."""

import io
import os
import socket
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facegan import arrays, prepared
from facegan.errors import BadInput, brief

SIZE = 16
GOOD = {
    "Image": np.full((SIZE, SIZE, 3), 255, np.uint8),
    "Masks": np.ones((SIZE, SIZE, 7), np.uint8),
    "Colors": np.full((7, 3), 255, np.float32),
    "Labels": np.full((SIZE, SIZE), 18, np.uint8),
    "cmask": np.full((SIZE, SIZE, 3), 255, np.float32),
    "face_id": np.full(128, 0.12, np.float32),
    "detected": np.array(True),
    "box": np.array([-3, -3, 20, 20], np.int32),
}


def shape_of(name: str) -> tuple:
    return tuple({arrays.S: SIZE, arrays.R: 7}.get(n, n) for n in arrays.KINDS[name].shape)


def with_value(name: str, value, place=-1) -> np.ndarray:
    """The good array of that name with another value somewhere, as the type that holds it."""
    array = GOOD[name].copy()
    array.reshape(-1)[place] = value
    return array


@pytest.mark.parametrize("name", arrays.KINDS)
def test_what_the_scripts_write_is_taken(name, tmp_path):
    prepared.write_npz(tmp_path / "1.npz", **GOOD)
    (back,) = prepared.read_npz(tmp_path / "1.npz", **{name: shape_of(name)})
    assert back.dtype == GOOD[name].dtype
    np.testing.assert_array_equal(back, GOOD[name])


def test_masks_and_colours_are_of_seven_regions_or_of_eighteen_parts(tmp_path):
    for count in (7, 18, 8):
        path = tmp_path / f"{count}.npz"
        prepared.write_npz(path, Masks=np.ones((SIZE, SIZE, count), np.uint8), Colors=np.zeros((count, 3), np.float32))
        shapes = dict(Masks=(SIZE, SIZE, count), Colors=(count, 3))
        if count == 8:
            for name, shape in shapes.items():
                with pytest.raises(BadInput, match=f"8.npz: {name} is"):
                    prepared.read_npz(path, **{name: shape})
        else:
            assert [array.shape for array in prepared.read_npz(path, **shapes)] == list(shapes.values())
    with pytest.raises(BadInput, match=r"18.npz: Masks is \(16, 16, 18\), expected \(16, 16, 7\)"):
        prepared.read_npz(tmp_path / "18.npz", Masks=(SIZE, SIZE, 7))


BAD = {
    "NaN": ("Colors", with_value("Colors", np.nan), "holds nan, expected 0 to 255"),
    "infinite": ("Colors", with_value("Colors", np.inf), "holds inf"),
    "negative": ("Colors", with_value("Colors", -1), "holds -1"),
    "bright": ("Colors", with_value("Colors", 256), "holds 256"),
    "mask of 2": ("Masks", with_value("Masks", 2), "holds 2, expected 0 to 1"),
    "mask of 255": ("Masks", with_value("Masks", 255), "holds 255"),
    "id 19": ("Labels", with_value("Labels", 19), "holds 19, expected 0 to 18"),
    "signed ids": ("Labels", GOOD["Labels"].astype(np.int64) - 19, "is int64, expected uint8"),
    "float image": ("Image", GOOD["Image"] / 255, "is float64, expected uint8"),
    "text": ("Image", GOOD["Image"].astype("U5"), "is <U5, expected uint8"),
    "records": ("Image", np.zeros((SIZE, SIZE, 3), "u1,u1"), r"is \[.*\], expected uint8"),
    "infinite ID": ("face_id", with_value("face_id", np.inf), "holds inf"),
    "huge ID": ("face_id", GOOD["face_id"] * 1e30, "holds "),
    "long ID": ("face_id", GOOD["face_id"] * 60, "has length"),
    "no ID": ("face_id", GOOD["face_id"] * 0, "has length 0"),
    "far box": ("box", with_value("box", 10**9), "holds 1000000000"),
    "turned box": ("box", GOOD["box"][::-1].copy(), r"is \[.*\], expected left, top, right, bottom"),
    "long detected": ("detected", np.ones(3, bool), r"is \(3,\), expected"),
    "colour map": ("cmask", with_value("cmask", np.nan, 5), "holds nan"),
    "one pixel": ("Image", GOOD["Image"][:1, :1], r"is \(1, 1, 3\), expected \(16, 16, 3\)"),
}


@pytest.mark.parametrize(("name", "array", "words"), BAD.values(), ids=BAD)
def test_what_no_script_writes_is_refused_by_file_array_and_reason(name, array, words, tmp_path):
    (tmp_path / "samples").mkdir()
    path = tmp_path / "samples" / "7.npz"
    prepared.write_npz(path, **{name: array})
    with pytest.raises(BadInput, match=rf"samples/7\.npz: {name} {words}.*; delete it and run g_simple_mask\.py again"):
        prepared.read_npz(path, **{name: shape_of(name)})


@pytest.mark.parametrize(("shape", "words"), [((8, 16, 3), "expected a square"), ((0, 0, 3), "too large, or empty")])
def test_where_any_size_is_taken_it_is_one_size(shape, words, tmp_path):
    prepared.write_npz(tmp_path / "1.npz", Image=np.zeros(shape, np.uint8))
    with pytest.raises(BadInput, match=words):
        prepared.read_npz(tmp_path / "1.npz", Image=(None, None, 3))


def npz_of(header: dict, content: bytes = b"", method=zipfile.ZIP_DEFLATED) -> bytes:
    """An .npz whose Image has this header and content."""
    npy, file = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(npy, header)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Image.npy", npy.getvalue() + content, method)
    return file.getvalue()


HEADER = {"descr": "|u1", "fortran_order": False, "shape": (16, 16, 3)}


@pytest.mark.parametrize(
    "content",
    [
        npz_of({**HEADER, "shape": (2**31, 2**31, 3)}),
        npz_of({**HEADER, "descr": "<U100000000"}),
        npz_of({**HEADER, "shape": (20000, 20000, 3)}, bytes(2**27)),
        npz_of(HEADER, bytes(2**27)),
        npz_of(HEADER, bytes(16 * 16 * 3), zipfile.ZIP_BZIP2),
        npz_of({**HEADER, "shape": (16, 16, -3)}, bytes(16 * 16 * 3)),
        npz_of({**HEADER, "descr": "|O"}, bytes(16 * 16 * 3)),
    ],
    ids=["exabytes", "long text", "1.2 GB", "128 MB of zeros", "another compression", "negative", "objects"],
)
def test_no_small_file_takes_large_memory(content, tmp_path):
    (tmp_path / "1.npz").write_bytes(content)
    tracemalloc.start()
    for n in (16, None):
        with pytest.raises(BadInput, match=r"1\.npz"):
            prepared.read_npz(tmp_path / "1.npz", Image=(n, n, 3))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def make_a_terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 10**12)  # which takes no room


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "is no regular file"),
        (os.mkdir, "is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
        (lambda path: path.symlink_to(path), "cannot be read .*[Ll]evels of symbolic links"),
        (make_socket, "cannot be read"),
        (make_a_terabyte, "is too large: at most 17 MB are read"),
    ],
    ids=["FIFO", "folder", "device", "endless link", "socket", "a terabyte"],
)
def test_only_a_regular_file_of_some_size_is_read(make, words, tmp_path):
    make(tmp_path / "1.npz")
    with pytest.raises(BadInput, match=rf"1\.npz {words}"):
        prepared.read_npz(tmp_path / "1.npz", Image=(16, 16, 3))


def test_an_error_is_one_short_line():
    assert brief(ValueError("one\ntwo")) == "one"
    assert brief(ValueError()) == "ValueError"
    assert brief("a\x1b[2J\x00b") == "a?[2J?b"
    assert len(brief("long " * 1000)) == 100
