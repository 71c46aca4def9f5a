"""picture_files.py: which files are read, within which bounds, and what a photograph becomes."""

import io
import os
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from facegan import picture_files
from facegan.errors import BadInput

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
FACE = np.random.default_rng(0).integers(0, 256, (24, 16, 3), np.uint8)


def encoded(picture, form="PNG", **options) -> bytes:
    """A Pillow picture or an array as a file's content."""
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, color: int, *chunks: bytes) -> bytes:
    """A PNG of a header, these chunks and an end."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def refusal(content: bytes) -> str:
    with pytest.raises(BadInput) as error:
        picture_files.read_photo(content, "3.jpg")
    assert "3.jpg" in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alarm():
    """Ends a test that waits for a pipe or reads a device for ever."""

    def end(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "3.jpg is a pipe or a device"),
        ("device", "3.jpg is a pipe or a device"),
        ("folder", "3.jpg is a folder"),
        ("endless link", "3.jpg cannot be read"),
        ("missing", "no file 3.jpg"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(kind, words, tmp_path, alarm):
    path = tmp_path / "3.jpg"
    make = {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
        "endless link": lambda: path.symlink_to(path),
        "missing": lambda: None,
    }
    make[kind]()
    with pytest.raises(BadInput, match=words):
        picture_files.read(path, "3.jpg")


def test_a_file_is_bounded_and_a_link_to_a_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(bytes(1_000_001))
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert len(picture_files.read(tmp_path / "b", "b")) == 1_000_001
    with pytest.raises(BadInput, match="b is larger than 1 MB"):
        picture_files.read(tmp_path / "b", "b", 1_000_000)


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["EPS", "GIF", "BMP", "TIFF", "PPM", "ICO", "TGA", "AVIF", "JPEG2000"])
def test_other_formats_are_refused_by_what_they_hold(form):
    assert "is not a picture of a kind that can be read here, JPEG, PNG or WebP: save it as JPEG or PNG" in refusal(
        encoded(FACE, form)
    )


def test_no_interpreter_is_started(tmp_path, monkeypatch):
    """Pillow hands an EPS to gs, whatever the file is called."""
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    refusal(encoded(FACE, "EPS"))
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("JPEG", {"quality": 100}),
        ("MPO", {"quality": 100, "save_all": True, "append_images": [Image.fromarray(FACE[:8])]}),  # as phones write it
    ],
)
def test_the_formats_that_are_read(form, options):
    photo = picture_files.read_photo(encoded(FACE, form, **options), "3.gif")
    assert (photo.dtype, photo.shape) == (np.uint8, FACE.shape)
    if form in ("PNG", "WEBP"):
        np.testing.assert_array_equal(photo, FACE)


@pytest.mark.parametrize(
    "content",
    [
        png(8, 8, 8, 0),
        png(8, 8, 8, 3, chunk(b"IDAT", zlib.compress(bytes(72)))),
        png(8, 8, 7, 0, chunk(b"IDAT", zlib.compress(bytes(72)))),
        png(0, 8, 8, 0, chunk(b"IDAT", zlib.compress(bytes(72)))),
        png(8, 8, 8, 0, chunk(b"IHDR", bytes(13)), chunk(b"IDAT", zlib.compress(bytes(72)))),
        png(8, 8, 8, 0, chunk(b"IDAT", b"not deflated")),
        png(8, 8, 8, 0, chunk(b"IDAT", zlib.compress(bytes(72))))[:-20],
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe1\x00\x08Exif\0\0\xff\xc0\x00\x02",
        b"RIFF\x10\0\0\0WEBP",
        b"RIFF\x10\0\0\0WEBPVP8X" + bytes(20),
    ],
)
def test_a_damaged_file_is_named(content):
    assert refusal(content).startswith("3.jpg is damaged: ")


@pytest.mark.parametrize("error", [IndexError, struct.error, RuntimeError, KeyError, AttributeError, RecursionError])
def test_whatever_a_decoder_raises_becomes_a_sentence(error, monkeypatch):
    def load(self):
        raise error()

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert refusal(encoded(FACE, "JPEG")) == f"3.jpg is damaged: {error.__name__}"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("damage", ["count", "offset", "cut"])
def test_a_damaged_exif_block_is_refused_as_nobody_knows_which_side_is_up(form, damage):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker of cameras"
    whole = exif.tobytes()
    entry = whole.index(b"\x12\x01\x03\x00") if b"II" in whole else whole.index(b"\x01\x12\x00\x03")
    damaged = {
        "count": whole[: entry + 4] + b"\xff\xff\xff\x0f" + whole[entry + 8 :],
        "offset": whole[: entry - 4] + b"\xff\xff\xff\x0f" + whole[entry:],
        "cut": whole[: entry + 2],
    }[damage]
    assert "damaged EXIF block" in refusal(encoded(FACE, form, exif=damaged))


def test_mutated_pictures_are_read_or_refused():
    rng = np.random.default_rng(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif, "icc_profile": SRGB}
    originals = [encoded(FACE, form, **options) for form in ("JPEG", "PNG", "WEBP")]
    originals += [encoded(Image.fromarray(FACE).convert(mode), "PNG", **options) for mode in ("P", "LA", "RGBA")]
    read = refused = 0
    for i in range(600):
        content = bytearray(originals[i % len(originals)])
        for place in rng.integers(0, len(content), rng.integers(1, 6)):
            content[place] = rng.integers(0, 256)
        try:
            photo = picture_files.read_photo(bytes(content[: rng.integers(1, 2 * len(content))]), "3.jpg")
            assert photo.dtype == np.uint8
            assert photo.shape[2] == 3
            read += 1
        except BadInput:
            refused += 1
    assert min(read, refused) > 50


# --- limits -----------------------------------------------------------------------------------------------------------


def webp(kind: bytes, data: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "content",
    [
        png(13000, 13000, 8, 0, chunk(b"IDAT", zlib.compress(bytes(1000)))),
        png(60000, 60000, 1, 0, chunk(b"IDAT", zlib.compress(bytes(1000)))),
        encoded(np.zeros((8, 8), np.uint8), "JPEG").replace(b"\x08\x00\x08\x00\x08", b"\x08\xff\xff\xff\xff"),
        webp(b"VP8X", bytes(4) + (12999).to_bytes(3, "little") * 2),
        webp(b"VP8L", b"\x2f" + (12999 | 12999 << 14).to_bytes(4, "little") + bytes(10)),
        webp(b"VP8 ", bytes(6) + struct.pack("<HH", 13000, 13000) + bytes(10)),
    ],
    ids=["png", "vast png", "jpeg", "webp canvas", "lossless webp", "lossy webp"],
)
def test_pixels_are_bounded_before_any_memory_is_taken_for_them(content, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr("PIL._webp.WebPAnimDecoder", lambda data: pytest.fail("decoded"))
    most = 25 if content.startswith(b"RIFF") else 50
    assert f"at most {most} million pixels; save it smaller" in refusal(content)


PEAK = """
import sys
from pathlib import Path
from facegan import picture_files
path = Path(sys.argv[1])
print(picture_files.read_photo(picture_files.read(path, path.name), path.name).shape)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads the largest memory use from /proc")
def test_the_largest_picture_takes_less_than_a_gigabyte(tmp_path, root):
    """200 kB of empty pixels with alpha and a profile."""
    rows, deflate = bytes(1 + 4 * 5000), zlib.compressobj(1)
    data = b"".join(deflate.compress(rows) for _ in range(10000)) + deflate.flush()
    icc = chunk(b"iCCP", b"P3\0\0" + zlib.compress(profile(P3)))
    (tmp_path / "large.png").write_bytes(png(5000, 10000, 8, 6, icc, chunk(b"IDAT", data)))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "large.png")]
    shape, kilobytes = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    assert shape == "(10000, 5000, 3)"
    assert 150_000 < int(kilobytes) < 700_000


# --- photographs ------------------------------------------------------------------------------------------------------

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]
ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
REC709 = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
"""What red, green and blue of these spaces are in XYZ, adapted to D50."""


def profile(primaries, gamma: float | None = None) -> bytes:
    """sRGB's profile with other primaries, and with a plain power in place of its curve."""
    content = bytearray(SRGB)
    for i in range(struct.unpack_from(">I", content, 128)[0]):
        name, place, _ = struct.unpack_from(">4sII", content, 132 + 12 * i)
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            numbers = [round(x * 65536) for x in primaries[b"rgb".index(name[:1])]]
            struct.pack_into(">4s4x3i", content, place, b"XYZ ", *numbers)
        if gamma and name in (b"rTRC", b"gTRC", b"bTRC"):
            struct.pack_into(">4s4xIH", content, place, b"curv", 1, round(gamma * 256))
    return bytes(content)


def linear(x: np.ndarray, gamma: float | None) -> np.ndarray:
    """0..255 -> light, by sRGB's curve or a power."""
    x = x / 255
    return x**gamma if gamma else np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def in_srgb(colors: np.ndarray, primaries, gamma: float | None) -> np.ndarray:
    """(..., 3) of another space -> sRGB 0..255, by the formulas."""
    light = linear(colors, gamma) @ np.array(primaries) @ np.linalg.inv(np.array(REC709))
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("primaries", "gamma", "shift"), [(P3, None, 8), (ADOBE, 2.2, 15)], ids=["P3", "Adobe RGB"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_an_embedded_profile_is_converted_to_srgb(primaries, gamma, shift, form):
    colors = np.array([(200, 120, 90), (90, 60, 40), (60, 110, 70), (235, 200, 180), (128, 128, 128)], np.uint8)
    patches = np.repeat(np.repeat(colors[None], 16, 0), 16, 1)
    options = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}[form]
    content = encoded(patches, form, icc_profile=profile(primaries, gamma), **options)
    photo = picture_files.read_photo(content, "a").reshape(16, 5, 16, 3).mean((0, 2))
    np.testing.assert_allclose(photo, in_srgb(colors, primaries, gamma), atol=2.5)
    assert np.abs(photo - colors).max() > shift  # else this test has nothing to find


def test_srgbs_own_profile_changes_no_bit():
    with_profile = encoded(FACE, "JPEG", icc_profile=SRGB)
    np.testing.assert_array_equal(
        picture_files.read_photo(with_profile, "a"), picture_files.read_photo(encoded(FACE, "JPEG"), "a")
    )


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA"])
def test_a_profile_holds_for_every_kind_of_pixels(mode):
    """An orange of Adobe RGB, or its grey, as grey, palette, and with alpha."""
    orange = Image.new("RGB", (8, 8), (200, 120, 90)).convert(mode)
    plain = np.asarray(orange.convert("RGB"))
    content = encoded(orange, icc_profile=profile(ADOBE, 2.2))
    photo = picture_files.read_photo(content, "a")
    np.testing.assert_allclose(photo, in_srgb(plain, ADOBE, 2.2), atol=2)


def test_a_profile_that_cannot_be_applied_is_refused():
    assert "its colour profile is damaged: save it as sRGB" in refusal(encoded(FACE, icc_profile=b"garbage" * 40))
    grey = bytearray(SRGB)
    grey[16:20] = b"GRAY"
    assert "its colour profile is not for RGB pixels" in refusal(encoded(FACE, icc_profile=bytes(grey)))
    assert "larger than 4 MB" in refusal(encoded(FACE, "WEBP", icc_profile=bytes(4_000_001)))


def test_of_16_bits_the_upper_eight_stay():
    grey = RAMP.astype(np.uint16) * 256 + 255
    np.testing.assert_array_equal(
        picture_files.read_photo(encoded(grey), "a"), np.repeat(RAMP[..., None], 3, axis=-1), strict=True
    )


def test_what_was_erased_does_not_come_back():
    """Alpha 0, a grey value that is marked as transparent, and a palette's."""
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[:2] = 0
    erased = encoded(np.dstack([RAMP, RAMP, RAMP, alpha]))
    assert not picture_files.read_photo(erased, "a")[:2].any()
    assert picture_files.read_photo(erased, "a")[2:].all()
    for picture in (Image.fromarray(RAMP), Image.fromarray(RAMP).convert("P")):
        marked = picture_files.read_photo(encoded(picture, transparency=RAMP[5, 5].item()), "a")
        assert not marked[5, 5].any()
        assert marked[6, 6].all()


def test_a_transparent_colour_of_16_bits_is_refused():
    rows = b"".join(b"\0" + bytes([1, 2] * 8) for _ in range(8))
    content = png(8, 8, 16, 0, chunk(b"tRNS", b"\1\2"), chunk(b"IDAT", zlib.compress(rows)))
    assert "transparent colour of 16 bits" in refusal(content)


def test_a_photograph_of_many_rows_is_converted_as_one_of_few(monkeypatch):
    monkeypatch.setattr(picture_files, "STRIP", 4000)
    tall = np.random.default_rng(2).integers(0, 256, (2500, 3, 4), np.uint8)
    content = encoded(tall, icc_profile=profile(P3))
    parts = [encoded(tall[i : i + 500], icc_profile=profile(P3)) for i in range(0, 2500, 500)]
    np.testing.assert_array_equal(
        picture_files.read_photo(content, "a"), np.concatenate([picture_files.read_photo(p, "a") for p in parts])
    )
