"""The server's routes: what can be asked, how large and how slow it may be, and the page's own files.

No request names a file: the page's files are read when the server starts.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from facegan.editor import uploads, wire
from facegan.editor.answers import DOWNLOADS, Answers, Setup
from facegan.editor.edit_files import MAX_BYTES as MAX_EDIT
from facegan.editor.guard import Guard
from facegan.editor.turns import Busy, Room, Turns
from facegan.editor.upload_store import Gone, UploadStore
from facegan.errors import BadInput

PAGE_FILES = Path(__file__).parent / "page"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
EDIT_SECONDS, UPLOAD_SECONDS = 30, 120
"""How long an edit and an upload may take to come."""
EDIT_BYTES, UPLOAD_BYTES = 100_000_000, 100_000_000
"""Memory for those that come or wait."""
EDITS, UPLOADS = 16, 4
"""How many of them are worked on at a time; others wait."""
EDITS_OF_ONE, UPLOADS_OF_ONE = 4, 2
"""How many of one session."""
FORGET_SECONDS = 60
"""How often uploads that lie idle are looked for."""


# --- what a request brings --------------------------------------------------------------------------------------------


def edit_of(content: bytes) -> dict:
    """The edit that a request brings, as parsed JSON. Raises BadInput."""
    try:
        message = json.loads(content)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise BadInput("the page sent something that is not an edit: reload it.")
    return message


def session_of(request: Request) -> str:
    """Every POST names its session in a header, which another web site's page cannot send along."""
    session = request.headers.get("x-session", "")
    if not re.fullmatch(r"[\w-]{32}", session, re.ASCII):
        raise BadInput("no session: reload the page.")
    return session


def file_name_of(request: Request) -> str:
    """How a sentence calls the file that a request brings: its name, without what a page or a terminal would not
    show as it is."""
    return re.sub(r"[^\w .()-]", "_", Path(request.query_params.get("name", "")).name)[:80] or "the file"


def number_of(text: str) -> int:
    """A face's number as a request gives it. Raises BadInput; not all digits are a number to Python, nor are 5,000."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise BadInput(f"{text[:20]} is no face's number.")
    return int(text)


# --- routes -----------------------------------------------------------------------------------------------------------


class Routes:
    """One method for each route. Edits and uploads are read first; then they wait for their turn."""

    def __init__(self, answers: Answers):
        self.answers = answers
        self.edit_room, self.upload_room = Room(EDIT_BYTES), Room(UPLOAD_BYTES)
        self.edit_turns, self.upload_turns = Turns(EDITS, EDITS_OF_ONE), Turns(UPLOADS, UPLOADS_OF_ONE)
        self.files = {path.name: path.read_bytes() for path in PAGE_FILES.iterdir() if path.suffix in MEDIA_TYPES}

    def table(self) -> list[Route]:
        return [
            Route("/", self.page_file),
            Route("/page/{name}", self.page_file),
            Route("/editor/about", self.about),
            Route("/editor/faces", self.faces),
            Route("/editor/thumbnail/{k}", self.thumbnail),
            Route("/editor/own", self.own_faces, methods=["POST"]),
            Route("/editor/show/{name}", self.show, methods=["POST"]),
            Route("/editor/paint", self.paint, methods=["POST"]),
            Route("/editor/borrow", self.borrow, methods=["POST"]),
            Route("/editor/transform", self.transform, methods=["POST"]),
            Route("/editor/adjust", self.adjust, methods=["POST"]),
            Route("/editor/upload/{kind}", self.upload, methods=["POST"]),
            Route("/editor/open", self.open, methods=["POST"]),
            Route("/editor/download/{what}", self.download, methods=["POST"]),
            Route("/editor/progress", self.progress, methods=["POST"]),
        ]

    async def page_file(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self.files:
            raise HTTPException(404)
        media_type = MEDIA_TYPES[Path(name).suffix]
        return Response(self.files[name], media_type=media_type, headers={"cache-control": "no-cache"})

    def about(self, request: Request) -> Response:
        return JSONResponse(self.answers.about(), headers={"cache-control": "no-store"})

    def faces(self, request: Request) -> Response:
        return JSONResponse(self.answers.faces(number_of(request.query_params.get("start", "0"))))

    def thumbnail(self, request: Request) -> Response:
        picture = self.answers.thumbnail(number_of(request.path_params["k"]))
        return Response(picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})

    def own_faces(self, request: Request) -> Response:
        return JSONResponse(self.answers.own_faces(session_of(request)), headers={"cache-control": "no-store"})

    def show(self, request: Request) -> Response:
        return JSONResponse(self.answers.show(session_of(request), request.path_params["name"]))

    @contextlib.asynccontextmanager
    async def edit_in_turn(self, request: Request) -> AsyncIterator[tuple[str, dict]]:
        """The session and the edit of a request, once it is its turn."""
        session = session_of(request)
        body = self.edit_room.body(request, MAX_EDIT, EDIT_SECONDS, "the edit")
        async with body as content, self.edit_turns.turn(session):
            yield session, edit_of(content)

    async def paint(self, request: Request) -> Response:
        async with self.edit_in_turn(request) as (session, message):
            picture = await run_in_threadpool(self.answers.paint, session, message)
            content = await run_in_threadpool(wire.quick_png, picture, self.answers.setup.text)
        return Response(content, media_type="image/png", headers={"cache-control": "no-store"})

    async def borrow(self, request: Request) -> Response:
        return await self.new_grid(request, self.answers.borrow)

    async def transform(self, request: Request) -> Response:
        return await self.new_grid(request, self.answers.transform)

    async def adjust(self, request: Request) -> Response:
        return await self.new_grid(request, self.answers.adjust)

    async def new_grid(self, request: Request, answer: Callable[[str, dict], dict]) -> Response:
        async with self.edit_in_turn(request) as (session, message):
            return JSONResponse(await run_in_threadpool(answer, session, message))

    async def upload(self, request: Request) -> Response:
        session, kind = session_of(request), request.path_params["kind"]
        if kind not in ("photo", "map"):
            raise BadInput(f"cannot upload a {kind}.")
        name = file_name_of(request)
        aligned = request.query_params.get("aligned") == "true"
        body = self.upload_room.body(request, uploads.MAX_BYTES, UPLOAD_SECONDS, name)
        async with body as content, self.upload_turns.turn(session):
            answer = await run_in_threadpool(self.answers.upload, session, kind, content, name, aligned)
        return JSONResponse(answer)

    async def open(self, request: Request) -> Response:
        session, name = session_of(request), file_name_of(request)
        body = self.edit_room.body(request, MAX_EDIT, EDIT_SECONDS, name)
        async with body as content, self.edit_turns.turn(session):
            return JSONResponse(await run_in_threadpool(self.answers.open, session, content, name))

    async def download(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in DOWNLOADS:
            raise BadInput(f"cannot download {what}.")
        async with self.edit_in_turn(request) as (session, message):
            content, name = await run_in_threadpool(self.answers.download, session, what, message)
        return Response(content, media_type="application/octet-stream", headers={"x-name": name})

    def progress(self, request: Request) -> Response:
        words = self.answers.progress.get(session_of(request), "")
        return JSONResponse({"words": words}, headers={"cache-control": "no-store"})


# --- the whole --------------------------------------------------------------------------------------------------------


async def say_what_is_wrong(request: Request, error: BadInput) -> Response:
    status = {Gone: 410, Busy: 503}.get(type(error), 400)
    return JSONResponse({"error": str(error)}, status)


async def say_http_error(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail.lower()}, error.status_code, headers=error.headers)


async def say_it_failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the server failed ({type(error).__name__}): its window says more."}, 500)


def make_app(setup: Setup, store: UploadStore, hosts: set[str] | None) -> Guard:
    """The whole server. hosts: names it may be called by; None: any."""

    async def forget_idle_uploads():
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            store.forget_idle()

    @contextlib.asynccontextmanager
    async def lifespan(app):
        forgetting = asyncio.create_task(forget_idle_uploads())
        yield
        forgetting.cancel()

    errors = {BadInput: say_what_is_wrong, HTTPException: say_http_error, Exception: say_it_failed}
    app = Starlette(routes=Routes(Answers(setup, store)).table(), exception_handlers=errors, lifespan=lifespan)
    app.router.redirect_slashes = False
    return Guard(app, hosts)
