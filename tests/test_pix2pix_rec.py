"""pix2pix_rec.py: what differs from pix2pix.py: the whole photo is the target, and its way into the generator is narrow
enough that the generator cannot copy it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import tree

import pix2pix
import pix2pix_rec
from facegan import pipeline, steps
from facegan.regions import REGIONS

AREAS = len(REGIONS) + 1  # and the background


@pytest.fixture(scope="module")
def records(prepared_64) -> pipeline.Records:
    return pipeline.Records(prepared_64, list(range(10)), 64)


@pytest.fixture(scope="module")
def inputs(records) -> dict:
    """The network inputs of faces 0 and 1."""
    return pix2pix_rec.network_inputs(two_faces(records))


def two_faces(records, flips=(False, False)) -> dict:
    return next(iter(pix2pix_rec.batches(records, np.array([0, 1]), np.array(flips), 2)))


# --- dataset ----------------------------------------------------------------------------------------------------------


def test_the_target_is_the_whole_photo(inputs, prepared_64):
    for k in (0, 1):
        sample = np.load(prepared_64 / "samples" / f"{k}.npz")
        np.testing.assert_allclose(255 * inputs["photo"][k], sample["Image"], atol=1e-4)
        background = ~sample["Masks"].any(-1)
        assert sample["Image"][background].mean() > 10  # which is not black, so keeping it shows


def test_flips_mirror_photo_and_map_together(records):
    plain, mirrored = two_faces(records), two_faces(records, (True, False))
    for name in ("image", "bits"):
        np.testing.assert_array_equal(mirrored[name][0], plain[name][0][:, ::-1])
        np.testing.assert_array_equal(mirrored[name][1], plain[name][1])


# --- networks ---------------------------------------------------------------------------------------------------------


def style_codes(generator: keras.Model, style: int):
    """The generator's style codes, a symbolic (None, 8, style): the last tensor of this shape."""
    outputs = [t for operation in generator.operations for t in tree.flatten(operation.output)]
    return [t for t in outputs if t.shape == (None, AREAS, style)][-1]


def test_the_picture_can_be_painted_from_512_numbers_instead_of_the_photo(inputs, float64):
    """The generator splits into photo -> 8 x 64 codes, and codes, map, colours and face ID -> picture. Keras refuses to
    build the second model when the picture needs the photo in any other way."""
    args = pix2pix_rec.Args(size=64)
    generator = pix2pix_rec.Generator(args)
    masks_and_colors, code, photo = generator.inputs
    codes = style_codes(generator, args.style)
    encoder = keras.Model([masks_and_colors, photo], codes)
    painter = keras.Model([masks_and_colors, code, codes], generator.output)

    masks_and_colors, code, photo = pix2pix_rec.generator_inputs(args, inputs)
    found = encoder([masks_and_colors, photo])
    assert found.shape == (2, AREAS, 64)  # 512 numbers a face
    expected = generator([masks_and_colors, code, photo])
    np.testing.assert_allclose(painter([masks_and_colors, code, found]), expected, atol=1e-9)
    assert float(tf.reduce_max(tf.abs(painter([masks_and_colors, code, -found]) - expected))) > 0


def test_a_generator_that_sees_the_photo_anywhere_else_does_not_split():
    args = pix2pix_rec.Args(size=64)
    generator = pix2pix_rec.Generator(args)
    masks_and_colors, code, photo = generator.inputs
    leak = keras.layers.Add()([generator.output, photo])
    inputs = [masks_and_colors, code, style_codes(generator, args.style)]
    with pytest.raises((ValueError, KeyError)):  # some versions of Keras build it, and fail when it is called
        keras.Model(inputs, leak)([tf.zeros((1, *x.shape[1:])) for x in inputs])


def test_the_style_code_is_bounded_and_that_of_an_empty_region_is_0(inputs):
    args = pix2pix_rec.Args(size=64, style=16)
    generator = pix2pix_rec.Generator(args)
    encoder = keras.Model(generator.inputs, style_codes(generator, 16))
    masks = inputs["masks"].numpy()
    masks[0, :, :, list(REGIONS).index("hair")] = 0
    masks[1] = 0
    photo = 100 * inputs["photo"]  # strong, so that the codes saturate
    codes = encoder([tf.concat([masks, inputs["cmask"]], -1), inputs["code"], photo]).numpy()
    covered = np.concatenate([masks, 1 - masks.max(-1, keepdims=True)], -1).any((1, 2))  # (2, 8)
    assert covered[0].sum() >= 5
    assert covered[1].tolist() == [False] * 7 + [True]
    np.testing.assert_array_equal((codes != 0).any(-1), covered)
    assert np.abs(codes).max() <= 1


def test_every_pixel_of_the_photo_reaches_the_picture(inputs):
    """A bottleneck, but not a wall: the gradient of the picture arrives at the corners of the photo too."""
    args = pix2pix_rec.Args(size=64)
    generator, photo = pix2pix_rec.Generator(args), tf.Variable(inputs["photo"])
    with tf.GradientTape() as tape:
        picture = generator(pix2pix_rec.generator_inputs(args, {**inputs, "photo": photo}))
    assert (np.abs(tape.gradient(picture, photo)).sum(-1) > 0).mean() > 0.99


def test_condition_map_has_no_photo_and_the_networks_of_pix2pix():
    for flags in ({}, pix2pix_rec.PUBLISHED):
        generator = pix2pix_rec.Generator(pix2pix_rec.Args(size=64, condition="map", **flags))
        assert generator.input_shape == [(None, 64, 64, 10), (None, 149)]
        there = pix2pix.Generator(pix2pix.Args(size=64, **{**flags, "modulation": "none"}))
        assert [w.shape for w in generator.weights] == [w.shape for w in there.weights]


def test_condition_pair_adds_the_photo():
    assert pix2pix_rec.Args().condition == "pair"
    assert pix2pix_rec.Generator(pix2pix_rec.Args(size=64)).input_shape[2:] == [(None, 64, 64, 3)]


# --- it cannot copy ---------------------------------------------------------------------------------------------------

CORNER = np.s_[:, :32, :32]


def copied_noise(generator: keras.Model, inputs_with, faces: np.ndarray) -> tuple[float, float]:
    """Train a generator to bring back noise that is painted afresh into a corner of the photos for each step. Returns,
    for new noise, the error in the corner, in parts of the best constant's, and the correlation.

    inputs_with: photos -> what the generator takes. The noise is of 4 x 4 pixels, which is easier to copy than of one:
    the skip of a U-Net learns it in these 80 steps.
    """
    rng, adam = np.random.default_rng(0), steps.optimizer(generator.trainable_variables, 0.001, 0.5)

    def photos_with_noise() -> tf.Tensor:
        photos = faces.copy()
        photos[CORNER] = rng.random((len(faces), 8, 8, 3)).repeat(4, 1).repeat(4, 2)
        return tf.constant(photos)

    @tf.function(autograph=False)
    def step(photos):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(photos - generator(inputs_with(photos), training=True))[CORNER])
        gradients = tape.gradient(loss, generator.trainable_variables)
        adam.apply_gradients(zip(gradients, generator.trainable_variables, strict=True))

    for _ in range(80):
        step(photos_with_noise())
    new = [photos_with_noise() for _ in range(4)]
    noise = np.stack([photos.numpy()[CORNER] for photos in new])
    painted = np.stack([generator(inputs_with(photos)).numpy()[CORNER] for photos in new])
    constant_error = np.abs(noise - np.median(noise)).mean()
    return np.abs(noise - painted).mean() / constant_error, np.corrcoef(noise.ravel(), painted.ravel())[0, 1]


def test_noise_in_a_corner_of_the_photo_does_not_come_back(inputs):
    """However much copying would pay. That the same training finds a way to copy where there is one is shown by a
    generator that gets the photo in the place of its colour map, and so through the U-Net."""
    keras.utils.set_random_seed(0)
    args, faces = pix2pix_rec.Args(size=64, width=8), inputs["photo"].numpy()

    def through_the_codes(photos):
        return pix2pix_rec.generator_inputs(args, {**inputs, "photo": photos})

    error, correlation = copied_noise(pix2pix_rec.Generator(args), through_the_codes, faces)
    assert error > 0.95
    assert abs(correlation) < 0.15

    def through_the_unet(photos):
        return [tf.concat([inputs["masks"], photos], -1), inputs["code"]]

    leaky = pix2pix_rec.Generator(pix2pix_rec.Args(size=64, width=8, condition="map"))
    error, correlation = copied_noise(leaky, through_the_unet, faces)
    assert error < 0.8
    assert correlation > 0.5


# --- losses and scores ------------------------------------------------------------------------------------------------


def test_losses_by_hand():
    logits = tf.constant([[0.0, np.log(3.0)]])  # probabilities 1/2 and 3/4
    assert float(pix2pix_rec.gan_loss(logits, True)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    assert float(pix2pix_rec.gan_loss(logits, False)) == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert float(pix2pix_rec.reconstruction_loss(tf.zeros((1, 2, 2, 3)), tf.fill((1, 2, 2, 3), 0.25))) == 0.25


def test_scores_by_hand():
    """One face of four pixels: three in a region; the fourth, background, counts in the whole picture alone."""
    masks = np.zeros((1, 2, 2, 7))
    masks[0, 0, :, 0] = masks[0, 1, 0, 4] = 1
    real = np.zeros((1, 2, 2, 3))
    rec, cmask = real.copy(), real.copy()
    rec[0, 0, 0], rec[0, 1, 1] = 0.3, 0.9
    cmask[0, 0, 1] = 0.6
    found = pix2pix_rec.scores(dict(masks=masks, real=real, rec=rec, cmask=cmask))
    assert {name: round(float(x[0]), 6) for name, x in found.items()} == {
        "l1_rec": 0.1,
        "l1_cmask": 0.2,
        "l1_whole": 0.3,
    }


def test_the_generators_loss_is_the_sum_that_the_recipe_says(trained, metrics):
    def wanted(x):
        return pytest.approx(x["gan"] + 100 * x["l1"] + 15 * x["identity"] + 30 * x["perceptual"], rel=1e-4)

    steps = metrics(trained(pix2pix_rec).run)
    assert [x["g"] for x in steps] == [wanted(x) for x in steps]
