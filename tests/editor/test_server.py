"""Listening at an address."""

from types import SimpleNamespace

import pytest

pytest.importorskip("uvicorn", reason="the page needs requirements-edit.txt")

from facegan.editor import server
from facegan.errors import BadInput


def test_a_port_that_is_taken_is_named(served):
    with pytest.raises(BadInput, match=f"port {served.port} .*--port"):
        server.bind("127.0.0.1", served.port)


def test_a_host_that_cannot_be_a_name_is_named():
    with pytest.raises(BadInput, match=r"cannot listen at a\.\.b"):
        server.bind("a..b", 0)


@pytest.mark.parametrize(
    ("host", "reached"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("0", True)]
)
def test_it_says_when_others_can_reach_the_page(host, reached, monkeypatch, capsys):
    monkeypatch.setattr(server, "make_server", lambda *given: SimpleNamespace(run=lambda sockets: None))
    server.serve(None, host, 0)
    printed = capsys.readouterr().out
    assert ("without a password" in printed) is reached
    assert ("http://0" in printed) is False
