"""The .json records of all folders: whatever lies in place of one is a sentence, and its advice loses nothing."""

import functools
import json
import sys
from pathlib import Path

import pytest

import pix2pix
from facegan import files, own_photos, prepared, run_folder
from facegan.errors import BadInput
from facegan.evaluation import judges
from facegan.results import read_results
from outcomes import contents

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "data"))
import make_sample


def read_flags(folder: Path) -> None:
    run_folder.with_paths(pix2pix.Args, run_folder.recorded_flags(folder), folder)


def read_split(folder: Path) -> None:
    args = pix2pix.Args(train=True, run=folder, data=folder)
    run_folder.checked_split(args, list(range(5)))


def read_starts(folder: Path) -> None:
    run_folder.read_record(folder / "starts.json", run_folder.STARTS)


SOURCE = {"size": 64, "source": "/raw", "layout": "parts", "resample": "area"}
RECORDS = {
    "prepared.json": (SOURCE, prepared.describe),
    "settings.json": ({"jitter": 0}, lambda folder: files.claim(folder / "settings.json", "embed again.", jitter=0)),
    "args.json": ({"format": 1, "size": 64, "flip": True, "data": "/data"}, read_flags),
    "split.json": ({"source": SOURCE, "train": [0, 1, 2], "test": [3, 4]}, read_split),
    "starts.json": ({"starts": [{"time": "now"}]}, read_starts),
    "faces.json": ({"3": {"path": "/me.jpg", "sha256": "ab"}}, own_photos.read_faces),
    "sample.json": (
        {"made_by": "data/make_sample.py", "version": make_sample.drawing.VERSION, "seed": 0},
        functools.partial(make_sample.claim_folder, seed=0),
    ),
    "results.json": (
        {"script": "pix2pix.py", "step": 5, "split": "test", "source": SOURCE, "flags": {"batch_size": 4}, "faces": 2},
        functools.partial(read_results, data=None),
    ),
}
HOSTILE = {
    "empty": b"",
    "cut": b'{"size": 64, "sou',
    "a list": b"[]",
    "a number": b"7",
    "nothing": b"null",
    "a deep list": b"[" * 200_000,
    "a deep object": b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
    "UTF-16": json.dumps(SOURCE).encode("utf-16"),
    "Latin-1": b'{"source": "caf\xe9"}',
    "zeros": bytes(1000),
    "a long number": b'{"size": ' + b"9" * 10_000 + b"}",
    "a table": b"size;source\n64;/raw\n",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Every record as it should be, in one folder."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "checkpoint").touch()
    for name, (content, _) in RECORDS.items():
        content = content | {"data": str(tmp_path)} if name == "results.json" else content
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "results.csv").write_text("k,map_k,l1\n3,4,0.1\n4,3,0.2\n")
    return tmp_path


def refusal(read, folder: Path) -> str:
    before = contents(folder)
    with pytest.raises(BadInput) as error:
        read(folder)
    assert contents(folder) == before
    sentence = str(error.value)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    assert "delete" not in sentence
    return sentence


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is_whole_is_read(name, folder):
    RECORDS[name][1](folder)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", RECORDS)
def test_whatever_lies_there_is_one_sentence(name, content, folder):
    (folder / name).write_bytes(content)
    assert name in refusal(RECORDS[name][1], folder)


WRONG = (None, True, 7, -1.5, "x" * 300, [], [[1]], {}, {"a": {}}, float("nan"))


@pytest.mark.parametrize("name", [name for name in RECORDS if name != "settings.json"])
def test_a_value_of_another_type_is_taken_or_one_sentence(name, folder):
    """Each key in turn with each value, and without it."""
    whole, refused = json.loads((folder / name).read_text()), 0
    for key in whole:
        for value in (*WRONG, KeyError):
            changed = {k: v for k, v in whole.items() if k != key} | ({} if value is KeyError else {key: value})
            (folder / name).write_text(json.dumps(changed))
            try:
                RECORDS[name][1](folder)
            except BadInput:
                refusal(RECORDS[name][1], folder)
                refused += 1
    assert refused >= 5 * len(whole)


@pytest.mark.parametrize(
    "content",
    [b"k;map_k\n3;4\n4;3\n", b"k,map_k\n3,4\n", b"k,map_k\n3,x\n4,3\n", b"k\n3\n4\n", b"", b"k,map_k\n3\n4,3\n"],
)
def test_a_table_of_results_that_is_damaged_is_one_sentence(content, folder):
    (folder / "results.csv").write_bytes(content)
    assert "results.csv" in refusal(RECORDS["results.json"][1], folder)


@pytest.mark.parametrize("name", ["args.json", "split.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b'{"train": 3}'])
def test_records_of_a_parser_are_read_in_the_same_manner(name, content, folder, monkeypatch):
    (folder / "parser.keras").touch()
    monkeypatch.setattr(judges.parsers, "load", lambda *_: None)
    (folder / name).write_bytes(content)
    if (name, content) != ("args.json", b'{"train": 3}'):  # shown in the protocol, whatever it is
        assert name in refusal(lambda _: judges.load_parser(folder, 64, SOURCE, {}), folder)
