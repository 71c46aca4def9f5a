"""The page of edit.py in a real browser, and what its server refuses."""

import base64
import contextlib
import http.client
import io
import itertools
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs requirements-edit.txt")

import edit as script
import pix2pix
from facegan import prepared
from facegan.editor import answers, editing, server
from facegan.editor.editing import NAMES
from facegan.errors import BadInput

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
S = 64
FACE = 8
SESSION = "s" * 32
PATIENCE = 60_000  # milliseconds; a busy machine is slow, not wrong


@dataclass
class Served:
    address: str
    port: int
    studio: answers.Studio
    uploads: answers.Uploads
    paints: list
    """when each call of the generator began and ended"""
    slow: float = 0
    """seconds that each call takes longer"""


@pytest.fixture(scope="module")
def served(trained, prepared_64, raw):
    """The server of a tiny run. A photograph is parsed by looking its map up."""
    args = script.Args(run=trained(pix2pix).run, data=prepared_64, parser=Path("no_parser"), sample=FACE)
    studio, paints = script.studio(args, script.restore(args)), []

    def paint(edit):
        begun = time.monotonic()
        time.sleep(served.slow)
        paints.append((begun, time.monotonic()))
        return studio.paint(edit)

    kept = answers.Uploads(most=6)
    with server.serving(studio._replace(paint=paint), kept) as port:
        served = Served(f"http://127.0.0.1:{port}", port, studio, kept, paints)
        yield served


def ask(served, path: str, content: bytes | dict | None = None, session: str = SESSION, host: str | None = None):
    """A request as it is written, without a client that would tidy the path: status, body."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.putrequest("GET" if content is None else "POST", path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("host", host or f"127.0.0.1:{served.port}")
    connection.putheader("x-session", session)
    content = json.dumps(content).encode() if isinstance(content, dict) else content
    if content is not None:
        connection.putheader("content-length", str(len(content)))
    connection.endheaders(content)
    answer = connection.getresponse()
    status, found = answer.status, answer.read()
    connection.close()
    return status, found


def asked(**changes) -> dict:
    """An edit as the page sends it."""
    blank = answers.pack(np.full((S, S), editing.UNPAINTED, np.uint8))
    return {"face": str(FACE), "map": None, "grid": blank, "colors": [None] * 7, "identity": None, **changes}


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def as_png(picture: np.ndarray) -> bytes:
    return answers.encoded(picture.astype(np.uint8), "PNG")


# --- the server -------------------------------------------------------------------------------------------------------

FILES = ["/etc/passwd", "../../../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd"]
ROUTES = [
    "/gradio_api/file=", "/gradio_api/file/", "/file=", "/file/", "/assets/", "/static/", "/svelte/",
    "/gradio_api/custom_component/0/client/component/", "/custom_component/", "/gradio_api/proxy=",
    "/editor/", "/editor/thumbnail/", "/editor/show/", "/editor/download/", "/gradio_api/stream/", "/",
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_no_request_reads_a_file(served, route, prepared_64):
    for file in [*FILES, str(prepared_64 / "prepared.json"), str(Path(script.__file__)), "edit.py", "../edit.py"]:
        for path in (route + file, route + "/" + file.lstrip("/")):
            status, found = ask(served, path)
            assert status in (400, 403, 404, 405, 422), (path, status)
            assert b"root:" not in found
            assert b"def main" not in found
            assert b"resample" not in found


WAYS_IN = [
    "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/call/predict", "/login",
    "/gradio_api/component_server", "/gradio_api/process_recording", "/gradio_api/vibe-edit/", "/docs",
]  # fmt: skip


@pytest.mark.parametrize("path", WAYS_IN)
def test_gradios_own_ways_in_are_closed(served, path):
    assert ask(served, path)[0] == 404
    assert ask(served, path, b"{}")[0] == 404


def test_another_host_name_and_a_request_without_session_are_not_answered(served):
    assert ask(served, "/editor/about")[0] == 200
    assert ask(served, "/editor/about", host="evil.example")[0] == 404
    assert ask(served, "/editor/about", host="evil.example:7860")[0] == 404
    for session in ("", "short", "../" * 12, "x" * 31 + "/"):
        assert ask(served, "/editor/paint", asked(), session=session)[0] == 400


@pytest.mark.parametrize("path", ["/", "/editor/about", "/editor/thumbnail/8"])
def test_another_sites_page_is_not_answered(served, path):
    here = f"127.0.0.1:{served.port}"

    def answer(method: str, origin: str | None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request(method, path, headers={"origin": origin} if origin else {})
        found = connection.getresponse()
        found.read()
        connection.close()
        return found.status, {name.lower(): value for name, value in found.getheaders()}

    for origin in ("http://evil.example", "http://127.0.0.1:1", f"http://evil.{here}", "null"):
        for method in ("GET", "POST", "OPTIONS"):
            status, headers = answer(method, origin)
            assert status == 403
            assert "access-control-allow-origin" not in headers
    for origin in (f"http://{here}", None):
        status, headers = answer("GET", origin)
        assert status == 200
        if path != "/":
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert [answer(method, origin)[0] for method in ("OPTIONS", "PUT", "DELETE", "PATCH")] == [405] * 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"grid": ""}, {"grid": "!"}, {"grid": 3}, {"grid": answers.pack(np.full((S, S), 9, np.uint8))},
        {"grid": answers.pack(np.zeros((32, 32), np.uint8))}, {"colors": []}, {"colors": ["red"] + [None] * 6},
        {"colors": None}, {"face": "99"}, {"face": "../8"}, {"face": 8}, {"face": None}, {"map": "own-x"},
        {"identity": "-1"}, {"map": []}, {"face": "9" * 5000},
    ],
)  # fmt: skip
def test_what_is_no_edit_is_refused_with_a_sentence(served, wrong):
    for path in ("paint", "borrow", "download/map"):
        status, found = ask(served, f"/editor/{path}", asked(**wrong))
        assert status in (400, 410)
        assert len(json.loads(found)["error"]) > 10
    assert ask(served, "/editor/paint", b"[" * 100_000)[0] == 400
    assert ask(served, "/editor/paint", b"\xff\xfe")[0] == 400


def test_a_grid_survives_the_wire():
    rng = np.random.default_rng(0)
    for grid in (np.zeros((512, 512)), rng.integers(0, 8, (64, 64)), rng.choice([255, 254, 3], (64, 64))):
        back = answers.unpack(answers.pack(grid.astype(np.uint8)), len(grid))
        np.testing.assert_array_equal(back, grid)


def test_painting_a_grid_gives_what_the_functions_give(served, prepared_64):
    face, other = editing.read_face(prepared_64, FACE), editing.read_face(prepared_64, 1)
    edit = editing.borrow_identity(editing.borrow_map(editing.begin(face), other.map), other)
    edit = editing.recolor(editing.paint(edit, np.tri(S, dtype=bool), "hair"), "skin", editing.parse_color("#102030"))
    sent = asked(map="1", identity="1", grid=answers.pack(edit.grid), colors=["#102030"] + [None] * 6)
    for keep in (True, False):
        status, found = ask(served, "/editor/paint", sent | {"keep": keep})
        assert status == 200
        np.testing.assert_array_equal(decoded(found), editing.composite(edit, served.studio.paint(edit), keep))


def test_uploads_are_refused_with_a_sentence_and_do_not_stay(served, monkeypatch):
    """200 broken uploads, and 50 sessions with good ones, leave the server as large as before."""
    monkeypatch.setattr(script, "parser", lambda args: None)  # so that photographs are decoded
    good = as_png(editing.full_labels(np.full((S, S), 1)))
    oblong = answers.encoded(np.zeros((64, 96, 3), np.uint8), "PNG", exif=b"Exif\0\0" + b"garbage!" * 4)
    broken = [b"", b"no picture", good[:-30], as_png(np.full((64, 32), 77)), b"\xff\xd8\xff" + bytes(5000), oblong]
    told, sizes = set(), []
    for i in range(200):
        status, found = ask(
            served, f"/editor/upload/{('photo', 'map')[i % 2]}?name=..%2f<b>&aligned=true", broken[i // 2 % 6]
        )
        assert status == 400
        told.add(json.loads(found)["error"])
        if i in (20, 199):
            sizes.append(resident())
    assert 4 <= len(told) <= 10
    assert not any("<" in text for text in told)
    assert served.uploads.kept == {}
    names = set()
    for i in range(50):
        status, found = ask(served, "/editor/upload/map?name=m.png", good, session=f"{i:032d}")
        assert status == 200
        names.add(json.loads(found)["name"])
        assert ask(served, "/")[0] == ask(served, "/config")[0] == 200
        come_and_go(served, f"page{i}")
    sizes.append(resident())
    assert len(names) == 50
    assert len(served.uploads.kept) == 6
    assert sizes[1] - sizes[0] < 30e6
    assert sizes[2] - sizes[1] < 30e6
    assert ask(served, "/editor/upload/map", bytes(20_000_001))[0] == 400


def come_and_go(served, name: str) -> None:
    """What gradio's own part of a page keeps open for as long as it is looked at."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("GET", f"/gradio_api/heartbeat/{name}")
    answer = connection.getresponse()
    assert (answer.status, bool(answer.readline())) == (200, True)
    connection.close()


@pytest.mark.parametrize(
    ("path", "work", "few"), [("upload/map", "upload", server.UPLOADS), ("borrow", "borrow", server.EDITS)]
)
def test_few_requests_are_held_at_a_time(path, work, few, served, monkeypatch):
    held, most, lock = [], [], threading.Lock()

    def wait(desk, *given):
        with lock:
            held.append(1)
            most.append(len(held))
        time.sleep(0.3)
        with lock:
            held.pop()
        return {}

    monkeypatch.setattr(answers.Desk, work, wait)
    with ThreadPoolExecutor(2 * few) as several:
        found = several.map(lambda i: ask(served, f"/editor/{path}", {})[0], range(2 * few))
    assert set(found) == {200}
    assert max(most) <= few


def test_an_edit_that_does_not_come_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(server, "EDIT_SECONDS", 0.1)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("POST", "/editor/paint", headers={"x-session": SESSION, "content-length": "10"})
    answer = connection.getresponse()
    assert (answer.status, "too slowly" in json.loads(answer.read())["error"]) == (400, True)
    connection.close()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_an_upload_is_its_sessions_alone(served):
    good = as_png(editing.full_labels(np.full((S, S), 4)))
    name = json.loads(ask(served, "/editor/upload/map?name=m.png", good)[1])["name"]
    assert ask(served, f"/editor/show/{name}", {})[0] == 200
    assert ask(served, "/editor/paint", asked(map=name))[0] == 200
    for path, content in ((f"/editor/show/{name}", {}), ("/editor/paint", asked(map=name))):
        status, found = ask(served, path, content, session="t" * 32)
        assert (status, "upload it again" in json.loads(found)["error"]) == (410, True)


def test_uploads_go_when_they_lie_idle_or_are_too_many(prepared_64):
    now = [0.0]
    kept = answers.Uploads(most=3, most_bytes=10**6, idle=100, clock=lambda: now[0])
    face = editing.read_face(prepared_64, 0)
    names = [kept.add("a", face.map, bytes([i])) for i in range(3)]
    kept.get("a", names[0])
    kept.add("b", face.map, b"")
    with pytest.raises(answers.Gone):
        kept.get("a", names[1])  # the least used
    now[0] = 90
    kept.get("a", names[0])
    now[0] = 150
    kept.get("a", names[0])
    assert len(kept.kept) == 1
    many = answers.Uploads()
    first = many.add("b", face.map, b"first")
    for i in range(20):
        many.add("a", face.map, bytes([i]))
    assert len(many.kept) == answers.Uploads.OF_ONE + 1
    assert many.get("b", first) is face.map
    large = replace(face, image=np.zeros((600, 600, 3), np.uint8))
    kept.add("a", large, b"large")
    assert kept.bytes() <= 10**6
    assert kept.add("a", face.map, b"0") == kept.add("a", face.map, b"0") != kept.add("b", face.map, b"0")


def test_a_port_that_is_taken_is_named(served):
    with pytest.raises(BadInput, match=f"port {served.port} .*--port"):
        server.bind("127.0.0.1", served.port)


def test_a_host_that_cannot_be_a_name_is_named():
    with pytest.raises(BadInput, match=r"cannot listen at a\.\.b"):
        server.bind("a..b", 0)


@pytest.mark.parametrize(
    ("host", "reached"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("0", True)]
)
def test_it_says_when_others_can_reach_the_page(host, reached, monkeypatch, capsys):
    monkeypatch.setattr(server, "server", lambda *given: SimpleNamespace(run=lambda sockets: None))
    server.serve(None, host, 0)
    told = capsys.readouterr().out
    assert ("without a password" in told) is reached
    assert ("http://0" in told) is False


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, served, *expected, **options):
    """A page in a browser of its own, ready to paint; at the end it must have asked nobody else, and failed nowhere but
    where the expected words say so."""
    context, troubles = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}), []
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("request", lambda r: r.url.startswith((served.address, "data:", "blob:")) or troubles.append(r.url))
    page.goto(served.address)
    ready(page)
    yield page
    context.close()
    assert [text for text in troubles if not any(word in text for word in expected)] == []


def ready(page) -> None:
    page.wait_for_function("window.faceEditor && faceEditor.times.length > 0")
    settle(page)


REFUSED, GONE, ABORTED = "400 (Bad Request)", "410 (Gone)", "ERR_FAILED"


@pytest.fixture
def page(request, browser, served):
    """opened(); its expected words are the fixture's parameter."""
    with opened(browser, served, *getattr(request, "param", ())) as page:
        yield page


def settle(page) -> None:
    page.wait_for_function("!faceEditor.state().busy")


def state(page) -> dict:
    found = page.evaluate("faceEditor.state()")
    found["shown"] = np.array(found["shown"], np.uint8).reshape(S, S)
    found["grid"] = np.array(found["doc"]["grid"], np.uint8).reshape(S, S)
    return found


def result(page) -> np.ndarray:
    settle(page)
    text = page.evaluate("document.getElementById('fe-result').toDataURL()")
    return decoded(base64.b64decode(text.split(",")[1]))


def stroke(page, *points, **options) -> None:
    """Drag over the map; points (x, y) in its pixels."""
    page.locator("#fe-canvas").scroll_into_view_if_needed()
    box = page.locator("#fe-canvas").bounding_box()
    places = [(box["x"] + x / S * box["width"], box["y"] + y / S * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down(**options)
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up(**options)


def words(page) -> str:
    return page.locator("#fe-status").text_content()


def edit_of(page, data: Path) -> editing.Edit:
    """The edit on the page by the functions of editing.py."""
    doc = state(page)["doc"]
    edit = editing.begin(editing.read_face(data, int(doc["face"])))
    if doc["map"]:
        edit = editing.borrow_map(edit, editing.read_face(data, int(doc["map"])).map)
    edit = replace(edit, grid=np.array(doc["grid"], np.uint8).reshape(S, S))
    for name, color in zip(NAMES[1:], doc["colors"], strict=True):
        edit = editing.recolor(edit, name, editing.parse_color(color)) if color else edit
    return editing.borrow_identity(edit, editing.read_face(data, int(doc["identity"]))) if doc["identity"] else edit


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
    np.testing.assert_array_equal(found, editing.composite(edit, served.studio.paint(edit)))
    untouched = editing.share(edit) == 0
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
    far = editing.share(edit_of(page, prepared_64)) == 0
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


def take(page, what: str, k: int) -> None:
    page.get_by_label(what, exact=True).check()
    page.locator("#fe-faces").get_by_role("button", name=f"face {k}", exact=True).click()


def test_borrow_a_region_a_map_colours_and_an_identity(page, served, prepared_64):
    face, other = editing.read_face(prepared_64, FACE), editing.read_face(prepared_64, 1)
    take(page, "hair", 1)
    page.wait_for_function("document.getElementById('fe-status').textContent === 'hair of face 1.'")
    expected = editing.borrow_region(editing.begin(face), other.map, "hair")
    np.testing.assert_array_equal(state(page)["grid"], expected.grid)
    np.testing.assert_array_equal(state(page)["shown"], expected.regions)
    take(page, "colours", 2)
    page.wait_for_function("document.getElementById('fe-status').textContent === 'Colours of face 2.'")
    take(page, "identity", 3)
    take(page, "whole map", 4)
    page.wait_for_function("document.getElementById('fe-status').textContent === 'Map of face 4.'")
    edit = edit_of(page, prepared_64)
    np.testing.assert_array_equal(edit.map.labels, editing.read_face(prepared_64, 4).map.labels)
    np.testing.assert_array_equal(edit.face_id, editing.read_face(prepared_64, 3).face_id)
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.studio.paint(edit)))
    page.get_by_label("Keep the rest of the photo").uncheck()
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.studio.paint(edit), keep=False))
    for _ in range(4):
        page.get_by_role("button", name="Undo").click()
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    take(page, "photo, to edit it", 5)
    page.wait_for_function("faceEditor.state().face === '5'")


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
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.studio.paint(edit)))


def test_an_edit_is_painted_with_the_keyboard_alone(page):
    page.keyboard.press("6")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "fe-canvas":
            break
    assert page.evaluate("document.activeElement.id") == "fe-canvas"
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


def test_everything_on_the_page_has_a_name(page):
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, canvas, img")].filter(x =>
             x.offsetParent !== null && !x.closest("label")?.textContent.trim() && !x.getAttribute("aria-label") &&
             !x.textContent.trim() && !x.title && !(x.labels && x.labels.length) &&
             !(x.tagName === "IMG" && x.hasAttribute("alt"))
           ).map(x => x.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    assert page.locator("#fe-status").get_attribute("aria-live") == "polite"
    assert page.locator("#fe-alert").get_attribute("role") == "alert"


@pytest.mark.parametrize("page", [(REFUSED,)], indirect=True)
def test_upload_of_a_map_and_of_what_is_none(page, prepared_64):
    ids = np.zeros((S, S), np.uint8)
    ids[10:50, 10:50] = 13
    picture = {"name": "map.png", "mimeType": "image/png"}
    page.get_by_label("Label map").set_input_files(picture | {"buffer": as_png(editing.full_labels(ids))})
    page.wait_for_function("document.getElementById('fe-status').textContent === 'Your map.'")
    np.testing.assert_array_equal(state(page)["shown"], editing.LABEL_REGION[ids])
    page.get_by_label("Label map").set_input_files(picture | {"buffer": as_png(np.full((64, 64), 30))})
    page.wait_for_function("document.getElementById('fe-alert').textContent.includes('map.png has the id 30')")
    page.get_by_label("Photo", exact=True).set_input_files({"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"x"})
    page.wait_for_function("document.getElementById('fe-alert').textContent.includes('python parse_face.py --train')")
    np.testing.assert_array_equal(state(page)["shown"], editing.LABEL_REGION[ids])
    with page.expect_download() as download:
        page.get_by_role("button", name="Download map (ids)").click()
    np.testing.assert_array_equal(decoded(download.value.path().read_bytes())[..., 0], editing.full_labels(ids))


def test_upload_of_a_photograph(browser, trained, prepared_64, raw, served, monkeypatch):
    """Parsed by looking its map up, and nobody else's."""
    true = np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / "1.png"))
    monkeypatch.setattr(script, "parser", lambda args: type("Net", (), {"input_shape": (None, S, S, 3)}))
    monkeypatch.setattr(script.parse_face, "full_map", lambda network, photo: true)
    photo = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": (raw / "CelebA-HQ-img" / "1.jpg").read_bytes()}
    with opened(browser, served) as page:
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        page.get_by_label("Photo", exact=True).set_input_files(photo)
        page.wait_for_function("faceEditor.state().face.startsWith('own-')")
        np.testing.assert_array_equal(result(page), editing.read_face(prepared_64, 1).image)
        stroke(page, (20, 20), (40, 40))
        settle(page)
        mine = state(page)["face"]
        page.reload()
        ready(page)
        with opened(browser, served, GONE) as other:
            answer = other.evaluate(
                """async ([name, session]) => (await fetch("/editor/show/" + name, {method: "POST", body: "{}",
                   headers: {"x-session": session}})).status""",
                [mine, "u" * 32],
            )
            assert answer == 410
            assert state(other)["face"] == str(FACE)


def test_download_of_everything(page, prepared_64, tmp_path):
    stroke(page, (20, 20), (40, 40))
    page.get_by_label("Colour of skin", exact=True).fill("#336699")
    shown, edit = result(page), edit_of(page, prepared_64)
    files = {}
    for what in ("result", "map (ids)", "map (colours)", "sample (.npz)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {what}").click()
        files[what] = download.value.path().read_bytes()
        assert download.value.suggested_filename.startswith(f"face_{FACE}")
    np.testing.assert_array_equal(decoded(files["result"]), shown)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(files["map (ids)"]))), editing.full_labels(editing.labels(edit))
    )
    np.testing.assert_array_equal(decoded(files["map (colours)"]), editing.colored(edit))
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "0.npz").write_bytes(files["sample (.npz)"])
    image, masks = prepared.read_npz(tmp_path / "samples" / "0.npz", Image=(S, S, 3), Masks=(S, S, 7))
    np.testing.assert_array_equal(image, shown)
    np.testing.assert_array_equal(masks, edit.masks)


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
    page.wait_for_function("faceEditor.state().face === '2'")
    restore = page.get_by_role("button", name="Restore the edit")
    restore.click()
    page.wait_for_function(f"faceEditor.state().face === '{FACE}'")
    assert state(page)["doc"] == first["doc"]
    page.keyboard.press("z")
    assert state(page)["doc"] == second["doc"]  # which was not saved
    for _ in range(2):  # what is done to a restored edit is not done to the saved one
        restore.click()
        page.wait_for_function("document.getElementById('fe-status').textContent === 'Restored.'")
        assert state(page)["doc"] == first["doc"]
        page.get_by_label("Colour of skin", exact=True).fill("#aa0000")
    page.get_by_role("button", name="Forget the edit").click()
    assert page.locator("#fe-strip li").count() == 0


THUMBNAIL = """
() => {
  const small = document.createElement("canvas");
  small.width = small.height = 96;
  small.getContext("2d").drawImage(document.getElementById("fe-result"), 0, 0, 96, 96);
  return small.toDataURL("image/jpeg", .8);
}"""


def test_what_is_saved_is_what_was_seen(page, served):
    """Also when the picture was still on its way, and with "keep the rest" as it was."""
    keep = page.get_by_label("Keep the rest of the photo")
    told = "text => document.getElementById('fe-status').textContent === text"
    keep.uncheck()
    page.wait_for_function(told, arg="The whole face is painted.")
    settle(page)
    before, served.slow = page.evaluate(THUMBNAIL), 0.5
    try:
        page.keyboard.press("6")
        stroke(page, (10, 30), (54, 34))
        page.keyboard.press("s")
        page.locator("#fe-strip img").wait_for()
    finally:
        served.slow = 0
    seen, after = result(page), page.evaluate(THUMBNAIL)
    saved = page.locator("#fe-strip img").get_attribute("src")
    saved, before, after = (decoded(base64.b64decode(x.split(",")[1])).astype(int) for x in (saved, before, after))
    assert np.abs(saved - after).mean() < np.abs(saved - before).mean() / 2
    page.get_by_role("button", name="Start over").click()
    keep.check()
    page.wait_for_function(told, arg="The rest of the photo stays.")
    page.get_by_role("button", name="Restore the edit").click()
    page.wait_for_function(told, arg="The whole face is painted.")
    assert not keep.is_checked()
    np.testing.assert_array_equal(result(page), seen)


def test_a_server_that_does_not_answer_loses_nothing(browser, served, prepared_64):
    with opened(browser, served, ABORTED) as page:
        page.route("**/editor/paint", lambda route: route.abort(), times=1)
        stroke(page, (20, 20), (40, 40))
        page.wait_for_function("document.getElementById('fe-alert').textContent.includes('does not answer')")
        settle(page)
        edit = edit_of(page, prepared_64)
        np.testing.assert_array_equal(result(page), editing.composite(edit, served.studio.paint(edit)))
        assert page.locator("#fe-alert").text_content() == ""


@pytest.fixture
def late(page):
    """late(path, action) -> done: do an action whose answer waits until done() is called."""

    def ask(path: str, action):
        waiting = []
        page.route(path, lambda route: waiting.append(route), times=1)
        action()
        while not waiting:
            page.wait_for_timeout(20)

        def done():
            waiting[0].continue_()
            page.wait_for_timeout(500)
            settle(page)

        return done

    return ask


def test_an_answer_that_comes_during_a_stroke_ends_it(page, late):
    for what, words_then in (("whole map", "Map of face 1."), ("colours", "Colours of face 1.")):
        done = late("**/editor/show/1", lambda what=what: take(page, what, 1))
        before = state(page)
        page.locator("#fe-canvas").scroll_into_view_if_needed()
        box = page.locator("#fe-canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        painted = state(page)["grid"]
        assert not np.array_equal(painted, before["grid"])
        done()
        assert words(page) == words_then
        page.mouse.move(box["x"] + 5, box["y"] + 5, steps=4)
        page.mouse.up()
        page.get_by_role("button", name="Undo").click()
        np.testing.assert_array_equal(state(page)["grid"], painted)
        page.get_by_role("button", name="Undo").click()
        assert state(page)["doc"] == before["doc"]


def test_a_face_that_opens_during_a_stroke_is_not_painted_on(page, late):
    done = late("**/editor/show/2", lambda: take(page, "photo, to edit it", 2))
    page.evaluate(FINGER, ["pointerdown", 11, 0.5, 0.5])
    done()
    page.evaluate(FINGER, ["pointermove", 11, 0.6, 0.6])
    page.evaluate(FINGER, ["pointerup", 11, 0.6, 0.6])
    assert state(page)["face"] == "2"
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    take(page, "photo, to edit it", FACE)
    page.wait_for_function(f"faceEditor.state().face === '{FACE}'")
    assert (state(page)["grid"] == 4).any()  # what was painted so far is that face's


def test_the_newest_action_wins(page, late):
    done = late("**/editor/show/1", lambda: take(page, "whole map", 1))
    take(page, "whole map", 3)
    page.wait_for_function("document.getElementById('fe-status').textContent === 'Map of face 3.'")
    done()
    assert state(page)["doc"]["map"] == "3"
    page.get_by_role("button", name="Save this edit").click()
    page.get_by_role("button", name="Start over").click()
    done = late("**/editor/show/3", lambda: page.get_by_role("button", name="Restore the edit").click())
    take(page, "photo, to edit it", 5)
    page.wait_for_function("faceEditor.state().face === '5'")
    done()
    assert (state(page)["face"], state(page)["doc"]["map"]) == ("5", None)


@pytest.mark.parametrize("page", [(ABORTED,)], indirect=True)
def test_a_region_is_borrowed_without_its_photo_and_late_strokes_stay(page, late):
    page.route("**/editor/show/1", lambda route: route.abort())
    done = late("**/editor/borrow", lambda: take(page, "mouth", 1))
    page.keyboard.press("6")
    stroke(page, (5, 5), (15, 5))
    drawn = state(page)["grid"] == 6
    assert drawn.any()
    done()
    assert words(page) == "mouth of face 1."
    assert (state(page)["grid"][drawn] == 6).all()


def test_an_edit_whose_borrowed_map_is_gone_goes_on_when_it_is_uploaded_again(browser, served):
    ids = as_png(editing.full_labels(np.full((S, S), 4)))

    def upload(words_then: str) -> None:
        page.get_by_label("Label map").set_input_files({"name": "m.png", "mimeType": "image/png", "buffer": ids})
        page.wait_for_function("text => document.getElementById('fe-status').textContent === text", arg=words_then)
        settle(page)
        assert page.locator("#fe-alert").text_content() == ""

    def check(doc: dict) -> None:
        found = state(page)
        assert found["doc"] == doc
        assert (found["shown"][found["grid"] == editing.UNPAINTED] == editing.LABEL_REGION[4]).all()

    def told() -> None:
        page.wait_for_function("document.getElementById('fe-alert')?.textContent.includes('upload it again')")
        assert "start over" in page.locator("#fe-alert").text_content()
        settle(page)

    with opened(browser, served, GONE) as page:
        upload("Your map.")
        page.keyboard.press("6")
        stroke(page, (10, 10), (50, 10))
        settle(page)
        one = state(page)["doc"]
        served.uploads.kept.clear()
        page.reload()  # a page that comes later
        told()
        assert state(page)["doc"] == one
        page.keyboard.press("6")
        stroke(page, (10, 30), (50, 30))
        told()
        two = state(page)["doc"]
        assert two != one
        upload("Your map is here again, and the edit goes on.")
        check(two)
        page.keyboard.press("z")
        check(one)
        served.uploads.kept.clear()  # a page that is open
        stroke(page, (10, 50), (50, 50))
        told()
        three = state(page)["doc"]
        page.get_by_role("button", name="Start over").click()
        settle(page)
        assert page.locator("#fe-alert").text_content() == ""
        page.keyboard.press("z")
        told()
        upload("Your map is here again, and the edit goes on.")
        check(three)


def test_a_face_whose_borrowed_map_left_the_data_folder_opens(browser, served):
    with opened(browser, served, REFUSED) as page:
        take(page, "whole map", 1)
        page.wait_for_function("document.getElementById('fe-status').textContent === 'Map of face 1.'")
        page.evaluate(
            """() => { const name = Object.keys(localStorage).find(name => name.endsWith(':edits'));
                 localStorage[name] = localStorage[name].replace('"map":"1"', '"map":"77"'); }"""
        )
        page.reload()
        page.wait_for_function("document.getElementById('fe-alert')?.textContent.includes('no face 77')")
        settle(page)
        take(page, "whole map", 2)
        page.wait_for_function("document.getElementById('fe-status').textContent === 'Map of face 2.'")
        settle(page)
        assert page.locator("#fe-alert").text_content() == ""


def test_a_number_with_a_fraction_goes_to_a_face(page):
    page.evaluate("faceEditor.goTo(3.5)")
    assert page.locator("#fe-alert").text_content() == ""


def test_a_full_storage_is_not_called_saved(page):
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    stroke(page, (20, 20), (40, 40))
    assert "keeps no more edits: download it" in page.locator("#fe-alert").text_content()
    page.get_by_role("button", name="Save this edit").click()
    page.wait_for_function("document.getElementById('fe-status').textContent === 'Not saved.'")


def test_a_failure_of_the_pages_own_is_told_and_not_tried_for_ever(page, served):
    before = len(served.paints)
    page.evaluate("() => { window.createImageBitmap = () => Promise.reject(new Error('no such picture')); }")
    stroke(page, (20, 20), (40, 40))
    page.wait_for_function("document.getElementById('fe-alert').textContent === 'no such picture'")
    settle(page)
    page.wait_for_timeout(2500)
    assert len(served.paints) == before + 1


def test_a_cancelled_stroke_is_not_in_the_result(page, prepared_64):
    page.evaluate(FINGER, ["pointerdown", 11, 0.5, 0.5])
    page.evaluate("faceEditor.keep(true)")  # asks for a picture, with what is drawn so far
    settle(page)
    page.evaluate(FINGER, ["pointercancel", 11, 0.5, 0.5])
    np.testing.assert_array_equal(result(page), editing.read_face(prepared_64, FACE).image)


FINGER = """
([kind, id, x, y]) => {
  const canvas = document.getElementById("fe-canvas"), box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent(kind, {pointerId: id, pointerType: "touch", bubbles: true, cancelable: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
}"""


@pytest.mark.parametrize("tool", ["b", "f"])
def test_two_fingers_zoom_and_do_not_paint(page, tool):
    page.keyboard.press(tool)
    for event in (
        ("pointerdown", 11, 0.4, 0.5), ("pointermove", 11, 0.42, 0.5), ("pointerdown", 12, 0.6, 0.5),
        ("pointermove", 11, 0.2, 0.5), ("pointermove", 12, 0.8, 0.5), ("pointerup", 11, 0.2, 0.5),
        ("pointerup", 12, 0.8, 0.5),
    ):  # fmt: skip
        page.evaluate(FINGER, list(event))
    assert (state(page)["grid"] == editing.UNPAINTED).all()
    page.keyboard.press("b")
    stroke(page, (S / 2, S / 2))  # in the middle still, and three times as fine
    painted = state(page)["grid"] == 4
    assert painted.any()
    np.testing.assert_allclose(np.argwhere(painted).mean(0), [S / 2 - 0.5] * 2, atol=2)
    before = state(page)["grid"]
    for event in (("pointerdown", 13, 0.1, 0.1), ("pointermove", 13, 0.9, 0.1), ("pointercancel", 13, 0.9, 0.1)):
        page.evaluate(FINGER, list(event))
    np.testing.assert_array_equal(state(page)["grid"], before)


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


def test_the_slider_shows_the_original(page, prepared_64):
    stroke(page, (5, 30), (60, 30))
    edited = result(page)
    page.get_by_label("Show the original from the left").fill("50")
    found, face = result(page), editing.read_face(prepared_64, FACE)
    np.testing.assert_array_equal(found[:, : S // 2], face.image[:, : S // 2])
    np.testing.assert_array_equal(found[:, S // 2 :], edited[:, S // 2 :])


def test_a_phone_paints_with_a_finger_and_nothing_is_cut_off(browser, served):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with opened(browser, served, **phone) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.evaluate(
            """() => [...document.querySelectorAll("#fe-paint *, #fe-history, #fe-faces *, #fe-own *")].filter(x =>
                 x.getBoundingClientRect().right > 391).map(x => x.outerHTML.slice(0, 100))"""
        )
        assert wide == []
        small = page.evaluate(
            """() => [...document.querySelectorAll("#fe-paint button")].filter(x => x.offsetParent &&
                 getComputedStyle(x).visibility === "visible" && x.getBoundingClientRect().height < 36).length"""
        )
        assert small == 0
        page.keyboard.press("6")
        page.locator("#fe-canvas").tap(position={"x": 150, "y": 150})
        settle(page)
        assert (state(page)["grid"] != editing.UNPAINTED).any()


def test_the_wheel_zooms_and_a_stroke_lands_where_it_is_drawn(page):
    box = page.locator("#fe-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    for _ in range(4):
        page.mouse.wheel(0, -120)
    page.wait_for_function("document.getElementById('fe-status').textContent.startsWith('Zoom ')")
    scale = float(words(page).split()[1]) / 100
    assert scale > 2
    page.keyboard.press("6")
    stroke(page, (16, 16))
    painted = np.argwhere(state(page)["grid"] == 6)
    np.testing.assert_allclose(painted.mean(0), [15.5, 15.5], atol=0.6)
    page.keyboard.press("0")
