"""edit.py: edits from the command line, one's own photograph, the example of docs/editor.md."""

import csv
import functools
import re
import sys

import numpy as np
import pytest
from PIL import Image

import edit as script
import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import prepared
from facegan.editor import editing
from facegan.errors import BadInput
from outcomes import refusal

S = 64


def test_the_example_of_the_editor_page_runs(trained, prepared_64, root, monkeypatch):
    (example,) = re.findall(
        r"```python\n(import edit\n.*?)```", (root / "docs" / "editor.md").read_text("utf-8"), re.DOTALL
    )
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
    restored = script.restore(script.Args(run=run, data=prepared_64))
    picture = editing.composite(edit, script.paint(restored, edit))
    np.testing.assert_array_equal(np.asarray(Image.open(files[0])), picture)
    np.testing.assert_array_equal(np.asarray(Image.open(files[1])), editing.full_labels(editing.labels(edit)))
    (masks,) = prepared.read_npz(files[2], Masks=(S, S, 7))
    np.testing.assert_array_equal(masks, edit.masks)
    changed = call(script, *flags, "--borrow", "map:1", "--no-keep", "--out", files[0], "--label-map", files[1])
    assert changed.status == 0, changed.err


def test_shapes_from_the_command_line_are_those_of_the_functions(trained, prepared_64, call, tmp_path):
    flags = ("--run", trained(pix2pix).run, "--data", prepared_64, "--sample", 8)
    files = [tmp_path / name for name in ("edited.png", "map.png")]
    outcome = call(
        script, *flags, "--move", "mouth:0,4", "nose:-2,0.5", "--scale", "l_eye:1.5", "--turn", "mouth:-20", "--mirror",
        "hair", "--open-mouth", 0.3, "--close-eyes", -0.5, "--longer-hair", -0.4,
        "--out", files[0], "--save-map", files[1],
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    edit = editing.begin(editing.read_face(prepared_64, 8))
    edit = editing.transform(editing.transform(edit, "mouth", down=4), "nose", right=-2, down=0.5)
    edit = editing.transform(editing.transform(edit, "l_eye", scale=1.5), "mouth", turn=-20)
    edit = editing.open_mouth(editing.transform(edit, "hair", mirror=True), 0.3)
    edit = editing.lengthen_hair(editing.close_eyes(edit, -0.5), -0.4)
    np.testing.assert_array_equal(np.asarray(Image.open(files[1])), editing.full_labels(editing.labels(edit)))


def test_a_whole_map_without_keeping_is_what_test_calls_manipulated(trained, prepared_64):
    tiny = trained(pix2pix)
    with (tiny.results / "results.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    face, other = (editing.read_face(prepared_64, int(row[name])) for name in ("k", "map_k"))
    edit = editing.borrow_map(editing.begin(face), other.map)
    run = script.restore(script.Args(run=tiny.run, data=prepared_64))
    man = np.asarray(Image.open(tiny.results / f"{row['k']}_man.png")) / 255
    for picture in (script.paint(run, edit), script.painter(run)(edit)):  # the page has the second
        assert np.abs(picture - man).max() < 0.01


@pytest.mark.parametrize("other", [pix2pix_v2, pix2pix_rec], ids=lambda other: other.__name__)
def test_runs_of_the_other_scripts_edit_too(other, trained, prepared_64, call, tmp_path):
    """pix2pix_rec.py's generator sees the photograph as well."""
    out = tmp_path / "edited.png"
    flags = ("--run", trained(other).run, "--data", prepared_64, "--sample", 8, "--borrow", "mouth:1")
    outcome = call(script, *flags, "--out", out)
    assert outcome.status == 0, outcome.err
    assert Image.open(out).size == (S, S)


def test_a_style_from_the_command_line_is_that_of_the_functions(trained, prepared_64, call, tmp_path):
    run, out = trained(pix2pix_rec).run, tmp_path / "edited.png"
    loans = ("--borrow", "style:hair:1:0.5", "style:skin:2")
    outcome = call(script, "--run", run, "--data", prepared_64, "--sample", 8, *loans, "--out", out)
    assert outcome.status == 0, outcome.err
    faces = {k: editing.read_face(prepared_64, k) for k in (8, 1, 2)}
    edit = editing.borrow_style(editing.begin(faces[8]), faces[1], "hair", 0.5)
    edit = editing.borrow_style(edit, faces[2], "skin")
    restored = script.restore(script.Args(run=run, data=prepared_64))
    picture = editing.composite(edit, script.paint(restored, edit))
    np.testing.assert_array_equal(np.asarray(Image.open(out)), picture)


@pytest.mark.parametrize("other", [pix2pix, pix2pix_v2], ids=lambda other: other.__name__)
def test_a_run_without_style_codes_refuses_a_style(other, trained, prepared_64, call, tmp_path):
    flags = ("--run", trained(other).run, "--data", prepared_64, "--sample", 8, "--borrow", "style:hair:1")
    sentence = refusal(call(script, *flags, "--out", tmp_path / "x.png"))
    assert f"was trained by {other.__name__}.py, and has no style codes" in sentence
    assert "pix2pix_rec.py --condition pair with --run" in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--out", "x.png"), "--sample NUMBER or --photo PICTURE"),
        (("--sample", 999, "--out", "x.png"), "no face 999 in .*0 to 9"),
        (("--sample", 8, "--borrow", "hair:77", "--out", "x.png"), "--borrow hair:77: no face 77"),
        (("--sample", 8, "--borrow", "hair:../1", "--out", "x.png"), "no face ../1"),
        (
            ("--sample", 8, "--borrow", "ears:1", "--out", "x.png"),
            "--borrow ears:1: cannot borrow 'ears'.*style:REG",
        ),
        (("--sample", 8, "--borrow", "Style:hair:1", "--out", "x.png"), "cannot borrow 'Style': .* and style:REGION"),
        (("--sample", 8, "--borrow", "style:hair", "--out", "x.png"), "--borrow style:hair: write style:REGION:NUMBER"),
        (("--sample", 8, "--borrow", "style:hair:1:x", "--out", "x.png"), "write style:REGION:NUMBER"),
        (("--sample", 8, "--borrow", "hair", "--out", "x.png"), "--borrow hair: write WHAT:NUMBER, as hair:57"),
        (("--sample", 8, "--borrow", "hair:1:0.5", "--out", "x.png"), "only a style has a strength, style:hair:57:0.7"),
        (("--sample", 8, "--borrow", "style:hair:77", "--out", "x.png"), "--borrow style:hair:77: no face 77"),
        (("--sample", 8, "--borrow", "style:hair:1:2", "--out", "x.png"), "hair:1:2: the strength .* 0 to 1, not 2"),
        (("--sample", 8, "--borrow", "style:ears:1", "--out", "x.png"), "--borrow style:ears:1: no style of 'ears'"),
        (("--sample", 8, "--color", "hat=#000000", "--out", "x.png"), "the regions are skin, eyes"),
        (("--sample", 8, "--color", "hair=red", "--out", "x.png"), "'red' is no colour"),
        (("--sample", 8, "--color", f"hair={2000 * 'r'}", "--out", "x.png"), f"'{97 * 'r'}...' is no colour"),
        (("--sample", 8, "--move", "mouth:3", "--out", "x.png"), "--move mouth:3: write NAME:RIGHT,DOWN, for instance"),
        (("--sample", 8, "--move", "mouth:1,2", "--move=nose:3,4", "--out", "x.png"), "--move is given 2 times: write"),
        (("--sample", 8, "--mirror", "--out", "x.png"), "--mirror stands without a value"),
        (("--sample", 8, "--scale", "mouth:big", "--out", "x.png"), "--scale mouth:big: write NAME:FACTOR"),
        (("--sample", 8, "--turn", "chin:5", "--out", "x.png"), "there is no 'chin' to move"),
        (("--sample", 8, "--turn", "nose:nan", "--out", "x.png"), "turn of nose goes from -180 to 180, not nan"),
        (("--sample", 8, "--open-mouth", 1.5, "--out", "x.png"), "open mouth goes from -1 to 1, not 1.5"),
        (("--sample", 8, "--close-eyes", 0.5), "--out edited.png"),
        (("--sample", 8, "--mirror", "hair"), "--out edited.png"),
        (("--sample", 8, "--borrow", "hair:1"), "--out edited.png"),
        (("--sample", 8, "--no-keep"), "--out edited.png"),
        (("--aligned",), "--out edited.png"),
        (("--sample", 8, "--aligned", "--out", "x.png"), "--aligned says how --photo PICTURE is cut"),
        (("--sample", 8, "--out", "x.gif"), "the result is a .png or a .jpg"),
        (("--sample", 8, "--square", "--out", "x.png"), "--square is cut from --photo PICTURE"),
        (("--sample", 8, "--out", "nowhere/x.png"), "no folder nowhere"),
        (("--sample", 8, "--out", "/proc/x.png"), "/proc/x.png cannot be written .*: name another file"),
        (("--sample", 8, "--out", f"{300 * 'x'}.png"), "x.png cannot be written .File name too long.: name another"),
        (("--sample", 8, "--out", "x.png", "--save-map", "/proc/map.png"), "/proc/map.png cannot be written"),
        (("--photo", "me.jpg", "--out", "x.png"), "no file me.jpg"),
        (("--edit", "me.json"), "--out edited.png"),
        (("--edit", "me.json", "--out", "x.png"), "me.json is missing: name the file of an edit"),
        (("--edit", __file__, "--out", "x.png"), "test_edit.py is damaged .* download the edit again from the page"),
        (("--edit", "me.json", "--sample", 8, "--out", "x.png"), "me.json holds the whole edit: leave out --sample"),
        (("--edit", "me.json", "--color", "hair=#000000", "--out", "x.png"), "leave out --color"),
        (("--edit", "me.json", "--no-keep", "--out", "x.png"), "leave out --no-keep"),
        (("--edit", "me.json", "--borrow", "hair:1", "--out", "x.png"), "leave out --borrow"),
        (("--edit", "me.json", "--photo", "me.jpg", "--aligned", "--out", "x.png"), "leave out --aligned"),
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


def test_without_its_packages_the_page_says_what_to_install(trained, prepared_64, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
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
    monkeypatch.setattr(script.parsers, "label_map", lambda network, photo: true)
    args = script.Args(data=prepared_64)
    content = (raw / "CelebA-HQ-img" / "1.jpg").read_bytes()
    face, _ = script.own_photo(args, content, "me.jpg", aligned=True)
    prepared_face = editing.read_face(prepared_64, 1)
    np.testing.assert_array_equal(face.image, prepared_face.image)
    np.testing.assert_array_equal(face.map.labels, prepared_face.map.labels)
    np.testing.assert_allclose(face.face_id, prepared_face.face_id, atol=1e-6)
    for detected in (True, False):
        monkeypatch.setattr(
            script.face_recognition, "face_id", lambda image, found=detected: (face.face_id, found, None)
        )
        _, note = script.own_photo(args, content, "me.jpg", aligned=True)
        assert ("no face was detected" in note) is not detected


@pytest.mark.parametrize("aligned", [True, False])
def test_an_own_photograph_is_written_whole_and_at_its_own_size(
    aligned, trained, prepared_64, raw, call, monkeypatch, tmp_path
):
    """A photograph of 512 pixels at the right of one that is wider, brown hair made green."""
    true = np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / "1.png"))
    monkeypatch.setattr(script, "parser", lambda args: type("Net", (), {"input_shape": (None, S, S, 3)}))
    monkeypatch.setattr(script.parsers, "label_map", lambda network, photo: true)
    face = Image.open(raw / "CelebA-HQ-img" / "1.jpg")
    photo, left = Image.new("RGB", (512 if aligned else 900, 512), "gray"), 0 if aligned else 388
    photo.paste(face, (left, 0))
    photo.save(tmp_path / "me.png")
    flags = ("--run", trained(pix2pix).run, "--data", prepared_64, "--photo", tmp_path / "me.png")
    flags += ("--color", "hair=#20c040", *(["--aligned"] if aligned else []))
    outcome = call(script, *flags, "--out", tmp_path / "edited.png")
    assert outcome.status == 0, outcome.err
    assert "me.png: finding the face and its parts ..." in outcome.out  # it says what goes on
    assert "putting it into the whole photograph: 100 %" in outcome.err
    with Image.open(tmp_path / "edited.png") as edited:
        assert "not a photograph" in edited.text["Synthetic"]
        before, after = (np.asarray(picture).astype(int) for picture in (photo, edited))
    assert after.shape == before.shape
    assert (after[:, : max(0, left - 60)] == before[:, : max(0, left - 60)]).all()
    greener = (after - before)[..., 1] - (after - before)[..., 0]
    hair = np.zeros(before.shape[:2], bool)
    hair[:, left:] = np.isin(true, (6, 7, 13))  # with the brows
    assert np.median(greener[hair]) > 30
    assert (after == before).all(-1)[~editing.grow(hair, 16 if aligned else 48)].all()

    for name, more in (("edited.jpg", ()), ("square.png", ("--square",))):
        outcome = call(script, *flags, *more, "--out", tmp_path / name)
        assert outcome.status == 0, outcome.err
    with Image.open(tmp_path / "edited.jpg") as jpeg:
        assert b"not a photograph" in jpeg.info["comment"]
        assert np.abs(np.asarray(jpeg).astype(int) - after).mean() < 3
    assert Image.open(tmp_path / "square.png").size == (S, S)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--borrow", "style:ears:1"), "no style of 'ears'"), (("--borrow", "hair:77"), "no face 77"),
        (("--borrow", "style:hair:1"), "has no style codes to mix"), (("--color", "hair=red"), "'red' is no colour"),
        (("--move", "mouth:900,0"), "right of mouth goes from -64"), (("--turn", "chin:5"), "there is no 'chin'"),
        (("--open-mouth", 2), "open mouth goes from -1 to 1"), (("--label-map", __file__), "not a picture"),
        (("--run", "no_run"), "no trained run in no_run"), (("--out", "me.jpg"), "65501 x 64 fits no .jpg: name a"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_a_photograph_is_searched(
    flags, said, trained, prepared_64, call, monkeypatch, tmp_path
):
    def search(*_):
        raise AssertionError("that would take long")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "parser", lambda args: None)
    monkeypatch.setattr(script, "own_photo", search)
    Image.new("L", (65501, 64)).save("me.png")
    run = () if "--run" in flags else ("--run", trained(pix2pix).run)
    out = () if "--out" in flags else ("--out", "x.png")
    outcome = call(script, *run, "--data", prepared_64, "--photo", "me.png", *out, *flags)
    assert re.search(said, refusal(outcome))
    assert [path.name for path in tmp_path.iterdir()] == ["me.png"]


def test_a_folder_is_no_file_to_write(prepared_64, call, tmp_path):
    (tmp_path / "a.png").mkdir()
    outcome = call(script, "--data", prepared_64, "--sample", 8, "--out", tmp_path / "a.png")
    assert "a.png is a folder: name a file." in refusal(outcome)


def test_a_file_is_not_named_twice(trained, prepared_64, tmp_path, call):
    flags = ("--run", trained(pix2pix).run, "--data", prepared_64, "--sample", 8, "--out", tmp_path / "a.png")
    sentence = refusal(call(script, *flags, "--save-map", tmp_path / "x" / ".." / "a.png"))
    assert "a.png or another file is named twice" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_paints_no_numbers_is_refused_instead_of_black(monkeypatch):
    with pytest.raises(BadInput, match="not finite"):
        script.finite(np.full((4, 4, 3), np.nan, np.float32))
