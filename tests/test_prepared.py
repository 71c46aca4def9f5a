"""facegan/prepared.py: .npz in and out, the index and the split."""

import io
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import c_mask
from face_recognition import face_recognition
from facegan import files, prepared
from facegan.errors import BadInput


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def make_samples(data, numbers, folders=("samples",)) -> None:
    for folder, k in itertools.product(folders, numbers):
        (data / folder).mkdir(parents=True, exist_ok=True)
        (data / folder / f"{k}.npz").touch()


def test_a_temporary_file_never_counts_as_a_sample(tmp_path):
    make_samples(tmp_path, [3])
    with files.atomic(tmp_path / "samples" / "4.npz") as temporary:
        temporary.touch()
        assert prepared.indices(tmp_path, "samples") == [3]


array = hnp.arrays(
    st.sampled_from([np.uint8, np.int32, np.float32, np.bool_]), hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
)


@given(array, array)
def test_npz_round_trip(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("npz") / "1.npz"
    prepared.write_npz(path, stored=("first",), first=first, second=second)
    # the other order: read_npz answers in the order it was asked
    back = prepared.read_npz(path, second=second.shape, first=first.shape)
    for got, written in zip(back, (second, first), strict=True):
        assert got.dtype == written.dtype
        np.testing.assert_array_equal(got, written)
    with np.load(path) as archive:  # anybody else's reader finds the same
        assert archive.files == ["first", "second"]
        np.testing.assert_array_equal(archive["first"], first)


def test_equal_arrays_give_equal_bytes(tmp_path, monkeypatch):
    for name, now in (("1.npz", 1e9), ("2.npz", 1.7e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        prepared.write_npz(tmp_path / name, a=np.arange(1000), b=np.zeros((3, 4), np.float32))
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_an_array_that_would_need_pickle_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays"):
        prepared.write_npz(tmp_path / "1.npz", a=np.array([{}]))
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("folder", "script"),
    [("samples", "g_simple_mask.py"), ("color_masks", "c_mask.py"), ("face_ids", "face_recognition.py")],
)
def test_a_missing_file_names_itself_and_its_script(tmp_path, folder, script):
    with pytest.raises(BadInput, match=rf"{folder}/7\.npz is missing; run .*{script}"):
        prepared.read_npz(tmp_path / folder / "7.npz", a=())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"a": (2, 4)}, r"a is \(2, 3\), expected \(2, 4\)"),
        ({"a": (2,)}, "expected"),
        ({"b": (2, 3)}, r"has no b; run .* with --overwrite"),
    ],
)
def test_another_shape_or_a_missing_array_is_refused(tmp_path, asked, words):
    prepared.write_npz(tmp_path / "1.npz", a=np.zeros((2, 3)))
    with pytest.raises(BadInput, match=words):
        prepared.read_npz(tmp_path / "1.npz", **asked)


def test_none_in_a_shape_fits_any_length(tmp_path):
    prepared.write_npz(tmp_path / "1.npz", a=np.zeros((2, 3)))
    assert prepared.read_npz(tmp_path / "1.npz", a=(None, 3))[0].shape == (2, 3)


@pytest.fixture(scope="module")
def good_npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(4, dtype=np.uint8))
    return file.getvalue()


def test_a_file_cut_anywhere_is_refused(tmp_path, good_npz):
    path = tmp_path / "1.npz"
    for length in range(len(good_npz)):
        path.write_bytes(good_npz[:length])
        with pytest.raises(BadInput, match=r"1\.npz is damaged.* run .* again"):
            prepared.read_npz(path, a=(4,))


def test_a_changed_byte_is_refused_or_harmless(tmp_path, good_npz):
    """Never another error, and never another content."""
    path = tmp_path / "1.npz"
    for place in range(len(good_npz)):
        for value in {0, 255, good_npz[place] ^ 1, good_npz[place] ^ 128}:
            path.write_bytes(good_npz[:place] + bytes([value]) + good_npz[place + 1 :])
            try:
                (back,) = prepared.read_npz(path, a=(4,))
            except BadInput:
                continue
            assert back.tolist() == [0, 1, 2, 3]


def test_a_plain_npy_file_is_refused(tmp_path):
    with (tmp_path / "1.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(BadInput, match=r"1\.npz"):
        prepared.read_npz(tmp_path / "1.npz", a=(3,))


def test_threads_read_one_after_the_other(tmp_path, monkeypatch):
    """Two that parse an array's header at once raise SystemError on Python 3.11, once in some thousand times."""
    prepared.write_npz(tmp_path / "1.npz", a=np.arange(3))
    read, inside, most = np.lib.format.read_array_header_1_0, [], []

    def watched(stream):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return read(stream)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", watched)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: prepared.read_npz(tmp_path / "1.npz", a=(3,)), range(12)))
    assert most == 12 * [1]


def test_indices_are_in_numeric_order_and_skip_strangers(tmp_path):
    make_samples(tmp_path, [10, 9, 100])
    for stranger in ("report.csv", "x.npz", "7.png", "007.npz", "1234567890.npz", "²3.npz", "٣.npz"):
        (tmp_path / "samples" / stranger).touch()
    assert prepared.indices(tmp_path, "samples") == [9, 10, 100]
    assert prepared.indices(tmp_path, "face_ids") == []


def test_no_samples_names_the_folder_and_the_script(tmp_path):
    with pytest.raises(BadInput, match=rf"no samples in {tmp_path}: .*g_simple_mask\.py"):
        prepared.sample_indices(tmp_path)


def test_complete_indices_names_the_script_that_is_still_to_run(tmp_path):
    make_samples(tmp_path, range(5), prepared.MAKERS)
    for k in (2, 4):
        (tmp_path / "face_ids" / f"{k}.npz").unlink()
    script = r"python face_recognition/face_recognition\.py --data"
    with pytest.raises(BadInput, match=rf"2 of 5 samples .* no face_ids/.* \(first: 2\): run `{script}"):
        prepared.complete_indices(tmp_path)


@pytest.fixture
def folder(tmp_path):
    """A prepared folder of three faces, made by the functions that the scripts use; face IDs are made up."""
    files.claim(tmp_path / "prepared.json", "", size=16, source="/raw", layout="parts", resample="area")
    for name in prepared.MAKERS:
        (tmp_path / name).mkdir()
    for k in range(3):
        write_sample(tmp_path, k, 40 * k)
        c_mask.make_color_mask(k, tmp_path, png=True)
        note = prepared.made_from(tmp_path, "face_ids", k)
        face_id = np.full(128, 0.1, np.float32)
        prepared.write_npz(tmp_path / "face_ids" / f"{k}.npz", made_from=note, face_id=face_id)
    return tmp_path


def write_sample(data, k: int, grey: int) -> None:
    image, masks = np.full((16, 16, 3), grey, np.uint8), np.ones((16, 16, 7), np.uint8)
    colors = np.full((7, 3), grey, np.float32)
    prepared.write_npz(data / "samples" / f"{k}.npz", stored=("Image",), Image=image, Masks=masks, Colors=colors)


def test_a_sample_of_another_size_than_its_folder_is_refused(folder):
    values = dict(Image=np.zeros((1, 1, 3), np.uint8), Masks=np.ones((1, 1, 7), np.uint8))
    prepared.write_npz(folder / "samples" / "1.npz", Colors=np.zeros((7, 3), np.float32), **values)
    with pytest.raises(BadInput, match=r"samples/1\.npz: Masks is \(1, 1, 7\), expected \(16, 16, 7\)"):
        c_mask.make_color_mask(1, folder, png=False)
    with pytest.raises(BadInput, match=r"samples/1\.npz: Image is \(1, 1, 3\), expected \(16, 16, 3\)"):
        face_recognition.embed(1, folder, jitter=0)


DERIVED = ("color_masks", "face_ids")
TOMORROW, LONG_AGO = time.time() + 86_400, 1e6


@pytest.mark.parametrize("date", [TOMORROW, LONG_AGO], ids=["tomorrow", "long ago"])
def test_a_date_makes_nothing_stale(folder, date):
    """A sample dated tomorrow, a folder copied without dates."""
    for path in folder.glob("samples/*"):
        os.utime(path, (date, date))
    assert all(prepared.is_current(folder, name, k) for name in DERIVED for k in range(3))
    assert all(c_mask.is_png_current(folder / "color_masks" / f"{k}.npz") for k in range(3))
    assert prepared.complete_indices(folder) == [0, 1, 2]


@pytest.mark.parametrize("date", [TOMORROW, LONG_AGO], ids=["tomorrow", "long ago"])
def test_another_face_is_noticed_whatever_its_date(folder, date):
    """As by a clock that was set back."""
    write_sample(folder, 1, 200)
    os.utime(folder / "samples" / "1.npz", (date, date))
    assert [prepared.is_current(folder, name, k) for name in DERIVED for k in range(3)] == 2 * [True, False, True]
    with pytest.raises(
        BadInput, match=r"1 of 3 samples .* no face_ids/<k>.npz, or one of another photograph \(first: 1"
    ):
        prepared.complete_indices(folder)
    c_mask.make_color_mask(1, folder, png=False)
    os.utime(folder / "color_masks" / "1.npz", (LONG_AGO, LONG_AGO))
    assert prepared.is_current(folder, "color_masks", 1)
    assert not c_mask.is_png_current(folder / "color_masks" / "1.npz")
    c_mask.add_missing_pngs(folder, [1])
    assert c_mask.is_png_current(folder / "color_masks" / "1.npz")


def test_a_file_of_an_earlier_version_is_current_by_its_date(folder):
    """It does not say what it was made from."""
    path, sample = folder / "face_ids" / "1.npz", folder / "samples" / "1.npz"
    prepared.write_npz(path, face_id=np.full(128, 0.1, np.float32))
    assert prepared.is_current(folder, "face_ids", 1)
    os.utime(sample, (TOMORROW, TOMORROW))
    assert not prepared.is_current(folder, "face_ids", 1)


def test_a_mask_that_changed_needs_no_face_id_again(folder):
    with np.load(folder / "samples" / "1.npz") as sample:
        values = dict(sample)
    values["Masks"][0] = 0
    prepared.write_npz(folder / "samples" / "1.npz", **values)
    assert not prepared.is_current(folder, "color_masks", 1)
    assert prepared.is_current(folder, "face_ids", 1)


def test_complete_indices_takes_samples_without_colour_maps_and_no_maps_without_samples(tmp_path):
    make_samples(tmp_path, range(5), prepared.MAKERS)
    (tmp_path / "samples" / "3.npz").unlink()
    (tmp_path / "color_masks" / "1.npz").unlink()
    assert prepared.complete_indices(tmp_path) == [0, 1, 2, 4]


def test_split_of_celebamask_hq():
    train, validation, test = prepared.split(list(range(30_000)))
    assert train == list(range(24_000))
    assert validation == []
    assert test == list(range(24_000, 30_000))


def test_validation_faces_are_the_last_that_would_train():
    train, validation, test = prepared.split(list(range(100)), 0.15)
    assert (train, validation, test) == (list(range(68)), list(range(68, 80)), list(range(80, 100)))


@pytest.mark.parametrize(("count", "share"), [(10, 0.1), (10, 0.9), (100, 1.0)])
def test_validation_that_leaves_too_few_is_refused(count, share):
    with pytest.raises(BadInput, match=f"--validation {share} of .* faces leaves fewer than two"):
        prepared.split(list(range(count)), share)


@pytest.mark.parametrize(("count", "train"), [(4, 2), (5, 3), (9, 7), (10, 8), (11, 8), (100, 80)])
def test_split_of_few_samples_leaves_two_to_test(count, train):
    numbers = [3 * k for k in range(count)]  # numbers with gaps: the list is split, not the range
    assert prepared.split(numbers) == (numbers[:train], [], numbers[train:])


def test_too_few_samples_are_refused():
    with pytest.raises(BadInput, match="3 samples are too few"):
        prepared.split([0, 1, 2])


def test_describe_asks_whether_this_is_a_prepared_folder(tmp_path):
    with pytest.raises(BadInput, match=r"prepared\.json is missing.*g_simple_mask\.py"):
        prepared.describe(tmp_path)


def test_a_folder_that_does_not_say_its_regions_has_the_overlapping_ones():
    old, new = {"size": 64, "source": "a"}, {"size": 64, "source": "b", "regions": "overlapping"}
    assert prepared.settings(old) == prepared.settings(new)
