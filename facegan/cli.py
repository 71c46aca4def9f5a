"""The command line: flags that several scripts share, and one way to start a script and to end it."""

import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass

import tyro

from facegan import checkpoints
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


def parse(args_type, default=None, description: str | None = None):
    """Read sys.argv into args_type, a dataclass with a docstring under each field. Wrong flags exit with status 2."""
    # one flag per bool (--png, --no-flip), not a pair
    return tyro.cli(args_type, default=default, description=description, config=(tyro.conf.FlagCreatePairsOff,))


def parse_run(args_type, published: dict, description: str):
    """Flags of a training script. What is not said comes from the run folder's args.json when there is one, else from
    the published recipe under --published, else from the defaults; a run folder's own flags cannot be changed."""
    args = parse(args_type, description=description)
    if not (args.train or args.test):
        raise BadInput("nothing to do: say --train, --test or both.")
    recorded = checkpoints.recorded_flags(args.run)
    if args.test and not args.train and not recorded:
        raise BadInput(f"no trained run in {args.run}: train first, with --train, or name one with --run.")
    args = parse(args_type, args_type(**(recorded or (published if args.published else {}))), description)
    for name in ("epochs", "batch_size"):
        if getattr(args, name) < 1:
            raise BadInput(f"--{name.replace('_', '-')} {getattr(args, name)}: expected 1 or more.")
    checkpoints.record_flags(args)
    return args


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
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
            raise
        sys.exit(f"error: cannot write: {error}. What was finished stays; the same command goes on from here.")
