"""Pictures that people look at: rounding to 0..255, .png files, grids with labels. No TensorFlow."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from facegan import files
from facegan.errors import printable


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """0..1 float -> 0..255 uint8, rounded."""
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def synthetic(run: str, step: int) -> dict[str, str]:
    """What the file of a picture says that shows generated faces: that they are, and which run generated them at which
    step."""
    words = "generated or edited by a neural network; not a photograph"
    return {"Synthetic": words, "Run": printable(run), "Step": str(step)}


def encode(picture: np.ndarray, form: str, text: dict[str, str] | None = None, **options) -> bytes:
    """A picture (H, W) or (H, W, 3) uint8 as a file's bytes; form: "PNG" or "JPEG". text: a PNG's text chunks, a JPEG's
    comment."""
    if text and form == "PNG":
        options["pnginfo"] = PngInfo()
        for name, words in text.items():
            options["pnginfo"].add_text(name, words)
    elif text:
        options["comment"] = "\n".join(f"{name}: {words}" for name, words in text.items()).encode()
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **options)
    return file.getvalue()


def save_png(path: Path, picture: np.ndarray, text: dict[str, str] | None = None) -> None:
    """Write an (H, W, 3) picture, float in 0..1 or uint8, atomically. text: its text chunks."""
    picture = picture if picture.dtype == np.uint8 else to_uint8(picture)
    files.write_bytes(path, encode(picture, "PNG", text))


def grid(rows: dict[str, np.ndarray], columns: list[str]) -> np.ndarray:
    """Rows of pictures with a label on the left and a caption under each column, a word a line where it is too wide.

    rows: label -> (N, S, S, 3) float in 0..1, top row first. columns: N captions. Returns (H, W, 3) uint8.
    """
    n, size = next(iter(rows.values())).shape[:2]
    gap, font = 4, ImageFont.load_default(max(11, size // 10))
    margin = max(int(font.getlength(line)) for label in rows for line in label.split("\n")) + 3 * gap
    columns = [text if font.getlength(text) <= size else text.replace(" ", "\n") for text in columns]
    caption = int(font.size * (0.6 + 1.2 * max(text.count("\n") + 1 for text in columns)))
    canvas = Image.new("RGB", (margin + n * (size + gap), len(rows) * (size + gap) + caption), "white")
    draw = ImageDraw.Draw(canvas)
    for r, (label, pictures) in enumerate(rows.items()):
        top = r * (size + gap)
        draw.multiline_text((2 * gap, top + size // 2), label, "black", font, anchor="lm")
        for c, picture in enumerate(pictures):
            canvas.paste(Image.fromarray(to_uint8(picture)), (margin + c * (size + gap), top))
    for c, text in enumerate(columns):
        center = margin + c * (size + gap) + size // 2
        draw.multiline_text((center, canvas.height - caption // 2), text, "black", font, anchor="mm", align="center")
    return np.asarray(canvas)
