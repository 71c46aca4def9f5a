"""Files: atomic writes, locks, leftovers, checksums, and the readers of .json and .csv records."""

import csv
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from facegan.errors import BadInput, brief

LARGEST = 1 << 24
"""Bytes that a record or the arrays of a face may have: real ones have less than a tenth."""
LARGEST_TABLE = 1 << 28
"""The same of a .csv, which grows with the faces and the steps."""
BRING_BACK = "bring it back as it was, or name another folder; nothing was changed."

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
    temporary = temporary_of(path)
    try:
        with named_errors(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def temporary_of(path: Path) -> Path:
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f".{name}.{socket.gethostname()}.{os.getpid()}.tmp")


def check_writable(path: Path) -> None:
    """Raise BadInput where atomic() could not write a file, before the work is done of which it is the result."""
    temporary = temporary_of(path)
    try:
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(path.stat().st_mode):  # which also says when a name is too long
                raise BadInput(f"{path} is a folder: name a file.")
        temporary.touch()
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}): name another file.") from None
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
        if not is_alive(int(temporary.name.split(".")[-2])):
            temporary.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this host; a dead one whose parent has not asked how it ended (for good,
    in a container without an init) does not."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's; or there is no /proc
        return True


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


def open_regular(path: Path, largest: int = LARGEST) -> BinaryIO:
    """Open a file to read its bytes. Raises FileNotFoundError, and BadInput when it is no regular file (a FIFO or a
    device would be waited for, or never end), cannot be read, or is larger than so many bytes."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # does not wait for the writer of a FIFO
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    about = os.fstat(file)
    if stat.S_ISREG(about.st_mode) and about.st_size <= largest:
        return os.fdopen(file, "rb")
    os.close(file)
    if not stat.S_ISREG(about.st_mode):
        raise BadInput(f"{path} is no regular file: put the file itself in its place.")
    raise BadInput(f"{path} is too large: at most {largest / 1e6:.0f} MB are read, it has {about.st_size / 1e6:.0f}.")


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """All bytes of a file. Raises as open_regular() does."""
    with open_regular(path, largest) as file:
        try:
            return file.read(os.fstat(file.fileno()).st_size)  # a file that grows meanwhile does not grow here
        except OSError as error:
            raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> BadInput:
    """That a file cannot be read, which says nothing of what is in it."""
    return BadInput(f"{path} cannot be read ({error.strerror}): mend that first; the file itself may be whole.")


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


def read_json(path: Path, remedy: str = BRING_BACK, schema: dict | None = None) -> dict:
    """A .json file that holds an object as the schema says, which fault() explains. Raises BadInput, which ends in the
    remedy, when it does not."""
    return parse_json(read_text(path, remedy), path, remedy, schema)


def parse_json(text: str, name: Path | str, remedy: str, schema: dict | None = None) -> dict:
    """read_json() of a text that a sentence calls by a name."""
    reason = ""
    try:
        content = json.loads(text)
    except RecursionError:
        reason = "it is nested too deep"
    except ValueError as error:
        reason = brief(error)
    if reason := reason or fault(content, schema or {}):
        raise BadInput(f"{name} is damaged ({reason}): {remedy}")
    return content


def fault(content: object, schema: dict) -> str:
    """What is wrong with an object of a .json; "" when nothing is.

    schema: key -> its type, a question about its value, or the schema of the object that it holds. A key that ends in
    "?" may be missing.
    """
    if not isinstance(content, dict):
        return f"it is {in_words(content)}, expected an object"
    for key, kind in schema.items():
        name = key.removesuffix("?")
        if name not in content:
            if key == name:
                return f"{name} is missing"
        elif isinstance(kind, dict):
            if inner := fault(content[name], kind):
                return f"in {name} {inner}"
        elif not (type(content[name]) is kind if isinstance(kind, type) else kind(content[name])):
            return f"{name} is {in_words(content[name])}"
    return ""


def difference(before: dict, now: dict) -> str:
    """The first setting in which two records differ, for a sentence: "size 64 there, 128 here"; "" when none does."""
    for name in before | now:
        if before.get(name) != now.get(name):
            return f"{brief(name)} {in_words(before.get(name))} there, {in_words(now.get(name))} here"
    return ""


def in_words(value: object) -> str:
    """A value of a .json, for a sentence."""
    return {dict: "an object", list: "a list"}.get(type(value)) or brief(repr(value))


def read_text(path: Path, remedy: str, largest: int = LARGEST) -> str:
    """A text file, without the byte order mark that some editors put before it. Raises BadInput, which ends in the
    remedy, when it is missing or not UTF-8."""
    try:
        content = read_bytes(path, largest)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: {remedy}") from None
    return decode(content, path, remedy)


def decode(content: bytes, name: Path | str, remedy: str) -> str:
    """read_text() of bytes that a sentence calls by a name."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is damaged (byte {error.start} is not UTF-8 text): {remedy}") from None


def read_csv(path: Path, columns: Sequence[str], remedy: str) -> list[list[str]]:
    """The rows of a .csv below its header, which begins with these columns; none of an empty file. Raises BadInput,
    which ends in the remedy, when it is missing or has another header."""
    text = read_text(path, remedy, LARGEST_TABLE)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise BadInput(f"{path} is damaged ({brief(error)}): {remedy}") from None
    check_header(path, rows[0] if rows else columns, columns, remedy)
    return rows[1:]


def check_header(path: Path, header: Sequence[str], columns: Sequence[str], remedy: str) -> None:
    """Raise BadInput, which ends in the remedy, unless a .csv's header begins with these columns."""
    if list(header[: len(columns)]) == list(columns):
        return
    line = brief(",".join(header))
    cause = " (a spreadsheet wrote it with semicolons)" if ";" in line else ""
    raise BadInput(f"{path} begins with {line!r}, expected {','.join(columns)!r}{cause}: {remedy}")


def face_number(text: str) -> int | None:
    """The number of a face that a name or a table's cell says: up to nine digits; None where it is no such number."""
    return int(text) if re.fullmatch(r"0{0,99}[0-9]{1,9}", text) else None  # 0000000012 is 12


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
            raise BadInput(f"{path.parent} was made with {brief(name)} {brief(before)}, now it is {now}; {remedy}")
