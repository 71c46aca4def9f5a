"""Hold back what a library writes while it is imported."""

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what Python or C code writes to stderr in this block, and show it if the block raises. What a process
    writes before it aborts is lost."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with in_memory() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            file.seek(0)
            os.write(stderr, file.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def in_memory() -> IO[bytes]:
    """A file without a name: in memory where the system can, as a full disk must not keep a script from starting."""
    return os.fdopen(os.memfd_create("stderr"), "w+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()


def check_processor() -> None:
    """End with a sentence where TensorFlow's wheels would abort the process: on an x86 processor without AVX."""
    path = Path("/proc/cpuinfo")
    if platform.machine() == "x86_64" and path.exists() and " avx" not in path.read_text():
        sys.exit("error: this processor has no AVX, which TensorFlow's wheels need: use another machine.")
