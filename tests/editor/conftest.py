"""A server of a tiny run, and a browser that shows its page."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from editor.asking import FACE, S, Served
from editor.browsing import FORGET, FORGETFUL, WINDOW, only_tab, watched
from facegan.editor.answers import Setup
from facegan.editor.upload_store import UploadStore


@pytest.fixture(scope="session")
def editor_setup(trained, prepared_64) -> Setup:
    """The editor with a tiny run. There is no parser, so it takes no photographs."""
    import edit
    import pix2pix

    args = edit.Args(run=trained(pix2pix).run, data=prepared_64, parser=Path("no_parser"), sample=FACE)
    return edit.page_setup(args, edit.restore(args))


@pytest.fixture(scope="module")
def served(editor_setup):
    """The server, which notes when it paints."""
    pytest.importorskip("starlette", reason="the page needs requirements-edit.txt")
    pytest.importorskip("uvicorn", reason="the page needs requirements-edit.txt")
    from facegan.editor import server

    def paint(edit):
        begin = time.monotonic()
        time.sleep(served.slow)
        served.paints.append((begin, time.monotonic()))
        return editor_setup.paint(edit)

    store = UploadStore(most=6)
    with server.serving(replace(editor_setup, paint=paint), store) as port:
        served = Served(port, editor_setup, store)
        yield served


@pytest.fixture
def true_maps(monkeypatch, raw):
    """Photographs are parsed by looking up the map of face 1 of the raw folder."""
    import edit

    true = np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / "1.png"))
    monkeypatch.setattr(edit, "parser", lambda args: type("Net", (), {"input_shape": (None, S, S, 3)}))
    monkeypatch.setattr(edit, "missing_parser", lambda args: "")
    monkeypatch.setattr(edit.parsers, "label_map", lambda network, photo: true)
    return true


@pytest.fixture(scope="module")
def window(browser):
    """A window that the tests of a file share: a new one takes two seconds."""
    context = browser.new_context(**WINDOW)
    context.add_init_script(FORGETFUL)
    yield context
    context.close()


@pytest.fixture
def page(request, window, served):
    """The page, opened; the words of troubles that are expected of it are the fixture's parameter."""
    with watched(only_tab(window), served, *getattr(request, "param", ()), place=FORGET) as page:
        yield page
