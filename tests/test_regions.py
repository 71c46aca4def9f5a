"""regions.py: the table of parts and regions, masks on the working grid, mean colours, colour maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan import regions
from facegan.errors import BadInput

# SPEC's two tables, written out by hand: trained models depend on every number here.
ID_AND_REGION = {
    "skin": (1, 0),
    "nose": (2, 4),
    "eye_g": (3, 6),
    "l_eye": (4, 1),
    "r_eye": (5, 1),
    "l_brow": (6, 3),
    "r_brow": (7, 3),
    "l_ear": (8, 0),
    "r_ear": (9, 0),
    "mouth": (10, 2),
    "u_lip": (11, 2),
    "l_lip": (12, 2),
    "hair": (13, 3),
    "hat": (14, 6),
    "ear_r": (15, 6),
    "neck_l": (16, 6),
    "neck": (17, 0),
    "cloth": (18, 5),
}

SMALL = 16  # with blocks of 32 x 32 pixels


def one_pixel(row: int, column: int, region: int = 0) -> np.ndarray:
    bits = np.zeros((512, 512), np.uint8)
    bits[row, column] = 1 << region
    return bits


def only(part: str) -> np.ndarray:
    mask = np.zeros((512, 512), np.uint8)
    mask[10, 20] = 255
    return regions.masks_from_bits(regions.bits_from_parts({part: mask}), 512)


def test_regions_stand_in_their_order():
    assert list(regions.REGIONS) == ["skin", "eyes", "mouth", "hair", "nose", "clothes", "accessories"]


def test_there_are_eighteen_parts():
    assert set(regions.PARTS) == set(ID_AND_REGION)
    assert len(regions.PARTS) == 18


@pytest.mark.parametrize(("part", "label", "region"), [(p, *numbers) for p, numbers in ID_AND_REGION.items()])
def test_part_has_its_id_and_its_region(part, label, region):
    labels = np.zeros((512, 512), np.uint8)
    labels[10, 20] = label
    assert regions.PARTS[label - 1] == part
    for masks in (only(part), regions.masks_from_bits(regions.bits_from_labels(labels), 512)):
        assert [tuple(place) for place in np.argwhere(masks)] == [(10, 20, region)]


def test_background_belongs_to_no_region():
    assert not regions.bits_from_labels(np.zeros((512, 512), np.uint8)).any()


@pytest.mark.parametrize("label", [19, 255])
def test_an_id_beyond_the_table_is_refused(label):
    labels = np.zeros((512, 512), np.uint8)
    labels[511, 511] = label
    with pytest.raises(BadInput, match=rf"unknown id {label}\b.*0\.\.18"):
        regions.bits_from_labels(labels)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_one_pixel_in_any_corner_of_a_block_lights_the_block_and_no_other(size):
    block = 512 // size
    top, left = 5 * block, 9 * block
    for row in (top, top + block - 1):
        for column in (left, left + block - 1):
            masks = regions.masks_from_bits(one_pixel(row, column, region=6), size)
            assert masks.shape == (size, size, 7)
            assert masks.dtype == np.uint8
            assert [tuple(place) for place in np.argwhere(masks)] == [(5, 9, 6)]


def test_masks_hold_zeros_and_ones():
    full = np.full((512, 512), 0b1111111, np.uint8)
    assert (regions.masks_from_bits(full, 64) == 1).all()


pixels = st.tuples(st.integers(0, 511), st.integers(0, 511), st.integers(0, 6))


@given(st.lists(pixels, max_size=60), st.sampled_from([SMALL, 128, 512]))
def test_a_working_pixel_belongs_to_every_region_that_any_pixel_under_it_does(lit, size):
    bits = np.zeros((512, 512), np.uint8)
    for row, column, region in lit:
        bits[row, column] |= 1 << region
    block = 512 // size
    expected = {(row // block, column // block, region) for row, column, region in lit}
    assert {tuple(place) for place in np.argwhere(regions.masks_from_bits(bits, size)).tolist()} == expected


def test_what_an_eye_covers_stays_skin_with_separate_parts_but_not_in_a_label_map():
    skin, eye = np.zeros((2, 512, 512), np.uint8)
    skin[100:200, 100:200] = 255
    eye[140:150, 140:150] = 255
    parts = regions.masks_from_bits(regions.bits_from_parts({"skin": skin, "l_eye": eye}), 512)
    labels = np.where(eye != 0, 4, np.where(skin != 0, 1, 0)).astype(np.uint8)
    merged = regions.masks_from_bits(regions.bits_from_labels(labels), 512)
    assert parts[145, 145].tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert merged[145, 145].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert parts[..., 0].sum() == 100 * 100
    assert merged[..., 0].sum() == 100 * 100 - 10 * 10


def test_mean_colours_of_a_picture_of_four_pixels():
    image = np.array([[[10, 20, 30], [20, 40, 60]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    masks = np.zeros((2, 2, 7), np.uint8)
    masks[0, :, 0] = 1  # skin: the upper row
    masks[:, 1, 3] = 1  # hair: the right column, which shares a pixel with skin
    masks[1, 0, 6] = 1  # accessories: one pixel
    colors = regions.mean_colors(image, masks)
    assert colors.dtype == np.float32
    assert colors.tolist() == [[15, 30, 45], [0] * 3, [0] * 3, [137.5, 147.5, 157.5], [0] * 3, [0] * 3, [0, 0, 255]]


@given(st.integers(0, 2**32 - 1))
def test_mean_colours_are_those_of_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (6, 6, 3), np.uint8)
    masks = (rng.random((6, 6, 7)) < rng.random(7)).astype(np.uint8)
    expected = np.zeros((7, 3))
    for region in range(7):
        inside = [image[y, x].tolist() for y in range(6) for x in range(6) if masks[y, x, region]]
        for channel in range(3):
            if inside:
                expected[region, channel] = sum(pixel[channel] for pixel in inside) / len(inside)
    np.testing.assert_allclose(regions.mean_colors(image, masks), expected, rtol=1e-6)


@pytest.mark.parametrize("brightest", [256, 200])
def test_mean_colours_stay_exact_when_the_sums_leave_float32s_integers(brightest):
    """At 512 x 512 a bright region sums to 6.7e7, past 2^24, from where float32 no longer counts by ones."""
    rng = np.random.default_rng(0)
    image = rng.integers(brightest - 30, brightest, (512, 512, 3)).astype(np.uint8)
    masks = np.zeros((512, 512, 7), np.uint8)
    for region in range(7):
        masks[: 512 - 37 * region, : 511 - region, region] = 1
    for region, color in enumerate(regions.mean_colors(image, masks)):
        exact = image[masks[..., region] == 1].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(color, exact, rtol=1e-6)


def test_colour_map_of_three_pixels():
    """One region, two regions, none."""
    masks = np.zeros((1, 3, 7), np.uint8)
    masks[0, 0, 2] = 1
    masks[0, 1, [0, 2]] = 1
    colors = np.zeros((7, 3), np.float32)
    colors[0], colors[2], colors[5] = (100, 0, 50), (200, 30, 51), (9, 9, 9)
    cmask = regions.color_map(masks, colors)
    assert cmask.dtype == np.float32
    assert cmask.tolist() == [[[200, 30, 51], [150, 15, 50.5], [0, 0, 0]]]


@given(st.integers(0, 2**32 - 1))
def test_colour_map_is_that_of_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, (4, 4, 7)).astype(np.uint8)
    colors = (rng.random((7, 3)) * 255).astype(np.float32)
    cmask = regions.color_map(masks, colors)
    for y in range(4):
        for x in range(4):
            covering = [colors[region].astype(float) for region in range(7) if masks[y, x, region]]
            expected = sum(covering) / len(covering) if covering else np.zeros(3)
            np.testing.assert_allclose(cmask[y, x], expected, rtol=1e-5)


def test_a_block_takes_the_label_of_most_of_its_pixels():
    """Blocks of 4 x 4: 9 to 7, a tie of 8, three labels of which none has half, and one alone."""
    labels = np.zeros((512, 512), np.uint8)
    labels[0:4, 0:4] = 13
    labels[0, 0:4], labels[1, 0:3] = 1, 1  # 7 skin, 9 hair
    labels[0:4, 4:8] = 6
    labels[0:2, 4:8] = 1  # 8 skin, 8 brow
    labels[0:4, 8:12] = [[12, 12, 12, 12], [12, 12, 12, 10], [10, 10, 10, 10], [1, 1, 1, 1]]
    labels[4:8, 0:4] = 18
    small = regions.shrink_labels(labels, 128)
    assert (small.dtype, small.shape) == (np.uint8, (128, 128))
    assert small[0, :4].tolist() == [13, 6, 12, 0]
    assert small[1, :2].tolist() == [18, 0]
    assert (small != 0).sum() == 4


@given(st.integers(0, 2**32 - 1), st.sampled_from([SMALL, 64, 256, 512]))
def test_shrunk_labels_are_those_of_a_plain_count(seed, size):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 19, (32, 32))
    labels = np.where(rng.random((512, 512)) < 0.4, rng.integers(0, 19, (512, 512)), coarse.repeat(16, 0).repeat(16, 1))
    small = regions.shrink_labels(labels.astype(np.uint8), size)
    step = 512 // size
    for y, x in rng.integers(0, size, (20, 2)):
        counts = np.bincount(labels[y * step : (y + 1) * step, x * step : (x + 1) * step].ravel(), minlength=19)
        assert small[y, x] == max(range(19), key=lambda label: (counts[label], label))


def test_part_masks_are_painted_in_their_order_whatever_order_they_are_given_in():
    hair, skin, eye = np.zeros((3, 512, 512), np.uint8)
    skin[:, :300], eye[10:20, 10:20], hair[:, 200:] = 255, 255, 255
    labels = regions.labels_from_parts({"hair": hair, "l_eye": eye, "skin": skin})
    assert [labels[15, 15], labels[15, 100], labels[15, 250], labels[15, 400]] == [4, 1, 13, 13]
    assert regions.labels_from_parts({}).max() == 0


def test_a_mirrored_label_map_swaps_the_sides_of_eyes_brows_and_ears_and_nothing_else():
    names = ["background", *regions.PARTS]
    swapped = {names[i]: names[mirrored] for i, mirrored in enumerate(regions.MIRRORED_LABEL) if i != mirrored}
    assert swapped == {
        "l_eye": "r_eye", "r_eye": "l_eye", "l_brow": "r_brow", "r_brow": "l_brow", "l_ear": "r_ear", "r_ear": "l_ear"
    }  # fmt: skip
    labels = np.array([[4, 0, 12, 15]], np.uint8)  # l_eye, background, lower lip, earring
    assert regions.mirror_labels(labels).tolist() == [[15, 12, 0, 5]]
    assert regions.mirror_labels(regions.mirror_labels(labels)).tolist() == labels.tolist()


# --- the eighteen parts, each a region of its own ---------------------------------------------------------------------


def test_the_parts_as_regions_are_in_the_order_of_their_ids():
    assert list(regions.TABLES[18]) == list(regions.PARTS)
    np.testing.assert_array_equal(regions.LABEL_NUMBERS[18], np.arange(19))


@pytest.mark.parametrize("part", regions.PARTS)
def test_each_part_has_a_channel_of_its_own_and_is_in_its_region_of_the_seven(part):
    label, region = ID_AND_REGION[part]
    mask = np.zeros((512, 512), np.uint8)
    mask[10, 20] = 255
    bits = regions.bits_from_parts({part: mask}, 18), regions.bits_from_labels(mask // 255 * np.uint8(label), 18)
    for masks in (regions.masks_from_bits(x, 64) for x in bits):
        assert (masks.dtype, masks.shape) == (np.uint8, (64, 64, 18))
        assert [tuple(place) for place in np.argwhere(masks)] == [(1, 2, label - 1)]
        assert [tuple(place) for place in np.argwhere(regions.seven_regions(masks))] == [(1, 2, region)]


def random_parts(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.random((18, 64, 64)) < 0.2
    return {
        part: mask.repeat(8, 0).repeat(8, 1) * np.uint8(255) for part, mask in zip(regions.PARTS, coarse, strict=True)
    }


def test_the_seven_regions_of_the_parts_are_those_that_are_prepared():
    parts, image = random_parts(0), np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    eighteen, seven = (regions.masks_from_bits(regions.bits_from_parts(parts, count), 32) for count in (18, 7))
    assert regions.seven_regions(seven) is seven
    np.testing.assert_array_equal(regions.seven_regions(eighteen), seven)
    colors = regions.mean_colors(image, eighteen)
    assert colors.shape == (18, 3)
    for channel in range(18):
        expected = image[eighteen[..., channel] == 1].astype(float).mean(0)
        np.testing.assert_allclose(colors[channel], expected, rtol=1e-6)


def test_an_empty_part_takes_the_colour_of_the_other_side_or_of_what_is_around():
    masks, image = np.zeros((1, 5, 18), np.uint8), np.arange(15, dtype=np.uint8).reshape(1, 5, 3)
    for x, part in enumerate(("skin", "l_eye", "hair", "r_brow", "mouth")):
        masks[0, x, regions.PARTS.index(part)] = 1
    colors = dict(zip(regions.PARTS, regions.mean_colors(image, masks)[:, 0].tolist(), strict=True))
    filled = {"r_eye": 3, "l_brow": 9, "l_ear": 0, "r_ear": 0, "nose": 0, "neck": 0, "u_lip": 12, "l_lip": 12}
    own = {"skin": 0, "l_eye": 3, "hair": 6, "r_brow": 9, "mouth": 12}
    assert colors == dict.fromkeys(regions.PARTS, 0) | filled | own
    masks[0, 0] = 0  # nothing stands in for skin
    assert regions.mean_colors(image + 1, masks)[regions.PARTS.index("nose")].tolist() == [0, 0, 0]


def test_colour_map_of_parts_is_that_of_the_regions_where_each_has_one_colour():
    seven = regions.masks_from_bits(regions.bits_from_parts(random_parts(2)), 64)
    eighteen = np.zeros((64, 64, 18), np.uint8)
    first = [regions.PARTS.index(parts[0]) for parts in regions.REGIONS.values()]
    eighteen[..., first] = seven
    colors = np.zeros((18, 3), np.float32)
    colors[first] = np.random.default_rng(3).random((7, 3)) * 255
    cmask = regions.color_map(eighteen, colors)
    assert cmask.dtype == np.float32
    np.testing.assert_allclose(cmask, regions.color_map(seven, colors[first]), rtol=1e-5)


def test_labels_have_one_part_a_pixel():
    labels = np.random.default_rng(4).integers(0, 19, (16, 16)).astype(np.uint8)
    masks = regions.masks_from_labels(labels, 18)
    np.testing.assert_array_equal((masks * np.arange(1, 19)).sum(-1), labels)
    np.testing.assert_array_equal(regions.seven_regions(masks), regions.masks_from_labels(labels))


def test_a_mirrored_face_exchanges_the_channels_of_left_and_right_parts():
    names = regions.PARTS
    swapped = {names[i]: names[mirrored] for i, mirrored in enumerate(regions.MIRRORED_REGION[18]) if i != mirrored}
    assert swapped == {
        "l_eye": "r_eye", "r_eye": "l_eye", "l_brow": "r_brow", "r_brow": "l_brow", "l_ear": "r_ear", "r_ear": "l_ear"
    }  # fmt: skip
    assert regions.MIRRORED_REGION[7].tolist() == list(range(7))
