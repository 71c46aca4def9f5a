"""The page of a run on the eighteen parts, in a real browser; and what it says of one on the seven regions."""

from pathlib import Path

import numpy as np
import pytest

from editor.asking import FACE
from editor.browsing import edit_of, result, settle, state, stroke, take, wait_for_words, wait_until, words
from facegan.editor import editing
from facegan.editor.answers import Setup
from facegan.regions import PARTS

ID = {part: i for i, part in enumerate(PARTS, 1)}


@pytest.fixture(scope="module")
def editor_setup(run_on_parts, parts_64) -> Setup:
    """The editor with a tiny run on parts, instead of the one on regions."""
    import edit

    args = edit.Args(run=run_on_parts.run, data=parts_64, parser=Path("no_parser"), sample=FACE)
    return edit.page_setup(args, edit.restore(args))


def test_parts_are_painted_recoloured_borrowed_and_moved_apart(page, served, parts_64):
    face = editing.read_face(parts_64, FACE)
    assert page.locator("#palette .region").all_text_contents()[:4] == ["skin1", "nose2", "glasses3", "left eye4"]
    assert page.locator("#palette .region").count() == 19
    assert "18 parts" in page.locator("#palette .note").text_content()
    np.testing.assert_array_equal(result(page), face.image)
    np.testing.assert_array_equal(state(page)["shown"], face.map.labels)

    page.get_by_role("button", name="lower lip", exact=True).click()
    assert words(page) == "Painting lower lip."
    stroke(page, (28, 56), (36, 56))
    settle(page)
    assert set(np.unique(state(page)["grid"])) == {ID["l_lip"], editing.UNPAINTED}
    page.get_by_label("Colour of upper lip", exact=True).fill("#aa1020")
    assert [i for i, color in enumerate(state(page)["doc"]["colors"], 1) if color] == [ID["u_lip"]]
    take(page, "left brow", 1)
    wait_for_words(page, "left brow of face 1.")
    page.keyboard.press("m")
    wait_until(page, "document.getElementById('status').textContent.includes('mirrored')")
    edit = edit_of(page, parts_64)
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))


def test_every_part_can_be_chosen_by_keys(page):
    page.keyboard.press("9")
    assert words(page) == "Painting right ear."
    chosen = []
    for _ in range(19):
        page.keyboard.press(".")
        chosen.append(page.locator("#palette [aria-pressed=true]").get_attribute("data-region"))
    assert sorted(map(int, chosen)) == list(range(19))
    page.keyboard.press(",")
    assert words(page) == "Painting left ear."


def test_clothes_can_be_dragged_and_styles_are_of_parts(page):
    page.keyboard.press("v")
    y, x = np.argwhere(state(page)["shown"] == ID["cloth"])[-1] + 0.5
    stroke(page, (x, y))
    wait_for_words(page, "Shape: clothes.")
    assert page.locator("#style-region option").count() == 18


@pytest.mark.parametrize("width", [390, 768, 1024, 1280, 1920])
def test_nothing_is_wider_than_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('#palette .region')].filter(x => x.scrollWidth > x.clientWidth + 1)"
    assert page.evaluate(f"{wide}.map(x => x.textContent)") == []
    page.set_viewport_size({"width": 1280, "height": 800})
