"""What the server answers for an edit, an upload, a face: no HTTP here.

The edit lives in the browser, and every request brings all of it (some kilobytes), so two pages cannot mix and nothing
is lost when the server starts anew. What was uploaded is all that is kept here, for its session alone and in bounded
memory.
"""

import base64
import bisect
import functools
import hashlib
import re
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facegan import files, pictures, prepared
from facegan.editor import edit_files, editing, pasting, shaping, uploads, wire
from facegan.editor.edit_files import Place, face_of, map_of
from facegan.editor.editing import Edit, Face, FaceMap
from facegan.editor.upload_store import Gone, UploadStore, name_of
from facegan.errors import BadInput
from facegan.regions import LABEL_COLORS, PARTS, REGIONS, TABLES

PALETTE = ("#2b2b2b", "#e8a87c", "#2f6fde", "#d81b60", "#7b3fa0", "#f2c230", "#2ca089", "#ff7f2a")
"""Colours to show background and regions in."""
PAGE = 24
"""Faces on a page of the gallery."""
ONE_PHOTOGRAPH = threading.Lock()
"""A whole photograph takes some hundred megabytes while an edit is put into it: one at a time."""
PART_WORDS = {
    "l_eye": "left eye", "r_eye": "right eye", "l_brow": "left brow", "r_brow": "right brow", "l_ear": "left ear",
    "r_ear": "right ear", "u_lip": "upper lip", "l_lip": "lower lip", "neck": "neck", "eye_g": "glasses", "hat": "hat",
    "ear_r": "earrings", "neck_l": "necklace",
}  # fmt: skip
"""Parts that the page can move beside the regions; left and right are the person's."""
REGION_WORDS = {"mouth": "mouth inside", "cloth": "clothes"} | PART_WORDS
"""What a run on the 18 parts calls those whose names are no words."""
PART_PALETTE = ("#2b2b2b", *("#" + bytes(color).hex() for color in LABEL_COLORS[1:]))
"""PALETTE of the 18 parts: the dataset's own colours."""
KINDS = (
    "This run paints seven regions: lips and teeth, brows and hair, left and right are one. A run trained with --parts "
    "has them apart.",
    "This run paints the 18 parts; left and right are the person's.",
)
"""What the page says of a run on the regions, and of one on the parts."""
DOWNLOADS = ("result", "photograph", "map", "colors", "sample", "edit")


@dataclass(frozen=True)
class Setup:
    """What the editor works with; edit.py fills it."""

    place: Place
    """what paints: the run, its size S, the prepared folder, the parser"""
    first: int | None
    """the face to open with; None: the one that this browser had open last"""
    title: str
    text: dict[str, str]
    """what a result says of itself: pictures.synthetic()"""
    paint: Callable[[Edit], np.ndarray]
    """what the generator makes of an edit, (S, S, 3) in 0..1"""
    own_photo: Callable[[bytes, str, bool], tuple[Face, str]]
    """content, name, aligned -> face and a note on it"""
    own_map: Callable[[np.ndarray], FaceMap]
    """ids (512, 512) -> map"""
    missing_parser: Callable[[], str] = lambda: ""
    """why photographs cannot be taken and what to do, in a sentence; "" where they can"""
    missing_styles: str = ""
    """why styles cannot be borrowed and what to do, in a sentence; "" where they can"""

    @property
    def data(self) -> Path:
        return self.place.data

    @property
    def size(self) -> int:
        return self.place.size


class Answers:
    """Answers requests, each in a thread of its own. A message is the edit that a page sends, as parsed JSON: face,
    map, grid, colors, identity, keep, styles."""

    def __init__(self, setup: Setup, store: UploadStore):
        self.setup, self.store = setup, store
        self.numbers = editing.face_numbers(setup.data)
        self.region_names = tuple(TABLES[prepared.region_count(setup.data)])
        self.number_set = set(self.numbers)
        self.read_face = functools.lru_cache(32)(functools.partial(editing.read_face, setup.data))
        self.thumbnail = functools.lru_cache(2048)(self.thumbnail)
        self.progress: dict[str, str] = {}
        """session -> how far its whole photograph has come, in words"""

    # --- faces --------------------------------------------------------------------------------------------------------

    def about(self) -> dict:
        """What the page needs to begin, and a session for a browser that has none."""
        place, has_parts = f"{self.setup.data.resolve()} {self.setup.size}", self.region_names == PARTS
        place += " parts" if has_parts else ""  # edits of the seven regions that a browser keeps are none of these
        names = ("background", *self.region_names)
        return {
            "id": hashlib.sha256(place.encode()).hexdigest()[:12],
            "session": secrets.token_urlsafe(24),
            "title": self.setup.title,
            "size": self.setup.size,
            "first": self.setup.first,
            "any": self.numbers[0],
            "names": names,
            "words": [REGION_WORDS.get(name, name) for name in names] if has_parts else names,
            "palette": PART_PALETTE if has_parts else PALETTE,
            "kind": KINDS[has_parts],
            "shapes": shape_words(has_parts),
            "scales": shaping.SCALES,
            "maxBytes": uploads.MAX_BYTES,
            "maxEdit": edit_files.MAX_BYTES,
            "missingParser": self.setup.missing_parser(),
            "missingStyles": self.setup.missing_styles,
        }

    def faces(self, start: int) -> dict:
        """A page of the gallery, from the first number that is not below start; and where the ones beside it start."""
        last = len(self.numbers) - 1
        place = bisect.bisect_left(self.numbers, start, hi=last)
        place -= place % PAGE
        return {
            "numbers": self.numbers[place : place + PAGE],
            "previous": self.numbers[max(0, place - PAGE)],
            "next": self.numbers[min(place + PAGE, last)],
            "place": place,
            "count": len(self.numbers),
        }

    def thumbnail(self, k: int) -> bytes:
        """Face k as a small JPEG."""
        self.check_number(k)
        return small_jpeg(editing.read_face(self.setup.data, k))

    def own_faces(self, session: str) -> list[dict]:
        """The photographs that a session has uploaded: their names, and small JPEGs in base64."""
        uploads_of_session = self.store.of_session(session).items()
        faces = {name: upload for name, upload in uploads_of_session if isinstance(upload, Face)}
        return [{"name": name, "picture": base64.b64encode(small_jpeg(face)).decode()} for name, face in faces.items()]

    def check_number(self, k: int) -> None:
        if k not in self.number_set:
            raise BadInput(f"no face {k}: there are {self.numbers[0]} to {self.numbers[-1]}.")

    def face_or_map(self, session: str, name: str) -> Face | FaceMap:
        """A face of the data folder by its number, or an upload of this session by its name."""
        if re.fullmatch(r"[0-9]{1,9}", name):
            self.check_number(int(name))
            return self.read_face(int(name))
        return self.store.get(session, name)

    def face(self, session: str, name: str) -> Face:
        return face_of(self.face_or_map(session, name))

    def face_map(self, session: str, name: str) -> FaceMap:
        return map_of(self.face_or_map(session, name))

    def show(self, session: str, name: str) -> dict:
        """A face, or a map, as the page draws it."""
        source = self.face_or_map(session, name)
        answer = {"name": name, "regions": wire.pack(map_of(source).regions)}
        if isinstance(source, Face):
            answer["colors"] = [editing.color_text(color) for color in source.colors]
            answer["has"] = source.map.masks.any((0, 1)).tolist()
            answer["hasOriginal"] = source.original is not None
            answer["photo"] = base64.b64encode(wire.quick_png(source.image)).decode()
        return answer

    # --- edits --------------------------------------------------------------------------------------------------------

    def edit(self, session: str, message: dict) -> Edit:
        """The edit of a message. Raises BadInput for anything else."""
        try:
            return edit_files.read_edit(message, self.sources(session, message), self.setup.size)
        except BadInput:
            raise
        except (LookupError, TypeError, ValueError, AttributeError):
            raise BadInput("the page sent something that is not an edit: reload it.") from None

    def sources(self, session: str, message: dict) -> dict[str, Face | FaceMap]:
        """The faces and maps of which an edit is made, by name."""
        return {name: self.face_or_map(session, name) for name in edit_files.names(message)}

    def open(self, session: str, content: bytes, name: str) -> dict:
        """The edit in a file, as the page sends and keeps edits. Raises BadInput where this server would paint another
        picture of it than the one that was seen when it was written."""
        record = edit_files.parse(files.decode(content, name, edit_files.AGAIN), name)
        edit_files.check(record, self.setup.place, name)
        message = edit_files.edit_of(record)
        try:
            self.edit(session, message)
        except Gone:
            raise BadInput(
                f"{name} uses a picture of your own, which is not in it: upload that here, unchanged and ticked as cut "
                "already or not, as it was then; then open the file again."
            ) from None
        return message

    def paint(self, session: str, message: dict) -> np.ndarray:
        """The result of an edit, (S, S, 3) uint8."""
        edit, keep = self.edit(session, message), keeps(message)
        if keep and not editing.changed_pixels(edit).any():
            return edit.face.image  # as composite() would say
        return editing.composite(edit, self.setup.paint(edit), keep)

    def paste(self, session: str, message: dict) -> bytes:
        """The photograph that an uploaded face was cut from, with the edit in it, as a PNG."""
        edit, keep = self.edit(session, message), keeps(message)
        if edit.face.original is None:
            raise BadInput("this face was not uploaded: there is no larger photograph of it here.")
        photo = uploads.whole_photo(edit.face)
        if keep and not editing.changed_pixels(edit).any():
            return pictures.encode(photo, "PNG", compress_level=4)

        def tell(share: float) -> None:
            self.progress[session] = f"{share:.0%} of the edit is in it" if share < 1 else "being written as a PNG"

        whole = pasting.paste(photo, edit, self.setup.paint(edit), keep, tell)
        return pictures.encode(whole, "PNG", self.setup.text, compress_level=4)

    def borrow(self, session: str, message: dict) -> dict:
        """The grid with one region of another face; the message names them as "region" and "from"."""
        region, other = str(message.get("region")), self.face_map(session, str(message.get("from")))
        if region not in self.region_names:
            raise BadInput(f"no region {region}.")
        return {"grid": wire.pack(editing.borrow_region(self.edit(session, message), other, region).grid)}

    def transform(self, session: str, message: dict) -> dict:
        """The grid with a shape moved, scaled, turned and mirrored, and its box before: left, top, right and bottom
        edge, or None where the map has nothing of it. The message names the shape, and has right, down, scale, turn
        and mirror."""
        edit, name = self.edit(session, message), str(message.get("shape"))
        how = {what: number_of(message, what) for what in ("right", "down", "scale", "turn")}
        where = shaping.shape(editing.labels(edit), name)
        if not where.any():
            return {"grid": message["grid"], "box": None}
        changed = editing.transform(edit, name, **how, mirror=message.get("mirror") is True)
        return {"grid": wire.pack(changed.grid), "box": shaping.box(where)}

    def adjust(self, session: str, message: dict) -> dict:
        """The grid with mouth, eyes and hair changed by the message's amounts of these names, -1..1."""
        edit = self.edit(session, message)
        functions = {"mouth": editing.open_mouth, "eyes": editing.close_eyes, "hair": editing.lengthen_hair}
        for what, function in functions.items():
            if amount := number_of(message, what):
                edit = function(edit, amount)
        return {"grid": wire.pack(edit.grid)}

    # --- files --------------------------------------------------------------------------------------------------------

    def upload(self, session: str, kind: str, content: bytes, name: str, aligned: bool) -> dict:
        """Keep an own photograph or a label map; the name by which to ask for it, and a note on it."""
        if kind == "photo":
            upload, note = self.setup.own_photo(content, name, aligned)
        else:
            upload, note = self.setup.own_map(uploads.label_map(content, name)), ""
        own = name_of(kind, content, aligned and kind == "photo")
        self.store.add(session, own, upload)
        return {"name": own, "note": note}

    def download(self, session: str, what: str, message: dict) -> tuple[bytes, str]:
        """A file, one of DOWNLOADS, and its name."""
        edit, stem = self.edit(session, message), f"face_{message['face'][:9].rstrip('-_')}"
        if what == "map":
            return pictures.encode(editing.full_labels(editing.labels(edit)), "PNG"), f"{stem}_map.png"
        if what == "colors":
            return pictures.encode(editing.colored(edit), "PNG"), f"{stem}_map_colors.png"
        if what == "edit":
            complete, sources = message | {"keep": keeps(message)}, self.sources(session, message)
            return edit_files.text_of(complete, sources, self.setup.place).encode(), f"{stem}_edit.json"
        if what == "photograph":
            self.progress[session] = "waiting until another one is done" if ONE_PHOTOGRAPH.locked() else "being read"
            try:
                with ONE_PHOTOGRAPH:
                    return self.paste(session, message), f"{stem}_photograph.png"
            finally:
                self.progress.pop(session, None)
        picture = self.paint(session, message)
        if what == "result":
            return pictures.encode(picture, "PNG", self.setup.text), f"{stem}_edited.png"
        with tempfile.TemporaryDirectory() as folder:
            prepared.write_npz(Path(folder) / "face.npz", stored=("Image",), **editing.sample(edit, picture))
            return (Path(folder) / "face.npz").read_bytes(), f"{stem}_edited.npz"


def shape_words(has_parts: bool) -> dict[str, str]:
    """Name of a shape that the page can move -> its words: the regions as wholes, and parts."""
    words = {region: region for region in REGIONS} | PART_WORDS
    if has_parts:  # what a click on the clothes names
        words["cloth"] = words.pop("clothes")
    return words


def keeps(message: dict) -> bool:
    return message.get("keep") is not False


def number_of(message: dict, what: str) -> float:
    """A number of a message. Raises BadInput for anything else, and for one that is not finite."""
    value = message.get(what)
    if type(value) not in (int, float) or not abs(value) < 1e9:
        raise BadInput(f"the page sent no number as {what}: reload it.")
    return float(value)


def small_jpeg(face: Face) -> bytes:
    """A face as the gallery shows it."""
    small = Image.fromarray(face.image).resize((96, 96), Image.Resampling.BOX)
    return pictures.encode(np.asarray(small), "JPEG", quality=85)
