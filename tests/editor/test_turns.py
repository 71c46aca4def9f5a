"""Who is served when many ask: slow requests hold up nobody, and no session takes all turns."""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs requirements-edit.txt")
pytest.importorskip("uvicorn", reason="the page needs requirements-edit.txt")

import edit as script
from editor.asking import SESSION, S, as_png, ask, message
from facegan import align
from facegan.editor import editing
from facegan.editor.turns import Busy, Room, Turns
from facegan.errors import BadInput


def begin(served, path: str, session: str, length: int) -> socket.socket:
    """A request that begins and does not go on."""
    connection = socket.create_connection(("127.0.0.1", served.port))
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{served.port}\r\nx-session: {session}\r\n"
    connection.sendall(f"{head}content-length: {length}\r\n\r\n".encode() + b"{")
    return connection


def a_map() -> bytes:
    return as_png(editing.full_labels(np.full((S, S), 1)))


@pytest.mark.parametrize("sessions", ["one", "many"])
@pytest.mark.parametrize(
    ("path", "length"), [("/editor/paint", 1000), ("/editor/upload/photo", 20_000_000)], ids=["edits", "uploads"]
)
def test_requests_that_do_not_come_hold_up_nobody(path, length, sessions, served):
    names = [SESSION if sessions == "one" else f"{i:032d}" for i in range(40)]
    slow = [begin(served, path, name, length) for name in names]
    time.sleep(0.3)
    begun = time.monotonic()
    try:
        assert ask(served, "/editor/paint", message(colors=["#ff0000"] + [None] * 6)).status == 200
        assert ask(served, "/editor/upload/map", a_map()).status == 200
        assert time.monotonic() - begun < 10
    finally:
        for connection in slow:
            connection.close()


def test_a_photograph_in_which_a_face_is_searched_holds_up_no_other(served, monkeypatch):
    searched, found = threading.Event(), threading.Event()

    def search(photo):
        if photo[0, 0, 0] == 1:
            searched.set()
            found.wait(30)
        raise BadInput("no face found")

    monkeypatch.setattr(script, "parser", lambda args: None)
    monkeypatch.setattr(align, "find_face", search)
    dark = as_png(np.full((64, 64, 3), 1))
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(ask, served, "/editor/upload/photo", dark)
        try:
            assert searched.wait(30)
            assert "no face found" in ask(served, "/editor/upload/photo", as_png(np.full((64, 64, 3), 9))).error
            assert ask(served, "/editor/upload/map", a_map()).status == 200
            assert not waiting.done()
        finally:
            found.set()
        assert waiting.result().status == 400


def test_faces_are_found_in_two_threads_as_in_one(raw):
    """dlib's detector keeps the picture that it searches, and lets another thread run meanwhile."""
    from PIL import Image

    photos = [np.asarray(Image.open(raw / "CelebA-HQ-img" / f"{k}.jpg")) for k in (0, 3)]

    def place(photo):
        try:
            return align.find_face(photo)[0].center.tolist()
        except BadInput:
            return None

    alone = list(map(place, photos))
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(place, photos * 2)) == alone * 2


# --- turns ------------------------------------------------------------------------------------------------------------


def test_a_session_takes_its_share_of_the_turns_and_leaves_no_trace():
    async def check():
        turns, order = Turns(3, 2), []

        async def work(session, seconds):
            async with turns.turn(session):
                order.append(session)
                await asyncio.sleep(seconds)

        crowd = [asyncio.create_task(work("crowd", 0.2)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert order == ["crowd"] * 2
        await work("single", 0)
        assert order == ["crowd", "crowd", "single"]
        await asyncio.gather(*crowd)
        assert turns.sessions == {}

    asyncio.run(check())


class Coming:
    """A request whose parts come one after another, as told."""

    def __init__(self, *parts):
        self.parts = parts

    async def stream(self):
        for part in self.parts:
            if isinstance(part, float):
                await asyncio.sleep(part)
            else:
                yield part


def test_when_memory_is_full_the_oldest_that_still_comes_gives_way():
    async def check():
        room = Room(100)

        async def take(*parts):
            async with room.body(Coming(*parts), 80, 5, "it") as content:
                await asyncio.sleep(0.2)
                return len(content)

        slow = asyncio.create_task(take(b"x" * 60, 0.3, b"x"))
        await asyncio.sleep(0.05)
        assert await take(b"x" * 70) == 70
        with pytest.raises(Busy):
            await slow
        assert (room.bytes(), room.coming) == (0, {})
        waiting = asyncio.create_task(take(b"x" * 70))  # has come, and keeps its place
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await take(b"x" * 50)
        assert await waiting == 70
        assert room.bytes() == 0

    asyncio.run(check())


def test_a_server_without_room_says_so(served, monkeypatch):
    monkeypatch.setattr(Room, "bytes", lambda room: room.most_bytes + 1)
    answer = ask(served, "/editor/paint", message())
    assert (answer.status, json.loads(answer.content)) == (503, {"error": "the server is busy: try again in a moment."})
