"""The command line: flags that several scripts share, and one way to start a script and to end it."""

import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass

import tyro

from facegan.errors import BadInput


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
    """Read sys.argv into args_type, a dataclass with a docstring under each field. Wrong flags exit with status 2."""
    return tyro.cli(args_type, **options)


def run(main: Callable[[], int | None]) -> None:
    """Run a script's main and exit with its status; what a person can mend ends with one sentence on stderr."""
    try:
        sys.exit(main())
    except BadInput as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno not in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EROFS,
            errno.EACCES,
            errno.EPERM,
            errno.ENOTDIR,
            errno.EEXIST,
        ):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room, and the same command goes on" if full else "name a folder that can be written"
        sys.exit(f"error: cannot write: {error}. What was finished stays; {remedy}.")
