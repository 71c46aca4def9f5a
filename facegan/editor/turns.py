"""Who is served when many ask: memory for what requests bring, and turns at what takes long.

A request is read before it takes a turn, so that slow ones hold up nobody; and one session's requests take few of the
turns, so that they leave some to the others.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from facegan.errors import BadInput


class Busy(BadInput):
    """The server has no room at present."""


class Room:
    """Memory for requests that are read or wait for their turn, most_bytes in all. When it is full, the one that has
    been coming for the longest gives way."""

    def __init__(self, most_bytes: int):
        self.most_bytes = most_bytes
        self.coming: dict[int, bytearray] = {}
        """what is being read, oldest first"""
        self.waiting = 0
        """bytes of what was read and waits for its turn, or has it"""

    def bytes(self) -> int:
        return self.waiting + sum(map(len, self.coming.values()))

    @asynccontextmanager
    async def body(self, request: Request, limit: int, seconds: float, name: str) -> AsyncIterator[bytes]:
        """A request's content, which is held while the block runs. Raises BadInput as soon as it is more than limit
        bytes, or takes more than some seconds to come, and Busy."""
        try:
            content = await asyncio.wait_for(self.read(request, limit, name), seconds)
        except asyncio.TimeoutError:  # in Python 3.10 it is not yet TimeoutError
            raise BadInput(f"{name} came too slowly: try again.") from None
        self.waiting += len(content)
        try:
            yield content
        finally:
            self.waiting -= len(content)

    async def read(self, request: Request, limit: int, name: str) -> bytes:
        content = self.coming[id(request)] = bytearray()
        try:
            async for part in request.stream():
                content += part
                if len(content) > limit:
                    raise BadInput(f"{name} is larger than {limit // 10**6} MB: save it smaller.")
                while self.coming and self.bytes() > self.most_bytes:
                    self.coming.pop(next(iter(self.coming))).clear()  # the oldest gives way
                if id(request) not in self.coming:
                    raise Busy("the server is busy: try again in a moment.")
            return bytes(content)
        finally:
            self.coming.pop(id(request), None)


class Turns:
    """Turns at some work: most at a time, and most_of_one of one session. Others wait, each behind its own session."""

    def __init__(self, most: int, most_of_one: int):
        self.all, self.most_of_one = asyncio.Semaphore(most), most_of_one
        self.sessions: dict[str, list] = {}
        """session -> how many of its requests are here, and their semaphore"""

    @asynccontextmanager
    async def turn(self, session: str) -> AsyncIterator[None]:
        entry = self.sessions.setdefault(session, [0, asyncio.Semaphore(self.most_of_one)])
        entry[0] += 1
        try:
            async with entry[1], self.all:
                yield
        finally:
            entry[0] -= 1
            if not entry[0]:
                del self.sessions[session]
