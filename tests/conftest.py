"""What the tests share: a tiny raw dataset, the folder prepared from it, tiny runs, and two ways to start a script."""

import contextlib
import csv
import fcntl
import functools
import gc
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # `pytest` finds the scripts from any folder; spawned workers inherit it
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # on one CPU device a run repeats itself bit for bit
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as devices.py does it, which tests import after TensorFlow
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # two processes test; and the same bits in all that they start

from facegan import cli, drawing, regions  # noqa: E402

SEED, FACES = 0, 10
"""The sample faces of the whole test run: draw_face(SEED, k) for k below FACES; three in a row are one person."""

settings.register_profile("tests", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("tests")


LONGEST = ("test_devices", "test_resume", "test_export", "test_scripts", "test_machines", "test_misuse")
"""The files that take longest begin first, so that no process of two works on while the other is done."""


def pytest_collection_modifyitems(items):
    def rank(item):
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=rank)


@dataclass(frozen=True)
class Outcome:
    """How a script ended."""

    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.strip().splitlines()[-1]


@pytest.fixture(scope="module", autouse=True)
def forget_networks():
    """After each file: what Keras and TensorFlow keep of its networks would fill the memory of a whole test run."""
    yield
    if keras := sys.modules.get("keras"):
        keras.utils.clear_session()
        gc.collect()
        gc.freeze()  # what is left stays, and need not be looked through again, which took seconds a file


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository root."""
    return ROOT


@pytest.fixture(scope="session")
def run_script() -> Callable[..., Outcome]:
    """run_script("c_mask.py", "--png", cwd=folder): a script in a process of its own, as a person runs it."""

    def run(script: str, *args, cwd: Path = ROOT, timeout: float = 120, env: dict | None = None) -> Outcome:
        command = [sys.executable, str(ROOT / script), *map(str, args)]
        done = subprocess.run(
            command, cwd=cwd, timeout=timeout, capture_output=True, text=True, env={**os.environ, **(env or {})}
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def call() -> Callable[..., Outcome]:
    """call(c_mask, "--png"): a script's command line in this process, which saves the seconds of its imports."""

    def call(script, *args) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        argv = [script.__file__, *map(str, args)]
        with (
            mock.patch.object(sys, "argv", argv),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            cli.run(script.main)
        code = end.value.code
        if isinstance(code, str):  # the interpreter prints it and exits with 1
            err.write(code + "\n")
            code = 1
        return Outcome(code or 0, out.getvalue(), err.getvalue())

    return call


@pytest.fixture(scope="session")
def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture(autouse=True)
def float32_policy():
    """What a script's --precision has set does not reach the next test."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_floatx("float32")
        sys.modules["keras"].mixed_precision.set_global_policy("float32")


@pytest.fixture
def float64(float32_policy):
    """Networks that the test builds compute in float64, so that what is equal in theory is equal to 1e-9."""

    from facegan import precision

    precision.set_policy("float64")


@pytest.fixture(scope="session")
def computes_in(once) -> Callable[[str], bool]:
    """computes_in("bfloat16"): whether TensorFlow can, on this CPU; tried once for all processes that test."""

    def computes_in(dtype: str) -> bool:
        from facegan import precision

        folder = once(f"trial-{dtype}", lambda folder: (folder / "speedup").write_text(str(precision.speedup(dtype))))
        return float((folder / "speedup").read_text()) != 0

    return computes_in


@pytest.fixture
def gpu(monkeypatch):
    """gpu(7, 5): from now on this machine seems to have one GPU of compute capability 7.5."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices

    def pretend(*capability):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["it"] if kind == "GPU" else devices(kind))
        monkeypatch.setattr(
            tf.config.experimental, "get_device_details", lambda device: {"compute_capability": capability}
        )
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda device, on: None)

    return pretend


@pytest.fixture(scope="session")
def write_face() -> Callable[..., None]:
    """write_face(source, k, photo=..., parts=..., labels=...): one face of a raw dataset, in either layout or both."""

    def write(source: Path, k: int, photo=None, parts: dict | None = None, labels=None) -> None:
        folders = {
            "CelebA-HQ-img": photo is not None,
            f"CelebAMask-HQ-mask-anno/{k // 2000}": parts is not None,
            "CelebAMaskHQ-mask": labels is not None,
        }
        for folder in (name for name, wanted in folders.items() if wanted):
            (source / folder).mkdir(parents=True, exist_ok=True)
        if photo is not None:
            Image.fromarray(photo).save(source / "CelebA-HQ-img" / f"{k}.jpg", quality=95)
        for part, mask in (parts or {}).items():
            path = source / "CelebAMask-HQ-mask-anno" / str(k // 2000) / f"{k:05d}_{part}.png"
            Image.fromarray((np.asarray(mask) != 0) * np.uint8(255)).save(path, compress_level=1)
        if labels is not None:
            path = source / "CelebAMaskHQ-mask" / f"{k}.png"
            Image.fromarray(np.asarray(labels, np.uint8)).save(path, compress_level=1)

    return write


@pytest.fixture(scope="session")
def faces() -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The sample faces: photo (512, 512, 3) uint8 RGB and part masks, each bool (512, 512)."""
    return [drawing.draw_face(SEED, k)[:2] for k in range(FACES)]


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """once("raw", make): a folder that make(folder) has filled, in the first of the processes that ask for it."""
    session = tmp_path_factory.getbasetemp()
    session = session.parent if "PYTEST_XDIST_WORKER" in os.environ else session

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, made = session / name, session / f"{name}.made"
        with (session / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # waits for the one who makes it
            if not made.exists():
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def raw(once, faces, write_face) -> Path:
    """A raw dataset of ten faces in both layouts; the label maps are the parts painted over each other. Read only."""

    def make(source: Path) -> None:
        for k, (photo, parts) in enumerate(faces):
            labels = np.zeros((512, 512), np.uint8)
            for i, part in enumerate(regions.PARTS):  # the painting order, which test_regions pins
                if part in parts:
                    labels[parts[part]] = i + 1
            write_face(source, k, photo, parts, labels)

    return once("raw", make)


@pytest.fixture(scope="session")
def prepared_64(once, raw, call) -> Path:
    """The prepared folder of `raw` at 64 x 64, made by the three scripts. Read only: copy it to change it."""
    import c_mask
    import g_simple_mask
    from face_recognition import face_recognition

    def make(data: Path) -> None:
        made = [
            call(g_simple_mask, "--source", raw, "--out", data, "--size", 64, "--workers", 1),
            call(c_mask, "--data", data, "--workers", 1),
            call(face_recognition, "--data", data, "--workers", 1),
        ]
        assert [outcome.status for outcome in made] == [0, 0, 0], made

    return once("prepared", make)


@pytest.fixture(scope="session")
def parts_64(once, prepared_64, raw, call) -> Path:
    """The prepared folder of `raw` at 64 x 64, of the eighteen parts; its face IDs are those of prepared_64. Read only:
    copy it to change it."""
    import c_mask
    import g_simple_mask

    def make(data: Path) -> None:
        flags = ("--size", 64, "--workers", 1, "--regions", "parts")
        assert call(g_simple_mask, "--source", raw, "--out", data, *flags).status == 0
        assert call(c_mask, "--data", data, "--workers", 1).status == 0
        shutil.copytree(prepared_64 / "face_ids", data / "face_ids")

    return once("parts", make)


@dataclass(frozen=True)
class Trained:
    """A tiny run that nothing interrupted, the results of all its faces, and what a kill after step 9, which is in the
    middle of an epoch, would have left of the run."""

    run: Path
    results: Path
    at_step_9: Path
    outcome: Outcome


@pytest.fixture(scope="session")
def metrics() -> Callable[[Path], list[dict[str, float]]]:
    """metrics(run): the rows of a run's metrics.csv, as numbers."""

    def metrics(run: Path) -> list[dict[str, float]]:
        with (run / "metrics.csv").open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    return metrics


@pytest.fixture(scope="session")
def trained(prepared_64, once, call) -> Callable[..., Trained]:
    """trained(pix2pix): that script's --train --test with TINY, every step logged, once for all tests. Read only."""
    from outcomes import TINY, kept_at_step

    @functools.cache
    def trained(script) -> Trained:
        def make(folder: Path) -> None:
            flags = ("--data", prepared_64, "--run", folder / "run", "--out", folder / "results", "--split", "all")
            # xdist says 80 columns, where some versions of tqdm cut the bar with the losses
            wide = mock.patch.dict(os.environ, COLUMNS="300")
            with wide, kept_at_step(9, folder / "run", folder / "at_step_9"):
                outcome = call(script, "--train", "--test", *flags, *TINY)
            assert outcome.status == 0, outcome.err
            (folder / "outcome.json").write_text(json.dumps(asdict(outcome)))

        folder = once(script.__name__, make)
        outcome = Outcome(**json.loads((folder / "outcome.json").read_text()))
        return Trained(folder / "run", folder / "results", folder / "at_step_9", outcome)

    return trained


@dataclass(frozen=True)
class OnParts:
    """A run of pix2pix.py on the eighteen parts, and the results of all its faces."""

    run: Path
    results: Path


@pytest.fixture(scope="session")
def run_on_parts(parts_64, once, call) -> OnParts:
    """pix2pix.py --train --test --parts, one epoch of four steps without dlib's network, for all tests. Read only."""
    import pix2pix
    from outcomes import TINY

    def make(folder: Path) -> None:
        flags = ("--data", parts_64, "--run", folder / "run", "--out", folder / "results", "--split", "all", "--parts")
        fast = ("--epochs", 1, "--identity", 0, "--perceptual", 0)
        outcome = call(pix2pix, "--train", "--test", *flags, *TINY, *fast)
        assert outcome.status == 0, outcome.err

    folder = once("run-on-parts", make)
    return OnParts(folder / "run", folder / "results")


@pytest.fixture(scope="session")
def one_device(prepared_64, once, call) -> Callable[..., Path]:
    """one_device(pix2pix): the run of trainings.py of that script on one device, made once for all tests. Read only."""
    from trainings import command_line

    def one_device(script) -> Path:
        def make(folder: Path) -> None:
            outcome = call(script, *command_line(script, prepared_64, folder / "run"))
            sys.modules["facegan.precision"].set_policy("float32")
            assert outcome.status == 0, outcome.err

        return once(f"{script.__name__}-one-device", make) / "run"

    return one_device


@pytest.fixture(scope="session")
def fitted(prepared_64, once, call) -> Path:
    """A run whose parser has then seen its eight training faces 120 times, unchanged; its scores on them are in
    run/../results. In one loop, as an epoch of two steps takes most of its time to save. Read only."""
    import tensorflow as tf

    import parse_face
    from facegan import pipeline

    def make(folder: Path) -> None:
        flags = ("--data", prepared_64, "--run", folder / "run", "--size", 64, "--batch-size", 8, "--width", 16)
        begun = call(parse_face, "--train", *flags, "--epochs", 1, "--precision", "float32")
        assert begun.status == 0, begun.err
        args = parse_face.Args(size=64, width=16, run=folder / "run", learning_rate=3e-3, ema_decay=0.8)
        records, numbers = pipeline.LabelRecords(prepared_64, np.arange(10), 64), np.arange(8)
        (batch,) = parse_face.batches(records, numbers, parse_face.unchanged(numbers), 8)
        state = parse_face.State(args)
        train_step = parse_face.make_train_step(args, state)
        for step in range(1, 121):
            train_step(batch, tf.constant(step))
        state.checkpoints.save(121)
        parse_face.write_parser(args.run, parse_face.float32_parser(args), state.average)
        tested = call(parse_face, "--test", "--split", "train", "--run", args.run, "--out", folder / "results")
        assert tested.status == 0, tested.err
        (folder / "out.txt").write_text(tested.out)

    return once("parser", make) / "run"


@pytest.fixture(scope="session")
def weights() -> Callable[[Path], dict[str, np.ndarray]]:
    """weights(run): every variable of a run's newest checkpoint: weights, optimizer state, dropout seeds, step."""
    from compare import checkpoint_variables  # later, as it imports TensorFlow

    return lambda run: checkpoint_variables(run / "checkpoints")


@pytest.fixture(scope="session")
def same(weights) -> Callable[[Path, Path], bool]:
    """same(run, other): whether the newest checkpoints of two runs are equal bit for bit."""

    def same(run: Path, other: Path) -> bool:
        a, b = weights(run), weights(other)
        return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)

    return same


@pytest.fixture(scope="module")
def browser():
    """Chromium, through playwright."""
    from editor.browsing import CHROMIUM

    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def real_faces() -> Path:
    """850 real faces that stand beside the checkout on some machines; they are never copied."""
    folder = ROOT.parent / "shared" / "data" / "celebamask-hq-850"
    if not folder.is_dir():
        pytest.skip(f"no real faces in {folder}")
    return folder
