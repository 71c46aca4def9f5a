"""Does anything grow? Memory, threads and open files of a training and of the editor's server, over many steps.

    python benchmarks/flat.py                       # 2,000 steps, 5,000 requests; some twenty minutes on two slow cores
    python benchmarks/flat.py --only editor

Each runs as a person runs it, in a process of its own, on drawn faces of 64 x 64, and is looked at from outside. The
first fifth does not count: what is kept for good is loaded in it. Slopes are of straight lines through the rest.
"""

import http.client
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from facegan import celebamask, cli, prepared
from facegan.editor import editing, wire

ROOT = Path(__file__).resolve().parent.parent
SIZE, FACES = 64, 60


@dataclass
class Args:
    steps: int = 2000
    """of the training"""
    requests: int = 5000
    """to the editor"""
    only: Literal["", "training", "editor"] = ""
    """one of them alone"""


class Sample(NamedTuple):
    """A process at one moment."""

    count: int
    """steps or requests until then"""
    memory: float
    """MB in use"""
    threads: int
    files: int


def sample(process: subprocess.Popen, count: int) -> Sample:
    place = Path("/proc") / str(process.pid)
    status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
    memory, threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
    return Sample(count, memory, threads, len(list((place / "fd").iterdir())))


def script(name: str, *flags) -> list[str]:
    return [sys.executable, str(ROOT / name), *map(str, flags)]


def make_data(place: Path) -> tuple[Path, Path]:
    """Drawn faces, raw and prepared."""
    raw, data = place / "raw", place / "data"
    for command in (
        script("data/make_sample.py", "--out", raw, "--count", FACES),
        script("g_simple_mask.py", "--source", raw, "--out", data, "--size", SIZE),
        script("face_recognition/face_recognition.py", "--data", data),
    ):
        subprocess.run(command, check=True)
    return raw, data


# --- the two ----------------------------------------------------------------------------------------------------------


def training(place: Path, data: Path, steps: int) -> Iterator[Sample]:
    """A training of so many steps; a dozen are an epoch, which ends with a grid and a checkpoint."""
    train_numbers, *_ = prepared.split(prepared.sample_indices(data))
    epochs = -(-steps // (len(train_numbers) // 4))
    flags = ("--train", "--data", data, "--size", SIZE, "--width", 16, "--batch-size", 4, "--epochs", epochs)
    metrics = place / "run" / "metrics.csv"
    with subprocess.Popen(script("pix2pix.py", *flags, "--run", metrics.parent)) as process:
        before = 0
        while process.poll() is None:
            time.sleep(1)
            rows = metrics.read_text().split() if metrics.exists() else []
            now = int(rows[-1].split(",")[0]) if len(rows) > 1 else 0
            if now > before:
                before = now
                yield sample(process, now)
    if process.returncode:
        sys.exit(f"the training ended with {process.returncode}")


def editor(place: Path, raw: Path, data: Path, requests: int) -> Iterator[Sample]:
    """So many requests to the page's server, of all kinds, as one browser after the other sends them."""
    run, parser, tiny = place / "painter", place / "parser", ("--data", data, "--size", SIZE, "--batch-size", 4)
    for name, folder in (("pix2pix.py", run), ("parse_face.py", parser)):
        subprocess.run(script(name, "--train", *tiny, "--epochs", 1, "--run", folder), check=True)
    command = script("edit.py", "--run", run, "--data", data, "--parser", parser, "--port", 0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = next(found[1] for line in process.stdout if (found := re.search(r"http://([\d.:]+)", line)))
            rng, requested = random.Random(0), list(kinds_of_requests(raw, data))
            answers = {}
            for i in range(requests):
                if i % 100 == 0:  # a new browser
                    connection, session = http.client.HTTPConnection(address), f"{rng.getrandbits(128):032x}"
                    yield sample(process, i)
                kind, method, path, body = requested[min(int(rng.expovariate(0.4)), len(requested) - 1)]
                connection.request(method, path, body, {"x-session": session})
                answer = connection.getresponse()
                answer.read()
                answers.setdefault((kind, answer.status), 0)
                answers[kind, answer.status] += 1
            yield sample(process, requests)
            print("answers:", ", ".join(f"{kind} {status}: {n}" for (kind, status), n in sorted(answers.items())))
        finally:
            process.kill()


def kinds_of_requests(raw: Path, data: Path) -> Iterator[tuple[str, str, str, bytes | None]]:
    """Kind, method, path and body of some requests, the commonest first."""
    grid = np.full((SIZE, SIZE), editing.UNPAINTED, np.uint8)
    grid[20:30, 20:40] = editing.NAMES.index("hair")
    edit = dict(face="3", map=None, grid=wire.pack(grid), colors=["#804020", *[None] * 6], identity="5", keep=True)
    body = json.dumps(edit).encode()
    photo = (raw / celebamask.PHOTOS / "7.jpg").read_bytes()
    yield "paint", "POST", "/editor/paint", body
    yield "borrow", "POST", "/editor/borrow", json.dumps(edit | {"region": "hair", "from": "9"}).encode()
    yield "show", "POST", "/editor/show/12", None
    yield "thumbnail", "GET", "/editor/thumbnail/17", None
    yield "upload", "POST", "/editor/upload/photo?name=me.jpg&aligned=true", photo
    yield "refused", "POST", "/editor/upload/photo?name=me.jpg", photo[: len(photo) // 2]
    yield "no edit", "POST", "/editor/paint", b"{}"
    yield "page", "GET", "/", None
    yield "download", "POST", "/editor/download/sample", body


def row(name: str, samples: list[Sample]) -> str:
    """A line of the table."""
    late = [x for x in samples if x.count >= samples[-1].count / 5]
    slopes = [np.polyfit([x.count for x in late], [x[i] for x in late], 1)[0] * 1000 for i in (1, 2, 3)]
    first, last = late[0], late[-1]
    cells = [f"{first[i]:.0f} to {last[i]:.0f}, {slope:+.2f}" for i, slope in zip((1, 2, 3), slopes, strict=True)]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    args = cli.parse(Args, description=__doc__)
    words = "after the first fifth: at its start, at the end, and slope for 1,000 steps or requests"
    table = f"\n{words}\n\n| what | MB | threads | open files |\n|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        raw, data = make_data(place)
        if args.only != "editor":
            table += "\n" + row(f"training, {args.steps} steps", list(training(place, data, args.steps)))
            print(table)  # whatever becomes of the rest
        if args.only != "training":
            table += "\n" + row(f"editor, {args.requests} requests", list(editor(place, raw, data, args.requests)))
            print(table)


if __name__ == "__main__":
    cli.run(main)
