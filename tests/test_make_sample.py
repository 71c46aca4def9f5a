"""data/make_sample.py: the sample on disk, byte for byte, and what it refuses to write into."""

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.drawing import draw_face
from outcomes import contents

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "data" / "make_sample.py"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A folder made by the real command line."""
    out = tmp_path_factory.mktemp("sample") / "sample"
    result = make_sample("--out", out, "--count", 3, "--workers", 2)
    assert result.returncode == 0, result.stderr
    return out


def make_sample(*flags) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, flags)], capture_output=True, text=True, cwd=ROOT)


def test_layout_on_disk(sample):
    assert sorted(p.name for p in (sample / "CelebA-HQ-img").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    _, parts, _ = draw_face(0, 1)
    files = {p.name for p in (sample / "CelebAMask-HQ-mask-anno" / "0").glob("00001_*.png")}
    assert files == {f"00001_{part}.png" for part in parts}
    for part, mask in parts.items():
        png = cv2.imread(str(sample / "CelebAMask-HQ-mask-anno" / "0" / f"00001_{part}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(png, mask.astype(np.uint8) * 255)
    with open(sample / "index.csv", newline="") as lines:
        assert [(row["k"], row["person"]) for row in csv.DictReader(lines)] == [("0", "0"), ("1", "0"), ("2", "0")]


def test_workers_do_not_change_a_byte_and_count_may_grow(sample, tmp_path):
    for count in (2, 3):
        assert make_sample("--out", tmp_path / "one", "--count", count, "--workers", 1).returncode == 0
    assert contents(tmp_path / "one") == contents(sample)


def test_running_again_skips_what_is_complete_and_mends_what_is_not(sample):
    before = contents(sample)
    (sample / "CelebA-HQ-img" / "1.jpg").unlink()
    untouched = (sample / "CelebA-HQ-img" / "0.jpg").stat().st_mtime_ns
    result = make_sample("--out", sample, "--count", 3)
    assert "1 drawn, 2 already there" in result.stdout
    assert contents(sample) == before
    assert (sample / "CelebA-HQ-img" / "0.jpg").stat().st_mtime_ns == untouched


def refused(result: subprocess.CompletedProcess) -> bool:
    return result.returncode == 1 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_another_seed_is_refused(sample):
    before = contents(sample)
    assert refused(make_sample("--out", sample, "--count", 4, "--seed", 1))
    assert contents(sample) == before


def test_other_peoples_data_is_refused(tmp_path):
    photo = tmp_path / "CelebA-HQ-img" / "0.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"a real one")
    assert refused(make_sample("--out", tmp_path, "--count", 1))
    assert contents(tmp_path) == {"CelebA-HQ-img/0.jpg": b"a real one"}


@pytest.mark.parametrize("flags", [("--count", 0), ("--seed", -1), ("--workers", -1)])
def test_senseless_numbers_are_refused(tmp_path, flags):
    assert refused(make_sample("--out", tmp_path / "sample", *flags))
    assert not (tmp_path / "sample").exists()


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "sample").write_text("a file")
    assert refused(make_sample("--out", tmp_path / "sample" / "deeper"))
