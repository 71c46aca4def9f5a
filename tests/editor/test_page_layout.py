"""How the page looks and is handled: names, widths, fingers, zoom."""

import numpy as np
import pytest

from editor.asking import S
from editor.browsing import (
    REFUSED,
    opened,
    settle,
    state,
    stroke,
    touch,
    wait_for_alert,
    wait_until,
    words,
)
from facegan.editor import editing


def test_everything_on_the_page_has_a_name(page):
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, canvas, img")].filter(x =>
             x.offsetParent !== null && !x.closest("label")?.textContent.trim() && !x.getAttribute("aria-label") &&
             !x.textContent.trim() && !x.title && !(x.labels && x.labels.length) &&
             !(x.tagName === "IMG" && x.hasAttribute("alt"))
           ).map(x => x.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    assert page.locator("#status").get_attribute("aria-live") == "polite"
    assert page.locator("#alert").get_attribute("role") == "alert"


def test_a_phone_paints_with_a_finger_and_nothing_is_cut_off(browser, served):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with opened(browser, served, **phone) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter(x => x.getBoundingClientRect().right > 391)
                 .map(x => x.outerHTML.slice(0, 100))"""
        )
        assert wide == []
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, #shaping input")].filter(x => x.offsetParent &&
                 getComputedStyle(x).visibility === "visible" && x.getBoundingClientRect().height < 36).length"""
        )
        assert small == 0
        assert page.locator("#mini").is_visible()
        covered = page.evaluate(
            """() => { const mini = document.getElementById("mini").getBoundingClientRect();
                 return [...document.querySelectorAll("button, input, #canvas")].map(x => x.getBoundingClientRect())
                   .filter(x => x.width && x.right > mini.left && x.top < mini.bottom && x.bottom > 0).length; }"""
        )
        assert covered == 0
        page.keyboard.press("6")
        page.locator("#canvas").tap(position={"x": 150, "y": 150})
        settle(page)
        assert (state(page)["grid"] != editing.UNPAINTED).any()


@pytest.mark.parametrize("tool", ["b", "f"])
def test_two_fingers_zoom_and_do_not_paint(page, tool):
    page.keyboard.press(tool)
    for event in (
        ("pointerdown", 11, 0.4, 0.5), ("pointermove", 11, 0.42, 0.5), ("pointerdown", 12, 0.6, 0.5),
        ("pointermove", 11, 0.2, 0.5), ("pointermove", 12, 0.8, 0.5), ("pointerup", 11, 0.2, 0.5),
        ("pointerup", 12, 0.8, 0.5),
    ):  # fmt: skip
        touch(page, *event)
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    page.keyboard.press("b")
    stroke(page, (S / 2, S / 2))  # in the middle still, and three times as fine
    painted = state(page)["grid"] == 4
    assert painted.any()
    np.testing.assert_allclose(np.argwhere(painted).mean(0), [S / 2 - 0.5] * 2, atol=2)
    before = state(page)["grid"]
    for event in (("pointerdown", 13, 0.1, 0.1), ("pointermove", 13, 0.9, 0.1), ("pointercancel", 13, 0.9, 0.1)):
        touch(page, *event)
    np.testing.assert_array_equal(state(page)["grid"], before)


def test_the_wheel_zooms_and_a_stroke_lands_where_it_is_drawn(page):
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    for _ in range(4):
        page.mouse.wheel(0, -120)
    wait_until(page, "document.getElementById('status').textContent.startsWith('Zoom ')")
    scale = float(words(page).split()[1]) / 100
    assert scale > 2
    page.keyboard.press("6")
    stroke(page, (16, 16))
    painted = np.argwhere(state(page)["grid"] == 6)
    np.testing.assert_allclose(painted.mean(0), [15.5, 15.5], atol=0.6)
    page.keyboard.press("0")
    assert state(page)["view"] == {"scale": 1, "x": 0, "y": 0}


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(390, 844, 360), (768, 1024, 360), (1024, 768, 400), (1280, 800, 480), (1920, 1080, 780), (2560, 1080, 780)],
)
def test_map_and_result_are_large_at_every_width_and_wholly_in_sight(browser, served, width, height, side):
    with opened(browser, served, viewport={"width": width, "height": height}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        map_box, result_box = (page.locator(name).bounding_box() for name in ("#canvas", "#result"))
        assert map_box["width"] == pytest.approx(map_box["height"], abs=1)
        assert map_box["width"] >= side
        assert map_box["y"] + map_box["height"] <= height
        assert (map_box["y"] == result_box["y"]) is (width > 640)  # side by side but on a phone
        assert map_box["width"] == pytest.approx(result_box["width"], abs=1)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1280, 800)])
def test_status_alert_and_a_copy_of_the_result_stay_in_sight(browser, served, width, height):
    with opened(browser, served, REFUSED, viewport={"width": width, "height": height}) as page:
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.get_by_label("Label map").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"x"})
        wait_for_alert(page, "x.png is not a picture")
        wait_until(page, "document.getElementById('mini').offsetParent !== null")
        for name in ("#status", "#alert", "#mini"):
            box = page.locator(name).bounding_box()
            assert box["y"] >= 0
            assert box["y"] + box["height"] < height / 3
            middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
            assert page.evaluate("([x, y]) => '#' + document.elementFromPoint(x, y).id", middle) == name


def test_what_has_the_focus_is_not_under_the_header(page):
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.getElementById('wipe')"):
        page.keyboard.press("Shift+Tab")
    assert page.locator("#wipe").bounding_box()["y"] >= page.locator("header").bounding_box()["height"]


def test_the_page_is_dark_where_the_system_is(browser, served):
    for scheme, dark in (("light", False), ("dark", True)):
        with opened(browser, served, color_scheme=scheme) as page:
            color = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(","))) < 3 * 128) is dark
