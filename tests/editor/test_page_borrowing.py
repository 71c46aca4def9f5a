"""Borrowing from other faces on the page, whatever happens until their answers come."""

import numpy as np
import pytest

from editor.asking import FACE, S, as_png, ask, message
from editor.browsing import (
    ABORTED,
    GONE,
    REFUSED,
    alert,
    edit_of,
    hold_answer,
    opened,
    result,
    settle,
    state,
    stroke,
    take,
    touch,
    wait_for_alert,
    wait_for_face,
    wait_for_words,
    words,
)
from facegan.editor import editing
from facegan.regions import LABEL_REGION


def test_borrow_a_region_a_map_colours_and_an_identity(page, served, prepared_64):
    face, other = editing.read_face(prepared_64, FACE), editing.read_face(prepared_64, 1)
    take(page, "hair", 1)
    wait_for_words(page, "hair of face 1.")
    expected = editing.borrow_region(editing.begin(face), other.map, "hair")
    np.testing.assert_array_equal(state(page)["grid"], expected.grid)
    np.testing.assert_array_equal(state(page)["shown"], expected.regions)
    take(page, "colours", 2)
    wait_for_words(page, "Colours of face 2.")
    take(page, "identity", 3)
    take(page, "whole map", 4)
    wait_for_words(page, "Map of face 4.")
    edit = edit_of(page, prepared_64)
    np.testing.assert_array_equal(edit.map.labels, editing.read_face(prepared_64, 4).map.labels)
    np.testing.assert_array_equal(edit.face_id, editing.read_face(prepared_64, 3).face_id)
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))
    page.get_by_label("Keep the rest of the photo").uncheck()
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit), keep=False))
    for _ in range(4):
        page.get_by_role("button", name="Undo").click()
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    take(page, "photo, to edit it", 5)
    wait_for_face(page, "5")


def test_a_click_on_a_face_opens_it_and_borrowing_is_chosen(page):
    stroke(page, (20, 20), (40, 40))
    painted = state(page)["doc"]
    assert page.locator("#taking-words").text_content() == "A click on a face opens it."
    page.locator("#faces").get_by_role("button", name="face 1", exact=True).click()
    wait_for_face(page, "1")
    page.get_by_label("hair", exact=True).check()
    assert words(page) == page.locator("#taking-words").text_content() == "A click on a face borrows its hair."
    take(page, "photo, to edit it", FACE)
    wait_for_face(page, str(FACE))
    assert state(page)["doc"] == painted


def test_a_run_without_style_codes_says_so_instead_of_offering_styles(page, served):
    assert page.get_by_label("style", exact=True).count() == 0
    assert page.locator("#style").is_hidden()
    hint = page.locator("#style-hint").text_content()
    assert "was trained by pix2pix.py, and has no style codes" in hint
    answer = ask(served, "/editor/paint", message(styles={"hair": {"from": "1", "strength": 1}}))
    assert (answer.status, answer.error) == (400, served.setup.missing_styles)


def test_an_answer_that_comes_during_a_stroke_ends_it(page):
    for what, words_then in (("whole map", "Map of face 1."), ("colours", "Colours of face 1.")):
        release = hold_answer(page, "**/editor/show/1", lambda what=what: take(page, what, 1))
        before = state(page)
        page.locator("#canvas").scroll_into_view_if_needed()
        box = page.locator("#canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        painted = state(page)["grid"]
        assert not np.array_equal(painted, before["grid"])
        release()
        assert words(page) == words_then
        page.mouse.move(box["x"] + 5, box["y"] + 5, steps=4)
        page.mouse.up()
        page.get_by_role("button", name="Undo").click()
        np.testing.assert_array_equal(state(page)["grid"], painted)
        page.get_by_role("button", name="Undo").click()
        assert state(page)["doc"] == before["doc"]


def test_a_face_that_opens_during_a_stroke_is_not_painted_on(page):
    release = hold_answer(page, "**/editor/show/2", lambda: take(page, "photo, to edit it", 2))
    touch(page, "pointerdown", 11, 0.5, 0.5)
    release()
    touch(page, "pointermove", 11, 0.6, 0.6)
    touch(page, "pointerup", 11, 0.6, 0.6)
    assert state(page)["face"] == "2"
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    take(page, "photo, to edit it", FACE)
    wait_for_face(page, str(FACE))
    assert (state(page)["grid"] == 4).any()  # what was painted so far is that face's


def test_the_newest_action_wins(page):
    release = hold_answer(page, "**/editor/show/1", lambda: take(page, "whole map", 1))
    take(page, "whole map", 3)
    wait_for_words(page, "Map of face 3.")
    release()
    assert state(page)["doc"]["map"] == "3"
    page.get_by_role("button", name="Save this edit").click()
    page.get_by_role("button", name="Start over").click()
    release = hold_answer(page, "**/editor/show/3", lambda: page.get_by_role("button", name="Restore the edit").click())
    take(page, "photo, to edit it", 5)
    wait_for_face(page, "5")
    release()
    assert (state(page)["face"], state(page)["doc"]["map"]) == ("5", None)


@pytest.mark.parametrize("page", [(ABORTED,)], indirect=True)
def test_a_region_is_borrowed_without_its_photo_and_late_strokes_stay(page):
    page.route("**/editor/show/1", lambda route: route.abort())
    release = hold_answer(page, "**/editor/borrow", lambda: take(page, "mouth", 1))
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    drawn = state(page)["grid"] == 6
    assert drawn.any()
    release()
    assert words(page) == "mouth of face 1."
    assert (state(page)["grid"][drawn] == 6).all()


def test_an_edit_whose_borrowed_map_is_gone_goes_on_when_it_is_uploaded_again(browser, served):
    ids = as_png(editing.full_labels(np.full((S, S), 4)))

    def upload(words_then: str) -> None:
        page.get_by_label("Label map").set_input_files({"name": "m.png", "mimeType": "image/png", "buffer": ids})
        wait_for_words(page, words_then)
        settle(page)
        assert alert(page) == ""

    def check(doc: dict) -> None:
        edit = state(page)
        assert edit["doc"] == doc
        assert (edit["shown"][edit["grid"] == editing.UNPAINTED] == LABEL_REGION[4]).all()

    def wait_until_told() -> None:
        wait_for_alert(page, "upload it again")
        assert "start over" in alert(page)
        settle(page)

    with opened(browser, served, GONE) as page:
        upload("Your map.")
        page.keyboard.press("6")
        stroke(page, (10, 10), (50, 10))
        settle(page)
        one = state(page)["doc"]
        served.store.entries.clear()
        page.reload()  # a page that comes later
        wait_until_told()
        assert state(page)["doc"] == one
        page.keyboard.press("6")
        stroke(page, (10, 30), (50, 30))
        wait_until_told()
        two = state(page)["doc"]
        assert two != one
        upload("Your map is here again, and the edit goes on.")
        check(two)
        page.keyboard.press("z")
        check(one)
        served.store.entries.clear()  # a page that is open
        stroke(page, (10, 50), (50, 50))
        wait_until_told()
        three = state(page)["doc"]
        page.get_by_role("button", name="Start over").click()
        settle(page)
        assert alert(page) == ""
        page.keyboard.press("z")
        wait_until_told()
        upload("Your map is here again, and the edit goes on.")
        check(three)


def test_a_face_whose_borrowed_map_left_the_data_folder_opens(browser, served):
    with opened(browser, served, REFUSED) as page:
        take(page, "whole map", 1)
        wait_for_words(page, "Map of face 1.")
        page.evaluate(
            """() => { const name = Object.keys(localStorage).find(name => name.endsWith(':edits'));
                 localStorage[name] = localStorage[name].replace('"map":"1"', '"map":"77"'); }"""
        )
        page.reload()
        wait_for_alert(page, "no face 77")
        settle(page)
        take(page, "whole map", 2)
        wait_for_words(page, "Map of face 2.")
        settle(page)
        assert alert(page) == ""


@pytest.mark.parametrize("number", ["3.5", "-1", "1e12", ""])
def test_any_number_goes_to_a_face(page, served, number):
    page.locator("#go-to-number").fill(number)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    assert alert(page) == ""
    assert page.locator("#place").text_content() == "Faces 1 to 10 of 10"
    assert page.url == f"{served.address}/"
