"""Ctrl-C ends a script with one line and status 130, whenever it comes: while Python imports, works or cleans up.

While main() works, Ctrl-C raises KeyboardInterrupt, as ever, and what is half done is put away. Before it there is
nothing to put away, and Python would only show where it was: then the process ends at once, as at a second Ctrl-C.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

STATUS = 130
"""What a shell says of a process that Ctrl-C ended."""

ROOT = Path(__file__).resolve().parent.parent


def is_script() -> bool:
    """Whether this process runs a script of the repository: how others handle signals is left alone."""
    path = Path(sys.argv[0] or ".").resolve()
    return path.suffix == ".py" and path.parent in (ROOT, ROOT / "data", ROOT / "face_recognition")


class Line:
    """The one line: whether it was shown, and a name of stderr that stays while imports are kept quiet."""

    shown = False
    file: int | None = None


def leave(*_) -> None:
    """End this process at once."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # so that the line is not written twice
    if not Line.shown and Line.file is not None:
        os.write(Line.file, b"\nstopped.\n")
    os._exit(STATUS)


def interrupt(number: int, frame: object) -> None:
    """Raise KeyboardInterrupt; who cannot wait until everything is put away signals once more."""
    signal.signal(number, leave)
    raise KeyboardInterrupt


def leave_while_importing() -> None:
    """From now on Ctrl-C ends a script at once. Where it is ignored, as under nohup, it stays so."""
    if not is_script() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    with contextlib.suppress(OSError):  # started without a stderr
        Line.file = os.dup(2)
    signal.signal(signal.SIGINT, leave)
    # it may also come between handlers, or in a destructor, which swallows it
    show_error, show_ignored = sys.excepthook, sys.unraisablehook
    sys.excepthook = lambda kind, *rest: leave() if kind is KeyboardInterrupt else show_error(kind, *rest)
    sys.unraisablehook = lambda it: leave() if it.exc_type is KeyboardInterrupt else show_ignored(it)


def raise_while_working() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, interrupt)


def ignore_while_ending() -> None:
    """Once main() is over, a script only ends: Ctrl-C has nothing left to stop."""
    if signal.getsignal(signal.SIGINT) in (interrupt, leave):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
