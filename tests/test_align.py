"""align.py: frames by hand, cutting out, and the face of a turned and moved copy."""

import cv2
import numpy as np
import pytest
from PIL import Image

from facegan import align
from facegan.errors import BadInput

WHOLE = align.Frame(np.array([256.0, 256.0]), np.array([256.0, 0.0]))
"""The frame of a photograph of 512 x 512 that is cut already."""
FACE = np.array([(190, 240), (322, 240), (206, 370), (306, 370), (256, 300)])
"""Where eyes, mouth corners and nose lie in it."""


def moved(photo: np.ndarray, degrees: float, scale: float, to: tuple[float, float], size=(900, 700)):
    """A larger picture with a turned and scaled copy of a photograph, its middle at `to`; and the (2, 3) matrix from
    positions in the photograph to positions in the picture."""
    a = np.radians(degrees)
    linear = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    matrix = np.column_stack([linear, np.array(to) - linear @ [256, 256]])
    pixels = matrix.copy()
    pixels[:, 2] += linear @ [0.5, 0.5] - 0.5  # OpenCV counts from the middle of the first pixel
    small = cv2.GaussianBlur(photo, (0, 0), 0.5 / scale) if scale < 0.8 else photo
    return cv2.warpAffine(small, pixels, size, flags=cv2.INTER_CUBIC, borderValue=(90, 110, 100)), matrix


def points(eyes, mouth) -> np.ndarray:
    """68 points of which only eyes and mouth corners count."""
    p = np.zeros((68, 2))
    p[36:42], p[42:48], p[48], p[54] = *eyes, *mouth
    return p


def test_a_frame_by_hand_where_the_eyes_decide_its_size(monkeypatch):
    monkeypatch.setattr(align, "DOWN", 0.1)
    monkeypatch.setattr(align, "EYE_SIDE", 2.0)
    monkeypatch.setattr(align, "MOUTH_SIDE", 1.8)
    frame = align.frame_of(points([(200, 240), (320, 240)], [(230, 340), (290, 340)]))
    assert frame.center.tolist() == [260, 250]  # a tenth of the way from the eyes to the mouth
    np.testing.assert_allclose(frame.right, [240, 0])  # 2.0 x 120, more than 1.8 x 100
    assert frame.side == pytest.approx(480)


def test_a_frame_by_hand_of_a_face_that_lies_on_its_side(monkeypatch):
    """Turned a quarter clockwise: the eyes one above the other, the mouth to the left of them, and it decides."""
    monkeypatch.setattr(align, "DOWN", 0.1)
    monkeypatch.setattr(align, "MOUTH_SIDE", 1.8)
    frame = align.frame_of(points([(300, 100), (300, 200)], [(160, 120), (160, 180)]))
    np.testing.assert_allclose(frame.center, [286, 150])
    np.testing.assert_allclose(frame.right, [0, 1.8 * 140], atol=1e-9)
    np.testing.assert_allclose(frame.to_photo(np.array([(0.5, 1.0)]), 1)[0], [286 - 1.8 * 140, 150], atol=1e-9)


@pytest.mark.parametrize("k", [0, 4, 7])
@pytest.mark.parametrize(
    ("degrees", "scale", "to"),
    [
        (0, 1.0, (450, 350)),
        (17, 0.8, (300, 420)),
        (-23, 0.6, (620, 250)),
        (9, 0.35, (150, 560)),
        (-12, 1.2, (430, 380)),
    ],
)
def test_the_face_of_a_turned_moved_and_scaled_copy_is_within_two_pixels_of_the_original(k, degrees, scale, to, faces):
    original, _ = align.find_face(faces[k][0])
    picture, matrix = moved(faces[k][0], degrees, scale, to)
    copy, count = align.find_face(picture)
    assert count == 1
    should = original.to_photo(FACE, 512) @ matrix[:, :2].T + matrix[:, 2]
    apart = np.linalg.norm(copy.to_photo(FACE, 512) - should, axis=1) / copy.side * 512
    assert apart.max() < 2


def test_real_faces_that_are_aligned_come_back_as_they_are(real_faces):
    """CelebA-HQ's own points are not dlib's: single faces may be some pixels off, their mean may not."""
    off = []
    for k in range(0, 850, 60):
        photo = align.read_photo(real_faces / "CelebA-HQ-img" / f"{k}.jpg")
        try:
            frame, _ = align.find_face(photo)
        except BadInput:
            continue
        off.append([*(frame.center - 256), 100 * (frame.side / 512 - 1), np.degrees(np.arctan2(*frame.right[::-1]))])
    assert len(off) > 10
    assert np.abs(np.mean(off, 0)).max() < 1.5
    assert np.abs(np.median(off, 0)).max() < 1.5


def test_cutting_out_the_whole_photograph_gives_it_back(faces):
    photo = faces[1][0]
    assert np.abs(align.cut_out(photo, WHOLE, 512).astype(int) - photo).mean() < 1.5
    small = align.cut_out(photo, WHOLE, 64).astype(int)
    assert np.abs(small - cv2.resize(photo, (64, 64), interpolation=cv2.INTER_AREA)).max() <= 6


@pytest.mark.parametrize("degrees", [0, 30, -90])
def test_what_was_turned_is_cut_out_upright(degrees, faces):
    photo = faces[1][0]
    picture, matrix = moved(photo, degrees, 1.0, (450, 350), (900, 800))
    a = np.radians(degrees)
    frame = align.Frame(matrix[:, :2] @ [256, 256] + matrix[:, 2], 200 * np.array([np.cos(a), np.sin(a)]))
    middle = photo[56:456, 56:456]
    assert np.abs(align.cut_out(picture, frame, 400).astype(int) - middle).mean() < 2.5


def test_past_the_edge_the_photograph_goes_on_blurred_and_never_black():
    photo = np.full((200, 200, 3), (180, 120, 60), np.uint8)
    photo[::2] += 40
    cut = align.cut_out(photo, align.Frame(np.array([0.0, 100.0]), np.array([100.0, 0.0])), 100)
    np.testing.assert_allclose(cut.reshape(-1, 3).mean(0), (200, 140, 80), atol=3)
    assert cut[:, :40].std(0).mean() < 2


def test_of_several_faces_the_largest_is_taken(faces):
    picture = np.full((600, 1000, 3), 120, np.uint8)
    picture[40:552, 20:532] = faces[0][0]
    picture[200:500, 650:950] = cv2.resize(faces[4][0], (300, 300), interpolation=cv2.INTER_AREA)
    frame, count = align.find_face(picture)
    assert count == 2
    assert abs(frame.center - (276, 296)).max() < 40


def test_a_small_face_in_a_huge_photograph_is_found(faces):
    picture = np.full((3000, 5000, 3), (140, 150, 160), np.uint8)
    picture[1500:1800, 3000:3300] = cv2.resize(faces[0][0], (300, 300), interpolation=cv2.INTER_AREA)
    frame, _ = align.find_face(picture)
    assert abs(frame.center - (3150, 1650)).max() < 25
    assert 200 < frame.side < 400


def test_a_tiny_photograph_is_enough(faces):
    small = cv2.resize(faces[0][0], (96, 96), interpolation=cv2.INTER_AREA)
    frame, _ = align.find_face(small)
    assert abs(frame.center - 48).max() < 6


def test_no_face_is_said():
    with pytest.raises(BadInput, match="no face found"):
        align.find_face(np.full((300, 400, 3), 128, np.uint8))


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_says_which_way_is_up(orientation, tmp_path):
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = (250, 10, 10)  # the upper left quarter is red
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(align.read_photo(tmp_path / "a.png"), upright)


def test_grey_16_bit_palette_and_transparent_photographs_become_rgb(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    expected = np.stack([grey] * 3, -1)
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[0] = 0
    pictures = {
        "grey.png": Image.fromarray(grey),
        "deep.png": Image.fromarray(grey.astype(np.uint16) * 256 + 255),
        "palette.png": Image.fromarray(grey).convert("P"),
        "alpha.png": Image.fromarray(np.dstack([expected, alpha])),
        "grey_alpha.png": Image.fromarray(np.dstack([grey, alpha])),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
        photo = align.read_photo(tmp_path / name)
        assert (photo.dtype, photo.shape) == (np.uint8, (8, 8, 3))
        np.testing.assert_array_equal(photo[1:], expected[1:], err_msg=name)
    assert align.read_photo(tmp_path / "alpha.png")[0].max() == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, r"no file .*a\.jpg"), (b"hello", r"a\.jpg is not a picture.*JPEG or PNG"), ("cut", r"a\.jpg is damaged")],
)
def test_what_cannot_be_read_is_one_sentence(content, words, tmp_path, faces):
    path = tmp_path / "a.jpg"
    if content == "cut":
        Image.fromarray(faces[0][0]).save(path)
        content = path.read_bytes()[:4000]
    if content:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        align.read_photo(path)
