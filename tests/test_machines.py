"""Several machines train what one device does: two processes on loopback, and what the environment says of them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from random import SystemRandom
from types import SimpleNamespace

import pytest
import tensorflow as tf

import pix2pix
from facegan import checkpoints, devices, run_folder
from facegan.errors import BadInput
from facegan.progress import Progress
from trainings import STEPS_OF_AN_EPOCH, assert_the_same, command_line

# --- two machines -----------------------------------------------------------------------------------------------------

KILLED_AT_STEP_3 = """
import os, signal
from facegan import cli
from facegan.progress import Progress
import pix2pix

update = Progress.update

def update_or_die(self, step, *values, **options):
    if step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, step, *values, **options)

Progress.update = update_or_die
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
        ["pix2pix.py", *command_line(pix2pix, prepared_64, folder / "run")],
        ["-c", KILLED_AT_STEP_3, *command_line(pix2pix, prepared_64, folder / "second")],
    ]
    first, second = run_machines(commands, [tf_config(ports, i) for i in range(2)])
    return SimpleNamespace(run=folder / "run", folder_of_second=folder / "second", first=first, second=second)


@pytest.fixture(scope="module")
def resumed(killed, prepared_64) -> SimpleNamespace:
    """Both machines started again, by Slurm this time, in one run folder; --test is told another --out on each."""
    flags = command_line(pix2pix, prepared_64, killed.run, "--test")
    outs = [killed.run.parent / f"out{i}" for i in range(2)]
    commands, ports = [["pix2pix.py", *flags, "--out", out] for out in outs], free_ports()
    first, second = run_machines(commands, [slurm(ports, i) for i in range(2)])
    return SimpleNamespace(run=killed.run, outs=outs, first=first, second=second)


def test_two_machines_train_what_one_device_does(killed, one_device):
    assert_the_same(killed.run, one_device(pix2pix), STEPS_OF_AN_EPOCH)


def test_when_a_machine_is_killed_the_other_ends_with_a_sentence(killed):
    assert killed.second.status == -9
    assert killed.first.status == 1, killed.first.err
    assert "error: another machine is gone" in killed.first.err.splitlines()[-1]
    assert "Start all of them again" in killed.first.err
    assert "Traceback" not in killed.first.err


def test_both_machines_started_again_end_as_one_device_that_was_never_interrupted(resumed, one_device):
    assert [resumed.first.status, resumed.second.status] == [0, 0], resumed.first.err
    assert_the_same(resumed.run, one_device(pix2pix), 2 * STEPS_OF_AN_EPOCH)


def test_only_the_first_machine_writes(killed, resumed):
    assert [path for path in killed.folder_of_second.rglob("*") if path.is_file()] == []
    assert (killed.run / "grids" / "epoch_0001.png").exists()
    assert [out.exists() for out in resumed.outs] == [True, False]
    starts = json.loads((resumed.run / "starts.json").read_text())["starts"]
    assert [start["devices"] for start in starts] == ["2 machines with 2 devices"] * 2


def test_a_machine_that_is_not_the_first_writes_nothing(tmp_path, prepared_64, monkeypatch):
    monkeypatch.setattr(devices, "is_chief", lambda: False)
    args = pix2pix.Args(train=True, run=tmp_path / "run", data=prepared_64)
    run_folder.record(args, run_folder.Split([0, 1], [], [2, 3]))
    checkpoints.Checkpoints(args.run, weights=SimpleNamespace(variables=[tf.Variable(1.0)])).save(1)
    with Progress(args.run, step=0, last=100, batch_size=4) as progress:
        progress.update(progress.LOG_STEPS, {"g": tf.constant(1.0)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_machines_that_find_different_checkpoints_are_refused(tmp_path, monkeypatch):
    """This one finds none, another one finds step 8."""
    monkeypatch.setattr(devices, "mean_over_machines", lambda step: (step + 8) / 2)
    with pytest.raises(BadInput, match="not the same on all machines: name a --run on a disk that they share"):
        checkpoints.Checkpoints(tmp_path, weights=SimpleNamespace(variables=[tf.Variable(1.0)])).restore_together()


def test_machines_stop_at_the_same_step_when_one_of_them_is_told_to(monkeypatch):
    monkeypatch.setattr(devices, "cluster_resolver", lambda: "two machines")
    monkeypatch.setattr(devices, "mean_over_machines", lambda told: (told + 1) / 2)  # the other one was told
    steps = range(1, 2 * devices.AGREE_STEPS + 1)
    assert [step for step in steps if devices.stop_agreed([], step)] == [devices.AGREE_STEPS, 2 * devices.AGREE_STEPS]


# --- what the environment says ----------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch):
    """environment(NAME="value"): what the process would have been started with, for devices.cluster_resolver()."""

    def start_with(**variables):
        for name in [name for name in os.environ if name == "TF_CONFIG" or name.startswith("SLURM_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        devices.cluster_resolver.cache_clear()

    yield start_with
    monkeypatch.undo()
    devices.cluster_resolver.cache_clear()


def test_tf_config_and_slurm_name_the_same_machines(environment):
    for variables in (tf_config((20001, 20002), 1), slurm((20001, 20002), 1)):
        environment(**variables)
        resolver = devices.cluster_resolver()
        assert resolver.cluster_spec().as_dict() == {"worker": ["localhost:20001", "localhost:20002"]}
        assert (resolver.task_type, resolver.task_id) == ("worker", 1)
        assert (devices.machines(), devices.is_chief()) == (2, False)
    environment(**slurm((20001, 20002), 0))
    assert devices.is_chief()


def test_slurm_may_spread_tasks_over_nodes(environment):
    tasks = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "2(x2)", "SLURM_PROCID": "3"}
    environment(**tasks, SLURM_STEP_NODELIST="gpu[07-08]", SLURM_JOB_ID="40005")
    expected = ["gpu07:10005", "gpu07:10006", "gpu08:10005", "gpu08:10006"]
    assert devices.cluster_resolver().cluster_spec().as_dict() == {"worker": expected}


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
    assert devices.cluster_resolver() is None
    assert (devices.machines(), devices.is_chief(), devices.mean_over_machines(0.25)) == (1, True, 0.25)


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
        (
            {"TF_CONFIG": '{"cluster": {"worker": ["a:1", 5]}, "task": {"type": "worker", "index": 0}}'},
            "TF_CONFIG is not understood",
        ),
        (
            {"TF_CONFIG": '{"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 0}}'},
            "a worker is host:port",
        ),
        ({"SLURM_STEP_NUM_TASKS": "2"}, "Slurm's environment is not understood"),
        ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_ID": "x"}, "Slurm's environment is not understood"),
    ],
    ids=[
        *("no JSON", "no object", "no task", "no such task", "a chief beside workers", "a number", "no ports"),
        *("half of Slurm", "a job without a number"),
    ],
)
def test_an_environment_that_makes_no_sense_is_one_sentence(variables, sentence, environment, call, tmp_path):
    environment(**variables)
    outcome = call(pix2pix, "--train", "--data", tmp_path, "--run", tmp_path / "run")
    assert outcome.status == 1
    assert sentence in outcome.err
    assert len(outcome.err.splitlines()) == 1
