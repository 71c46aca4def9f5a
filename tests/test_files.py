"""facegan/files.py: atomic writes, leftovers, locks, and the record of how a folder was made."""

import errno
import json
import os
import socket
import subprocess
import sys

import pytest

from facegan import files
from facegan.errors import BadInput


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def leftover(name: str, process: int, host: str | None = None) -> str:
    return f".{name}.{host or socket.gethostname()}.{process}.tmp"


def test_atomic_replaces_the_file_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.atomic(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == {"a.txt"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_atomic_keeps_the_old_file_and_no_other_when_writing_fails(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with files.atomic(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == {"a.txt"}


def test_only_leftovers_of_dead_processes_on_this_host_are_removed(tmp_path, dead_process):
    dead, alive = leftover("1.npz", dead_process), leftover("2.npz", os.getpid())
    elsewhere = leftover("3.npz", dead_process, host="another-host")
    for name in (dead, alive, elsewhere, "4.npz", ".hidden"):
        (tmp_path / name).touch()
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == {alive, elsewhere, "4.npz", ".hidden"}


def test_a_dead_process_that_nobody_asked_how_it_ended_is_not_alive(tmp_path):
    """As those of a killed job whose parent is gone too, in a container without an init."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    (tmp_path / leftover("1.npz", process.pid)).touch()
    files.remove_leftovers(tmp_path)
    process.wait()
    assert names(tmp_path) == set()


def test_one_process_holds_a_lock(tmp_path, root):
    program = f"import sys; sys.path.insert(0, {str(root)!r})\nfrom pathlib import Path\nfrom facegan import files\n"
    program += f"with files.lock(Path({str(tmp_path / 'lock')!r})): pass"
    with files.lock(tmp_path / "lock"):
        refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "another job is writing" in refused.stderr
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_current_is_what_is_there_and_not_older_than_its_sources(tmp_path):
    made, older, newer, same = (tmp_path / name for name in ("made", "older", "newer", "same"))
    for path, second in ((made, 5), (older, 4), (newer, 6), (same, 5)):
        path.touch()
        os.utime(path, (second, second))
    assert files.is_current(made)
    assert files.is_current(made, older, same, tmp_path / "missing")
    assert not files.is_current(made, older, newer)
    assert not files.is_current(tmp_path / "missing", older)


SETTINGS = dict(size=64, source="/data/faces", layout="parts", resample="area")


def claim(folder, **settings):
    files.claim(folder / "made.json", "choose another", **settings)


def test_claim_makes_the_folder_and_agrees_with_itself(tmp_path):
    for _ in range(2):
        claim(tmp_path / "new", **SETTINGS)
    assert files.read_json(tmp_path / "new" / "made.json") == SETTINGS


@pytest.mark.parametrize(
    "change", [{"size": 128}, {"source": "/data/others"}, {"layout": "merged"}, {"resample": "nearest"}], ids=str
)
def test_claim_refuses_a_folder_made_otherwise(tmp_path, change):
    claim(tmp_path, **SETTINGS)
    ((name, value),) = change.items()
    with pytest.raises(BadInput, match=f"made with {name} {SETTINGS[name]}, now it is {value}; choose another"):
        claim(tmp_path, **{**SETTINGS, **change})
    assert files.read_json(tmp_path / "made.json") == SETTINGS


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", json.dumps({**SETTINGS, "from_the_future": 1})],
    ids=["empty", "cut", "a list", "a number", "unknown setting"],
)
def test_claim_refuses_a_record_that_it_does_not_understand(tmp_path, content):
    (tmp_path / "made.json").write_text(content)
    with pytest.raises(BadInput, match=rf"{tmp_path}"):
        claim(tmp_path, **SETTINGS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is missing"),
        ("{", r"is damaged \(Expecting .*\)"),
        ("[1]", r"is damaged \(it is a list, expected an object\)"),
        ('{"b": 1}', r"is damaged \(a is missing\)"),
        ('{"a": true}', r"is damaged \(a is True\)"),
        ('{"a": 1, "b": "1"}', r"is damaged \(b is '1'\)"),
        ('{"a": 1, "c": {"d": []}}', r"is damaged \(in c d is a list\)"),
    ],
)
def test_a_json_that_is_not_as_its_schema_says_ends_in_the_remedy(content, words, tmp_path):
    if content:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(BadInput, match=rf"a\.json {words}: write it again\.$"):
        files.read_json(tmp_path / "a.json", "write it again.", {"a": int, "b?": int, "c?": {"d": str}})


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}', encoding="utf-8-sig")
    (tmp_path / "a.csv").write_text("k,x\n1,2\n", encoding="utf-8-sig")
    assert files.read_json(tmp_path / "a.json", "", {"a": int}) == {"a": 1}
    assert files.read_csv(tmp_path / "a.csv", ["k"], "") == [["1", "2"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"k;x\n1;2\n", r"begins with 'k;x', expected 'k,x' \(a spreadsheet wrote it with semicolons\)"),
        (b"1,2\n", "begins with '1,2', expected 'k,x'"),
        (b"k,x\n\xe9,2\n", r"is damaged \(byte 4 is not UTF-8 text\)"),
        ("k,x\n1,2\n".encode("utf-16"), "is not UTF-8 text"),
        (b'k,x\n1,"' + b"2" * 200_000, "is damaged .*field larger"),
        (b"k" * 200_000, "is damaged|begins with 'kkkk"),
    ],
)
def test_a_table_that_is_another_ends_in_the_remedy(content, words, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(BadInput, match=rf"a\.csv.*({words}).*: move it away\.$"):
        files.read_csv(tmp_path / "a.csv", ["k", "x"], "move it away.")


def test_what_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("{}")

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match=r"a\.json cannot be read \(Permission denied\): mend that first"):
        files.read_json(tmp_path / "a.json")


def test_a_table_has_a_header_and_six_digits(tmp_path):
    files.write_csv(tmp_path / "a.csv", [{"k": 1, "l1": 0.25}, {"k": 2, "l1": float("nan")}])
    assert (tmp_path / "a.csv").read_text().splitlines() == ["k,l1", "1,0.250000", "2,nan"]


def test_a_checksum_is_the_one_that_sha256sum_prints(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
