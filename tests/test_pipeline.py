"""facegan/pipeline.py and the datasets built from it: records, second maps, batches; no sample goes through Python."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import pix2pix
import pix2pix_rec
import pix2pix_v2
from facegan import devices, pipeline, prepared
from facegan.errors import BadInput
from facegan.regions import MIRRORED_REGION, PARTS

SCRIPTS = pytest.mark.parametrize("script", [pix2pix, pix2pix_v2, pix2pix_rec], ids=lambda script: script.__name__)
ALONE = tf.distribute.InputContext()


@pytest.fixture(scope="module")
def records(prepared_64) -> pipeline.Records:
    return pipeline.Records(prepared_64, prepared.complete_indices(prepared_64), 64)


@pytest.fixture
def copy(prepared_64, tmp_path) -> Path:
    """A prepared folder that a test may change; nothing is packed in it yet."""
    return shutil.copytree(prepared_64, tmp_path / "copy", ignore=shutil.ignore_patterns("packed"))


@pytest.fixture(scope="module")
def records_of_parts(parts_64) -> pipeline.Records:
    return pipeline.Records(parts_64, prepared.complete_indices(parts_64), 64)


def training_batches(script, records, epoch=0, first_step=0, context=ALONE, **flags) -> tf.data.Dataset:
    """A script's batches of faces 0..7, two in each; second maps, where it has any, are drawn from the same."""
    numbers = np.arange(8)
    numbers_and_pool = (numbers,) if script is pix2pix_rec else (numbers, numbers)
    args = script.Args(**{"size": 64, "batch_size": 2, **flags})
    return script.training_batches(args, records, *numbers_and_pool, epoch, first_step, context)


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


# --- records ----------------------------------------------------------------------------------------------------------


def test_packed_records_equal_the_prepared_files(records, prepared_64):
    for k in prepared.complete_indices(prepared_64):
        face = records.read(tf.constant(k, tf.int64))
        sample = np.load(prepared_64 / "samples" / f"{k}.npz")
        np.testing.assert_array_equal(face["image"], sample["Image"])
        np.testing.assert_array_equal(pipeline.unpack_masks(face["bits"]), sample["Masks"])
        np.testing.assert_allclose(face["colors"], sample["Colors"] / 255, rtol=1e-6)
        np.testing.assert_array_equal(face["face_id"], np.load(prepared_64 / "face_ids" / f"{k}.npz")["face_id"])


def test_packed_records_of_parts_equal_the_prepared_files(records_of_parts, parts_64):
    assert records_of_parts.bytes == pipeline.record_bytes(64, 18) == 64 * 64 * 6 + 4 * (54 + 128)
    for k in (0, 7):
        face = records_of_parts.read(tf.constant(k, tf.int64))
        sample = np.load(parts_64 / "samples" / f"{k}.npz")
        np.testing.assert_array_equal(face["image"], sample["Image"])
        np.testing.assert_array_equal(pipeline.unpack_masks(face["bits"]), sample["Masks"])
        np.testing.assert_allclose(face["colors"], sample["Colors"] / 255, rtol=1e-6)
        painted = pipeline.color_map(pipeline.unpack_masks(face["bits"])[None], face["colors"][None])[0]
        np.testing.assert_allclose(255 * painted, np.load(parts_64 / "color_masks" / f"{k}.npz")["cmask"], atol=1e-3)


def test_a_mirrored_face_of_parts_has_its_left_and_right_ones_exchanged(records_of_parts, parts_64):
    face = records_of_parts.read(tf.constant(2, tf.int64))
    masks = np.load(parts_64 / "samples" / "2.npz")["Masks"]
    expected = masks[:, ::-1].copy()
    pairs = (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear"))
    colors = face["colors"].numpy()
    for pair in pairs:
        left, right = map(PARTS.index, pair)
        expected[..., [left, right]] = expected[..., [right, left]]
        colors[[left, right]] = colors[[right, left]]
    np.testing.assert_array_equal(pipeline.unpack_masks(pipeline.mirror_bits(face["bits"])), expected)
    np.testing.assert_array_equal(pipeline.mirror_colors(face["colors"]), colors)


def test_a_mirrored_face_of_regions_is_turned_alone(records):
    face = records.read(tf.constant(2, tf.int64))
    np.testing.assert_array_equal(pipeline.mirror_bits(face["bits"]), face["bits"].numpy()[:, ::-1])
    np.testing.assert_array_equal(pipeline.mirror_colors(face["colors"]), face["colors"])


def test_a_record_takes_the_bytes_that_are_counted_for_it(records, prepared_64):
    size = (prepared_64 / "packed" / "3.bin").stat().st_size
    assert size - pipeline.TRAILER == pipeline.record_bytes(64) == records.bytes


def test_records_in_memory_and_on_disk_are_the_same_faces(prepared_64):
    """Some of the faces, so that a number is not its place in memory."""
    numbers = [1, 4, 5, 9]
    memory, disk = (pipeline.Records(prepared_64, numbers, 64, cache) for cache in ("on", "off"))
    assert memory.in_memory.shape == (4, pipeline.record_bytes(64))
    assert disk.in_memory is None
    for k in numbers:
        assert_equal(memory.read(tf.constant(k, tf.int64)), disk.read(tf.constant(k, tf.int64)))


def test_auto_keeps_the_faces_in_memory_only_below_half_of_what_is_free(prepared_64, monkeypatch):
    needed = 10 * pipeline.record_bytes(64)
    kept = {}
    for free in (2 * needed + 2, 2 * needed, 0):
        monkeypatch.setattr(pipeline, "free_memory", lambda free=free: free)
        kept[free] = pipeline.Records(prepared_64, list(range(10)), 64, "auto").in_memory is not None
    assert list(kept.values()) == [True, False, False]


def test_free_memory_is_some_and_not_more_than_the_machine_has():
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024  # its first line is MemTotal
    assert 0 < pipeline.free_memory() <= total


def test_a_changed_sample_is_packed_again_and_no_other(copy):
    pipeline.Records(copy, [3, 4], 64)
    before = {k: (copy / "packed" / f"{k}.bin").stat().st_mtime_ns for k in (3, 4)}
    image, masks, colors = (np.load(copy / "samples" / "3.npz")[name] for name in ("Image", "Masks", "Colors"))
    prepared.write_npz(copy / "samples" / "3.npz", Image=255 - image, Masks=masks, Colors=colors)
    face = pipeline.Records(copy, [3, 4], 64).read(tf.constant(3, tf.int64))
    np.testing.assert_array_equal(face["image"], 255 - image)
    assert (copy / "packed" / "4.bin").stat().st_mtime_ns == before[4]


def test_a_record_cut_short_is_packed_again(copy):
    records = pipeline.Records(copy, [3], 64)
    whole = (copy / "packed" / "3.bin").read_bytes()
    (copy / "packed" / "3.bin").write_bytes(whole[:100])
    assert (pipeline.Records(copy, [3], 64).in_memory == records.in_memory).numpy().all()
    assert (copy / "packed" / "3.bin").read_bytes() == whole


def test_a_record_of_an_earlier_format_is_made_anew(copy):
    """The first had no trailer."""
    records = pipeline.Records(copy, [3], 64)
    path = copy / "packed" / "3.bin"
    whole = path.read_bytes()
    for other in (whole[: -pipeline.TRAILER], whole[:-28] + b"\x01" + whole[-27:]):
        path.write_bytes(other)
        assert (pipeline.Records(copy, [3], 64).in_memory == records.in_memory).numpy().all()
        assert path.read_bytes() == whole


def read_as_a_training_does(records, numbers: list[int]) -> list[dict]:
    return list(tf.data.Dataset.from_tensor_slices(tf.constant(numbers, tf.int64)).map(records.read))


@pytest.mark.parametrize("place", [0, 5000, 64 * 64 * 4 + 7, -1, -pipeline.FINGERPRINT])
@pytest.mark.parametrize("cache", ["on", "off"])
def test_a_damaged_record_is_a_sentence_wherever_it_is_read(cache, place, copy):
    """A changed bit keeps size and date: only its fingerprint shows it."""
    pipeline.Records(copy, [3, 4], 64)
    path = copy / "packed" / "3.bin"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    sentence = r"packed/3\.bin is damaged: delete it, and the same command makes it again\.$"
    with pytest.raises(BadInput, match=sentence), devices.errors_as_sentences():
        read_as_a_training_does(pipeline.Records(copy, [3, 4], 64, cache), [4, 3])
    path.unlink()
    pipeline.Records(copy, [3, 4], 64, cache).read(tf.constant(3, tf.int64))


def test_dates_decide_nothing_about_records(copy, monkeypatch):
    """A folder copied without its dates is not packed again, whatever comes first; another face with an old date is."""
    before = pipeline.Records(copy, [3, 4], 64).in_memory.numpy()
    dates = {"samples": 2e9, "face_ids": 4e9, "packed": 1e9}
    for folder, date in dates.items():
        for path in (copy / folder).glob("*.*"):
            os.utime(path, (date, date))
    assert (pipeline.Records(copy, [3, 4], 64).in_memory.numpy() == before).all()
    assert {(copy / "packed" / f"{k}.bin").stat().st_mtime for k in (3, 4)} == {1e9}
    for folder in ("samples", "face_ids"):
        shutil.copy(copy / folder / "5.npz", copy / folder / "3.npz")
        os.utime(copy / folder / "3.npz", (1e6, 1e6))
    after = pipeline.Records(copy, [3, 4, 5], 64).in_memory.numpy()
    assert (after[0] == after[2]).all()
    assert (after[1] == before[1]).all()


def test_a_changed_face_id_is_packed_again(copy):
    pipeline.Records(copy, [3], 64)
    face_id = np.linspace(-1, 1, 128, dtype=np.float32)
    prepared.write_npz(copy / "face_ids" / "3.npz", face_id=face_id)
    face = pipeline.Records(copy, [3], 64).read(tf.constant(3, tf.int64))
    np.testing.assert_array_equal(face["face_id"], face_id)


def test_another_size_is_refused_with_both_sizes(prepared_64):
    with pytest.raises(BadInput, match="size 64, not --size 128"):
        pipeline.Records(prepared_64, [0], 128)


def test_color_maps_on_the_device_equal_c_masks_files(records, prepared_64):
    for k in prepared.complete_indices(prepared_64):
        face = records.read(tf.constant(k, tf.int64))
        painted = pipeline.color_map(pipeline.unpack_masks(face["bits"])[None], face["colors"][None])[0]
        np.testing.assert_allclose(255 * painted, np.load(prepared_64 / "color_masks" / f"{k}.npz")["cmask"], atol=1e-3)


# --- second maps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_second_map_is_never_the_faces_own_and_each_is_drawn_once(n):
    for seed in range(20):
        numbers = np.arange(100, 100 + n)
        others = pipeline.draw_others(numbers, numbers, np.random.default_rng(seed))
        assert (others != numbers).all()
        assert sorted(others) == sorted(numbers)


def test_second_maps_may_come_from_a_larger_pool():
    """With 2 of 10 outside the faces, some seed draws one of the two."""
    drawn = [pipeline.draw_others(np.arange(8), np.arange(10), np.random.default_rng(seed)) for seed in range(20)]
    assert all((others != np.arange(8)).all() for others in drawn)
    assert set(np.concatenate(drawn)) == set(range(10))


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machines", [1, 2, 3])
def test_the_shares_of_all_machines_together_are_the_whole_batches_in_order(machines):
    numbers, flips = np.arange(20), np.arange(40).reshape(20, 2)  # three batches of six; two faces are left over
    shares = [
        pipeline.share(tf.distribute.InputContext(machines, i, machines), 6, 1, numbers, flips) for i in range(machines)
    ]
    for step in (0, 1):  # from the second batch on
        rows = slice(step * 6 // machines, (step + 1) * 6 // machines)
        whole = slice((step + 1) * 6, (step + 2) * 6)
        np.testing.assert_array_equal(np.concatenate([share[0][rows] for share in shares]), numbers[whole])
        np.testing.assert_array_equal(np.concatenate([share[1][rows] for share in shares]), flips[whole])
    assert {len(share[0]) for share in shares} == {12 // machines}


@SCRIPTS
def test_two_machines_see_together_what_one_would(script, records):
    halves = [
        training_batches(script, records, context=tf.distribute.InputContext(2, i, 2), batch_size=4) for i in (0, 1)
    ]
    batches = list(zip(training_batches(script, records, batch_size=4), *halves, strict=True))
    assert len(batches) == 2
    for whole, first, second in batches:
        assert_equal(whole, {name: np.concatenate([first[name], second[name]]) for name in first})


@SCRIPTS
def test_a_resumed_epoch_goes_on_with_the_batches_that_are_left(script, records):
    whole = list(training_batches(script, records, epoch=3))
    rest = list(training_batches(script, records, epoch=3, first_step=2))
    assert len(whole) == 4
    for expected, batch in zip(whole[2:], rest, strict=True):
        assert_equal(expected, batch)


@SCRIPTS
def test_an_epoch_shows_every_face_once_in_an_order_of_its_own(script, records):
    orders = [np.concatenate([b["k"] for b in training_batches(script, records, epoch)]) for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(8))
    assert orders[0].tolist() != orders[1].tolist()


@SCRIPTS
@pytest.mark.parametrize(("flip", "least", "most"), [(True, 8, 24), (False, 0, 0)])
def test_about_half_of_the_faces_are_mirrored_and_none_under_no_flip(script, flip, least, most, records, prepared_64):
    photos = {k: np.load(prepared_64 / "samples" / f"{k}.npz")["Image"] for k in range(8)}
    batches = [b for epoch in range(4) for b in training_batches(script, records, epoch, flip=flip)]
    faces = [(int(k), photo) for b in batches for k, photo in zip(b["k"], b["image"].numpy(), strict=True)]
    assert least <= sum((photo != photos[k]).any() for k, photo in faces) <= most
    assert len(faces) == 32


@SCRIPTS
def test_mirrored_faces_of_parts_have_left_and_right_exchanged_and_their_second_maps_too(
    script, records_of_parts, parts_64
):
    samples = {k: np.load(parts_64 / "samples" / f"{k}.npz") for k in range(8)}
    mirrored = MIRRORED_REGION[18]
    flipped = {"bits": 0, "bits2": 0}
    for batch in training_batches(script, records_of_parts, parts=True):
        for name, numbers in (("bits", "k"), ("bits2", "k2")):
            if name not in batch:
                continue
            masks = pipeline.unpack_masks(batch[name]).numpy()
            for i, k in enumerate(batch[numbers].numpy()):
                own = samples[k]["Masks"]
                is_flipped = (masks[i] != own).any()
                flipped[name] += is_flipped
                np.testing.assert_array_equal(masks[i], own[:, ::-1, mirrored] if is_flipped else own)
                if name == "bits":
                    colors, image = samples[k]["Colors"], samples[k]["Image"]
                    expected = colors[mirrored] if is_flipped else colors
                    np.testing.assert_allclose(batch["colors"][i] * 255, expected, rtol=1e-5)
                    np.testing.assert_array_equal(batch["image"][i], image[:, ::-1] if is_flipped else image)
    assert 1 <= flipped["bits"] <= 7
    assert script is pix2pix_rec or 1 <= flipped["bits2"] <= 7


# --- no Python for each sample ----------------------------------------------------------------------------------------


def operations(dataset: tf.data.Dataset) -> set[str]:
    """The names of all operations a dataset is made of, those of its functions included."""
    serialized = tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(dataset))
    graph = tf.compat.v1.GraphDef.FromString(serialized.numpy())
    return {node.op for nodes in (graph.node, *(f.node_def for f in graph.library.function)) for node in nodes}


PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"}


@SCRIPTS
@pytest.mark.parametrize("cache", ["on", "off"])
def test_no_sample_goes_through_python(script, cache, prepared_64):
    records = pipeline.Records(prepared_64, list(range(10)), 64, cache)
    found = operations(training_batches(script, records))
    assert not PYTHON & found
    assert {"ParallelMapDatasetV2", "PrefetchDataset"} <= found
    assert ("ReadFile" in found) == (cache == "off")


@pytest.mark.parametrize(
    "through_python",
    [
        lambda d: d.map(lambda x: tf.numpy_function(np.negative, [x], tf.int64)),
        lambda d: d.map(lambda x: tf.py_function(lambda y: -y, [x], tf.int64)),
        lambda d: d.flat_map(lambda x: tf.data.Dataset.from_generator(lambda: [1], output_types=tf.int64)),
    ],
    ids=["numpy_function", "py_function", "from_generator"],
)
def test_a_sample_that_goes_through_python_would_be_found(through_python):
    assert PYTHON & operations(through_python(tf.data.Dataset.range(3)))
