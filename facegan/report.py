"""What a run shows: labelled grids, result pictures, results.csv, the HTML page, scalars and images for TensorBoard."""

import csv
import html
import json
import math
import sys
import time
from pathlib import Path
from string import Template

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from facegan import prepared
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


def grid(rows: dict[str, np.ndarray], columns: list[str], tile: int = 0) -> np.ndarray:
    """Rows of pictures with a label on the left and a caption under each column.

    rows: label -> (N, S, S, 3) float in 0..1, top row first. columns: N captions. tile: side of a picture in the
    grid, 0 for S. Returns (H, W, 3) uint8.
    """
    n, size = next(iter(rows.values())).shape[:2]
    tile = tile or size
    gap, font = 4, ImageFont.load_default(max(11, tile // 10))
    margin = max(int(font.getlength(line)) for label in rows for line in label.split("\n")) + 3 * gap
    caption = int(font.size * 1.8)
    canvas = Image.new("RGB", (margin + n * (tile + gap), len(rows) * (tile + gap) + caption), "white")
    draw = ImageDraw.Draw(canvas)
    for r, (label, pictures) in enumerate(rows.items()):
        top = r * (tile + gap)
        draw.multiline_text((2 * gap, top + tile // 2), label, "black", font, anchor="lm")
        for c, picture in enumerate(pictures):
            image = Image.fromarray(to_uint8(picture))
            if tile != size:
                image = image.resize((tile, tile), Image.Resampling.LANCZOS)
            canvas.paste(image, (margin + c * (tile + gap), top))
    for c, text in enumerate(columns):
        draw.text(
            (margin + c * (tile + gap) + tile // 2, canvas.height - caption // 2), text, "black", font, anchor="mm"
        )
    return np.asarray(canvas)


class Progress:
    """A training run's progress bar with images/s, time left and losses; the same to TensorBoard in run/logs."""

    LOG_STEPS = 20
    SAVE_SECONDS = 600

    def __init__(self, run: Path, step: int, last: int, batch_size: int):
        self.run, self.batch_size = run, batch_size
        self.writer = tf.summary.create_file_writer(str(run / "logs"))
        self.bar = tqdm(
            total=last * batch_size, initial=step * batch_size, desc=run.name, unit="img", smoothing=0.05,
            mininterval=0.5 if sys.stderr.isatty() else 30, maxinterval=60,
        )  # fmt: skip
        self.saved = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
        self.writer.close()

    def update(self, step: int, losses: dict[str, tf.Tensor]) -> None:
        """Count a step. Every LOG_STEPS the losses are fetched, checked, shown and logged; in between they stay on the
        device, which need not wait."""
        self.bar.update(self.batch_size)
        if step % self.LOG_STEPS == 0:
            values = self.check_finite(step, losses)
            self.bar.set_postfix({name: f"{x:.3g}" for name, x in values.items()}, refresh=False)
            with self.writer.as_default(step):
                for name, value in values.items():
                    tf.summary.scalar(f"loss/{name}", value)
                tf.summary.scalar("images_per_second", self.bar.format_dict["rate"] or 0.0)

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
  order = rows.slice().sort((a, b) => sign * (a[key] - b[key]));
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
