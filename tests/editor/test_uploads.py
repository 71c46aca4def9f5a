"""Pictures that somebody hands in: which are taken, and what is said of the others."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from editor.asking import as_png
from facegan import numberings, pictures, regions
from facegan.editor import editing, uploads
from facegan.errors import BadInput


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a picture"),
        (b"GIF89a" + bytes(100), "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a picture|damaged"),
        (as_png(np.full((512, 512), 19)), "id 19; CelebAMask-HQ's are 0..18"),
        (as_png(np.full((512, 512), 255)), "id 255"),
        (as_png(np.zeros((512, 512))), "all background"),
        (as_png(np.ones((512, 256))), "square"),
        (as_png(np.full((64, 64, 3), (1, 2, 3))), "colours that are not CelebAMask-HQ's"),
        (as_png(np.ones((512, 512)))[:-60], "damaged"),
    ],
)
def test_a_label_map_that_cannot_be_one_is_refused_with_the_reason(content, said):
    with pytest.raises(BadInput, match=said):
        uploads.label_map(content, "map.png")


def test_pixels_are_counted_before_anything_is_decoded():
    """A PNG whose header says 60,000 x 60,000, and which holds nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (8000, 60000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
        with pytest.raises(BadInput, match=r"million pixels|exceeds limit"):
            uploads.photo(bomb, "bomb.png", aligned=True)
    with pytest.raises(BadInput, match="larger than 20 MB"):
        uploads.photo(bytes(20_000_001), "large.jpg", aligned=True)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_label_map_that_may_have_lost_something_is_refused(form):
    """A lossy picture of ids 1 and 2 would still be ids, of other places."""
    with pytest.raises(BadInput, match=f"map is a {form}: save it as PNG"):
        uploads.label_map(pictures.encode(np.ones((512, 512), np.uint8), form), "map")


def test_a_label_map_of_another_size_or_with_a_palette_of_the_datasets_colours_is_taken():
    ids = np.random.default_rng(0).integers(0, 19, (64, 64), np.uint8)
    small = uploads.label_map(as_png(ids), "small.png")
    np.testing.assert_array_equal(small, editing.full_labels(ids))
    palette = Image.fromarray(regions.LABEL_COLORS[ids]).quantize(19)
    file = io.BytesIO()
    palette.save(file, "PNG")
    np.testing.assert_array_equal(uploads.label_map(file.getvalue(), "palette.png"), small)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("bits", "color", "said"), [(2, 0, "2-bit grey"), (4, 0, "4-bit grey"), (16, 0, "16-bit"), (16, 2, "16-bit")]
)
def test_a_label_map_of_another_depth_is_refused(bits, color, said):
    """Fewer bits are stretched to 0..255, and of 16 the lower eight are lost."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, bits, color, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes([0, 0x11, 0x23]) * 4))
    with pytest.raises(BadInput, match=rf"map\.png is {said}"):
        uploads.label_map(b"\x89PNG\r\n\x1a\n" + header + rows + chunk(b"IEND", b""), "map.png")


def png_of(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def test_what_was_erased_from_a_colour_map_does_not_come_back():
    ids = np.random.default_rng(0).integers(1, 19, (64, 64), np.uint8)
    colors = Image.fromarray(regions.LABEL_COLORS[ids])
    opaque = colors.convert("RGBA")
    np.testing.assert_array_equal(uploads.label_map(png_of(opaque), "map.png"), editing.full_labels(ids))
    opaque.paste((0, 204, 0, 0), (0, 0, 8, 8))
    for erased in (
        png_of(opaque),
        png_of(colors.quantize(19), transparency=3),
        png_of(colors, transparency=(0, 204, 0)),
    ):
        with pytest.raises(BadInput, match=r"map\.png has transparent pixels: fill them"):
            uploads.label_map(erased, "map.png")


def test_a_label_map_of_another_numbering_is_refused_and_named(raw):
    ids = np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / "0.png"))
    np.testing.assert_array_equal(uploads.label_map(as_png(ids), "map.png"), ids)
    celebamask, face_parsing = numberings.NUMBERINGS.values()
    other = np.array([face_parsing.index(name) for name in celebamask], np.uint8)[ids]
    with pytest.raises(BadInput, match=r"map\.png: the label maps are numbered as in face-parsing, not as in celeba"):
        uploads.label_map(as_png(other), "map.png")
