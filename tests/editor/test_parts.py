"""Edits of faces of the eighteen parts: lips, teeth, brows, left and right apart; whole regions move as one."""

import json

import numpy as np
import pytest
from PIL import Image

import edit as script
import pix2pix
import pix2pix_rec
from editor.asking import S
from editor.test_editing import drawn_face
from facegan import regions
from facegan.editor import compositing, edit_files, editing, style_codes, wire
from facegan.editor.editing import Face, FaceMap
from facegan.errors import BadInput
from facegan.regions import PARTS
from outcomes import refusal

ID = {part: i for i, part in enumerate(PARTS, 1)}


@pytest.fixture(scope="module")
def face() -> Face:
    """drawn_face() with lips about its mouth, in parts; the skin goes on under all of it."""
    drawn = drawn_face()
    labels = drawn.map.labels.copy()
    labels[44:46, 24:40], labels[48:51, 24:40] = ID["u_lip"], ID["l_lip"]
    masks = regions.masks_from_labels(labels, 18)
    masks[12:60, 12:52, 0] = 1
    return Face(drawn.image, FaceMap(masks, labels), regions.mean_colors(drawn.image, masks), drawn.face_id)


def rows(labels: np.ndarray, part: str) -> tuple[int, int]:
    """The first row of a part and the one after its last."""
    y = np.nonzero(labels == ID[part])[0]
    return (int(y.min()), int(y.max()) + 1) if len(y) else (0, 0)


def test_the_edit_that_changes_nothing_shows_the_parts(face):
    edit = editing.begin(face)
    assert edit.names == ("background", *PARTS)
    np.testing.assert_array_equal(edit.regions, face.map.labels)
    np.testing.assert_array_equal(editing.labels(edit), face.map.labels)
    assert {name: x.shape for name, x in editing.inputs(edit).items()} == {
        "masks": (1, S, S, 18), "colors": (1, 18, 3), "face_id": (1, 128), "photo": (1, S, S, 3), "strengths": (1, 19)
    }  # fmt: skip


def test_a_lip_is_painted_and_recoloured_apart_from_teeth_and_the_other_lip(face):
    where = np.zeros((S, S), bool)
    where[51:53, 28:36] = True
    edit = editing.paint(editing.begin(face), where, "l_lip")
    assert rows(editing.labels(edit), "l_lip") == (48, 53)
    assert (edit.masks[51:53, 28:36].argmax(-1) == ID["l_lip"] - 1).all()
    red = editing.recolor(edit, "l_lip", np.array([200, 0, 0], np.float32))
    changed = np.flatnonzero((red.colors != face.colors).any(-1))
    assert [PARTS[i] for i in changed] == ["l_lip"]
    assert list(editing.recolor_weights(red)) == [ID["l_lip"]]


def test_a_brow_that_is_moved_leaves_the_other_and_the_hair_where_they_were(face):
    edit = editing.transform(editing.begin(face), "l_brow", down=3)
    labels = editing.labels(edit)
    assert (rows(labels, "l_brow"), rows(labels, "r_brow")) == ((22, 24), (19, 21))
    assert (labels[19:21, 37:47] == ID["skin"]).all()
    np.testing.assert_array_equal(labels == ID["hair"], face.map.labels == ID["hair"])


def test_a_mouth_moves_as_one_and_keeps_lips_and_teeth(face):
    labels = editing.labels(editing.transform(editing.begin(face), "mouth", down=4, right=2))
    mouth = np.isin(face.map.labels, [ID[part] for part in ("mouth", "u_lip", "l_lip")])
    expected = np.where(mouth, ID["skin"], face.map.labels)
    expected[48:55, 26:42] = face.map.labels[44:51, 24:40]
    np.testing.assert_array_equal(labels, expected)


def test_mirrored_eyes_change_places_and_names(face):
    there = editing.labels(editing.transform(editing.begin(face), "eyes", mirror=True))
    np.testing.assert_array_equal(there, face.map.labels)  # they lie symmetrically
    one = editing.transform(editing.begin(face), "l_eye", right=2)
    both = editing.labels(editing.transform(one, "eyes", mirror=True))
    columns = [np.nonzero(both == ID[part])[1] for part in ("r_eye", "l_eye")]
    assert [(x.min(), x.max() + 1) for x in columns] == [(18, 26), (40, 48)]


def test_an_opened_mouth_shows_teeth_between_lips_that_stay_as_thick(face):
    edit = editing.open_mouth(editing.begin(face), 1.0)
    column = editing.labels(edit)[:, 32]
    counts = {part: int((column == ID[part]).sum()) for part in ("u_lip", "mouth", "l_lip")}
    assert (counts["u_lip"], counts["l_lip"]) == (2, 3)
    assert counts["mouth"] > 2 + 3
    closed = editing.labels(editing.open_mouth(editing.begin(face), -1.0))[:, 32]
    assert (closed == ID["mouth"]).sum() == 0
    assert (closed == ID["l_lip"]).any()


def test_each_eye_closes_as_itself(face):
    labels = editing.labels(editing.close_eyes(editing.begin(face), 1.0))
    assert {part: (labels == ID[part]).sum() for part in ("l_eye", "r_eye")} == {"l_eye": 8, "r_eye": 8}
    assert (labels[24:27, 18:26] == ID["skin"]).all()


def test_hair_grows_without_brows(face):
    labels = editing.labels(editing.lengthen_hair(editing.begin(face), 0.5))
    for part in ("l_brow", "r_brow"):
        np.testing.assert_array_equal(labels == ID[part], face.map.labels == ID[part])
    assert (labels == ID["hair"]).sum() > (face.map.labels == ID["hair"]).sum()


@pytest.mark.parametrize("what", ["u_lip", "l_eye", "hair"])
def test_a_part_is_borrowed_alone(what, face):
    other = face.map.labels.copy()
    other[other == ID[what]] = ID["skin"]
    place = {"u_lip": (slice(42, 46), slice(22, 42)), "l_eye": (slice(22, 29), slice(38, 46)),
             "hair": (slice(2, 17), slice(8, 56))}[what]  # fmt: skip
    other[place] = ID[what]
    masks = regions.masks_from_labels(other, 18)
    edit = editing.borrow(editing.begin(face), Face(face.image, FaceMap(masks, other), face.colors, face.face_id), what)
    labels = editing.labels(edit)
    assert (labels == ID[what]).sum() > (face.map.labels == ID[what]).sum()
    changed = labels != face.map.labels
    assert changed.any()
    assert set(np.unique(labels[changed])) <= {0, ID[what], ID["skin"]}


def test_names_of_the_seven_that_are_no_parts_are_refused_with_those_that_are(face):
    for borrow in (editing.borrow, editing.borrow_style):
        with pytest.raises(BadInput, match="skin, nose, eye_g, l_eye, r_eye"):
            borrow(editing.begin(face), face, "eyes")


def test_lips_and_teeth_are_one_drawing_to_what_is_repainted(face):
    changed = editing.paint(editing.begin(face), face.map.labels == ID["mouth"], "l_lip")
    core = compositing.core(face.regions, changed.regions, 18)
    assert core[np.isin(face.map.labels, [ID["u_lip"], ID["l_lip"]])].mean() > 0.9


def test_styles_of_parts_are_mixed(face):
    generator = pix2pix_rec.Generator(pix2pix_rec.Args(size=S, width=8, parts=True, style=4))
    edit = editing.borrow_style(editing.begin(face), face, "l_lip", 0.5)
    inputs = style_codes.Inputs(generator, "")(edit)
    assert inputs["styles"].shape == (1, 19, 4)
    assert np.flatnonzero(inputs["strengths"][0]).tolist() == [ID["l_lip"] - 1]
    assert np.flatnonzero(np.abs(inputs["styles"][0]).sum(-1)).tolist() == [ID["l_lip"] - 1]
    assert script.editable(generator).input["strengths"].shape == (None, 19)


def test_a_file_of_an_edit_of_parts_is_of_a_format_of_its_own(face, parts_64, tmp_path):
    edit = editing.paint(editing.begin(face), face.map.labels == ID["hair"], "hat")
    message = {"face": "8", "map": None, "identity": None, "keep": True, "grid": wire.pack(edit.grid)}
    message["colors"] = [None] * 17 + ["#102030"]
    run = {"script": "pix2pix.py", "name": "run", "step": 1, "weights": "x"}
    text = edit_files.text_of(message, {"8": face}, edit_files.Place(run, S, parts_64, tmp_path))
    record = edit_files.parse(text, "me.json")
    assert record["format"] == 3
    back = edit_files.read_edit(record, {"8": face}, S)
    np.testing.assert_array_equal(back.grid, edit.grid)
    assert editing.color_text(back.colors[ID["cloth"] - 1]) == "#102030"
    too_high = json.loads(text) | {"colors": [None] * 7}  # which has no region 14
    with pytest.raises(BadInput, match="grid: unknown region"):
        edit_files.parse(json.dumps(too_high), "me.json")
    grid = wire.pack(editing.begin(face).grid)
    too_few = edit_files.parse(json.dumps(too_high | {"grid": grid}), "me.json")
    with pytest.raises(BadInput, match="colors: 7 are not one of each region"):
        edit_files.check(too_few, edit_files.Place(run, S, parts_64, tmp_path), "me.json")


def test_parts_from_the_command_line(run_on_parts, parts_64, tmp_path, call):
    flags = ("--run", run_on_parts.run, "--data", parts_64, "--sample", 8, "--out", tmp_path / "a.png")
    outcome = call(script, *flags, "--borrow", "l_brow:1", "--move", "u_lip:0,-1", "--color", "l_lip=#aa1020")
    assert outcome.status == 0, outcome.err
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    own, other = (editing.read_face(parts_64, k) for k in (8, 1))
    edit = editing.borrow(editing.begin(own), other, "l_brow")
    edit = editing.recolor(editing.transform(edit, "u_lip", down=-1), "l_lip", editing.parse_color("#aa1020"))
    restored = script.restore(script.Args(run=run_on_parts.run, data=parts_64))
    np.testing.assert_array_equal(picture, editing.composite(edit, script.paint(restored, edit)))
    assert "the regions are skin, nose, eye_g" in refusal(call(script, *flags, "--color", "eyes=#aa1020"))
    for wish in (("--color", "lips=#aa1020"), ("--borrow", "lips:1"), ("--borrow", "style:lips:1")):
        assert "of a run on --parts skin, nose, eye_g" in refusal(call(script, *flags, *wish))


def test_a_run_and_a_folder_of_different_kinds_are_refused(
    run_on_parts, trained, parts_64, prepared_64, tmp_path, call
):
    out = ("--sample", 8, "--out", tmp_path / "a.png")
    sentence = refusal(call(script, "--run", run_on_parts.run, "--data", prepared_64, *out))
    assert "was trained on the 18 parts" in sentence
    assert (
        "has overlapping regions: name with --data a folder prepared with g_simple_mask.py --regions parts" in sentence
    )
    sentence = refusal(call(script, "--run", trained(pix2pix).run, "--data", parts_64, *out))
    assert "was trained on the seven regions" in sentence
    assert "--train --data" in refusal(call(script, "--run", tmp_path / "none", "--data", parts_64, *out))
    assert "--parts" in refusal(call(script, "--run", tmp_path / "none", "--data", parts_64, *out))
