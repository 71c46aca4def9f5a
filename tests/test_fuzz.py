"""benchmarks/fuzz.py in short: some mutations of every file, and what the fuzzer calls a fault."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import pix2pix
from facegan.errors import BadInput

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import fuzz

EACH = 16
"""Mutations of a file; benchmarks/fuzz.py makes some hundreds."""


@pytest.fixture(scope="module")
def readers(raw, prepared_64, trained, fitted, tmp_path_factory) -> dict[str, fuzz.Reader]:
    place = tmp_path_factory.mktemp("fuzz")
    whole = trained(pix2pix)
    sources = {"raw": raw, "data": prepared_64, "run": whole.run, "painted": whole.results, "parser": fitted}
    folders = {name: shutil.copytree(source, place / name) for name, source in sources.items()}
    (place / "place").mkdir()
    return fuzz.all_readers(fuzz.Folders(**folders, place=place / "place"))


def test_every_mutated_file_is_read_or_refused_with_a_sentence(readers, tmp_path):
    others = [reader.file.read_bytes() for reader in readers.values()]
    args = fuzz.Args(faults=tmp_path)
    counts = {
        name: fuzz.fuzz(name, reader, others, args, max(2, round(EACH * reader.share)))
        for name, reader in readers.items()
    }
    assert list(tmp_path.iterdir()) == []
    assert {outcome for count in counts.values() for outcome in count} == set(fuzz.FINE)
    strict = [name for name, reader in readers.items() if not (reader.checked or reader.lenient)]
    assert all(counts[name]["refused"] for name in strict), counts


def test_what_counts_as_a_fault(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"whole")

    def outcome(read, content=b"other", **options):
        trial = fuzz.attempt(fuzz.Reader(file, read, **options), content)
        assert file.read_bytes() == b"whole"
        return trial.outcome

    def refuse(words):
        raise BadInput(words)

    def numbers():
        return np.frombuffer(file.read_bytes(), np.uint8)

    assert outcome(lambda: None) == "read"
    assert outcome(lambda: refuse("a.txt is damaged.")) == "refused"
    assert outcome(lambda: refuse("x" * 1001)) == "no sentence"
    assert outcome(lambda: {}["a"]) == "KeyError"
    assert outcome(lambda: file.write_bytes(b"new")) == "changed the file"
    assert outcome(lambda: file.write_bytes(b"new"), writes=True) == "read"
    assert outcome(numbers, checked=True) == "believed"
    assert outcome(numbers, b"whole", checked=True) == "read"
