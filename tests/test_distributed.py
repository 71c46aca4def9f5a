"""Several devices and several machines train what one device does: two virtual CPUs, and two processes on loopback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from random import SystemRandom
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import checkpoints, report, runs, runtime
from facegan.errors import BadInput

STEPS_OF_AN_EPOCH = 2  # eight training faces, four a batch
SMOOTH = ["--identity", "0", "--perceptual", "0", "--learning-rate", "1e-4", "--discriminator-learning-rate", "1e-4"]
"""dlib's network and large steps magnify differences in the last bits: after four steps of the default recipe they are
as large as what was learnt."""
TRAINED = {
    pix2pix: ["--epochs", "2", "--modulation", "none", *SMOOTH],  # six times in all, so the smaller graph
    pix2pix_v2: ["--epochs", "1", *SMOOTH],
    pix2pix_rec: ["--batch-size", "8", "--epochs", "1", "--norm", "batch", *SMOOTH],
}
"""What is trained on one device and on two: dropout is among it, and BatchNorm once, for one step of all eight
faces: it magnifies differences in the last bits too, over 1 x 1 pixels of four to 4 % in two steps, 30 % in four."""
CHECKPOINTS = {pix2pix: [2, 4], pix2pix_v2: [2], pix2pix_rec: [1]}
"""The steps that these leave behind."""


def training(data: Path, run: Path, *flags) -> list[str]:
    tiny = ("--size", "64", "--batch-size", "4", "--precision", "float32", "--cache", "on")
    return ["--train", "--data", str(data), "--run", str(run), *tiny, *map(str, flags)]


def saved(run: Path, step: int) -> dict[str, np.ndarray]:
    """Every variable of a checkpoint: weights, optimizer state, dropout seeds, step."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"ckpt-{step}"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name}


def assert_nearly_the_same(run: Path, reference: Path, step: int) -> None:
    """Each weight to 2 % of its norm (they differ by 0.3 % at most), and Adam's moments to 5 %: gradients that are
    twice too large, which Adam hides from the weights, double them."""
    ours, theirs = saved(run, step), saved(reference, step)
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        if expected.ndim == 0 or expected.dtype.kind != "f":  # steps, learning rates, seeds
            np.testing.assert_array_equal(ours[name], expected, name)
        else:
            limit = 0.05 if "optimizer" in name else 0.02
            assert np.linalg.norm(ours[name] - expected) <= limit * np.linalg.norm(expected), name


@pytest.fixture(scope="module")
def one_device(prepared_64, tmp_path_factory, call) -> Path:
    """The runs of TRAINED on one device, each in the folder named like its script."""
    folder = tmp_path_factory.mktemp("one-device")
    for script, flags in TRAINED.items():
        outcome = call(script, *training(prepared_64, folder / script.__name__, *flags))
        assert outcome.status == 0, outcome.err
    return folder


# --- two devices ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_devices(prepared_64, tmp_path_factory, run_script) -> Path:
    """The runs of TRAINED on two virtual devices, and overflow.json."""
    folder = tmp_path_factory.mktemp("two-devices")
    trainings = [
        [script.__name__, *training(prepared_64, folder / script.__name__, *flags)] for script, flags in TRAINED.items()
    ]
    trainings.append(trainings[0])  # once more: finds its checkpoint, and nothing left to do
    outcome = run_script("tests/two_devices.py", folder / "overflow.json", json.dumps(trainings), timeout=400)
    assert outcome.status == 0, outcome.err
    assert outcome.out.count("as 2 devices") == len(trainings)
    assert outcome.out.count("pix2pix: trained 4 steps, 2 epochs") == 2
    return folder


@pytest.mark.parametrize("script", TRAINED, ids=lambda script: script.__name__)
def test_two_devices_train_what_one_does(script, two_devices, one_device):
    name = script.__name__
    for step in CHECKPOINTS[script]:
        assert_nearly_the_same(two_devices / name, one_device / name, step)


def test_an_overflow_on_the_second_device_skips_the_step_on_both(two_devices):
    before, overflown, after = json.loads((two_devices / "overflow.json").read_text())
    assert before == [[1, 1], [2**15, 2**15]]
    assert overflown == [[1, 1], [2**14, 2**14]]
    assert after == [[pytest.approx(0.9, abs=1e-5)] * 2, [2**14, 2**14]]


@pytest.mark.parametrize(
    ("batch_size", "devices", "sentence"),
    [(3, 2, "shared by 2 devices: use 2 or 4"), (1, 2, "use 2,"), (16, 3, "use 15 or 18"), (4, 8, "use 8,")],
)
def test_a_batch_that_devices_cannot_share_is_refused_with_sizes_that_they_can(
    batch_size, devices, sentence, monkeypatch
):
    monkeypatch.setattr(runtime, "strategy", lambda: SimpleNamespace(num_replicas_in_sync=devices))
    with pytest.raises(BadInput, match=sentence):
        runtime.start(pix2pix.Args(train=True, batch_size=batch_size, precision="float32"))


# --- two machines -----------------------------------------------------------------------------------------------------

KILLED_AT_STEP_3 = """
import os, signal
from facegan import cli, report
import pix2pix

update = report.Progress.update

def update_or_die(self, step, *values, **options):
    if step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, step, *values, **options)

report.Progress.update = update_or_die
cli.run(pix2pix.main)
"""
"""pix2pix.py, and kill -9 in the middle of the second epoch."""


def free_ports() -> tuple[int, int]:
    """Two neighbouring ports that nobody listens on, below those that the system gives to connections."""
    while True:
        first = SystemRandom().randrange(10000, 29999)
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("localhost", first))
                other.bind(("localhost", first + 1))
                return first, first + 1
            except OSError:
                continue


def tf_config(ports: tuple[int, int], index: int) -> dict[str, str]:
    workers = [f"localhost:{port}" for port in ports]
    return {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})}


def slurm(ports: tuple[int, int], index: int) -> dict[str, str]:
    """What srun tells the tasks of a step on one node."""
    return {
        "SLURM_JOB_ID": str(ports[0] - 10000),
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_PROCID": str(index),
    }


def run_machines(commands: list[list], environments: list[dict]) -> list[SimpleNamespace]:
    """Start a Python process for each machine and wait for all of them; none outlives this call."""
    processes = [
        subprocess.Popen(
            [sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(pix2pix.__file__).parent, env={**os.environ, **environment},
        )
        for command, environment in zip(commands, environments, strict=True)
    ]  # fmt: skip
    try:
        written = [process.communicate(timeout=400) for process in processes]
        return [
            SimpleNamespace(status=p.returncode, out=o, err=e) for p, (o, e) in zip(processes, written, strict=True)
        ]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def killed(prepared_64, tmp_path_factory) -> SimpleNamespace:
    """Two machines, of which the second was killed at step 3; it had a run folder of its own, to see what it writes."""
    folder, ports = tmp_path_factory.mktemp("two-machines"), free_ports()
    commands = [
        ["pix2pix.py", *training(prepared_64, folder / "run", *TRAINED[pix2pix])],
        ["-c", KILLED_AT_STEP_3, *training(prepared_64, folder / "second", *TRAINED[pix2pix])],
    ]
    first, second = run_machines(commands, [tf_config(ports, i) for i in range(2)])
    return SimpleNamespace(run=folder / "run", folder_of_second=folder / "second", first=first, second=second)


@pytest.fixture(scope="module")
def resumed(killed, prepared_64) -> SimpleNamespace:
    """Both machines started again, by Slurm this time, in one run folder; --test is told another --out on each."""
    flags = training(prepared_64, killed.run, *TRAINED[pix2pix], "--test")
    outs = [killed.run.parent / f"out{i}" for i in range(2)]
    commands, ports = [["pix2pix.py", *flags, "--out", out] for out in outs], free_ports()
    first, second = run_machines(commands, [slurm(ports, i) for i in range(2)])
    return SimpleNamespace(run=killed.run, outs=outs, first=first, second=second)


def test_two_machines_train_what_one_device_does(killed, one_device):
    assert_nearly_the_same(killed.run, one_device / "pix2pix", STEPS_OF_AN_EPOCH)


def test_when_a_machine_is_killed_the_other_ends_with_a_sentence(killed):
    assert killed.second.status == -9
    assert killed.first.status == 1, killed.first.err
    assert "error: another machine is gone" in killed.first.err.splitlines()[-1]
    assert "Start all of them again" in killed.first.err
    assert "Traceback" not in killed.first.err


def test_both_machines_started_again_end_as_one_device_that_was_never_interrupted(resumed, one_device):
    assert [resumed.first.status, resumed.second.status] == [0, 0], resumed.first.err
    assert_nearly_the_same(resumed.run, one_device / "pix2pix", 2 * STEPS_OF_AN_EPOCH)


def test_only_the_first_machine_writes(killed, resumed):
    assert [path for path in killed.folder_of_second.rglob("*") if path.is_file()] == []
    assert (killed.run / "grids" / "epoch_0001.png").exists()
    assert [out.exists() for out in resumed.outs] == [True, False]
    starts = json.loads((resumed.run / "starts.json").read_text())["starts"]
    assert [start["devices"] for start in starts] == ["2 machines with 2 devices"] * 2


def test_a_machine_that_is_not_the_first_writes_nothing(tmp_path, prepared_64, monkeypatch):
    monkeypatch.setattr(runtime, "is_chief", lambda: False)
    args = pix2pix.Args(train=True, run=tmp_path / "run", data=prepared_64)
    runs.record(args, [0, 1], [2, 3])
    checkpoints.Checkpoints(args.run, weights=SimpleNamespace(variables=[tf.Variable(1.0)])).save(1)
    with report.Progress(args.run, step=0, last=100, batch_size=4) as progress:
        progress.update(progress.LOG_STEPS, {"g": tf.constant(1.0)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_machines_that_find_different_checkpoints_are_refused(tmp_path, monkeypatch):
    """This one finds none, another one finds step 8."""
    monkeypatch.setattr(runtime, "mean_over_machines", lambda step: (step + 8) / 2)
    with pytest.raises(BadInput, match="not the same on all machines: name a --run on a disk that they share"):
        checkpoints.Checkpoints(tmp_path, weights=SimpleNamespace(variables=[tf.Variable(1.0)])).restore_together()


def test_machines_stop_at_the_same_step_when_one_of_them_is_told_to(monkeypatch):
    monkeypatch.setattr(runtime, "cluster_resolver", lambda: "two machines")
    monkeypatch.setattr(runtime, "mean_over_machines", lambda told: (told + 1) / 2)  # the other one was told
    steps = range(1, 2 * runtime.AGREE_STEPS + 1)
    assert [step for step in steps if runtime.stop_agreed([], step)] == [runtime.AGREE_STEPS, 2 * runtime.AGREE_STEPS]


# --- what the environment says ----------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch):
    """environment(NAME="value"): what the process would have been started with, for runtime.cluster_resolver()."""

    def start_with(**variables):
        for name in [name for name in os.environ if name == "TF_CONFIG" or name.startswith("SLURM_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        runtime.cluster_resolver.cache_clear()

    yield start_with
    monkeypatch.undo()
    runtime.cluster_resolver.cache_clear()


def test_tf_config_and_slurm_name_the_same_machines(environment):
    for variables in (tf_config((20001, 20002), 1), slurm((20001, 20002), 1)):
        environment(**variables)
        resolver = runtime.cluster_resolver()
        assert resolver.cluster_spec().as_dict() == {"worker": ["localhost:20001", "localhost:20002"]}
        assert (resolver.task_type, resolver.task_id) == ("worker", 1)
        assert (runtime.machines(), runtime.is_chief()) == (2, False)
    environment(**slurm((20001, 20002), 0))
    assert runtime.is_chief()


def test_slurm_may_spread_tasks_over_nodes(environment):
    tasks = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "2(x2)", "SLURM_PROCID": "3"}
    environment(**tasks, SLURM_STEP_NODELIST="gpu[07-08]", SLURM_JOB_ID="40005")
    expected = ["gpu07:10005", "gpu07:10006", "gpu08:10005", "gpu08:10006"]
    assert runtime.cluster_resolver().cluster_spec().as_dict() == {"worker": expected}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"TF_CONFIG": '{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}'},
        {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "2"},
        {"SLURM_JOB_ID": "1", "SLURM_STEP_NUM_TASKS": "1"},
    ],
    ids=["nothing", "one worker", "a shell in an allocation", "a step of one task"],
)
def test_one_machine_is_no_cluster(variables, environment):
    environment(**variables)
    assert runtime.cluster_resolver() is None
    assert (runtime.machines(), runtime.is_chief(), runtime.mean_over_machines(0.25)) == (1, True, 0.25)


WORKERS = '{"worker": ["a:1", "b:1"]}'


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"TF_CONFIG": "worker 1 of 2"}, "TF_CONFIG is not understood"),
        ({"TF_CONFIG": "[]"}, "TF_CONFIG is not understood"),
        ({"TF_CONFIG": f'{{"cluster": {WORKERS}}}'}, "TF_CONFIG is not understood"),
        (
            {"TF_CONFIG": f'{{"cluster": {WORKERS}, "task": {{"type": "worker", "index": 2}}}}'},
            "this one's place in it",
        ),
        (
            {"TF_CONFIG": '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}'},
            "one list of workers",
        ),
        ({"SLURM_STEP_NUM_TASKS": "2"}, "Slurm's environment is not understood"),
    ],
    ids=["no JSON", "no object", "no task", "no such task", "a chief beside workers", "half of Slurm"],
)
def test_an_environment_that_makes_no_sense_is_one_sentence(variables, sentence, environment, call, tmp_path):
    environment(**variables)
    outcome = call(pix2pix, "--train", "--data", tmp_path, "--run", tmp_path / "run")
    assert outcome.status == 1
    assert sentence in outcome.err
    assert len(outcome.err.splitlines()) == 1
