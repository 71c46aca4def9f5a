"""jobs.py: many faces, one function; what is counted, reported, skipped and survived."""

import csv
import errno
import os
import re
import signal
import struct
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from facegan import jobs, prepared
from facegan.errors import BadInput


def work(task: str, folder) -> str:
    """The task says what happens to it: "3 done", "3 bad", "3 odd", "3 crash"."""
    k, what, *name = task.split()
    if name:
        raise BadInput(f"{k} of\n{name[0]} is bad\0")
    if what == "bad":
        raise BadInput(f"{k} is bad, so to say")
    if what == "crash":
        os._exit(9)
    prepared.write_npz(folder / f"{k}.npz", k=np.array(int(k)), process=np.array(os.getpid()))
    return what


def run(folder, *whats: str, **options) -> int:
    tasks = {k: f"{k} {what}" for k, what in enumerate(whats)}
    return jobs.run(partial(work, folder=folder), tasks, folder, **{"workers": 1, **options})


def report(folder, name="report.csv") -> list[list[str]]:
    with (folder / name).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["k", "status", "detail"]
    return rows


def stems(folder) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.npz"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "samples"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_item_is_refused_with_its_reason_and_the_others_are_done(folder, capsys, workers):
    status = run(folder, "done", "bad", "odd", "done", "bad", workers=workers)
    assert status == 1
    assert stems(folder) == ["0", "2", "3"]
    assert report(folder) == [
        ["1", "refused", "1 is bad, so to say"],
        ["2", "odd", ""],
        ["4", "refused", "4 is bad, so to say"],
    ]
    counts, where = capsys.readouterr().out.strip().splitlines()
    assert counts == f"{folder}: 2 done, 1 odd, 2 refused"
    assert str(folder / "report.csv") in where


def test_keep_going_ends_well_and_still_reports(folder):
    assert run(folder, "done", "bad", keep_going=True) == 0
    assert report(folder) == [["1", "refused", "1 is bad, so to say"]]


def test_nothing_refused_ends_well_though_something_was_odd(folder, capsys):
    assert run(folder, "done", "odd") == 0
    assert capsys.readouterr().out.strip() == f"{folder}: 1 done, 1 odd"


def test_no_task_at_all(folder, capsys):
    assert run(folder) == 0
    assert capsys.readouterr().out.strip() == f"{folder}: 0 done"
    assert report(folder) == []


def test_a_second_run_skips_what_is_there_and_keeps_its_rows(folder, capsys):
    run(folder, "odd", "done", "bad")
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    capsys.readouterr()
    assert run(folder, "done", "done", "bad") == 1  # what was refused is tried again
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")} == before
    assert report(folder) == [["0", "odd", ""], ["2", "refused", "2 is bad, so to say"]]
    assert capsys.readouterr().out.startswith(f"{folder}: 0 done, 1 refused, 2 skipped\n")


def test_an_item_that_was_mended_leaves_the_report(folder):
    run(folder, "done", "bad")
    assert run(folder, "done", "done") == 0
    assert report(folder) == []


def test_overwrite_makes_everything_again(folder, capsys):
    run(folder, "odd", "done")
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    capsys.readouterr()
    run(folder, "done", "done", overwrite=True)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    assert all(after[name] > before[name] for name in ("0.npz", "1.npz"))
    assert report(folder) == []
    assert capsys.readouterr().out.strip() == f"{folder}: 2 done"


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_shards_are_disjoint_and_together_everything(n):
    numbers = list(range(100, 107))
    shards = [jobs.shard(numbers, f"{i}/{n}") for i in range(1, n + 1)]
    assert sorted(k for part in shards for k in part) == numbers
    sizes = [len(part) for part in shards]
    assert max(sizes) - min(sizes) <= 1  # equal parts


@pytest.mark.parametrize("part", ["0/3", "4/3", "1/0", "1", "/", "a/b", "-1/3", "1/3/3", "1.5/3", ""])
def test_bad_shard_is_a_sentence(folder, part):
    with pytest.raises(BadInput, match=r"--shard .*expected I/N with I from 1 to N"):
        run(folder, "done", part=part)
    assert stems(folder) == []


def test_shards_keep_their_reports_apart(folder):
    """Jobs of an array end at the same time; they must not write one file."""
    for i in (1, 2):
        run(folder, "bad", "bad", "done", part=f"{i}/2")
    assert [row[0] for row in report(folder, "report-1-of-2.csv")] == ["0"]
    assert [row[0] for row in report(folder, "report-2-of-2.csv")] == ["1"]
    assert not (folder / "report.csv").exists()
    assert stems(folder) == ["2"]


def test_negative_workers_are_a_sentence(folder):
    with pytest.raises(BadInput, match="--workers -1: expected 0"):
        run(folder, "done", workers=-1)


def test_workers_are_other_processes(folder):
    run(folder, *["done"] * 40, workers=2)
    processes = {int(prepared.read_npz(folder / f"{k}.npz", process=())[0]) for k in range(40)}
    assert os.getpid() not in processes
    assert processes


def test_a_worker_that_dies_is_a_sentence(folder):
    with pytest.raises(BadInput, match=r"a worker process died .*fewer --workers"):
        run(folder, "crash", "done", workers=2)
    assert report(folder) == []


class Nameless(Exception):
    """An error that cannot be sent to another process, and says nothing."""

    def __init__(self, a, b):
        super().__init__()

    def __str__(self):
        raise ValueError


ERRORS = {
    "index": IndexError("tuple index out of range"),
    "struct": struct.error("unpack requires 4 bytes"),
    "runtime": RuntimeError("two\nlines"),
    "memory": MemoryError(),
    "recursion": RecursionError("maximum recursion depth exceeded"),
    "nameless": Nameless(1, 2),
    "permission": PermissionError(13, "Permission denied"),
}


def fail(task: str, folder) -> str:
    if task in ERRORS:
        raise ERRORS[task]
    return work(task, folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_item_ends_the_others_whatever_it_raises(folder, capsys, workers):
    tasks = dict(enumerate([*ERRORS, "7 done", "8 bad"]))
    assert jobs.run(partial(fail, folder=folder), tasks, folder, workers=workers) == 1
    assert stems(folder) == ["7"]
    rows = report(folder)
    for row, error in zip(rows, ERRORS.values(), strict=False):
        assert row[1] == "refused"
        assert re.match(rf"unexpected (\w+\.)?{type(error).__name__}\b", row[2])
        assert "(test_jobs.py, line " in row[2]
    assert "two lines" in rows[2][2]
    assert rows[-1] == ["8", "refused", "8 is bad, so to say"]
    out = capsys.readouterr().out
    assert f"{folder}: 1 done, 8 refused\n" in out
    assert "7 refused by an error of the program, not by a rule (first: 0, unexpected IndexError: tuple index" in out


def test_a_name_that_is_not_utf8_is_reported_escaped(folder):
    """The names of files come as the system stores them."""
    assert run(folder, "bad \udcff.jpg", "done") == 1
    assert stems(folder) == ["1"]
    assert report(folder)[0][2] == "0 of\\n\\udcff.jpg is bad\\x00"


def full_disk(task: str, folder) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_ends_the_job_for_every_item_would_meet_it(folder):
    with pytest.raises(OSError, match="No space left"):
        jobs.run(partial(full_disk, folder=folder), {0: "", 1: ""}, folder, workers=1)
    assert report(folder) == []


@pytest.mark.parametrize("content", [b"k;status;detail\n1;refused;bad\n", b"\xff\xfek\0", b"my notes\n"])
def test_a_report_of_somebody_else_is_never_written_over(content, folder):
    folder.mkdir()
    (folder / "report.csv").write_bytes(content)
    with pytest.raises(BadInput, match=r"report\.csv .*: move it away, and the same command makes a new one\.$"):
        run(folder, "done")
    assert (folder / "report.csv").read_bytes() == content


def test_a_row_of_an_impossible_number_is_passed_over(folder):
    folder.mkdir()
    (folder / "report.csv").write_text(f"k,status,detail\n{'9' * 5000},refused,bad\n²,refused,bad\n")
    run(folder, "done")
    assert (folder / "report.csv").read_text().splitlines() == ["k,status,detail"]


SLOW_JOB = """
import os, sys, time
if __name__ != "__main__" and "slow start" in sys.argv:  # a worker that is still importing
    open(sys.argv[1] + ".starting", "w").close()
    time.sleep(1)
from functools import partial
from pathlib import Path
import numpy as np
from facegan import cli, jobs, prepared

def work(k, folder):
    time.sleep(0.05)
    prepared.write_npz(folder / f"{k}.npz", process=np.array(os.getpid()))
    return "odd" if k == 0 else "done"

if __name__ == "__main__":
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    tasks = {k: k for k in range(100)}
    cli.run(lambda: jobs.run(partial(work, folder=folder), tasks, folder, workers=workers))
"""


def start_slow_job(root, tmp_path, folder, workers: int, *flags: str) -> subprocess.Popen:
    """SLOW_JOB in a process group of its own."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW_JOB)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(workers), *flags],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where pytest runs behind an "&"
    )


def kill_midway(root, tmp_path, folder, workers: int) -> None:
    """Start SLOW_JOB, kill its parent process without warning once three items and item 0 are there."""
    with start_slow_job(root, tmp_path, folder, workers) as process:
        assert wait_until(lambda: len(stems(folder)) >= 3 and "0" in stems(folder))
        process.send_signal(signal.SIGKILL)
        process.stderr.close()
    assert len(stems(folder)) < 100


def wait_until(condition, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_killed_run_found_odd_is_in_the_next_report(root, tmp_path, folder, workers):
    """The item is there, so it is skipped: its row must not depend on how the first run ended."""
    kill_midway(root, tmp_path, folder, workers)
    run(folder, *["done"] * 100)
    assert ["0", "odd", ""] in report(folder)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
def test_workers_end_with_their_killed_parent(root, tmp_path, folder):
    """Else every killed job leaves its workers and their memory behind on the machine for good."""
    kill_midway(root, tmp_path, folder, workers=2)
    workers = {int(prepared.read_npz(path, process=())[0]) for path in folder.glob("*.npz")}
    ended = wait_until(lambda: not any(map(alive, workers)), seconds=8)
    for worker in filter(alive, workers):
        os.kill(worker, signal.SIGKILL)
    assert ended


def test_ctrl_c_while_the_workers_start_is_a_sentence_too(root, tmp_path, folder):
    """A terminal sends it to every process of the group, also to workers that are still importing."""
    with start_slow_job(root, tmp_path, folder, 2, "slow start") as process:
        assert wait_until((tmp_path / "samples.starting").exists)
        os.killpg(process.pid, signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "the same command goes on from here" in err
    assert "Traceback" not in err
