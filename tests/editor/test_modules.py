"""Imports run one way, in the package and in the page's JavaScript."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import facegan.editor

PACKAGE = Path(facegan.editor.__file__).parent
PAGE = PACKAGE / "page"


def test_the_packages_imports_run_down_its_list():
    order = re.findall(r"^(\w+)\.py ", facegan.editor.__doc__, re.MULTILINE)
    assert sorted([*order, "__init__"]) == sorted(path.stem for path in PACKAGE.glob("*.py"))
    for name in order:
        text = (PACKAGE / f"{name}.py").read_text("utf-8")
        imports = set(re.findall(r"^from facegan\.editor\.(\w+) import", text, re.MULTILINE))
        for names in re.findall(r"^from facegan\.editor import (.*)", text, re.MULTILINE):
            imports |= set(names.split(", "))
        assert imports <= set(order[order.index(name) + 1 :]), name


def test_nothing_but_the_editor_needs_the_editor(root):
    texts = {path: path.read_text("utf-8") for path in [*root.glob("*.py"), *root.glob("facegan/**/*.py")]}
    users = {path.name for path, text in texts.items() if "facegan.editor" in text and path.parent != PACKAGE}
    assert users == {"edit.py"}


def test_the_pages_imports_run_one_way_and_name_what_is_exported():
    """Down from main.js, which needs every module."""
    texts = {path.name: path.read_text("utf-8") for path in PAGE.glob("*.js")}
    graph = {}
    for name, text in texts.items():
        imports = re.findall(r'^import \{([^}]*)\} from "\./(\w+\.js)";', text, re.MULTILINE)
        assert len(imports) == len(re.findall(r"^import\b", text, re.MULTILINE)), name
        graph[name] = {source for _, source in imports}
        for names, source in imports:
            missing = set(re.findall(r"\w+", names)) - exported(texts[source])
            assert not missing, (name, source, missing)
    TopologicalSorter(graph).prepare()  # raises CycleError
    assert set().union(*graph.values()) == set(texts) - {"main.js"}


def exported(text: str) -> set[str]:
    """The names that a module exports."""
    functions = re.findall(r"^export (?:async )?function (\w+)", text, re.MULTILINE)
    values = re.findall(r"^export (?:const|let) (.*)", text, re.MULTILINE)
    return {*functions, *(name for line in values for name in re.findall(r"(?:^|, )(\w+)(?: =|;)", line))}


def test_every_element_that_the_modules_name_is_on_the_page():
    ids = re.findall(r'\bid="([\w-]+)"', (PAGE / "index.html").read_text("utf-8"))
    named = re.findall(r'\bat\("([\w-]+)"\)', "".join(path.read_text("utf-8") for path in PAGE.glob("*.js")))
    assert len(ids) == len(set(ids))
    assert named
    assert set(named) <= set(ids)
