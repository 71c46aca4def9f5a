"""Every PNG of generated faces says that it is synthetic, and which run made it at which step; nothing else says so."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edit
import pix2pix
import pix2pix_rec
from facegan import pictures
from facegan.results import GENERATED


def text_of(path: Path) -> dict[str, str]:
    """The text chunks of a PNG, and that its picture is whole."""
    with Image.open(path) as image:
        image.load()
        return image.text


def says_so(text: dict[str, str], run: str, step: int) -> bool:
    return "not a photograph" in text["Synthetic"] and (text["Run"], text["Step"]) == (run, str(step))


@pytest.mark.parametrize("script", [pix2pix, pix2pix_rec], ids=lambda script: script.__name__)
def test_every_generated_picture_of_a_test_says_so_and_no_photograph_does(script, trained):
    results = trained(script).results
    names = {path.name: text_of(path) for path in results.glob("*.png")}
    generated = {name for name in names if name.split("_")[-1].removesuffix(".png") in GENERATED} | {"grid.png"}
    assert len(generated) == 10 * len(GENERATED & set(script.ROWS)) + 1
    assert all(says_so(names[name], "run", 12) for name in generated)
    assert all(text == {} for name, text in names.items() if name not in generated)


def test_the_grid_of_every_epoch_says_so(trained):
    grids = sorted((trained(pix2pix).run / "grids").iterdir())
    assert [says_so(text_of(path), "run", 4 * (i + 1)) for i, path in enumerate(grids)] == [True] * 3


def test_a_result_of_the_editor_says_so_and_its_map_does_not(trained, prepared_64, tmp_path, call):
    flags = ("--run", trained(pix2pix).run, "--data", prepared_64, "--sample", 8, "--color", "hair=#ff0000")
    outcome = call(edit, *flags, "--out", tmp_path / "out.png", "--save-map", tmp_path / "map.png")
    assert outcome.status == 0, outcome.err
    assert says_so(text_of(tmp_path / "out.png"), "run", 12)
    assert text_of(tmp_path / "map.png") == {}


def test_a_run_of_any_name_is_named(tmp_path):
    for name, shown in (("Zoë, 顔", "Zoë, 顔"), ("a\udcff\n", "a\\udcff\\n"), ("x" * 200, "x" * 200)):
        pictures.save_png(tmp_path / "a.png", np.zeros((4, 4, 3)), pictures.synthetic(name, 7))
        assert says_so(text_of(tmp_path / "a.png"), shown, 7)
