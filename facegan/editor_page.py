"""The page of edit.py: gradio lays it out; what is quick, large or private goes over routes of its own beside it.

gradio's own brush smooths its edges and knows no regions, and a change event of its ImageEditor sends whole pictures
through a queue. So the painting surface is editor.js: it holds the edit, and every request brings all of it (some
kilobytes), so that two pages cannot mix and nothing is lost when the server starts anew. What was uploaded is all that
is kept here, for its session alone and in bounded memory. No request names a file, and gradio's own file routes are
closed.
"""

import base64
import bisect
import functools
import hashlib
import io
import json
import re
import secrets
import socket
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import gradio as gr
import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from PIL import Image
from starlette.concurrency import run_in_threadpool

from facegan import editing, prepared, uploads
from facegan.editing import Edit, Face, FaceMap
from facegan.errors import BadInput
from facegan.regions import REGIONS

FILES = Path(__file__).parent
PALETTE = ("#2b2b2b", "#e8a87c", "#2f6fde", "#d81b60", "#7b3fa0", "#f2c230", "#2ca089", "#ff7f2a")
"""Colours to show background and regions in: told apart with every kind of colour blindness, by lightness too."""
MAX_EDIT = 3_000_000
"""Bytes of an edit: a grid of 512 x 512 in which no pixel is like its neighbour takes 1.1 MB."""
PAGE = 24
"""Faces on a page of the gallery."""
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


class Studio(NamedTuple):
    """What the page works with; edit.py fills it."""

    data: Path
    size: int
    first: int | None
    """the face to open with; None: the one that this browser had open last"""
    title: str
    paint: Callable[[Edit], np.ndarray]
    own_photo: Callable[[bytes, str, bool], tuple[Face, str]]
    """content, name, aligned -> face and a note on it"""
    own_map: Callable[[np.ndarray], FaceMap]
    """ids (512, 512) -> map"""


class Gone(BadInput):
    """An upload that is not, or no longer, there for this session."""


class Uploads:
    """What was uploaded, by session: the newest in use stay, up to a number and a size, until they lie idle."""

    def __init__(self, most: int = 48, most_bytes: int = 200_000_000, idle: float = 4 * 3600, clock=time.monotonic):
        self.most, self.most_bytes, self.idle, self.clock = most, most_bytes, idle, clock
        self.kept: OrderedDict[tuple[str, str], tuple[Face | FaceMap, float]] = OrderedDict()  # least used first
        self.lock = threading.Lock()

    def add(self, session: str, thing: Face | FaceMap, content: bytes) -> str:
        """Keep a face or a map for a session; the name to get it by. The same content has the same name there, so that
        an edit goes on when its photograph is uploaded again."""
        name = f"own-{hashlib.sha256(session.encode() + content).hexdigest()[:24]}"
        with self.lock:
            self.kept.pop((session, name), None)
            self.kept[session, name] = thing, self.clock()
            while len(self.kept) > self.most or self.bytes() > self.most_bytes:
                self.kept.popitem(last=False)
        return name

    def get(self, session: str, name: str) -> Face | FaceMap:
        """Raises Gone."""
        self.forget_idle()
        with self.lock:
            if (session, name) not in self.kept:
                raise Gone("what was uploaded is no longer here: upload it again, and its edits go on.")
            thing, _ = self.kept[session, name]
            self.kept[session, name] = thing, self.clock()
            self.kept.move_to_end((session, name))
            return thing

    def forget_idle(self) -> None:
        with self.lock:
            for key, (_, used) in list(self.kept.items()):
                if self.clock() - used > self.idle:
                    del self.kept[key]

    def bytes(self) -> int:
        return sum(n_bytes(thing) for thing, _ in self.kept.values())


def n_bytes(thing: Face | FaceMap) -> int:
    masks, labels = thing.map if isinstance(thing, Face) else thing
    return masks.nbytes + labels.nbytes + (thing.image.nbytes if isinstance(thing, Face) else 0)


# --- what goes over the wire ------------------------------------------------------------------------------------------


def pack(grid: np.ndarray) -> str:
    """A grid (S, S) uint8 as runs: for each its value and its length, two bytes, in base64."""
    flat = grid.ravel()
    starts = np.concatenate([[0], np.nonzero(np.diff(flat))[0] + 1])
    starts = np.unique(np.concatenate([starts, np.arange(0, len(flat), 65535)]))
    runs = np.zeros(len(starts), RUN)
    runs["value"], runs["length"] = flat[starts], np.diff(np.append(starts, len(flat)))
    return base64.b64encode(runs.tobytes()).decode()


def unpack(text: str, size: int) -> np.ndarray:
    """pack() back. Raises ValueError when it is no grid of this size with the values an edit has."""
    runs = np.frombuffer(base64.b64decode(text, validate=True), RUN)
    if runs["length"].sum(dtype=np.int64) != size * size:
        raise ValueError("not a grid of this size")
    grid = np.repeat(runs["value"], runs["length"]).reshape(size, size)
    if not np.isin(runs["value"], [*range(len(editing.NAMES)), editing.OWN, editing.UNPAINTED]).all():
        raise ValueError("unknown region")
    return grid


RUN = np.dtype([("value", "u1"), ("length", "<u2")])


def encoded(picture: np.ndarray, form: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **options)
    return file.getvalue()


def png(picture: np.ndarray) -> bytes:
    """Fast rather than small: it is looked at once."""
    return encoded(picture, "PNG", compress_level=1)


class Desk:
    """The studio, its uploads, and what the routes do, each in a thread of its own."""

    def __init__(self, studio: Studio, kept: Uploads):
        self.studio, self.uploads = studio, kept
        self.numbers = editing.face_numbers(studio.data)
        self.known = set(self.numbers)
        self.read = functools.lru_cache(32)(functools.partial(editing.read_face, studio.data))
        self.thumbnail = functools.lru_cache(2048)(self.thumbnail)
        self.one_upload = threading.Lock()  # pictures are large while they are decoded

    def about(self) -> dict:
        """What the page needs to begin, and a session for those that have none."""
        place = f"{self.studio.data.resolve()} {self.studio.size}"
        return {
            "id": hashlib.sha256(place.encode()).hexdigest()[:12],
            "session": secrets.token_urlsafe(24),
            "size": self.studio.size,
            "first": self.studio.first,
            "any": self.numbers[0],
            "names": editing.NAMES,
            "palette": PALETTE,
            "maxBytes": uploads.MAX_BYTES,
        }

    def faces(self, start: int) -> dict:
        """A page of the gallery, from the first number that is not below start; and where the ones beside it start."""
        place = bisect.bisect_left(self.numbers, start, hi=len(self.numbers) - 1)
        place -= place % PAGE
        numbers, last = self.numbers, len(self.numbers) - 1
        beside = {"previous": numbers[max(0, place - PAGE)], "next": numbers[min(place + PAGE, last)]}
        return {"numbers": numbers[place : place + PAGE], **beside, "place": place, "count": len(numbers)}

    def thumbnail(self, k: int) -> bytes:
        self.check_number(k)
        image = Image.fromarray(editing.read_face(self.studio.data, k).image)
        return encoded(np.asarray(image.resize((96, 96), Image.Resampling.BOX)), "JPEG", quality=85)

    def check_number(self, k: int) -> None:
        if k not in self.known:
            raise BadInput(f"no face {k}: there are {self.numbers[0]} to {self.numbers[-1]}.")

    def find(self, session: str, name: str) -> Face | FaceMap:
        """A face of the data folder by its number, or an upload of this session by its name."""
        if re.fullmatch(r"[0-9]{1,9}", name):
            self.check_number(int(name))
            return self.read(int(name))
        return self.uploads.get(session, name)

    def find_face(self, session: str, name: str) -> Face:
        found = self.find(session, name)
        if not isinstance(found, Face):
            raise BadInput("that is a map alone: it has no photograph.")
        return found

    def show(self, session: str, name: str) -> dict:
        """A face, or a map, as the page draws it."""
        found = self.find(session, name)
        face_map = found.map if isinstance(found, Face) else found
        shown = {"name": name, "regions": pack(editing.LABEL_REGION[face_map.labels])}
        if isinstance(found, Face):
            shown["colors"] = [editing.color_text(color) for color in found.colors]
            shown["has"] = found.map.masks.any((0, 1)).tolist()
            shown["photo"] = base64.b64encode(png(found.image)).decode()
        return shown

    def edit(self, session: str, asked: dict) -> Edit:
        """The edit that a page sends. Raises BadInput for anything that is none."""
        try:
            edit = editing.begin(self.find_face(session, asked["face"]))
            if asked["map"] is not None:
                found = self.find(session, asked["map"])
                edit = replace(edit, map=found.map if isinstance(found, Face) else found)
            edit = replace(edit, grid=unpack(asked["grid"], self.studio.size))
            for region, color in zip(REGIONS, asked["colors"], strict=True):
                if color is not None:
                    edit = editing.recolor(edit, region, editing.parse_color(color))
            if asked["identity"] is not None:
                edit = editing.borrow_identity(edit, self.find_face(session, asked["identity"]))
            return edit
        except BadInput:
            raise
        except (LookupError, TypeError, ValueError, AttributeError):
            raise BadInput("the page sent what is no edit: reload it.") from None

    def paint(self, session: str, asked: dict) -> np.ndarray:
        """The result of an edit, (S, S, 3) uint8."""
        edit = self.edit(session, asked)
        keep = asked.get("keep") is not False
        if keep and not editing.changed(edit).any():
            return edit.face.image  # as composite() would say
        return editing.composite(edit, self.studio.paint(edit), keep)

    def borrow(self, session: str, asked: dict) -> dict:
        """The grid with one region of another face."""
        region, other = str(asked.get("region")), self.find(session, str(asked.get("from")))
        if region not in REGIONS:
            raise BadInput(f"no region {region}.")
        other = other.map if isinstance(other, Face) else other
        return {"grid": pack(editing.borrow_region(self.edit(session, asked), other, region).grid)}

    def upload(self, session: str, kind: str, content: bytes, name: str, aligned: bool) -> dict:
        """Keep an own photograph or a label map; the name it can be had by."""
        with self.one_upload:
            if kind == "photo":
                thing, note = self.studio.own_photo(content, name, aligned)
            else:
                thing, note = self.studio.own_map(uploads.label_map(content, name)), ""
        return {"name": self.uploads.add(session, thing, kind.encode() + bytes([aligned]) + content), "note": note}

    def download(self, session: str, what: str, asked: dict) -> tuple[bytes, str]:
        """A file and its name."""
        edit, name = self.edit(session, asked), asked["face"][:9].rstrip("-_")
        if what == "map":
            return encoded(editing.full_labels(editing.labels(edit)), "PNG"), f"face_{name}_map.png"
        if what == "colors":
            return encoded(editing.colored(edit), "PNG"), f"face_{name}_map_colors.png"
        picture = self.paint(session, asked)
        if what == "result":
            return encoded(picture, "PNG"), f"face_{name}_edited.png"
        with tempfile.TemporaryDirectory() as folder:
            prepared.write_npz(Path(folder) / "face.npz", stored=("Image",), **editing.sample(edit, picture))
            return (Path(folder) / "face.npz").read_bytes(), f"face_{name}_edited.npz"


# --- routes -----------------------------------------------------------------------------------------------------------


async def body(request: Request, limit: int, name: str) -> bytes:
    """A request's content. Raises BadInput as soon as it is more than limit bytes."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > limit:
            raise BadInput(f"{name} is larger than {limit // 10**6} MB: save it smaller.")
    return bytes(content)


async def json_body(request: Request) -> dict:
    try:
        asked = json.loads(await body(request, MAX_EDIT, "the edit"))
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
    app, desk = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), Desk(studio, kept)
    files = {name: (FILES / name).read_text(encoding="utf-8") for name in ("editor.js", "editor.css")}

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
        session, asked = session_of(request), await json_body(request)
        picture = await run_in_threadpool(lambda: png(desk.paint(session, asked)))
        return Response(picture, media_type="image/png", headers={"cache-control": "no-store"})

    @app.post("/editor/borrow")
    async def borrow(request: Request):
        session, asked = session_of(request), await json_body(request)
        return await run_in_threadpool(desk.borrow, session, asked)

    @app.post("/editor/upload/{kind}")
    async def upload(request: Request, kind: str, name: str = "", aligned: bool = False):
        session = session_of(request)
        if kind not in ("photo", "map"):
            raise BadInput(f"cannot upload a {kind}.")
        name = re.sub(r"[^\w .()-]", "_", Path(name).name)[:80] or "the file"
        content = await body(request, uploads.MAX_BYTES, name)
        return await run_in_threadpool(desk.upload, session, kind, content, name, aligned)

    @app.post("/editor/download/{what}")
    async def download(request: Request, what: str):
        session, asked = session_of(request), await json_body(request)
        if what not in ("result", "map", "colors", "sample"):
            raise BadInput(f"cannot download {what}.")
        content, name = await run_in_threadpool(desk.download, session, what, asked)
        return Response(content, media_type="application/octet-stream", headers={"x-name": name})

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


class Guard:
    """Lets through what OPEN names and hosts allow, and adds HEADERS. hosts: a page of another site whose name was made
    to point at this machine is not answered."""

    def __init__(self, app, uploads: Uploads, hosts: set[str] | None):
        self.app, self.uploads, self.hosts = app, uploads, hosts

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        self.uploads.forget_idle()
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        allowed = self.hosts is None or re.sub(r":\d+$", "", host) in self.hosts
        if scope["type"] != "http" or not allowed or not is_open(scope["path"]):
            return await JSONResponse({"error": "not found"}, 404)(scope, receive, send)

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
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
        gr.HTML(html["top"].replace("TITLE", studio.title.replace("<", "&lt;")))
        with gr.Row():
            with gr.Column(scale=6, min_width=340):
                gr.HTML(html["paint"])
                gr.HTML(html["history"])
            with gr.Column(scale=4, min_width=320):
                gr.HTML(html["result"])
                info = "Only the edit and what is near it are painted."
                keep = gr.Checkbox(True, label="Keep the rest of the photo", info=info)
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
    except (OSError, OverflowError) as error:
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
        port, running = listening.getsockname()[1], server(studio, host)
        if host in ("0.0.0.0", "::"):
            print("everybody who can reach this machine can use the page, without a password")
            host = socket.gethostname()
        print(f"open http://{f'[{host}]' if ':' in host else host}:{port} in a browser; Ctrl-C ends", flush=True)
        running.run(sockets=[listening])
