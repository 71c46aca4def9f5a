"""The documentation is not behind the code: captured help, links, commands, flags, dependencies, the trees."""

import ast
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import commands  # noqa: E402  (docs/commands.py)

from facegan import cli  # noqa: E402

GUIDES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
"""Pages whose commands are checked: every line of a block fenced as `sh`, and code in the text that begins with python
or make. A block fenced as `sh not-run` is left alone: it needs several machines or terminals, or other software."""
PAGES = [
    *GUIDES,
    "data/README.md",
    "facegan/README.md",
    *sorted(f"benchmarks/{path.name}" for path in (ROOT / "benchmarks").glob("*.md")),
]
"""Pages whose links are checked."""
FENCES = {"sh", "sh not-run", "python", "text", ""}
SETUP = {"python3 -m venv .venv", ". .venv/bin/activate"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """What each fence says after its ticks, and the block without its indentation."""
    found = re.findall(r"^( *)```([^\n`]*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [(fence, re.sub(f"^{indent}", "", block, flags=re.MULTILINE)) for indent, fence, block in found]


def prose(text: str) -> str:
    """The text without its blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """Code within the text."""
    return re.findall(r"`([^`]+)`", prose(text))


def block_commands(text: str) -> list[str]:
    """The commands of the blocks fenced as sh, without comments, continued lines joined."""
    joined = "\n".join(block for fence, block in blocks(text) if fence == "sh").replace("\\\n", " ")
    lines = [re.sub(r"(^|\s+)# .*", "", line) for line in joined.splitlines()]
    return [" ".join(line.split()) for line in lines if line.strip()]


def guide_commands() -> list[tuple[str, str]]:
    """Page and command, of all guides, once each."""
    found = {}
    for page in GUIDES:
        inline = [span for span in spans(read(page)) if span.startswith(("python ", "make "))]
        found |= {(page, command): None for command in [*block_commands(read(page)), *inline]}
    return list(found)


def parsed(command: str):
    """The Args that a script's own parser makes of `python SCRIPT FLAGS`."""
    _, script, *flags = shlex.split(command)
    return cli.parse(importlib.import_module(commands.SCRIPTS[script]).Args, args=flags)


def flags_of(script: str) -> set[str]:
    """The flags of a script that is not imported, as benchmarks want other software: the fields of its Args."""
    for node in ast.parse(read(script)).body:
        if isinstance(node, ast.ClassDef) and node.name == "Args":
            names = [field.target.id.replace("_", "-") for field in node.body if isinstance(field, ast.AnnAssign)]
            return {f"--{name}" for name in names} | {f"--no-{name}" for name in names}
    return set()


# --- captured help and links ------------------------------------------------------------------------------------------


def test_captured_help_is_current():
    assert read("docs/commands.md") == commands.page()  # run docs/commands.py


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            missing.append(link)
    assert missing == []


def test_the_readme_leads_to_every_page():
    assert [page for page in GUIDES if page != "README.md" and f"({page})" not in read("README.md")] == []


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", GUIDES)
def test_every_block_says_what_it_is(page):
    assert {fence for fence, _ in blocks(read(page))} <= FENCES
    assert read(page).count("```") == 2 * len(blocks(read(page)))


@pytest.mark.parametrize(("page", "command"), guide_commands())
def test_every_command_can_be_given(page, command):
    if command in SETUP:
        return
    program, *words = shlex.split(command)
    if program == "make":
        targets = [word for word in words if "=" not in word]
        assert set(targets) <= set(re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE))
    elif program == "python" and words[0] in commands.SCRIPTS:
        parsed(command)
    elif program == "python" and words[0].endswith(".py"):
        assert {word for word in words if word.startswith("--")} <= flags_of(words[0])
    elif program == "python" and words[:3] == ["-m", "pip", "install"]:
        pinned = [word for word in words[3:] if "==" in word]
        files = [word for word in words[3:] if word.endswith(".txt")]
        sources = "".join(map(read, ("Makefile", "facegan/evaluation/judges.py", "facegan/evaluation/weights.py")))
        assert all(word in sources for word in pinned)
        assert all((ROOT / name).is_file() for name in files)
        assert set(words[3:]) <= {"-r", "--no-deps", *pinned, *files}
    elif command.startswith(".venv/bin/python -m pytest "):
        assert all((ROOT / word).is_file() for word in words if word.endswith(".py"))
    else:
        pytest.fail(f"{page}: how to check `{command}`? If it cannot be, fence its block as sh not-run.")


@pytest.mark.parametrize("page", GUIDES)
def test_every_flag_in_the_text_exists(page):
    benchmarks = [f"benchmarks/{path.name}" for path in (ROOT / "benchmarks").glob("*.py")]
    known = set(re.findall(r"--[a-z][a-z0-9-]*", read("docs/commands.md"))).union(*map(flags_of, benchmarks))
    known |= {"--logdir"}  # tensorboard's
    assert {flag for span in spans(read(page)) for flag in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", span)} <= known


def makefile() -> tuple[dict[str, str], list[str]]:
    """The Makefile's variables, and what it starts of the scripts that people start."""
    text = read("Makefile").replace("\\\n", " ")
    variables = dict(re.findall(r"^(\w+) \??= (\S+)$", text, re.MULTILINE))
    lines = re.findall(r"^\t\$\(RUN\) (\S+\.py.*)$", text, re.MULTILINE)
    filled = [re.sub(r"\$\((\w+)\)", lambda name: variables[name[1]], " ".join(line.split())) for line in lines]
    return variables, [f"python {line}" for line in filled if not line.startswith("benchmarks/")]


def test_the_readme_gives_the_commands_of_the_makefile():
    _, started = makefile()
    assert len(started) > 5
    assert [line for line in started if line not in block_commands(read("README.md"))] == []


def paths_read(command: str) -> set[Path]:
    """What a script reads, by default or as its flags say."""
    names = {"source", "data", "run", "results", "photo"} - ({"run"} if "--train" in command else set())
    names |= {"parser"} if "--parser" in command else set()
    values = [getattr(parsed(command), name, None) for name in names]
    return {path for value in values for path in (value if isinstance(value, tuple) else [value]) if path}


def test_who_follows_the_readme_from_make_demo_on_never_reads_what_is_not_there():
    """Folders that a command reads were made by make demo or by a command before; not run, as it takes minutes."""
    variables, _ = makefile()
    made = {Path("data/sample")} | {Path(variables[name]) for name in ("DEMO_DATA", "DEMO_RUN", "DEMO_OUT")}
    section = re.search(r"^## From a demo.*?(?=^## )", read("README.md"), re.MULTILINE | re.DOTALL)[0]
    started = [command for command in block_commands(section) if re.match(r"python \S+\.py", command)]
    assert len(started) > 10
    for command in started:
        assert [path for path in paths_read(command) if not made & {path, *path.parents}] == [], command
        args = parsed(command)
        made |= {args.out} if "--out" in command else set()
        made |= {args.run} if "--train" in command else set()


# --- dependencies and the tree ----------------------------------------------------------------------------------------


def test_every_dependency_is_bounded_and_explained():
    required = set()
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-r ")):
                name, bounds = re.fullmatch(r"([\w-]+(?:\[[\w-]+\])?)(.*)", line).groups()
                assert re.search(r"==|>=.*,<", bounds), line
                required.add(name)
    page, _ = read("docs/dependencies.md").split("In no file:")
    explained = re.findall(r"^\| (\S+) \| (?:\S.*) \| (?:\S.*) \|$", page, re.MULTILINE)  # licence, what for
    assert required == set(explained) - {"package"}


def tree(page: str) -> list[str]:
    """The paths in a page's tree, from top to bottom, as from the root."""
    (block,) = (block for fence, block in blocks(read(page)) if not fence)
    folder = (ROOT / page).parent.relative_to(ROOT)
    paths, parents = [], []
    for line in block.splitlines():
        parents[(len(line) - len(line.lstrip())) // 4 :] = [line.split()[0]]
        paths.append((folder / "".join(parents)).as_posix())
    return paths


def test_the_trees_show_every_script_and_every_file_of_the_package():
    shown = [path for page in ("README.md", "facegan/README.md") for path in tree(page)]
    assert [path for path in shown if not (ROOT / path).exists()] == []
    files = [*ROOT.glob("*.py"), *(path for path in (ROOT / "facegan").rglob("*") if path.is_file())]
    names = {path.relative_to(ROOT).as_posix() for path in files}
    names = {name for name in names if not name.endswith(("__init__.py", ".pyc", "README.md")) and "/page/" not in name}
    assert {path for path in shown if (ROOT / path).is_file()} == names


def imports(path: str) -> set[str]:
    """The paths of the modules of facegan that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    paths = {name.replace(".", "/") + ".py" for name in names if name.startswith("facegan.")}
    return {path for path in paths if (ROOT / path).is_file()}


def test_modules_import_only_what_their_list_shows_below_them():
    modules = [path for path in tree("facegan/README.md") if path.endswith(".py")]
    for i, path in enumerate(modules):
        assert imports(path) & set(modules[: i + 1]) == set(), path
    assert any(imports(path) for path in modules)
