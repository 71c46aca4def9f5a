"""What the server of edit.py's page does with an edit, an upload, a face: no gradio, no routes.

The edit lives in the browser, and every request brings all of it (some kilobytes), so two pages cannot mix and nothing
is lost when the server starts anew. What was uploaded is all that is kept here, for its session alone and in bounded
memory.
"""

import base64
import bisect
import functools
import hashlib
import io
import re
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from facegan import prepared
from facegan.editor import editing, uploads
from facegan.editor.editing import Edit, Face, FaceMap
from facegan.errors import BadInput
from facegan.regions import REGIONS

PALETTE = ("#2b2b2b", "#e8a87c", "#2f6fde", "#d81b60", "#7b3fa0", "#f2c230", "#2ca089", "#ff7f2a")
"""Colours to show background and regions in."""
PAGE = 24
"""Faces on a page of the gallery."""


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
    """What was uploaded, by session: what was used last stays, up to a number and a size, until it lies idle. A session
    has OF_ONE at most, so one page alone does not push out what others use. Who wants to can: a session is any name
    that a request gives, and with enough of them all others' uploads go."""

    OF_ONE = 8

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
            mine = [key for key in self.kept if key[0] == session]
            if len(mine) > self.OF_ONE:
                del self.kept[mine[0]]
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


# --- the desk --------------------------------------------------------------------------------------------------------


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
