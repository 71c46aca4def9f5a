"""The documentation is not behind the code."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import commands  # noqa: E402  (docs/commands.py)


def test_captured_help_is_current():
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == commands.page()  # run docs/commands.py


def test_every_link_and_script_that_the_readme_names_is_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    scripts = re.findall(r"python ((?:\w+/)*\w+\.py)", readme)
    assert links
    assert len(scripts) > 5
    assert [name for name in links + scripts if not (ROOT / name).exists()] == []


def test_every_dependency_is_explained_in_the_readme_and_bounded():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, bounds = re.fullmatch(r"([\w-]+)(.*)", line).groups()
            assert re.search(r"==|>=.*,<", bounds), line
            assert f"| {name} |" in readme, name
