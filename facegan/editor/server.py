"""The page of edit.py: gradio lays it out; what is quick, large or private goes over routes of its own beside it.

gradio's own brush smooths its edges and knows no regions, and a change event of its ImageEditor sends whole pictures
through a queue. So the painting surface is editor.js, which holds the edit, and answers.py answers it. No request
names a file, and gradio's own file routes are closed.
"""

import asyncio
import contextlib
import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from facegan.editor import uploads
from facegan.editor.answers import Desk, Gone, Studio, Uploads, png
from facegan.errors import BadInput
from facegan.regions import REGIONS

FILES = Path(__file__).parent
MAX_EDIT = 3_000_000
"""Bytes of an edit: a grid of 512 x 512 in which no pixel is like its neighbour takes 1.1 MB."""
EDIT_SECONDS, UPLOAD_SECONDS = 30, 120
"""How long an edit and an upload may take to come."""
EDITS, UPLOADS = 16, 4
"""How many of them are read and worked on at a time; others wait, unread, so that memory is bounded."""
OPEN = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(assets|static|svelte)/[\w./-]+|"
    r"/gradio_api/(info/?|startup-events|heartbeat/\w+)|/editor/.+"
)
"""What can be asked of the server: gradio's page and its parts, and our own routes. Its routes for files, uploads,
proxies and function calls answer 404."""
HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""The page asks nobody else for anything, whatever gradio's template says."""


# --- routes -----------------------------------------------------------------------------------------------------------


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


async def json_body(request: Request) -> dict:
    try:
        asked = json.loads(await body(request, MAX_EDIT, EDIT_SECONDS, "the edit"))
    except BadInput:
        raise
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise BadInput("the page sent what is no edit: reload it.")
    return asked


def session_of(request: Request) -> str:
    """Every POST names its session in a header, which another web site's page cannot send along."""
    session = request.headers.get("x-session", "")
    if not re.fullmatch(r"[\w-]{32}", session, re.ASCII):
        raise BadInput("no session: reload the page.")
    return session


def make_app(studio: Studio, kept: Uploads, hosts: set[str] | None) -> FastAPI:
    """The whole server. hosts: names it may be called by; None: any."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_routes(app, Desk(studio, kept))
    app = gr.mount_gradio_app(
        app,
        layout(studio),
        path="/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        ssr_mode=False,
        mcp_server=False,
        theme=theme(),
        head='<link rel="stylesheet" href="/editor/editor.css"><script type="module" src="/editor/editor.js"></script>',
    )
    app.add_middleware(Guard, uploads=kept, hosts=hosts)
    return app


def add_routes(app: FastAPI, desk: Desk) -> None:
    """What editor.js asks for."""
    few_edits, few_uploads = asyncio.Semaphore(EDITS), asyncio.Semaphore(UPLOADS)
    files = {name: (FILES / name).read_text(encoding="utf-8") for name in ("editor.js", "editor.css")}

    async def about_edit(request: Request, answer):
        """answer(session, edit), in a thread, for the edit that a request brings."""
        session = session_of(request)
        async with few_edits:
            return await run_in_threadpool(answer, session, await json_body(request))

    @app.exception_handler(BadInput)
    async def explain(request, error):
        return JSONResponse({"error": str(error)}, 410 if isinstance(error, Gone) else 400)

    @app.exception_handler(Exception)
    async def admit(request, error):
        return JSONResponse({"error": f"the server failed ({type(error).__name__}): its window says more."}, 500)

    @app.get("/editor/editor.js")
    def script():
        return Response(files["editor.js"], media_type="text/javascript", headers={"cache-control": "no-cache"})

    @app.get("/editor/editor.css")
    def style():
        return Response(files["editor.css"], media_type="text/css", headers={"cache-control": "no-cache"})

    @app.get("/editor/about")
    def about():
        return desk.about()

    @app.get("/editor/faces")
    def faces(start: int = 0):
        return desk.faces(start)

    @app.get("/editor/thumbnail/{k}")
    def thumbnail(k: int):
        return Response(desk.thumbnail(k), media_type="image/jpeg", headers={"cache-control": "private, max-age=600"})

    @app.post("/editor/show/{name}")
    def show(request: Request, name: str):
        return desk.show(session_of(request), name)

    @app.post("/editor/paint")
    async def paint(request: Request):
        picture = await about_edit(request, lambda session, asked: png(desk.paint(session, asked)))
        return Response(picture, media_type="image/png", headers={"cache-control": "no-store"})

    @app.post("/editor/borrow")
    async def borrow(request: Request):
        return await about_edit(request, desk.borrow)

    @app.post("/editor/upload/{kind}")
    async def upload(request: Request, kind: str, name: str = "", aligned: bool = False):
        session = session_of(request)
        if kind not in ("photo", "map"):
            raise BadInput(f"cannot upload a {kind}.")
        name = re.sub(r"[^\w .()-]", "_", Path(name).name)[:80] or "the file"
        async with few_uploads:
            content = await body(request, uploads.MAX_BYTES, UPLOAD_SECONDS, name)
            return await run_in_threadpool(desk.upload, session, kind, content, name, aligned)

    @app.post("/editor/download/{what}")
    async def download(request: Request, what: str):
        if what not in ("result", "map", "colors", "sample"):
            raise BadInput(f"cannot download {what}.")
        content, name = await about_edit(request, lambda session, asked: desk.download(session, what, asked))
        return Response(content, media_type="application/octet-stream", headers={"x-name": name})


class Guard:
    """Lets through what OPEN names and hosts allow, and adds HEADERS. hosts: a page of another site whose name was made
    to point at this machine is not answered. Nor is one that says of itself to be of another site, nor a browser that
    asks ahead for it (OPTIONS); and no other site's page can show what our routes answer."""

    def __init__(self, app, uploads: Uploads, hosts: set[str] | None):
        self.app, self.uploads, self.hosts = app, uploads, hosts

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close"})
        self.uploads.forget_idle()
        headers = dict(scope["headers"])
        host, origin = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"origin"))
        allowed = self.hosts is None or re.sub(r":\d+$", "", host) in self.hosts
        if not allowed or not is_open(scope["path"]):
            return await JSONResponse({"error": "not found"}, 404)(scope, receive, send)
        if origin and origin.partition("://")[2] != host:
            return await JSONResponse({"error": "another site's page may not ask"}, 403)(scope, receive, send)
        ours = scope["path"].startswith("/editor/")
        if ours and scope["method"] not in ("GET", "HEAD", "POST"):
            return await JSONResponse({"error": "only GET, HEAD and POST"}, 405)(scope, receive, send)
        added = HEADERS | ({"cross-origin-resource-policy": "same-origin"} if ours else {})

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in added.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


def is_open(path: str) -> bool:
    return bool(OPEN.fullmatch(path)) and ".." not in path


# --- layout -----------------------------------------------------------------------------------------------------------


def theme() -> gr.themes.Base:
    """gradio's own, without fonts from elsewhere and with greys that can be read."""
    plain = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    grey = {"body_text_color_subdued": "#52525b", "body_text_color_subdued_dark": "#c4c4cc"}
    return plain.set(**grey, block_info_text_color="#52525b", block_info_text_color_dark="#c4c4cc")


def layout(studio: Studio) -> gr.Blocks:
    """The page. Its controls speak to editor.js alone: no event of gradio's reaches the server."""
    pieces = re.findall(r"<!-- (\w+) -->\n(.*?)(?=\n<!-- |\Z)", (FILES / "editor.html").read_text("utf-8"), re.DOTALL)
    html = dict(pieces)

    def tell(event, call: str, *inputs):
        event(None, list(inputs) or None, None, js=f"(...values) => {{ window.faceEditor.{call}; }}")

    with gr.Blocks(title="Edit a face", analytics_enabled=False) as page:
        gr.HTML(html["top"].replace("TITLE", escape(studio.title)))
        with gr.Row():
            with gr.Column(scale=6, min_width=340):
                gr.HTML(html["paint"])
                gr.HTML(html["history"])
            with gr.Column(scale=4, min_width=320):
                gr.HTML(html["result"])
                info = "Only the edit and what is near it are painted."
                keep = gr.Checkbox(True, label="Keep the rest of the photo", info=info, elem_id="fe-keep")
                tell(keep.change, "keep(values[0])", keep)
                with gr.Row():
                    for what, label in DOWNLOADS.items():
                        button = gr.Button(label, size="sm", min_width=150, elem_id=f"fe-download-{what}")
                        tell(button.click, f"download('{what}')")
        with gr.Row():
            with gr.Column(scale=6, min_width=340):
                what = gr.Radio(BORROW, value="whole map", label="Click a face to take its ...", elem_id="fe-what")
                tell(what.change, "take(values[0])", what)
                gr.HTML(html["faces"])
                with gr.Row():
                    tell(gr.Button("Previous faces", size="sm").click, "turn('previous')")
                    number = gr.Number(label="Go to face", precision=0, minimum=0, min_width=100)
                    tell(number.submit, "goTo(values[0])", number)
                    tell(gr.Button("Next faces", size="sm").click, "turn('next')")
            with gr.Column(scale=4, min_width=320):
                gr.HTML(html["own"])
                with gr.Accordion("Keys", open=False):
                    gr.HTML(html["keys"])
    return page


DOWNLOADS = {
    "result": "Download result",
    "map": "Download map (ids)",
    "colors": "Download map (colours)",
    "sample": "Download sample (.npz)",
}
BORROW = ["photo, to edit it", "whole map", *REGIONS, "colours", "identity"]


# --- serving ----------------------------------------------------------------------------------------------------------


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises BadInput when the port is taken or the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        return listening
    except (OSError, OverflowError, UnicodeError) as error:  # Unicode: a name that cannot be one, as a..b
        raise BadInput(f"cannot listen at {host}, port {port} ({error}): name another with --port or --host.") from None


def server(studio: Studio, host: str, kept: Uploads | None = None) -> uvicorn.Server:
    """The server, to be run with a socket of bind()."""
    local = {"127.0.0.1", "localhost", "[::1]"}
    hosts = local if host in ("127.0.0.1", "localhost", "::1") else None
    app = make_app(studio, kept or Uploads(), hosts)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))


def serve(studio: Studio, host: str, port: int) -> None:
    """Serve the page until Ctrl-C."""
    with bind(host, port) as listening:
        address, port = listening.getsockname()[:2]
        running = server(studio, host)
        if not ipaddress.ip_address(address).is_loopback:
            print("everybody who can reach this machine can use the page, without a password")
        if ipaddress.ip_address(address).is_unspecified:
            host = socket.gethostname()
        print(f"open http://{f'[{host}]' if ':' in host else host}:{port} in a browser; Ctrl-C ends", flush=True)
        running.run(sockets=[listening])


@contextlib.contextmanager
def serving(studio: Studio, kept: Uploads | None = None) -> Iterator[int]:
    """The page at 127.0.0.1, served by a thread, for tests, measurements and pictures of it. Gives the port."""
    with bind("127.0.0.1", 0) as listening:
        running = server(studio, "127.0.0.1", kept)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while thread.is_alive() and not running.started:
            time.sleep(0.05)
        try:
            yield listening.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(10)
