"""The drawn sample faces: the same bytes every time, masks true to the picture, faces that dlib takes for faces."""

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan import synthetic

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "data" / "make_sample.py"
FACES = 9  # three people, three pictures each


@pytest.fixture(scope="module")
def drawn():
    return [synthetic.draw_face(0, k) for k in range(FACES)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A folder made by the real command line."""
    out = tmp_path_factory.mktemp("sample") / "sample"
    result = make_sample("--out", out, "--count", 3, "--workers", 2)
    assert result.returncode == 0, result.stderr
    return out


def make_sample(*flags) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, flags)], capture_output=True, text=True, cwd=ROOT)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def merged(parts: dict[str, np.ndarray]) -> np.ndarray:
    """(512, 512) ids, later parts over earlier ones."""
    ids = np.zeros((512, 512), np.uint8)
    for i, part in enumerate(synthetic.PARTS, start=1):
        if part in parts:
            ids[parts[part]] = i
    return ids


def test_the_same_seed_draws_the_same_picture(drawn):
    image, parts, info = synthetic.draw_face(0, 4)
    np.testing.assert_array_equal(image, drawn[4][0])
    assert info == drawn[4][2]
    assert parts.keys() == drawn[4][1].keys()
    for part in parts:
        np.testing.assert_array_equal(parts[part], drawn[4][1][part])
    assert np.any(synthetic.draw_face(1, 4)[0] != image)


def test_types_and_ranges(drawn):
    for image, parts, _ in drawn:
        assert image.shape == (512, 512, 3)
        assert image.dtype == np.uint8
        assert set(parts) <= set(synthetic.PARTS)
        assert set(parts) >= {"skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip", "neck", "cloth"}
        for mask in parts.values():
            assert mask.shape == (512, 512)
            assert mask.dtype == bool
            assert mask.any()


def test_left_is_the_persons_own_left(drawn):
    for _, parts, _ in drawn:
        for left, right in (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")):
            if left in parts and right in parts:
                assert np.nonzero(parts[left])[1].mean() > np.nonzero(parts[right])[1].mean()


def test_skin_goes_on_under_the_features_and_the_merged_map_shows_them(drawn):
    for _, parts, _ in drawn:
        ids = merged(parts)
        for part in ("nose", "l_eye", "r_eye", "u_lip", "l_lip"):
            assert (parts["skin"] & parts[part]).sum() > 0.9 * parts[part].sum()
            assert (ids == synthetic.PARTS.index(part) + 1).any()


def test_framed_as_celeba_hq(drawn):
    for _, parts, _ in drawn:
        (left_y, left_x), (right_y, right_x) = (np.argwhere(parts[eye]).mean(axis=0) for eye in ("l_eye", "r_eye"))
        assert 0.45 * 512 < (left_y + right_y) / 2 < 0.51 * 512
        assert 0.19 * 512 < left_x - right_x < 0.26 * 512


def test_mouth_only_when_it_is_open(drawn):
    for _, parts, info in drawn:
        assert ("mouth" in parts) == bool(info["mouth_open"])


def test_people_differ_and_stay_themselves():
    facts = [synthetic.facts(0, k) for k in range(60)]
    assert [f["person"] for f in facts] == [k // 3 for k in range(60)]
    assert all(len({(f["style"], f["hair"]) for f in facts[i : i + 3]}) == 1 for i in range(0, 60, 3))
    assert len({f["style"] for f in facts}) >= 6


def test_dlib_finds_the_faces_and_tells_people_apart(drawn):
    dlib = pytest.importorskip("dlib")
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None:
        pytest.skip("face_recognition_models is not installed")
    models = Path(spec.submodule_search_locations[0]) / "models"
    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    descriptors = []
    for image, _, _ in drawn:
        boxes = detector(image, 1)
        assert len(boxes) == 1
        descriptors.append(network.compute_face_descriptor(image, landmarks(image, boxes[0])))
    distance = np.linalg.norm(np.array(descriptors)[:, None] - np.array(descriptors)[None], axis=-1)
    person = np.arange(FACES) // 3
    same = person[:, None] == person[None]
    within = distance[same & ~np.eye(FACES, dtype=bool)].mean()
    assert within < 0.7 * distance[~same].mean()


def test_layout_on_disk(sample):
    assert sorted(p.name for p in (sample / "CelebA-HQ-img").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    _, parts, _ = synthetic.draw_face(0, 1)
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
