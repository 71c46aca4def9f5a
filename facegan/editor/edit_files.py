"""An edit as a small file: what the page sends to the server, and by what another machine knows that it would paint
the same of it.

format      1; 2 where styles are borrowed, 3 of a run on the 18 parts, which earlier versions here do not know
run         script, name and step, for a person; weights, their checksum, which decides
size        working size S
checksums   number of a face of the data folder -> of its photograph, masks and map
parser      checksum of the parser, where a photograph of one's own is among the faces
face        number of the face, or of a picture of one's own its checksum, upload_store.name_of(): it is not in the file
map         whose map lies under what was painted, or null: the face's own
identity    whose face ID it has, or null: the face's own
grid        what was painted: wire.pack()
colors      of each region, "#rrggbb" or null: the photograph's own
keep        whether the rest of the photograph stays
styles      region -> from: whose style it has, and strength in 0..1; left out where none is borrowed
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from facegan import files, prepared
from facegan.editor import editing, wire
from facegan.editor.editing import Edit, Face, FaceMap
from facegan.errors import BadInput, brief
from facegan.regions import PARTS, REGIONS, TABLES

FORMATS = (1, 2, 3)
MAX_BYTES = 3_000_000
"""Bytes of an edit: a grid of 512 x 512 in which no pixel is like its neighbour takes 1.1 MB."""
AGAIN = "download the edit again from the page, or bring the file back as it was."


def is_name(value: object) -> bool:
    """Whether a value names a face of the data folder or a picture of one's own."""
    return isinstance(value, str) and bool(re.fullmatch(r"0|[1-9][0-9]{0,8}|own-[0-9a-f]{24}", value))


def is_name_or_none(value: object) -> bool:
    return value is None or is_name(value)


def is_color_or_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and bool(re.fullmatch(r"#[0-9a-f]{6}", value)))


def are_colors(value: object) -> bool:
    return isinstance(value, list) and len(value) in TABLES and all(map(is_color_or_none, value))


def are_styles(value: object) -> bool:
    return isinstance(value, dict) and all(region in (*REGIONS, *PARTS) and is_style(x) for region, x in value.items())


def is_style(value: object) -> bool:
    return not files.fault(value, {"from": is_name, "strength": is_share})


def is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def are_checksums(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(checksum, str) for checksum in value.values())


EDIT = {"face": is_name, "map": is_name_or_none, "grid": str, "colors": are_colors, "identity": is_name_or_none}
EDIT |= {"keep": bool, "styles?": are_styles}
"""What the page sends of an edit (files.fault)."""
FILE = {"format": int, "run": {"script": str, "name": str, "step": int, "weights": str}, "size": prepared.is_size}
FILE |= {"checksums": are_checksums, "parser?": str, **EDIT}
"""What a file holds."""


class Place(NamedTuple):
    """What edits are painted with: a file opens where it is what its edit was made with."""

    run: dict[str, str | int]
    """script, name, step, weights, as in the file"""
    size: int
    data: Path
    """prepared folder"""
    parser: Path
    """run of parse_face.py"""


# --- write ------------------------------------------------------------------------------------------------------------


def text_of(message: dict, sources: dict[str, Face | FaceMap], place: Place) -> str:
    """The file of a page's edit; sources: of each of its names()."""
    edit = edit_of(message)
    form = 3 if len(edit["colors"]) == len(PARTS) else 2 if "styles" in edit else 1
    about = {"format": form, "run": place.run, "size": place.size}
    about["checksums"] = {name: checksum(place.data, name) for name in names(message) if name.isdigit()}
    if any(isinstance(source, Face) and source.original for source in sources.values()):
        about["parser"] = parser_checksum(place.parser)
    return json.dumps({**about, **edit}, indent=1) + "\n"


def edit_of(record: dict) -> dict:
    """What a page's message, or a file, says of the edit itself; styles where there are some."""
    edit = {key: record.get(key) for key in EDIT if not key.endswith("?")}
    return edit | ({"styles": record["styles"]} if record.get("styles") else {})


def names(message: dict) -> list[str]:
    """The faces and maps of which an edit is made, once each."""
    sources = [message[key] for key in ("face", "map", "identity")]
    sources += [style["from"] for style in message.get("styles", {}).values()]
    return list(dict.fromkeys(name for name in sources if name is not None))


def checksum(data: Path, name: str) -> str:
    """Of a face of the data folder; "" where it has none of that number. Raises BadInput when it is damaged."""
    path = data / "samples" / f"{name}.npz"
    if not path.exists():
        return ""
    return "-".join(f"{crc:08x}" for crc in prepared.checksums(path, "Image", "Masks", "Labels"))


def parser_checksum(run: Path) -> str:
    """Of the parser in a run; "" where there is none."""
    path = run / "parser.keras"
    return files.sha256(path) if path.is_file() else ""


# --- read -------------------------------------------------------------------------------------------------------------


def read(path: Path) -> dict:
    """The content of an edit's file. Raises BadInput when it is missing, damaged, too large or of another format."""
    return parse(files.read_text(path, "name the file of an edit, as the page gives it.", MAX_BYTES), path)


def parse(text: str, name: Path | str) -> dict:
    """read() of a text that a sentence calls by a name."""
    record = files.parse_json(text, name, AGAIN, {"format": int})
    if record["format"] not in FORMATS:
        raise BadInput(
            f"{name} is of format {brief(record['format'])}, here 1, 2 and 3 are read: open it with the version of "
            "this project that wrote it."
        )
    reason = files.fault(record, FILE)
    try:
        reason or wire.unpack(record["grid"], record["size"], len(record["colors"]))
    except ValueError as error:
        reason = f"grid: {brief(error)}"
    if reason:
        raise BadInput(f"{name} is damaged ({reason}): {AGAIN}")
    return record


def check(record: dict, place: Place, name: Path | str) -> None:
    """Raise BadInput where an edit was made with another size, run, face or parser than there is: the picture would be
    another one."""
    if record["size"] != place.size:
        raise BadInput(
            f"{name} is of size {record['size']}, the run here paints {place.size}: start edit.py with the --run and "
            "the --data that it was made with."
        )
    if record["run"]["weights"] != place.run["weights"]:
        raise BadInput(
            f"{name} was made with the run {in_words(record['run'])}, here it is {in_words(place.run)}, which paints "
            "another picture: start edit.py with the --run that it was made with."
        )
    if len(record["colors"]) != prepared.region_count(place.data):  # of the same run, so no page wrote it
        raise BadInput(f"{name} is damaged (colors: {len(record['colors'])} are not one of each region): {AGAIN}")
    for face in names(record):
        if face.isdigit() and record["checksums"].get(face, "") != (checksum(place.data, face) or None):
            raise BadInput(
                f"{name} was made with another face {face} than there is in {place.data}: start edit.py with the "
                "--data that it was made with."
            )
    if "parser" in record and record["parser"] != parser_checksum(place.parser):
        raise BadInput(
            f"{name} has a photograph of your own in it, whose map another parser drew than that in {place.parser}: "
            "start edit.py with the --parser that it was made with."
        )


def in_words(run: dict) -> str:
    return f"{brief(run['name'])} ({brief(run['script'])}, step {brief(run['step'])}, {brief(run['weights'])[:8]})"


def read_edit(message: dict, sources: dict[str, Face | FaceMap], size: int) -> Edit:
    """The edit of a page's message, or of a file; sources: of each of its names(). Raises BadInput where the face, or
    whose identity or style it has, is a map alone; LookupError, TypeError, ValueError or AttributeError if no edit."""
    edit = editing.begin(face_of(sources[message["face"]]))
    if message["map"] is not None:
        edit = replace(edit, map=map_of(sources[message["map"]]))
    edit = replace(edit, grid=wire.unpack(message["grid"], size, edit.face.map.count))
    for region, color in zip(edit.names[1:], message["colors"], strict=True):
        if color is not None:
            edit = editing.recolor(edit, region, editing.parse_color(color))
    if message["identity"] is not None:
        edit = editing.borrow_identity(edit, face_of(sources[message["identity"]]))
    for region, style in message.get("styles", {}).items():
        edit = editing.set_style(edit, face_of(sources[style["from"]]), region, style["strength"])
    return edit


def face_of(source: Face | FaceMap) -> Face:
    if not isinstance(source, Face):
        raise BadInput("that is a map alone: it has no photograph.")
    return source


def map_of(source: Face | FaceMap) -> FaceMap:
    return source.map if isinstance(source, Face) else source
