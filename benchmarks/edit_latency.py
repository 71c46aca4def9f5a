"""How long from the end of a stroke to the new picture, in the browser? edit.py's page beside gradio's ImageEditor.

    python benchmarks/edit_latency.py                # 256 x 256; needs requirements-dev.txt and Debian's chromium
    pip install gradio                               # for the baseline, whose row is left out without it

Both pages paint with the same generator (its weights untrained, which takes no less time) and are drawn on by the same
mouse. A stroke ends with the pointer going up; the picture is there in the first frame that shows it. The baseline is
what one writes first: gr.ImageEditor with a change event, whose function snaps the colours to regions, and a gr.Image.
"""

import importlib.util
import itertools
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices  # first: it sets TensorFlow's environment

# isort: split
import numpy as np
from playwright.sync_api import Page, sync_playwright

import edit as script
import pix2pix
from facegan import cli, drawing, files, prepared, regions, run_folder
from facegan.editor import editing, server
from facegan.editor.answers import PALETTE, Setup
from facegan.editor.upload_store import UploadStore
from g_simple_mask import make_sample

BASELINE = "gradio's ImageEditor, change event"


@dataclass
class Args:
    size: Literal[64, 128, 256, 512] = 256
    """working size"""
    strokes: int = 20
    """strokes on each page"""
    pause: float = 0.3
    """seconds between a picture and the next stroke"""


def make_data(folder: Path, size: int) -> None:
    """Four drawn faces, prepared; their IDs are noise."""
    rng = np.random.default_rng(0)
    for part in ("samples", "face_ids"):
        (folder / part).mkdir(parents=True)
    files.claim(folder / "prepared.json", "", size=size, source="drawn", layout="parts", resample="area")
    for k in range(4):
        photo, parts, _ = drawing.draw_face(0, k)
        masks = {part: mask.astype(np.uint8) * 255 for part, mask in parts.items()}
        image, region_masks, colors = make_sample(photo, regions.bits_from_parts(masks), size)
        labels = regions.shrink_labels(regions.labels_from_parts(masks), size)
        arrays = dict(Image=image, Masks=region_masks, Colors=colors, Labels=labels)
        prepared.write_npz(folder / "samples" / f"{k}.npz", **arrays)
        prepared.write_npz(folder / "face_ids" / f"{k}.npz", face_id=rng.normal(0, 0.1, 128).astype(np.float32))


def make_run(run: Path, data: Path, size: int) -> None:
    """A run folder of untrained weights."""
    args = pix2pix.Args(run=run, data=data, size=size, precision="float32")
    state = pix2pix.State(args)
    run_folder.record(args, run_folder.Split(np.arange(2), np.arange(0), np.arange(2, 4)))
    state.checkpoints.save(1)


def baseline(setup: Setup):
    """What one writes first, a gr.Blocks."""
    import gradio as gr

    face = editing.read_face(setup.data, 0)
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PALETTE])
    drawn, count = palette[regions.LABEL_REGION[face.map.labels]].astype(np.uint8), itertools.count()

    def paint(value):
        colors = value["composite"][..., :3].astype(int)
        grid = ((colors[..., None, :] - palette) ** 2).sum(-1).argmin(-1).astype(np.uint8)
        edit = replace(editing.begin(face), grid=grid)
        picture = editing.composite(edit, setup.paint(edit))
        picture[0, 0] = next(count) % 256  # gradio names files by their content: equal ones could not be told apart
        return picture

    with gr.Blocks(analytics_enabled=False) as page, gr.Row():
        brush = gr.Brush(default_size=12, colors=list(PALETTE), color_mode="fixed")
        editor = gr.ImageEditor(drawn, brush=brush, type="numpy", elem_id="editor", height=620)
        editor.change(paint, editor, gr.Image(elem_id="result", format="png"))
    return page


OURS = "window.faceEditor ? faceEditor.times.length : 0"
THEIRS = "(x => x && x.complete ? x.src : 0)(document.querySelector('#result img'))"

WATCH = """
window.measured = [];
window.addEventListener("pointerup", () => {
  const sign = () => %s, begun = performance.now(), before = sign();
  (function look() {
    const now = sign();  // 0: the next picture is still loading
    if (now && now !== before) measured.push(performance.now() - begun); else requestAnimationFrame(look);
  })();
}, true);
"""


def measure(page: Page, surface: str, sign: str, args: Args) -> list[float]:
    """Milliseconds of each stroke. sign: an expression that changes with the picture."""
    rng, box = np.random.default_rng(0), page.locator(surface).last.bounding_box()

    def stroke():
        x, y = (box[name] + box[side] * rng.uniform(0.2, 0.7, 2) for name, side in (("x", "width"), ("y", "height")))
        page.mouse.move(x[0], y[0])
        page.mouse.down()
        page.mouse.move(x[1], y[1], steps=8)
        page.mouse.up()

    for _ in range(3):  # the first ones warm up, and gradio's editor passes over its very first
        stroke()
        time.sleep(4)
    page.evaluate(WATCH % sign)
    for i in range(args.strokes):
        stroke()
        page.wait_for_function(f"measured.length > {i}", timeout=60_000)
        time.sleep(args.pause)
    return page.evaluate("measured")


def measure_ours(browser, setup: Setup, args: Args) -> list[float]:
    with server.serving(setup, UploadStore()) as port:
        # wait_for_function() runs text as code, which the page's content security refuses
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_function("window.faceEditor && faceEditor.times.length > 0", timeout=60_000)
        page.keyboard.press("4")
        times = measure(page, "#canvas", OURS, args)
        page.close()
    return times


def measure_theirs(browser, setup: Setup, args: Args) -> list[float]:
    demo = baseline(setup)
    demo.launch(prevent_thread_lock=True, quiet=True)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(demo.local_url)
    page.locator("#editor canvas").first.wait_for()
    time.sleep(3)  # it loads its canvas in several turns
    times = measure(page, "#editor canvas", THEIRS, args)
    demo.close()
    return times


def measure_generator(setup: Setup, args: Args) -> list[float]:
    """Milliseconds of the generator alone, on the server."""
    edit, times = editing.begin(editing.read_face(setup.data, 0)), []
    for _ in range(args.strokes + 5):
        begun = time.perf_counter()
        setup.paint(edit)
        times.append((time.perf_counter() - begun) * 1000)
    return times[5:]


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        print("nothing measured: chromium is not installed (apt-get install chromium)")
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data, run = Path(folder) / "data", Path(folder) / "run"
        make_data(data, args.size)
        make_run(run, data, args.size)
        flags = script.Args(run=run, data=data)
        setup = script.page_setup(flags, script.restore(flags))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        times = {"edit.py's page": measure_ours(browser, setup, args)}
        if importlib.util.find_spec("gradio"):
            times[BASELINE] = measure_theirs(browser, setup, args)
        times["the generator alone, on the server"] = measure_generator(setup, args)
        browser.close()
    print(f"\n{args.size} x {args.size}, {args.strokes} strokes, {devices.in_words()}\n")
    print(table(times))


def table(times: dict[str, list[float]]) -> str:
    """Milliseconds of each way as Markdown; how much quicker than the baseline, where that was measured."""
    lines = ["| from the end of a stroke to the picture | median ms | 90 % ms | x baseline |", "|---|---|---|---|"]
    for way, values in times.items():
        ratio = f"{np.median(times[BASELINE]) / np.median(values):.1f}" if BASELINE in times else ""
        lines.append(f"| {way} | {np.median(values):.0f} | {np.percentile(values, 90):.0f} | {ratio} |")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
