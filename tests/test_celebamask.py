"""celebamask.py: finding the faces of a raw dataset, reading one, refusing what is not as it should be."""

import itertools

import numpy as np
import pytest
from PIL import Image

import g_simple_mask
from facegan import celebamask, regions
from facegan.errors import BadInput

GREY = np.full((64, 64, 3), 128, np.uint8)
ALL = np.ones((512, 512), bool)


@pytest.fixture
def mask_file(tmp_path):
    """mask_file(picture, "m.png"): save a Pillow picture or an array, return its path."""

    def save(picture, name="00001_skin.png"):
        path = tmp_path / name
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path)
        return path

    return save


def square(value=255) -> np.ndarray:
    mask = np.zeros((512, 512), np.uint8)
    mask[100:200, 300:400] = value
    return mask


def test_part_masks_are_preferred_and_merged_can_be_asked_for(raw):
    assert celebamask.find_faces(raw)[0] == "parts"
    layout, faces = celebamask.find_faces(raw, "merged")
    assert layout == "merged"
    assert [face.label_map.name for face in faces] == [f"{k}.png" for k in range(10)]


def test_merged_is_found_by_itself(tmp_path, write_face):
    write_face(tmp_path, 0, GREY, labels=square(1))
    layout, (face,) = celebamask.find_faces(tmp_path)
    assert layout == "merged"
    assert face.label_map.read_bytes()


def test_an_empty_folder_of_part_masks_does_not_hide_the_merged_ones(tmp_path, write_face):
    write_face(tmp_path, 0, GREY, labels=square(1))
    (tmp_path / "CelebAMask-HQ-mask-anno").mkdir()
    layout, (face,) = celebamask.find_faces(tmp_path)
    assert layout == "merged"
    assert face.label_map is not None


def test_faces_come_in_numeric_order_from_every_mask_folder(tmp_path, write_face):
    for k in (4001, 10, 2, 1999, 2000):
        write_face(tmp_path, k, GREY, {"skin": ALL, "l_eye": ALL})
    _, faces = celebamask.find_faces(tmp_path)
    assert [face.k for face in faces] == [2, 10, 1999, 2000, 4001]
    assert [sorted(face.part_masks) for face in faces] == [["l_eye", "skin"]] * 5
    assert faces[-1].part_masks["skin"] == tmp_path / "CelebAMask-HQ-mask-anno" / "2" / "04001_skin.png"


def test_files_that_are_not_the_datasets_are_passed_over(tmp_path, write_face):
    write_face(tmp_path, 1, GREY, {"skin": ALL})
    for stranger in ("CelebA-HQ-img/._1.jpg", "CelebA-HQ-img/Thumbs.db", "CelebA-HQ-img/cover.jpg"):
        (tmp_path / stranger).touch()
    for stranger in ("._00001_skin.png", "notes.png"):
        (tmp_path / "CelebAMask-HQ-mask-anno" / "0" / stranger).touch()
    _, (face,) = celebamask.find_faces(tmp_path)
    assert face.k == 1
    assert list(face.part_masks) == ["skin"]


def test_a_face_without_photo_or_masks_is_listed_and_refused_when_read(tmp_path, write_face):
    write_face(tmp_path, 1, photo=GREY)
    write_face(tmp_path, 2, parts={"skin": ALL})
    _, (no_masks, no_photo) = celebamask.find_faces(tmp_path)
    with pytest.raises(BadInput, match="masks missing"):
        celebamask.read_masks(no_masks)
    with pytest.raises(BadInput, match="photo missing"):
        celebamask.read_photo(no_photo.photo, 64)


def test_grey_photo_is_read_as_rgb(mask_file):
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    photo = celebamask.read_photo(mask_file(ramp, "1.jpg"), 64)
    assert photo.mode == "RGB"
    red, green, blue = np.asarray(photo).transpose(2, 0, 1)
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)
    assert red[0, 60] > red[0, 4] + 200


@pytest.mark.parametrize("shape", [(64, 65), (65, 64), (63, 63)])
def test_photo_that_is_not_square_or_too_small_is_refused(mask_file, shape):
    with pytest.raises(BadInput, match=rf"1\.jpg is {shape[1]} x {shape[0]}; expected a square .* at least 64 x 64"):
        celebamask.read_photo(mask_file(np.zeros((*shape, 3), np.uint8), "1.jpg"), 64)


def test_photo_of_exactly_the_working_size_is_read(mask_file):
    assert celebamask.read_photo(mask_file(GREY, "1.jpg"), 64).size == (64, 64)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_mask_of_one_or_of_three_equal_channels(mask_file, mode):
    mask = celebamask.read_part_mask(mask_file(Image.fromarray(square()).convert(mode)))
    np.testing.assert_array_equal(mask, square())


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (Image.fromarray(square().astype(np.uint16) * 257), "16-bit"),
        (Image.fromarray(np.dstack([square(), square() // 2, square()])), "colour-coded"),
        (Image.fromarray(square()).convert("P"), "palette"),
        (Image.fromarray(square()).convert("RGBA"), "RGBA"),
        (Image.fromarray(square(128)), "the value 128"),
        (Image.fromarray(square(1)), "the value 1;"),
        (Image.fromarray(square()[:256, :256]), "256 x 256; expected 512 x 512"),
        (Image.fromarray(square()[:, :511]), "511 x 512; expected 512 x 512"),
    ],
    ids=["16 bits", "colours", "palette", "alpha", "value 128", "0 and 1", "256", "one column short"],
)
def test_strange_part_mask_is_refused_with_its_name_and_what_is_strange(mask_file, picture, words):
    with pytest.raises(BadInput, match=rf"00001_skin\.png.*{words}"):
        celebamask.read_part_mask(mask_file(picture))


def test_mask_cut_short_is_refused_or_whole(mask_file):
    """Only the end marker behind the pixels may be missing."""
    path = mask_file(square())
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            mask = celebamask.read_part_mask(path)
        except BadInput:
            continue
        assert length > len(whole) - 32
        np.testing.assert_array_equal(mask, square())


def test_mask_with_a_damaged_byte_is_refused_or_unchanged(mask_file):
    """PNG carries checksums; a wrong region learned from a failing disk would never be noticed."""
    labels = np.kron(np.random.default_rng(0).integers(0, 19, (16, 16)), np.ones((32, 32))).astype(np.uint8)
    path = mask_file(labels, "1.png")
    whole = path.read_bytes()
    for place in range(0, len(whole), 9):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            read = celebamask.read_mask(path)
        except BadInput:
            continue
        np.testing.assert_array_equal(read, labels, err_msg=f"byte {place} of {len(whole)} damaged, nothing said")


def test_photo_cut_short_is_refused(mask_file):
    path = mask_file(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8), "1.jpg")
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 61):
        path.write_bytes(whole[:length])
        with pytest.raises(BadInput, match=r"1\.jpg is (damaged|not a picture)"):
            celebamask.read_photo(path, 64)


def bits_of(source, layout) -> list[np.ndarray]:
    return [celebamask.read_masks(face)[0] for face in celebamask.find_faces(source, layout)[1]]


def test_merged_masks_are_a_subset_of_the_parts(raw):
    """Painting over hides regions and adds none, and what is background stays background."""
    hidden = 0
    for parts, merged in zip(bits_of(raw, "parts"), bits_of(raw, "merged"), strict=True):
        assert not (merged & ~parts).any()
        np.testing.assert_array_equal(merged == 0, parts == 0)
        hidden += int((parts != merged).sum())
    assert hidden > 0  # else this test has nothing to compare


def samples(source, layout, size=64) -> list[list[bytes]]:
    return [
        [
            array.tobytes()
            for array in g_simple_mask.make_sample(
                np.asarray(celebamask.read_photo(face.photo, size)), celebamask.read_masks(face)[0], size
            )
        ]
        for face in celebamask.find_faces(source, layout)[1]
    ]


def test_parts_that_do_not_overlap_and_their_label_map_give_the_same_samples(tmp_path, raw, write_face):
    for k in range(3):
        labels = np.asarray(Image.open(raw / "CelebAMaskHQ-mask" / f"{k}.png"))
        photo = np.asarray(Image.open(raw / "CelebA-HQ-img" / f"{k}.jpg"))
        parts = {part: labels == i + 1 for i, part in enumerate(regions.PARTS) if (labels == i + 1).any()}
        assert all(not (a & b).any() for a, b in itertools.combinations(parts.values(), 2))
        write_face(tmp_path, k, photo, parts, labels)
    assert samples(tmp_path, "parts") == samples(tmp_path, "merged")


def test_real_faces_give_the_same_samples_in_both_layouts(tmp_path, real_faces):
    """The real part masks at hand were split from the label maps, so they do not overlap."""
    for k in range(3):
        for name in (f"CelebA-HQ-img/{k}.jpg", f"CelebAMaskHQ-mask/{k}.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).symlink_to(real_faces / name)
        for path in (real_faces / "CelebAMask-HQ-mask-anno" / "0").glob(f"{k:05d}_*.png"):
            link = tmp_path / "CelebAMask-HQ-mask-anno" / "0" / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    parts = samples(tmp_path, "parts", 256)
    assert len(parts) == 3
    assert parts == samples(tmp_path, "merged", 256)
