"""facegan/norms.py: normalisation and modulation are their plain formulas, values and gradients, in every precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from facegan import blocks, norms, precision

ROUNDING = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 0.04, "float16": 0.004}
"""Of the largest number: what is left of some ten roundings in each type."""


@pytest.fixture(params=ROUNDING)
def dtype(request, computes_in) -> str:
    """A type of numbers; networks are built for it."""
    if request.param.endswith("16") and not computes_in(request.param):
        pytest.skip(f"TensorFlow cannot compute in {request.param} on this CPU")
    precision.set_policy(f"mixed_{request.param}" if request.param.endswith("16") else request.param)
    return request.param


def numbers(shape: tuple, seed: int, dtype: str = "float64") -> tf.Tensor:
    return tf.cast(tf.random.stateless_normal(shape, (0, seed), dtype=tf.float64), dtype)


def plain_group_norm(x, gamma, beta, groups: int):
    """Wu and He, ECCV 2018, formulas 1 and 2; x (B, H, W, C)."""
    b, h, w, c = x.shape
    parts = tf.reshape(x, (b, h, w, groups, c // groups))
    mean, variance = tf.nn.moments(parts, (1, 2, 4), keepdims=True)
    return tf.reshape((parts - mean) / tf.sqrt(variance + 1e-3), x.shape) * gamma + beta


def plain_modulation(y, gain, offset, shares):
    """y (B, H, W, C); gain, offset (B, R, C); shares (B, H, W, R)."""
    return y * (1 + tf.einsum("bhwr,brc->bhwc", shares, gain)) + tf.einsum("bhwr,brc->bhwc", shares, offset)


def values_and_gradients(compute, *arguments) -> list[np.ndarray]:
    """What compute returns for arguments, and the gradients of a sum over it by each of them, in a graph as training
    runs it."""

    @tf.function(autograph=False)
    def run(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = compute(*arguments)
            total = tf.reduce_sum(tf.cast(y, tf.float64) * numbers(y.shape, 9))
        return [y, *tape.gradient(total, arguments)]

    return [tf.cast(value, tf.float64).numpy() for value in run(*arguments)]


def assert_near(found: list, wanted: list, dtype: str) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(a - b).max() <= ROUNDING[dtype] * np.abs(b).max()


@pytest.mark.parametrize(("groups", "side"), [(1, 1), (4, 1), (1, 6), (4, 6), (32, 6)])
def test_group_norm_is_its_formula(groups, side, dtype):
    x = numbers((3, side, side, 32), 1) + numbers((32,), 2)
    x, gamma, beta = tf.cast(x, dtype), 1 + 0.3 * numbers((32,), 3), numbers((32,), 4)
    layer = norms.GroupNorm(groups)
    layer.build(x.shape)

    def ours(x, gamma, beta):
        average = norms.averaging(32, groups)
        weights = tf.cast(gamma, layer.dtype), tf.cast(beta, layer.dtype)
        return tf.reshape(norms.group_norm(tf.reshape(x, (3, side**2, 32)), *weights, average), x.shape)

    wanted = values_and_gradients(
        lambda x, gamma, beta: plain_group_norm(tf.cast(x, tf.float64), gamma, beta, groups), x, gamma, beta
    )
    assert_near(values_and_gradients(ours, x, gamma, beta), wanted, dtype)
    layer.set_weights([gamma, beta])
    y = layer(x)
    assert y.dtype == dtype
    assert_near([tf.cast(y, tf.float64).numpy()], wanted[:1], dtype)


@pytest.mark.parametrize("regions", [0, 1, 7])
def test_modulated_group_norm_is_its_formula(regions, dtype):
    """0 regions: one scale and shift for the whole picture."""
    x = tf.cast(numbers((3, 6, 6, 32), 1) + numbers((32,), 2), dtype)
    gain, offset = 0.5 * numbers((3, max(1, regions), 32), 3), numbers((3, max(1, regions), 32), 4)
    layer = norms.GroupNorm(4)
    layer.build(x.shape)
    layer.set_weights([1 + 0.3 * numbers((32,), 5), numbers((32,), 6)])
    shares = tf.abs(numbers((3, 6, 6, regions), 7)) if regions else tf.ones((3, 6, 6, 1), tf.float64)

    def ours(x, gain, offset):
        modulation = tf.cast(tf.concat([gain, offset], -1), layer.dtype)
        return layer(x, modulation, *([tf.cast(shares, layer.dtype)] if regions else []))

    def plain(x, gain, offset):
        weights = [tf.cast(weight, tf.float64) for weight in (layer.gamma, layer.beta)]
        return plain_modulation(plain_group_norm(tf.cast(x, tf.float64), *weights, 4), gain, offset, shares)

    found, wanted = (values_and_gradients(compute, x, gain, offset) for compute in (ours, plain))
    assert_near(found, wanted, dtype)


def test_batch_norm_is_keras_own(dtype):
    """Fused, but in float64: pictures, gradients, statistics, and what it does with them in inference."""
    x = tf.cast(numbers((3, 6, 6, 8), 1) + numbers((8,), 2), dtype)
    ours, keras_own = norms.BatchNorm(), keras.layers.BatchNormalization(dtype=keras.config.floatx())
    for layer in (ours, keras_own):
        layer.build(x.shape)
        layer.set_weights([1 + 0.3 * numbers((8,), 3), numbers((8,), 4), numbers((8,), 5), 1 + numbers((8,), 6) ** 2])
    found, wanted = (
        values_and_gradients(lambda x, layer=layer: layer(x, training=True), x) for layer in (ours, keras_own)
    )
    assert_near(found, wanted, dtype)
    assert_near(ours.get_weights(), keras_own.get_weights(), dtype)
    assert ours(x).dtype == dtype
    assert_near([tf.cast(ours(x), tf.float64).numpy()], [tf.cast(keras_own(x), tf.float64).numpy()], dtype)


@pytest.mark.parametrize("mean", [5, -30])
def test_a_mean_far_from_0_costs_no_digits(mean, dtype):
    """In 16 bits x itself is rounded; what is computed of it then is not much worse. The mean of all errors counts."""
    x = tf.cast(numbers((3, 6, 6, 32), 1) + mean, dtype)
    layer = norms.GroupNorm(4)
    layer.build(x.shape)
    modulation, shares = 0.5 * numbers((3, 7, 64), 2), tf.abs(numbers((3, 6, 6, 7), 3))

    def ours(x, modulation):
        return layer(x, tf.cast(modulation, layer.dtype), tf.cast(shares, layer.dtype))

    def plain(x, modulation):
        weights = [tf.cast(weight, tf.float64) for weight in (layer.gamma, layer.beta)]
        normalised = plain_group_norm(tf.cast(x, tf.float64), *weights, 4)
        return plain_modulation(normalised, *tf.split(modulation, 2, -1), shares)

    for found, wanted in zip(*(values_and_gradients(f, x, modulation) for f in (ours, plain)), strict=True):
        assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.2 * ROUNDING[dtype] * np.sqrt(np.mean(wanted**2))


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("upsampling", ["blend", "resize", "subpixel", "transpose"])
def test_a_level_up_is_modulated_in_every_precision(upsampling, masks, dtype):
    inputs = [keras.Input((4, 4, 8)), keras.Input((5,)), keras.Input((8, 8, 3))][: 3 if masks else 2]
    x = blocks.up(inputs[0], 16, "group", upsampling, 0.0, *inputs[1:])
    model = keras.Model(inputs, x)
    assert {layer.output.dtype for layer in model.layers if isinstance(layer, norms.GroupNorm)} == {dtype}
    batch = [tf.cast(numbers((2, *x.shape[1:]), i), keras.config.floatx()) for i, x in enumerate(inputs)]
    batch[2:] = map(tf.abs, batch[2:])

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.cast(model(batch), tf.float32) ** 2)
        return tape.gradient(loss, [weight.value for weight in model.trainable_weights])

    for gradient in gradients():
        assert np.isfinite(gradient).all()
        assert np.any(gradient)


def test_sums_over_regions_do_not_overflow_float16(computes_in):
    if not computes_in("float16"):
        pytest.skip("TensorFlow cannot compute in float16 on this CPU")
    precision.set_policy("mixed_float16")
    layer, x = norms.GroupNorm(1), tf.cast(numbers((1, 128, 128, 8), 1), tf.float16)
    modulation, shares = tf.zeros((1, 1, 16)), tf.ones((1, 128, 128, 1))
    with tf.GradientTape() as tape:
        tape.watch(modulation)
        loss = tf.reduce_sum(tf.cast(layer(x, modulation, shares), tf.float32)) * 5
    np.testing.assert_allclose(tape.gradient(loss, modulation)[0, 0, 8:], 5 * 128**2, rtol=1e-3)


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("norm", ["group", "instance", "batch", "none"])
def test_a_copy_of_keras_layers_alone_paints_the_same(norm, masks, float64):
    inputs = [keras.Input((4, 4, 8)), keras.Input((5,)), keras.Input((16, 16, 3))][: 3 if masks else 2]
    x = blocks.up(blocks.down(inputs[0], 16, norm), 32, norm, "blend", 0.5, *inputs[1:])
    model = keras.Model(inputs, x)
    for i, weight in enumerate(model.weights):
        weight.assign(numbers(weight.shape, i) ** 2)
    copied = norms.portable_copy(model)
    batch = [numbers((2, *x.shape[1:]), i) for i, x in enumerate(inputs)]
    np.testing.assert_allclose(copied(batch), model(batch), rtol=1e-9)
    assert all(type(layer).__module__.startswith("keras.") for layer in copied.layers)
    assert not {id(weight) for weight in copied.weights} & {id(weight) for weight in model.weights}


def test_two_batches_in_one_pass():
    a, b = numbers((3, 4, 4, 2), 1), numbers((3, 4, 4, 2), 2)
    both = blocks.paired(a, b)
    assert both.shape == (6, 4, 4, 2)
    np.testing.assert_array_equal(both[2:4], [a[1], b[1]])  # so that devices share pairs
    for wanted, found in zip((a, b), blocks.unpaired(both), strict=True):
        np.testing.assert_array_equal(found, wanted)
