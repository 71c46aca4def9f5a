"""Serve the page at an address of this machine."""

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn

from facegan.editor.answers import Setup
from facegan.editor.routes import make_app
from facegan.editor.upload_store import UploadStore
from facegan.errors import BadInput

LOCAL_NAMES = {"127.0.0.1", "localhost", "[::1]"}


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address; uvicorn listens on it. Raises BadInput when the port is taken or the address is
    not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        return listening
    except (OSError, OverflowError, UnicodeError) as error:  # Unicode: a name that cannot be one, as a..b
        raise BadInput(f"cannot listen at {host}, port {port} ({error}): name another with --port or --host.") from None


def make_server(setup: Setup, host: str, store: UploadStore) -> uvicorn.Server:
    """The server, to be run with a socket of bind()."""
    hosts = LOCAL_NAMES if host in ("127.0.0.1", "localhost", "::1") else None
    app = make_app(setup, store, hosts)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, ws="none"))


def serve(setup: Setup, host: str, port: int) -> None:
    """Serve the page until Ctrl-C."""
    with bind(host, port) as listening:
        address, port = listening.getsockname()[:2]
        server = make_server(setup, host, UploadStore())
        if not ipaddress.ip_address(address).is_loopback:
            print("everybody who can reach this machine can use the page, without a password")
        if ipaddress.ip_address(address).is_unspecified:
            host = socket.gethostname()
        print(f"open http://{f'[{host}]' if ':' in host else host}:{port} in a browser; Ctrl-C ends", flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # which ends the page as it should
            server.run(sockets=[listening])


@contextlib.contextmanager
def serving(setup: Setup, store: UploadStore) -> Iterator[int]:
    """The page at 127.0.0.1, served by a thread, for tests, measurements and pictures of it. Gives the port."""
    with bind("127.0.0.1", 0) as listening:
        server = make_server(setup, "127.0.0.1", store)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(0.05)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)
