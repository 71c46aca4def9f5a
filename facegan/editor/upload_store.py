"""What was uploaded, in memory, for the session that uploaded it."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable

from facegan.editor.editing import Face, FaceMap
from facegan.errors import BadInput


class Gone(BadInput):
    """An upload that this session does not have, or has no longer."""


def name_of(kind: str, content: bytes, aligned: bool = False) -> str:
    """The name of an upload, which begins with own-: the same content has the same everywhere, so that an edit goes on
    when its photograph is uploaded again. kind: photo or map; aligned: of a photograph, that it is cut already."""
    digest = hashlib.sha256(kind.encode() + bytes([aligned]) + content)
    return f"own-{digest.hexdigest()[:24]}"


class UploadStore:
    """Faces and maps by session and name. What was used last stays, up to a number and a size, until it lies idle.

    A session has MOST_OF_ONE and a quarter of the size at most, so one page alone does not push out what others use.
    Who wants to can: a session is any name that a request gives, and with enough of them all others' uploads go.
    """

    MOST_OF_ONE = 8

    def __init__(self, most: int = 48, most_bytes: int = 200_000_000, idle: float = 4 * 3600, clock=time.monotonic):
        """idle: seconds after its last use that an upload stays."""
        self.most, self.most_bytes, self.idle, self.clock = most, most_bytes, idle, clock
        self.entries: OrderedDict[tuple[str, str], tuple[Face | FaceMap, float]] = OrderedDict()  # least used first
        self.lock = threading.Lock()

    def add(self, session: str, name: str, upload: Face | FaceMap) -> None:
        """Keep a face or a map for a session, which alone can get it by its name."""
        with self.lock:
            self.entries.pop((session, name), None)
            self.entries[session, name] = upload, self.clock()
            of_session = [key for key in self.entries if key[0] == session]
            while len(of_session) > self.MOST_OF_ONE or (
                len(of_session) > 1 and self.bytes(of_session) > self.most_bytes // 4
            ):
                del self.entries[of_session.pop(0)]
            while len(self.entries) > self.most or self.bytes() > self.most_bytes:
                self.entries.popitem(last=False)

    def get(self, session: str, name: str) -> Face | FaceMap:
        """Raises Gone."""
        self.forget_idle()
        with self.lock:
            if (session, name) not in self.entries:
                raise Gone("what was uploaded is no longer here: upload it again, and its edits go on.")
            upload, _ = self.entries[session, name]
            self.entries[session, name] = upload, self.clock()
            self.entries.move_to_end((session, name))
            return upload

    def of_session(self, session: str) -> dict[str, Face | FaceMap]:
        """Name -> upload of a session, the one used last first. To be listed is no use."""
        self.forget_idle()
        with self.lock:
            return {name: upload for (of, name), (upload, _) in reversed(self.entries.items()) if of == session}

    def forget_idle(self) -> None:
        """Drop what was not used for too long."""
        with self.lock:
            for key, (_, last_use) in list(self.entries.items()):
                if self.clock() - last_use > self.idle:
                    del self.entries[key]

    def bytes(self, keys: Iterable | None = None) -> int:
        keys = self.entries if keys is None else keys
        return sum(n_bytes(self.entries[key][0]) for key in keys)


def n_bytes(upload: Face | FaceMap) -> int:
    if isinstance(upload, FaceMap):
        return upload.masks.nbytes + upload.labels.nbytes
    original = len(upload.original.content) if upload.original else 0
    return n_bytes(upload.map) + upload.image.nbytes + original
