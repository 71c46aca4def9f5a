"""One function over many faces: all cores, a progress bar, report.csv, a last line that counts, an exit status."""

import csv
import errno
import io
import multiprocessing
import os
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path

import cv2
from tqdm import tqdm

from facegan import files, prepared
from facegan.errors import BadInput

DONE, REFUSED = "done", "refused"
UNEXPECTED = "unexpected "
"""How the detail of a refusal begins that nobody foresaw."""


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

    With made_from, the folder of the samples, a result that was made from another sample is made again.
    work returns a status word ("done", or another one worth a line in report.csv) and raises BadInput for a bad item,
    which is refused with that reason. Any other error refuses its item too, with its type and place, and is counted
    apart; only a disk that takes nothing more ends the others. workers: processes, 0 for all cores; 1 stays in this
    process. prepare_worker runs once in each. Returns the exit status: 1 when an item was refused, unless keep_going.
    """
    tasks = {k: tasks[k] for k in shard(sorted(tasks), part)}
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(folder, part)
    with files.lock(folder / f".{report.path.name}.lock"):
        files.remove_leftovers(folder)
        current = set() if overwrite else set(prepared.indices(folder.parent, folder.name))
        if made_from:
            current = {k for k in current if prepared.is_current(made_from.parent, folder.name, k)}
        open_tasks = {k: task for k, task in tasks.items() if k not in current}
        report.tidy(keep=tasks.keys() - open_tasks.keys())
        counts = Counter(done=0, skipped=len(tasks) - len(open_tasks))
        outcomes = each(partial(report.noting, work), open_tasks, folder.name, workers, prepare_worker)
        try:
            with closing(outcomes):
                counts.update(outcomes)
        finally:
            report.tidy(keep=tasks.keys())
    print(f"{folder}: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items()) if n or status == DONE))
    if counts[REFUSED]:
        print(f"The reasons are in {report.path}.")
    if unexpected := [row for row in report.rows().values() if row[2].startswith(UNEXPECTED)]:
        k, _, detail = unexpected[0]
        print(f"{len(unexpected)} refused by an error of the program, not by a rule (first: {k}, {detail}).")
    return int(counts[REFUSED] > 0 and not keep_going)


def each(
    work: Callable[[tuple[int, object]], object],
    tasks: dict[int, object],
    description: str,
    workers: int = 0,
    prepare_worker: Callable[[], None] | None = None,
) -> Iterator:
    """Yield work((k, tasks[k])) for every k, in order, with a progress bar. Other arguments as in run()."""
    if workers < 0:
        raise BadInput(f"--workers {workers}: expected 0 (all cores) or more.")
    workers = min(workers or available_cores(), len(tasks))
    with tqdm(total=len(tasks), desc=description, unit="face", smoothing=0.05, disable=not tasks) as bar:
        if workers <= 1:
            if prepare_worker and tasks:
                prepare_worker()
            results = map(work, tasks.items())
        else:
            results = in_parallel(work, tasks, workers, prepare_worker)
        for result in results:
            yield result
            bar.update()


def in_parallel(work, tasks: dict, workers: int, prepare_worker) -> Iterator:
    """The same as map(work, tasks.items()), on several processes."""
    context = multiprocessing.get_context("spawn")  # fork would copy locks that other threads hold
    pool = ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=(prepare_worker,))
    try:
        # The workers inherit the mask: Ctrl-C is for this process, which lets running items end.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            results = pool.map(work, tasks.items(), chunksize=max(1, min(16, len(tasks) // (4 * workers))))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield from results
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


class Report:
    """report.csv: k, status, detail of every item that is not simply done."""

    HEADER = ("k", "status", "detail")

    def __init__(self, folder: Path, part: str):
        self.path = folder / ("report.csv" if part == "1/1" else f"report-{part.replace('/', '-of-')}.csv")

    def noting(self, work: Callable[..., str], item: tuple[int, object]) -> str:
        """Run one task and return its status; an item's error becomes a status, whatever its type.

        The worker itself notes the row, at once, so that neither Ctrl-C nor a kill loses it.
        """
        k, task = item
        try:
            status, detail = work(task), ""
        except BadInput as error:
            status, detail = REFUSED, str(error)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise  # every other item would meet it too
            status, detail = REFUSED, describe(error)
        if status != DONE:
            with self.path.open("ab") as file:  # appended in one write, so rows of several workers stay whole
                detail = " ".join(detail.replace("\0", " ").split())  # a line, whatever a file is called
                file.write(csv_text([(k, status, detail)]).encode("utf-8", "backslashreplace"))
        return status

    def tidy(self, keep: Iterable[int]) -> None:
        """Keep the rows of the items in keep, in the order of their numbers."""
        rows = self.rows()
        kept = [rows[str(k)] for k in sorted(set(keep)) if str(k) in rows]
        files.write_text(self.path, csv_text([self.HEADER, *kept]))

    def rows(self) -> dict[str, list[str]]:
        """The last whole row of every item, by its number as it is written; none before there is a report."""
        if not self.path.exists():
            return {}
        table = files.read_csv(self.path, self.HEADER, "move it away, and the same command makes a new one.")
        return {row[0]: row for row in table if len(row) == 3}


def describe(error: Exception) -> str:
    """An unforeseen error: its type, its words, and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = "".join(traceback.format_exception_only(error)).strip()[:200]
    return f"{UNEXPECTED}{words} ({Path(place.filename).name}, line {place.lineno})"


def csv_text(rows: Iterable[Iterable]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
