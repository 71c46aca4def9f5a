"""Undo and redo on the page: what is a step, what comes first, what they bring along."""

import numpy as np

from editor.asking import S
from editor.browsing import (
    begun,
    hold_answer,
    middle,
    state,
    stroke,
    take,
    touch,
    use_handles,
    wait_for_words,
    wait_until,
    words,
)
from facegan.editor import editing


def test_undo_and_redo_come_after_what_waits_for_the_server(page, prepared_64):
    edit = begun(prepared_64)
    use_handles(page, "nose")
    release = hold_answer(page, "**/editor/transform", lambda: page.keyboard.press("ArrowRight"))
    page.keyboard.press("ArrowRight")  # waits for the first answer
    page.keyboard.press("z")
    release()
    wait_for_words(page, "Undone.")
    np.testing.assert_array_equal(state(page)["grid"], editing.transform(edit, "nose", right=1).grid)
    page.keyboard.press("Shift+Z")
    np.testing.assert_array_equal(state(page)["grid"], editing.transform(edit, "nose", right=2).grid)
    for _ in range(2):
        page.keyboard.press("z")
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    assert page.get_by_role("button", name="Undo").is_disabled()
    release = hold_answer(page, "**/editor/borrow", lambda: take(page, "hair", 1))
    page.keyboard.press("z")
    assert words(page) != "Undone."
    release()
    wait_for_words(page, "Undone.")
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    assert page.get_by_role("button", name="Redo").is_enabled()


def test_undo_does_not_wait_for_ever(page):
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    use_handles(page, "nose")
    release = hold_answer(page, "**/editor/transform", lambda: page.keyboard.press("ArrowRight"))
    page.keyboard.press("z")
    assert words(page) == "Waiting for the server ..."
    wait_for_words(page, "Undone.")
    release()  # what comes so late is dropped
    assert (state(page)["grid"] == editing.UNPAINTED).all()


def test_a_drag_that_comes_back_to_where_it_began_is_no_step(page, prepared_64):
    edit, undo, redo = begun(prepared_64), *(page.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    use_handles(page, "nose")
    page.keyboard.press("ArrowRight")
    wait_for_words(page, "Nose: 1 right, 0 down, 100 %, 0°.")
    page.keyboard.press("z")
    wait_until(page, "faceEditor.state().handles !== null")
    x, y = (value / S for value in middle(state(page)["handles"]))
    touch(page, "pointerdown", 1, x, y)
    for right, then in ((0.1, 6), (0, 0), (0.2, 13), (0, 0)):
        touch(page, "pointermove", 1, x + right, y)
        wait_for_words(page, f"Nose: {then} right, 0 down, 100 %, 0°.")
        assert undo.is_disabled() is (then == 0)
    touch(page, "pointerup", 1, x, y)
    assert undo.is_disabled()
    redo.click()  # and what could be redone can
    np.testing.assert_array_equal(state(page)["grid"], editing.transform(edit, "nose", right=1).grid)


def test_an_input_that_is_dragged_back_and_a_click_that_changes_nothing_are_no_steps(page):
    undo = page.get_by_role("button", name="Undo")
    color = page.get_by_label("Colour of hair", exact=True)
    page.get_by_role("button", name="Start over").click()
    assert undo.is_disabled()
    for values, is_disabled in ((["#102030"], False), (["#405060", "#102030"], False)):
        for value in values:
            color.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value)
        color.evaluate("e => e.dispatchEvent(new Event('change', {bubbles: true}))")
        assert undo.is_disabled() is is_disabled
    for _ in range(2):
        take(page, "identity", 1)
    undo.click()
    undo.click()
    assert undo.is_disabled()
    page.get_by_label("Mouth open").fill("40")
    wait_for_words(page, "Mouth open: 40 %.")
    undo.click()
    assert undo.is_disabled()


def test_undo_and_redo_bring_the_sliders_along(page, prepared_64):
    edit = begun(prepared_64)
    sliders = [page.get_by_label(name) for name in ("Mouth open", "Eyes closed", "Hair longer")]

    def values() -> list[str]:
        return [slider.input_value() for slider in sliders]

    for slider, value in zip(sliders, ("60", "100", "-40"), strict=True):
        slider.fill(value)
        wait_until(page, "text => document.getElementById('status').textContent.endsWith(text)", f": {value} %.")
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    assert values() == ["0", "0", "0"]  # it goes on from a map of its own
    steps = [["60", "100", "-40"], ["60", "100", "0"], ["60", "0", "0"], ["0", "0", "0"]]
    for step in steps:
        page.keyboard.press("z")
        assert values() == step
    assert page.get_by_role("button", name="Undo").is_disabled()
    for step in steps[2:0:-1]:
        page.keyboard.press("Shift+Z")
        assert values() == step
    sliders[0].fill("-100")  # goes on from the map before all of them
    wait_for_words(page, "Mouth open: -100 %.")
    expected = editing.close_eyes(editing.open_mouth(edit, -1), 1)
    np.testing.assert_array_equal(state(page)["grid"], expected.grid)
