"""celebamask.py: finding the faces of a raw dataset, reading one, refusing what is not as it should be."""

import itertools
import re
import struct
import zlib

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
    red, green, blue = photo.transpose(2, 0, 1)
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)
    assert red[0, 60] > red[0, 4] + 200


@pytest.mark.parametrize("shape", [(64, 65), (65, 64), (63, 63)])
def test_photo_that_is_not_square_or_too_small_is_refused(mask_file, shape):
    with pytest.raises(BadInput, match=rf"1\.jpg is {shape[1]} x {shape[0]}; expected a square .* at least 64 x 64"):
        celebamask.read_photo(mask_file(np.zeros((*shape, 3), np.uint8), "1.jpg"), 64)


def test_photo_of_exactly_the_working_size_is_read(mask_file):
    assert celebamask.read_photo(mask_file(GREY, "1.jpg"), 64).shape == (64, 64, 3)


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
            read = celebamask.read_label_map(path)
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
                celebamask.read_photo(face.photo, size), celebamask.read_masks(face)[0], size
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


# --- what would have to be guessed ------------------------------------------------------------------------------------


def refusals(source, layout="auto") -> dict[int, str]:
    return {face.k: face.refusal for face in celebamask.find_faces(source, layout)[1] if face.refusal}


@pytest.fixture
def three(tmp_path, write_face):
    """Three faces in both layouts."""
    for k in (3, 4, 2003):
        write_face(tmp_path, k, GREY, {"skin": ALL, "hair": ALL}, square(1))
    return tmp_path


PHOTOS, MASKS, HAIR = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno/0", "00003_hair.png"


@pytest.mark.parametrize(
    ("folder", "name", "copy", "words"),
    [
        (PHOTOS, "3.jpg", "003.jpg", r"003\.jpg and 3\.jpg are two files of one face: remove one"),
        (PHOTOS, "3.jpg", "3.JPG", r"3\.JPG is not named 3\.jpg: rename or remove it"),
        (PHOTOS, "3.jpg", "3.jpeg", r"3\.jpeg is not named 3\.jpg"),
        (PHOTOS, "3.jpg", "3 (1).jpg", r"3 \(1\)\.jpg is not named 3\.jpg"),
        (MASKS, HAIR, "00003_hair.PNG", r"0/00003_hair\.PNG is not named"),
        (MASKS, HAIR, "00003_hair (1).png", r"0/00003_hair \(1\)\.png is not named"),
        (MASKS, HAIR, "3_hair.png", r"0/00003_hair\.png and 0/3_hair\.png are two masks of one part"),
        (MASKS, HAIR, "../1/00003_hair.png", r"0/00003_hair\.png and 1/00003_hair\.png are two masks of one part"),
        (MASKS, HAIR, "../00003_hair.png", r"anno/00003_hair\.png is not named"),
    ],
)
def test_names_that_leave_a_doubt_are_refused_by_name(three, folder, name, copy, words):
    """A copy beside the file; the other faces are as before."""
    (three / folder / copy).write_bytes((three / folder / name).read_bytes())
    assert list(refusals(three)) == [3]
    assert re.search(words, refusals(three)[3])


def test_a_number_that_no_face_has_is_refused_by_name(three):
    number = "9" * 30
    (three / PHOTOS / f"{number}.jpg").write_bytes((three / PHOTOS / "3.jpg").read_bytes())
    assert list(refusals(three)) == [int(number)]
    assert re.search(rf"{number}\.jpg: the number of a face has at most nine digits", refusals(three)[int(number)])


def test_a_label_map_of_a_doubtful_name_is_refused_too(three):
    folder = three / "CelebAMaskHQ-mask"
    (folder / "0003.png").write_bytes((folder / "3.png").read_bytes())
    (folder / "4.png").rename(folder / "4.Png")
    assert list(refusals(three, "merged")) == [3, 4]
    assert refusals(three) == {}  # part masks are taken, and these are not looked at


def test_masks_that_only_have_wrong_names_are_not_passed_over(tmp_path, write_face):
    write_face(tmp_path, 1, GREY, {"skin": ALL})
    path = tmp_path / MASKS / "00001_skin.png"
    path.rename(path.with_suffix(".PNG"))
    with pytest.raises(BadInput, match=r"no masks: .*00001_skin\.PNG is not named"):
        celebamask.find_faces(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_beside_a_mask_is_refused(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / "1.jpg", exif=exif)
    if orientation == 1:
        assert (celebamask.read_photo(tmp_path / "1.jpg", 64) == 128).all()
        return
    with pytest.raises(BadInput, match=rf"1\.jpg is turned by its EXIF block \(orientation {orientation}\)"):
        celebamask.read_photo(tmp_path / "1.jpg", 64)


def test_raw_photographs_are_read_by_the_rule_of_own_ones(mask_file):
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    deep = celebamask.read_photo(mask_file(ramp.astype(np.uint16) * 256 + 255, "1.png"), 64)
    np.testing.assert_array_equal(deep[..., 1], ramp)
    alpha = np.where(ramp < 100, 0, 255).astype(np.uint8)
    erased = celebamask.read_photo(mask_file(np.dstack([GREY, alpha]), "2.png"), 64)
    np.testing.assert_array_equal(erased[..., 0], np.where(ramp < 100, 0, 128))


def grey_png(bits: int, values: np.ndarray) -> bytes:
    """A grey PNG of fewer than eight bits a pixel."""
    packed = np.packbits(np.unpackbits(values[..., None], axis=-1)[..., 8 - bits :].reshape(len(values), -1), axis=1)
    rows = zlib.compress(np.pad(packed, ((0, 0), (1, 0))).tobytes())
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    body = [struct.pack(">I", len(x)) + name + x + struct.pack(">I", zlib.crc32(name + x)) for name, x in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_ids_of_another_depth_are_refused_and_black_and_white_is_not(tmp_path, bits):
    """Decoded, they are stretched to 0..255: of four bits id 1 is 17, the neck."""
    path = tmp_path / "1.png"
    path.write_bytes(grey_png(bits, square(1)))
    assert np.asarray(Image.open(path).convert("L")).max() == 255 // (2**bits - 1)
    with pytest.raises(BadInput, match=rf"1\.png is {bits}-bit grey"):
        celebamask.read_label_map(path)
    path.write_bytes(grey_png(bits, square(2**bits - 1)))
    np.testing.assert_array_equal(celebamask.read_part_mask(path), square())


def test_a_mask_that_is_transparent_animated_or_lossy_is_refused(tmp_path):
    path = tmp_path / "1.png"
    Image.fromarray(square(1)).save(path, transparency=1)
    with pytest.raises(BadInput, match=r"1\.png has transparent pixels: fill them"):
        celebamask.read_label_map(path)
    Image.fromarray(square()).save(path, save_all=True, append_images=[Image.fromarray(square(0))])
    with pytest.raises(BadInput, match=r"1\.png holds several pictures"):
        celebamask.read_part_mask(path)
    for form in ("WEBP", "JPEG"):
        Image.fromarray(square()).save(path, form)
        with pytest.raises(BadInput, match=rf"1\.png is a {form}: save it as PNG"):
            celebamask.read_part_mask(path)
