"""What can be asked of the server, how large and how slow it may be."""

import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the page needs requirements-edit.txt")
pytest.importorskip("uvicorn", reason="the page needs requirements-edit.txt")

import edit as script
from editor.asking import S, as_png, ask, message
from facegan import pictures
from facegan.editor import editing, routes, server
from facegan.editor.answers import Answers
from facegan.editor.upload_store import UploadStore

# --- files ------------------------------------------------------------------------------------------------------------

FILES = ["/etc/passwd", "../../../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd"]
ROUTES = ["/", "/page/", "/editor/", "/editor/thumbnail/", "/editor/show/", "/editor/download/", "/file=", "/static/"]


@pytest.mark.parametrize("route", ROUTES)
def test_no_request_reads_a_file(served, route, prepared_64):
    for file in [*FILES, str(prepared_64 / "prepared.json"), str(Path(script.__file__)), "edit.py", "../edit.py"]:
        for path in (route + file, route + "/" + file.lstrip("/")):
            answer = ask(served, path)
            assert answer.status in (400, 404, 405), (path, answer.status)
            for secret in (b"root:", b"def main", b"resample"):
                assert secret not in answer.content


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/config", "/editor", "/editor/about/", "/page", "/edit"])
def test_there_is_nothing_else(served, path):
    for answer in (ask(served, path), ask(served, path, b"{}")):
        assert (answer.status, answer.error) == (404, "not found")


def test_every_file_of_the_page_is_served_as_what_it_is(served):
    types = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript"}
    names = [path.name for path in routes.PAGE_FILES.iterdir()]
    assert {"index.html", "page.css", "main.js"} <= set(names)
    for name in names:
        answer = ask(served, f"/page/{name}")
        assert answer.content == (routes.PAGE_FILES / name).read_bytes()
        assert answer.headers["content-type"].startswith(types[Path(name).suffix])
    assert ask(served, "/").content == (routes.PAGE_FILES / "index.html").read_bytes()


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["x", "", "1.5", "1e3", "٣", "9" * 5000, "--1", "0x8"])
def test_what_is_no_number_is_refused_with_a_sentence(served, number):
    assert ask(served, f"/editor/thumbnail/{quote(number)}").status in (400, 404)
    answer = ask(served, f"/editor/faces?start={quote(number)}")
    assert answer.status == 400
    assert "is no face's number" in answer.error


def test_a_page_of_faces_begins_anywhere(served):
    for start in ("-5", "0", "3", "999999999"):
        faces = json.loads(ask(served, f"/editor/faces?start={start}").content)
        assert faces == {"numbers": list(range(10)), "previous": 0, "next": 9, "place": 0, "count": 10}
    assert ask(served, "/editor/thumbnail/77").error == "no face 77: there are 0 to 9."


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_uploads_are_refused_with_a_sentence_and_do_not_stay(served, monkeypatch):
    """200 broken uploads, and 50 sessions with good ones, leave the server as large as before."""
    monkeypatch.setattr(script, "parser", lambda args: None)  # so that photographs are decoded
    good = as_png(editing.full_labels(np.full((S, S), 1)))
    oblong = pictures.encode(np.zeros((64, 96, 3), np.uint8), "PNG", exif=b"Exif\0\0" + b"garbage!" * 4)
    broken = [b"", b"no picture", good[:-30], as_png(np.full((64, 32), 77)), b"\xff\xd8\xff" + bytes(5000), oblong]
    errors, sizes = set(), []
    for i in range(200):
        path = f"/editor/upload/{('photo', 'map')[i % 2]}?name=..%2f<b>&aligned=true"
        answer = ask(served, path, broken[i // 2 % 6])
        assert answer.status == 400
        errors.add(answer.error)
        if i in (20, 199):
            sizes.append(resident())
    assert 4 <= len(errors) <= 10
    assert not any("<" in text for text in errors)
    assert served.store.entries == {}
    names = set()
    for i in range(50):
        answer = ask(served, "/editor/upload/map?name=m.png", good, x_session=f"{i:032d}")
        assert answer.status == 200
        names.add(json.loads(answer.content)["name"])
        assert ask(served, "/").status == ask(served, "/editor/about").status == 200
    sizes.append(resident())
    assert len(names) == 1  # of the same content, which each session has for itself
    assert len(served.store.entries) == 6
    assert sizes[1] - sizes[0] < 30e6
    assert sizes[2] - sizes[1] < 30e6
    assert ask(served, "/editor/upload/map", bytes(20_000_001)).status == 400


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_an_edit_that_is_too_large_is_refused(served):
    answer = ask(served, "/editor/paint", bytes(routes.MAX_EDIT + 1))
    assert (answer.status, answer.error) == (400, "the edit is larger than 3 MB: save it smaller.")


@pytest.mark.parametrize(
    ("path", "work", "few"), [("upload/map", "upload", routes.UPLOADS), ("borrow", "borrow", routes.EDITS)]
)
def test_few_requests_are_held_at_a_time(path, work, few, served, monkeypatch):
    held, most, lock = [], [], threading.Lock()

    def wait(answers, *given):
        with lock:
            held.append(1)
            most.append(len(held))
        time.sleep(0.3)
        with lock:
            held.pop()
        return {}

    monkeypatch.setattr(Answers, work, wait)
    with ThreadPoolExecutor(2 * few) as several:
        statuses = several.map(lambda i: ask(served, f"/editor/{path}", {}).status, range(2 * few))
    assert set(statuses) == {200}
    assert max(most) <= few


def test_an_edit_that_does_not_come_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(routes, "EDIT_SECONDS", 0.1)
    answer = ask(served, "/editor/paint", method="POST", content_length="10")
    assert answer.status == 400
    assert "too slowly" in answer.error


def test_idle_uploads_are_forgotten_though_nobody_asks(editor_setup, monkeypatch):
    monkeypatch.setattr(routes, "FORGET_SECONDS", 0.05)
    store = UploadStore(idle=0.2)
    store.add("s", "own", editing.read_face(editor_setup.data, 0).map)
    with server.serving(editor_setup, store):
        end = time.monotonic() + 20
        while store.entries and time.monotonic() < end:
            time.sleep(0.05)
    assert store.entries == {}


# --- edits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"[]", b"3", b""])
def test_what_is_no_json_object_is_refused_with_a_sentence(served, content):
    answer = ask(served, "/editor/paint", content)
    assert (answer.status, answer.error) == (400, "the page sent something that is not an edit: reload it.")


def test_what_there_is_not_to_upload_or_download_is_said(served):
    assert ask(served, "/editor/upload/film", b"").error == "cannot upload a film."
    assert ask(served, "/editor/download/face", message()).error == "cannot download face."


def test_what_the_generator_paints_says_that_it_is_synthetic(served):
    changed = message(colors=["#ff0000"] + [None] * 6)
    for path in ("paint", "download/result"):
        answer = ask(served, f"/editor/{path}", changed)
        assert answer.status == 200
        text = Image.open(io.BytesIO(answer.content)).text
        assert "not a photograph" in text["Synthetic"]
        assert (text["Run"], text["Step"]) == ("run", "12")
    maps = ask(served, "/editor/download/map", changed)
    assert Image.open(io.BytesIO(maps.content)).text == {}
