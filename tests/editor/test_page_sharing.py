"""Edits on the page as files that open elsewhere and from the command line, and side by side."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

import edit as script
import pix2pix
from editor.asking import FACE, S, decoded
from editor.browsing import (
    REFUSED,
    alert,
    hand_in,
    opened,
    photo_file,
    result,
    settle,
    state,
    stroke,
    take,
    wait_for_alert,
    wait_for_face,
    wait_for_words,
    wait_until,
)
from facegan.editor import edit_files, editing
from outcomes import refusal

JSON = "application/json"


def download(page, button: str) -> tuple[bytes, str]:
    """What a button downloads, and the name it gets."""
    with page.expect_download() as expected:
        page.get_by_role("button", name=button).click()
    return expected.value.path().read_bytes(), expected.value.suggested_filename


def choose(page, content: bytes, name: str = "me.json") -> None:
    page.get_by_label("Edit file").set_input_files({"name": name, "mimeType": JSON, "buffer": content})


def test_an_edit_opens_elsewhere_and_paints_the_same_also_from_the_command_line(
    browser, served, trained, prepared_64, call, tmp_path
):
    with opened(browser, served) as page:
        take(page, "whole map", 4)
        wait_for_words(page, "Map of face 4.")
        take(page, "identity", 2)
        wait_for_words(page, "Identity of face 2.")
        stroke(page, (20, 20), (40, 40))
        page.get_by_label("Colour of hair", exact=True).fill("#20c040")
        page.get_by_label("Keep the rest of the photo").uncheck()
        seen, doc = result(page), state(page)["doc"]
        content, name = download(page, "Download edit")
        assert name == f"face_{FACE}_edit.json"
        page.keyboard.press("Escape")
        page.keyboard.press("s")
        page.locator("#strip li").wait_for()
        (saved,) = page.evaluate(
            "JSON.parse(localStorage[Object.keys(localStorage).find(name => name.endsWith(':saved'))])"
        )
        assert saved.items() >= edit_files.edit_of(json.loads(content)).items()  # one format
    with opened(browser, served) as other:
        take(other, "photo, to edit it", 3)
        wait_for_face(other, "3")
        stroke(other, (10, 10), (30, 10))
        take(other, "photo, to edit it", FACE)
        wait_for_face(other, str(FACE))
        stroke(other, (50, 50), (60, 50))
        before = state(other)["doc"]
        take(other, "photo, to edit it", 3)
        wait_for_face(other, "3")
        choose(other, content, name)
        wait_for_words(other, f"Opened {name}.")
        assert state(other)["doc"] == doc
        assert not other.get_by_label("Keep the rest of the photo").is_checked()
        np.testing.assert_array_equal(result(other), seen)
        other.keyboard.press("z")
        assert state(other)["doc"] == before  # what was painted on that face before
        hand_in(other, "drop", ("renamed.JSON", "", content))
        wait_for_words(other, "Opened renamed.JSON.")
        assert state(other)["doc"] == doc
    (tmp_path / name).write_bytes(content)
    flags = ("--run", trained(pix2pix).run, "--data", prepared_64, "--edit", tmp_path / name)
    outcome = call(script, *flags, "--out", tmp_path / "out.png")
    assert outcome.status == 0, outcome.err
    painted = Image.open(tmp_path / "out.png")
    np.testing.assert_array_equal(np.asarray(painted), seen)
    assert "not a photograph" in painted.text["Synthetic"]


@pytest.mark.parametrize("page", [(REFUSED,)], indirect=True)
def test_a_file_that_cannot_be_opened_changes_nothing(page):
    stroke(page, (20, 20), (40, 40))
    content, _ = download(page, "Download edit")
    before, record = state(page)["doc"], json.loads(content)
    for changes, said in (
        ({"grid": "!"}, "me.json is damaged (grid: "),
        ({"run": record["run"] | {"weights": "0"}}, "start edit.py with the --run that it was made with."),
        ({"face": "77"}, "me.json was made with another face 77"),
    ):
        choose(page, json.dumps(record | changes).encode())
        wait_for_alert(page, said)
        wait_for_words(page, "Not taken.")
    choose(page, bytes(3_000_001))
    wait_for_alert(page, "me.json is larger than 3 MB: choose the .json that this page gave.")
    assert state(page)["doc"] == before
    choose(page, content)
    wait_for_words(page, "Opened me.json.")
    assert alert(page) == ""


def test_an_edit_of_an_own_photograph_opens_once_that_is_there(
    browser, served, trained, raw, prepared_64, true_maps, call, tmp_path
):
    photo, aligned = photo_file(raw, 1), "it is cut as CelebA-HQ's photos already"
    with opened(browser, served) as page:
        page.get_by_label(aligned).check()
        page.get_by_label("Photo", exact=True).set_input_files(photo)
        wait_until(page, "faceEditor.state().face.startsWith('own-')")
        page.get_by_label("Colour of hair", exact=True).fill("#20c040")
        settle(page)
        doc = state(page)["doc"]
        content, name = download(page, "Download edit")
        whole, _ = download(page, "Download whole photo")
        assert len(content) < 3000  # the photograph is not in it
    with opened(browser, served, REFUSED) as other:
        choose(other, content)
        wait_for_alert(other, "me.json uses a picture of your own, which is not in it: upload that here")
        assert state(other)["face"] == str(FACE)
        other.get_by_label(aligned).check()
        other.get_by_label("Photo", exact=True).set_input_files(photo)
        wait_until(other, "faceEditor.state().face.startsWith('own-')")
        choose(other, content)
        wait_for_words(other, "Opened me.json.")
        assert state(other)["doc"] == doc
    for path, file in ((tmp_path / name, content), (tmp_path / "me.jpg", photo["buffer"])):
        path.write_bytes(file)
    (tmp_path / "other.jpg").write_bytes(photo_file(raw, 2)["buffer"])
    flags = (
        "--run",
        trained(pix2pix).run,
        "--data",
        prepared_64,
        "--edit",
        tmp_path / name,
        "--out",
        tmp_path / "x.png",
    )
    flags += ("--parser", served.setup.place.parser)
    assert "uses 1 of your own pictures, which are not in it" in refusal(call(script, *flags))
    assert "other.jpg is no picture that" in refusal(call(script, *flags, "--photo", tmp_path / "other.jpg"))
    two = json.dumps(json.loads(content) | {"identity": f"own-{'b' * 24}"})
    (tmp_path / name).write_text(two)
    assert "two photographs of your own opens on the page" in refusal(
        call(script, *flags, "--photo", tmp_path / "me.jpg")
    )
    (tmp_path / name).write_bytes(content)
    outcome = call(script, *flags, "--photo", tmp_path / "me.jpg")
    assert outcome.status == 0, outcome.err
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), decoded(whole))


# --- side by side -----------------------------------------------------------------------------------------------------

COMPARED = """
() => [...document.querySelectorAll("#compared li")].map(x =>
  [x.querySelector(".caption").textContent, x.querySelector("canvas").toDataURL()])"""
IS_DRAWN = """
() => [...document.querySelectorAll("#compared canvas")].every(x => {
  const pixels = x.getContext("2d").getImageData(0, 0, x.width, x.height).data;
  return pixels.every((value, i) => i % 4 < 3 || value === 255);
})"""


def compared(page) -> list[tuple[str, np.ndarray]]:
    """The captions and pictures side by side, once all are painted."""
    wait_until(page, IS_DRAWN)
    return [(caption, decoded(base64.b64decode(url.split(",")[1]))) for caption, url in page.evaluate(COMPARED)]


def test_the_edits_of_a_face_stand_side_by_side_with_the_original(page, prepared_64):
    pictures = []
    for row in (20, 40):
        stroke(page, (10, row), (40, row))
        pictures.append(result(page))
        page.keyboard.press("s")
        wait_until(page, "n => document.querySelectorAll('#strip li').length === n", len(pictures))
    page.get_by_role("button", name="Start over").click()
    page.get_by_label("Colour of hair", exact=True).fill("#20c040")
    pictures.append(result(page))
    last = state(page)["doc"]
    take(page, "photo, to edit it", 2)
    wait_for_face(page, "2")
    page.keyboard.press("s")  # another face's, which is not compared
    take(page, "photo, to edit it", FACE)
    wait_for_face(page, str(FACE))
    page.get_by_role("button", name="Compare").press("Enter")
    (_, original), (_, now), (newer_title, newer), (_, older) = compared(page)
    assert newer_title.startswith("Saved ")
    np.testing.assert_array_equal(original, editing.read_face(prepared_64, FACE).image)
    for picture, expected in zip((older, newer, now), pictures, strict=True):
        np.testing.assert_array_equal(picture, expected)
    page.keyboard.press("1")  # keys of the page behind it do nothing
    page.keyboard.press("z")
    page.get_by_role("button", name="Hide the edit").first.press("Enter")
    assert [caption for caption, _ in compared(page)][:2] == ["Original", "As it is now"]
    assert page.evaluate("document.activeElement.textContent") == "Restore"  # of the next
    page.keyboard.press("Escape")
    wait_until(page, "!document.getElementById('comparison').open")
    assert page.evaluate("document.activeElement.id") == "compare-saved"
    assert state(page)["doc"] == last
    page.get_by_role("button", name="Compare").click()
    assert len(compared(page)) == 4
    page.locator("#compared").get_by_role("button", name="Restore the edit").last.click()
    wait_for_words(page, "Restored.")
    np.testing.assert_array_equal(result(page), pictures[0])
    page.keyboard.press("z")
    assert state(page)["doc"] == last


@pytest.mark.parametrize(("width", "columns"), [(390, 2), (768, 3), (1024, 4), (1280, 5), (1920, 5)])
def test_the_comparison_fits_every_width_at_full_size(browser, served, width, columns):
    touch = {"has_touch": True, "is_mobile": True} if width == 390 else {}
    with opened(browser, served, viewport={"width": width, "height": 800}, **touch) as page:
        for count, row in enumerate((20, 30, 40)):
            stroke(page, (20, row), (40, row))
            settle(page)
            page.keyboard.press("s")
            wait_until(page, "n => document.querySelectorAll('#strip li').length === n", count + 1)
        button = page.get_by_role("button", name="Compare")
        button.tap() if touch else button.click()
        assert len(compared(page)) == 5
        boxes = [box.bounding_box() for box in page.locator("#compared canvas").all()]
        assert sum(box["y"] == boxes[0]["y"] for box in boxes) == columns
        assert all(S <= box["width"] <= 800 for box in boxes)
        assert max(box["x"] + box["width"] for box in boxes) <= width
        assert page.evaluate("document.getElementById('comparison').scrollWidth") <= width
        for button in page.locator("#comparison button").all():
            assert button.bounding_box()["height"] >= 36


def test_an_edit_that_can_no_longer_be_painted_says_so_beside_the_others(browser, served):
    with opened(browser, served, REFUSED) as page:
        stroke(page, (20, 20), (40, 40))
        page.keyboard.press("s")
        page.locator("#strip li").wait_for()
        page.evaluate(
            """() => { const name = Object.keys(localStorage).find(name => name.endsWith(":saved"));
                 localStorage[name] = localStorage[name].replace('"identity":null', '"identity":"77"'); }"""
        )
        page.get_by_role("button", name="Compare").click()
        page.locator("#compared .trouble").wait_for()
        assert page.locator("#compared .trouble").text_content() == "no face 77: there are 0 to 9."
        assert page.locator("#compared li").count() == 3
