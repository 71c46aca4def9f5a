"""One function over many faces: all cores, a progress bar, report.csv, a last line that counts, an exit status."""

import csv
import io
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import cv2
from tqdm import tqdm

from facegan import prepared
from facegan.errors import BadInput

DONE, REFUSED = "done", "refused"


def available_cores() -> int:
    """The cores this process may use: what a job scheduler grants, not what the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shard(numbers: list, part: str) -> list:
    """The I-th of N equal parts of a list, for part "I/N" with I from 1 to N; the N parts together are the list."""
    i, slash, n = part.partition("/")
    if not (slash and i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise BadInput(f"--shard {part}: expected I/N with I from 1 to N, for instance 1/4.")
    return numbers[int(i) - 1 :: int(n)]


def run(
    work: Callable[..., str],
    tasks: dict[int, object],
    folder: Path,
    *,
    workers: int = 0,
    overwrite: bool = False,
    keep_going: bool = False,
    part: str = "1/1",
    made_from: Path | None = None,
    prepare_worker: Callable[[], None] | None = None,
) -> int:
    """Call work(tasks[k]) for every k whose folder/<k>.npz is not there yet, and say how it went.

    With made_from, a result older than made_from/<k>.npz is made again.
    work returns a status word ("done", or another one worth a line in report.csv) and raises BadInput for a bad item,
    which is refused with that reason and never stops the others. workers: processes, 0 for all cores; 1 stays in this
    process. prepare_worker runs once in each. Returns the exit status: 1 when an item was refused, unless keep_going.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prepared.remove_leftovers(folder)
    tasks = {k: tasks[k] for k in shard(sorted(tasks), part)}
    there = set() if overwrite else set(prepared.indices(folder.parent, folder.name))
    if made_from:
        there = {k for k in there if prepared.is_current(folder / f"{k}.npz", made_from / f"{k}.npz")}
    open_tasks = {k: task for k, task in tasks.items() if k not in there}
    report = Report(folder, part, keep=tasks.keys() - open_tasks.keys())
    counts = Counter(done=0, skipped=len(tasks) - len(open_tasks))
    try:
        for k, status, detail in each(work, open_tasks, folder.name, workers, prepare_worker):
            counts[status] += 1
            report.add(k, status, detail)
    finally:
        report.write()
    print(f"{folder}: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items()) if n or status == DONE))
    if counts[REFUSED]:
        print(f"The reasons are in {report.path}.")
    return int(counts[REFUSED] > 0 and not keep_going)


def each(
    work: Callable[..., str],
    tasks: dict[int, object],
    description: str,
    workers: int = 0,
    prepare_worker: Callable[[], None] | None = None,
) -> Iterator[tuple[int, str, str]]:
    """Yield (k, status, detail) of work(tasks[k]) for every k, in order, with a progress bar. Arguments as in run()."""
    if workers < 0:
        raise BadInput(f"--workers {workers}: expected 0 (all cores) or more.")
    workers = min(workers or available_cores(), len(tasks))
    guarded = partial(guard, work)
    with tqdm(total=len(tasks), desc=description, unit="face", smoothing=0.05, disable=not tasks) as bar:
        if workers <= 1:
            if prepare_worker and tasks:
                prepare_worker()
            outcomes = map(guarded, tasks.items())
        else:
            outcomes = in_parallel(guarded, tasks, workers, prepare_worker)
        for outcome in outcomes:
            yield outcome
            bar.update()


def in_parallel(guarded, tasks: dict, workers: int, prepare_worker) -> Iterator[tuple[int, str, str]]:
    """The same as map(guarded, tasks.items()), on several processes."""
    context = multiprocessing.get_context("spawn")  # fork would copy locks that other threads hold
    pool = ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=(prepare_worker,))
    try:
        # The workers inherit the mask: Ctrl-C is for this process, which lets running items end.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        outcomes = pool.map(guarded, tasks.items(), chunksize=max(1, min(16, len(tasks) // (4 * workers))))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield from outcomes
    except BrokenProcessPool:
        raise BadInput(
            "a worker process died (out of memory?); what is done stays: run again with fewer --workers to go on."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def one_opencv_thread() -> None:
    cv2.setNumThreads(1)  # the workers are the parallelism


def start_worker(prepare_worker) -> None:
    threading.Thread(target=follow_parent, daemon=True).start()
    if prepare_worker:
        prepare_worker()


def follow_parent() -> None:
    """End this worker when its parent is gone: one that was killed cannot tell its workers to stop."""
    multiprocessing.parent_process().join()
    os._exit(1)


def guard(work, item: tuple[int, object]) -> tuple[int, str, str]:
    """Run one task; a bad item becomes a status instead of an error."""
    k, task = item
    try:
        return k, work(task), ""
    except BadInput as error:
        return k, REFUSED, str(error)


class Report:
    """report.csv: k, status, detail of every item that is not simply done.

    Rows of items that are skipped now are kept. A row is in the file as soon as it is known, so that a kill loses none.
    """

    HEADER = ("k", "status", "detail")

    def __init__(self, folder: Path, part: str, keep: Iterable[int]):
        self.path = folder / ("report.csv" if part == "1/1" else f"report-{part.replace('/', '-of-')}.csv")
        keep = {str(k) for k in keep}
        self.rows: dict[int, tuple] = {}
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                self.rows = {int(row[0]): tuple(row) for row in csv.reader(file) if len(row) == 3 and row[0] in keep}
        self.write()

    def add(self, k: int, status: str, detail: str) -> None:
        if status != DONE:
            self.rows[k] = (k, status, detail)
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(self.rows[k])

    def write(self) -> None:
        """Write all rows again, in the order of their numbers."""
        text = io.StringIO()
        csv.writer(text).writerows([self.HEADER, *(self.rows[k] for k in sorted(self.rows))])
        prepared.write_text(self.path, text.getvalue())
