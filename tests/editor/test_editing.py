"""Edits as functions: what paint, recolour, borrow and erase give; label ids of painted pixels; what stays of the
photograph."""

import re
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from editor.asking import S
from facegan import labelmaps, prepared, regions
from facegan.editor import editing, uploads
from facegan.editor.editing import NAMES, Edit, Face, FaceMap
from facegan.errors import BadInput

ID = {name: i for i, name in enumerate(labelmaps.NAMES)}


def drawn_face() -> Face:
    """A face of rectangles at 64 px: hair over skin that stays whole underneath, two eyes and brows, nose, mouth."""
    labels = np.zeros((S, S), np.uint8)
    for part, (top, bottom, left, right) in {
        "skin": (12, 60, 12, 52), "nose": (30, 40, 29, 35), "r_eye": (24, 28, 18, 26), "l_eye": (24, 28, 38, 46),
        "r_brow": (19, 21, 17, 27), "l_brow": (19, 21, 37, 47), "mouth": (46, 48, 24, 40), "hair": (4, 16, 10, 54),
    }.items():  # fmt: skip
        labels[top:bottom, left:right] = ID[part]
    masks = regions.masks_from_labels(labels)
    masks[12:16, 12:52, 0] = 1  # skin under the hair
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (S, S, 3), dtype=np.uint8)
    return Face(image, FaceMap(masks, labels), regions.mean_colors(image, masks), rng.normal(0, 0.1, 128).astype("f4"))


@pytest.fixture(scope="module")
def face() -> Face:
    return drawn_face()


def box(top, bottom, left, right) -> np.ndarray:
    where = np.zeros((S, S), bool)
    where[top:bottom, left:right] = True
    return where


def painted(value=0.5) -> np.ndarray:
    return np.full((S, S, 3), value, np.float32)


# --- the map ----------------------------------------------------------------------------------------------------------


def test_an_edit_that_changes_nothing_is_the_photograph_and_its_map(face):
    edit = editing.begin(face)
    np.testing.assert_array_equal(edit.masks, face.map.masks)
    np.testing.assert_array_equal(editing.labels(edit), face.map.labels)
    np.testing.assert_array_equal(editing.composite(edit, painted()), face.image)
    assert not editing.changed_pixels(edit).any()


def test_painted_pixels_are_exactly_that_region_and_all_others_stay_as_prepared(face):
    where = box(12, 20, 20, 30)
    edit = editing.paint(editing.begin(face), where, "eyes")
    only = np.eye(7, dtype=np.uint8)[1]
    assert (edit.masks[where] == only).all()
    far = ~editing.grow(where, 1)
    np.testing.assert_array_equal(edit.masks[far], face.map.masks[far])
    assert editing.paint(edit, where, "background").masks[where].max() == 0


def test_a_region_painted_over_itself_is_no_edit(face):
    hair = editing.begin(face).regions == NAMES.index("hair")
    edit = editing.paint(editing.begin(face), hair, "hair")
    assert (edit.grid == editing.UNPAINTED).all()
    edit = editing.paint(edit, box(14, 20, 10, 54), "hair")
    np.testing.assert_array_equal(edit.grid == NAMES.index("hair"), ~hair & box(14, 20, 10, 54))


def test_the_eraser_brings_the_photographs_own_map_back_also_over_a_borrowed_one(face):
    other = FaceMap(np.roll(face.map.masks, 5, 1), np.roll(face.map.labels, 5, 1))
    edit = editing.borrow_map(editing.paint(editing.begin(face), box(0, 30, 0, 64), "hair"), other)
    np.testing.assert_array_equal(edit.masks, other.masks)
    where = box(20, 40, 10, 50)
    edit = editing.erase(edit, where)
    np.testing.assert_array_equal(edit.masks[where], face.map.masks[where])
    np.testing.assert_array_equal(edit.masks[~where], other.masks[~where])
    np.testing.assert_array_equal(editing.labels(edit), np.where(where, face.map.labels, other.labels))
    np.testing.assert_array_equal(editing.composite(editing.erase(edit, box(0, 64, 0, 64)), painted()), face.image)


def test_no_dots_of_a_region_stay_around_where_it_was(prepared_64):
    """Prepared masks reach a pixel beyond the label map."""
    for k in editing.face_numbers(prepared_64)[:4]:
        edit = editing.begin(editing.read_face(prepared_64, k))
        hair = edit.regions == NAMES.index("hair")
        bald = editing.paint(edit, hair, "background")
        assert edit.masks[~hair][:, 3].any()
        assert not bald.masks[editing.grow(hair, 1)][:, 3].any()


def test_a_borrowed_region_takes_the_place_of_the_old_one(face):
    other = face.map.labels.copy()
    other[other == ID["hair"]] = 0
    other[8:14, 20:44] = ID["hair"]  # smaller, and lower
    edit = editing.borrow_region(editing.begin(face), FaceMap(regions.masks_from_labels(other), other), "hair")
    theirs = regions.LABEL_REGION[other] == NAMES.index("hair")
    hair = edit.regions == NAMES.index("hair")
    assert hair[theirs].all()
    assert editing.grow(theirs, S // 32)[hair].mean() > 0.9  # the brows are further down
    assert (edit.regions[15, 20:44] == NAMES.index("skin")).all()  # the skin that the photo's own map has there
    assert (edit.regions[4, 10:54] == 0).all()  # background is nearest
    other_regions = ~hair & (face.map.masks[..., 3] == 0)
    np.testing.assert_array_equal(edit.regions[other_regions], editing.begin(face).regions[other_regions])


def test_the_region_borrowed_last_is_the_one_that_stays(prepared_64):
    faces = [editing.read_face(prepared_64, k) for k in (0, 3, 6)]
    for region in ("hair", "clothes", "mouth"):
        edit = editing.begin(faces[0])
        twice = editing.borrow_region(editing.borrow_region(edit, faces[1].map, region), faces[2].map, region)
        once = editing.borrow_region(edit, faces[2].map, region)
        assert (twice.regions != once.regions).sum() < 12
    own = editing.borrow_region(twice, faces[0].map, "mouth")
    np.testing.assert_array_equal(own.regions, faces[0].regions)


def test_borrowed_hair_leaves_brows(prepared_64):
    face, other = editing.read_face(prepared_64, 0), editing.read_face(prepared_64, 3)
    edit = editing.borrow_region(editing.begin(face), other.map, "hair")
    brows = np.isin(face.map.labels, [ID["l_brow"], ID["r_brow"]])
    assert brows.any()
    np.testing.assert_array_equal(edit.grid[brows], editing.UNPAINTED)


@given(st.integers(0, 2**32 - 1))
def test_any_grid_gives_labels_and_masks_that_agree(seed):
    rng, face = np.random.default_rng(seed), drawn_face()
    grid = rng.choice([*range(8), editing.OWN, editing.UNPAINTED], (8, 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    edit = replace(editing.begin(face), grid=grid)
    labels = editing.labels(edit)
    np.testing.assert_array_equal(regions.LABEL_REGION[labels], edit.regions)
    np.testing.assert_array_equal(labels[grid >= editing.OWN], face.map.labels[grid >= editing.OWN])


# --- label ids --------------------------------------------------------------------------------------------------------


def part_at(edit: Edit, y: int, x: int) -> str:
    return labelmaps.NAMES[editing.labels(edit)[y, x]]


def test_a_painted_pixel_takes_the_nearest_part_of_its_region(face):
    edit = editing.begin(face)
    assert part_at(editing.paint(edit, box(22, 24, 20, 24), "eyes"), 22, 21) == "r_eye"
    assert part_at(editing.paint(edit, box(22, 24, 40, 44), "eyes"), 22, 41) == "l_eye"
    assert part_at(editing.paint(edit, box(16, 17, 30, 34), "hair"), 16, 31) == "hair"
    assert part_at(editing.paint(edit, box(21, 22, 40, 44), "hair"), 21, 41) == "l_brow"
    assert part_at(editing.paint(edit, box(48, 52, 30, 34), "mouth"), 50, 31) == "mouth"


def test_a_region_that_the_map_lacks_takes_its_first_part(face):
    edit = editing.begin(face)
    assert part_at(editing.paint(edit, box(0, 4, 0, 4), "accessories"), 1, 1) == "eye_g"
    assert part_at(editing.paint(edit, box(60, 64, 0, 64), "clothes"), 62, 9) == "cloth"


@pytest.mark.parametrize("eyes", [(), ("l_eye",), ("r_eye",)])
def test_an_eye_is_that_of_the_persons_own_side_also_when_the_map_lacks_it(face, eyes):
    labels = np.where(
        np.isin(face.map.labels, [ID[p] for p in ("l_eye", "r_eye") if p not in eyes]), 1, face.map.labels
    )
    labels = labels.astype(np.uint8)
    edit = editing.begin(replace(face, map=FaceMap(regions.masks_from_labels(labels), labels)))
    both = box(23, 29, 16, 24) | box(23, 29, 40, 48)
    edit = editing.paint(edit, both, "eyes")
    assert part_at(edit, 23, 17) == "r_eye"  # the person's right, the viewer's left
    assert part_at(edit, 23, 46) == "l_eye"


def test_a_downloaded_map_comes_back_exactly(face, tmp_path):
    edit = editing.paint(editing.begin(face), box(10, 30, 5, 40), "clothes")
    ids = editing.labels(edit)
    for name, picture in (("ids", editing.full_labels(ids)), ("colors", editing.colored(edit))):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        back = uploads.label_map(uploads.read(tmp_path / f"{name}.png"), name)
        assert back.shape == (512, 512)
        np.testing.assert_array_equal(editing.map_from_labels(back, S).labels, ids)


# --- the picture ------------------------------------------------------------------------------------------------------


def test_only_the_neighbourhood_of_a_stroke_changes(face):
    where = box(50, 54, 20, 30)
    edit = editing.paint(editing.begin(face), where, "clothes")
    result = editing.composite(edit, painted())
    assert (result[where] == 128).all()
    far = ~editing.grow(where, S // 32 + 1)
    np.testing.assert_array_equal(result[far], face.image[far])


def test_a_reshaped_mouth_is_repainted_whole_and_eyes_stay(face):
    edit = editing.paint(editing.begin(face), box(48, 54, 28, 36), "mouth")
    where = editing.changed_pixels(edit)
    assert where[46:48, 24:40].all()
    assert not where[:44].any()


def test_recolouring_keeps_the_photographs_light_and_needs_no_generator(face):
    edit = editing.recolor(editing.begin(face), "hair", editing.parse_color("#8a3b1f"))
    result = editing.composite(edit, painted(0.25))
    np.testing.assert_array_equal(result, editing.composite(edit, painted(0.9)))
    hair = edit.regions == NAMES.index("hair")
    np.testing.assert_array_equal(result[~hair], face.image[~hair])
    light, before = (x[hair].astype(float) @ [0.3, 0.59, 0.11] for x in (result, face.image))
    assert np.corrcoef(light, before)[0, 1] > 0.9
    assert np.linalg.norm(result[hair].mean(0) - edit.colors[3]) < 0.4 * np.linalg.norm(face.colors[3] - edit.colors[3])


def test_a_stroke_takes_the_colour_that_the_photograph_has_beside_it(face):
    image = np.where(np.arange(S)[:, None] < S // 2, np.uint8([200, 160, 90]), np.uint8([60, 40, 30]))
    edit = editing.begin(replace(face, image=np.broadcast_to(image, (S, S, 3)).copy()))
    result = editing.composite(editing.paint(edit, box(16, 24, 12, 52), "hair"), painted())
    np.testing.assert_allclose(result[20, 14:22], np.broadcast_to([200, 160, 90], (8, 3)), atol=12)
    np.testing.assert_allclose(result[20, 42:50], np.broadcast_to([60, 40, 30], (8, 3)), atol=12)


@pytest.mark.parametrize("region", editing.REGIONS)
def test_recolouring_a_region_leaves_what_lies_over_it(prepared_64, region):
    for k in editing.face_numbers(prepared_64)[:4]:
        edit = editing.recolor(editing.begin(editing.read_face(prepared_64, k)), region, np.array([40, 90, 200]))
        shows = edit.regions == NAMES.index(region)
        if region == "skin":  # the nose follows it
            shows |= edit.regions == NAMES.index("nose")
        np.testing.assert_array_equal(editing.composite(edit, painted())[~shows], edit.face.image[~shows])
        np.testing.assert_array_equal(editing.changed_pixels(edit), shows)


def test_the_nose_follows_the_skin_unless_it_has_a_colour_of_its_own(prepared_64):
    face, blue = editing.read_face(prepared_64, 0), editing.parse_color("#3060b0")
    nose = NAMES.index("nose")
    edit = editing.recolor(editing.begin(face), "skin", blue)
    result = editing.composite(edit, painted())
    assert np.abs(result[face.regions == nose].mean(0) - blue).max() < 20
    assert np.abs(face.image[face.regions == nose].mean(0) - blue).max() > 60
    alone = editing.recolor(editing.begin(face), "nose", edit.new_colors[nose - 1])
    inside = (face.regions == nose) & ~editing.grow(face.regions != nose, 1)
    np.testing.assert_array_equal(result[inside], editing.composite(alone, painted())[inside])
    np.testing.assert_allclose(editing.inputs(edit)["colors"][0, nose - 1] * 255, edit.new_colors[nose - 1], rtol=1e-5)
    own = editing.recolor(edit, "nose", editing.parse_color("#2040f0"))
    np.testing.assert_array_equal(own.new_colors, own.colors)
    without = face.map.masks.copy()
    without[..., nose - 1] = 0
    none = replace(edit, face=replace(face, map=face.map._replace(masks=without)))
    np.testing.assert_array_equal(none.new_colors, none.colors)


def test_all_that_changes_is_in_changed_pixels(prepared_64):
    face, other = editing.read_face(prepared_64, 0), editing.read_face(prepared_64, 1)
    dark = editing.recolor(editing.begin(face), "skin", np.array([90, 60, 50]))
    bare = editing.paint(dark, box(0, 20, 0, 64), "background")
    for edit in (dark, editing.borrow_map(dark, other.map), bare):
        changed = editing.changed_pixels(edit)
        np.testing.assert_array_equal(editing.composite(edit, painted())[~changed], face.image[~changed])


def test_a_dab_of_hair_on_the_nose_stays_a_dab(prepared_64):
    for k in editing.face_numbers(prepared_64)[:4]:
        edit = editing.begin(editing.read_face(prepared_64, k))
        y, x = np.argwhere(edit.regions == NAMES.index("nose")).mean(0).astype(int)
        edit = editing.paint(edit, box(y, y + 1, x, x + 2), "hair")
        assert (editing.composite(edit, painted()) != edit.face.image).any(-1).sum() < 40


def test_of_a_face_with_a_borrowed_map_only_the_background_stays(prepared_64):
    face, other = editing.read_face(prepared_64, 0), editing.read_face(prepared_64, 1)
    edit = editing.borrow_map(editing.recolor(editing.begin(face), "hair", np.array([90, 60, 50])), other.map)
    result = editing.composite(edit, painted())
    np.testing.assert_array_equal(result, editing.composite(edit, painted(), keep=False))
    assert (result[edit.area] == 128).all()
    own = editing.borrow_map(edit, FaceMap(*(x.copy() for x in face.map)))  # its own map, sent back
    assert (editing.paint_weights(own) == 0).all()


def test_the_background_is_always_the_photographs(face):
    nowhere = ~face.map.masks.any(-1)
    for keep in (True, False):
        edit = editing.borrow_identity(editing.begin(face), replace(face, face_id=face.face_id + 1))
        result = editing.composite(edit, painted(), keep)
        np.testing.assert_array_equal(result[nowhere], face.image[nowhere])
        assert (result[~nowhere] == 128).all()


def test_background_that_becomes_visible_is_filled_from_the_background(face):
    image = np.where(face.map.masks.any(-1)[..., None], np.uint8(10), np.uint8(200)).repeat(3, -1)
    edit = editing.paint(editing.begin(replace(face, image=image)), box(0, 12, 0, 64), "background")
    result = editing.composite(edit, painted(0))
    assert (result[4:12, 10:54] == 200).all()


def test_the_edited_sample_is_a_sample(face, tmp_path):
    edit = editing.recolor(editing.paint(editing.begin(face), box(50, 54, 20, 30), "clothes"), "hair", [9, 8, 7])
    picture = editing.composite(edit, painted())
    (tmp_path / "samples").mkdir()
    prepared.write_npz(tmp_path / "samples" / "0.npz", stored=("Image",), **editing.sample(edit, picture))
    image, masks, colors, labels = prepared.read_npz(
        tmp_path / "samples" / "0.npz", Image=(S, S, 3), Masks=(S, S, 7), Colors=(7, 3), Labels=(S, S)
    )
    assert [x.dtype for x in (image, masks, colors, labels)] == [np.uint8, np.uint8, np.float32, np.uint8]
    np.testing.assert_array_equal(image, picture)
    np.testing.assert_allclose(colors, regions.mean_colors(image, masks))


def test_colors_are_borrowed_where_the_other_face_has_the_region(face):
    other = replace(face, colors=face.colors + 1)
    edit = editing.borrow(editing.begin(face), other, "colors")
    has = face.map.masks.any((0, 1))
    np.testing.assert_array_equal(edit.colors[has], other.colors[has])
    np.testing.assert_array_equal(edit.colors[~has], face.colors[~has])
    with pytest.raises(BadInput, match="cannot borrow 'ears'"):
        editing.borrow(editing.begin(face), other, "ears")


@pytest.mark.parametrize("text", ["", "red", "#12345", "#12345g", "#1234567"])
def test_what_is_no_colour_is_refused(text):
    with pytest.raises(BadInput, match="no colour"):
        editing.parse_color(text)


# --- the example in the documentation ---------------------------------------------------------------------------------


def test_the_example_of_editing_py_runs(prepared_64):
    example = textwrap.dedent("".join(re.findall(r"^ {4}.*\n", editing.__doc__, re.MULTILINE)))
    names = {"editing": editing, "data": prepared_64, "where": box(50, 54, 20, 30), "painter": lambda edit: painted()}
    exec(example.replace("data, 12)", "data, 8)").replace("data, 57)", "data, 1)"), names)
    assert names["edit"].regions[52, 25] == NAMES.index("mouth")
    assert names["picture"].shape == (S, S, 3)
