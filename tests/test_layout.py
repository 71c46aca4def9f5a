"""Who imports whom: facegan's imports run one way, and light modules stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIGHT = (
    "regions",
    "celebamask",
    "prepared",
    "arrays",
    "jobs",
    "files",
    "pictures",
    "picture_files",
    "numberings",
    "labelmaps",
    "cli",
    "errors",
)
"""Modules for preprocessing, and for scripts that only write files: TensorFlow takes ten seconds to import."""
TRAINING_SCRIPTS = ("pix2pix", "pix2pix_v2", "pix2pix_rec", "parse_face")
NOT_FOR_TRAINING = ("facegan.evaluation", "facegan.edit")
"""Beginnings of names: what judges pictures, and the face editor, under its present names and as a package."""


def module_name(path: Path) -> str:
    """The dotted name under which Python imports a file of the repository."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PATHS = {
    module_name(path): path for folder in (".", "facegan", "face_recognition") for path in ROOT.glob(f"{folder}/*.py")
}
PATHS |= {module_name(path): path for path in (ROOT / "facegan").rglob("*.py")}


def imported_names(path: Path) -> Iterator[str]:
    """The dotted names that a file imports anywhere, in functions too; `from a import b` gives both a.b and a."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not understood here"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in PATHS else node.module


IMPORTS = {module: set(imported_names(path)) - {module} for module, path in PATHS.items()}


def reached(module: str) -> set[str]:
    """Everything that a module of the repository imports, directly or through others of the repository."""
    names, ahead = set(), [module]
    while ahead:
        for name in IMPORTS.get(ahead.pop(), ()):
            if name not in names:
                names.add(name)
                ahead.append(name)
    return names


def test_the_whole_package_is_looked_at():
    assert {"facegan.files", "facegan.drawing.face", "facegan.evaluation.judges", "pix2pix"} <= PATHS.keys()
    assert "facegan.files" in IMPORTS["facegan.prepared"]
    assert "tensorflow" in reached("facegan.loop")
    assert "facegan.evaluation.metrics" in reached("evaluate")


def test_no_module_of_facegan_imports_itself_through_others():
    assert [module for module in PATHS if module.startswith("facegan") and module in reached(module)] == []


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_do_not_reach_tensorflow(module):
    heavy = {name for name in reached(f"facegan.{module}") if name.split(".")[0] in ("tensorflow", "keras")}
    assert heavy == set()


@pytest.mark.parametrize("script", TRAINING_SCRIPTS)
def test_a_training_reaches_neither_judges_nor_the_editor(script):
    assert [name for name in reached(script) if name.startswith(NOT_FOR_TRAINING)] == []


@pytest.mark.parametrize(("module", "package"), [("facegan.pictures", "tensorflow"), ("facegan.files", "dlib")])
def test_importing_a_light_module_leaves_the_package_out(module, package):
    program = f"import sys, {module}; sys.exit({package!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
