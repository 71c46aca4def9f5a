"""Requests to the editor's server, and what they bring and give."""

import http.client
import io
import json
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from facegan import pictures
from facegan.editor import editing, wire
from facegan.editor.answers import Setup
from facegan.editor.upload_store import UploadStore

S = 64
"""The working size of all these tests."""
FACE = 8
"""The face that the page opens with."""
SESSION = "s" * 32


@dataclass
class Served:
    """A server that runs."""

    port: int
    setup: Setup
    store: UploadStore
    paints: list[tuple[float, float]] = field(default_factory=list)
    """when each call of the generator began and ended"""
    slow: float = 0
    """seconds that each call takes longer"""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """by their names in small letters"""
    content: bytes

    @property
    def error(self) -> str:
        return json.loads(self.content)["error"]


def ask(
    served: Served, path: str, content: bytes | dict | None = None, method: str | None = None, **headers: str
) -> Answer:
    """A request as it is written, without a client that would tidy the path. A header's name with _ for each -."""
    content = json.dumps(content).encode() if isinstance(content, dict) else content
    headers = {"host": f"127.0.0.1:{served.port}", "x_session": SESSION, **headers}
    if content is not None:
        headers["content_length"] = str(len(content))
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    method = method or ("GET" if content is None else "POST")
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(content)
    response = connection.getresponse()
    answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    connection.close()
    return answer


def message(**changes) -> dict:
    """An edit as the page sends it."""
    blank = wire.pack(np.full((S, S), editing.UNPAINTED, np.uint8))
    return {"face": str(FACE), "map": None, "grid": blank, "colors": [None] * 7, "identity": None, **changes}


def as_png(picture) -> bytes:
    return pictures.encode(np.asarray(picture, np.uint8), "PNG")


def decoded(content: bytes) -> np.ndarray:
    """A picture's (H, W, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
