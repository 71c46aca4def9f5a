"""Painting on the page, in a real browser: strokes, colours, undo, the keyboard, the result."""

import itertools

import numpy as np

from editor.asking import FACE, S
from editor.browsing import (
    edit_of,
    result,
    settle,
    state,
    stroke,
    take,
    touch,
    wait_for_face,
    words,
)
from facegan.editor import editing
from facegan.editor.editing import NAMES


def test_the_page_says_that_a_run_on_regions_has_no_parts(page):
    names = [text.rstrip("12345678") for text in page.locator("#palette .region").all_text_contents()]
    assert names == [*NAMES[1:], "background"]
    assert "seven regions" in page.locator("#palette .note").text_content()
    assert "--parts" in page.locator("#palette .note").text_content()


def test_paint_erase_fill_undo_and_redo(page, served, prepared_64):
    face = editing.read_face(prepared_64, FACE)
    np.testing.assert_array_equal(result(page), face.image)
    page.keyboard.press("6")
    assert words(page) == "Painting clothes."
    stroke(page, (10, 30), (50, 34))
    settle(page)
    drawn = state(page)["grid"]
    assert set(np.unique(drawn)) == {NAMES.index("clothes"), editing.UNPAINTED}  # nothing in between
    assert 60 < (drawn == 6).sum() < 500
    edit = edit_of(page, prepared_64)
    found = result(page)
    np.testing.assert_array_equal(found, editing.composite(edit, served.setup.paint(edit)))
    untouched = ~editing.changed_pixels(edit)
    assert untouched.mean() > 0.3
    np.testing.assert_array_equal(found[untouched], face.image[untouched])

    page.keyboard.press("e")
    stroke(page, (30, 20), (30, 44))
    erased = state(page)["grid"]
    assert (erased == editing.OWN).sum() > 20
    page.keyboard.press("z")
    np.testing.assert_array_equal(state(page)["grid"], drawn)
    page.keyboard.press("Control+z")
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    np.testing.assert_array_equal(result(page), face.image)
    page.keyboard.press("Shift+Z")
    page.keyboard.press("Control+Shift+Z")
    np.testing.assert_array_equal(state(page)["grid"], erased)

    page.keyboard.press("f")
    page.keyboard.press("8")
    before = state(page)["shown"]
    y, x = np.argwhere(before == NAMES.index("hair"))[0] + 0.5
    stroke(page, (x, y))
    after = state(page)["shown"]
    assert (before == 4).sum() - (after == 4).sum() > 20
    assert set(np.unique(after[before != after])) == {0}


def test_a_region_painted_over_itself_is_no_edit(page):
    hair = state(page)["shown"] == NAMES.index("hair")
    y, x = np.argwhere(hair)[0] + 0.5
    page.keyboard.press("f")
    stroke(page, (x, y))
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("b")
    stroke(page, (x, y), (S / 2, S / 2))
    found = state(page)
    assert (found["grid"][hair] == editing.UNPAINTED).all()
    assert (found["grid"] == NAMES.index("hair")).any()


def test_recolour_and_the_photos_colour_again(page, prepared_64):
    face = editing.read_face(prepared_64, FACE)
    picker = page.get_by_label("Colour of hair", exact=True)
    assert picker.input_value() == editing.color_text(face.colors[3])
    picker.fill("#00ff40")
    settle(page)
    found = result(page)
    hair = face.map.masks[..., 3] > 0
    assert np.abs(found[hair].astype(int) - face.image[hair]).mean() > 10
    far = ~editing.changed_pixels(edit_of(page, prepared_64))
    np.testing.assert_array_equal(found[far], face.image[far])
    page.get_by_label("The photo's own colour of hair").click()
    np.testing.assert_array_equal(result(page), face.image)
    page.get_by_role("button", name="Undo").click()
    assert state(page)["doc"]["colors"][3] == "#00ff40"
    picker.focus()
    for key, color in (("z", editing.color_text(face.colors[3])), ("Shift+Z", "#00ff40")):
        page.keyboard.press(key)
        assert picker.input_value() == color
    page.keyboard.press("5")
    assert words(page) == "Painting nose."


def test_caps_lock_does_not_turn_undo_and_redo_around(page):
    page.keyboard.press("6")
    stroke(page, (20, 20), (40, 40))
    press = "options => document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Z', ...options}))"
    for options in ({}, {"ctrlKey": True}):
        page.evaluate(press, options)
        assert words(page) == "Undone."
        page.evaluate(press, {"key": "z", "shiftKey": True, **options})
        assert words(page) == "Redone."


def test_strokes_drawn_while_the_server_paints_are_not_lost_and_the_newest_wins(page, served, prepared_64):
    settle(page)
    before, served.slow = len(served.paints), 0.5
    try:
        for row in range(6):
            stroke(page, (20, 10 + 8 * row), (44, 10 + 8 * row))
        settle(page)
    finally:
        served.slow = 0
    calls = served.paints[before:]
    assert 2 <= len(calls) <= 5  # not one for each stroke
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(calls))  # one at a time
    edit = edit_of(page, prepared_64)
    assert all((edit.regions[10 + 8 * row, 22:42] == 4).all() for row in range(6))
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))


def test_an_edit_is_painted_with_the_keyboard_alone(page):
    page.keyboard.press("6")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "canvas":
            break
    assert page.evaluate("document.activeElement.id") == "canvas"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("[")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowRight")
    assert words(page).startswith("33, 40: ")
    page.keyboard.press("Space")
    assert words(page) == "Painted clothes."
    assert state(page)["grid"][40, 33] == NAMES.index("clothes")
    page.keyboard.press("+")
    assert words(page) == "Zoom 150 %."
    for _ in range(3):
        page.keyboard.press("+")
    assert sees(page, 33, 40)  # zoomed about the brush
    for _ in range(6):
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("Shift+ArrowLeft")
    assert words(page).startswith("0, 0: ")
    assert sees(page, 0, 0)
    page.keyboard.press("h")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert words(page) == "View from 13, 0."  # a view further: 64 / 1.5 ** 4


def sees(page, x: int, y: int) -> bool:
    """Whether the canvas shows a pixel of the map."""
    view = page.evaluate("faceEditor.state().view")
    return all(view[axis] <= at <= view[axis] + S / view["scale"] - 1 for axis, at in (("x", x), ("y", y)))


def test_a_cancelled_stroke_is_not_in_the_result(page, prepared_64):
    touch(page, "pointerdown", 11, 0.5, 0.5)
    page.evaluate("document.getElementById('keep').dispatchEvent(new Event('change'))")  # asks for a picture of it
    settle(page)
    touch(page, "pointercancel", 11, 0.5, 0.5)
    np.testing.assert_array_equal(result(page), editing.read_face(prepared_64, FACE).image)


def test_the_slider_shows_the_original(page, prepared_64):
    stroke(page, (5, 30), (60, 30))
    edited = result(page)
    page.get_by_label("Show the original from the left").fill("50")
    wiped, face = result(page), editing.read_face(prepared_64, FACE)
    np.testing.assert_array_equal(wiped[:, : S // 2], face.image[:, : S // 2])
    np.testing.assert_array_equal(wiped[:, S // 2 :], edited[:, S // 2 :])
    assert page.locator("#wipe-label").inner_text().split() == ["Original", "Edit"]  # as the line parts the picture
    take(page, "photo, to edit it", 1)
    wait_for_face(page, "1")
    assert page.locator("#wipe").input_value() == "0"
    np.testing.assert_array_equal(result(page), editing.read_face(prepared_64, 1).image)
    assert page.locator("#wipe-line").is_hidden()


def test_the_picture_itself_is_dragged(page, prepared_64):
    stroke(page, (5, 30), (60, 30))
    edited, face = result(page), editing.read_face(prepared_64, FACE)
    box = page.locator("#result").bounding_box()
    x, y = (lambda share: box["x"] + share * box["width"]), box["y"] + box["height"] / 2
    page.mouse.move(x(0.9), y)
    assert page.locator("#wipe").input_value() == "0"
    page.mouse.down()
    for share in (0.5, 0.25):
        page.mouse.move(x(share), y, steps=3)
        column = round(share * S)
        np.testing.assert_array_equal(result(page)[:, :column], face.image[:, :column])
        np.testing.assert_array_equal(result(page)[:, column:], edited[:, column:])
    page.mouse.up()
    page.mouse.move(x(0.7), y)
    assert page.locator("#wipe").input_value() == "25"
    page.locator("#wipe").press("ArrowRight")
    assert page.locator("#wipe").input_value() == "26"


def test_a_finger_moves_the_line_and_one_that_scrolls_does_not(page):
    for event, finger, share in (("pointerdown", 1, 0.2), ("pointermove", 1, 0.4), ("pointerup", 1, 0.6)):
        touch(page, event, finger, share, 0.5, "result")
    assert page.locator("#wipe").input_value() == "60"
    for event in ("pointerdown", "pointercancel"):  # the browser takes the finger, to scroll
        touch(page, event, 2, 0.1, 0.5, "result")
    touch(page, "pointermove", 2, 0.3, 0.5, "result")
    assert page.locator("#wipe").input_value() == "60"
