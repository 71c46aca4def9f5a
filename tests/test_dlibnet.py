"""facegan/dlibnet.py: dlib's network in TensorFlow says what dlib says; the losses that use it pass gradients."""

import dlib
import numpy as np
import pytest
import tensorflow as tf

import pix2pix
from face_recognition.face_recognition import load_networks
from facegan import dlibnet, precision
from facegan.errors import BadInput


@pytest.fixture
def network(float64) -> dlibnet.FaceNetwork:
    return dlibnet.FaceNetwork()


@pytest.fixture(scope="module")
def photos(faces) -> np.ndarray:
    """Four faces, (4, 512, 512, 3) uint8."""
    return np.stack([photo for photo, _ in faces[:4]])


@pytest.fixture(scope="module")
def small(photos) -> tf.Tensor:
    """The same, (4, 128, 128, 3) in 0..1, float64."""
    return tf.cast(tf.image.resize(photos, (128, 128), "area"), tf.float64) / 255


@pytest.fixture(scope="module")
def chips(photos) -> list[np.ndarray]:
    """The same, found and aligned by dlib, (150, 150, 3) uint8 each."""
    networks = load_networks()
    shapes = [networks.landmarks(photo, networks.detector(photo, 1)[0]) for photo in photos]
    pairs = zip(photos, shapes, strict=True)
    return [dlib.get_face_chip(photo, shape, dlibnet.CHIP, dlibnet.PADDING) for photo, shape in pairs]


def test_descriptors_equal_dlibs_own(network, chips):
    """To what float32, in which dlib computes, leaves of 29 convolutions: descriptors have length 1."""
    wanted = [load_networks().descriptor.compute_face_descriptor(chip) for chip in chips]
    found, _ = network(tf.constant(np.stack(chips), tf.float64) / 255)
    np.testing.assert_allclose(found, np.array(wanted), atol=1e-5)


def test_descriptors_in_sixteen_bits_are_still_of_the_same_person(small, computes_in):
    if not computes_in("bfloat16"):
        pytest.skip("TensorFlow cannot compute in bfloat16 on this CPU")
    descriptors = {}
    for policy in ("float32", "mixed_bfloat16"):
        precision.set_policy(policy)
        descriptors[policy] = dlibnet.FaceNetwork().descriptors(small)
        assert descriptors[policy].dtype == "float32"
    distances = tf.norm(descriptors["float32"] - descriptors["mixed_bfloat16"], axis=-1)
    assert 0 < float(tf.reduce_max(distances)) < 0.02


def test_features_have_the_sizes_that_the_docstring_says(network):
    _, features = network(tf.zeros((1, dlibnet.CHIP, dlibnet.CHIP, 3), tf.float64))
    assert [tuple(x.shape[1:]) for x in features] == [(35, 35, 32), (17, 17, 64), (8, 8, 128), (4, 4, 256), (2, 2, 256)]


def test_a_cut_at_the_usual_place_is_nearly_the_chip_that_dlib_aligns(network, small, chips):
    aligned, _ = network(tf.constant(np.stack(chips), tf.float64) / 255)
    distances = np.linalg.norm(network.descriptors(small)[:, None] - aligned[None], axis=-1)
    assert np.diag(distances).max() < 0.25
    assert (distances.argmin(1) == np.arange(4)).all()


def test_identity_loss_is_the_mean_squared_distance(network, small):
    a, b = network.descriptors(small[:2]).numpy(), network.descriptors(small[2:]).numpy()
    wanted = (np.linalg.norm(a - b, axis=1) ** 2).mean()
    assert float(pix2pix.identity_loss(network, a, small[2:], small[2:])) == pytest.approx(wanted, rel=1e-9)
    assert float(pix2pix.identity_loss(network, a, small[:2], small[:2])) < 1e-12


def test_losses_of_a_batch_are_means_over_those_of_its_parts(network, small):
    """As of the parts that devices have."""
    others = tf.roll(small, 1, 0)
    face_ids = network.descriptors(others)
    for loss in (
        lambda part: pix2pix.identity_loss(network, face_ids[part], small[part], small[part]),
        lambda part: pix2pix.perceptual_loss(network, others[part], small[part]),
    ):
        first, second, whole = (float(loss(part)) for part in (slice(0, 2), slice(2, 4), slice(0, 4)))
        assert first != pytest.approx(second, rel=1e-3)
        assert whole == pytest.approx((first + second) / 2, rel=1e-9)


def test_identity_loss_sees_brightness_and_no_colour(network, small):
    """Red up and blue down as much is the same to it; its gradient is grey."""
    face_id, cmask = network.descriptors(small[:1]), tf.reduce_mean(small[1:2], (1, 2), keepdims=True) + 0 * small[1:2]
    tinted = small[1:2] + tf.constant([0.1, 0.0, -0.1], tf.float64)
    losses = [float(pix2pix.identity_loss(network, face_id, picture, cmask)) for picture in (small[1:2], tinted)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    with tf.GradientTape() as tape:
        tape.watch(tinted)
        loss = pix2pix.identity_loss(network, face_id, tinted, cmask)
    gradient = tape.gradient(loss, tinted).numpy()
    assert gradient.any()
    np.testing.assert_allclose(gradient, np.broadcast_to(gradient[..., :1], gradient.shape), atol=1e-12)


@pytest.mark.parametrize("name", ["identity_loss", "perceptual_loss"])
def test_following_the_gradient_lowers_the_loss(name, network, small):
    other = small[1:2]  # in a flat picture all is equal, and what the gradient of max pooling is there, versions choose
    loss = {
        "identity_loss": lambda painted: pix2pix.identity_loss(network, network.descriptors(small[:1]), painted, other),
        "perceptual_loss": lambda painted: pix2pix.perceptual_loss(network, small[:1], painted),
    }[name]
    with tf.GradientTape() as tape:
        tape.watch(other)
        before = loss(other)
    gradient = tape.gradient(before, other)
    after = loss(other - 0.02 * gradient / tf.reduce_max(tf.abs(gradient)))
    assert float(after) < 0.98 * float(before)


def test_perceptual_loss_sees_the_whole_picture_and_is_0_for_equal_ones(network, small):
    assert float(pix2pix.perceptual_loss(network, small, small)) == 0
    corner = tf.tensor_scatter_nd_update(small[:1], [[0, 4, 4], [0, 5, 5]], 1 - tf.stack([small[0, 0, 0]] * 2))
    assert float(pix2pix.perceptual_loss(network, small[:1], corner)) > 0


def test_another_file_is_refused_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "other.dat").write_bytes(bytes(100))
    monkeypatch.setattr(dlibnet, "model_file", lambda name: tmp_path / "other.dat")
    with pytest.raises(BadInput, match=r"other\.dat is not dlib.s face recognition network"):
        dlibnet.FaceNetwork()
