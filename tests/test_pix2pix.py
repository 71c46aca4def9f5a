"""pix2pix.py: networks, losses, dataset, and its command line run tiny, killed, resumed and misused."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pix2pix
from facegan import blocks, checkpoints, cli, pipeline, prepared, report
from facegan.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent


def call(monkeypatch, *flags) -> int | str | None:
    """Run pix2pix.py's command line in this process; returns what it exits with."""
    monkeypatch.setattr(sys, "argv", ["pix2pix.py", *map(str, flags)])
    with pytest.raises(SystemExit) as stopped:
        cli.run(pix2pix.main)
    return stopped.value.code


def weights(run: Path) -> dict[str, np.ndarray]:
    """Every variable of the newest checkpoint: weights, optimizer state, dropout seeds, step."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name}


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(
        np.array_equal(a[name], b[name]) for name in a if name != "save_counter/.ATTRIBUTES/VARIABLE_VALUE"
    )


@pytest.fixture(autouse=True)
def float32_policy():
    yield
    keras.mixed_precision.set_global_policy("float32")


# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 128])
def test_generator_goes_down_to_one_pixel_and_back(size):
    """The published network: log2(S) levels down to 1 x 1, as many up, each width once on either side."""
    generator = pix2pix.Generator(pix2pix.Args(size=size, **pix2pix.PUBLISHED))
    convolutions = [layer for layer in generator.layers if hasattr(layer, "kernel")]
    shapes = [tuple(layer.output.shape[1:]) for layer in convolutions]
    widths = [32, 64, 128, 256, 256, 256, 256][: int(np.log2(size))]
    down = [(size >> i + 1, size >> i + 1, width) for i, width in enumerate(widths)]
    assert down[-1] == (1, 1, 256)
    assert shapes == [*down, *reversed(down[:-1]), (size, size, 3)]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in generator.layers) == 3
    assert [s[1:] for s in generator.input_shape] == [(size, size, 10), (149,)]


def test_an_untrained_residual_generator_paints_about_the_colour_map():
    generator = pix2pix.Generator(pix2pix.Args(size=64))
    rng = np.random.default_rng(2)
    cmask = np.kron(rng.random((2, 4, 4, 3), np.float32), np.ones((1, 16, 16, 1), np.float32)).clip(0.01, 0.99)
    masks, code = np.zeros((2, 64, 64, 7), np.float32), rng.random((2, 149), np.float32)
    painted = generator([np.concatenate([masks, cmask], -1), code])
    assert np.abs(painted - cmask).mean() < 0.02


@pytest.mark.parametrize("flags", [{}, pix2pix.PUBLISHED], ids=["default", "published"])
def test_generator_paints_between_0_and_1_and_uses_every_input(flags):
    generator = pix2pix.Generator(pix2pix.Args(size=64, **flags))
    rng = np.random.default_rng(0)
    picture, code = rng.random((2, 64, 64, 10), np.float32), rng.random((2, 149), np.float32)
    painted = generator([picture, code])
    assert 0 <= float(tf.reduce_min(painted)) <= float(tf.reduce_max(painted)) <= 1
    for changed in ([1 - picture, code], [picture, 1 - code]):
        assert float(tf.reduce_max(tf.abs(generator(changed) - painted))) > 0


def test_published_recipe_has_transposed_convolutions_and_batchnorm_and_the_default_has_neither():
    def kinds(**flags):
        return {type(layer).__name__ for layer in pix2pix.Generator(pix2pix.Args(size=64, **flags)).layers}

    assert {"Conv2DTranspose", "BatchNormalization"} <= kinds(**pix2pix.PUBLISHED)
    assert not {"Conv2DTranspose", "BatchNormalization"} & kinds()


def test_discriminator_judges_30_x_30_patches_of_70_x_70_pixels():
    discriminator = pix2pix.Discriminator(pix2pix.Args(size=256, norm="batch"))
    assert discriminator.output_shape == (None, 30, 30, 1)
    masks, picture = tf.zeros((1, 256, 256, 7)), tf.Variable(tf.random.normal((1, 256, 256, 3)))
    with tf.GradientTape() as tape:
        logit = discriminator([masks, picture])[0, 15, 15, 0]
    seen = np.abs(tape.gradient(logit, picture).numpy()[0]).sum(-1) > 0
    assert seen.any(0).sum() == seen.any(1).sum() == 70


def test_discriminator_normalises_all_but_its_first_and_last_layer():
    layers = pix2pix.Discriminator(pix2pix.Args(size=64, norm="batch")).layers
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in layers) == 3
    kernels = [layer for layer in layers if hasattr(layer, "kernel")]
    assert [(layer.filters, layer.strides[0]) for layer in kernels] == [(64, 2), (128, 2), (256, 2), (512, 1), (1, 1)]
    assert {layer.negative_slope for layer in layers if isinstance(layer, keras.layers.LeakyReLU)} == {0.2}


def test_both_networks_learn_with_the_published_adam(tmp_path):
    state = pix2pix.State(pix2pix.Args(size=64, run=tmp_path))
    for adam in (state.generator_optimizer, state.discriminator_optimizer):
        assert float(adam.learning_rate) == pytest.approx(2e-4)
        assert (adam.beta_1, adam.beta_2) == (0.5, 0.999)


def test_group_norm_does_not_depend_on_the_batch():
    generator = pix2pix.Generator(pix2pix.Args(size=64))
    rng = np.random.default_rng(1)
    picture, code = rng.random((4, 64, 64, 10), np.float32), rng.random((4, 149), np.float32)
    together = generator([picture, code]).numpy()
    alone = generator([picture[:1], code[:1]]).numpy()
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)


def test_initial_weights_are_normal_and_differ_between_layers():
    generator = pix2pix.Generator(pix2pix.Args(size=64))
    kernels = [layer.kernel.numpy() for layer in generator.layers if isinstance(layer, keras.layers.Conv2D)]
    values = np.concatenate([kernel.ravel() for kernel in kernels])
    assert abs(values.std() - 0.02) < 1e-3
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == len(kernels)


# --- losses -----------------------------------------------------------------------------------------------------------


def test_gan_loss_by_hand():
    logits = tf.constant([[0.0, np.log(3.0)]])  # probabilities 1/2 and 3/4
    assert float(pix2pix.gan_loss(logits, True)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    assert float(pix2pix.gan_loss(logits, False)) == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_manipulation_losses_by_hand():
    """Four pixels: agreeing on skin, agreeing on background, and two that disagree, off by 0.01 and by 0.5."""
    masks, masks2 = np.zeros((1, 1, 4, 7), np.float32), np.zeros((1, 1, 4, 7), np.float32)
    masks[0, 0, [0, 2, 3], 0] = 1
    masks2[0, 0, 0, 0] = masks2[0, 0, [2, 3], 3] = 1
    target = np.full((1, 1, 4, 3), 0.5, np.float32)
    manipulated = target + np.array([0.2, 0.4, 0.01, 0.5], np.float32)[None, None, :, None]
    l1, push = pix2pix.manipulation_losses(target, manipulated, masks, masks2)
    assert float(l1) == pytest.approx((0.2 + 0.4) / 4)
    assert float(push) == pytest.approx((0.07 + 0.04) / 4)


def test_push_moves_only_differences_below_a_twenty_fifth():
    masks, masks2 = np.zeros((1, 1, 2, 7), np.float32), np.ones((1, 1, 2, 7), np.float32)
    target = np.zeros((1, 1, 2, 3), np.float32)
    manipulated = tf.Variable(np.array([0.02, 0.3], np.float32)[None, None, :, None] * np.ones(3, np.float32))
    with tf.GradientTape() as tape:
        push = pix2pix.manipulation_losses(target, manipulated, masks, masks2)[1]
    slope = tape.gradient(push, manipulated).numpy()[0, 0]
    assert (slope[0] < 0).all()
    assert (slope[1] == 0).all()


def test_reconstruction_loss_by_hand():
    assert float(pix2pix.reconstruction_loss(tf.zeros((1, 2, 2, 3)), tf.fill((1, 2, 2, 3), 0.25))) == pytest.approx(
        0.25
    )


def test_scores_by_hand():
    """One face of four pixels: three in a region, of which two agree with the second map."""
    masks, masks2 = np.zeros((1, 2, 2, 7)), np.zeros((1, 2, 2, 7))
    masks[0, 0, :, 0] = masks[0, 1, 0, 4] = 1
    masks2[0, 0, :, 0] = 1
    real = np.zeros((1, 2, 2, 3))
    rec, man, cmask = real.copy(), real.copy(), real.copy()
    rec[0, 0, 0], rec[0, 1, 1] = 0.3, 0.9  # the second lies outside the regions
    man[0, 0, 0], man[0, 1, 0] = 0.5, 0.8  # the second lies where the maps differ
    cmask[0, :, :] = 0.6
    found = pix2pix.scores(dict(masks=masks, masks2=masks2, real=real, rec=rec, man=man, cmask=cmask))
    assert {name: round(float(x[0]), 6) for name, x in found.items()} == {
        "l1_rec": 0.1,
        "l1_cmask": 0.6,
        "l1_man_agree": 0.25,
    }


# --- dataset ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def args(prepared_64):
    args = pix2pix.Args(size=64, data=prepared_64, batch_size=2)
    pipeline.pack(prepared_64, prepared.complete_indices(prepared_64), 64)
    return args


def test_packed_records_equal_the_prepared_files(args):
    for k in prepared.complete_indices(args.data):
        face = pipeline.read_face(str(args.data), tf.constant(k), 64)
        sample = np.load(args.data / "samples" / f"{k}.npz")
        np.testing.assert_array_equal(face["image"], sample["Image"])
        np.testing.assert_array_equal(pipeline.unpack_masks(face["bits"]), sample["Masks"])
        np.testing.assert_allclose(face["colors"], sample["Colors"] / 255, rtol=1e-6)
        np.testing.assert_array_equal(face["face_id"], np.load(args.data / "face_ids" / f"{k}.npz")["face_id"])


def test_color_maps_on_the_device_equal_c_masks_files(args):
    for k in prepared.complete_indices(args.data):
        face = pipeline.read_face(str(args.data), tf.constant(k), 64)
        painted = pipeline.color_map(pipeline.unpack_masks(face["bits"])[None], face["colors"][None])[0]
        np.testing.assert_allclose(255 * painted, np.load(args.data / "color_masks" / f"{k}.npz")["cmask"], atol=1e-3)


def test_a_changed_sample_is_packed_again(args, tmp_path):
    data = tmp_path / "copy"
    shutil.copytree(args.data, data)
    assert pipeline.is_packed(data, 3)
    image, masks, colors = (np.load(data / "samples" / "3.npz")[name] for name in ("Image", "Masks", "Colors"))
    prepared.write_npz(data / "samples" / "3.npz", Image=255 - image, Masks=masks, Colors=colors)
    assert not pipeline.is_packed(data, 3)
    pipeline.pack(data, [3], 64)
    np.testing.assert_array_equal(pipeline.read_face(str(data), tf.constant(3), 64)["image"], 255 - image)


def test_another_size_is_refused_with_both_sizes(args):
    with pytest.raises(BadInput, match="size 64, asked for is --size 128"):
        pipeline.pack(args.data, [0], 128)


def test_a_resumed_epoch_goes_on_with_the_batches_that_are_left(args):
    numbers = np.arange(8)
    whole = list(pix2pix.training_batches(args, numbers, numbers, epoch=3, first_step=0))
    rest = list(pix2pix.training_batches(args, numbers, numbers, epoch=3, first_step=2))
    assert len(whole) == 4
    assert len(rest) == 2
    for expected, batch in zip(whole[2:], rest, strict=True):
        for name in expected:
            np.testing.assert_array_equal(expected[name], batch[name])
    other = next(iter(pix2pix.training_batches(args, numbers, numbers, epoch=4, first_step=0)))
    assert not np.array_equal(other["face_id"], whole[0]["face_id"])


def test_an_epoch_shows_every_face_once(args):
    numbers = np.arange(8)
    ids = np.concatenate([b["face_id"] for b in pix2pix.training_batches(args, numbers, numbers, 0, 0)])
    expected = [np.load(args.data / "face_ids" / f"{k}.npz")["face_id"] for k in numbers]
    assert sorted(map(bytes, ids)) == sorted(map(bytes, expected))


def test_flips_mirror_photo_and_map_together_and_the_second_map_apart(args):
    numbers, others = np.array([0, 0, 0]), np.array([1, 1, 1])
    flips = np.array([[False, False], [True, False], [False, True]])
    batch = next(iter(pix2pix.batches(pix2pix.replace(args, batch_size=3), numbers, others, flips)))
    plain, mirrored, second = ({name: batch[name][i].numpy() for name in ("image", "bits", "bits2")} for i in range(3))
    for name in ("image", "bits"):
        np.testing.assert_array_equal(mirrored[name], plain[name][:, ::-1])
        np.testing.assert_array_equal(second[name], plain[name])
    np.testing.assert_array_equal(mirrored["bits2"], plain["bits2"])
    np.testing.assert_array_equal(second["bits2"], plain["bits2"][:, ::-1])


def test_the_target_is_black_outside_the_regions(args):
    batch = next(iter(pix2pix.batches(args, np.array([0, 1]), np.array([1, 0]), np.zeros((2, 2), bool))))
    seen = pix2pix.conditions(batch)
    face = seen["masks"].numpy().any(-1)
    assert not seen["target"].numpy()[~face].any()
    np.testing.assert_allclose(seen["target"].numpy()[face] * 255, batch["image"].numpy()[face], atol=1e-4)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_second_map_is_never_the_faces_own_and_each_is_drawn_once(n):
    for seed in range(20):
        numbers = np.arange(100, 100 + n)
        others = pipeline.draw_others(numbers, numbers, np.random.default_rng(seed))
        assert (others != numbers).all()
        assert sorted(others) == sorted(numbers)


def test_second_maps_may_come_from_a_larger_pool():
    others = pipeline.draw_others(np.arange(8), np.arange(10), np.random.default_rng(0))
    assert (others != np.arange(8)).all()
    assert set(others) <= set(range(10))


# --- training and testing ---------------------------------------------------------------------------------------------


def test_moving_average_by_hand():
    network, average = (keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
    network.set_weights([np.array([[1.0]]), np.array([3.0])])
    average.set_weights([np.array([[0.0]]), np.array([0.0])])
    checkpoints.update_average(average, network, 0.75, tf.constant(0))  # (1 + 0) / (10 + 0) = 0.1 kept
    np.testing.assert_allclose(average.get_weights()[1], [2.7])
    checkpoints.update_average(average, network, 0.75, tf.constant(1000))  # 0.75 kept
    np.testing.assert_allclose(average.get_weights()[1], [0.75 * 2.7 + 0.25 * 3])


TINY = ("--size", 64, "--batch-size", 4, "--precision", "float32")


@pytest.fixture(scope="module")
def trained(prepared_64, tmp_path_factory):
    """A run of six tiny epochs that nothing interrupted."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        assert not call(patch, "--train", "--data", prepared_64, "--run", run, "--epochs", 6, *TINY)
    return run


def test_training_leaves_flags_checkpoints_grids_and_logs(trained):
    assert json.loads((trained / "args.json").read_text())["size"] == 64
    assert sorted(p.name for p in (trained / "grids").iterdir()) == [f"epoch_{i:04d}.png" for i in range(1, 7)]
    assert list((trained / "logs").glob("events.*"))
    assert len(list((trained / "checkpoints").glob("*.index"))) == 2
    assert weights(trained)["step/.ATTRIBUTES/VARIABLE_VALUE"] == 6 * 2


def test_training_moves_every_weight_of_both_networks_and_lowers_l1(trained, prepared_64):
    keras.utils.set_random_seed(0)
    args = pix2pix.Args(size=64, run=trained, data=prepared_64, batch_size=2, precision="float32")
    state = pix2pix.State(args)
    fresh = [w.numpy() for w in state.generator.trainable_variables + state.discriminator.trainable_variables]
    batch = next(iter(pix2pix.batches(args, np.array([0, 1]), np.array([1, 0]), np.zeros((2, 2), bool))))
    before = pix2pix.scores(pix2pix.paint(args, state.generator, batch))["l1_rec"].mean()
    state.checkpoints.restore()
    after = pix2pix.scores(pix2pix.paint(args, state.generator, batch))["l1_rec"].mean()
    trained_now = [w.numpy() for w in state.generator.trainable_variables + state.discriminator.trainable_variables]
    assert all((a != b).any() for a, b in zip(fresh, trained_now, strict=True))
    assert after < before  # by some 5 % after 12 steps: it starts from the colour map, which is not bad


def test_testing_writes_pictures_scores_grid_and_page(trained, prepared_64, tmp_path, monkeypatch, capsys):
    out = tmp_path / "results"
    assert not call(monkeypatch, "--test", "--data", prepared_64, "--run", trained, "--out", out, "--split", "all")
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [int(row["k"]) for row in rows] == list(range(10))
    assert list(rows[0])[:2] == ["k", "map_k"]
    assert all(row["k"] != row["map_k"] for row in rows)
    for k in range(10):
        for name in ("real", "cmask", "rec", "cmask2", "man"):
            assert Image.open(out / f"{k}_{name}.png").size == (64, 64)
    real, rec = (np.asarray(Image.open(out / f"3_{name}.png")).astype(float) for name in ("real", "rec"))
    inside = np.load(prepared_64 / "samples" / "3.npz")["Masks"].any(-1)
    assert float(rows[3]["l1_rec"]) == pytest.approx(np.abs(real - rec)[inside].mean() / 255, abs=0.004)
    assert Image.open(out / "grid.png").width > 8 * 64
    page = (out / "index.html").read_text()
    assert '"k": 9' in page
    assert "manipulated" in page
    assert "mean of 10 all faces" in capsys.readouterr().out


def test_the_pictures_of_a_face_do_not_depend_on_the_split(trained, prepared_64, tmp_path, monkeypatch):
    for split in ("test", "all"):
        call(
            monkeypatch, "--test", "--data", prepared_64, "--run", trained, "--out", tmp_path / split, "--split", split
        )
    one, other = (np.asarray(Image.open(tmp_path / split / "9_rec.png")).astype(int) for split in ("test", "all"))
    assert np.abs(one - other).max() <= 1
    assert not (tmp_path / "test" / "0_rec.png").exists()


def start(prepared, run, *flags) -> subprocess.Popen:
    command = [
        sys.executable,
        ROOT / "pix2pix.py",
        "--train",
        "--data",
        prepared,
        "--run",
        run,
        "--epochs",
        "6",
        *TINY,
        *flags,
    ]
    return subprocess.Popen([str(x) for x in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, process: subprocess.Popen) -> None:
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"{path} never came")


def test_a_run_killed_and_resumed_ends_with_the_weights_of_an_uninterrupted_one(
    trained, prepared_64, tmp_path, monkeypatch
):
    """SIGKILL in the third epoch or later, the same command line again; Ctrl-C is part of the way."""
    run = tmp_path / "killed"
    process = start(prepared_64, run)
    wait_for(run / "grids" / "epoch_0002.png", process)
    process.kill()
    process.communicate()
    process = start(prepared_64, run)
    wait_for(run / "grids" / "epoch_0004.png", process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    if process.returncode != 0:  # a fast machine may have finished before the signal came
        assert process.returncode == 130
        assert "the same command goes on from here" in errors
        assert "Traceback" not in errors
    assert not call(monkeypatch, "--train", "--data", prepared_64, "--run", run, "--epochs", 6, *TINY)
    assert same(run, trained)


def test_a_run_goes_on_with_more_epochs_and_without_saying_its_flags_again(trained, prepared_64, tmp_path, monkeypatch):
    run = tmp_path / "longer"
    shutil.copytree(trained, run)
    assert not call(monkeypatch, "--train", "--data", prepared_64, "--run", run, "--epochs", 7)
    assert weights(run)["step/.ATTRIBUTES/VARIABLE_VALUE"] == 7 * 2


# --- misuse: one sentence, exit status not 0, nothing lost ------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], r"say --train, --test or both"),
        (["--train", "--data", "{tmp}/none"], r"python data/make_sample.py.*python g_simple_mask.py"),
        (["--train", "--data", "{data}", "--size", "128"], r"size 64, asked for is --size 128"),
        (["--train", "--data", "{data}", "--size", "64", "--batch-size", "16"], r"more than the 8 training faces"),
        (["--train", "--data", "{data}", "--epochs", "0"], r"--epochs 0: expected 1 to"),
        (["--train", "--data", "{data}", "--seed", "-1"], r"--seed -1: expected 0 to"),
        (["--test", "--data", "{data}", "--run", "{tmp}/none"], r"no trained run in .*none"),
        (["--train", "--run", "{run}", "--data", "{data}", "--norm", "batch"], r"--norm group, now it is --norm batch"),
        (["--test", "--run", "{run}", "--data", "{data}", "--lambda", "1"], r"--lambda 100.0, now it is --lambda 1.0"),
    ],
)
def test_misuse_is_one_sentence(flags, sentence, trained, prepared_64, tmp_path, monkeypatch):
    before = weights(trained)
    flags = [flag.format(tmp=tmp_path, data=prepared_64, run=trained) for flag in flags]
    if "--run" not in flags:
        flags += ["--run", str(tmp_path / "run")]
    message = call(monkeypatch, *flags)
    assert isinstance(message, str)
    assert re.search(sentence, message)
    assert len(message.splitlines()) == 1
    assert not any((before[name] != value).any() for name, value in weights(trained).items())


def test_nan_stops_the_run_and_is_never_saved(prepared_64, tmp_path, monkeypatch):
    flags = ("--size", 64, "--batch-size", 2, "--precision", "float32", "--learning-rate", 1e38)
    message = call(monkeypatch, "--train", "--data", prepared_64, "--run", tmp_path / "nan", "--epochs", 3, *flags)
    assert "--learning-rate" in message
    assert not list((tmp_path / "nan" / "checkpoints").glob("*.index"))


def test_a_weight_that_is_not_finite_is_never_saved(tmp_path):
    """The last step before a save may break a weight while its losses were still finite."""
    state = pix2pix.State(pix2pix.Args(size=64, run=tmp_path))
    state.checkpoints.save(1)
    bias = state.generator.trainable_variables[1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(BadInput, match=r"generator is not finite at step 2"):
        state.checkpoints.save(2)
    assert int(weights(tmp_path)["step/.ATTRIBUTES/VARIABLE_VALUE"]) == 1


def test_flags_of_a_run_need_not_be_said_again_but_may_be(prepared_64, tmp_path, monkeypatch):
    """--published, then the same line, the same with a flag beside it, one without any, and one that contradicts."""
    run = ("--train", "--run", tmp_path / "published")
    first = (*run, "--data", prepared_64, "--published", "--flip", "--epochs", 1, *TINY)
    assert not call(monkeypatch, *first)
    assert not call(monkeypatch, *first)
    assert not call(monkeypatch, *run)
    flags = json.loads((tmp_path / "published" / "args.json").read_text())
    assert (flags["flip"], flags["norm"], flags["upsampling"]) == (True, "batch", "transpose")
    assert "trained with --flip, now it is --no-flip" in call(monkeypatch, *run, "--no-flip")
    assert not call(monkeypatch, "--test", *run[1:], "--no-batch-statistics", "--out", tmp_path / "out")


def test_two_trainings_in_one_folder_are_refused(trained, prepared_64, monkeypatch):
    with prepared.lock(trained / ".lock"):
        assert "another job" in call(monkeypatch, "--train", "--data", prepared_64, "--run", trained)


def test_a_full_disk_is_a_sentence_and_keeps_what_was_saved(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "full")
    state = pix2pix.State(pix2pix.Args(size=64, run=tmp_path / "full"))
    state.checkpoints.restore()

    def no_room(step):
        (tmp_path / "full" / "checkpoints" / "ckpt-99_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(state.checkpoints.manager, "save", no_room)
    with pytest.raises(BadInput, match=r"No space left on device.*make room"):
        state.checkpoints.save(99)
    assert not (tmp_path / "full" / "checkpoints" / "ckpt-99_temp").exists()
    assert same(tmp_path / "full", trained)


@pytest.mark.parametrize(("step", "sentence"), [("--train", "other training faces now"), ("--test", "first: 7")])
def test_removed_samples_do_not_move_trained_faces_into_the_test_split(
    step, sentence, trained, prepared_64, tmp_path, monkeypatch
):
    """Faces 0..7 of ten train. Without face 8, 0..6 of nine would: 7 would be judged although it trained."""
    data = tmp_path / "nine"
    shutil.copytree(prepared_64, data)
    for name in ("samples", "color_masks", "face_ids"):
        (data / name / "8.npz").unlink()
    assert sentence in call(monkeypatch, step, "--data", data, "--run", trained, "--out", tmp_path / "out")


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(trained, prepared_64, tmp_path, monkeypatch, capsys):
    run = tmp_path / "damaged"
    shutil.copytree(trained, run)
    (newest,) = (run / "checkpoints").glob("ckpt-12.data*")
    newest.write_bytes(newest.read_bytes()[:-5000])
    assert not call(monkeypatch, "--train", "--data", prepared_64, "--run", run)
    assert "ckpt-12 cannot be read" in capsys.readouterr().out
    assert same(run, trained)
    for data in (run / "checkpoints").glob("ckpt-*.data*"):
        data.write_bytes(b"")
    assert "no usable checkpoint" in call(monkeypatch, "--test", "--data", prepared_64, "--run", run)


def test_resized_upsampling_of_a_constant_is_constant_inside():
    """What a transposed convolution cannot promise: no checkerboard on a flat input."""
    flat = tf.ones((1, 8, 8, 4))
    spread = {}
    for kind in ("resize", "transpose"):
        inputs = keras.layers.Input((8, 8, 4))
        model = keras.Model(inputs, blocks.upsample(inputs, 3, kind))
        spread[kind] = float(tf.reduce_max(tf.math.reduce_std(model(flat)[0, 4:-4, 4:-4], (0, 1))))
    assert spread["resize"] < 1e-6 < spread["transpose"]


def test_grid_puts_the_first_row_on_top_and_keeps_pixels():
    rows = {"red": np.tile([1.0, 0, 0], (2, 32, 32, 1)), "blue": np.tile([0, 0, 1.0], (2, 32, 32, 1))}
    picture = report.grid(rows, ["a", "b"])
    reds, blues = ((picture == color).all(-1) for color in ([255, 0, 0], [0, 0, 255]))
    assert reds.sum() == blues.sum() == 2 * 32 * 32
    assert np.argwhere(reds)[:, 0].max() < np.argwhere(blues)[:, 0].min()
