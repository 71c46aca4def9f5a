"""The page's JavaScript: modules that a reader finds their way in."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import facegan.editor

PAGE = Path(facegan.editor.__file__).parent / "page"


def test_imports_run_one_way_and_name_what_is_exported():
    """Down from main.js, which needs every module."""
    texts = {path.name: path.read_text("utf-8") for path in PAGE.glob("*.js")}
    exports = {
        name: set(re.findall(r"^export (?:async )?(?:function|const|let) (\w+)", text, re.MULTILINE))
        | set(re.findall(r"^export const \w+ = [^;\n]+, (\w+) = ", text, re.MULTILINE))
        for name, text in texts.items()
    }
    graph = {}
    for name, text in texts.items():
        imports = re.findall(r"^import \{([^}]*)\} from \"\./(\w+\.js)\";", text, re.MULTILINE)
        assert len(imports) == len(re.findall(r"^import\b", text, re.MULTILINE)), name
        graph[name] = {source for _, source in imports}
        for names, source in imports:
            missing = {word.strip() for word in names.split(",") if word.strip()} - exports[source]
            assert not missing, (name, source, missing)
    list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert set().union(*graph.values()) == set(texts) - {"main.js"}


def test_every_element_that_the_modules_name_is_on_the_page():
    ids = re.findall(r'\bid="([\w-]+)"', (PAGE / "index.html").read_text("utf-8"))
    named = re.findall(r'\bat\("([\w-]+)"\)', "".join(path.read_text("utf-8") for path in PAGE.glob("*.js")))
    assert len(ids) == len(set(ids))
    assert set(named) <= set(ids)
