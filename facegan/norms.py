"""Normalisation and modulation in few passes over memory: a CPU spends more time moving these tensors than computing.

GroupNorm and BatchNorm compute what Keras's layers do and have the same weights; portable_copy() puts those in their
place, for files that must be read without this repository.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class GroupNorm(layers.Layer):
    """keras.layers.GroupNormalization, and modulate() after it where there is a modulation, in x's own type:
    x (B, H, W, C) -> (B, H, W, C). shares get no gradient."""

    def __init__(self, groups: int):
        super().__init__(dtype=keras.config.floatx(), autocast=False)
        self.groups = groups

    def build(self, shape, *_):
        self.gamma = self.add_weight(shape=shape[-1:], initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape[-1:], initializer="zeros", name="beta")

    def compute_output_spec(self, x, *_):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x, modulation=None, shares=None):
        _, h, w, c = x.shape
        pixels = tf.reshape(x, (-1, h * w, c))
        # as tensors: a gradient by hand is not defined for the variables of several devices
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        weights = gamma, beta, averaging(c, self.groups)
        if modulation is None:
            y = group_norm(pixels, *weights)
        else:
            if shares is None:
                shares = tf.ones_like(x[..., :1])
            shares = tf.concat([shares, tf.ones_like(shares[..., :1])], -1)
            shares = tf.cast(tf.reshape(shares, (-1, h * w, shares.shape[-1])), x.dtype)  # (B, H W, R + 1)
            y = modulated_group_norm(pixels, *weights, modulation, shares)
        return tf.reshape(y, (-1, h, w, c))

    def portable(self, x, modulation=None, shares=None):
        """call() by Keras's own layers."""
        norm = layers.GroupNormalization(self.groups)
        y = norm(x)
        norm.set_weights(self.get_weights())
        return y if modulation is None else modulate(y, modulation, shares)


def modulate(x, modulation, shares=None):
    """x (B, H, W, C) * (1 + gain) + offset, by Keras's own layers.

    modulation (B, R, 2 C) has both for each of R regions, the C gains first; each pixel mixes them by its shares of
    the regions, (B, H, W, R). Without shares R is 1.
    """
    _, h, w, c = x.shape
    if shares is None:
        modulation = layers.Reshape((1, 1, 2 * c))(modulation)
    else:
        modulation = ops.matmul(layers.Reshape((h * w, shares.shape[-1]))(shares), modulation)  # (B, H W, 2 C)
        modulation = layers.Reshape((h, w, 2 * c))(modulation)
    modulation = ops.cast(modulation, x.dtype)
    return x * (1 + modulation[..., :c]) + modulation[..., c:]


EPSILON = 1e-3
"""Keras's, added to variances."""


def averaging(channels: int, groups: int) -> tf.Tensor:
    """(C, C): a product with it gives every channel the mean of its group. In float64, which GPUs do not shorten."""
    n = channels // groups
    return tf.constant(np.kron(np.eye(groups), np.full((n, n), 1 / n)))


class Moments:
    """Of x (B, N, C): x less the mean of its group of channels, in x's type; the scale and shift (B, 1, C) with which
    that becomes normalised x times gamma plus beta; and the gradients through them.

    Without the mean first, 16 bits would lose what a group differs in where it is far from 0. In gamma's type.
    """

    def __init__(self, x, gamma, beta, average):
        self.n, self.gamma, self.average = x.shape[1], gamma, average
        mean = self.over_groups(tf.reduce_mean(tf.cast(x, gamma.dtype), 1, keepdims=True))  # (B, 1, C)
        rounded = tf.cast(mean, x.dtype)
        self.centred = x - rounded  # (B, N, C)
        self.mean = mean - tf.cast(rounded, gamma.dtype)  # what the rounding left of it, (B, 1, C)
        squares = tf.reduce_mean(tf.square(tf.cast(self.centred, gamma.dtype)), 1, keepdims=True)
        variance = self.over_groups(squares) - tf.square(self.mean)
        self.inverse = tf.math.rsqrt(variance + EPSILON)
        self.scale = self.inverse * gamma
        self.shift = beta - self.mean * self.scale

    def over_groups(self, values):
        """(B, 1, C) -> (B, 1, C): the mean of each channel's group."""
        return tf.cast(tf.cast(values, tf.float64) @ self.average, values.dtype)

    def gradients(self, d_scale, d_shift):
        """Those of the loss by scale and shift -> what x adds to it through them, centred * slope + intercept, both
        (B, 1, C); and the gradients by gamma and beta, (C,)."""
        d_scale -= self.mean * d_shift
        slope = self.over_groups(self.inverse**3 * self.gamma * d_scale) / -self.n
        intercept = self.over_groups(self.scale * d_shift) / -self.n - slope * self.mean
        return slope, intercept, tf.reduce_sum(self.inverse * d_scale, (0, 1)), tf.reduce_sum(d_shift, (0, 1))


@tf.custom_gradient
def group_norm(x, gamma, beta, average):
    """x (B, N, C) -> (B, N, C), normalised by groups of channels (Wu and He, ECCV 2018), times gamma plus beta, both
    (C,). average is of averaging(). TensorFlow's own gradient would keep, and pass over, several tensors like x."""
    moments = Moments(x, gamma, beta, average)
    scale, shift = tf.cast(moments.scale, x.dtype), tf.cast(moments.shift, x.dtype)  # (B, 1, C)

    def gradient(dy):
        d_scale = tf.reduce_sum(tf.cast(dy * moments.centred, gamma.dtype), 1, keepdims=True)  # (B, 1, C)
        d_shift = tf.reduce_sum(tf.cast(dy, gamma.dtype), 1, keepdims=True)
        slope, intercept, d_gamma, d_beta = moments.gradients(d_scale, d_shift)
        dx = dy * scale + moments.centred * tf.cast(slope, x.dtype) + tf.cast(intercept, x.dtype)
        return dx, d_gamma, d_beta, None

    return moments.centred * scale + shift, gradient


@tf.custom_gradient
def modulated_group_norm(x, gamma, beta, average, modulation, shares):
    """group_norm(), and then each pixel times 1 + gain, plus offset: x (B, N, C), modulation (B, R, 2 C), of which the
    first C are gains, shares (B, N, R + 1), the last of which is 1 -> (B, N, C). shares get no gradient.

    Both are one product and one sum a pixel: x less its mean * (shares @ factors) + shares @ summands.
    """
    regions, root = modulation.shape[1], x.shape[1] ** 0.5
    moments = Moments(x, gamma, beta, average)
    scale, shift = moments.scale, moments.shift  # (B, 1, C)
    gain, offset = tf.split(modulation, 2, -1)  # (B, R, C) each
    factors = tf.concat([scale * gain, scale], 1)  # (B, R + 1, C)
    summands = tf.concat([shift * gain + offset, shift], 1)  # (B, R + 1, C)
    factor = shares @ tf.cast(factors, x.dtype)  # (B, N, C)

    def over_pixels(values):
        """(B, N, C) -> (B, R + 1, C), its sums over each region. Divided by the root of N, none is too large for 16
        bits."""
        sums = tf.matmul(shares / tf.cast(root, x.dtype), values, transpose_a=True)
        return tf.cast(sums, gamma.dtype) * tf.cast(root, gamma.dtype)

    def gradient(dy):
        d_factors, d_scale = tf.split(over_pixels(dy * moments.centred), [regions, 1], 1)  # (B, R, C), (B, 1, C)
        d_offset, d_shift = tf.split(over_pixels(dy), [regions, 1], 1)
        d_scale += tf.reduce_sum(gain * d_factors, 1, keepdims=True)
        d_shift += tf.reduce_sum(gain * d_offset, 1, keepdims=True)
        d_modulation = tf.concat([scale * d_factors + shift * d_offset, d_offset], -1)
        slope, intercept, d_gamma, d_beta = moments.gradients(d_scale, d_shift)
        dx = dy * factor + moments.centred * tf.cast(slope, x.dtype) + tf.cast(intercept, x.dtype)
        return dx, d_gamma, d_beta, None, d_modulation, None

    return moments.centred * factor + shares @ tf.cast(summands, x.dtype), gradient


class BatchNorm(layers.BatchNormalization):
    """keras.layers.BatchNormalization over all devices, by TensorFlow's fused kernel where one device trains; that has
    none for float64."""

    def __init__(self):
        super().__init__(synchronized=True, dtype=keras.config.floatx(), autocast=False)

    def compute_output_spec(self, x, *_, **__):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x, training=False):
        if not training or self.dtype == "float64" or tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return tf.cast(super().call(x, training), x.dtype)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=self.gamma.value, offset=self.beta.value, mean=[], variance=[], epsilon=EPSILON
        )
        n = tf.cast(tf.size(x) // x.shape[-1], self.dtype)
        variance *= (n - 1) / n  # the kernel divides by n - 1, Keras by n
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return y

    def portable(self, x, training=False):
        norm = layers.BatchNormalization()
        y = norm(x)
        norm.set_weights(self.get_weights())
        return y


def portable_copy(model: keras.Model) -> keras.Model:
    """A copy of a network for inference, made of Keras's own layers alone: slower, and equal but for rounding."""

    def copy(layer):
        return layer if hasattr(layer, "portable") else layer.from_config(layer.get_config())

    def call(layer, *inputs, **options):
        return (layer.portable if hasattr(layer, "portable") else layer)(*inputs, **options)

    copied = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.weights and not hasattr(layer, "portable"):  # which copies them itself
            copied.get_layer(layer.name).set_weights(layer.get_weights())
    return copied
