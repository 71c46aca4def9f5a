"""A training's progress: the bar, metrics.csv, epoch grids, and the same for TensorBoard."""

import contextlib
import csv
import io
import math
import os
import re
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from facegan import checkpoints, devices, files, pictures
from facegan.errors import BadInput, brief, printable

CHOOSE = ("val/perceptual", "val/loss")
"""Which losses over the validation faces to choose an epoch by: the first that there is."""


class Progress:
    """A training run's progress: a bar with images/s, time left and losses; the same in run/metrics.csv and, for
    TensorBoard, in run/logs. Of several machines only the chief shows and writes."""

    LOG_STEPS = 20
    SAVE_SECONDS = 600

    def __init__(self, run: Path, step: int, last: int, batch_size: int):
        self.run, self.batch_size = run, batch_size
        self.chief = devices.is_chief()
        self.metrics = run / "metrics.csv"
        if self.chief:
            forget_rows_after(self.metrics, step)
        self.writer = file_writer(run / "logs") if self.chief else tf.summary.create_noop_writer()
        self.bar = tqdm(
            total=last * batch_size, initial=step * batch_size, desc=printable(run.name), unit="img", smoothing=0.05,
            mininterval=0.5 if sys.stderr.isatty() else 30, maxinterval=60, disable=not self.chief,
        )  # fmt: skip
        self.save_time = self.log_time = time.monotonic()
        self.log_step = self.saved_step = step
        self.recent: list[tuple[int, dict, tf.Tensor | None]] = []

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.bar.close()
        with contextlib.suppress(tf.errors.OpError) if failure else contextlib.nullcontext():
            self.writer.close()

    def update(
        self, step: int, losses: dict[str, tf.Tensor], faces: tf.Tensor | None = None, log: bool = False
    ) -> None:
        """Count a step. Every LOG_STEPS, and when log says so, the losses are fetched, checked, shown and logged; in
        between they stay on the device, which need not wait. faces: the numbers of the batch's."""
        self.bar.update(self.batch_size)
        self.recent.append((step, losses, faces))
        if log or step % self.LOG_STEPS == 0:
            values = self.check_finite(losses)
            self.recent.clear()
            now = time.monotonic()
            rate = (step - self.log_step) * self.batch_size / (now - self.log_time)
            self.log_time, self.log_step = now, step
            self.bar.set_postfix({name: f"{x:.3g}" for name, x in values.items()}, refresh=False)
            if self.chief:
                append_row(self.metrics, {"step": step, "images_per_second": rate, **values})
            with self.writer.as_default(step):
                for name, value in {"images_per_second": rate, **values}.items():
                    tf.summary.scalar(f"train/{name}", value)

    def log_validation(self, step: int, losses: dict[str, float]) -> None:
        """Log losses over the validation faces: a row of metrics.csv whose other columns are empty."""
        values = {f"val/{name}": x for name, x in losses.items()}
        if wrong := [name for name, x in values.items() if not math.isfinite(x)]:
            tqdm.write(f"not finite after step {step}: {', '.join(wrong)}")
        append_row(self.metrics, {"step": step, **values})
        with self.writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def check_finite(self, losses: dict[str, tf.Tensor]) -> dict[str, float]:
        """The losses as numbers. Raises BadInput when one is not finite, which names the first such step."""
        if is_finite(losses):
            return {name: float(x) for name, x in losses.items()}
        step, earlier, faces = next(recent for recent in self.recent if not is_finite(recent[1]))
        values = {name: float(x) for name, x in earlier.items() if not math.isfinite(x)}
        (name, value), *others = values.items()
        words = [f"loss {name} is {value} at step {step}"]
        if others:
            words.append(f"not finite either: {', '.join(name for name, _ in others)}")
        if faces is not None:
            words.append(f"the batch: faces {', '.join(map(str, devices.numbers_of(faces)))}")
        words.append(checkpoints.last_good(self.run / "checkpoints", self.saved_step))
        raise BadInput(
            f"{'; '.join(words)}. Start a new --run with a lower --learning-rate, or with --precision float32."
        )

    def time_to_save(self) -> bool:
        """True every ten minutes."""
        if time.monotonic() - self.save_time < self.SAVE_SECONDS:
            return False
        self.save_time = time.monotonic()
        return True

    def show_grid(self, epoch: int, step: int, picture: np.ndarray) -> None:
        """Write an epoch's grid, (H, W, 3) uint8, to run/grids and to TensorBoard."""
        (self.run / "grids").mkdir(exist_ok=True)
        text = pictures.synthetic(self.run.resolve().name, step)
        pictures.save_png(self.run / "grids" / f"epoch_{epoch:04d}.png", picture, text)
        with self.writer.as_default(step):
            tf.summary.image("faces", picture[None])


def is_finite(losses: dict[str, tf.Tensor]) -> bool:
    return all(math.isfinite(x) for x in losses.values())


def file_writer(logs: Path) -> tf.summary.SummaryWriter:
    """TensorBoard's writer into a folder."""
    logs.mkdir(exist_ok=True)  # raises OSError for a file of that name
    return tf.summary.create_file_writer(os.fsencode(logs))  # a name need not be UTF-8


def append_row(path: Path, row: dict) -> None:
    """Append a row to a .csv; columns that it does not have yet are added, and empty in the rows before.

    A file that another program rewrote meanwhile, a spreadsheet for instance, is put aside, and a new one begun: what
    is only a record must not end a training.
    """
    row = {name: f"{x:.6g}" if isinstance(x, float) else x for name, x in row.items()}
    with files.named_errors(path), path.open("a+", newline="", encoding="utf-8", errors="replace") as file:
        file.seek(0)
        reader = csv.reader(line.replace("\0", "").removeprefix("\ufeff") for line in file)
        try:
            header = next(reader, None)
            if header and header[0] == "step" and set(row) <= set(header):
                csv.DictWriter(file, header).writerow(row)
                return
            rows = list(reader)
        except csv.Error:  # a cell of 128 KB
            header, rows = [], []
    if header is not None and (header[:1] != ["step"] or any(len(cells) != len(header) for cells in rows)):
        aside = next(new for n in count(1) if not (new := path.with_name(f"{path.stem}.changed-{n}.csv")).exists())
        path.rename(aside)
        tqdm.write(f"{printable(path)} was changed by another program: it is {aside.name} now, and a new one begins")
        header, rows = None, []
    header = header or []
    table = io.StringIO()
    writer = csv.DictWriter(table, dict.fromkeys([*header, *row]))
    writer.writeheader()
    writer.writerows([*(dict(zip(header, cells, strict=True)) for cells in rows), row])
    files.write_text(path, table.getvalue())


def metrics_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv, to read only, whatever other programs made of it; none where there is no such file.
    as_number() reads their cells."""
    text = files.open_regular(path, files.LARGEST_TABLE).read().decode(errors="replace") if path.exists() else ""
    lines = text.replace("\0", "").removeprefix("\ufeff").splitlines()
    try:
        return list(csv.DictReader(lines))
    except csv.Error:  # a cell of 128 KB
        return []


def best_epoch(path: Path, steps_of_an_epoch: int) -> str:
    """What metrics.csv says about the epoch with the least validation loss of those in CHOOSE; "" without one. Values
    that are not finite do not count."""
    rows = metrics_rows(path)
    for name in CHOOSE:
        pairs = [(as_number(row.get("step")), as_number(row.get(name))) for row in rows]
        if values := {step: loss for step, loss in pairs if math.isfinite(step) and math.isfinite(loss)}:
            best, last = min(values, key=values.get), max(values)
            epochs = f"after epoch {best // steps_of_an_epoch:.0f} of {last // steps_of_an_epoch:.0f}"
            return f"least {name}: {values[best]:.4g} {epochs}; {values[last]:.4g} at the end"
    return ""


def as_number(text: object) -> float:
    """A cell's number; NaN where there is none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def forget_rows_after(path: Path, step: int) -> None:
    """Drop the rows of metrics.csv that a resumed run will write again, and a last line that a kill cut short. Raises
    BadInput when it has anything else that this program did not write."""
    remedy = "move it away, and the same command goes on with a new one."
    text = files.read_text(path, remedy, files.LARGEST_TABLE) if path.exists() else ""
    *lines, _ = re.split(r"\r?\n", text)  # the last ends nowhere: it is empty, or cut short
    if text:
        files.check_header(path, (lines or [text])[0].split(","), ["step"], remedy)
    if "\r" in "".join(lines or [text.rstrip("\r")]):
        raise BadInput(f"{path} has line ends of another program: {remedy}")
    columns, kept = lines[0].count(",") if lines else 0, lines[:1]
    for number, line in enumerate(lines[1:], 2):
        if line.count(",") != columns or not re.fullmatch(r"[0-9]{1,18}", line.split(",")[0]):
            raise BadInput(f"{path} has a line {number} that no training writes ({brief(line)}): {remedy}")
        if int(line.split(",")[0]) <= step:
            kept.append(line)
    rest = "".join(f"{line}\r\n" for line in kept)
    if rest != text or not path.exists():
        files.write_text(path, rest)
