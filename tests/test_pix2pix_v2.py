"""pix2pix_v2.py: what differs from pix2pix.py: a discriminator with two heads, and what both networks learn from it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
import pix2pix_v2

# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> tuple[tf.Tensor, tf.Tensor]:
    """Two colour maps and two pictures of noise, (2, 64, 64, 3) each."""
    return tuple(tf.constant(np.random.default_rng(0).random((2, 2, 64, 64, 3), np.float32)))


@pytest.mark.parametrize("map_sees", ["picture", "both"])
@pytest.mark.parametrize("size", [64, 256])
def test_discriminator_reads_back_a_map_of_an_eighth_and_gives_one_score(size, map_sees):
    discriminator = pix2pix_v2.Discriminator(pix2pix_v2.Args(size=size, map_sees=map_sees))
    assert discriminator.input_shape == [(None, size, size, 3)] * 2
    assert discriminator.output_shape == [(None, size // 8, size // 8, 3), (None, 1)]


def test_the_map_read_back_is_a_picture_and_the_score_is_not_bounded(pictures):
    keras.utils.set_random_seed(0)
    discriminator = pix2pix_v2.Discriminator(pix2pix_v2.Args(size=64))
    for layer in discriminator.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(100 * layer.kernel)  # what long training may do
    read_back, score = discriminator(pictures)
    assert 0 <= float(tf.reduce_min(read_back)) < 0.1
    assert 0.9 < float(tf.reduce_max(read_back)) <= 1
    assert float(tf.reduce_max(tf.abs(score))) > 1


def test_published_discriminator_has_3_x_3_convolutions_of_64_128_256_and_256():
    layers = pix2pix_v2.Discriminator(pix2pix_v2.Args(size=64, **pix2pix_v2.PUBLISHED)).layers
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    found = [(layer.filters, layer.strides[0]) for layer in convolutions]
    assert found == [(64, 2), (128, 2), (256, 2), (256, 1), (3, 1)]
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in layers) == 3


@pytest.mark.parametrize(("map_sees", "copies"), [("picture", False), ("both", True)])
def test_the_map_is_read_from_the_picture_alone_and_the_score_from_both(map_sees, copies, pictures):
    """Could the map be seen where it must be read back, copying it would do, and the picture would learn nothing."""
    discriminator = pix2pix_v2.Discriminator(pix2pix_v2.Args(size=64, map_sees=map_sees))
    cmask, picture = pictures
    read_back, score = discriminator([cmask, picture])
    with_other_map = discriminator([1 - cmask, picture])
    with_other_picture = discriminator([cmask, 1 - picture])
    assert bool(tf.reduce_any(with_other_map[0] != read_back)) == copies
    assert bool(tf.reduce_all(with_other_map[1] != score))
    assert bool(tf.reduce_any(with_other_picture[0] != read_back))
    assert bool(tf.reduce_all(with_other_picture[1] != score))


def test_published_flags_are_those_of_pix2pix_with_a_heavy_score_of_a_map_that_may_be_copied():
    shared = {name: value for name, value in pix2pix.PUBLISHED.items() if name != "discriminator_width"}
    assert shared | {"gan_weight": 100.0, "map_sees": "both"} == pix2pix_v2.PUBLISHED


# --- losses -----------------------------------------------------------------------------------------------------------


def test_map_loss_by_hand():
    """One map of 8 x 16 pixels: the left half half black and half white, 0.5 on average, the right half 0.2."""
    cmask = np.full((1, 8, 16, 3), 0.2, np.float32)
    cmask[:, :4, :8], cmask[:, 4:, :8] = 0, 1
    read_back = np.array([0.6, 0.5], np.float32).reshape(1, 1, 2, 1) * np.ones(3, np.float32)
    assert float(pix2pix_v2.map_loss(cmask, read_back)) == pytest.approx((0.1 + 0.3) / 2)


def test_gan_loss_and_accuracy_by_hand():
    scores = tf.constant([[0.0], [np.log(3.0)]])  # probabilities 1/2 and 3/4
    assert float(pix2pix_v2.gan_loss(scores, True)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    assert float(pix2pix_v2.gan_loss(scores, False)) == pytest.approx((np.log(2) + np.log(4)) / 2)
    judged = tf.constant([[-1.0], [-2.0], [-3.0], [4.0]])
    assert [float(pix2pix_v2.accuracy(judged, real)) for real in (True, False)] == [0.25, 0.75]


def test_the_generators_loss_is_the_sum_that_the_recipe_says(trained, metrics):
    def wanted(x):
        l1 = 100 * (x["l1"] + x["map_man"])
        others = 15 * x["identity"] + 30 * x["perceptual"] + 30 * x["color"]
        return pytest.approx(5 * x["gan"] + l1 + others, rel=1e-4)

    steps = metrics(trained(pix2pix_v2).run)
    assert [x["g"] for x in steps] == [wanted(x) for x in steps]
