"""The command lines of g_simple_mask.py, c_mask.py and face_recognition/face_recognition.py."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import c_mask
import g_simple_mask
from face_recognition import face_recognition
from facegan import prepared, regions

GREY = np.full((64, 64, 3), 128, np.uint8)
SCRIPTS = {
    "g_simple_mask": "g_simple_mask.py",
    "c_mask": "c_mask.py",
    "face_recognition.face_recognition": "face_recognition/face_recognition.py",
}


def sentence(outcome, *words) -> None:
    """The script ended badly, with one line on stderr that holds the words."""
    assert outcome.status != 0
    (line,) = outcome.err.strip().splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert str(word) in line


def report(folder) -> dict[int, tuple[str, str]]:
    with (folder / "report.csv").open(newline="") as file:
        return {int(row["k"]): (row["status"], row["detail"]) for row in csv.DictReader(file)}


def contents(folder, pattern="*.npz") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(pattern)}


def mtimes(folder) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}


@pytest.fixture
def data(tmp_path, prepared_64):
    """A copy of the prepared folder, to damage."""
    shutil.copytree(prepared_64, tmp_path / "prepared")
    return tmp_path / "prepared"


@pytest.fixture(scope="module")
def prepare(call):
    """prepare(source, out, "--overwrite"): g_simple_mask at 64 x 64 in this process."""
    return lambda source, out, *args: call(
        g_simple_mask, "--source", source, "--out", out, "--size", 64, "--workers", 1, *args
    )


# ------------------------------------------------------------------------------------------------- what they write


@pytest.mark.parametrize(
    ("folder", "arrays"),
    [
        (
            "samples",
            {
                "Image": ("uint8", (64, 64, 3)),
                "Masks": ("uint8", (64, 64, 7)),
                "Colors": ("float32", (7, 3)),
                "Labels": ("uint8", (64, 64)),
            },
        ),
        ("color_masks", {"cmask": ("float32", (64, 64, 3))}),
        ("face_ids", {"face_id": ("float32", (128,)), "detected": ("bool", ()), "box": ("int32", (4,))}),
    ],
)
def test_formats_of_the_prepared_folder(prepared_64, folder, arrays):
    beside = {"report.csv"} | ({"settings.json"} if folder == "face_ids" else set())
    assert {path.name for path in (prepared_64 / folder).glob("*")} == {f"{k}.npz" for k in range(10)} | beside
    for k in range(10):
        with np.load(prepared_64 / folder / f"{k}.npz") as archive:
            assert {name: (str(archive[name].dtype), archive[name].shape) for name in archive.files} == arrays


def test_values_of_a_sample_and_its_colour_map(prepared_64):
    """Recounted pixel by pixel from Image and Masks."""
    with np.load(prepared_64 / "samples" / "0.npz") as sample:
        image, masks, colors = (sample[name].astype(float) for name in ("Image", "Masks", "Colors"))
    with np.load(prepared_64 / "color_masks" / "0.npz") as archive:
        cmask = archive["cmask"]
    assert set(np.unique(masks)) == {0, 1}
    for region in range(7):
        inside = [image[y, x] for y in range(64) for x in range(64) if masks[y, x, region]]
        np.testing.assert_allclose(colors[region], np.mean(inside, axis=0) if inside else 0, rtol=1e-5)
    covering = 0
    for y, x in np.ndindex(64, 64):
        here = [colors[region] for region in range(7) if masks[y, x, region]]
        np.testing.assert_allclose(cmask[y, x], np.mean(here, axis=0) if here else 0, rtol=1e-5)
        covering = max(covering, len(here))
    assert covering > 1
    assert not cmask[masks.sum(-1) == 0].any()


@pytest.mark.parametrize("layout", ["parts", "merged"])
def test_labels_are_the_majority_of_the_parts_painted_in_their_order(layout, tmp_path, faces, raw, prepare):
    """Recounted block by block from the drawn parts; of equally many the one painted last."""
    prepare(raw, tmp_path / "out", "--layout", layout)
    _, parts = faces[3]
    merged = np.zeros((512, 512), int)
    for i, part in enumerate(regions.PARTS):
        if part in parts:
            merged[parts[part]] = i + 1
    with np.load(tmp_path / "out" / "samples" / "3.npz") as sample:
        labels, masks = sample["Labels"], sample["Masks"]
    for y, x in np.ndindex(64, 64):
        counts = Counter(merged[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].ravel().tolist())
        assert labels[y, x] == max(counts, key=lambda label: (counts[label], label))
    regions_of_labels = regions.LABEL_REGION[labels]
    assert all(masks[y, x, region - 1] for (y, x), region in np.ndenumerate(regions_of_labels) if region)


def test_prepared_json_says_how_the_samples_were_made(prepared_64, raw):
    assert json.loads((prepared_64 / "prepared.json").read_text()) == {
        "size": 64,
        "source": str(raw),
        "layout": "parts",
        "resample": "area",
    }


@pytest.mark.parametrize("side", [512, 1024])
def test_area_takes_the_mean_of_a_block_and_nearest_one_pixel_of_it(side):
    photo = np.zeros((side, side, 3), np.uint8)
    photo[::2, ::2], photo[1::2, 1::2] = (200, 100, 40), (200, 100, 40)  # a chessboard: half of every block
    bits = np.ones((512, 512), np.uint8)
    area, _, colors = g_simple_mask.make_sample(photo, bits, 64)
    assert np.unique(area.reshape(-1, 3), axis=0).tolist() == [[100, 50, 20]]
    assert colors[0].tolist() == [100, 50, 20]
    nearest, _, _ = g_simple_mask.make_sample(photo, bits, 64, "nearest")
    assert all(pixel in ([0, 0, 0], [200, 100, 40]) for pixel in np.unique(nearest.reshape(-1, 3), axis=0).tolist())


def test_exclusive_regions_are_those_of_the_labels(tmp_path, call, prepare, write_face):
    """Eyes on skin, at a place where working pixels are half eye: one region a pixel, colours over its pixels alone."""
    photo = np.zeros((512, 512, 3), np.uint8)
    photo[:, 256:] = 200
    eye = np.zeros((512, 512))
    eye[100:203, 300:403] = 1
    write_face(tmp_path / "raw", 0, photo, {"skin": np.ones((512, 512)), "l_eye": eye})
    prepare(tmp_path / "raw", tmp_path / "out", "--regions", "exclusive")
    with np.load(tmp_path / "out" / "samples" / "0.npz") as sample:
        masks, labels, colors = sample["Masks"], sample["Labels"], sample["Colors"]
    assert (masks.sum(-1) == 1).all()
    assert ((masks[..., 1] == 1) == (labels == 1 + regions.PARTS.index("l_eye"))).all()
    assert masks[..., 1].any()
    image_mean = 200 * (masks[:, 32:, 0].sum() / masks[..., 0].sum())
    np.testing.assert_allclose(colors[0], image_mean, atol=3)
    sentence(call(g_simple_mask, "--source", tmp_path / "raw", "--out", tmp_path / "out", "--size", 64), "exclusive")


def test_parts_keep_the_eighteen_apart_and_make_up_the_seven_regions(parts_64, prepared_64, raw, call):
    for k in (0, 5):
        with (
            np.load(parts_64 / "samples" / f"{k}.npz") as sample,
            np.load(prepared_64 / "samples" / f"{k}.npz") as seven,
        ):
            masks = sample["Masks"]
            assert masks.shape == (64, 64, 18)
            assert sample["Colors"].shape == (18, 3)
            np.testing.assert_array_equal(regions.seven_regions(masks), seven["Masks"])
            for name in ("Image", "Labels"):
                np.testing.assert_array_equal(sample[name], seven[name])
            np.testing.assert_array_equal(sample["Colors"], regions.mean_colors(sample["Image"], masks))
            cmask = np.load(parts_64 / "color_masks" / f"{k}.npz")["cmask"]
            np.testing.assert_array_equal(cmask, regions.color_map(masks, sample["Colors"]))
    assert json.loads((parts_64 / "prepared.json").read_text())["regions"] == "parts"
    assert "regions" not in json.loads((prepared_64 / "prepared.json").read_text())
    sentence(call(g_simple_mask, "--source", raw, "--out", parts_64, "--size", 64), "regions parts")


def test_colour_maps_of_a_folder_without_a_record_are_of_seven_regions(prepared_64, tmp_path, call):
    shutil.copytree(prepared_64 / "samples", tmp_path / "samples")
    assert call(c_mask, "--data", tmp_path, "--workers", 1).status == 0
    found = (tmp_path / "color_masks" / "3.npz").read_bytes()
    assert found == (prepared_64 / "color_masks" / "3.npz").read_bytes()


def test_resample_of_the_command_line(tmp_path, prepare, write_face):
    """White lines, one in eight rows, of a 512 photo: 1/8 of 255 where they are averaged, all or nothing else."""
    photo = np.zeros((512, 512, 3), np.uint8)
    photo[::8] = 255
    write_face(tmp_path / "raw", 0, photo, {"skin": np.ones((512, 512))})
    means = {}
    for how in ("area", "nearest"):
        prepare(tmp_path / "raw", tmp_path / how, "--resample", how)
        with np.load(tmp_path / how / "samples" / "0.npz") as sample:
            means[how] = sample["Image"].mean()
    assert abs(means["area"] - 255 / 8) < 4  # JPEG moves it a little
    assert min(abs(means["nearest"] - 0), abs(means["nearest"] - 255)) < 30


def test_rgb_stays_rgb(tmp_path, prepare, write_face):
    """OpenCV's own order is BGR; a mix-up would paint blue faces."""
    write_face(tmp_path / "raw", 0, np.full((64, 64, 3), (250, 10, 90), np.uint8), {"skin": np.ones((512, 512))})
    prepare(tmp_path / "raw", tmp_path / "out")
    with np.load(tmp_path / "out" / "samples" / "0.npz") as sample:
        np.testing.assert_allclose(sample["Colors"][0], (250, 10, 90), atol=3)
        assert sample["Colors"][1:].tolist() == [[0, 0, 0]] * 6


def test_merged_layout_gives_the_same_photos_and_no_larger_regions(tmp_path, raw, prepare, prepared_64):
    outcome = prepare(raw, tmp_path / "out", "--layout", "merged")
    assert (outcome.status, outcome.last_line) == (0, f"{tmp_path / 'out' / 'samples'}: 10 done")
    for k in range(10):
        with np.load(tmp_path / "out/samples" / f"{k}.npz") as m, np.load(prepared_64 / "samples" / f"{k}.npz") as p:
            np.testing.assert_array_equal(m["Image"], p["Image"])
            assert (m["Masks"] <= p["Masks"]).all()
            np.testing.assert_array_equal(m["Masks"].any(-1), p["Masks"].any(-1))


def test_png_shows_the_colour_map(data, call):
    """Also after a run without --png, when all the colour maps are there already."""
    assert call(c_mask, "--data", data, "--workers", 1, "--png").status == 0
    assert len(list((data / "color_masks").glob("*.png"))) == 10
    with np.load(data / "color_masks" / "3.npz") as archive:
        cmask = archive["cmask"]
    shown = np.asarray(Image.open(data / "color_masks" / "3.png"))
    assert shown.dtype == np.uint8
    assert np.abs(shown - cmask).max() <= 0.5


def test_png_of_an_older_colour_map_is_made_again(data, call):
    call(c_mask, "--data", data, "--workers", 1, "--png")
    masks, colors = prepared.read_npz(data / "samples" / "5.npz", Masks=(64, 64, 7), Colors=(7, 3))
    prepared.write_npz(data / "samples" / "5.npz", Image=GREY, Masks=masks, Colors=255 - colors)
    call(c_mask, "--data", data, "--workers", 1)  # without --png
    call(c_mask, "--data", data, "--workers", 1, "--png")
    (cmask,) = prepared.read_npz(data / "color_masks" / "5.npz", cmask=(64, 64, 3))
    assert np.abs(np.asarray(Image.open(data / "color_masks" / "5.png")) - cmask).max() <= 0.5


def test_show_writes_a_picture_where_there_is_no_display(data, call):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    outcome = call(c_mask, "--data", data, "--workers", 1, "--show", 3)
    path = data / "color_masks" / "show.png"
    assert outcome.status == 0
    assert str(path) in outcome.last_line
    assert Image.open(path).width > 300


def test_a_negative_show_or_jitter_is_a_sentence(call, prepared_64):
    sentence(call(c_mask, "--data", prepared_64, "--show", -1), "--show -1")
    sentence(call(face_recognition, "--data", prepared_64, "--jitter", -1), "--jitter -1")


# ----------------------------------------------------------------------------------------------------- bad items


def damage(path, how: str) -> None:
    """Turn a good file of the raw dataset into a bad one."""
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-60])
    elif how == "text":
        path.write_text("<html>404 Not Found</html>")
    elif how == "gone":
        path.unlink()
    elif how.startswith("photo "):
        width, height = map(int, how.split()[1:])
        Image.new("RGB", (width, height)).save(path)
    else:
        mask = np.asarray(Image.open(path))
        colours = np.dstack([mask, mask, 255 - mask])
        pictures = {
            "small": lambda: Image.fromarray(mask[::2, ::2]),
            "16 bits": lambda: Image.fromarray(mask.astype(np.uint16)),
            "colours": lambda: Image.fromarray(colours),
            "palette": lambda: Image.fromarray(mask).convert("P"),
            "grey": lambda: Image.fromarray(mask // 2),
            "empty": lambda: Image.fromarray(mask * 0),
            "id 19": lambda: Image.fromarray(np.where(mask, 19, 0).astype(np.uint8)),
            "id 255": lambda: Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)),
        }
        pictures[how]().save(path)


PHOTO, PART, LABELS = "CelebA-HQ-img/{k}.jpg", "CelebAMask-HQ-mask-anno/0/{k:05d}_skin.png", "CelebAMaskHQ-mask/{k}.png"

BAD_PARTS = [
    (PHOTO, "cut", r"\d+\.jpg is damaged"),
    (PHOTO, "text", r"\d+\.jpg is not a picture"),
    (PHOTO, "gone", "photo missing"),
    (PHOTO, "photo 64 80", r"\d+\.jpg is 64 x 80; expected a square photo"),
    (PHOTO, "photo 32 32", r"\d+\.jpg is 32 x 32; .* at least 64 x 64"),
    (PART, "cut", r"\d{5}_skin\.png is damaged"),
    (PART, "text", r"\d{5}_skin\.png is not a picture"),
    (PART, "gone", "masks missing"),
    (PART, "small", r"\d{5}_skin\.png is 256 x 256; expected 512 x 512"),
    (PART, "16 bits", r"\d{5}_skin\.png is 16-bit"),
    (PART, "colours", r"\d{5}_skin\.png is colour-coded"),
    (PART, "palette", r"\d{5}_skin\.png is a palette picture"),
    (PART, "grey", r"\d{5}_skin\.png holds the value 127; a part mask is 0 or 255"),
    (PART, "empty", "no region at all"),
]
BAD_LABELS = [
    (LABELS, "cut", r"\d+\.png is damaged"),
    (LABELS, "text", r"\d+\.png is not a picture"),
    (LABELS, "gone", "masks missing"),
    (LABELS, "small", r"\d+\.png is 256 x 256"),
    (LABELS, "16 bits", r"\d+\.png is 16-bit"),
    (LABELS, "colours", r"\d+\.png is colour-coded"),
    (LABELS, "palette", r"\d+\.png is a palette picture"),
    (LABELS, "empty", "no region at all"),
    (LABELS, "id 19", "unknown id 19 "),
    (LABELS, "id 255", "unknown id 255 "),
]


def dataset_with(source, write_face, cases, **masks) -> None:
    """Face 0 is good; face k has the damage of the k-th case."""
    for k in range(len(cases) + 1):
        write_face(source, k, GREY, **masks)
    for k, (path, how, _) in enumerate(cases, 1):
        damage(source / path.format(k=k), how)


@pytest.fixture(scope="module")
def refused_parts(tmp_path_factory, prepare, write_face):
    """(outcome, report, out) of a dataset of part masks with every fault, and three unusual but good faces behind."""
    source = tmp_path_factory.mktemp("bad-parts")
    mask = np.zeros((512, 512))
    mask[100:300, 100:300] = 1
    dataset_with(source, write_face, BAD_PARTS, parts={"skin": mask})
    write_face(source, 50, GREY, parts={"skin": mask, "moustache": mask})
    for k in (100, 101, 102):
        write_face(source, k, GREY[..., 0] if k == 100 else GREY, parts={"skin": mask, "hat": mask * (k != 102)})
    path = source / PART.format(k=101)
    Image.open(path).convert("RGB").save(path)
    outcome = prepare(source, source / "out")
    return outcome, report(source / "out" / "samples"), source / "out"


@pytest.fixture(scope="module")
def refused_labels(tmp_path_factory, prepare, write_face):
    source = tmp_path_factory.mktemp("bad-labels")
    labels = np.zeros((512, 512), np.uint8)
    labels[100:300, 100:300] = 17
    dataset_with(source, write_face, BAD_LABELS, labels=labels)
    write_face(source, 100, GREY, labels=np.dstack([labels] * 3))
    outcome = prepare(source, source / "out")
    return outcome, report(source / "out" / "samples"), source / "out"


def cases(bad) -> list:
    return [pytest.param(k, words, id=f"{path.split('/')[0]} {how}") for k, (path, how, words) in enumerate(bad, 1)]


@pytest.mark.parametrize(
    ("k", "words"), [*cases(BAD_PARTS), pytest.param(50, "unknown part 'moustache'", id="unknown")]
)
def test_a_bad_face_of_part_masks_is_refused_with_its_reason(refused_parts, k, words):
    _, rows, out = refused_parts
    status, reason = rows[k]
    assert status == "refused"
    assert re.match(words, reason)
    assert not (out / "samples" / f"{k}.npz").exists()


@pytest.mark.parametrize(("k", "words"), cases(BAD_LABELS))
def test_a_bad_face_of_label_maps_is_refused_with_its_reason(refused_labels, k, words):
    _, rows, out = refused_labels
    status, reason = rows[k]
    assert status == "refused"
    assert re.match(words, reason)
    assert not (out / "samples" / f"{k}.npz").exists()


def test_the_good_faces_among_bad_ones_are_done_and_all_are_counted(refused_parts, refused_labels):
    """A grey photo, a mask of three equal channels and one empty mask among others are good."""
    for (outcome, rows, out), good, bad in ((refused_parts, [0, 100, 101, 102], 15), (refused_labels, [0, 100], 10)):
        assert outcome.status == 1
        assert sorted(int(path.stem) for path in (out / "samples").glob("*.npz")) == good
        assert len(rows) == bad
        assert f"{out / 'samples'}: {len(good)} done, {bad} refused\n" in outcome.out
        assert outcome.last_line == f"The reasons are in {out / 'samples' / 'report.csv'}."
    with np.load(refused_parts[2] / "samples" / "100.npz") as sample:
        assert (sample["Image"] == 128).all()


def test_doubtful_files_are_named_in_the_report_and_the_others_are_done(tmp_path, prepare, write_face):
    """A second photograph of face 1, a turned one, a part mask that is a WebP, and a pipe; face 0 is good."""
    for k in range(5):
        write_face(tmp_path, k, GREY, {"skin": np.ones((512, 512))})
    photos, masks = tmp_path / "CelebA-HQ-img", tmp_path / "CelebAMask-HQ-mask-anno" / "0"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(photos / "01.jpg")
    Image.fromarray(GREY).save(photos / "2.jpg", exif=exif)
    Image.fromarray(np.full((512, 512), 255, np.uint8)).save(masks / "00003_skin.png", "WEBP")
    (photos / "4.jpg").unlink()
    os.mkfifo(photos / "4.jpg")
    outcome = prepare(tmp_path, tmp_path / "out")
    assert "1 done, 4 refused" in outcome.out
    assert "error of the program" not in outcome.out
    words = {
        1: "two files of one face",
        2: "turned by its EXIF block",
        3: "00003_skin.png is a WEBP",
        4: "4.jpg is a pipe",
    }
    rows = report(tmp_path / "out" / "samples")
    assert rows.keys() == words.keys()
    assert all(word in rows[k][1] for k, word in words.items())


def test_keep_going_ends_with_status_0_and_tries_the_bad_ones_again(refused_parts, prepare):
    _, rows, out = refused_parts
    outcome = prepare(out.parent, out, "--keep-going")
    assert outcome.status == 0
    assert "15 refused, 4 skipped" in outcome.out
    assert report(out / "samples") == rows


def test_a_mended_face_is_done_by_the_next_run(tmp_path, prepare, write_face):
    skin = np.ones((512, 512))
    write_face(tmp_path, 0, GREY, {"skin": skin})
    write_face(tmp_path, 1, GREY)
    assert prepare(tmp_path, tmp_path / "out").status == 1
    write_face(tmp_path, 1, parts={"skin": skin})
    outcome = prepare(tmp_path, tmp_path / "out")
    assert (outcome.status, outcome.last_line) == (0, f"{tmp_path / 'out' / 'samples'}: 1 done, 1 skipped")
    assert report(tmp_path / "out" / "samples") == {}


def test_c_mask_and_face_ids_refuse_a_damaged_sample_and_do_the_others(data, call):
    path = data / "samples" / "4.npz"
    path.write_bytes(path.read_bytes()[:-100])
    for script, folder in ((c_mask, "color_masks"), (face_recognition, "face_ids")):
        for k in (4, 5):
            (data / folder / f"{k}.npz").unlink()
        outcome = call(script, "--data", data, "--workers", 1)
        assert outcome.status == 1
        assert f"{data / folder}: 1 done, 1 refused, 8 skipped\n" in outcome.out
        status, reason = report(data / folder)[4]
        assert status == "refused"
        assert f"{path} is damaged" in reason
        assert "run g_simple_mask.py again" in reason


# ------------------------------------------------------------------------------------------------- wrong folders


def test_a_missing_source_says_what_was_looked_for(tmp_path, prepare):
    sentence(prepare(tmp_path / "nowhere", tmp_path / "out"), tmp_path / "nowhere", "CelebA-HQ-img", "make_sample.py")
    assert not (tmp_path / "out").exists()


def test_the_folder_above_the_dataset_is_answered_with_the_right_one(tmp_path, prepare, write_face):
    write_face(tmp_path / "CelebAMask-HQ", 0, GREY)
    outcome = prepare(tmp_path, tmp_path / "out")
    sentence(outcome, "no folder CelebA-HQ-img", f"--source {tmp_path / 'CelebAMask-HQ'}")


def test_photos_without_masks_name_both_layouts(tmp_path, prepare, write_face):
    write_face(tmp_path, 0, GREY)
    sentence(prepare(tmp_path, tmp_path / "out"), "no masks", "CelebAMask-HQ-mask-anno", "CelebAMaskHQ-mask", "unpack")


def test_no_photos_at_all(tmp_path, prepare, write_face):
    write_face(tmp_path, 0, parts={"skin": np.ones((512, 512))})
    (tmp_path / "CelebA-HQ-img").mkdir()
    sentence(prepare(tmp_path, tmp_path / "out"), tmp_path / "CelebA-HQ-img", "<k>.jpg", "unpack")


def test_an_out_that_is_a_file(tmp_path, raw, prepare):
    (tmp_path / "out").write_text("mine")
    sentence(prepare(raw, tmp_path / "out"), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("script", [c_mask, face_recognition])
def test_no_samples_says_what_to_run_first(tmp_path, call, script):
    sentence(call(script, "--data", tmp_path, "--workers", 1), f"no samples in {tmp_path}", "g_simple_mask.py --out")
    assert list(tmp_path.iterdir()) == []


def test_a_person_sees_the_sentence_and_no_traceback(tmp_path, run_script):
    """Started as people start it, in another folder than the repository."""
    outcome = run_script("g_simple_mask.py", cwd=tmp_path)
    assert "Traceback" not in outcome.err
    sentence(outcome, "no folder CelebA-HQ-img/ in data/sample", "python data/make_sample.py")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [100, 0, -64, 8, 1024, 511])
def test_a_size_that_does_not_divide_512_is_a_sentence(tmp_path, raw, call, size):
    outcome = call(g_simple_mask, "--source", raw, "--out", tmp_path / "out", "--size", size)
    sentence(outcome, f"--size {size} ", "64, 128, 256 or 512")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", [("--shard", "4/3"), ("--shard", "half"), ("--workers", "-1")], ids=str)
def test_a_bad_shard_or_number_of_workers_is_a_sentence(prepared_64, raw, call, flag):
    for script, args in (
        (g_simple_mask, ("--source", raw, "--out", prepared_64, "--size", 64)),
        (c_mask, ("--data", prepared_64)),
        (face_recognition, ("--data", prepared_64)),
    ):
        sentence(call(script, *args, *flag), *flag)


@pytest.mark.parametrize("flag", [("--size", "big"), ("--layout", "both"), ("--colour", "red")], ids=str)
def test_a_wrong_flag_ends_with_status_2_and_names_the_flag(call, flag):
    outcome = call(g_simple_mask, *flag)
    assert outcome.status == 2
    assert flag[0] in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        (g_simple_mask, "--source --out --size --workers --overwrite --shard --keep-going --layout --resample"),
        (c_mask, "--data --png --show --workers --overwrite"),
        (face_recognition, "--data --workers --jitter --overwrite"),
    ],
)
def test_help_names_the_flags_that_people_depend_on(call, script, flags):
    outcome = call(script, "--help")
    assert outcome.status == 0
    for flag in flags.split():
        assert re.search(rf"{flag}\b", outcome.out)


def test_defaults_that_people_depend_on():
    args = g_simple_mask.Args()
    assert (str(args.source), str(args.out), args.size) == ("data/sample", "data/prepared", 256)
    assert str(c_mask.Args().data) == str(face_recognition.Args().data) == "data/prepared"


# ---------------------------------------------------------------------------------------------- resume and safety


def test_a_second_run_touches_nothing_and_overwrite_makes_all_again(data, raw, call, prepare):
    steps = {
        "face_ids": lambda *flags: call(face_recognition, "--data", data, "--workers", 1, *flags),
        "color_masks": lambda *flags: call(c_mask, "--data", data, "--workers", 1, *flags),
        "samples": lambda *flags: prepare(raw, data, *flags),
    }
    for folder, run in steps.items():
        before, bytes_before = mtimes(data / folder), contents(data / folder)
        assert run().last_line.endswith("10 skipped")
        assert mtimes(data / folder) == before
        if folder != "face_ids":  # a second each time, and the code is the same
            assert run("--overwrite").last_line == f"{data / folder}: 10 done"
            assert all(mtimes(data / folder)[name] > time_before for name, time_before in before.items())
            assert contents(data / folder) == bytes_before


@pytest.mark.parametrize(("script", "folder"), [(c_mask, "color_masks"), (face_recognition, "face_ids")])
def test_what_was_made_from_an_older_sample_is_made_again(data, call, script, folder):
    """Else a sample that was prepared again would train with the colours and the face of the old one."""
    before = mtimes(data / folder)
    image, masks, colors = prepared.read_npz(
        data / "samples" / "5.npz", Image=(64, 64, 3), Masks=(64, 64, 7), Colors=(7, 3)
    )
    prepared.write_npz(data / "samples" / "5.npz", Image=image[:, ::-1], Masks=masks, Colors=colors[::-1])
    outcome = call(script, "--data", data, "--workers", 1)
    assert re.search(r"\b9 skipped\b", outcome.last_line)
    assert {name for name, changed in mtimes(data / folder).items() if changed != before[name]} == {"5.npz"}


@pytest.mark.parametrize(
    ("change", "words"),
    [(("--size", 128), "size 64, now it is 128"), (("--layout", "merged"), "layout parts, now it is merged")],
    ids=["size", "layout"],
)
def test_a_folder_prepared_otherwise_is_refused_and_left_alone(prepared_64, raw, prepare, change, words):
    before = mtimes(prepared_64 / "samples")
    sentence(prepare(raw, prepared_64, *change), prepared_64, words, "choose another --out")
    assert mtimes(prepared_64 / "samples") == before


def test_another_dataset_into_the_same_folder_is_refused(tmp_path, prepared_64, prepare, write_face):
    write_face(tmp_path, 77, GREY, {"skin": np.ones((512, 512))})
    sentence(prepare(tmp_path, prepared_64), "source", tmp_path, "choose another --out")
    assert not (prepared_64 / "samples" / "77.npz").exists()


def test_the_same_dataset_by_another_way_is_the_same(tmp_path, data, raw, prepare, monkeypatch):
    """A relative path and a link to the dataset are not another source."""
    (tmp_path / "link").symlink_to(raw)
    monkeypatch.chdir(tmp_path)
    assert prepare("link", data).last_line.endswith("10 skipped")


@pytest.mark.parametrize("script", SCRIPTS.values())
def test_two_workers_write_the_same_bytes_as_one(data, prepared_64, raw, run_script, script):
    """In processes of their own, as a person runs them."""
    args = ("--source", raw, "--out", data, "--size", 64) if script == "g_simple_mask.py" else ("--data", data)
    folder = {"g_simple_mask.py": "samples", "c_mask.py": "color_masks"}.get(script, "face_ids")
    for path in (data / folder).iterdir():
        path.unlink()
    outcome = run_script(script, *args, "--workers", 2, cwd=data)
    assert outcome.status == 0, outcome.err
    assert contents(data / folder, "*") == contents(prepared_64 / folder, "*")


def test_three_shards_together_are_everything(tmp_path, raw, prepared_64, prepare):
    done = []
    for i in (1, 2, 3):
        outcome = prepare(raw, tmp_path, "--shard", f"{i}/3")
        there = {path.stem for path in (tmp_path / "samples").glob("*.npz")}
        new = there.difference(*done)
        assert outcome.last_line == f"{tmp_path / 'samples'}: {len(new)} done"  # nothing skipped: disjoint
        done.append(new)
    assert sorted(map(len, done)) == [3, 3, 4]
    assert contents(tmp_path / "samples") == contents(prepared_64 / "samples")


@pytest.fixture(scope="module")
def many_faces(tmp_path_factory, raw):
    """300 faces, all links to one."""
    source = tmp_path_factory.mktemp("many")
    for name in ("CelebA-HQ-img/{}.jpg", "CelebAMaskHQ-mask/{}.png"):
        (source / name).parent.mkdir()
        for k in range(300):
            (source / name.format(k)).symlink_to(raw / name.format(0))
    return source


def test_a_killed_run_leaves_whole_files_and_the_next_one_completes(tmp_path, root, many_faces, prepare):
    out, samples = tmp_path / "out", tmp_path / "out" / "samples"
    command = [sys.executable, root / "g_simple_mask.py", "--source", many_faces, "--out", out, "--size", 64]
    with subprocess.Popen([*map(str, command), "--workers", "1"], stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        end = time.monotonic() + 60
        while len(list(samples.glob("*.npz"))) < 5 and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    there = sorted(samples.glob("*.npz"))
    assert 5 <= len(there) < 300
    for path in there:
        prepared.read_npz(path, Image=(64, 64, 3), Masks=(64, 64, 7), Colors=(7, 3))
    # A kill seldom falls into the writing of a file, so what it would leave then is put there.
    (samples / f".299.npz.{socket.gethostname()}.{process.pid}.tmp").write_bytes(b"half")
    outcome = prepare(many_faces, out)
    assert outcome.status == 0
    assert outcome.last_line == f"{samples}: {300 - len(there)} done, {len(there)} skipped"
    assert {path.name for path in out.iterdir()} == {"samples", "prepared.json"}
    assert {path.name for path in samples.iterdir()} == {f"{k}.npz" for k in range(300)} | {"report.csv"}
    assert len(set(contents(samples).values())) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_with_a_sentence_and_status_130(tmp_path, root, many_faces, workers):
    """A terminal sends it to the script and to its workers, all of the process group."""
    out = tmp_path / "out"
    command = [sys.executable, root / "g_simple_mask.py", "--source", many_faces, "--out", out, "--workers", workers]
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where pytest runs behind an "&"
    ) as process:
        end = time.monotonic() + 60
        while len(list(out.glob("samples/*.npz"))) < 3 and time.monotonic() < end:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "the same command goes on from here" in err
    assert 3 <= len(list((out / "samples").glob("*.npz"))) < 300
    assert not list((out / "samples").glob(".*"))
    assert (out / "samples" / "report.csv").exists()


# ------------------------------------------------------------------------------------------------------- face IDs


def shrink(photo: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).resize((size, size), Image.Resampling.BOX))


def middle(mask: np.ndarray) -> tuple[float, float]:
    """x, y of the middle of a mask."""
    y, x = np.nonzero(mask)
    return x.mean(), y.mean()


def test_the_box_holds_eyes_and_mouth_and_not_the_whole_frame(faces):
    photo, parts = faces[0]
    numbers, detected, box = face_recognition.face_id(shrink(photo, 256))
    left, top, right, bottom = 2 * box
    assert detected is True
    assert numbers.shape == (128,)
    for mask in (parts["l_eye"], parts["r_eye"], parts["u_lip"], parts["nose"]):
        x, y = middle(mask)
        assert left < x < right
        assert top < y < bottom
    assert (right - left) * (bottom - top) < 0.6 * 512 * 512


def test_a_mirrored_face_is_closer_than_another_person(faces):
    """Faces 0 and 3 are two persons."""
    me, mirrored, other = (
        face_recognition.face_id(np.ascontiguousarray(photo))[0]
        for photo in (shrink(faces[0][0], 256), shrink(faces[0][0], 256)[:, ::-1], shrink(faces[3][0], 256))
    )
    assert np.linalg.norm(me - mirrored) < np.linalg.norm(me - other)


@pytest.mark.parametrize("large_first", [True, False])
def test_of_two_faces_the_largest_counts(faces, large_first):
    large, small = (
        shrink(faces[0][0], 320),
        shrink(faces[6][0], 192),
    )  # dlib is surer of the small one, so lists it first
    frame = np.full((320, 512, 3), 128, np.uint8)
    x, small_x = (0, 320) if large_first else (192, 0)
    frame[:, x : x + 320] = large
    frame[64:256, small_x : small_x + 192] = small
    assert len(face_recognition.load_networks().detector(frame, 1)) == 2  # else this test shows nothing
    numbers, detected, box = face_recognition.face_id(frame)
    assert detected is True
    assert x <= (box[0] + box[2]) / 2 <= x + 320
    alone, other = face_recognition.face_id(large)[0], face_recognition.face_id(small)[0]
    assert np.linalg.norm(numbers - alone) < np.linalg.norm(numbers - other)


def test_a_picture_without_a_face_takes_the_whole_frame_and_is_reported(tmp_path, call, prepared_64):
    with np.load(prepared_64 / "samples" / "0.npz") as sample:
        rest = {name: sample[name] for name in ("Masks", "Colors")}
    (tmp_path / "samples").mkdir()
    prepared.write_npz(tmp_path / "samples" / "6.npz", Image=GREY, **rest)
    outcome = call(face_recognition, "--data", tmp_path, "--workers", 1)
    assert outcome.status == 0
    assert outcome.last_line.endswith(" 1 not detected")
    assert report(tmp_path / "face_ids") == {6: ("not detected", "")}
    with np.load(tmp_path / "face_ids" / "6.npz") as archive:
        assert archive["detected"].item() is False
        assert archive["box"].tolist() == [0, 0, 63, 63]
        assert np.isfinite(archive["face_id"]).all()
        assert np.linalg.norm(archive["face_id"]) > 0
    again = call(face_recognition, "--data", tmp_path, "--workers", 1)
    assert again.last_line.endswith("1 skipped")
    assert report(tmp_path / "face_ids") == {6: ("not detected", "")}  # still named


def test_jitter_moves_the_face_id_a_little(tmp_path, faces):
    photo = shrink(faces[0][0], 128)
    plain, jittered = face_recognition.face_id(photo)[0], face_recognition.face_id(photo, jitter=2)[0]
    assert 0 < np.linalg.norm(plain - jittered) < 0.6


def test_face_ids_of_the_samples_are_those_of_their_pictures(prepared_64):
    with np.load(prepared_64 / "samples" / "7.npz") as sample:
        expected = face_recognition.face_id(sample["Image"])
    with np.load(prepared_64 / "face_ids" / "7.npz") as archive:
        np.testing.assert_array_equal(archive["face_id"], expected[0])
        assert archive["detected"] == expected[1]
        np.testing.assert_array_equal(archive["box"], expected[2])


# -------------------------------------------------------------------------------------------------------- imports


@pytest.mark.parametrize("module", SCRIPTS)
def test_importing_a_script_needs_no_tensorflow_and_does_nothing(tmp_path, root, module):
    code = (
        f"import sys, {module}; sys.exit('tensorflow or keras' if {{'tensorflow', 'keras'}} & set(sys.modules) else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_face_recognition_is_ours_and_not_the_package_of_that_name(root):
    assert face_recognition.__file__ == str(root / "face_recognition" / "face_recognition.py")


def test_face_ids_of_another_jitter_do_not_mix(prepared_64, call):
    """Skipping would answer as if the flag had been heard."""
    sentence(call(face_recognition, "--data", prepared_64, "--jitter", 2), "jitter 0, now it is 2")
