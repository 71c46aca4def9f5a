"""Files on the page: what is uploaded, and what is downloaded."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from editor.asking import FACE, S, as_png, ask, decoded
from editor.browsing import (
    GONE,
    REFUSED,
    alert,
    edit_of,
    hand_in,
    opened,
    photo_file,
    ready,
    result,
    settle,
    state,
    stroke,
    take,
    wait_for_alert,
    wait_for_face,
    wait_for_words,
    wait_until,
)
from facegan import prepared
from facegan.editor import answers, editing
from facegan.regions import LABEL_REGION


@pytest.mark.parametrize("page", [(REFUSED,)], indirect=True)
def test_upload_of_a_map_and_of_what_is_none(page, prepared_64):
    ids = np.zeros((S, S), np.uint8)
    ids[10:50, 10:50] = 13
    picture = {"name": "map.png", "mimeType": "image/png"}
    page.get_by_label("Label map").set_input_files(picture | {"buffer": as_png(editing.full_labels(ids))})
    wait_for_words(page, "Your map.")
    np.testing.assert_array_equal(state(page)["shown"], LABEL_REGION[ids])
    page.get_by_label("Label map").set_input_files(picture | {"buffer": as_png(np.full((64, 64), 30))})
    wait_for_alert(page, "map.png has the id 30")
    np.testing.assert_array_equal(state(page)["shown"], LABEL_REGION[ids])
    with page.expect_download() as download:
        page.get_by_role("button", name="Download map (ids)").click()
    np.testing.assert_array_equal(decoded(download.value.path().read_bytes())[..., 0], editing.full_labels(ids))


def test_without_a_parser_the_page_says_before_an_upload_what_to_run(page, prepared_64):
    photo = page.get_by_label("Photo", exact=True)
    assert photo.is_disabled()
    command = f"python parse_face.py --train --data {prepared_64} --size {S} --run no_parser"
    assert command in page.locator("#own-photo-hint").text_content()
    assert photo.get_attribute("aria-describedby") == "own-photo-hint"
    assert page.get_by_label("Label map").is_enabled()


def test_upload_of_a_photograph(browser, prepared_64, raw, served, true_maps):
    """It is nobody else's."""
    with opened(browser, served) as page:
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        page.get_by_label("Photo", exact=True).set_input_files(photo_file(raw, 1))
        wait_until(page, "faceEditor.state().face.startsWith('own-')")
        np.testing.assert_array_equal(result(page), editing.read_face(prepared_64, 1).image)
        stroke(page, (20, 20), (40, 40))
        settle(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download whole photo").click()
        whole = Image.open(download.value.path())
        assert "not a photograph" in whole.text["Synthetic"]
        photo = np.asarray(Image.open(raw / "CelebA-HQ-img" / "1.jpg")).astype(int)
        changed = (np.asarray(whole) != photo).any(-1)
        assert whole.size == (512, 512)
        assert changed[200:280, 200:280].any()
        assert not changed[400:].any()
        mine = state(page)["face"]
        page.reload()
        ready(page)
        with opened(browser, served, GONE) as other:
            answer = other.evaluate(
                """async ([name, session]) => (await fetch("/editor/show/" + name, {method: "POST", body: "{}",
                   headers: {"x-session": session}})).status""",
                [mine, "u" * 32],
            )
            assert answer == 410
            assert state(other)["face"] == str(FACE)


def test_the_page_says_how_far_a_whole_photograph_is(browser, served, raw, true_maps, monkeypatch):
    seen, encode = [], answers.pictures.encode

    def note(*args, **options):
        seen.append(json.loads(ask(served, "/editor/progress", {}, x_session=session).content)["words"])
        return encode(*args, **options)

    with opened(browser, served) as page:
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        page.get_by_label("Photo", exact=True).set_input_files(photo_file(raw, 1))
        wait_until(page, "faceEditor.state().face.startsWith('own-')")
        page.get_by_label("Colour of skin", exact=True).fill("#336699")
        settle(page)
        session = page.evaluate("JSON.parse(localStorage.getItem('facegan:session'))")
        monkeypatch.setattr(answers.pictures, "encode", note)
        with page.expect_download(), answers.ONE_PHOTOGRAPH:  # as while another one is made
            page.get_by_role("button", name="Download whole photo").click()
            wait_for_words(page, "Your whole photo: waiting until another one is done ...")
        wait_until(page, "document.getElementById('status').textContent.startsWith('Downloaded ')")
        assert seen == ["being written as a PNG"]
        assert json.loads(ask(served, "/editor/progress", {}, x_session=session).content) == {"words": ""}


def test_download_of_everything(page, prepared_64, tmp_path):
    assert page.locator("#take-photograph").is_hidden()  # of a face of the dataset there is no larger photograph
    stroke(page, (20, 20), (40, 40))
    page.get_by_label("Colour of skin", exact=True).fill("#336699")
    shown, edit = result(page), edit_of(page, prepared_64)
    files = {}
    for what in ("result", "map (ids)", "map (colours)", "sample (.npz)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {what}").click()
        files[what] = download.value.path().read_bytes()
        assert download.value.suggested_filename.startswith(f"face_{FACE}")
    np.testing.assert_array_equal(decoded(files["result"]), shown)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(files["map (ids)"]))), editing.full_labels(editing.labels(edit))
    )
    np.testing.assert_array_equal(decoded(files["map (colours)"]), editing.colored(edit))
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "0.npz").write_bytes(files["sample (.npz)"])
    image, masks = prepared.read_npz(tmp_path / "samples" / "0.npz", Image=(S, S, 3), Masks=(S, S, 7))
    np.testing.assert_array_equal(image, shown)
    np.testing.assert_array_equal(masks, edit.masks)


def test_own_photographs_enter_the_gallery_to_be_opened_and_borrowed_from(browser, served, raw, true_maps):
    served.store.entries.clear()
    with opened(browser, served) as page:
        assert page.locator("#yours").is_hidden()
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        names = []
        for k in (1, 2):
            page.get_by_label("Photo", exact=True).set_input_files(photo_file(raw, k))
            wait_for_words(page, "Your photo: paint on its map, or borrow from another face.")
            names.append(state(page)["face"])
        page.reload()
        ready(page)
        own = page.locator("#own-faces button")
        wait_until(page, "document.querySelectorAll('#own-faces button').length === 2")
        page.get_by_role("button", name="your photo 1", exact=True).click()
        wait_for_face(page, names[0])
        take(page, "photo, to edit it", FACE)
        wait_for_face(page, str(FACE))
        page.get_by_label("hair", exact=True).check()
        page.get_by_role("button", name="your photo 2", exact=True).click()
        wait_for_words(page, "hair of your picture.")
        assert (state(page)["grid"] != editing.UNPAINTED).any()
        assert own.first.locator("img").evaluate("image => image.naturalWidth") == 96
    with opened(browser, served) as other:  # another session
        assert other.locator("#yours").is_hidden()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photograph_is_dropped_or_pasted(browser, served, raw, true_maps, prepared_64, event):
    photo = ("me.jpg", "image/jpeg", (raw / "CelebA-HQ-img" / "1.jpg").read_bytes())
    with opened(browser, served) as page:
        for files, said in (
            ([], "That is no file"), ([photo, photo], "Those are 2 files: drop or paste one."),
            ([("notes.txt", "text/plain", b"x")], "notes.txt is no picture by its name"),
        ):  # fmt: skip
            hand_in(page, event, *files)
            wait_for_alert(page, said)
            assert state(page)["face"] == str(FACE)
        page.get_by_label("it is cut as CelebA-HQ's photos already").check()
        is_left_to_the_browser = hand_in(page, event, photo)
        wait_for_words(page, "Your photo: paint on its map, or borrow from another face.")
        assert is_left_to_the_browser is (event == "paste")
        assert alert(page) == ""
        np.testing.assert_array_equal(result(page), editing.read_face(prepared_64, 1).image)


def test_a_dropped_photograph_without_a_parser_is_told_what_to_run(page):
    hand_in(page, "drop", ("me.jpg", "image/jpeg", b"x"))
    wait_for_alert(page, "Not yet: a photograph must be parsed")
    assert "python parse_face.py --train" in alert(page)
