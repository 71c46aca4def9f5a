"""The three training scripts: one order, and what a training and a test leave behind."""

import ast
import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import pictures
from three_scripts import LOSSES, SCRIPTS

# --- three scripts, one house -----------------------------------------------------------------------------------------


def outline(script) -> list[str]:
    """The sections of a script and what each defines, from top to bottom."""
    source = Path(script.__file__).read_text(encoding="utf-8")
    names = {
        node.lineno: node.targets[0].id if isinstance(node, ast.Assign) else node.name
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign))
    }
    sections = {n: line for n, line in enumerate(source.splitlines(), 1) if line.startswith("# --- ")}
    return [name for _, name in sorted((names | sections).items())]


@pytest.mark.parametrize("script", [pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
def test_the_scripts_keep_the_same_order(script):
    here, there = outline(script), outline(pix2pix)
    shared = set(here) & set(there)
    assert [name for name in here if name in shared] == [name for name in there if name in shared]
    assert [name for name in here if name.startswith("# ---")] == [name for name in there if name.startswith("# ---")]
    assert {"Args", "split", "Generator", "Discriminator", "gan_loss", "make_losses", "train", "test"} <= shared


def test_v2_differs_from_pix2pix_where_its_docstring_says_and_nowhere_else():
    def definitions(script) -> dict[str, str]:
        return {
            node.name: ast.unparse(without_docstring(node))
            for node in ast.parse(Path(script.__file__).read_text(encoding="utf-8")).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }

    def without_docstring(node):
        node.body = node.body[1:] if ast.get_docstring(node) else node.body
        return node

    here, there = definitions(pix2pix_v2), definitions(pix2pix)
    assert {name for name in here if here[name] != there.get(name)} == {
        "Args", "Discriminator", "map_loss", "make_losses"
    }  # fmt: skip


@SCRIPTS
def test_every_published_flag_departs_from_the_default(script):
    args = script.Args()
    assert {name: value for name, value in script.PUBLISHED.items() if getattr(args, name) == value} == {}


# --- train and test ---------------------------------------------------------------------------------------------------


@SCRIPTS
def test_training_leaves_all_that_a_run_needs(script, trained, weights, metrics, prepared_64):
    run = trained(script).run
    flags = json.loads((run / "args.json").read_text())
    assert (flags["script"], flags["size"], flags["data"]) == (f"{script.__name__}.py", 64, str(prepared_64))
    (start,) = json.loads((run / "starts.json").read_text())["starts"]
    assert start["command"][1:3] == ["--train", "--test"]
    assert start["tensorflow"] == tf.__version__
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", start["commit"] or 40 * "0")  # None outside a git checkout
    split = json.loads((run / "split.json").read_text())
    assert (split["train"], split["test"]) == (list(range(8)), [8, 9])
    assert weights(run)["step"] == 12
    assert sorted(path.name for path in (run / "grids").iterdir()) == [f"epoch_{i:04d}.png" for i in (1, 2, 3)]
    assert len(list((run / "checkpoints").glob("*.index"))) == 2
    assert [list(row) for row in metrics(run)] == 12 * [["step", "images_per_second", *LOSSES[script]]]
    assert [row["step"] for row in metrics(run)] == list(range(1, 13))


@SCRIPTS
def test_training_shows_its_choices_its_speed_and_its_losses_by_name(script, trained):
    outcome = trained(script).outcome
    assert re.search(r"^precision float32 \(as asked\).* on \d+ CPU cores$", outcome.out, re.MULTILINE)
    bar = [line for line in outcome.err.splitlines() if " 24/24 " in line][-1]
    assert re.search(r"24/24 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(img/s|s/img)", bar)
    assert all(f"{name}=" in bar for name in LOSSES[script])


@SCRIPTS
def test_tensorboard_gets_the_losses_and_the_grids(script, trained):
    (events,) = (trained(script).run / "logs").glob("events.*")
    tags = [
        value.tag
        for record in tf.data.TFRecordDataset(str(events))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    ]
    assert tags.count("faces") == 3
    assert all(tags.count(f"train/{name}") == 12 for name in ["images_per_second", *LOSSES[script]])


PICTURES = {
    pix2pix: ["real", "cmask", "rec", "cmask2", "man"],
    pix2pix_v2: ["real", "cmask", "rec", "cmask2", "man"],
    pix2pix_rec: ["real", "cmask", "rec"],
}


@SCRIPTS
def test_testing_writes_pictures_scores_grid_and_page(script, trained, prepared_64):
    out = trained(script).results
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [int(row["k"]) for row in rows] == list(range(10))
    assert list(rows[0])[:2] == ["k", "map_k"]
    assert {row["k"] == row["map_k"] for row in rows} == {script is pix2pix_rec}
    found = {path.name for path in out.glob("*_*.png")}
    assert found == {f"{k}_{name}.png" for k in range(10) for name in PICTURES[script]}
    assert {Image.open(out / name).size for name in found} == {(64, 64)}
    real, rec = (np.asarray(Image.open(out / f"3_{name}.png")).astype(float) for name in ("real", "rec"))
    inside = np.load(prepared_64 / "samples" / "3.npz")["Masks"].any(-1)
    assert float(rows[3]["l1_rec"]) == pytest.approx(np.abs(real - rec)[inside].mean() / 255, abs=0.004)
    assert Image.open(out / "grid.png").width > 8 * 64
    page = (out / "index.html").read_text()
    assert '"k": 9' in page
    assert all(f'"{name}": ' in page for name in PICTURES[script])
    assert "(mean of 10 faces)" in trained(script).outcome.out


@SCRIPTS
def test_the_pictures_of_a_face_do_not_depend_on_the_split(script, trained, prepared_64, tmp_path, call):
    flags = ("--data", prepared_64, "--run", trained(script).run, "--out", tmp_path)
    assert call(script, "--test", *flags).status == 0
    rec, among_all = (
        np.asarray(Image.open(folder / "9_rec.png")).astype(int) for folder in (tmp_path, trained(script).results)
    )
    assert np.abs(rec - among_all).max() <= 1
    assert not (tmp_path / "0_rec.png").exists()


def test_grid_puts_the_first_row_on_top_and_keeps_pixels():
    rows = {"red": np.tile([1.0, 0, 0], (2, 32, 32, 1)), "blue": np.tile([0, 0, 1.0], (2, 32, 32, 1))}
    picture = pictures.grid(rows, ["a", "b"])
    reds, blues = ((picture == color).all(-1) for color in ([255, 0, 0], [0, 0, 255]))
    assert reds.sum() == blues.sum() == 2 * 32 * 32
    assert np.argwhere(reds)[:, 0].max() < np.argwhere(blues)[:, 0].min()
