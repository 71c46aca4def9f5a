"""What the page keeps: edits that outlast it, saved ones, and what it says when it cannot."""

import base64

import numpy as np

from editor.asking import FACE, S, decoded
from editor.browsing import (
    ABORTED,
    PATIENCE,
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
    wait_until,
    words,
)
from facegan.editor import editing, wire


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
    page.keyboard.press("Enter")  # on the button that puts it back
    wait_for_words(page, "It is back.")
    restore.click()
    wait_for_words(page, "Restored.")
    assert state(page)["doc"] == first["doc"]
    page.get_by_role("button", name="Forget the edit").click()
    page.keyboard.press("6")
    assert page.get_by_role("button", name="put it back").is_hidden()  # after another action


def test_undo_goes_on_after_a_reload(page):
    docs = [state(page)["doc"]]
    stroke(page, (20, 20), (40, 20))
    docs.append(state(page)["doc"])
    take(page, "whole map", 4)
    wait_for_words(page, "Map of face 4.")
    docs.append(state(page)["doc"])
    page.get_by_label("Colour of skin", exact=True).fill("#336699")
    docs.append(state(page)["doc"])
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").click()
    borrowed = state(page)["shown"]
    page.reload()
    ready(page)
    page.get_by_role("button", name="Redo").click()
    assert state(page)["doc"] == docs[3]
    for doc in docs[2::-1]:
        page.get_by_role("button", name="Undo").click()
        assert state(page)["doc"] == doc
    assert page.get_by_role("button", name="Undo").is_disabled()
    for _ in range(2):
        page.get_by_role("button", name="Redo").click()
    np.testing.assert_array_equal(state(page)["shown"], borrowed)
    take(page, "photo, to edit it", 2)
    wait_for_face(page, "2")
    take(page, "photo, to edit it", FACE)
    wait_for_face(page, str(FACE))
    assert page.get_by_role("button", name="Undo").is_disabled()  # as ever, of the face that is open alone


def test_a_history_without_room_keeps_the_newest_states(page):
    page.keyboard.press("6")
    rows = (10, 20, 30, 40)
    for row in rows:
        stroke(page, (20, row), (40, row))
        last = state(page)["doc"]
    page.evaluate(
        """() => { const set = Storage.prototype.setItem; Storage.prototype.setItem = function (name, text) {
             if (this === sessionStorage && text.split('"grid"').length > 4) throw new Error("full");
             set.call(this, name, text); }; }"""
    )
    page.reload()
    ready(page)
    assert state(page)["doc"] == last
    for row in rows[:1:-1]:
        page.get_by_role("button", name="Undo", exact=True).click()
        assert (state(page)["grid"][row] == editing.UNPAINTED).all()
    assert page.get_by_role("button", name="Undo", exact=True).is_disabled()


def second_tab(page, served):
    """Another page of the same browser, which has the same face open."""
    tab = page.context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(served.address)
    ready(tab)
    return tab


def restored(page) -> dict:
    """The edit of the newest item of the strip."""
    page.get_by_role("button", name="Restore the edit").first.click()
    wait_for_words(page, "Restored.")
    return state(page)["doc"]


def test_of_two_tabs_with_one_face_none_loses_its_edit(page, served):
    tab = second_tab(page, served)
    stroke(page, (20, 20), (40, 20))
    first = state(page)["doc"]
    wait_for_alert(tab, "Another tab has changed the edit of this face")
    assert tab.locator("#strip li").count() == 0
    tab.keyboard.press("6")
    stroke(tab, (20, 40), (40, 40))
    assert "Another tab had changed the edit of this face: that one is among the saved edits now." in alert(tab)
    wait_for_alert(page, "yours is among the saved edits.")
    for each in (tab, page):
        assert each.locator("#strip li").count() == 1
    stroke(tab, (20, 50), (40, 50))
    second = state(tab)["doc"]
    page.reload()
    ready(page)
    assert words(page).endswith("with your edit as you left it; the one from another tab is among the saved edits.")
    assert state(page)["doc"] == second
    assert restored(page) == first
    page.close()
    assert state(tab)["doc"] == second


def test_strokes_in_turn_keep_the_last_edit_of_either_tab(page, served):
    """Not one for each stroke: what a tab goes on with contains what it had."""
    tab, last = second_tab(page, served), {}
    for row in (10, 20, 30):
        for each, column in ((page, 10), (tab, 40)):
            stroke(each, (column, row), (column + 15, row))
            last[each] = state(each)["doc"]
    wait_for_alert(page, "yours is among the saved edits")
    assert page.locator("#strip li").count() == 2
    page.reload()
    ready(page)
    assert state(page)["doc"] == last[tab]
    saved = page.evaluate("JSON.parse(localStorage[Object.keys(localStorage).find(name => name.endsWith(':saved'))])")
    newest = wire.pack(np.array(last[page]["grid"], np.uint8).reshape(S, S))
    assert saved[0]["grid"] == newest


def test_an_edit_that_another_tab_takes_up_and_changes_is_saved_where_it_is_open(page, served):
    stroke(page, (20, 20), (40, 20))
    first = state(page)["doc"]
    tab = second_tab(page, served)
    assert state(tab)["doc"] == first
    tab.get_by_role("button", name="Start over").click()
    wait_for_alert(page, "yours is among the saved edits.")
    page.reload()
    ready(page)
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    assert restored(page) == first


def test_a_saved_edit_is_deleted_and_not_the_one_in_its_place(page, served):
    stroke(page, (20, 20), (40, 20))
    page.keyboard.press("s")
    page.locator("#strip li").wait_for()
    page.keyboard.press("s")
    page.locator("#strip li").nth(1).wait_for()
    older = page.get_by_role("button", name="Forget the edit").last.element_handle()
    tab = second_tab(page, served)
    tab.get_by_role("button", name="Forget the edit").first.click()
    wait_until(page, "document.querySelectorAll('#strip li').length === 1")  # it draws what another tab does
    older.evaluate("button => button.click()")  # a click that came just before that
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
