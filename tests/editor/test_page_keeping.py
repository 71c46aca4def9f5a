"""What the page keeps: edits that outlast it, saved ones, and what it says when it cannot."""

import base64

import numpy as np

from editor.asking import FACE, decoded
from editor.browsing import (
    ABORTED,
    alert,
    edit_of,
    opened,
    ready,
    result,
    settle,
    state,
    stroke,
    take,
    wait_for_alert,
    wait_for_face,
    wait_for_words,
)
from facegan.editor import editing


def test_an_edit_outlives_the_page_and_saved_ones_come_back(page):
    stroke(page, (20, 20), (40, 40))
    page.get_by_label("Colour of skin", exact=True).fill("#336699")
    settle(page)
    first = state(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save this edit").click()
    page.get_by_role("button", name="Start over").click()
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    page.get_by_role("button", name="Undo").click()
    page.reload()
    ready(page)
    assert state(page)["doc"] == first["doc"]
    page.keyboard.press("6")
    stroke(page, (10, 50), (40, 50))
    second = state(page)
    assert second["doc"] != first["doc"]
    take(page, "photo, to edit it", 2)
    wait_for_face(page, "2")
    restore = page.get_by_role("button", name="Restore the edit")
    restore.click()
    wait_for_face(page, str(FACE))
    assert state(page)["doc"] == first["doc"]
    page.keyboard.press("z")
    assert state(page)["doc"] == second["doc"]  # which was not saved
    for _ in range(2):  # what is done to a restored edit is not done to the saved one
        restore.click()
        wait_for_words(page, "Restored.")
        assert state(page)["doc"] == first["doc"]
        page.get_by_label("Colour of skin", exact=True).fill("#aa0000")
    page.get_by_role("button", name="Forget the edit").click()
    assert page.locator("#strip li").count() == 0


THUMBNAIL = """
() => {
  const small = document.createElement("canvas");
  small.width = small.height = 96;
  small.getContext("2d").drawImage(document.getElementById("result"), 0, 0, 96, 96);
  return small.toDataURL("image/jpeg", .8);
}"""


def test_what_is_saved_is_what_was_seen(page, served):
    """Also when the picture was still on its way, and with "keep the rest" as it was."""
    keep = page.get_by_label("Keep the rest of the photo")
    keep.uncheck()
    wait_for_words(page, "The whole face is painted.")
    settle(page)
    before, served.slow = page.evaluate(THUMBNAIL), 0.5
    try:
        page.keyboard.press("6")
        stroke(page, (10, 30), (54, 34))
        page.keyboard.press("s")
        page.locator("#strip img").wait_for()
    finally:
        served.slow = 0
    seen, after = result(page), page.evaluate(THUMBNAIL)
    saved = page.locator("#strip img").get_attribute("src")
    saved, before, after = (decoded(base64.b64decode(x.split(",")[1])).astype(int) for x in (saved, before, after))
    assert np.abs(saved - after).mean() < np.abs(saved - before).mean() / 2
    page.get_by_role("button", name="Start over").click()
    keep.check()
    wait_for_words(page, "The rest of the photo stays.")
    page.get_by_role("button", name="Restore the edit").click()
    wait_for_words(page, "The whole face is painted.")
    assert not keep.is_checked()
    np.testing.assert_array_equal(result(page), seen)


def test_a_full_storage_is_not_called_saved(page):
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    stroke(page, (20, 20), (40, 40))
    assert "keeps no more edits: download it" in alert(page)
    page.get_by_role("button", name="Save this edit").click()
    wait_for_words(page, "Not saved.")


def test_a_server_that_does_not_answer_loses_nothing(browser, served, prepared_64):
    with opened(browser, served, ABORTED) as page:
        page.route("**/editor/paint", lambda route: route.abort(), times=1)
        stroke(page, (20, 20), (40, 40))
        wait_for_alert(page, "does not answer")
        settle(page)
        edit = edit_of(page, prepared_64)
        np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))
        assert alert(page) == ""


def test_a_failure_of_the_pages_own_is_told_and_not_tried_for_ever(page, served):
    before = len(served.paints)
    page.evaluate("() => { window.createImageBitmap = () => Promise.reject(new Error('no such picture')); }")
    stroke(page, (20, 20), (40, 40))
    wait_for_alert(page, "no such picture")
    settle(page)
    page.wait_for_timeout(2500)
    assert len(served.paints) == before + 1


def test_two_browsers_do_not_see_each_others_edits(browser, served):
    with opened(browser, served) as one, opened(browser, served) as two:
        one.keyboard.press("1")
        two.keyboard.press("3")
        stroke(one, (10, 10), (50, 10))
        stroke(two, (10, 20), (50, 20))
        stroke(one, (10, 40), (50, 40))
        for page, painted in ((one, 1), (two, 3)):
            settle(page)
            assert set(np.unique(state(page)["grid"])) == {painted, editing.UNPAINTED}
        assert not np.array_equal(result(one), result(two))
