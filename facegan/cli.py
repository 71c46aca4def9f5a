"""The command line: flags that several scripts share, and one way to start a script and to end it."""

import dataclasses
import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import tyro

from facegan import interrupts
from facegan.errors import BadInput, printable

NOBODY_READS = 141
"""What a shell says of a program whose reader has left."""

FULL, READ_ONLY = "make room, and the same command goes on", "name a folder that can be written"
NO_FOLDER = "a file is where a folder belongs: move it, or name another folder"
WRITING = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.ENOTDIR: NO_FOLDER,
    errno.EEXIST: NO_FOLDER,
    errno.EISDIR: "a folder is where a file belongs: move it, or name another folder",
    errno.EFBIG: "this disk, or a limit, takes no file as large: name another folder",
}
"""What a disk refuses to write, and what to do."""
OTHERS = {
    errno.ENAMETOOLONG: "name a shorter one",
    errno.ESTALE: "the disk's server has lost the file: the same command goes on",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


@dataclass
class BatchArgs:
    """Flags of the three preprocessing scripts."""

    workers: int = 0
    """processes to use; 0 takes every core this job may use"""
    overwrite: bool = False
    """make again what is already there (otherwise it is skipped)"""
    keep_going: bool = False
    """exit with 0 although items were refused; report.csv names them either way"""
    shard: str = "1/1"
    """I/N: only the I-th of N parts of the faces, for job arrays"""


def parse(args_type, **options):
    """Read sys.argv into args_type, a dataclass with a docstring under each field. Wrong flags exit with status 2.
    Raises BadInput for a flag of several values that is given twice, as only those of the last would count, or without
    one."""
    args = tyro.cli(args_type, **options)
    for field in dataclasses.fields(args_type):
        flag = f"--{field.name.replace('_', '-')}"
        times = sum(word.partition("=")[0].replace("_", "-") == flag for word in sys.argv[1:])
        if times and getattr(args, field.name) == ():
            raise BadInput(f"{flag} stands without a value: see --help.")
        if times > 1 and isinstance(getattr(args, field.name), tuple):
            raise BadInput(f"{flag} is given {times} times: write all its values after one, {flag} ONE ANOTHER.")
    return args


def run(main: Callable[[], int | None]) -> None:
    """Run a script's main and exit with its status; what a person can mend ends with one sentence on stderr."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: names need not be UTF-8
    interrupts.raise_while_working()
    status = ending(main)
    flushed = ending(sys.stdout.flush)
    interrupts.ignore_while_ending()
    sys.exit(status or flushed)


def ending(work: Callable[[], int | None]) -> int | str | None:
    """How some work ends: its status, or the sentence to end with."""
    try:
        return work()
    except SystemExit as end:  # --help, or a wrong flag
        return end.code
    except BadInput as error:
        return f"error: {error}"
    except KeyboardInterrupt:
        interrupts.ignore_while_ending()
        print("\nstopped; the same command goes on from here.", file=sys.stderr)
        interrupts.Line.shown = True
        return interrupts.STATUS
    except BrokenPipeError:
        # whoever read the output, for instance head, has left; Python would try once more to write what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except OSError as error:
        return f"error: {sentence(error)}"


def sentence(error: OSError) -> str:
    """What the system refused, with the file's name, and what to do."""
    reason = error.strerror or str(error) or type(error).__name__
    names = " and ".join(printable(os.fsdecode(name)) for name in (error.filename, error.filename2) if name is not None)
    verb = "cannot write" if error.errno in WRITING else "cannot use a file"
    remedy = (WRITING | OTHERS).get(error.errno, "when that is mended, the same command goes on")
    return f"{verb}: {reason}{f': {names}' if names else ''}. What was finished stays; {remedy}."
