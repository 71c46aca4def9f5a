"""Hold back what a library writes while it is imported."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what is written to the process's stderr meanwhile, by whatever language, and show it only when the block
    fails."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
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
