"""Does a long job that was killed end as one that was not? SIGKILL, again and again, and then a look at what it left.

    python benchmarks/kills.py                         # 50 kills of every job; some hours
    python benchmarks/kills.py --kills 10 --only mask  # the jobs whose names contain this

Each job runs twice undisturbed; what differs between these two (times, dates) is not compared later. Then it begins
anew and is killed a few times: at any moment, or just after it wrote something. After a kill no finished file may be
other than the undisturbed one; when the same command has then been run to its end, all files must be as the undisturbed
ones, of checkpoints all variables, and no other file may be left. All work on 24 drawn faces of
64 x 64.
"""

import contextlib
import csv
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facegan import devices  # noqa: F401  first: it sets TensorFlow's environment

# isort: split
import tensorflow as tf

from facegan import celebamask, cli

ROOT = Path(__file__).resolve().parent.parent
SIZE, FACES = 64, 24
ATOMIC = (".npz", ".png", ".jpg", ".bin", ".keras", ".tflite")
"""Files that are whole or not there at any moment."""
PACK = "from pathlib import Path; from facegan import pipeline; pipeline.pack(pipeline.Records, Path({!r}), {}, {})"


@dataclass
class Args:
    kills: int = 50
    """of each job"""
    seed: int = 0
    """of their moments"""
    only: str = ""
    """jobs whose names contain this"""


class Job(NamedTuple):
    """A command, the folder that it works in, and the folder that this one is a copy of when it begins."""

    command: list
    out: Path
    begin: Path | None = None


def script(name: str, *flags) -> list:
    return [ROOT / name, *flags]


def jobs(place: Path) -> dict[str, Job]:
    """All jobs by name, and the folders they begin with, made by the scripts themselves."""
    raw, samples, whole, run, parser = (place / name for name in ("raw", "samples", "whole", "run", "parser"))
    results, out = place / "results", place / "out"
    finish(script("data/make_sample.py", "--out", raw, "--count", FACES))
    finish(script("g_simple_mask.py", "--source", raw, "--out", samples, "--size", SIZE))
    shutil.copytree(samples, whole)
    finish(script("face_recognition/face_recognition.py", "--data", whole))
    tiny = ("--size", SIZE, "--batch-size", 4, "--precision", "float32")
    train = ("--train", "--data", whole, *tiny)
    finish(script("pix2pix.py", *train, "--test", "--epochs", 1, "--run", run, "--out", results))
    finish(script("parse_face.py", *train, "--epochs", 12, "--width", 8, "--run", parser))
    photos = sorted((raw / celebamask.PHOTOS).glob("*.jpg"))[:4]
    three = ("--epochs", 3, "--validation", 0.25, "--run", out / "run")
    both = (*train, "--test", *three, "--out", out / "results")
    return {
        "make_sample.py": Job(script("data/make_sample.py", "--out", out, "--count", FACES), out),
        "g_simple_mask.py": Job(script("g_simple_mask.py", "--source", raw, "--out", out, "--size", SIZE), out),
        "c_mask.py": Job(script("c_mask.py", "--data", out, "--png"), out, samples),
        "face_recognition.py": Job(script("face_recognition/face_recognition.py", "--data", out), out, samples),
        "packing": Job(["-c", PACK.format(str(out), list(range(FACES)), SIZE)], out, whole),
        "own_photo.py": Job(
            script("own_photo.py", *photos, "--aligned", "--out", out, "--parser", parser, "--data", whole), out
        ),
        "pix2pix.py": Job(script("pix2pix.py", *both), out),
        "pix2pix_v2.py": Job(script("pix2pix_v2.py", *both), out),
        "pix2pix_rec.py": Job(script("pix2pix_rec.py", *both), out),
        "parse_face.py": Job(script("parse_face.py", *train, *three, "--width", 8), out),
        "evaluate.py": Job(script("evaluate.py", "--results", results, "--out", out, "--parser", parser), out),
        "export.py": Job(script("export.py", "--run", run, "--format", "litert", "--out", out), out),
    }


def start(command: list, **options) -> subprocess.Popen:
    """A script as a process group of its own, so that its workers are killed with it."""
    words = [sys.executable, *map(str, command)]
    return subprocess.Popen(words, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, **options)


def finish(command: list) -> None:
    """Run a script to its end."""
    with start(command, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{errors.decode()[-2000:]}")


# --- what a job leaves ------------------------------------------------------------------------------------------------


def fingerprints(folder: Path) -> dict[str, str]:
    """What each file of a folder holds, by name: a checksum, of checkpoints for every variable."""
    prints = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and "checkpoints" not in path.parts and "logs" not in path.parts:
            prints[name] = hashlib.sha256(content(path)).hexdigest()
    for listed in folder.rglob("checkpoints"):
        if newest := tf.train.latest_checkpoint(str(listed)):
            reader = tf.train.load_checkpoint(newest)
            for variable in reader.get_variable_to_shape_map():
                value = reader.get_tensor(variable)
                value = value if isinstance(value, bytes) else value.tobytes()
                prints[f"{listed.relative_to(folder)}: {variable}"] = hashlib.sha256(value).hexdigest()
    return prints


def content(path: Path) -> bytes:
    """A file's bytes; of metrics.csv all but the speed."""
    if path.name != "metrics.csv":
        return path.read_bytes()
    rows = csv.DictReader(io.StringIO(path.read_text()))
    return repr([{name: x for name, x in row.items() if name != "images_per_second"} for row in rows]).encode()


def state_of(folder: Path) -> tuple[int, int]:
    """Changes with every file that is written: how many there are, and the newest date."""
    count = newest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                count, newest = count + 1, max(newest, os.stat(os.path.join(place, name)).st_mtime_ns)
    return count, newest


def changes(folder: Path, process: subprocess.Popen):
    """Yields whenever something was written, while the process runs."""
    before = state_of(folder)
    while process.poll() is None:
        now = state_of(folder)
        if now != before:
            before = now
            yield
        time.sleep(0.001)


# --- kills ------------------------------------------------------------------------------------------------------------


@dataclass
class Undisturbed:
    """How a job goes when nobody kills it."""

    seconds: float
    writes: int
    files: dict[str, str]
    varying: list[str]
    """files that two runs do not have in common"""


def begin(job: Job) -> None:
    shutil.rmtree(job.out, ignore_errors=True)
    if job.begin:
        shutil.copytree(job.begin, job.out)


def undisturbed(job: Job) -> Undisturbed:
    begin(job)
    clock, process = time.monotonic(), start(job.command, stderr=subprocess.DEVNULL)
    writes, seconds = sum(1 for _ in changes(job.out, process)), time.monotonic() - clock
    first = fingerprints(job.out)
    begin(job)
    finish(job.command)
    second = fingerprints(job.out)
    varying = sorted(name for name in first | second if first.get(name) != second.get(name))
    return Undisturbed(seconds, writes, second, varying)


def kill_once(job: Job, usual: Undisturbed, rng: random.Random) -> bool:
    """Start the job, and kill it at any moment or just after a write. False when it came to its end before."""
    process = start(job.command, stderr=subprocess.DEVNULL)
    if rng.random() < 0.5:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, usual.seconds))
    else:
        writes = rng.randint(1, max(1, usual.writes))
        for i, _ in enumerate(changes(job.out, process)):
            if i == writes:
                time.sleep(rng.choice((0, 0, 0.003, 0.03)))
                break
    killed = process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return killed


def half_written(job: Job, usual: Undisturbed) -> list[str]:
    """Finished names whose files are not what they should be."""
    names = [name for name in usual.files if name.endswith(ATOMIC) and name not in usual.varying]
    paths = {name: job.out / name for name in names}
    return [
        name
        for name, path in paths.items()
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != usual.files[name]
    ]


def faults_of(job: Job, usual: Undisturbed) -> list[str]:
    """How the finished folder differs from the undisturbed one."""
    files = fingerprints(job.out)
    names = sorted(files.keys() ^ usual.files.keys() | {x for x in files if files[x] != usual.files.get(x)})
    return [name for name in names if name not in usual.varying]


def main() -> int:
    args = cli.parse(Args, description=__doc__)
    table, faults = [], 0
    with tempfile.TemporaryDirectory() as place:
        chosen = {name: job for name, job in jobs(Path(place)).items() if args.only in name}
        for name, job in chosen.items():
            usual, rng = undisturbed(job), random.Random(f"{args.seed} {name}")
            kills = rounds = wrong = 0
            while kills < args.kills:
                begin(job)
                for _ in range(rng.randint(1, 4)):
                    kills += kill_once(job, usual, rng)
                    if names := half_written(job, usual):
                        wrong += 1
                        print(f"{name}: half written after kill {kills}: {', '.join(names[:5])}", flush=True)
                finish(job.command)
                rounds += 1
                if names := faults_of(job, usual):
                    wrong += 1
                    print(f"{name}: another end after kill {kills}: {', '.join(names[:5])}", flush=True)
            faults += wrong
            compared = len(usual.files) - len(usual.varying)
            table.append(f"| {name} | {kills} | {rounds} | {compared} | {', '.join(usual.varying) or '-'} | {wrong} |")
            print(table[-1], flush=True)
    print(f"\nseed {args.seed}\n\n| job | kills | ends | compared in each | not compared | faults |")
    print("\n".join(["|---|---|---|---|---|---|", *table]))
    return int(faults > 0)


if __name__ == "__main__":
    cli.run(main)
