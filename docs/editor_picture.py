"""Write docs/editor.jpg: the page of edit.py as a browser shows it, with drawn sample faces and some edits, and below
what Compare shows of them. After make demo scores; needs chromium, and a run that has styles to borrow:

python pix2pix_rec.py --train --data data/prepared-128 --run runs/demo-rec --size 128 --epochs 10 --batch-size 4
python docs/editor_picture.py --run runs/demo-rec --data data/prepared-128
"""

import io
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import edit as script
from facegan import cli, files
from facegan.editor import server
from facegan.editor.upload_store import UploadStore

WIDTH, HEIGHT, PAGE_HEIGHT, COMPARE_HEIGHT = 1280, 860, 1196, 450
SHOWN_WIDTH = 1120


@dataclass
class Args:
    run: Path = Path("runs/demo-rec")
    """run of pix2pix_rec.py"""
    data: Path = Path("data/prepared-128")
    """prepared sample faces, never photographs of people"""
    parser: Path = Path("runs/demo-parser")
    """run of parse_face.py, without which the page takes no photographs"""
    sample: int = 12
    """the face that is edited"""
    other: int = 21
    """the face that hair is borrowed from"""
    style: int = 17
    """the face that the style of hair is borrowed from"""
    color: str = "#8a3b1f"
    """colour for the hair"""


def act(page: Page, args: Args) -> None:
    """Some edits, of which three are saved."""

    def settle():
        page.wait_for_function("!faceEditor.state().busy", timeout=60_000)

    def take(what: str, k: int):
        page.get_by_label(what, exact=True).check()
        page.locator("#faces").get_by_role("button", name=f"face {k}", exact=True).click()
        page.wait_for_function(f"document.getElementById('status').textContent.includes('face {k}')")
        settle()

    def save():
        settle()
        page.get_by_role("button", name="Save this edit").click()

    page.get_by_label("Colour of mouth", exact=True).fill("#b01030")
    save()
    page.get_by_role("button", name="Start over").click()
    take("hair", args.other)
    save()
    page.get_by_label("Colour of hair", exact=True).fill(args.color)
    save()
    page.get_by_label("The photo's own colour of hair").click()
    page.get_by_label("Strength").fill("80")
    take("style", args.style)
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    flags = script.Args(run=args.run, data=args.data, parser=args.parser, sample=args.sample)
    setup = script.page_setup(flags, script.restore(flags))
    with server.serving(setup, UploadStore()) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        # wait_for_function() runs text as code, which the page's content security refuses
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, bypass_csp=True)
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_function("window.faceEditor && faceEditor.times.length > 0", timeout=60_000)
        act(page, args)
        whole = {"x": 0, "y": 0, "width": WIDTH, "height": PAGE_HEIGHT}
        above = page.screenshot(full_page=True, clip=whole)
        page.get_by_role("button", name="Compare").click()
        page.wait_for_timeout(3000)  # it is painted one picture after another
        below = page.screenshot(clip={**whole, "height": COMPARE_HEIGHT})
        picture = Image.new("RGB", (WIDTH, PAGE_HEIGHT + COMPARE_HEIGHT))
        for y, content in ((0, above), (PAGE_HEIGHT, below)):
            picture.paste(Image.open(io.BytesIO(content)), (0, y))
        jpeg = io.BytesIO()
        picture = picture.resize((SHOWN_WIDTH, round(picture.height * SHOWN_WIDTH / WIDTH)), Image.Resampling.LANCZOS)
        picture.save(jpeg, "JPEG", quality=80, optimize=True)
        files.write_bytes(Path(__file__).with_name("editor.jpg"), jpeg.getvalue())
        browser.close()


if __name__ == "__main__":
    cli.run(main)
