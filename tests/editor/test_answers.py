"""What the server answers for edits and uploads."""

import json

import numpy as np
import pytest

from editor.asking import FACE, S, as_png, ask, decoded, message
from facegan.editor import editing, wire


@pytest.mark.parametrize(
    "wrong",
    [
        {"grid": ""}, {"grid": "!"}, {"grid": 3}, {"grid": wire.pack(np.full((S, S), 9, np.uint8))},
        {"grid": wire.pack(np.zeros((32, 32), np.uint8))}, {"colors": []}, {"colors": ["red"] + [None] * 6},
        {"colors": None}, {"face": "99"}, {"face": "../8"}, {"face": 8}, {"face": None}, {"map": "own-x"},
        {"identity": "-1"}, {"map": []}, {"face": "9" * 5000},
    ],
)  # fmt: skip
def test_what_is_no_edit_is_refused_with_a_sentence(served, wrong):
    for path in ("paint", "borrow", "transform", "adjust", "download/map"):
        answer = ask(served, f"/editor/{path}", message(**wrong))
        assert answer.status in (400, 410)
        assert len(answer.error) > 10


def test_painting_a_grid_gives_what_the_functions_give(served, prepared_64):
    face, other = editing.read_face(prepared_64, FACE), editing.read_face(prepared_64, 1)
    edit = editing.borrow_identity(editing.borrow_map(editing.begin(face), other.map), other)
    edit = editing.recolor(editing.paint(edit, np.tri(S, dtype=bool), "hair"), "skin", editing.parse_color("#102030"))
    sent = message(map="1", identity="1", grid=wire.pack(edit.grid), colors=["#102030"] + [None] * 6)
    for keep in (True, False):
        answer = ask(served, "/editor/paint", sent | {"keep": keep})
        assert answer.status == 200
        expected = editing.composite(edit, served.setup.paint(edit), keep)
        np.testing.assert_array_equal(decoded(answer.content), expected)


STILL = dict(shape="mouth", right=0, down=0, scale=1, turn=0, mirror=False)


def test_shapes_are_those_of_the_functions_and_come_with_their_box(served, prepared_64):
    edit = editing.begin(editing.read_face(prepared_64, FACE))
    sent = message(**STILL | dict(shape="nose", down=3, right=-2, scale=1.5, turn=10, mirror=True))
    answer = json.loads(ask(served, "/editor/transform", sent).content)
    expected = editing.transform(edit, "nose", down=3, right=-2, scale=1.5, turn=10, mirror=True)
    np.testing.assert_array_equal(wire.unpack(answer["grid"], S), expected.grid)
    rows, columns = np.nonzero(editing.labels(edit) == 2)
    assert answer["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    answer = json.loads(ask(served, "/editor/adjust", message(mouth=0.5, eyes=-1, hair=0)).content)
    expected = editing.close_eyes(editing.open_mouth(edit, 0.5), -1)
    np.testing.assert_array_equal(wire.unpack(answer["grid"], S), expected.grid)
    everything_hair = message(**STILL, grid=wire.pack(np.full((S, S), 4, np.uint8)))
    answer = json.loads(ask(served, "/editor/transform", everything_hair).content)
    assert answer == {"grid": everything_hair["grid"], "box": None}


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        ("transform", {"shape": "../x"}, "there is no '../x' to move"),
        ("transform", {"shape": ["mouth"]}, "to move"),
        ("transform", {"right": "1"}, "no number as right"),
        ("transform", {"down": None}, "no number as down"),
        ("transform", {"scale": True}, "no number as scale"),
        ("transform", {"turn": float("nan")}, "no number as turn"),
        ("transform", {"turn": 10**400}, "no number as turn"),
        ("transform", {"scale": 5}, "goes from 0.25 to 4, not 5"),
        ("transform", {"right": -65}, "goes from -64 to 64, not -65"),
        ("adjust", {"mouth": 1.1}, "open mouth goes from -1 to 1, not 1.1"),
        ("adjust", {"hair": float("inf")}, "no number as hair"),
        ("adjust", {"eyes": []}, "no number as eyes"),
        ("adjust", {"mouth": 1, "grid": wire.pack(np.full((S, S), 4, np.uint8))}, "this map shows no mouth"),
    ],
)
def test_what_is_no_shape_or_amount_is_refused_with_a_sentence(served, path, wrong, said):
    answer = ask(served, f"/editor/{path}", message(**STILL | dict(mouth=0, eyes=0, hair=0) | wrong))
    assert answer.status == 400
    assert said in answer.error


def test_an_upload_is_its_sessions_alone(served):
    good = as_png(editing.full_labels(np.full((S, S), 4)))
    name = json.loads(ask(served, "/editor/upload/map?name=m.png", good).content)["name"]
    assert ask(served, f"/editor/show/{name}", {}).status == 200
    assert ask(served, "/editor/paint", message(map=name)).status == 200
    for path, content in ((f"/editor/show/{name}", {}), ("/editor/paint", message(map=name))):
        answer = ask(served, path, content, x_session="t" * 32)
        assert answer.status == 410
        assert "upload it again" in answer.error


def test_a_map_alone_is_no_face_to_edit(served):
    name = json.loads(ask(served, "/editor/upload/map", as_png(np.full((512, 512), 4))).content)["name"]
    for changes in ({"face": name}, {"identity": name}):
        answer = ask(served, "/editor/paint", message(**changes))
        assert (answer.status, answer.error) == (400, "that is a map alone: it has no photograph.")
