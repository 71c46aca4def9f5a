"""Write docs/commands.md: what --help of every script prints. Run after a change of flags; a test compares."""

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "data"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import cli

SCRIPTS = {
    "data/make_sample.py": "make_sample",
    "g_simple_mask.py": "g_simple_mask",
    "c_mask.py": "c_mask",
    "face_recognition/face_recognition.py": "face_recognition.face_recognition",
    "pix2pix.py": "pix2pix",
    "pix2pix_v2.py": "pix2pix_v2",
    "pix2pix_rec.py": "pix2pix_rec",
    "parse_face.py": "parse_face",
    "own_photo.py": "own_photo",
    "evaluate.py": "evaluate",
    "export.py": "export",
    "edit.py": "edit",
}


def help_of(script: str) -> str:
    """What `python SCRIPT --help` prints on a terminal 100 columns wide."""
    os.environ["COLUMNS"] = "100"
    module = importlib.import_module(SCRIPTS[script])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        cli.parse(module.Args, description=module.__doc__, prog=script, args=["--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def page() -> str:
    """The whole page, Markdown."""
    parts = [f"## {script}\n\n```text\n{help_of(script)}\n```\n" for script in SCRIPTS]
    return "# Command lines\n\nCaptured from `--help` by `python docs/commands.py`.\n\n" + "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
