"""facegan/results.py: the folder that --test writes, and its page. What evaluate.py refuses: test_evaluate.py."""

import json
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan import pictures
from facegan.checkpoints import hold_folder
from facegan.errors import BadInput
from facegan.results import ResultsWriter, read_picture
from solid import BLUE, RED, pictures_of


def write_results(out: Path, count: int) -> None:
    """Faces 100, 101, ... in batches of 3; reconstructions are red, the later the brighter, ground truths blue, scores
    rise from 0. Every second face has no second score."""
    numbers = np.arange(100, 100 + count)
    labels = {"rec": "reconstruction", "real": "ground truth"}
    about = {"script": "<b>title</b>.py", "split": "test", "step": 5}
    with ResultsWriter(out, about, numbers, labels, also={"cmask": "colour map"}) as results:
        for k in np.split(numbers, range(3, count, 3)):
            n = len(k)
            rec = pictures_of(RED, n) * ((k - 99) / count).reshape(-1, 1, 1, 1)
            batch = {"rec": rec, "real": pictures_of(BLUE, n), "cmask": pictures_of(RED, n), "masks": None}
            about = {"k": k, "map_k": k + 1, "l1": (k - 100) / 8, "l1_man": np.where(k % 2, np.nan, 0.5)}
            results.add(batch, about)


def test_results_are_pictures_a_table_a_grid_and_a_page(tmp_path, capsys):
    write_results(tmp_path / "new" / "out", 5)
    out = tmp_path / "new" / "out"
    names = {f"{k}_{name}.png" for k in range(100, 105) for name in ("rec", "real", "cmask")}
    assert {path.name for path in out.iterdir()} == {*names, "results.csv", "results.json", "grid.png", "index.html"}
    assert (np.asarray(Image.open(out / "104_rec.png")) == 255 * RED).all()
    assert (out / "results.csv").read_text().splitlines()[:3] == [
        "k,map_k,l1,l1_man", "100,101,0.000000,0.500000", "101,102,0.125000,nan"
    ]  # fmt: skip
    assert "l1 0.2500, l1_man 0.5000 (mean of 5 faces)" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 5), (8, 8), (30, 8)])
def test_the_grid_shows_at_most_eight_faces_from_the_first_to_the_last(count, columns, tmp_path, monkeypatch):
    captions = []
    grid = pictures.grid
    monkeypatch.setattr(pictures, "grid", lambda rows, names: captions.extend(names) or grid(rows, names))
    write_results(tmp_path, count)
    drawn = np.asarray(Image.open(tmp_path / "grid.png"))
    reds, blues = (drawn[..., 0] > drawn[..., 2]), (drawn[..., 2] > drawn[..., 0])
    assert reds.sum() == blues.sum() == columns * 16 * 16  # and no colour maps, which are red too
    assert np.argwhere(reds)[:, 0].max() < np.argwhere(blues)[:, 0].min()
    brightness = drawn[reds][: columns * 16, 0].astype(int)  # the uppermost line
    assert (np.diff(brightness) >= 0).all()
    assert len(set(brightness)) == columns
    assert len(captions) == len(set(captions)) == columns
    assert (captions[0], captions[-1]) == ("100", str(99 + count))


def test_the_page_holds_every_result_and_no_title_can_break_it(tmp_path):
    write_results(tmp_path, 5)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    rows, kinds = re.search(r"const rows = (.*), kinds = (.*), perPage", page).groups()
    rows = json.loads(rows)
    assert [(row["k"], row["map_k"], row["l1"]) for row in rows] == [(100 + i, 101 + i, i / 8) for i in range(5)]
    assert [bool(np.isnan(row["l1_man"])) for row in rows] == [False, True, False, True, False]
    assert list(json.loads(kinds)) == ["cmask", "real", "rec"]
    assert "<h1>&lt;b&gt;title&lt;/b&gt;, test faces, step 5</h1>" in page


@pytest.fixture
def shown(browser, tmp_path):
    """The page of 45 faces in a browser, in three pages of twenty; no script of it may fail."""
    write_results(tmp_path, 45)
    errors = []
    page = browser.new_page(viewport={"width": 390, "height": 700}, color_scheme="dark")
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    yield page
    page.close()
    assert not errors


def first_shown(page) -> int:
    return int(page.locator(".face").first.get_attribute("id").removeprefix("face-"))


def test_the_page_goes_to_a_face_and_shows_it(shown):
    shown.fill("#face", "137")
    shown.press("#face", "Enter")
    box = shown.locator("#face-137").bounding_box()
    header = shown.locator("nav").bounding_box()
    assert header["y"] + header["height"] <= box["y"] < 700 / 2
    assert shown.locator(".found").get_attribute("id") == "face-137"
    shown.fill("#face", "7")
    shown.press("#face", "Enter")
    assert shown.locator("#message").inner_text() == "no face 7 here"


def test_the_page_keeps_sort_and_place_in_its_address(shown):
    shown.select_option("#sort", "l1")
    shown.check("#descending")
    assert first_shown(shown) == 144
    shown.click("#next")
    assert first_shown(shown) == 124
    shown.reload()
    assert (first_shown(shown), shown.locator("#place").inner_text()) == (124, "page 2 of 3, 45 faces")
    shown.evaluate("location.hash = 'sort=nothing&page=x'")
    shown.wait_for_function("document.querySelector('.face').id === 'face-100'")


def test_the_page_sums_up_the_scores_without_those_that_are_missing(shown):
    shown.locator("summary").click()
    cells = [row.inner_text().split() for row in shown.locator("#scores tr").all()]
    assert cells == [["l1", "2.7500", "2.7500", "0.0000", "5.5000"], ["l1_man", *4 * ["0.5000"]]]


def test_a_picture_is_enlarged_and_others_of_the_face_are_an_arrow_away(shown):
    shown.locator("#face-101 button").first.press("Enter")
    captions = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        captions.append(shown.locator("#caption").inner_text())
        shown.keyboard.press(key)
    assert captions == [f"{name} of face 101" for name in ("colour map", "ground truth", "reconstruction")]
    assert shown.evaluate("document.querySelector('#picture').naturalWidth") == 16
    assert shown.locator("#picture").bounding_box()["width"] > 300
    shown.keyboard.press("Escape")
    assert not shown.locator("#large").is_visible()
    assert first_shown(shown) == 100  # the arrows did not turn the page behind it


def test_the_page_is_dark_where_the_system_is(shown):
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"


def test_results_that_fail_half_way_leave_no_table_that_seems_whole(tmp_path):
    (tmp_path / "results.json").write_text("{}")  # of results that were whole
    (tmp_path / "evaluation").mkdir()
    for name in ("scores.json", "worst_16_rec.png", "mine.txt"):
        (tmp_path / "evaluation" / name).touch()
    about = {"script": "pix2pix.py", "split": "test", "step": 5}
    results = ResultsWriter(tmp_path, about, np.arange(2), {"rec": "reconstruction"})
    results.add({"rec": pictures_of(RED)}, {"k": np.array([0])})
    with pytest.raises(KeyError), results:
        results.add({}, {"k": np.array([1])})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0_rec.png", "evaluation"]
    assert [path.name for path in (tmp_path / "evaluation").iterdir()] == ["mine.txt"]


def test_what_a_killed_job_left_half_written_goes(tmp_path, dead_process):
    for folder in (tmp_path, tmp_path / "run" / "grids"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f".3_rec.png.{socket.gethostname()}.{dead_process}.tmp").touch()
    write_results(tmp_path, 5)
    with hold_folder(tmp_path / "run"):
        pass
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_picture_is_read_back_as_it_was_written_and_nothing_else_is(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    pictures.save_png(tmp_path / "0_rec.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "0_rec.png", 16), picture)
    os.mkfifo(tmp_path / "pipe.png")
    Image.fromarray(picture).save(tmp_path / "eps.png", "EPS")
    (tmp_path / "cut.png").write_bytes((tmp_path / "0_rec.png").read_bytes()[:-30])
    for name, size, words in (
        ("0_rec.png", 32, "0_rec.png is 16 x 16, expected 32 x 32"),
        ("pipe.png", 16, "is a pipe or a device"),
        ("eps.png", 16, "is not a picture"),
        ("cut.png", 16, "a checksum is wrong, or its end is missing"),
        ("none.png", 16, "no file none.png"),
    ):
        with pytest.raises(BadInput, match=rf"{name} is missing or damaged \(.*{words}.*\): run --test"):
            read_picture(tmp_path / name, size)
