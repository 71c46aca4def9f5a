"""What the tests do with the editor's page in a browser."""

import base64
import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from editor.asking import FACE, S, decoded
from facegan.editor import editing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FORGET = "/#forget"
FORGETFUL = f"""
if (location.hash === "{FORGET[1:]}") {{
  localStorage.clear();
  sessionStorage.clear();
  history.replaceState(null, "", "/");
}}
"""
"""What a shared window runs before the page: at that address it forgets what earlier tests left."""
WINDOW = {"viewport": {"width": 1280, "height": 800}}
PATIENCE = 60_000  # milliseconds; a busy machine is slow, not wrong
REFUSED, GONE, ABORTED = "400 (Bad Request)", "410 (Gone)", "ERR_FAILED"
"""What the browser's console says of a request."""


@contextlib.contextmanager
def opened(browser, served, *expected, **options):
    """The page in a window of its own, with a storage of its own; see watched()."""
    context = browser.new_context(**{**WINDOW, **options})
    with watched(context.new_page(), served, *expected) as page:
        yield page
    context.close()


@contextlib.contextmanager
def watched(page, served, *expected, place="/"):
    """The page in a tab, ready to paint; at the end it must have asked nobody else, and failed nowhere but where the
    expected words say so."""
    troubles = []
    listeners = {
        "pageerror": lambda error: troubles.append(str(error)),
        "console": lambda message: message.type == "error" and troubles.append(message.text),
        "request": lambda r: r.url.startswith((served.address, "data:", "blob:")) or troubles.append(r.url),
    }
    page.set_default_timeout(PATIENCE)
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(served.address + place)
    ready(page)
    yield page
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert [text for text in troubles if not any(word in text for word in expected)] == []


def only_tab(window):
    """A tab of a window that tests share, with nothing in it."""
    tab = window.pages[0] if window.pages else window.new_page()
    for other in window.pages[1:]:
        other.close()
    tab.unroute_all()
    tab.mouse.move(0, 0)
    tab.goto("about:blank")
    return tab


# --- wait -------------------------------------------------------------------------------------------------------------


def wait_until(page, expression: str, value=None) -> None:
    """Until an expression of JavaScript, or a function of the value, gives something true. page.wait_for_function()
    would do the same by running text as code within the page, which the page's content security refuses."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression, value):
        assert time.monotonic() < end, f"waited in vain for {expression} ({value})"
        page.wait_for_timeout(20)


def ready(page) -> None:
    wait_until(page, "window.faceEditor && faceEditor.times.length > 0")
    settle(page)


def settle(page) -> None:
    """Until the server has painted the newest edit."""
    wait_until(page, "!faceEditor.state().busy")


def wait_for_words(page, text: str) -> None:
    wait_until(page, "text => document.getElementById('status').textContent === text", text)


def wait_for_alert(page, text: str) -> None:
    wait_until(page, "text => document.getElementById('alert').textContent.includes(text)", text)


def wait_for_face(page, name: str) -> None:
    wait_until(page, "name => faceEditor.state().face === name", name)


# --- look -------------------------------------------------------------------------------------------------------------


def words(page) -> str:
    return page.locator("#status").text_content()


def alert(page) -> str:
    return page.locator("#alert").text_content()


def state(page) -> dict:
    """The edit on the page; "grid" and "shown" as (S, S) uint8."""
    state = page.evaluate("faceEditor.state()")
    state["shown"] = np.array(state["shown"], np.uint8).reshape(S, S)
    state["grid"] = np.array(state["doc"]["grid"], np.uint8).reshape(S, S)
    return state


def result(page) -> np.ndarray:
    """The painted result, (S, S, 3) uint8."""
    settle(page)
    text = page.evaluate("document.getElementById('result').toDataURL()")
    return decoded(base64.b64decode(text.split(",")[1]))


def edit_of(page, data: Path) -> editing.Edit:
    """The edit on the page by the functions of editing.py."""
    doc = state(page)["doc"]
    edit = editing.begin(editing.read_face(data, int(doc["face"])))
    if doc["map"]:
        edit = editing.borrow_map(edit, editing.read_face(data, int(doc["map"])).map)
    edit = replace(edit, grid=np.array(doc["grid"], np.uint8).reshape(S, S))
    for name, color in zip(edit.names[1:], doc["colors"], strict=True):
        edit = editing.recolor(edit, name, editing.parse_color(color)) if color else edit
    for name, style in doc["styles"].items():
        edit = editing.set_style(edit, editing.read_face(data, int(style["from"])), name, style["strength"])
    return editing.borrow_identity(edit, editing.read_face(data, int(doc["identity"]))) if doc["identity"] else edit


# --- act --------------------------------------------------------------------------------------------------------------


def use_handles(page, name: str) -> dict:
    """Choose a shape, and its handles once they are there."""
    page.locator("#shape").select_option(name)
    page.keyboard.press("v")
    page.locator("#canvas").focus()
    wait_for_words(page, f"Shape: {page.locator('#shape option:checked').text_content()}.")
    return state(page)["handles"]


def middle(handles: dict) -> tuple[float, float]:
    left, top, right, bottom = handles["box"]
    return (left + right) / 2, (top + bottom) / 2


def begun(prepared_64) -> editing.Edit:
    return editing.begin(editing.read_face(prepared_64, FACE))


def stroke(page, *points, **options) -> None:
    """Drag over the map; points (x, y) in its pixels."""
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    places = [(box["x"] + x / S * box["width"], box["y"] + y / S * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down(**options)
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up(**options)


def touch(page, event: str, finger: int, x: float, y: float, name: str = "canvas") -> None:
    """A pointer event of a finger; x and y as shares of the canvas, or of the element of another name."""
    page.evaluate(
        """([event, id, x, y, name]) => {
          const canvas = document.getElementById(name), box = canvas.getBoundingClientRect();
          canvas.dispatchEvent(new PointerEvent(event, {pointerId: id, pointerType: "touch", bubbles: true,
            isPrimary: true, cancelable: true, clientX: box.left + x * box.width,
            clientY: box.top + y * box.height}));
        }""",
        [event, finger, x, y, name],
    )


def take(page, what: str, k: int) -> None:
    """Click on face k to take something of it."""
    page.get_by_label(what, exact=True).check()
    page.locator("#faces").get_by_role("button", name=f"face {k}", exact=True).click()


HAND_IN = """
([event, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, text] of files) {
    transfer.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], name, {type}));
  }
  const options = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
  const given = event === "drop" ? new DragEvent(event, options) : new ClipboardEvent(event, options);
  return document.querySelector("main").dispatchEvent(given);
}"""


def hand_in(page, event: str, *files: tuple[str, str, bytes]) -> bool:
    """Drop or paste files, each its name, type and content; whether the event is left to the browser too."""
    texts = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    return page.evaluate(HAND_IN, [event, texts])


def photo_file(raw, k: int) -> dict:
    """Photograph k of the raw folder, for a field that takes files."""
    content = (raw / "CelebA-HQ-img" / f"{k}.jpg").read_bytes()
    return {"name": f"me {k}.jpg", "mimeType": "image/jpeg", "buffer": content}


def hold_answer(page, path: str, action: Callable[[], None]) -> Callable[[], None]:
    """Do an action whose answer waits until the returned function is called."""
    held = []
    page.route(path, lambda route: held.append(route), times=1)
    action()
    while not held:
        page.wait_for_timeout(20)

    def release():
        held[0].continue_()
        page.wait_for_timeout(500)
        settle(page)

    return release
