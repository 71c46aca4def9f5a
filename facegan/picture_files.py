"""Picture files that others made: read within bounds, decoded by what they hold, refused with a sentence.

Every module that reads a picture reads it here. Masks and label maps stay as they are stored; what a photograph becomes
is said at to_rgb().
"""

import io
import os
import stat
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from facegan.errors import BadInput

MAX_BYTES, MAX_PIXELS, MAX_WEBP_PIXELS = 200_000_000, 50_000_000, 25_000_000
"""Largest file, and largest picture by what its header says, that is read; WebP's decoder holds every pixel four times.
"""

SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF"}
"""How a file of each format begins. Few decoders are few ways in."""

DAMAGED_EXIF = "{} has a damaged EXIF block, so which side is up is not known: save it without that block"
warnings.filterwarnings("error", category=UserWarning, module=r"PIL\.TiffImagePlugin")  # it reads EXIF blocks

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns or raises by another number: open_header() has ours

TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
"""EXIF orientation -> what brings the stored pixels upright; 1 lies upright."""

STRIP, MAX_PROFILE = 2_000_000, 4_000_000
"""Pixels of a photograph that are converted at a time, and bytes of a colour profile, which bound the memory."""


class Header(NamedTuple):
    """A picture file that was opened and not yet decoded."""

    name: str
    picture: Image.Image
    """size, mode and format are known"""
    bits: int
    """bits a channel, or a palette's index, in the file"""


def read(path: Path, name: str, most: int = MAX_BYTES) -> bytes:
    """A file's content. Raises BadInput, which calls it name, when it is missing, larger than most bytes, or anything
    but a regular file: a pipe would be waited for, a device may never end."""
    try:
        with open(path, "rb", opener=open_without_waiting) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise BadInput(f"{name} is a pipe or a device; expected a picture file")
            check_bytes(about.st_size, name, most)
            return file.read(about.st_size)
    except FileNotFoundError:
        raise BadInput(f"no file {name}") from None
    except IsADirectoryError:
        raise BadInput(f"{name} is a folder; expected a picture file") from None
    except OSError as error:
        raise BadInput(f"{name} cannot be read ({error.strerror})") from None


def open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def check_bytes(size: int, name: str, most: int) -> None:
    if size > most:
        raise BadInput(f"{name} is larger than {most // 10**6} MB: save it smaller")


def open_header(content: bytes, name: str) -> Header:
    """The header of a picture file's content. Raises BadInput when it is no picture, too large, or a damaged PNG."""
    names = [form for form, signature in SIGNATURES.items() if content.startswith(signature)]
    if not names or (names == ["WEBP"] and content[8:12] != b"WEBP"):
        raise BadInput(
            f"{name} is not a picture of a kind that can be read here, JPEG, PNG or WebP: save it as JPEG or PNG"
        )
    bits = 8
    with errors_as_sentences(name):
        if names == ["WEBP"]:
            check_pixels(*webp_size(content), name, MAX_WEBP_PIXELS)  # opening it already takes memory for its pixels
        elif names == ["PNG"]:
            bits = check_png(content, name)
        picture = Image.open(io.BytesIO(content), formats=names)
    check_pixels(*picture.size, name, MAX_PIXELS)
    return Header(name, picture, bits)


def decode(header: Header) -> Image.Image:
    """The decoded picture, as it is stored. Raises BadInput when it is damaged or cut short."""
    with errors_as_sentences(header.name):
        header.picture.load()  # refuses what is cut short, where OpenCV paints the rest grey
    return header.picture


@contextmanager
def errors_as_sentences(name: str) -> Iterator[None]:
    """Whatever Pillow raises of a damaged file, and it promises no type, becomes a BadInput."""
    try:
        yield
    except BadInput:
        raise
    except MemoryError:
        raise BadInput(f"{name} takes more memory than there is: save it smaller") from None
    except UserWarning:  # an error by the filter above
        raise BadInput(DAMAGED_EXIF.format(name)) from None
    except UnidentifiedImageError:  # its words hold an address
        raise BadInput(f"{name} is damaged: its header cannot be read") from None
    except Exception as error:
        words = " ".join(str(error).split())[:120]
        raise BadInput(f"{name} is damaged: {words or type(error).__name__}") from None


def check_pixels(width: int, height: int, name: str, most: int) -> None:
    if width * height > most:
        raise BadInput(
            f"{name} is too large, {width} x {height}: at most {most // 10**6} million pixels; save it smaller"
        )


def webp_size(content: bytes) -> tuple[int, int]:
    """Width and height by a WebP's first chunk; of a damaged one anything."""
    kind, data = content[12:16], content[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
    if kind == b"VP8L":
        packed = int.from_bytes(data[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


def check_png(content: bytes, name: str) -> int:
    """The bits a channel of a PNG. Raises BadInput where a checksum is wrong, which decoding does not look at."""
    kinds, place, view = [], 8, memoryview(content)
    while not kinds or kinds[-1] != b"IEND":
        end = place + 8 + int.from_bytes(view[place : place + 4], "big")
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big") or end + 4 > len(content):
            raise BadInput(f"{name} is damaged: a checksum is wrong, or its end is missing")
        kinds.append(bytes(view[place + 4 : place + 8]))
        place = end + 4
    if kinds[0] != b"IHDR" or kinds.count(b"IHDR") > 1 or b"IDAT" not in kinds:
        raise BadInput(f"{name} is damaged: it holds no header or no pixels")
    return content[24]


# --- masks and label maps ---------------------------------------------------------------------------------------------


def check_map(header: Header) -> None:
    """Raise BadInput for a mask or label map whose ids or colours would be other than somebody wrote them."""
    name, form = header.name, header.picture.format
    if form != "PNG":  # others may be lossy
        raise BadInput(f"{name} is a {form}: save it as PNG, which keeps every id or colour")
    if getattr(header.picture, "is_animated", False):
        raise BadInput(f"{name} holds several pictures: save one")
    if header.bits == 16:
        raise BadInput(f"{name} is 16-bit; expected 8-bit grey")


def check_ids_depth(header: Header) -> None:
    """Raise BadInput where grey pixels of fewer than 8 bits would be stretched to 0..255, and so be other ids."""
    if header.picture.mode in ("1", "L") and header.bits != 8:
        raise BadInput(f"{header.name} is {header.bits}-bit grey, which gives other ids; expected 8-bit grey")


def check_opaque(picture: Image.Image, name: str) -> None:
    """Raise BadInput where a decoded mask or map is transparent: what stands there is seen by no one."""
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        raise BadInput(f"{name} has transparent pixels: fill them with what they stand for (background: 0 or black)")


# --- photographs ------------------------------------------------------------------------------------------------------


def read_photo(content: bytes, name: str) -> np.ndarray:
    """A photograph as (H, W, 3) uint8 sRGB, upright as its EXIF block says. Raises BadInput."""
    header = open_header(content, name)
    turn = TURNS.get(orientation(decode(header), name))
    rgb = to_rgb(header)
    header.picture.close()  # a large one is not needed twice in memory
    return np.ascontiguousarray(turn(rgb)) if turn else rgb


def orientation(picture: Image.Image, name: str) -> int:
    """EXIF orientation 1..8 of a decoded picture; 1, upright, where nothing says otherwise. Raises BadInput where the
    block is damaged, as nobody knows then which side is up."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow promises nothing of what a damaged block raises, SyntaxError is one
        raise BadInput(DAMAGED_EXIF.format(name)) from None
    return int(value) if value in range(1, 9) else 1


def to_rgb(header: Header) -> np.ndarray:
    """A decoded photograph as (H, W, 3) uint8 sRGB, not turned.

    An embedded colour profile is applied; of 16 bits the upper eight stay; transparent parts become black, which the
    parser knows as background. Raises BadInput for a profile that cannot be applied.
    """
    picture, name = header.picture, header.name
    if header.bits == 16 and "transparency" in picture.info:
        raise BadInput(f"{name} has a transparent colour of 16 bits: save it with 8 bits")
    profile, (width, height) = picture.info.get("icc_profile"), picture.size
    with errors_as_sentences(name):
        try:
            transform = srgb_transform(profile, channels(picture)) if profile else None
        except BadInput as error:
            raise BadInput(f"{name}: {error}") from None
        rows = max(1, STRIP // width)
        if height <= rows:
            return rows_to_rgb(picture, transform)
        rgb = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, rows):
            strip = picture.crop((0, top, width, min(top + rows, height)))
            rgb[top : top + rows] = rows_to_rgb(strip, transform)
    return rgb


def channels(picture: Image.Image) -> str:
    """What a picture's pixels are without alpha and palette: L, RGB or CMYK."""
    if picture.mode == "CMYK":
        return "CMYK"
    return "L" if picture.mode in ("1", "L", "LA") or picture.mode.startswith("I") else "RGB"


def rows_to_rgb(picture: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> np.ndarray:
    """to_rgb() of some rows: (rows, W, 3) uint8."""
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    if transform:
        picture = ImageCms.applyTransform(picture.convert(transform.input_mode), transform)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    if alpha:
        picture.putalpha(alpha)
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture).convert("RGB")
    return np.asarray(picture)


@lru_cache(maxsize=8)
def srgb_transform(profile: bytes, pixels: str) -> ImageCms.ImageCmsTransform | None:
    """From an embedded colour profile to sRGB; None where that is what the pixels are. pixels: channels(). Raises
    BadInput, whose sentence lacks the name of the picture."""
    if len(profile) > MAX_PROFILE:
        raise BadInput(f"its colour profile is larger than {MAX_PROFILE // 10**6} MB: save it as sRGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(source.profile.xcolor_space.strip(), "")
        if space != pixels and (space, pixels) != ("RGB", "L"):  # grey pixels have a place in every RGB profile
            raise BadInput(f"its colour profile is not for {pixels} pixels: save it as sRGB")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), space, "RGB")
    except (OSError, ImageCms.PyCMSError):
        raise BadInput("its colour profile is damaged: save it as sRGB") from None
    return transform if space == "CMYK" or changes_colors(transform) else None


def changes_colors(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether any of 18 x 18 x 18 colours changes by more than rounding does: of sRGB's own profile none."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, len(levels), 3)
    before = Image.fromarray(cube).convert(transform.input_mode)
    after = np.asarray(ImageCms.applyTransform(before, transform), np.int16)
    return np.abs(after - np.asarray(before.convert("RGB"))).max() > 2
