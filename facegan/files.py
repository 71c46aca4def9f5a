"""Files: atomic writes, locks, leftovers, checksums, and the .json that says how a folder was made."""

import csv
import errno
import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from facegan.errors import BadInput

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a disk says that has no locks."""
LOCK_ATTEMPTS = 20

LONGEST_NAME = 120
"""Bytes of a file's name beside which host, process and an ending fit into the 255 that file systems take."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Hand out a temporary name beside path; rename it to path when the block ends well, remove it when it does not.

    The name carries host and process, so that two jobs never share one and what a killed job left can be told apart.
    """
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    temporary = path.with_name(f".{name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        with named_errors(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """What the system refuses while a file is written names it; of an open file it says the reason alone."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


@contextmanager
def plain_name(folder: Path) -> Iterator[Path]:
    """Another name of a folder while the block runs, of plain letters alone, for libraries that take a path for a
    pattern or for UTF-8. TensorFlow does both."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of jobs that were killed on this host."""
    for temporary in folder.glob(f".*.{socket.gethostname()}.*.tmp"):
        try:
            os.kill(int(temporary.name.split(".")[-2]), 0)
        except ProcessLookupError:
            temporary.unlink(missing_ok=True)
        except PermissionError:
            pass  # alive, and somebody else's


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; a killed process lets go too. BadInput when another process holds it.

    Where the disk has no locks (Lustre, some NFS) a file that names host and process is the lock. That of a process
    that was killed on this host counts no more; of another host's, a person decides.
    """
    with ExitStack() as stack:
        try:
            stack.callback(os.close, locked_file(path))
            stack.callback(remove_lost, path)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            remove_lost(path)
            stack.enter_context(lock_by_name(path.with_name(f"{path.name}ed")))
        yield


def locked_file(path: Path) -> int:
    """An open lock file that this process alone holds. Raises BadInput when another one does."""
    for attempt in range(LOCK_ATTEMPTS):
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if not flocked(file):
                    raise held(path)
                if os.path.samestat(os.fstat(file), path.stat()):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # the one before removed it between our opening and our locking: once more
        except OSError as error:
            vanished = error.errno == errno.ENOENT and path.parent.is_dir()
            if not (vanished or error.errno == errno.ESTALE) or attempt == LOCK_ATTEMPTS - 1:
                raise
        time.sleep(0.01 * attempt)
    raise held(path)


def flocked(file: int) -> bool:
    """Lock an open file, if no other process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):  # some file systems say the latter
        return False


def held(path: Path) -> BadInput:
    return BadInput(f"another job is writing into {path.parent}: wait for it, or name another folder.")


@contextmanager
def lock_by_name(path: Path) -> Iterator[None]:
    """lock() on a disk without locks."""
    import filelock  # here, as hardly anybody needs it

    try:
        with filelock.SoftFileLock(path, timeout=0.5):  # the first attempt may only remove a dead process's
            yield
    except filelock.Timeout:
        raise BadInput(
            f"another job is writing into {path.parent}: wait for it, or name another folder. This disk has no locks: "
            f"if the job that {path} names ran on another machine and was killed there, delete that file."
        ) from None


def remove_lost(path: Path) -> None:
    """Remove a lock file, also one that somebody has removed or the disk's server lost."""
    with suppress(FileNotFoundError):
        try:
            path.unlink()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8; what is none in a name is escaped."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows with the same keys as a .csv with a header, atomically; floats with six digits."""
    with (
        atomic(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{x:.6f}" if isinstance(x, float) else x for name, x in row.items()})


def is_current(path: Path, *sources: Path) -> bool:
    """Whether path exists and is not older than any of its existing sources."""
    if not path.exists():
        return False
    date = path.stat().st_mtime_ns
    return all(source.stat().st_mtime_ns <= date for source in sources if source.exists())


def sha256(path: Path) -> str:
    """The checksum of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: Path, remedy: str = "") -> dict:
    """A .json file that holds an object. Raises BadInput, which ends in the remedy, when it does not."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    except (OSError, ValueError):
        pass
    remedy = remedy or f"choose another folder, or delete {path.parent} and make it again."
    raise BadInput(f"{path} is missing or damaged: {remedy}")


def claim(path: Path, remedy: str, **settings) -> None:
    """Record in path with which settings a folder is made, or check that it was made with the same.

    Results of two datasets, sizes or settings under one roof would train without an error and mean nothing, so other
    settings are refused with BadInput, which ends in the remedy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_text(path, json.dumps(settings, indent=2) + "\n")
        return
    recorded = read_json(path)
    for name in settings | recorded:
        before, now = (values.get(name, "as it was without that setting") for values in (recorded, settings))
        if before != now:
            raise BadInput(f"{path.parent} was made with {name} {before}, now it is {now}; {remedy}")
