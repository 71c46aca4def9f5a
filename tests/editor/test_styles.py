"""Style by example: a region in another face's style, as functions, from the server, in edit files and on the page."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import edit as script
import pix2pix_rec
from editor.asking import FACE, SESSION, S, Served, as_png, ask, decoded, message
from editor.browsing import (
    alert,
    edit_of,
    opened,
    photo_file,
    ready,
    result,
    state,
    take,
    wait_for_alert,
    wait_for_words,
    wait_until,
    words,
)
from facegan.editor import compositing, edit_files, editing, style_codes, wishes
from facegan.editor.answers import Answers, Setup
from facegan.editor.upload_store import UploadStore
from facegan.errors import BadInput
from facegan.regions import REGIONS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import editor_picture
import style_by_example as benchmark

HAIR = list(REGIONS).index("hair")
LOAN = {"hair": {"from": "1", "strength": 0.7}}


@pytest.fixture(scope="module")
def run(trained, prepared_64):
    """A tiny run of pix2pix_rec.py."""
    return script.restore(script.Args(run=trained(pix2pix_rec).run, data=prepared_64))


@pytest.fixture(scope="module")
def editor_setup(run, prepared_64) -> Setup:
    """The editor with it, for `served` and `page`."""
    args = script.Args(run=run.args.run, data=prepared_64, parser=Path("no_parser"), sample=FACE)
    return script.page_setup(args, run)


@pytest.fixture(scope="module")
def two_faces(prepared_64) -> list[editing.Face]:
    """The one that is edited, and another."""
    return [editing.read_face(prepared_64, k) for k in (FACE, 1)]


def without(face: editing.Face, region: str) -> editing.Face:
    """The face, of which nothing shows a region."""
    number = editing.NAMES.index(region)
    masks, labels = face.map.masks.copy(), face.map.labels.copy()
    masks[..., number - 1] = 0
    labels[face.regions == number] = 0
    return replace(face, map=editing.FaceMap(masks, labels))


# --- as functions -----------------------------------------------------------------------------------------------------


def test_codes_mix_from_the_own_ones_to_the_others(run, two_faces):
    """At 0 the picture is the generator's own, to the bit; at 1 that of the other's code."""
    generator = run.generator
    inputs = [editing.inputs(editing.begin(face)) for face in two_faces]
    arrays = [np.concatenate([x["masks"], np.zeros((1, S, S, 3), np.float32)], -1) for x in inputs]
    photos, code = [x["photo"] for x in inputs], np.zeros((1, 149), np.float32)
    encoder = style_codes.encoder(generator)
    own, other = (encoder([maps, photo]).numpy() for maps, photo in zip(arrays, photos, strict=True))
    assert own.shape == other.shape == (1, 8, 64)
    masks_and_colors, numbers, _ = generator.inputs
    painter = keras.Model([masks_and_colors, numbers, style_codes.codes(generator)], generator.output)
    mixing, plain = style_codes.mixing(generator), generator([arrays[0], code, photos[0]]).numpy()
    for strength in (0, 0.5, 1):
        strengths = np.zeros((1, 8), np.float32)
        strengths[0, HAIR] = strength
        expected = own.copy()
        expected[0, HAIR] = (1 - strength) * own[0, HAIR] + strength * other[0, HAIR]
        picture = mixing([arrays[0], code, photos[0], other, strengths]).numpy()
        np.testing.assert_array_equal(picture, painter([arrays[0], code, expected]).numpy())
        assert np.array_equal(picture, plain) is (strength == 0)


def test_a_style_changes_its_region_and_the_pixel_around_and_nothing_at_strength_0(editor_setup, two_faces):
    face, other = two_faces
    plain = editing.begin(face)
    styled = editing.borrow_style(plain, other, "hair")
    picture = editing.composite(styled, editor_setup.paint(styled))
    changed = (picture != face.image).any(-1)
    assert changed.sum() > 0.9 * (face.regions == HAIR + 1).sum()
    assert not changed[~compositing.grow(face.regions == HAIR + 1, 1)].any()
    none = editing.borrow_style(plain, other, "hair", 0)
    np.testing.assert_array_equal(editor_setup.paint(none), editor_setup.paint(plain))
    np.testing.assert_array_equal(editing.composite(none, editor_setup.paint(none)), face.image)
    itself = editing.borrow_style(plain, face, "hair", 0.5)
    np.testing.assert_allclose(editor_setup.paint(itself), editor_setup.paint(plain), atol=1e-6)


def test_the_mean_colour_is_mixed_too_unless_one_was_chosen(two_faces):
    face, other = two_faces
    styled = editing.borrow_style(editing.begin(face), other, "hair", 0.25)
    colors = editing.inputs(styled)["colors"][0] * 255
    np.testing.assert_allclose(colors[HAIR], 0.75 * face.colors[HAIR] + 0.25 * other.colors[HAIR], rtol=1e-5)
    np.testing.assert_allclose(np.delete(colors, HAIR, 0), np.delete(face.colors, HAIR, 0), rtol=1e-5)
    chosen = editing.recolor(styled, "hair", np.array([1, 2, 3]))
    np.testing.assert_allclose(editing.inputs(chosen)["colors"][0, HAIR] * 255, [1, 2, 3], rtol=1e-5)


def test_the_nose_follows_the_style_of_skin_unless_it_has_a_wish_of_its_own(editor_setup, two_faces):
    face, other = two_faces
    skin = editing.borrow_style(editing.begin(face), other, "skin", 0.6)
    both = editing.borrow_style(skin, other, "nose", 0.6)
    np.testing.assert_array_equal(editor_setup.paint(skin), editor_setup.paint(both))
    for keep in (True, False):
        pictures = [editing.composite(edit, editor_setup.paint(edit), keep) for edit in (skin, both)]
        np.testing.assert_array_equal(*pictures)
    own = editing.borrow_style(skin, face, "nose", 0.6)
    assert own.new_styles == own.styles
    assert "nose" not in editing.recolor(skin, "nose", np.array([9, 8, 7])).new_styles
    assert "nose" not in editing.borrow_style(skin, without(other, "nose"), "skin").new_styles
    dark = editing.recolor(skin, "skin", np.array([90, 60, 50]))
    assert dark.new_styles["nose"] == skin.styles["skin"]
    assert (dark.new_colors != dark.colors).any(-1).tolist() == [name == "nose" for name in REGIONS]


def test_of_a_region_that_the_photograph_lacks_the_colour_is_the_others_alone(two_faces):
    """It has no mean to mix, and would be mixed with black."""
    face, other = two_faces
    bald = without(face, "hair")
    bald = replace(bald, colors=np.where(np.arange(7)[:, None] == HAIR, 0, bald.colors))
    edit = editing.borrow_style(editing.borrow_region(editing.begin(bald), other.map, "hair"), other, "hair", 0.5)
    np.testing.assert_allclose(editing.inputs(edit)["colors"][0, HAIR] * 255, other.colors[HAIR], rtol=1e-5)


@pytest.mark.parametrize(
    ("region", "strength", "said"),
    [
        ("ears", 1, "no style of 'ears': the regions are skin, eyes"), ("hair", 1.5, "from 0 to 1, not 1.5"),
        ("hair", float("nan"), "from 0 to 1, not nan"), ("nose", 1, "the other face has no nose"),
        ("mouth", 1, "this map shows no mouth"),
    ],
)  # fmt: skip
def test_what_cannot_be_borrowed_is_refused(two_faces, region, strength, said):
    face, other = two_faces
    with pytest.raises(BadInput, match=said):
        editing.borrow_style(editing.begin(without(face, "mouth")), without(other, "nose"), region, strength)


def test_a_style_stays_while_its_region_is_painted_over(two_faces, editor_setup):
    face, other = two_faces
    styled = editing.borrow_style(editing.begin(face), other, "nose")
    covered = editing.paint(styled, styled.regions == editing.NAMES.index("nose"), "skin")
    picture = editing.composite(covered, editor_setup.paint(covered))
    assert np.isfinite(picture).all()
    assert covered.styles == styled.styles


@pytest.mark.parametrize(
    ("wish", "loan"),
    [("hair:57", ("hair", "57", "", 1)), ("style:hair:57", ("style", "57", "hair", 1)),
     ("style:hair:57:0.7", ("style", "57", "hair", 0.7))],
)  # fmt: skip
def test_a_loan_is_read_as_it_is_written(wish, loan):
    assert wishes.loan(wish) == wishes.Loan(f"--borrow {wish}", *loan)


def test_the_codes_of_a_face_are_computed_once_and_go_with_it(run, prepared_64):
    inputs = style_codes.Inputs(run.generator, "")
    face = editing.read_face(prepared_64, 1)
    edit = editing.borrow_style(editing.begin(face), face, "hair")
    first = inputs(edit)["styles"]
    inputs.encoder = type("Broken", (), {"output": inputs.encoder.output})
    np.testing.assert_array_equal(inputs(edit)["styles"], first)
    assert len(inputs.codes) == 1
    del face, edit
    assert len(inputs.codes) == 0


# --- benchmarks/style_by_example.py -----------------------------------------------------------------------------------


def test_the_score_by_hand(run, two_faces):
    black, white = np.zeros((5, 3)), np.full((2, 3), 255.0)
    assert benchmark.color_distance(black, white) == pytest.approx(100, abs=0.1)  # from L 0 to L 100
    where, there = np.zeros((2, S, S), bool)
    where[:, :20] = there[10:20, :20] = True  # other boxes of one shape: all of both
    pictures = np.full((2, S, S, 3), 200, np.uint8)
    pictures[1] = 10

    def brightness(a, b):
        return np.abs(a.astype(float) - b).mean((1, 2, 3))

    assert benchmark.region_lpips(brightness, pictures[0], where, pictures[1], there) == 190
    there[10:15, :10] = there[15:20, 10:20] = False  # a half of its box
    assert benchmark.region_lpips(brightness, pictures[0], where, pictures[1], there) == pytest.approx(190)
    rows = benchmark.measure(benchmark.Painter(run), brightness, *two_faces, "hair")
    assert rows["the photograph (strength 0)"][2:] == [0, 0]
    assert rows["strength 1"][2] == 0
    assert rows["strength 1"][3] > 0
    assert set(rows) == {*benchmark.WAYS, benchmark.REFERENCE}


# --- from the server, and in files ------------------------------------------------------------------------------------


def test_the_server_paints_what_the_functions_give(served, two_faces):
    face, other = two_faces
    edit = editing.borrow_style(editing.begin(face), other, "hair", 0.7)
    for keep in (True, False):
        answer = ask(served, "/editor/paint", message(styles=LOAN, keep=keep))
        expected = editing.composite(edit, served.setup.paint(edit), keep)
        np.testing.assert_array_equal(decoded(answer.content), expected)


@pytest.mark.parametrize(
    "styles",
    [3, [], {"hair": None}, {"hair": {}}, {"ears": LOAN["hair"]}, {"hair": {"from": "99", "strength": 1}},
     {"hair": {"from": "1", "strength": "1"}}, {"hair": {"from": "1", "strength": 10**400}},
     {"hair": {"from": ["1"], "strength": 1}}, {"hair": {"from": "../1", "strength": 1}}],
)  # fmt: skip
def test_what_is_no_style_is_refused_with_a_sentence(served, styles):
    answer = ask(served, "/editor/paint", message(styles=styles))
    assert answer.status in (400, 410)
    assert len(answer.error) > 10


def test_the_style_of_an_upload_is_its_sessions_alone(served):
    labels = as_png(editing.full_labels(np.full((S, S), 13)))
    name = json.loads(ask(served, "/editor/upload/map", labels).content)["name"]
    mine = message(styles={"hair": {"from": name, "strength": 1}})
    assert ask(served, "/editor/paint", mine).error == "that is a map alone: it has no photograph."
    assert ask(served, "/editor/paint", mine, x_session="t" * 32).status == 410


def test_a_file_keeps_the_style_and_paints_the_same(editor_setup, run, two_faces):
    answers = Answers(editor_setup, UploadStore())
    content, _ = answers.download(SESSION, "edit", message(styles=LOAN))
    record = json.loads(content)
    assert (record["format"], record["styles"], set(record["checksums"])) == (2, LOAN, {str(FACE), "1"})
    assert answers.open(SESSION, content, "me.json") == message(styles=LOAN, keep=True)
    args = script.Args(run=run.args.run, data=editor_setup.data)
    edit = edit_files.read_edit(record, script.sources(args, record), S)
    expected = editing.borrow_style(editing.begin(two_faces[0]), two_faces[1], "hair", 0.7)
    np.testing.assert_array_equal(editor_setup.paint(edit), editor_setup.paint(expected))
    plain, _ = answers.download(SESSION, "edit", message(styles={}))
    assert json.loads(plain)["format"] == 1  # earlier versions read it
    assert "styles" not in json.loads(plain)
    for styles in (3, {"ears": LOAN["hair"]}, {"hair": {"from": "1", "strength": 2}}, {"hair": {"from": 1}}):
        with pytest.raises(BadInput, match=r"me.json is damaged \(styles is "):
            answers.open(SESSION, json.dumps(record | {"styles": styles}).encode(), "me.json")


# --- on the page ------------------------------------------------------------------------------------------------------


def strength(page):
    return page.get_by_label("Strength")


def test_a_style_is_borrowed_weakened_by_keys_undone_and_kept(page, prepared_64, served):
    plain = result(page)
    take(page, "style", 1)
    wait_for_words(page, "Style of hair of face 1.")
    assert state(page)["doc"]["styles"] == {"hair": {"from": "1", "strength": 1}}
    edit = edit_of(page, prepared_64)
    np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))
    assert page.locator("#style-from").text_content() == "It is that of face 1."
    assert page.locator("#borrowed").text_content() == "Borrowed: the style of hair of face 1 (100 %)"
    strength(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert words(page) == "Style of hair: 97 %."
    assert state(page)["doc"]["styles"]["hair"]["strength"] == 0.97
    page.keyboard.press("Home")
    np.testing.assert_array_equal(result(page), plain)
    page.get_by_role("button", name="Undo", exact=True).click()
    assert (words(page), strength(page).input_value()) == ("Undone.", "97")
    seen = result(page)
    page.reload()
    ready(page)
    assert strength(page).input_value() == "97"
    np.testing.assert_array_equal(result(page), seen)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download edit").click()
    page.get_by_role("button", name="Own style").click()
    wait_for_words(page, "The photo's own style of hair.")
    assert page.get_by_role("button", name="Own style").is_disabled()
    np.testing.assert_array_equal(result(page), plain)
    page.get_by_label("Edit file").set_input_files(download.value.path())
    wait_until(page, "document.getElementById('status').textContent.startsWith('Opened ')")
    np.testing.assert_array_equal(result(page), seen)
    skin = as_png(editing.full_labels(np.ones((S, S))))
    page.get_by_label("Label map").set_input_files({"name": "m.png", "mimeType": "image/png", "buffer": skin})
    wait_for_words(page, "Your map.")
    take(page, "style", 2)
    wait_for_alert(page, "This map shows no hair: paint or borrow some first.")
    assert state(page)["doc"]["styles"]["hair"]["from"] == "1"


def test_a_phone_borrows_a_style_with_a_finger_and_nothing_is_cut_off(browser, served):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, served, **phone) as page:
        page.get_by_role("combobox", name="Style of").select_option("skin")
        assert page.locator("#taking-words").text_content() == "A click on a face borrows its style of skin."
        page.get_by_role("button", name="face 1", exact=True).tap()
        wait_for_words(page, "Style of skin of face 1.")
        before = state(page)["doc"]["styles"]
        box = strength(page).bounding_box()
        assert box["x"] + box["width"] <= 390
        strength(page).tap(position={"x": box["width"] / 2, "y": box["height"] / 2})
        assert abs(state(page)["doc"]["styles"]["skin"]["strength"] - 0.5) < 0.1
        page.get_by_role("button", name="Undo", exact=True).tap()
        assert state(page)["doc"]["styles"] == before
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_style_of_an_uploaded_photograph(browser, served, raw, true_maps, prepared_64):
    with opened(browser, served) as page:
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        page.get_by_label("Photo", exact=True).set_input_files(photo_file(raw, 1))
        wait_for_words(page, "Your photo: paint on its map, or borrow from another face.")
        take(page, "photo, to edit it", FACE)
        wait_until(page, f"faceEditor.state().face === '{FACE}'")
        page.get_by_label("style", exact=True).check()
        page.get_by_role("button", name="your photo 1", exact=True).click()
        wait_for_words(page, "Style of hair of your picture.")
        edit = editing.borrow_style(
            editing.begin(editing.read_face(prepared_64, FACE)), editing.read_face(prepared_64, 1), "hair"
        )
        np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))


def test_a_run_without_styles_paints_the_rest_of_an_edit_that_has_some(browser, served, prepared_64):
    """The browser keeps edits by data folder, whichever run paints."""
    from facegan.editor import server

    plain = replace(served.setup, missing_styles="this run has none.", paint=lambda edit: edit.face.image / 255)
    with opened(browser, served) as page:
        take(page, "style", 1)
        wait_for_words(page, "Style of hair of face 1.")
        page.keyboard.press("s")
        wait_for_words(page, "Saved. 1 in the strip.")
        stored = page.evaluate("({...localStorage})")
        with server.serving(plain, UploadStore()) as port:
            other = Served(port, plain, served.store)
            with opened(browser, other) as second:
                second.evaluate("items => Object.assign(localStorage, items)", stored)
                second.reload()
                ready(second)
                assert alert(second) == ""
                np.testing.assert_array_equal(result(second), editing.read_face(prepared_64, FACE).image)
                said = "Borrowed: the style of hair of face 1 (which this run cannot paint)"
                assert second.locator("#borrowed").text_content() == said
                second.get_by_role("button", name="Compare").click()
                wait_until(second, "document.querySelectorAll('#compared canvas').length === 3")
                second.wait_for_timeout(500)
                assert second.locator("#compared .trouble").count() == 0


def test_an_edit_whose_style_is_gone_goes_on(browser, served, raw, true_maps):
    """Its map can still be changed, and its own style brings the rest of the edit back."""
    with opened(browser, served, "410 (Gone)") as page:
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        page.get_by_label("Photo", exact=True).set_input_files(photo_file(raw, 1))
        wait_for_words(page, "Your photo: paint on its map, or borrow from another face.")
        take(page, "photo, to edit it", FACE)
        wait_until(page, f"faceEditor.state().face === '{FACE}'")
        strength(page).fill("40")
        page.get_by_label("style", exact=True).check()
        page.get_by_role("button", name="your photo 1", exact=True).click()
        wait_for_words(page, "Style of hair of your picture, at 40 %.")
        page.get_by_label("Colour of mouth", exact=True).fill("#b01030")
        served.store.entries.clear()
        strength(page).fill("50")
        wait_for_alert(page, "To go on without it, borrow another, take the region's own style, or start over; undo")
        page.get_by_label("Mouth open").fill("40")
        wait_for_words(page, "Mouth open: 40 %.")
        take(page, "nose", 1)
        wait_for_words(page, "nose of face 1.")
        page.get_by_role("button", name="Own style").click()
        wait_until(page, "document.getElementById('alert').textContent === ''")
        edit = edit_of(page, served.setup.data)
        np.testing.assert_array_equal(result(page), editing.composite(edit, served.setup.paint(edit)))


def test_the_picture_in_the_readme_is_of_this_page(browser, served, root):
    """docs/editor_picture.py still finds what it clicks on."""
    with opened(browser, served, bypass_csp=True) as page:
        editor_picture.act(page, editor_picture.Args(sample=FACE, other=1, style=2))
        assert state(page)["doc"]["styles"] == {"hair": {"from": "2", "strength": 0.8}}
        assert page.locator("#strip li").count() == 3
    assert (root / "docs" / "editor.jpg").stat().st_size < 200_000
