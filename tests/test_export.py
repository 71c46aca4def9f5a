"""export.py: what each format paints, in a process that knows nothing of this repository, and what it refuses."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import export
import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import files, run_folder
from facegan.regions import PARTS

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = dict(re.findall(r"## (\w+)\n\n```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(), re.DOTALL))
FACE = 8  # of the test split
RUNS = {
    "pix2pix": (pix2pix, None, ["keras", "savedmodel", "litert", "onnx"]),
    "pair": (pix2pix_rec, None, ["keras", "litert"]),
    "map": (pix2pix_rec, {"condition": "map", "precision": "mixed_bfloat16", "width": 8}, ["keras"]),
    "published": (pix2pix_v2, {**pix2pix_v2.PUBLISHED, "width": 8}, ["keras"]),
}
"""Script, flags and exported formats of some runs, which have all that Generator() is made of between them. Those
without flags are the trained runs that other tests use, too."""
PICTURES = [(run, form) for run, (_, _, forms) in RUNS.items() for form in forms]

RUN_ALL = """
import os, pathlib, runpy, traceback
for example in sorted(pathlib.Path().resolve().glob("*/*/example.py")):
    os.chdir(example.parent)
    try:
        runpy.run_path("example.py")
    except Exception:
        pathlib.Path("error.txt").write_text(traceback.format_exc())
"""


def missing(form: str) -> list[str]:
    """The packages a format needs that are not installed here."""
    return [package for package in export.FORMATS[form].packages if not util.find_spec(package)]


def make_run(folder: Path, script, data: Path, flags: dict) -> None:
    """A run folder as training leaves it, with random weights and statistics; only the average is what --test uses."""
    state = script.State(script.Args(run=folder, size=64, **flags))
    rng = np.random.default_rng(1)
    for weight in state.average.weights:
        value = weight.numpy() + rng.normal(0, 0.02, weight.shape)
        weight.assign(abs(value) if "variance" in weight.name else value)
    faces = run_folder.Split(np.arange(2), np.arange(0), np.arange(2, 4))
    run_folder.record(script.Args(run=folder, data=data, size=64, **flags), faces)
    state.checkpoints.save(12)


@dataclass
class Made:
    run: Path
    results: Path
    """what --test of the run's own script painted"""
    exports: Path
    outcomes: dict
    """format -> Outcome of export.py"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, prepared_64, trained, call) -> dict[str, Made]:
    """The runs in RUNS, tested and exported."""
    made = {}
    for name, (script, flags, forms) in RUNS.items():
        folder = tmp_path_factory.mktemp(name)
        run, results, exports = folder / "run", folder / "results", folder / "export"
        if flags is None:
            run, results = trained(script).run, trained(script).results
        else:
            make_run(run, script, prepared_64, flags)
            inference = ("--precision", "float32", "--no-batch-statistics")
            tested = call(script, "--test", "--data", prepared_64, "--run", run, "--out", results, *inference)
            assert tested.status == 0, tested.err
        keras.mixed_precision.set_global_policy("mixed_bfloat16")  # whatever a script left: exports are float32
        outcomes = {
            form: call(export, "--run", run, "--format", form, "--out", exports) for form in forms if not missing(form)
        }
        made[name] = Made(run, results, exports, outcomes)
    return made


@pytest.fixture(scope="module")
def painted(made, tmp_path_factory, prepared_64) -> Path:
    """Folder where the examples of docs/export.md ran for every export: run/format/painted.png, or error.txt. They ran
    in one process, to save its imports, which cannot import the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name, form in PICTURES:
        if missing(form):
            continue
        here = folder / name / form
        for part in ("samples", "face_ids"):
            (here / "prepared" / part).mkdir(parents=True)
            shutil.copy(prepared_64 / part / f"{FACE}.npz", here / "prepared" / part / "0.npz")
        (here / "export").symlink_to(made[name].exports)
        example = EXAMPLES[form]
        (here / "example.py").write_text(example.replace("# inputs", "inputs") if name == "pair" else example)
    subprocess.run([sys.executable, "-I", "-c", RUN_ALL], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A copy of a run with its exports, of links that save the time and the disk: overwrite() leaves the original."""
    shutil.copytree(made["pix2pix"].run, tmp_path / "run", copy_function=os.symlink)
    shutil.copytree(made["pix2pix"].exports, tmp_path / "run" / "export", copy_function=os.symlink)
    return tmp_path / "run"


def overwrite(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


# --- what is exported -------------------------------------------------------------------------------------------------


def test_every_format_has_an_example():
    assert EXAMPLES.keys() == export.FORMATS.keys()


@pytest.mark.parametrize(("run", "form"), PICTURES)
def test_the_documented_example_paints_what_the_script_paints(run, form, painted, made):
    if packages := missing(form):
        pytest.skip(f"not installed: {', '.join(packages)} (requirements-export.txt)")
    error = painted / run / form / "error.txt"
    assert not error.exists(), error.read_text()
    found = np.asarray(Image.open(painted / run / form / "painted.png")).astype(int)
    expected = np.asarray(Image.open(made[run].results / f"{FACE}_rec.png")).astype(int)
    assert expected.std() > 1  # no flat picture, which any two might agree on
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(("run", "form"), PICTURES)
def test_what_is_printed_and_noted_says_how_to_use_it(run, form, made):
    if packages := missing(form):
        pytest.skip(f"not installed: {', '.join(packages)} (requirements-export.txt)")
    outcome = made[run].outcomes[form]
    path = made[run].exports / export.FORMATS[form].file
    assert outcome.status == 0
    assert re.search(rf"{path}: \d+\.\d MB", outcome.out)
    photo = ", photo (B, 64, 64, 3)" if run == "pair" else ""
    assert f"takes masks (B, 64, 64, 7), colors (B, 7, 3), face_id (B, 128){photo}\n" in outcome.out
    assert "returns picture (B, 64, 64, 3)\n" in outcome.out
    assert float(re.search(r"max difference to the run (\S+)", outcome.out)[1]) < 1e-4
    assert ("--no-batch-statistics" in outcome.out) == (run == "published")
    note = json.loads(path.with_name(path.name + ".json").read_text())
    assert list(note["regions"]) == ["skin", "eyes", "mouth", "hair", "nose", "clothes", "accessories"]
    assert note["trained by"]["script"] == Path(RUNS[run][0].__file__).name
    assert "data" not in note["trained by"]  # a folder of this machine
    assert ("photo" in note["inputs"]) == (run == "pair")
    assert note["step"] == 12


def test_a_run_on_parts_takes_the_masks_and_colours_of_a_folder_of_parts(run_on_parts, parts_64, tmp_path, call):
    outcome = call(export, "--run", run_on_parts.run, "--format", "keras", "--out", tmp_path)
    assert "takes masks (B, 64, 64, 18), colors (B, 18, 3), face_id (B, 128)\n" in outcome.out, outcome.err
    about = json.loads((tmp_path / "model.keras.json").read_text())
    assert list(about["regions"]) == list(PARTS)
    assert about["stand-ins"]["l_brow"] == "r_brow, hair"  # whose colour an empty part has in the folder
    sample, face = (np.load(parts_64 / folder / f"{FACE}.npz") for folder in ("samples", "face_ids"))
    inputs = {"masks": sample["Masks"].astype("f4"), "colors": sample["Colors"] / 255, "face_id": face["face_id"]}
    model = keras.saving.load_model(tmp_path / "model.keras")
    found = 255 * model({name: x[None] for name, x in inputs.items()})["picture"][0].numpy()
    expected = np.asarray(Image.open(run_on_parts.results / f"{FACE}_rec.png")).astype(float)
    area = sample["Masks"].any(-1)
    assert np.abs(found - expected)[area].max() <= 1


@pytest.mark.parametrize("run", RUNS)
def test_a_keras_export_has_keras_layers_alone_in_float32(run, made):
    with zipfile.ZipFile(made[run].exports / "model.keras") as archive:
        config = archive.read("config.json").decode()
    assert set(re.findall(r'"module": "(\w+)', config)) <= {"keras", "builtins"}
    assert "float16" not in config


# --- misuse: one sentence, exit status not 0, nothing lost ------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sentence(outcome, pattern: str) -> None:
    assert outcome.status == 1
    (line,) = outcome.err.strip().splitlines()
    assert re.match(f"error: .*{pattern}", line), line


@pytest.mark.parametrize(("form", "factor"), [("keras", np.nan), ("savedmodel", 1.1)])
def test_an_export_that_paints_something_else_is_refused_and_the_one_before_stays(form, factor, run, call, monkeypatch):
    def other_weights(run):
        model = standalone(run)
        model.set_weights([weight * factor for weight in model.get_weights()])
        return model

    standalone = export.standalone
    monkeypatch.setattr(export, "standalone", other_weights)
    before = contents(run / "export")
    sentence(call(export, "--run", run, "--format", form), r"paint otherwise than the run: max difference (nan|\d)")
    assert contents(run / "export") == before


def test_an_export_replaces_the_one_before_and_what_a_killed_one_left(run, call):
    out = run / "export"
    (out / ".new").mkdir()
    (out / ".new" / "model.keras").write_bytes(b"half")
    shutil.copytree(out / "saved_model", out / ".saved_model.old")
    overwrite(out / "saved_model" / "fingerprint.pb", b"old")
    assert call(export, "--run", run, "--format", "savedmodel").status == 0
    assert (out / "saved_model" / "fingerprint.pb").read_bytes() != b"old"
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "error", [tf.errors.ResourceExhaustedError(None, None, "No space left on device"), OSError(28, "No space left")]
)
def test_a_full_disk_is_a_sentence_and_keeps_the_export_before(error, run, call, monkeypatch):
    def no_room(model, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setitem(export.FORMATS, "keras", export.FORMATS["keras"]._replace(write=no_room))
    before = contents(run / "export")
    sentence(call(export, "--run", run, "--format", "keras"), "cannot write.*No space left")
    assert contents(run / "export") == before


def test_a_folder_that_is_no_export_is_never_replaced(run, call, tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "thesis.txt").write_text("mine")
    sentence(call(export, "--run", run, "--format", "savedmodel", "--out", tmp_path), "is no export.*--out")
    assert (tmp_path / "saved_model" / "thesis.txt").read_text() == "mine"


def test_two_exports_into_one_folder_are_refused(run, call):
    with files.lock(run / "export" / ".lock"):
        sentence(call(export, "--run", run, "--format", "keras"), "another job")


def test_a_missing_package_is_named_with_the_command_that_installs_it(run, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    sentence(call(export, "--run", run, "--format", "onnx"), "tf2onnx.*pip install -r requirements-export.txt")


def change_flags(run: Path, **flags) -> None:
    path = run / "args.json"
    overwrite(path, json.dumps({**json.loads(path.read_text()), **flags}).encode())


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda run: shutil.rmtree(run), "no trained run in .*--run"),
        (lambda run: (run / "args.json").unlink(), "args.json is missing"),
        (lambda run: overwrite(run / "args.json", b"{"), "args.json is damaged"),
        (lambda run: change_flags(run, script=None), "is damaged .script is None"),
        (lambda run: change_flags(run, script="os.py"), "trained by os.py, which has no generator"),
        (lambda run: change_flags(run, depth=3), "of another version.*depth"),
        (lambda run: change_flags(run, size="large"), "of another version"),
        (lambda run: change_flags(run, full_resolution=False), "holds other networks than"),
        (lambda run: [overwrite(path, b"") for path in run.glob("checkpoints/*.data*")], "no usable checkpoint"),
        (lambda run: overwrite(run / "checkpoints" / "checkpoint", b"\xff"), "is damaged"),
    ],
    ids=["none", "no flags", "half flags", "no script", "wrong script", "flag", "size", "net", "weights", "index"],
)
def test_a_run_that_cannot_be_used_is_one_sentence(damage, pattern, run, call, tmp_path):
    damage(run)
    sentence(call(export, "--run", run, "--format", "keras", "--out", tmp_path / "out"), pattern)
    assert not (tmp_path / "out").exists()
