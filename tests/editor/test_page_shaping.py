"""Shapes on the page: handles, mirror, sliders; straight lines, lasso, eyedropper; smooth rims."""

import numpy as np
import pytest

from editor.asking import FACE, S
from editor.browsing import (
    ABORTED,
    REFUSED,
    alert,
    begun,
    edit_of,
    hold_answer,
    middle,
    opened,
    result,
    settle,
    state,
    stroke,
    take,
    touch,
    use_handles,
    wait_for_alert,
    wait_for_face,
    wait_for_words,
    wait_until,
    words,
)
from facegan.editor import editing
from facegan.editor.editing import NAMES

# --- handles ----------------------------------------------------------------------------------------------------------


def test_a_region_is_dragged_scaled_turned_and_mirrored(page, served, prepared_64):
    edit = begun(prepared_64)
    handles = use_handles(page, "nose")
    x, y = middle(handles)
    stroke(page, (x, y), (x + 5, y - 3))
    wait_for_words(page, "Nose: 5 right, -3 down, 100 %, 0°.")
    np.testing.assert_array_equal(state(page)["grid"], editing.transform(edit, "nose", right=5, down=-3).grid)
    x, y = x + 5, y - 3
    unit = S / page.locator("#canvas").bounding_box()["width"]
    half_width, half_height = (
        (handles["box"][i + 2] - handles["box"][i]) / 2 + 10 * unit for i in (0, 1)
    )  # the box is 10 pixels of the screen off
    stroke(page, (x + half_width, y + half_height), (x + 1.5 * half_width, y + 1.5 * half_height))
    wait_for_words(page, "Nose: 5 right, -3 down, 150 %, 0°.")
    scaled = editing.transform(edit, "nose", right=5, down=-3, scale=state(page)["handles"]["how"]["scale"])
    np.testing.assert_array_equal(state(page)["grid"], scaled.grid)
    far = 1.5 * (half_height - 10 * unit) + 36 * unit
    stroke(page, (x, y - far), (x + far, y))
    wait_for_words(page, "Nose: 5 right, -3 down, 150 %, 90°.")
    page.get_by_role("button", name="Mirror").click()
    wait_for_words(page, "Nose: 5 right, -3 down, 150 %, 90°, mirrored.")
    how = state(page)["handles"]["how"]
    np.testing.assert_array_equal(state(page)["grid"], editing.transform(edit, "nose", **how).grid)
    painted = edit_of(page, prepared_64)
    np.testing.assert_array_equal(result(page), editing.composite(painted, served.setup.paint(painted)))
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(
        state(page)["grid"], editing.transform(edit, "nose", right=5, down=-3).grid
    )  # each drag is a step
    page.get_by_role("button", name="Undo").click()
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("Shift+Z")
    assert (state(page)["grid"] != editing.UNPAINTED).any()


def test_a_press_on_another_region_takes_it_and_drags_it(page, prepared_64):
    edit = begun(prepared_64)
    use_handles(page, "nose")
    y, x = np.argwhere(edit.regions == NAMES.index("clothes"))[-1] + 0.5
    release = hold_answer(page, "**/editor/transform", lambda: stroke(page, (x, y)))
    release()
    wait_for_words(page, "Shape: clothes.")
    stroke(page, (x, y), (x, y - 4))
    wait_for_words(page, "Clothes: 0 right, -4 down, 100 %, 0°.")
    np.testing.assert_array_equal(state(page)["grid"], editing.transform(edit, "clothes", down=-4).grid)


def test_a_shape_is_moved_scaled_turned_and_mirrored_by_keys(page, prepared_64):
    edit = begun(prepared_64)
    use_handles(page, "l_eye")
    for key, then in (
        ("ArrowRight", "1 right, 0 down, 100 %, 0°."),
        ("Shift+ArrowUp", "1 right, -8 down, 100 %, 0°."),
        ("+", "1 right, -8 down, 105 %, 0°."),
        (".", "1 right, -8 down, 105 %, 5°."),
        ("m", "1 right, -8 down, 105 %, 5°, mirrored."),
        ("-", "1 right, -8 down, 100 %, 5°, mirrored."),
        (",", "1 right, -8 down, 100 %, 0°, mirrored."),
    ):
        page.keyboard.press(key)
        wait_for_words(page, "Left eye: " + then)
    expected = editing.transform(edit, "l_eye", right=1, down=-8, mirror=True)
    np.testing.assert_array_equal(state(page)["grid"], expected.grid)
    assert state(page)["view"]["scale"] == 1  # + and - are zoom elsewhere
    page.keyboard.press("z")
    settle(page)
    wait_until(page, "faceEditor.state().handles !== null")
    assert state(page)["handles"]["how"]["turn"] == 0  # they begin anew from the map as it is


def test_a_finger_moves_a_region_and_a_second_finger_takes_it_back(page, prepared_64):
    x, y = (value / S for value in middle(use_handles(page, "nose")))
    touch(page, "pointerdown", 1, x, y)
    touch(page, "pointermove", 1, x + 0.1, y)
    wait_for_words(page, "Nose: 6 right, 0 down, 100 %, 0°.")
    touch(page, "pointerdown", 2, x + 0.3, y)
    wait_for_words(page, "Nose: 0 right, 0 down, 100 %, 0°.")
    for finger in (1, 2):
        touch(page, "pointerup", finger, x, y)
    assert (state(page)["grid"] == editing.UNPAINTED).all()


def test_an_answer_that_comes_after_a_stroke_is_dropped(page):
    use_handles(page, "nose")
    release = hold_answer(page, "**/editor/transform", lambda: page.keyboard.press("ArrowRight"))
    page.keyboard.press("b")
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    drawn = state(page)["grid"]
    release()
    np.testing.assert_array_equal(state(page)["grid"], drawn)


def test_a_change_that_waits_is_of_the_map_it_was_made_on_and_of_no_other(page):
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    use_handles(page, "nose")
    release = hold_answer(page, "**/editor/transform", lambda: page.keyboard.press("ArrowRight"))
    page.keyboard.press("ArrowRight")  # waits for the first answer
    take(page, "photo, to edit it", 1)
    wait_for_face(page, "1")
    release()
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    assert page.get_by_role("button", name="Undo").is_disabled()


def test_keys_wait_for_handles_that_are_on_their_way(page):
    use_handles(page, "nose")
    page.keyboard.press("ArrowRight")
    wait_for_words(page, "Nose: 1 right, 0 down, 100 %, 0°.")
    release = hold_answer(page, "**/editor/transform", lambda: page.keyboard.press("z"))
    page.keyboard.press("m")
    page.keyboard.press("ArrowDown")
    release()
    wait_for_words(page, "Nose: 0 right, 1 down, 100 %, 0°, mirrored.")


def test_escape_takes_a_drag_back(page):
    x, y = middle(use_handles(page, "nose"))
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    unit = box["width"] / S
    page.mouse.move(box["x"] + x * unit, box["y"] + y * unit)
    page.mouse.down()
    page.mouse.move(box["x"] + (x + 5) * unit, box["y"] + y * unit)
    wait_for_words(page, "Nose: 5 right, 0 down, 100 %, 0°.")
    page.keyboard.press("Escape")
    wait_for_words(page, "Nose: 0 right, 0 down, 100 %, 0°.")
    page.mouse.move(box["x"] + (x + 9) * unit, box["y"] + y * unit)
    page.mouse.up()
    assert (state(page)["grid"] == editing.UNPAINTED).all()


def test_a_shape_cannot_leave_the_reach_of_a_pointer(page, prepared_64):
    """Neither by a drag, nor by keys, nor as it grows: its middle stays in the picture, and so do its handles."""
    edit = begun(prepared_64)
    x, y = middle(use_handles(page, "nose"))
    stroke(page, (x, y), (x + 3, y), (S + 30, y - S - 30))
    wait_until(page, "faceEditor.state().handles.how.right > 3")
    how = state(page)["handles"]["how"]
    assert (x + how["right"], y + how["down"]) == (pytest.approx(S, abs=0.5), pytest.approx(0, abs=0.5))
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    assert state(page)["handles"]["how"] == how
    stroke(page, (S - 1, 1), (x - 1, y + 1))
    wait_for_words(page, "Nose: 0 right, 0 down, 100 %, 0°.")
    assert (state(page)["shown"] == NAMES.index("nose")).sum() == (edit.regions == NAMES.index("nose")).sum()
    page.get_by_role("button", name="Start over").click()
    use_handles(page, "hair")
    for _ in range(25):
        page.keyboard.press("+")
    wait_until(page, "faceEditor.state().handles.how.scale > 3")
    far = state(page)["handles"]["how"]["scale"]
    settle(page)
    stroke(page, (S - 1, S - 1), (S * 0.7, S * 0.7))  # all corners lie beyond the picture
    wait_until(page, "scale => faceEditor.state().handles.how.scale < .8 * scale", far)


def test_without_an_answer_the_page_says_so_and_the_next_key_goes_on(browser, served):
    with opened(browser, served, ABORTED) as page:
        use_handles(page, "nose")
        page.route("**/editor/transform", lambda route: route.abort())
        page.keyboard.press("ArrowRight")
        wait_for_alert(page, "The server does not answer: try again in a moment.")
        wait_until(page, "faceEditor.state().handles === null")
        page.unroute("**/editor/transform")
        page.keyboard.press("ArrowRight")
        wait_for_words(page, "Nose: 1 right, 0 down, 100 %, 0°.")
        assert alert(page) == ""


def test_what_the_map_does_not_show_has_no_handles(page):
    page.locator("#shape").select_option("hat")
    wait_for_words(page, "This map shows no hat.")
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["handles"] is None
    assert alert(page) == ""


def test_handles_go_on_with_another_face(page, prepared_64):
    use_handles(page, "nose")
    take(page, "photo, to edit it", 1)
    wait_for_face(page, "1")
    wait_until(page, "faceEditor.state().handles !== null")
    rows, columns = np.nonzero(editing.read_face(prepared_64, 1).map.labels == 2)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert state(page)["handles"]["box"] == box


# --- sliders ----------------------------------------------------------------------------------------------------------


def test_sliders_go_on_from_one_map_together_and_begin_anew_after_another_change(page, prepared_64):
    edit = begun(prepared_64)
    page.get_by_label("Mouth open").fill("60")
    wait_for_words(page, "Mouth open: 60 %.")
    page.get_by_label("Eyes closed").fill("100")
    wait_for_words(page, "Eyes closed: 100 %.")
    page.get_by_label("Mouth open").fill("-100")
    wait_for_words(page, "Mouth open: -100 %.")
    expected = editing.close_eyes(editing.open_mouth(edit, -1), 1)
    np.testing.assert_array_equal(state(page)["grid"], expected.grid)
    page.get_by_label("Colour of hair", exact=True).fill("#00ff40")
    assert page.get_by_label("Eyes closed").input_value() == "100"  # the map is as it was
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    assert page.get_by_label("Eyes closed").input_value() == "0"
    before = edit_of(page, prepared_64)
    page.get_by_label("Hair longer").fill("50")
    wait_for_words(page, "Hair longer: 50 %.")
    np.testing.assert_array_equal(state(page)["grid"], editing.lengthen_hair(before, 0.5).grid)
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(state(page)["grid"], before.grid)
    assert page.get_by_label("Hair longer").input_value() == "0"


def test_a_slider_says_what_the_map_lacks_and_goes_back(browser, served):
    with opened(browser, served, REFUSED) as page:
        page.keyboard.press("1")
        page.keyboard.press("l")
        stroke(page, (2, 2), (S - 2, 2), (S - 2, S - 2), (2, S - 2))
        settle(page)
        page.get_by_label("Mouth open").fill("50")
        wait_for_alert(page, "this map shows no mouth: paint or borrow some first")
        assert page.get_by_label("Mouth open").input_value() == "0"


# --- lines, lasso, eyedropper -----------------------------------------------------------------------------------------


def test_shift_draws_a_straight_line(page):
    page.keyboard.press("6")
    for _ in range(9):
        page.keyboard.press("[")
    page.keyboard.down("Shift")
    stroke(page, (10.5, 10.5), (30.5, 40.5), (40.5, 10.5))
    page.keyboard.up("Shift")
    row = np.zeros((S, S), bool)
    row[10, 10:41] = True
    shown = state(page)["shown"] == NAMES.index("clothes")
    before = own_clothes(page)
    np.testing.assert_array_equal(shown & ~before, row & ~before)
    page.keyboard.down("Shift")
    stroke(page, (40.5, 30.5))  # on from where the last one ended
    page.keyboard.up("Shift")
    assert (state(page)["shown"][10:31, 40] == NAMES.index("clothes")).all()


def own_clothes(page) -> np.ndarray:
    """Where the face's own map shows clothes."""
    found = state(page)
    return (found["grid"] == editing.UNPAINTED) & (found["shown"] == NAMES.index("clothes"))


def test_the_lasso_fills_what_its_line_goes_around_by_mouse_and_by_keys(page):
    page.keyboard.press("l")
    page.keyboard.press("6")
    stroke(page, (10, 10), (30, 10), (30, 20), (10, 20))
    shown = state(page)["shown"]
    assert (shown[10:20, 10:30] == NAMES.index("clothes")).all()
    assert words(page) == "Filled with clothes."
    page.keyboard.press("z")
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    page.locator("#canvas").focus()
    page.mouse.move(0, 0)
    for key in ("Space", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space"):
        page.keyboard.press(key)
    assert words(page) == "Corner 3 of the lasso. Enter fills it."
    page.keyboard.press("Enter")
    assert (state(page)["shown"][33:40, 32:41] == NAMES.index("clothes")).sum() >= 20
    assert words(page) == "Filled with clothes."


def test_the_eyedropper_takes_the_photographs_colour_for_the_region(page, prepared_64):
    face = editing.read_face(prepared_64, FACE)
    page.keyboard.press("4")
    page.keyboard.press("i")
    stroke(page, (20.5, 30.5))
    color = editing.color_text(face.image[30, 20])
    assert state(page)["doc"]["colors"][3] == color
    assert words(page) == f"Colour of hair: {color}."
    page.keyboard.press("8")
    stroke(page, (20.5, 30.5))
    assert words(page) == "The background has no colour: choose a region first."
    page.keyboard.press("z")
    assert state(page)["doc"]["colors"] == [None] * 7


# --- rims -------------------------------------------------------------------------------------------------------------


def test_an_enlarged_map_has_slopes_in_place_of_steps(page):
    doubled = """async () => { const {doubled} = await import("/page/rims.js");
        return [...doubled(new Uint32Array([1, 2, 2, 1, 1, 2, 1, 1, 1]), 3, 3)]; }"""
    np.testing.assert_array_equal(
        np.reshape(page.evaluate(doubled), (6, 6)),
        [[1, 1, 2, 2, 2, 2], [1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 1, 2], [1] * 6, [1] * 6],
    )
