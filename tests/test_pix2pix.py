"""pix2pix.py: networks, losses, dataset and scores. Its command line: tests/training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
from facegan import blocks, pipeline, regions

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
    def has(kind: type, **flags) -> bool:
        return any(isinstance(layer, kind) for layer in pix2pix.Generator(pix2pix.Args(size=64, **flags)).layers)

    for kind in (keras.layers.Conv2DTranspose, keras.layers.BatchNormalization):
        assert has(kind, **pix2pix.PUBLISHED)
        assert not has(kind)


def test_discriminator_judges_30_x_30_patches_of_70_x_70_pixels():
    discriminator = pix2pix.Discriminator(pix2pix.Args(size=256, norm="batch", discriminator_width=64))
    assert discriminator.output_shape == (None, 30, 30, 1)
    masks, picture = tf.zeros((1, 256, 256, 7)), tf.Variable(tf.random.normal((1, 256, 256, 3)))
    with tf.GradientTape() as tape:
        logit = discriminator([masks, picture])[0, 15, 15, 0]
    seen = np.abs(tape.gradient(logit, picture).numpy()[0]).sum(-1) > 0
    assert seen.any(0).sum() == seen.any(1).sum() == 70


def test_discriminator_normalises_all_but_its_first_and_last_layer():
    layers = pix2pix.Discriminator(pix2pix.Args(size=64, norm="batch", discriminator_width=64)).layers
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in layers) == 3
    kernels = [layer for layer in layers if hasattr(layer, "kernel")]
    assert [(layer.filters, layer.strides[0]) for layer in kernels] == [(64, 2), (128, 2), (256, 2), (512, 1), (1, 1)]
    assert {layer.negative_slope for layer in layers if isinstance(layer, keras.layers.LeakyReLU)} == {0.2}


def test_both_networks_learn_with_the_published_adam(tmp_path):
    state = pix2pix.State(pix2pix.Args(size=64, run=tmp_path, **pix2pix.PUBLISHED))
    for adam in (state.generator_optimizer, state.discriminator_optimizer):
        assert float(adam.learning_rate) == pytest.approx(2e-4)
        assert (adam.beta_1, adam.beta_2) == (0.5, 0.999)


def test_the_face_id_scale_is_the_face_ids_alone(float64):
    """Eight times as large an ID, unscaled, is the same as the ID scaled by eight; colours are left alone."""
    rng = np.random.default_rng(3)
    picture, code = rng.random((1, 64, 64, 10)), rng.random((1, 149))
    scaled, plain = (pix2pix.Generator(pix2pix.Args(size=64, face_id_scale=scale)) for scale in (8.0, 1.0))
    plain.set_weights(scaled.get_weights())
    larger = np.concatenate([code[:, :21], 8 * code[:, 21:]], -1)
    np.testing.assert_allclose(plain([picture, larger]), scaled([picture, code]), atol=1e-9)


def test_group_norm_does_not_depend_on_the_batch(float64):
    generator = pix2pix.Generator(pix2pix.Args(size=64))
    rng = np.random.default_rng(1)
    picture, code = rng.random((4, 64, 64, 10), np.float32), rng.random((4, 149), np.float32)
    together = generator([picture, code]).numpy()
    alone = generator([picture[:1], code[:1]]).numpy()
    np.testing.assert_allclose(together[:1], alone, atol=1e-9)


def test_initial_weights_are_normal_and_differ_between_layers():
    generator = pix2pix.Generator(pix2pix.Args(size=64))
    kernels = [layer.kernel.numpy() for layer in generator.layers if isinstance(layer, keras.layers.Conv2D)]
    values = np.concatenate([kernel.ravel() for kernel in kernels])
    assert abs(values.std() - 0.02) < 1e-3
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == len(kernels)


def test_resized_upsampling_of_a_constant_is_constant_inside():
    """What a transposed convolution cannot promise: no checkerboard on a flat input."""
    flat = tf.ones((1, 8, 8, 4))
    spread = {}
    for kind in ("resize", "blend", "transpose"):
        inputs = keras.layers.Input((8, 8, 4))
        model = keras.Model(inputs, blocks.upsample(inputs, 3, kind))
        spread[kind] = float(tf.reduce_max(tf.math.reduce_std(model(flat)[0, 4:-4, 4:-4], (0, 1))))
    assert max(spread["resize"], spread["blend"]) < 1e-6 < spread["transpose"]


def test_subpixel_upsampling_makes_2_x_2_pixels_of_four_channels():
    inputs = keras.layers.Input((2, 2, 1))
    model = keras.Model(inputs, blocks.upsample(inputs, 1, "subpixel"))
    kernel = np.zeros((3, 3, 1, 4), np.float32)
    kernel[1, 1, 0] = [1, 2, 3, 4]  # upper left, upper right, lower left, lower right
    model.layers[1].kernel.assign(kernel)
    found = model(np.array([[1, 10], [100, 1000]], np.float32).reshape(1, 2, 2, 1)).numpy()[0, ..., 0]
    wanted = np.kron([[1, 10], [100, 1000]], [[1, 2], [3, 4]])
    assert (found == wanted).all()


@pytest.mark.parametrize("norm", ["group", "instance"])
def test_the_innermost_level_still_says_something(norm):
    """Normalised over its one pixel each channel would be 0, whatever it saw."""
    x = blocks.down(inputs := keras.layers.Input((2, 2, 32)), 64, norm)
    a, b = (keras.Model(inputs, x)(tf.random.normal((1, 2, 2, 32), seed=i)).numpy() for i in (1, 2))
    assert np.abs(a - b).max() > 1e-3


def test_any_width_has_groups_that_divide_it():
    for width in (8, 25, 50, 96):
        blocks.normalise(keras.layers.Input((4, 4, width)), "group")


# --- losses -----------------------------------------------------------------------------------------------------------


def test_gan_loss_by_hand():
    logits = tf.constant([[0.0, np.log(3.0)]])  # probabilities 1/2 and 3/4
    assert float(pix2pix.gan_loss(logits, True)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    assert float(pix2pix.gan_loss(logits, False)) == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_map_consistency_loss_by_hand():
    """Two pixels, the parser sure of both: the first is hair as asked for, the second nose where background was."""
    masks = np.zeros((1, 1, 2, 7), np.float32)
    masks[0, 0, 0, 3] = 1
    seen = [regions.PARTS.index(part) + 1 for part in ("r_brow", "nose")]  # brows count as hair
    parser = lambda picture, training: 100 * tf.one_hot([[seen]], 19)[0]  # noqa: E731
    loss = float(pix2pix.map_consistency_loss(parser, None, tf.constant(masks)))
    assert loss == pytest.approx(-(np.log(1.001) + np.log(0.001)) / 2, rel=1e-4)
    masks[0, 0, 1, [0, 4]] = 1  # skin and nose overlap there: either will do
    in_float64 = tf.constant(masks, tf.float64)  # a parser says float32 all the same
    for given in (tf.constant(masks), in_float64):
        assert float(pix2pix.map_consistency_loss(parser, None, given)) == pytest.approx(-0.001, abs=1e-5)


def test_color_loss_by_hand_counts_a_small_region_as_much_as_a_large_one():
    """Three pixels of skin, one of eyes; what is asked of a region without a pixel cannot be missed."""
    masks = np.zeros((1, 1, 4, 7), np.float32)
    masks[0, 0, :3, 0] = masks[0, 0, 3, 1] = 1
    picture = np.array([0.1, 0.2, 0.3, 0.9], np.float32)[None, None, :, None] * np.ones(3, np.float32)
    asked = np.full((1, 7, 3), 0.5, np.float32)
    loss = pix2pix.color_loss(tf.constant(picture), tf.constant(masks), tf.constant(asked))
    assert float(loss) == pytest.approx((0.3 + 0.4) / 7)


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
def records(prepared_64) -> pipeline.Records:
    return pipeline.Records(prepared_64, list(range(10)), 64)


def two_faces(records) -> dict:
    """A batch of faces 0 and 1, each with the other's map, none of it mirrored."""
    return next(iter(pix2pix.batches(records, np.array([0, 1]), np.array([1, 0]), np.zeros((2, 2), bool), 2)))


def test_flips_mirror_photo_and_map_together_and_the_second_map_apart(records):
    numbers, others = np.array([0, 0, 0]), np.array([1, 1, 1])
    flips = np.array([[False, False], [True, False], [False, True]])
    batch = next(iter(pix2pix.batches(records, numbers, others, flips, 3)))
    plain, mirrored, second = ({name: batch[name][i].numpy() for name in ("image", "bits", "bits2")} for i in range(3))
    for name in ("image", "bits"):
        np.testing.assert_array_equal(mirrored[name], plain[name][:, ::-1])
        np.testing.assert_array_equal(second[name], plain[name])
    np.testing.assert_array_equal(mirrored["bits2"], plain["bits2"])
    np.testing.assert_array_equal(second["bits2"], plain["bits2"][:, ::-1])


def test_the_target_is_black_outside_the_regions(records):
    batch = two_faces(records)
    masks = pix2pix.network_inputs(batch)["masks"]
    target, face = pix2pix.masked_photograph(batch, masks).numpy(), masks.numpy().any(-1)
    assert not target[~face].any()
    np.testing.assert_allclose(target[face] * 255, batch["image"].numpy()[face], atol=1e-4)


def test_the_second_map_has_the_other_faces_regions_in_the_first_faces_colours(records):
    inputs = pix2pix.network_inputs(two_faces(records))
    masks, masks2, cmask2 = (inputs[name].numpy() for name in ("masks", "masks2", "cmask2"))
    np.testing.assert_array_equal(masks2, masks[::-1])
    skin_alone = masks2[0, :, :, 0] * (masks2[0].sum(-1) == 1) == 1
    expected = inputs["code"].numpy()[0, :3]  # skin is the first region
    np.testing.assert_allclose(cmask2[0][skin_alone], np.tile(expected, (skin_alone.sum(), 1)), atol=1e-6)
    assert skin_alone.sum() > 100


# --- training ---------------------------------------------------------------------------------------------------------


def test_the_generators_loss_is_the_sum_that_the_recipe_says(trained, metrics):
    def wanted(x):
        l1 = 100 * (x["l1"] + x["l1_agree"] + x["push"])
        others = 15 * x["identity"] + 30 * x["perceptual"] + 30 * x["color"]
        return pytest.approx(x["gan"] + l1 + others, rel=1e-4)

    steps = metrics(trained(pix2pix).run)
    assert [x["g"] for x in steps] == [wanted(x) for x in steps]


def test_training_moves_every_weight_of_both_networks_and_lowers_the_loss(trained, metrics):
    keras.utils.set_random_seed(0)
    state = pix2pix.State(pix2pix.Args(size=64, width=8, run=trained(pix2pix).run))
    fresh = [w.numpy() for w in state.generator.trainable_variables + state.discriminator.trainable_variables]
    assert state.checkpoints.restore() == 12
    now = [w.numpy() for w in state.generator.trainable_variables + state.discriminator.trainable_variables]
    assert all((a != b).any() for a, b in zip(fresh, now, strict=True))
    steps = metrics(trained(pix2pix).run)
    assert np.mean([x["g"] for x in steps[-4:]]) < 0.9 * np.mean([x["g"] for x in steps[:4]])
    assert steps[-1]["identity"] < 0.8 * steps[0]["identity"]
