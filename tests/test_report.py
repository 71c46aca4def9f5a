"""What a run shows: metrics, TensorBoard, grids, results and their page, and what --dry-run prints."""

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from facegan import report, runtime
from facegan.errors import BadInput

RED, BLUE = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])


def picture(color, n: int = 1, size: int = 16) -> np.ndarray:
    """(N, S, S, 3) of one colour."""
    return np.tile(np.asarray(color, np.float32), (n, size, size, 1))


def logged(run: Path) -> list[tuple[str, int, float | None]]:
    """What TensorBoard was told, in order: tag, step, and the value of a scalar."""
    (events,) = (run / "logs").glob("events.*")
    found = []
    for record in tf.data.TFRecordDataset(str(events)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            tensor = tf.make_ndarray(value.tensor)
            found.append((value.tag, event.step, float(tensor) if tensor.ndim == 0 else None))
    return found


# --- progress ---------------------------------------------------------------------------------------------------------


def test_every_twentieth_step_is_logged_for_people_and_for_tensorboard(tmp_path):
    with report.Progress(tmp_path, step=0, last=45, batch_size=4) as progress:
        for step in range(1, 46):
            progress.update(step, {"g": tf.constant(step / 8), "d": tf.constant(1e-7)})
    header, *rows = list(csv.reader((tmp_path / "metrics.csv").open()))
    assert header == ["step", "images_per_second", "g", "d"]
    assert [[row[0], *row[2:]] for row in rows] == [["20", "2.5", "1e-07"], ["40", "5", "1e-07"]]
    assert all(float(row[1]) > 0 for row in rows)
    scalars = {(tag, step): value for tag, step, value in logged(tmp_path)}
    assert (scalars["train/g", 20], scalars["train/g", 40]) == (2.5, 5.0)
    assert scalars.keys() == {(f"train/{name}", step) for name in header[1:] for step in (20, 40)}


def test_a_step_may_ask_to_be_logged(tmp_path):
    with report.Progress(tmp_path, step=0, last=10, batch_size=4) as progress:
        for step in range(1, 6):
            progress.update(step, {"g": tf.constant(1.0)}, log=step == 3)
    assert [row["step"] for row in csv.DictReader((tmp_path / "metrics.csv").open())] == ["3"]


def test_images_per_second_counts_the_images_since_the_last_row(tmp_path, monkeypatch):
    """A clock by which the first 20 steps take 8 s, the next 20 take 2 s, from a run that goes on at step 20."""
    clock = [0.0]
    monkeypatch.setattr(report, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with report.Progress(tmp_path, step=20, last=60, batch_size=4) as progress:
        for step in range(21, 61):
            clock[0] += 0.4 if step <= 40 else 0.1
            progress.update(step, {"g": tf.constant(1.0)})
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [float(row["images_per_second"]) for row in rows] == [10, 40]


def test_between_logged_steps_losses_stay_on_the_device(tmp_path):
    class Unfinished:
        def __float__(self):
            raise AssertionError("the device had to be waited for")

    with report.Progress(tmp_path, step=0, last=100, batch_size=4) as progress:
        for step in range(1, 20):
            progress.update(step, {"g": Unfinished()})
        assert progress.bar.n == 19 * 4
        with pytest.raises(AssertionError, match="waited for"):
            progress.update(20, {"g": Unfinished()})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_a_sentence_and_no_row(value, tmp_path):
    sentence = rf"loss d is {value} at step 20; .*checkpoints keeps .*--learning-rate.*--precision float32"
    with report.Progress(tmp_path, 0, 100, 4) as progress, pytest.raises(BadInput, match=sentence):
        progress.update(20, {"g": tf.constant(1.0), "d": tf.constant(value)})
    assert (tmp_path / "metrics.csv").read_text() == ""


def test_it_is_time_to_save_every_ten_minutes(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(report, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with report.Progress(tmp_path, step=0, last=100, batch_size=4) as progress:
        saves = []
        for clock[0] in range(0, 2000, 100):
            if progress.time_to_save():
                saves.append(clock[0])
    assert saves == [600, 1200, 1800]


def test_the_grid_of_an_epoch_is_a_picture_and_an_image_in_tensorboard(tmp_path):
    shown = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    with report.Progress(tmp_path, step=0, last=100, batch_size=4) as progress:
        progress.show_grid(7, 50, shown)
    np.testing.assert_array_equal(Image.open(tmp_path / "grids" / "epoch_0007.png"), shown)
    assert logged(tmp_path) == [("faces", 50, None)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("step,g\n20,1\n40,2\n60,3\n", "step,g\n20,1\n40,2\n"),
        ("step,g\n20,1\n40,2", "step,g\n20,1\n"),
        ("step,g\n20,1\n40\n", "step,g\n20,1\n"),
        ("step,g\n20,1\n40,2\n60", "step,g\n20,1\n40,2\n"),
        ("step,g\n", "step,g\n"),
        ("step,g", ""),
        ("", ""),
    ],
    ids=["later rows", "a row without an end", "half a row", "a later half row", "no row", "half a header", "nothing"],
)
def test_a_run_that_goes_on_at_step_40_forgets_later_rows_and_torn_ones(before, after, tmp_path):
    (tmp_path / "metrics.csv").write_text(before)
    report.forget_rows_after(tmp_path / "metrics.csv", 40)
    assert (tmp_path / "metrics.csv").read_text() == after


def test_a_run_that_goes_on_repeats_no_row(tmp_path):
    for start, last in ((0, 60), (30, 60)):  # stopped at 60, but last saved at 30
        with report.Progress(tmp_path, start, last, batch_size=4) as progress:
            for step in range(start + 1, last + 1):
                progress.update(step, {"g": tf.constant(float(start))})
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [(row["step"], row["g"]) for row in rows] == [("20", "0"), ("40", "30"), ("60", "30")]


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_pictures_are_rounded_and_never_wrap_around(tmp_path):
    values = np.array([-0.5, 0, 0.4999 / 255, 0.5001 / 255, 1, 1.5])
    assert report.to_uint8(values).tolist() == [0, 0, 0, 1, 255, 255]
    report.save_png(tmp_path / "a.png", np.tile(values[:, None, None], (1, 1, 3)))
    assert np.asarray(Image.open(tmp_path / "a.png"))[:, 0, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_a_grid_has_labels_on_the_left_and_captions_below():
    rows = {"a label of\ntwo lines": picture(RED, 3), "short": picture(BLUE, 3)}
    drawn = report.grid(rows, ["1", "22", "333"])
    reds, blues = ((drawn == 255 * color).all(-1) for color in (RED, BLUE))
    assert reds.sum() == blues.sum() == 3 * 16 * 16
    left, bottom = np.argwhere(reds)[:, 1].min(), np.argwhere(blues)[:, 0].max()
    dark = (drawn < 128).all(-1)
    assert dark[:, :left].any()
    assert dark[bottom + 1 :, left:].any()
    assert not dark[: bottom + 1, left:].any()


# --- results ----------------------------------------------------------------------------------------------------------


def write_results(out: Path, count: int) -> None:
    """Faces 100, 101, ... in batches of 3; reconstructions are red, the later the brighter, ground truths blue, scores
    rise from 0. Every second face has no second score."""
    numbers = np.arange(100, 100 + count)
    labels = {"rec": "reconstruction", "real": "ground truth"}
    about = {"script": "<b>title</b>.py", "split": "test", "step": 5}
    with report.Results(out, about, numbers, labels, also={"cmask": "colour map"}) as results:
        for k in np.split(numbers, range(3, count, 3)):
            n = len(k)
            rec = picture(RED, n) * ((k - 99) / count).reshape(-1, 1, 1, 1)
            pictures = {"rec": rec, "real": picture(BLUE, n), "cmask": picture(RED, n), "masks": None}
            about = {"k": k, "map_k": k + 1, "l1": (k - 100) / 8, "l1_man": np.where(k % 2, np.nan, 0.5)}
            results.add(pictures, about)


def test_results_are_pictures_a_table_a_grid_and_a_page(tmp_path, capsys):
    write_results(tmp_path / "new" / "out", 5)
    out = tmp_path / "new" / "out"
    names = {f"{k}_{name}.png" for k in range(100, 105) for name in ("rec", "real", "cmask")}
    assert {path.name for path in out.iterdir()} == {*names, "results.csv", "results.json", "grid.png", "index.html"}
    assert (np.asarray(Image.open(out / "104_rec.png")) == 255 * RED).all()
    assert (out / "results.csv").read_text().splitlines()[:3] == [
        "k,map_k,l1,l1_man", "100,101,0.000000,0.500000", "101,102,0.125000,nan"
    ]  # fmt: skip
    assert "l1 0.2500, l1_man 0.5000 (mean of 5 faces)" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 5), (8, 8), (30, 8)])
def test_the_grid_shows_at_most_eight_faces_from_the_first_to_the_last(count, columns, tmp_path, monkeypatch):
    captions = []
    grid = report.grid
    monkeypatch.setattr(report, "grid", lambda rows, names: captions.extend(names) or grid(rows, names))
    write_results(tmp_path, count)
    drawn = np.asarray(Image.open(tmp_path / "grid.png"))
    reds, blues = (drawn[..., 0] > drawn[..., 2]), (drawn[..., 2] > drawn[..., 0])
    assert reds.sum() == blues.sum() == columns * 16 * 16  # and no colour maps, which are red too
    assert np.argwhere(reds)[:, 0].max() < np.argwhere(blues)[:, 0].min()
    brightness = drawn[reds][: columns * 16, 0].astype(int)  # the uppermost line
    assert (np.diff(brightness) >= 0).all()
    assert len(set(brightness)) == columns
    assert len(captions) == len(set(captions)) == columns
    assert (captions[0], captions[-1]) == ("100", str(99 + count))


def test_the_page_holds_every_result_and_no_title_can_break_it(tmp_path):
    write_results(tmp_path, 5)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    rows, kinds = re.search(r"const rows = (.*), kinds = (.*), perPage", page).groups()
    rows = json.loads(rows)
    assert [(row["k"], row["map_k"], row["l1"]) for row in rows] == [(100 + i, 101 + i, i / 8) for i in range(5)]
    assert [bool(np.isnan(row["l1_man"])) for row in rows] == [False, True, False, True, False]
    assert list(json.loads(kinds)) == ["cmask", "real", "rec"]
    assert "<h1>&lt;b&gt;title&lt;/b&gt;, test faces, step 5</h1>" in page


def test_results_that_fail_half_way_leave_no_table_that_seems_whole(tmp_path):
    (tmp_path / "results.json").write_text("{}")  # of results that were whole
    (tmp_path / "evaluation").mkdir()
    for name in ("scores.json", "worst_16_rec.png", "mine.txt"):
        (tmp_path / "evaluation" / name).touch()
    about = {"script": "pix2pix.py", "split": "test", "step": 5}
    results = report.Results(tmp_path, about, np.arange(2), {"rec": "reconstruction"})
    results.add({"rec": picture(RED)}, {"k": np.array([0])})
    with pytest.raises(KeyError), results:
        results.add({}, {"k": np.array([1])})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0_rec.png", "evaluation"]
    assert [path.name for path in (tmp_path / "evaluation").iterdir()] == ["mine.txt"]


# --- dry run ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("devices", "faces", "gigabytes"), [(1, 10, "0.6"), (2, 5, "0.3")])
def test_a_dry_run_counts_by_hand(devices, faces, gigabytes, monkeypatch, capsys):
    """5 million numbers a face, 4 bytes each, three passes."""
    monkeypatch.setattr(runtime, "strategy", lambda: SimpleNamespace(num_replicas_in_sync=devices))
    inputs = keras.Input((1000, 1000, 3)), keras.Input((7,))
    network = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs[0]), name="painter")
    args = SimpleNamespace(batch_size=10, precision="float32", size=64, epochs=3)
    report.describe_run(args, 4, range(40), range(10), {network: 3})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "painter: 1000 x 1000 x 3 + 7 -> 1000 x 1000 x 2, 8 parameters"
    assert f"{gigabytes} layer outputs of {faces} faces" in lines[1]
    assert lines[-2:] == ["40 training and 10 test faces: 4 steps an epoch", "3 epochs: 12 steps. Nothing was written."]
    args.precision = "mixed_bfloat16"
    report.describe_run(args, 4, range(40), range(10), {network: 3})
    in_16_bits = re.search(r"([\d.]+) layer outputs", capsys.readouterr().out)[1]
    assert float(in_16_bits) < float(gigabytes)
    args.precision = "float64"
    report.describe_run(args, 4, range(40), range(10), {network: 3})
    in_64_bits = re.search(r"([\d.]+) layer outputs", capsys.readouterr().out)[1]
    assert float(in_64_bits) == pytest.approx(2 * float(gigabytes), abs=0.1)
