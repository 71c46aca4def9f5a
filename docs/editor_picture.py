"""Write docs/editor.jpg: the page of edit.py as a browser shows it, with drawn sample faces and some edits.

python docs/editor_picture.py --run runs/demo --data data/prepared-128     # after make demo; needs chromium
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

WIDTH, HEIGHT = 1280, 860


@dataclass
class Args:
    run: Path = Path("runs/demo")
    """trained run"""
    data: Path = Path("data/prepared-128")
    """prepared sample faces, never photographs of people"""
    sample: int = 12
    """the face that is edited"""
    other: int = 21
    """the face that is borrowed from"""
    color: str = "#8a3b1f"
    """colour for the hair"""


def act(page: Page, args: Args) -> None:
    """Some edits, of which two are saved."""

    def settle():
        page.wait_for_function("!faceEditor.state().busy", timeout=60_000)

    def take(what: str):
        page.get_by_label(what, exact=True).check()
        page.locator("#faces").get_by_role("button", name=f"face {args.other}", exact=True).click()
        page.wait_for_function(f"document.getElementById('status').textContent.includes('face {args.other}')")
        settle()

    def save():
        settle()
        page.get_by_role("button", name="Save this edit").click()

    page.get_by_label("Colour of mouth", exact=True).fill("#b01030")
    save()
    page.get_by_role("button", name="Start over").click()
    take("hair")
    save()
    page.get_by_label("Colour of hair", exact=True).fill(args.color)
    save()
    page.keyboard.press("3")
    page.evaluate("scrollTo(0, 0)")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.46, box["y"] + box["height"] * 0.78)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.54, box["y"] + box["height"] * 0.785, steps=6)
    page.mouse.up()
    settle()


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    flags = script.Args(run=args.run, data=args.data, sample=args.sample)
    setup = script.page_setup(flags, script.restore(flags))
    with server.serving(setup, UploadStore()) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        # wait_for_function() runs text as code, which the page's content security refuses
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, bypass_csp=True)
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_function("window.faceEditor && faceEditor.times.length > 0", timeout=60_000)
        act(page, args)
        picture = Image.open(io.BytesIO(page.screenshot()))
        jpeg = io.BytesIO()
        picture.convert("RGB").save(jpeg, "JPEG", quality=88)
        files.write_bytes(Path(__file__).with_name("editor.jpg"), jpeg.getvalue())
        browser.close()


if __name__ == "__main__":
    cli.run(main)
