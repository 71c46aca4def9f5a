"""An edit as a file: written by the server, read back by it where it would paint the same, refused elsewhere."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from editor.asking import FACE, SESSION, S, as_png, ask, message
from facegan.editor import edit_files, editing, wire
from facegan.editor.answers import Answers
from facegan.editor.upload_store import UploadStore, name_of
from facegan.errors import BadInput


def painted(**changes) -> dict:
    """An edit of everything that an edit can be of."""
    grid = np.full((S, S), editing.UNPAINTED, np.uint8)
    grid[20:30, 10:40] = 4
    grid[30:40, 10:40] = editing.OWN
    edit = message(map="1", grid=wire.pack(grid), colors=["#102030", *[None] * 6], identity="2", keep=False)
    return edit | changes


@pytest.fixture
def answers(editor_setup) -> Answers:
    return Answers(editor_setup, UploadStore())


def file_of(answers: Answers, **changes) -> bytes:
    content, name = answers.download(SESSION, "edit", painted(**changes))
    assert name.endswith("_edit.json")
    return content


def changed(content: bytes, **changes) -> bytes:
    return json.dumps(json.loads(content) | changes).encode()


def test_a_file_opens_as_the_edit_that_was_written(served):
    answer = ask(served, "/editor/download/edit", painted())
    assert answer.headers["x-name"] == f"face_{FACE}_edit.json"
    assert len(answer.content) < 2000
    opened = ask(served, "/editor/open?name=me.json", answer.content)
    assert json.loads(opened.content) == painted()
    with_mark = ask(served, "/editor/open?name=me.json", b"\xef\xbb\xbf" + answer.content)  # some editors' first bytes
    assert json.loads(with_mark.content) == painted()


def test_it_says_what_it_was_painted_with(answers, editor_setup):
    record = json.loads(file_of(answers))
    assert {name: record["run"][name] for name in ("script", "name", "step")} == {
        "script": "pix2pix.py", "name": "run", "step": 12,
    }  # fmt: skip
    assert (record["format"], record["size"]) == (1, S)
    assert set(record["checksums"]) == {str(FACE), "1", "2"}
    assert "parser" not in record
    assert str(editor_setup.data) not in json.dumps(record)  # nothing of this machine


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 4}, "me.json is of format 4, here 1, 2 and 3 are read"), ({"format": "1"}, "format is '1'"),
        ({"face": 8}, "face is 8"), ({"face": "../8"}, "face is '../8'"), ({"face": "08"}, "face is '08'"),
        ({"map": "own-x"}, "map is 'own-x'"), ({"identity": []}, "identity is a list"),
        ({"colors": ["red", *[None] * 6]}, "colors is a list"), ({"colors": []}, "colors is a list"),
        ({"keep": 1}, "keep is 1"), ({"grid": "!"}, "grid: "), ({"grid": ""}, "grid: not a grid of this size"),
        ({"grid": wire.pack(np.full((S, S), 9, np.uint8))}, "grid: unknown region"), ({"size": 10**9}, "size is"),
        ({"run": {}}, "in run script is missing"), ({"checksums": {"8": 1}}, "checksums is an object"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused_with_a_sentence(answers, changes, said):
    with pytest.raises(BadInput, match=r"^me.json is ") as refused:
        answers.open(SESSION, changed(file_of(answers), **changes), "me.json")
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{", b"[" * 100_000, b"\xff\xfe", b'{"format": ' + b"9" * 5000])
def test_what_is_no_file_of_an_edit_is_refused_with_a_sentence(served, content):
    answer = ask(served, "/editor/open?name=..%2f<me>.json", content)
    assert answer.status == 400
    assert answer.error.startswith("_me_.json is damaged (")
    assert answer.error.endswith("download the edit again from the page, or bring the file back as it was.")


def test_a_file_that_is_too_large_is_not_parsed(served, tmp_path):
    answer = ask(served, "/editor/open?name=me.json", bytes(edit_files.MAX_BYTES + 1))
    assert (answer.status, answer.error) == (400, "me.json is larger than 3 MB: save it smaller.")
    (tmp_path / "me.json").write_bytes(bytes(edit_files.MAX_BYTES + 1))
    with pytest.raises(BadInput, match=r"me.json is too large: at most 3 MB are read"):
        edit_files.read(tmp_path / "me.json")
    with pytest.raises(BadInput, match=r"no.json is missing: name the file of an edit"):
        edit_files.read(tmp_path / "no.json")


def test_where_another_picture_would_be_painted_a_sentence_says_which_flag_to_give(answers, editor_setup):
    content, place = file_of(answers), editor_setup.place
    other_run = place.run | {"name": "other", "weights": "0" * 64}
    for other, said in (
        (place._replace(size=128), f"is of size {S}, the run here paints 128: start edit.py with the --run and"),
        (place._replace(run=other_run), r"was made with the run run \(pix2pix.py, step 12, .*here it is other .*--run"),
        (place._replace(data=Path("elsewhere")), f"another face {FACE} than there is in elsewhere: .* with the --data"),
    ):
        with pytest.raises(BadInput, match=said):
            edit_files.check(edit_files.parse(content.decode(), "me.json"), other, "me.json")
    checksums = json.loads(content)["checksums"]
    for others in (checksums | {"2": checksums["1"]}, {}):
        with pytest.raises(BadInput, match=r"me.json was made with another face"):
            answers.open(SESSION, changed(content, checksums=others), "me.json")
    with pytest.raises(BadInput, match="another face 77 than"):
        answers.open(SESSION, changed(content, face="77"), "me.json")


def test_a_picture_of_ones_own_is_known_by_its_checksum(answers, editor_setup, monkeypatch, tmp_path):
    """It is not in the file; a photograph's map is the one that the parser draws."""
    labels = as_png(editing.full_labels(np.full((S, S), 4)))
    mine = answers.upload(SESSION, "map", labels, "map.png", aligned=True)["name"]
    assert mine == name_of("map", labels)
    content = file_of(answers, map=mine)
    assert answers.open(SESSION, content, "me.json")["map"] == mine
    with pytest.raises(BadInput, match=r"me.json uses a picture of your own, .* upload that here, unchanged .* again"):
        answers.open("t" * 32, content, "me.json")
    answers.upload("t" * 32, "map", labels, "renamed.png", aligned=False)
    assert answers.open("t" * 32, content, "me.json")["map"] == mine

    face = replace(editing.read_face(editor_setup.data, 1), original=editing.Original(b"x", np.zeros((3, 2))))
    name = name_of("photo", b"x")
    answers.store.add(SESSION, name, face)
    place = editor_setup.place._replace(parser=tmp_path)
    (tmp_path / "parser.keras").write_bytes(b"one")
    record = edit_files.parse(edit_files.text_of(painted(face=name), {name: face}, place), "me.json")
    edit_files.check(record, place, "me.json")
    (tmp_path / "parser.keras").write_bytes(b"another")
    with pytest.raises(BadInput, match=f"whose map another parser drew than that in {tmp_path}: .* --parser"):
        edit_files.check(record, place, "me.json")
