"""What a run shows: labelled grids, result pictures, results.csv, the HTML page, scalars and images for TensorBoard."""

import contextlib
import csv
import html
import json
import math
import re
import sys
import time
from pathlib import Path
from string import Template

import keras
import numpy as np
import tensorflow as tf
from keras import tree
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from facegan import dlibnet, pipeline, prepared, runs, runtime
from facegan.errors import BadInput


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """0..1 float -> 0..255 uint8, rounded."""
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write an (H, W, 3) picture, float in 0..1 or uint8, atomically."""
    if picture.dtype != np.uint8:
        picture = to_uint8(picture)
    with prepared.atomic(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def grid(rows: dict[str, np.ndarray], columns: list[str]) -> np.ndarray:
    """Rows of pictures with a label on the left and a caption under each column.

    rows: label -> (N, S, S, 3) float in 0..1, top row first. columns: N captions. Returns (H, W, 3) uint8.
    """
    n, size = next(iter(rows.values())).shape[:2]
    gap, font = 4, ImageFont.load_default(max(11, size // 10))
    margin = max(int(font.getlength(line)) for label in rows for line in label.split("\n")) + 3 * gap
    caption = int(font.size * 1.8)
    canvas = Image.new("RGB", (margin + n * (size + gap), len(rows) * (size + gap) + caption), "white")
    draw = ImageDraw.Draw(canvas)
    for r, (label, pictures) in enumerate(rows.items()):
        top = r * (size + gap)
        draw.multiline_text((2 * gap, top + size // 2), label, "black", font, anchor="lm")
        for c, picture in enumerate(pictures):
            canvas.paste(Image.fromarray(to_uint8(picture)), (margin + c * (size + gap), top))
    for c, text in enumerate(columns):
        center = margin + c * (size + gap) + size // 2
        draw.text((center, canvas.height - caption // 2), text, "black", font, anchor="mm")
    return np.asarray(canvas)


class Progress:
    """A training run's progress: a bar with images/s, time left and losses; the same in run/metrics.csv and, for
    TensorBoard, in run/logs. Of several machines only the chief shows and writes."""

    LOG_STEPS = 20
    SAVE_SECONDS = 600

    def __init__(self, run: Path, step: int, last: int, batch_size: int):
        self.run, self.batch_size = run, batch_size
        self.chief = runtime.is_chief()
        self.metrics = run / "metrics.csv"
        if self.chief:
            forget_rows_after(self.metrics, step)
        self.writer = (
            tf.summary.create_file_writer(str(run / "logs")) if self.chief else tf.summary.create_noop_writer()
        )
        self.bar = tqdm(
            total=last * batch_size, initial=step * batch_size, desc=run.name, unit="img", smoothing=0.05,
            mininterval=0.5 if sys.stderr.isatty() else 30, maxinterval=60, disable=not self.chief,
        )  # fmt: skip
        self.saved = self.logged = time.monotonic()
        self.logged_step = step

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.bar.close()
        with contextlib.suppress(tf.errors.OpError) if failure else contextlib.nullcontext():
            self.writer.close()

    def update(self, step: int, losses: dict[str, tf.Tensor], log: bool = False) -> None:
        """Count a step. Every LOG_STEPS, and when log says so, the losses are fetched, checked, shown and logged; in
        between they stay on the device, which need not wait."""
        self.bar.update(self.batch_size)
        if log or step % self.LOG_STEPS == 0:
            values = self.check_finite(step, losses)
            now = time.monotonic()
            rate = (step - self.logged_step) * self.batch_size / (now - self.logged)
            self.logged, self.logged_step = now, step
            self.bar.set_postfix({name: f"{x:.3g}" for name, x in values.items()}, refresh=False)
            if self.chief:
                append_row(self.metrics, {"step": step, "images_per_second": rate, **values})
            with self.writer.as_default(step):
                for name, value in {"images_per_second": rate, **values}.items():
                    tf.summary.scalar(f"train/{name}", value)

    def check_finite(self, step: int, losses: dict[str, tf.Tensor]) -> dict[str, float]:
        """The losses as numbers. Raises BadInput when one is not finite."""
        values = {name: float(x) for name, x in losses.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise BadInput(
                    f"loss {name} is {value} at step {step}; {self.run / 'checkpoints'} keeps the last good state. "
                    "Start a new --run with a lower --learning-rate, or with --precision float32."
                )
        return values

    def time_to_save(self) -> bool:
        """True every ten minutes."""
        if time.monotonic() - self.saved < self.SAVE_SECONDS:
            return False
        self.saved = time.monotonic()
        return True

    def show_grid(self, epoch: int, step: int, picture: np.ndarray) -> None:
        """Write an epoch's grid, (H, W, 3) uint8, to run/grids and to TensorBoard."""
        (self.run / "grids").mkdir(exist_ok=True)
        save_png(self.run / "grids" / f"epoch_{epoch:04d}.png", picture)
        with self.writer.as_default(step):
            tf.summary.image("faces", picture[None])


def describe_run(args, train_numbers, test_numbers, passes: dict[keras.Model, int], judged: int = 0) -> None:
    """Print what --dry-run does: shapes and parameters of the networks, memory, steps.

    passes: network -> how often a step calls it on a whole batch; judged: how often dlib's network sees one. Memory is
    an estimate: every layer's output of every pass is kept for the backward pass; weights, two moments of Adam,
    gradients and the moving average in float32; 0.2 GB of workspace. On a CPU, at 128 px in float32, the
    process took 0.8 to 0.9 GB more.
    """
    steps = runs.steps_of_an_epoch(args, len(train_numbers))
    per_device = args.batch_size // runtime.strategy().num_replicas_in_sync
    full = 8 if args.precision == "float64" else 4
    bytes_a_number = 3 if args.precision.startswith("mixed") else full  # a part of a layer's work stays in float32
    weights, outputs = 0, bytes_a_number * judged * dlibnet.OUTPUTS * per_device
    for network, times in passes.items():
        shapes = [tuple(t.shape[1:]) for layer in network.layers for t in tree.flatten(layer.output)]
        numbers = sum(math.prod(shape) for shape in shapes)
        into, out = (
            " + ".join(" x ".join(map(str, t.shape[1:])) for t in tensors)
            for tensors in (network.inputs, network.outputs)
        )
        print(f"{network.name}: {into} -> {out}, {network.count_params():,} parameters")
        weights += 5 * full * network.count_params()
        outputs += times * numbers * bytes_a_number * per_device
    print(
        f"memory of a device: about {(weights + outputs) / 1e9 + 0.2:.1f} GB ({weights / 1e9:.1f} weights and Adam, "
        f"{outputs / 1e9:.1f} layer outputs of {per_device} faces)"
    )
    records = pipeline.record_bytes(args.size) * (len(train_numbers) + len(test_numbers))
    print(f"packed records: {records / 1e9:.2f} GB")
    print(f"{len(train_numbers)} training and {len(test_numbers)} test faces: {steps} steps an epoch")
    print(f"{args.epochs} epochs: {steps * args.epochs} steps. Nothing was written.")


def append_row(path: Path, row: dict) -> None:
    """Append a row to a .csv, after a header when it is the first."""
    new = not path.exists() or not path.stat().st_size
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow({name: f"{x:.6g}" if isinstance(x, float) else x for name, x in row.items()})


def forget_rows_after(path: Path, step: int) -> None:
    """Drop the rows of metrics.csv that a resumed run will write again, and lines that a kill cut short."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    header, *rows = re.findall(r".*\n", text) or [""]
    rows = [row for row in rows if row.count(",") == header.count(",")]
    kept = [row for row in rows if row.split(",")[0].isdecimal() and int(row.split(",")[0]) <= step]
    prepared.write_text(path, "".join([header, *kept] if header.startswith("step,") else kept[:0]))


class Results:
    """The folder --test writes: every picture as <k>_<name>.png; on leaving also results.csv, grid.png, index.html, and
    results.json, which says that all of it is there and of one run."""

    GRID_COLUMNS = 8

    def __init__(self, out: Path, about: dict, numbers: np.ndarray, labels: dict[str, str], also: dict | None = None):
        """about: runs.about_test(). labels: name of a picture -> its label, from the top row of the grid to the bottom.
        also: not in the grid."""
        self.out, self.about, self.labels, self.pictures = out, about, labels, labels | (also or {})
        self.title = f"{about['script'].removesuffix('.py')}, {about['split']} faces, step {about['step']}"
        self.rows, self.columns = [], []
        places = np.linspace(0, len(numbers) - 1, min(self.GRID_COLUMNS, len(numbers))).astype(int)
        self.in_grid = set(numbers[places].tolist())
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.json").unlink(missing_ok=True)  # from here on pictures of two runs may lie side by side
        for path in (out / "evaluation").glob("*"):  # evaluate.py's, of the pictures before
            if path.suffix in (".json", ".md", ".csv", ".png"):
                path.unlink()
        self.bar = tqdm(total=len(numbers), desc="painting", unit="face")

    def add(self, painted: dict[str, np.ndarray], about: dict[str, np.ndarray]) -> None:
        """Write a batch: pictures (B, S, S, 3) by name; about: columns of results.csv, (B,) each, k first."""
        for i in range(len(about["k"])):
            self.rows.append({name: column[i].item() for name, column in about.items()})
            k = self.rows[-1]["k"]
            for name in self.pictures:
                save_png(self.out / f"{k}_{name}.png", painted[name][i])
            if k in self.in_grid:
                self.columns.append((str(k), {name: painted[name][i] for name in self.labels}))
            self.bar.update()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.bar.close()
        if failure:
            return
        write_csv(self.out / "results.csv", self.rows)
        write_page(self.out / "index.html", self.title, self.rows, dict(reversed(self.pictures.items())))
        rows = {label: np.stack([c[name] for _, c in self.columns]) for name, label in self.labels.items()}
        save_png(self.out / "grid.png", grid(rows, [k for k, _ in self.columns]))
        prepared.write_text(
            self.out / "results.json", json.dumps({**self.about, "faces": len(self.rows)}, indent=2) + "\n"
        )
        scores = [name for name, x in self.rows[0].items() if isinstance(x, float)]
        means = {name: np.nanmean([row[name] for row in self.rows]) for name in scores}
        print(", ".join(f"{name} {x:.4f}" for name, x in means.items()) + f" (mean of {len(self.rows)} faces)")
        print(f"grid: {self.out / 'grid.png'}\npage: {self.out / 'index.html'}")


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows with the same keys as a .csv with a header, atomically; floats with six digits."""
    with prepared.atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{x:.6f}" if isinstance(x, float) else x for name, x in row.items()})


def write_page(path: Path, title: str, rows: list[dict], kinds: dict[str, str]) -> None:
    """Write index.html beside the pictures: every result of results.csv, a page at a time, sortable by score.

    kinds: suffix of the picture's file name -> caption, in the order to show.
    """
    rounded = [{name: round(x, 5) if isinstance(x, float) else x for name, x in row.items()} for row in rows]
    data = json.dumps(rounded)  # a missing score is NaN, which JavaScript reads as such
    page = PAGE.substitute(title=html.escape(title), rows=data.replace("</", "<\\/"), kinds=json.dumps(kinds))
    prepared.write_text(path, page)


PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 1400px; padding: 0 1rem; }
  nav { position: sticky; top: 0; background: #fff; padding: .5rem 0; display: flex; gap: .5rem; flex-wrap: wrap;
        align-items: center; border-bottom: 1px solid #ccc; }
  .face { display: flex; flex-wrap: wrap; gap: 6px; padding: .6rem 0; border-bottom: 1px solid #eee; }
  .face p { width: 100%; margin: 0; color: #444; }
  figure { margin: 0; flex: 1 1 140px; max-width: 256px; }
  img { width: 100%; display: block; background: #ddd; }
  figcaption { font-size: 12px; color: #555; }
</style>
<h1>$title</h1>
<nav aria-label="pages">
  <button id="previous" title="left arrow key">previous</button>
  <span id="place" aria-live="polite"></span>
  <button id="next" title="right arrow key">next</button>
  <label>sort by <select id="sort"></select></label>
  <label><input type="checkbox" id="descending"> largest first</label>
  <label>go to face <input id="face" type="number" style="width: 6em"></label>
</nav>
<main id="faces"></main>
<script>
const rows = $rows, kinds = $kinds, perPage = 20;
const at = id => document.getElementById(id);
let order = rows.slice(), page = 0;
for (const name of Object.keys(rows[0])) at("sort").add(new Option(name, name));
function draw() {
  const pages = Math.ceil(order.length / perPage);
  page = Math.max(0, Math.min(page, pages - 1));
  at("place").textContent = "page " + (page + 1) + " of " + pages + ", " + order.length + " faces";
  at("faces").replaceChildren(...order.slice(page * perPage, (page + 1) * perPage).map(row => {
    const face = document.createElement("section"), text = document.createElement("p");
    face.className = "face";
    text.textContent = Object.entries(row).map(([name, value]) => name + " " + value).join(" · ");
    face.append(text);
    for (const [suffix, caption] of Object.entries(kinds)) {
      const figure = document.createElement("figure"), image = new Image();
      const words = document.createElement("figcaption");
      image.src = row.k + "_" + suffix + ".png";
      image.alt = caption + " of face " + row.k;
      image.loading = "lazy";
      words.textContent = caption;
      figure.append(image, words);
      face.append(figure);
    }
    return face;
  }));
  scrollTo(0, 0);
}
function sort() {
  const key = at("sort").value, sign = at("descending").checked ? -1 : 1;
  order = rows.slice().sort((a, b) => isNaN(a[key]) - isNaN(b[key]) || sign * (a[key] - b[key]));  // NaN last
  page = 0;
  draw();
}
at("previous").onclick = () => { page--; draw(); };
at("next").onclick = () => { page++; draw(); };
at("sort").onchange = at("descending").onchange = sort;
at("face").onchange = () => {
  const place = order.findIndex(row => row.k === +at("face").value);
  if (place >= 0) { page = Math.floor(place / perPage); draw(); }
};
addEventListener("keydown", event => {
  if (event.target.tagName === "INPUT" || event.target.tagName === "SELECT") return;
  if (event.key === "ArrowLeft") at("previous").click();
  if (event.key === "ArrowRight") at("next").click();
});
draw();
</script>
</html>
""")
