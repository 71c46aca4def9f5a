"""files.lock(): one process holds it, a killed one lets go, on disks with locks and without."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from facegan import files
from facegan.errors import BadInput
from facegan.results import ResultsWriter
from solid import RED, pictures_of

HOLDS = """
import sys, time
sys.path.insert(0, {root!r})
import fcntl
from pathlib import Path
from facegan import files
def flock(file, how):
    raise OSError({number}, "no locks here")
if {number}:
    fcntl.flock = flock
with files.lock(Path({path!r})):
    print("held", flush=True)
    time.sleep({seconds})
"""
DISKS = pytest.mark.parametrize("number", [0, *files.NO_LOCKS], ids=lambda n: errno.errorcode.get(n, "locks"))


@pytest.fixture
def disk(monkeypatch):
    """disk(number): from now on this process's disk says that to flock; 0: it has locks."""

    def disk(number):
        def flock(file, how):
            raise OSError(number, "no locks here")

        if number:
            monkeypatch.setattr(fcntl, "flock", flock)

    return disk


def hold(root, path: Path, number: int, seconds: float = 60) -> subprocess.Popen:
    program = HOLDS.format(root=str(root), number=number, path=str(path), seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@DISKS
def test_one_process_holds_it_and_a_killed_one_lets_go(number, root, tmp_path, disk):
    disk(number)
    holder = hold(root, tmp_path / ".lock", number)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BadInput, match="another job is writing into"), files.lock(tmp_path / ".lock"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert names(tmp_path) != []
    with files.lock(tmp_path / ".lock"):
        pass
    assert names(tmp_path) == []


@DISKS
def test_it_is_free_after_the_block_and_after_an_error(number, tmp_path, disk):
    disk(number)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"), files.lock(tmp_path / "a.lock"):
            raise ValueError("x")
        assert names(tmp_path) == []


@DISKS
def test_two_threads_exclude_each_other(number, tmp_path, disk):
    disk(number)
    refusals = []

    def second():
        try:
            with files.lock(tmp_path / "a.lock"):
                pass
        except BadInput as error:
            refusals.append(str(error))

    with files.lock(tmp_path / "a.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refusals) == 1


def test_the_lock_of_a_job_killed_on_another_machine_is_named(tmp_path, disk, monkeypatch):
    disk(errno.ENOLCK)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    with files.lock(tmp_path / ".lock"):
        content = (tmp_path / ".locked").read_text()
    monkeypatch.undo()
    disk(errno.ENOLCK)
    assert "elsewhere" in content
    (tmp_path / ".locked").write_text(content)
    with pytest.raises(BadInput, match=r"delete that file\.") as sentence, files.lock(tmp_path / ".lock"):
        pass
    assert str(tmp_path / ".locked") in str(sentence.value)


def test_a_lock_that_the_disks_server_loses_is_taken_again(tmp_path, monkeypatch):
    real, calls = fcntl.flock, []

    def flock(file, how):
        calls.append(file)
        if len(calls) < 4:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    before = len(os.listdir("/proc/self/fd"))
    with files.lock(tmp_path / ".lock"):
        (tmp_path / ".lock").unlink()  # as somebody may, meanwhile
    assert len(calls) == 4
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_server_that_stays_lost_is_an_error_that_ends(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Stale file handle"), files.lock(tmp_path / ".lock"):
        pass


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.lock(tmp_path / "missing" / ".lock"):
        pass


def test_two_tests_into_one_folder_are_refused_and_mix_nothing(tmp_path):
    about, labels = {"script": "pix2pix.py", "split": "test", "step": 5}, {"rec": "reconstruction"}
    with ResultsWriter(tmp_path, about, np.array([1]), labels) as first:
        with pytest.raises(BadInput, match="another job is writing into"):
            ResultsWriter(tmp_path, about, np.array([2]), labels)
        first.add({"rec": pictures_of(RED)}, {"k": np.array([1])})
    assert names(tmp_path) == ["1_rec.png", "grid.png", "index.html", "results.csv", "results.json"]
