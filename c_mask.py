"""samples/<k>.npz -> color_masks/<k>.npz: every pixel the mean of the colours of the regions that cover it.

    python c_mask.py
    python c_mask.py --png --show 4     # also as pictures, and a window with four of them

To look at, and for other tools: the training scripts compute colour maps themselves.
"""

import facegan  # noqa: F401  first: from here on Ctrl-C ends this script with one line

# isort: split
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from facegan import cli, files, jobs, prepared, regions
from facegan.errors import BadInput

PNG_NOTE = "made from"
"""The text of a picture that has the checksum of the colour map it shows."""


@dataclass
class Args(cli.BatchArgs):
    data: Path = Path("data/prepared")
    """prepared folder: reads samples/, writes color_masks/"""
    png: bool = False
    """also write color_masks/<k>.png, to look at"""
    show: int = 0
    """show this many photographs beside their colour maps; without a display they go to color_masks/show.png"""


def make_color_mask(k: int, data: Path, png: bool) -> str:
    """Read samples/<k>.npz and write color_masks/<k>.npz (and .png). Raises BadInput for a damaged sample."""
    s, n = prepared.working_size(data), prepared.region_count(data)
    note = prepared.made_from(data, "color_masks", k)
    masks, colors = prepared.read_npz(data / "samples" / f"{k}.npz", Masks=(s, s, n), Colors=(n, 3))
    cmask = regions.color_map(masks, colors)
    path = data / "color_masks" / f"{k}.npz"
    prepared.write_npz(path, made_from=note, cmask=cmask)
    if png:
        write_png(path, cmask)
    return jobs.DONE


def write_png(path: Path, cmask: np.ndarray) -> None:
    """Write the colour map of an .npz, (S, S, 3) in 0..255, as an 8-bit picture beside it, which says what it shows."""
    text = PngImagePlugin.PngInfo()
    text.add_text(PNG_NOTE, str(prepared.checksums(path, "cmask")[0]))
    with files.atomic(path.with_suffix(".png")) as temporary:
        Image.fromarray(cmask.round().astype(np.uint8)).save(temporary, format="PNG", pnginfo=text)


def is_png_current(path: Path) -> bool:
    """Whether the picture beside an .npz shows it; dates decide where it does not say what it shows."""
    png = path.with_suffix(".png")
    try:
        with files.open_regular(png) as file, Image.open(file, formats=("PNG",)) as picture:
            note = picture.info.get(PNG_NOTE)
    except Exception:  # missing, or damaged in any way
        return False
    return note == str(prepared.checksums(path, "cmask")[0]) if note else files.is_current(png, path)


def add_missing_pngs(data: Path, numbers: list[int]) -> None:
    """--png after a run without it: the pictures come from the colour maps that are there."""
    for k in numbers:
        path = data / "color_masks" / f"{k}.npz"
        if not is_png_current(path):
            write_png(path, prepared.read_npz(path, cmask=(None, None, 3))[0])


def show(data: Path, numbers: list[int]) -> None:
    """Photographs over their colour maps, in a window where there is a display, else in a file."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(numbers), figsize=(2.2 * len(numbers), 4.6), squeeze=False, layout="constrained")
    for k, (above, below) in zip(numbers, axes.T, strict=True):
        (image,) = prepared.read_npz(data / "samples" / f"{k}.npz", Image=(None, None, 3))
        (cmask,) = prepared.read_npz(data / "color_masks" / f"{k}.npz", cmask=(None, None, 3))
        above.imshow(image)
        above.set_title(str(k))
        below.imshow(cmask / 255)
        above.set_axis_off()
        below.set_axis_off()
    if plt.get_backend().lower() == "agg":
        path = data / "color_masks" / "show.png"
        with files.atomic(path) as temporary:
            figure.savefig(temporary, format="png")
        print(f"No display here; the pictures are in {path}.")
    else:
        plt.show()
    plt.close(figure)


def main() -> int:
    args = cli.parse(Args, description=__doc__)
    if args.show < 0:
        raise BadInput(f"--show {args.show}: expected a number of pictures.")
    numbers = prepared.sample_indices(args.data)
    status = jobs.run(
        partial(make_color_mask, data=args.data, png=args.png),
        {k: k for k in numbers},
        args.data / "color_masks",
        workers=args.workers,
        overwrite=args.overwrite,
        keep_going=args.keep_going,
        part=args.shard,
        made_from=args.data / "samples",
    )
    numbers = prepared.indices(args.data, "color_masks")
    if args.png:
        add_missing_pngs(args.data, jobs.shard(numbers, args.shard))
    if args.show and numbers:
        show(args.data, numbers[: args.show])
    return status


if __name__ == "__main__":
    cli.run(main)
