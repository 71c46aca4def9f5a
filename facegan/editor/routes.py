"""The server's routes: what can be asked, how large and how slow it may be, and the page's own files.

No request names a file: the page's files are read when the server starts.
"""

import asyncio
import contextlib
import json
import re
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from facegan.editor import uploads, wire
from facegan.editor.answers import DOWNLOADS, Answers, Setup
from facegan.editor.guard import Guard
from facegan.editor.upload_store import Gone, UploadStore
from facegan.errors import BadInput

PAGE_FILES = Path(__file__).parent / "page"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MAX_EDIT = 3_000_000
"""Bytes of an edit: a grid of 512 x 512 in which no pixel is like its neighbour takes 1.1 MB."""
EDIT_SECONDS, UPLOAD_SECONDS = 30, 120
"""How long an edit and an upload may take to come."""
EDITS, UPLOADS = 16, 4
"""How many of them are read and worked on at a time; others wait, unread, so that memory is bounded."""
FORGET_SECONDS = 60
"""How often uploads that lie idle are looked for."""


# --- what a request brings --------------------------------------------------------------------------------------------


async def body(request: Request, limit: int, seconds: float, name: str) -> bytes:
    """A request's content. Raises BadInput as soon as it is more than limit bytes, or takes more than some seconds."""
    try:
        return await asyncio.wait_for(read_body(request, limit, name), seconds)
    except asyncio.TimeoutError:  # in Python 3.10 it is not yet TimeoutError
        raise BadInput(f"{name} came too slowly: try again.") from None


async def read_body(request: Request, limit: int, name: str) -> bytes:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > limit:
            raise BadInput(f"{name} is larger than {limit // 10**6} MB: save it smaller.")
    return bytes(content)


async def message_of(request: Request) -> dict:
    """The edit that a request brings, as parsed JSON. Raises BadInput."""
    content = await body(request, MAX_EDIT, EDIT_SECONDS, "the edit")
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


def number_of(text: str) -> int:
    """A face's number as a request gives it. Raises BadInput; not all digits are a number to Python, nor are 5,000."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise BadInput(f"{text[:20]} is no face's number.")
    return int(text)


# --- routes -----------------------------------------------------------------------------------------------------------


class Routes:
    """One method for each route. Edits and uploads are read and worked on while they hold a slot."""

    def __init__(self, answers: Answers):
        self.answers = answers
        self.edit_slots, self.upload_slots = asyncio.Semaphore(EDITS), asyncio.Semaphore(UPLOADS)
        self.files = {path.name: path.read_bytes() for path in PAGE_FILES.iterdir() if path.suffix in MEDIA_TYPES}

    def table(self) -> list[Route]:
        return [
            Route("/", self.page_file),
            Route("/page/{name}", self.page_file),
            Route("/editor/about", self.about),
            Route("/editor/faces", self.faces),
            Route("/editor/thumbnail/{k}", self.thumbnail),
            Route("/editor/show/{name}", self.show, methods=["POST"]),
            Route("/editor/paint", self.paint, methods=["POST"]),
            Route("/editor/borrow", self.borrow, methods=["POST"]),
            Route("/editor/upload/{kind}", self.upload, methods=["POST"]),
            Route("/editor/download/{what}", self.download, methods=["POST"]),
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

    def show(self, request: Request) -> Response:
        return JSONResponse(self.answers.show(session_of(request), request.path_params["name"]))

    async def paint(self, request: Request) -> Response:
        session = session_of(request)
        async with self.edit_slots:
            picture = await run_in_threadpool(self.answers.paint, session, await message_of(request))
            content = await run_in_threadpool(wire.quick_png, picture)
        return Response(content, media_type="image/png", headers={"cache-control": "no-store"})

    async def borrow(self, request: Request) -> Response:
        session = session_of(request)
        async with self.edit_slots:
            return JSONResponse(await run_in_threadpool(self.answers.borrow, session, await message_of(request)))

    async def upload(self, request: Request) -> Response:
        session, kind = session_of(request), request.path_params["kind"]
        if kind not in ("photo", "map"):
            raise BadInput(f"cannot upload a {kind}.")
        name = re.sub(r"[^\w .()-]", "_", Path(request.query_params.get("name", "")).name)[:80] or "the file"
        aligned = request.query_params.get("aligned") == "true"
        async with self.upload_slots:
            content = await body(request, uploads.MAX_BYTES, UPLOAD_SECONDS, name)
            return JSONResponse(await run_in_threadpool(self.answers.upload, session, kind, content, name, aligned))

    async def download(self, request: Request) -> Response:
        session, what = session_of(request), request.path_params["what"]
        if what not in DOWNLOADS:
            raise BadInput(f"cannot download {what}.")
        async with self.edit_slots:
            message = await message_of(request)
            content, name = await run_in_threadpool(self.answers.download, session, what, message)
        return Response(content, media_type="application/octet-stream", headers={"x-name": name})


# --- the whole --------------------------------------------------------------------------------------------------------


async def say_what_is_wrong(request: Request, error: BadInput) -> Response:
    return JSONResponse({"error": str(error)}, 410 if isinstance(error, Gone) else 400)


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
