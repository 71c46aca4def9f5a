"""Editing: what paint, recolour, borrow and erase give; label ids of painted pixels; what stays of the photograph; the
command line without a browser."""

import csv
import functools
import io
import re
import struct
import sys
import textwrap
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import edit as script
import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import labelmaps, prepared, regions
from facegan.editor import answers, editing, uploads
from facegan.editor.editing import NAMES, Edit, Face, FaceMap
from facegan.errors import BadInput

ID = {name: i for i, name in enumerate(labelmaps.NAMES)}
S = 64


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
    assert not editing.changed(edit).any()


def test_painted_pixels_are_exactly_that_region_and_all_others_stay_as_prepared(face):
    where = box(12, 20, 20, 30)
    edit = editing.paint(editing.begin(face), where, "eyes")
    only = np.eye(7, dtype=np.uint8)[1]
    assert (edit.masks[where] == only).all()
    far = ~editing.near(where, 1)
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
        assert not bald.masks[editing.near(hair, 1)][:, 3].any()


def test_a_borrowed_region_takes_the_place_of_the_old_one(face):
    other = face.map.labels.copy()
    other[other == ID["hair"]] = 0
    other[8:14, 20:44] = ID["hair"]  # smaller, and lower
    edit = editing.borrow_region(editing.begin(face), FaceMap(regions.masks_from_labels(other), other), "hair")
    theirs = regions.LABEL_REGION[other] == NAMES.index("hair")
    np.testing.assert_array_equal(edit.regions == NAMES.index("hair"), theirs)
    assert (edit.regions[14:16, 20:44] == NAMES.index("skin")).all()  # the skin that the photo's own map has there
    assert (edit.regions[4, 10:54] == 0).all()  # background is nearest
    other_regions = ~theirs & (face.map.masks[..., 3] == 0)
    np.testing.assert_array_equal(edit.regions[other_regions], editing.begin(face).regions[other_regions])


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


@pytest.mark.parametrize("there", [(), ("l_eye",), ("r_eye",)])
def test_an_eye_is_that_of_the_persons_own_side_also_when_the_map_lacks_it(face, there):
    labels = np.where(
        np.isin(face.map.labels, [ID[p] for p in ("l_eye", "r_eye") if p not in there]), 1, face.map.labels
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
    far = ~editing.near(where, S // 32 + 1)
    np.testing.assert_array_equal(result[far], face.image[far])


def test_a_reshaped_mouth_is_repainted_whole_and_eyes_stay(face):
    edit = editing.paint(editing.begin(face), box(48, 54, 28, 36), "mouth")
    where = editing.changed(edit)
    assert where[46:48, 24:40].all()
    assert not where[:44].any()


def test_recolouring_changes_its_region_and_no_further_than_the_feather(face):
    edit = editing.recolor(editing.begin(face), "hair", editing.parse_color("#8a3b1f"))
    result = editing.composite(edit, painted(0.25))
    hair = face.map.masks[..., 3] > 0
    assert (result[hair] == 64).all()
    far = ~editing.near(hair, S // 32 + 1)
    np.testing.assert_array_equal(result[far], face.image[far])


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


# --- uploads ----------------------------------------------------------------------------------------------------------


def png(array) -> bytes:
    return answers.encoded(np.asarray(array, np.uint8), "PNG")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a picture"),
        (b"GIF89a" + bytes(100), "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a picture|damaged"),
        (png(np.full((512, 512), 19)), "id 19; CelebAMask-HQ's are 0..18"),
        (png(np.full((512, 512), 255)), "id 255"),
        (png(np.zeros((512, 512))), "all background"),
        (png(np.ones((512, 256))), "square"),
        (png(np.full((64, 64, 3), (1, 2, 3))), "colours that are not CelebAMask-HQ's"),
        (png(np.ones((512, 512)))[:-60], "damaged"),
    ],
)
def test_a_label_map_that_cannot_be_one_is_refused_with_the_reason(content, said):
    with pytest.raises(BadInput, match=said):
        uploads.label_map(content, "map.png")


def test_pixels_are_counted_before_anything_is_decoded():
    """A PNG whose header says 60,000 x 60,000, and which holds nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (8000, 60000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
        with pytest.raises(BadInput, match=r"million pixels|exceeds limit"):
            uploads.photo(bomb, "bomb.png", aligned=True)
    with pytest.raises(BadInput, match="larger than 20 MB"):
        uploads.photo(bytes(20_000_001), "large.jpg", aligned=True)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_label_map_that_may_have_lost_something_is_refused(form):
    """A lossy picture of ids 1 and 2 would still be ids, of other places."""
    with pytest.raises(BadInput, match=f"map is a {form}: save the label map as PNG"):
        uploads.label_map(answers.encoded(np.ones((512, 512), np.uint8), form), "map")


def test_a_label_map_of_another_size_or_with_a_palette_of_the_datasets_colours_is_taken():
    ids = np.random.default_rng(0).integers(0, 19, (64, 64), np.uint8)
    small = uploads.label_map(png(ids), "small.png")
    np.testing.assert_array_equal(small, editing.full_labels(ids))
    palette = Image.fromarray(regions.LABEL_COLORS[ids]).quantize(19)
    file = io.BytesIO()
    palette.save(file, "PNG")
    np.testing.assert_array_equal(uploads.label_map(file.getvalue(), "palette.png"), small)


# --- the examples in the documentation --------------------------------------------------------------------------------


def test_the_example_of_editing_py_runs(prepared_64):
    example = textwrap.dedent("".join(re.findall(r"^ {4}.*\n", editing.__doc__, re.MULTILINE)))
    names = {"editing": editing, "data": prepared_64, "where": box(50, 54, 20, 30), "painter": lambda edit: painted()}
    exec(example.replace("data, 12)", "data, 8)").replace("data, 57)", "data, 1)"), names)
    assert names["edit"].regions[52, 25] == NAMES.index("mouth")
    assert names["picture"].shape == (S, S, 3)


def test_the_example_of_the_readme_runs(trained, prepared_64, root, monkeypatch):
    (example,) = re.findall(r"```python\n(import edit\n.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.setattr(script, "Args", functools.partial(script.Args, run=trained(pix2pix).run, data=prepared_64))
    names = {}
    exec(example.replace("(12, 57)", "(8, 1)"), names)
    assert names["picture"].shape == (S, S, 3)
    assert not np.array_equal(names["changed"].colors, names["face"].colors)


# --- command line -----------------------------------------------------------------------------------------------------


def test_edits_from_the_command_line_are_those_of_the_functions(trained, prepared_64, call, tmp_path):
    run = trained(pix2pix).run
    flags = ("--run", run, "--data", prepared_64, "--sample", 8)
    files = [tmp_path / name for name in ("edited.png", "map.png", "sample.npz")]
    outcome = call(
        script, *flags, "--borrow", "hair:1", "colors:2", "--color", "hair=#8a3b1f",
        "--out", files[0], "--save-map", files[1], "--save-sample", files[2],
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    faces = {k: editing.read_face(prepared_64, k) for k in (8, 1, 2)}
    edit = editing.borrow_region(editing.begin(faces[8]), faces[1].map, "hair")
    edit = editing.recolor(editing.borrow_colors(edit, faces[2]), "hair", editing.parse_color("#8a3b1f"))
    paint = script.painter(script.restore(script.Args(run=run, data=prepared_64)))
    picture = editing.composite(edit, paint(edit))
    np.testing.assert_array_equal(np.asarray(Image.open(files[0])), picture)
    np.testing.assert_array_equal(np.asarray(Image.open(files[1])), editing.full_labels(editing.labels(edit)))
    (masks,) = prepared.read_npz(files[2], Masks=(S, S, 7))
    np.testing.assert_array_equal(masks, edit.masks)
    changed = call(script, *flags, "--borrow", "map:1", "--no-keep", "--out", files[0], "--label-map", files[1])
    assert changed.status == 0, changed.err


def test_a_whole_map_without_keeping_is_what_test_calls_manipulated(trained, prepared_64):
    tiny = trained(pix2pix)
    with (tiny.results / "results.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    face, other = (editing.read_face(prepared_64, int(row[name])) for name in ("k", "map_k"))
    edit = editing.borrow_map(editing.begin(face), other.map)
    picture = script.painter(script.restore(script.Args(run=tiny.run, data=prepared_64)))(edit)
    man = np.asarray(Image.open(tiny.results / f"{row['k']}_man.png")) / 255
    assert np.abs(picture - man).max() < 0.01


@pytest.mark.parametrize("other", [pix2pix_v2, pix2pix_rec], ids=lambda other: other.__name__)
def test_runs_of_the_other_scripts_edit_too(other, trained, prepared_64, call, tmp_path):
    """pix2pix_rec.py's generator sees the photograph as well."""
    out = tmp_path / "edited.png"
    flags = ("--run", trained(other).run, "--data", prepared_64, "--sample", 8, "--borrow", "mouth:1")
    outcome = call(script, *flags, "--out", out)
    assert outcome.status == 0, outcome.err
    assert Image.open(out).size == (S, S)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--out", "x.png"), "--sample NUMBER or --photo PICTURE"),
        (("--sample", 999, "--out", "x.png"), "no face 999 in .*0 to 9"),
        (("--sample", 8, "--borrow", "hair:77", "--out", "x.png"), "--borrow hair:77: no face 77"),
        (("--sample", 8, "--borrow", "hair:../1", "--out", "x.png"), "no face ../1"),
        (("--sample", 8, "--borrow", "ears:1", "--out", "x.png"), "cannot borrow 'ears'"),
        (("--sample", 8, "--color", "hat=#000000", "--out", "x.png"), "the regions are skin, eyes"),
        (("--sample", 8, "--color", "hair=red", "--out", "x.png"), "'red' is no colour"),
        (("--sample", 8, "--borrow", "hair:1"), "--out edited.png"),
        (("--sample", 8, "--no-keep"), "--out edited.png"),
        (("--aligned",), "--out edited.png"),
        (("--sample", 8, "--aligned", "--out", "x.png"), "--aligned says how --photo PICTURE is cut"),
        (("--sample", 8, "--out", "x.jpg"), "the result is a .png"),
        (("--sample", 8, "--out", "nowhere/x.png"), "no folder nowhere"),
        (("--photo", "me.jpg", "--out", "x.png"), "no file me.jpg"),
        (("--sample", 8, "--label-map", __file__, "--out", "x.png"), "not a picture"),
        (
            ("--sample", 8, "--out", "x.png", "--run", "no_run"),
            "no trained run in no_run: make one with `python pix2pix",
        ),
        (("--run", "no_run"), "no trained run in no_run: make one with `python pix2pix.py --train"),
        (("--data", "no_data"), "no samples in no_data: run `python data/make_sample.py`"),
    ],
)
def test_bad_flags_end_with_a_sentence(prepared_64, call, monkeypatch, tmp_path, flags, said):
    monkeypatch.chdir(tmp_path)
    data = () if "--data" in flags else ("--data", prepared_64)
    outcome = call(script, *data, *flags)
    assert outcome.status == 1
    assert outcome.err.startswith("error: ")
    assert re.search(said, outcome.err), outcome.err
    assert list(tmp_path.iterdir()) == []


def test_without_gradio_the_page_says_what_to_install(trained, prepared_64, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "facegan.editor.server", raising=False)
    monkeypatch.delattr("facegan.editor.server", raising=False)
    outcome = call(script, "--data", prepared_64, "--run", trained(pix2pix).run)
    assert outcome.status == 1
    assert "pip install -r requirements-edit.txt" in outcome.err


def test_a_photograph_without_a_parser_names_the_command(prepared_64, call, raw, tmp_path):
    photo = raw / "CelebA-HQ-img" / "0.jpg"
    outcome = call(script, "--data", prepared_64, "--parser", tmp_path, "--photo", photo, "--out", tmp_path / "x.png")
    assert outcome.status == 1
    assert f"python parse_face.py --train --data {prepared_64} --size 64 --run {tmp_path}`" in outcome.err


def test_an_own_photograph_is_prepared_as_the_scripts_do(prepared_64, raw, monkeypatch):
    """With its true map in place of a parser's, a photograph that is cut already becomes the sample it is prepared
    as."""
    true = np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / "1.png"))
    monkeypatch.setattr(script, "parser", lambda args: type("Net", (), {"input_shape": (None, S, S, 3)}))
    monkeypatch.setattr(script.parse_face, "full_map", lambda network, photo: true)
    args = script.Args(data=prepared_64)
    content = (raw / "CelebA-HQ-img" / "1.jpg").read_bytes()
    face, _ = script.own_photo(args, content, "me.jpg", aligned=True)
    there = editing.read_face(prepared_64, 1)
    np.testing.assert_array_equal(face.image, there.image)
    np.testing.assert_array_equal(face.map.labels, there.map.labels)
    np.testing.assert_allclose(face.face_id, there.face_id, atol=1e-6)
    for detected in (True, False):
        monkeypatch.setattr(
            script.face_recognition, "face_id", lambda image, found=detected: (face.face_id, found, None)
        )
        _, note = script.own_photo(args, content, "me.jpg", aligned=True)
        assert ("no face was detected" in note) is not detected
