"""facegan/progress.py: metrics.csv, TensorBoard, grids of epochs, and what a resumed run forgets."""

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from facegan import progress as progress_module
from facegan.errors import BadInput
from facegan.progress import Progress, append_row, best_epoch, forget_rows_after


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


def test_every_twentieth_step_is_logged_for_people_and_for_tensorboard(tmp_path):
    with Progress(tmp_path, step=0, last=45, batch_size=4) as progress:
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
    with Progress(tmp_path, step=0, last=10, batch_size=4) as progress:
        for step in range(1, 6):
            progress.update(step, {"g": tf.constant(1.0)}, log=step == 3)
    assert [row["step"] for row in csv.DictReader((tmp_path / "metrics.csv").open())] == ["3"]


def test_images_per_second_counts_the_images_since_the_last_row(tmp_path, monkeypatch):
    """A clock by which the first 20 steps take 8 s, the next 20 take 2 s, from a run that goes on at step 20."""
    clock = [0.0]
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with Progress(tmp_path, step=20, last=60, batch_size=4) as progress:
        for step in range(21, 61):
            clock[0] += 0.4 if step <= 40 else 0.1
            progress.update(step, {"g": tf.constant(1.0)})
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [float(row["images_per_second"]) for row in rows] == [10, 40]


def test_between_logged_steps_losses_stay_on_the_device(tmp_path):
    class Unfinished:
        def __float__(self):
            raise AssertionError("the device had to be waited for")

    with Progress(tmp_path, step=0, last=100, batch_size=4) as progress:
        for step in range(1, 20):
            progress.update(step, {"g": Unfinished()})
        assert progress.bar.n == 19 * 4
        with pytest.raises(AssertionError, match="waited for"):
            progress.update(20, {"g": Unfinished()})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_a_sentence_and_no_row(value, tmp_path):
    sentence = rf"loss d is {value} at step 20; .*checkpoints keeps .*--learning-rate.*--precision float32"
    with Progress(tmp_path, 0, 100, 4) as progress, pytest.raises(BadInput, match=sentence):
        progress.update(20, {"g": tf.constant(1.0), "d": tf.constant(value)})
    assert (tmp_path / "metrics.csv").read_text() == ""


def test_it_is_time_to_save_every_ten_minutes(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    with Progress(tmp_path, step=0, last=100, batch_size=4) as progress:
        saves = []
        for clock[0] in range(0, 2000, 100):
            if progress.time_to_save():
                saves.append(clock[0])
    assert saves == [600, 1200, 1800]


def test_the_grid_of_an_epoch_is_a_picture_and_an_image_in_tensorboard(tmp_path):
    shown = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    with Progress(tmp_path, step=0, last=100, batch_size=4) as progress:
        progress.show_grid(7, 50, shown)
    np.testing.assert_array_equal(Image.open(tmp_path / "grids" / "epoch_0007.png"), shown)
    assert logged(tmp_path) == [("faces", 50, None)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("step,g\n20,1\n40,2\n60,3\n", "step,g\n20,1\n40,2\n"),
        ("step,g\n20,1\n40,2", "step,g\n20,1\n"),
        ("step,g\n20,1\n40,2\n60", "step,g\n20,1\n40,2\n"),
        ("step,g\n", "step,g\n"),
        ("step,g", ""),
        ("", ""),
        ("\ufeffstep,g\n20,1\n", "step,g\n20,1\n"),
    ],
    ids=["later", "no end", "a later half row", "no row", "half a header", "nothing", "byte order mark"],
)
def test_a_run_that_goes_on_at_step_40_forgets_later_rows_and_torn_ones(before, after, tmp_path):
    (tmp_path / "metrics.csv").write_text(before)
    forget_rows_after(tmp_path / "metrics.csv", 40)
    assert (tmp_path / "metrics.csv").read_text() == after


@pytest.mark.parametrize(
    "content",
    [
        *(b"step;g\n20;1\n", b"20,1\n40,2\n", "step,g\n20,1\n".encode("utf-16"), b"\xff\n", b"my notes"),
        *(b"step,g\r20,1\r", b"step,g\n20,1\n40\n", b"step,g\n20.0,1\n", b'step,g\n20,"0,1"\n', b"step,g,note\n20,1\n"),
        b"step,g\n" + b"9" * 5000 + b",1\n",
    ],
)
def test_a_metrics_file_of_somebody_else_is_never_emptied(content, tmp_path):
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(BadInput, match=r"metrics\.csv .*move it away, and the same command goes on with a new one\.$"):
        forget_rows_after(tmp_path / "metrics.csv", 40)
    assert (tmp_path / "metrics.csv").read_bytes() == content


def test_a_run_that_goes_on_repeats_no_row(tmp_path):
    for start, last in ((0, 60), (30, 60)):  # stopped at 60, but last saved at 30
        with Progress(tmp_path, start, last, batch_size=4) as progress:
            for step in range(start + 1, last + 1):
                progress.update(step, {"g": tf.constant(float(start))})
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [(row["step"], row["g"]) for row in rows] == [("20", "0"), ("40", "30"), ("60", "30")]


@pytest.mark.parametrize(
    "content",
    [
        *(b"step;g\n20;0,5\n", "step,g\n20,1\n".encode("utf-16"), b"step\n20,1\n", b"\xff\x00", b"\n,g\n20,1\n"),
        *(b"step," + 140_000 * b"x" + b"\n20,1\n", b"step\n" + 140_000 * b"2" + b"\n"),
    ],
)
def test_a_metrics_file_that_a_spreadsheet_rewrote_meanwhile_is_put_aside_and_ends_no_training(content, tmp_path):
    path = tmp_path / "metrics.csv"
    for n in (1, 2):
        path.write_bytes(content)
        append_row(path, {"step": 40, "g": 0.25})
        assert list(csv.DictReader(path.open())) == [{"step": "40", "g": "0.25"}]
        assert (tmp_path / f"metrics.changed-{n}.csv").read_bytes() == content


def test_a_byte_order_mark_hides_no_column(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("\ufeffstep,g\n20,1\n", encoding="utf-8")
    append_row(path, {"step": 40, "g": 2.0})
    append_row(path, {"step": 40, "val/loss": 3.0})
    rows = list(csv.reader(path.open(encoding="utf-8-sig", newline="")))
    assert rows == [["step", "g", "val/loss"], ["20", "1", ""], ["40", "2", ""], ["40", "", "3"]]


def test_the_best_epoch_is_found_among_finite_numbers(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text('step,val/loss\n4,nan\n8,0.5\n12,0.25\n16,"0,1"\nx,0.1\n20,0.75\n')
    assert best_epoch(path, 4) == "least val/loss: 0.25 after epoch 3 of 5; 0.75 at the end"
    path.write_text("step,g\n4,1\n")
    assert best_epoch(path, 4) == ""
