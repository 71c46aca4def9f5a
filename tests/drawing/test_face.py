"""facegan/drawing: the same picture every time, masks true to it, faces that dlib takes for faces."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from facegan.drawing import draw_face, facts
from facegan.regions import PARTS

FACES = 9  # three people, three pictures each


@pytest.fixture(scope="module")
def sample():
    return [draw_face(0, k) for k in range(FACES)]


def label_map(parts: dict[str, np.ndarray]) -> np.ndarray:
    """(512, 512) ids, later parts over earlier ones."""
    ids = np.zeros((512, 512), np.uint8)
    for i, part in enumerate(PARTS, start=1):
        if part in parts:
            ids[parts[part]] = i
    return ids


def test_the_same_seed_draws_the_same_picture(sample):
    image, parts, info = draw_face(0, 4)
    np.testing.assert_array_equal(image, sample[4][0])
    assert info == sample[4][2]
    assert parts.keys() == sample[4][1].keys()
    for part in parts:
        np.testing.assert_array_equal(parts[part], sample[4][1][part])
    assert np.any(draw_face(1, 4)[0] != image)


def test_types_and_ranges(sample):
    for image, parts, _ in sample:
        assert image.shape == (512, 512, 3)
        assert image.dtype == np.uint8
        assert set(parts) <= set(PARTS)
        assert set(parts) >= {"skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip", "neck", "cloth"}
        for mask in parts.values():
            assert mask.shape == (512, 512)
            assert mask.dtype == bool
            assert mask.any()


def test_left_is_the_persons_own_left(sample):
    for _, parts, _ in sample:
        for left, right in (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")):
            if left in parts and right in parts:
                assert np.nonzero(parts[left])[1].mean() > np.nonzero(parts[right])[1].mean()


def test_skin_goes_on_under_the_features_and_the_merged_map_shows_them(sample):
    for _, parts, _ in sample:
        ids = label_map(parts)
        for part in ("nose", "l_eye", "r_eye", "u_lip", "l_lip"):
            assert (parts["skin"] & parts[part]).sum() > 0.9 * parts[part].sum()
            assert (ids == PARTS.index(part) + 1).any()


def test_framed_as_celeba_hq(sample):
    for _, parts, _ in sample:
        (left_y, left_x), (right_y, right_x) = (np.argwhere(parts[eye]).mean(axis=0) for eye in ("l_eye", "r_eye"))
        assert 0.45 * 512 < (left_y + right_y) / 2 < 0.51 * 512
        assert 0.19 * 512 < left_x - right_x < 0.26 * 512


def test_mouth_only_when_it_is_open(sample):
    for _, parts, info in sample:
        assert ("mouth" in parts) == bool(info["mouth_open"])


def test_people_differ_and_stay_themselves():
    people = [facts(0, k) for k in range(60)]
    assert [f["person"] for f in people] == [k // 3 for k in range(60)]
    assert all(len({(f["style"], f["hair"]) for f in people[i : i + 3]}) == 1 for i in range(0, 60, 3))
    assert len({f["style"] for f in people}) >= 6


def test_dlib_finds_the_faces_and_tells_people_apart(sample):
    dlib = pytest.importorskip("dlib")
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None:
        pytest.skip("face_recognition_models is not installed")
    models = Path(spec.submodule_search_locations[0]) / "models"
    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    descriptors = []
    for image, _, _ in sample:
        boxes = detector(image, 1)
        assert len(boxes) == 1
        descriptors.append(network.compute_face_descriptor(image, landmarks(image, boxes[0])))
    distance = np.linalg.norm(np.array(descriptors)[:, None] - np.array(descriptors)[None], axis=-1)
    person = np.arange(FACES) // 3
    same = person[:, None] == person[None]
    within = distance[same & ~np.eye(FACES, dtype=bool)].mean()
    assert within < 0.7 * distance[~same].mean()
