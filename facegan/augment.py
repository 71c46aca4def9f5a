"""Change a photograph and its label map together, for training: mirror, move, blur, recolour, a black background."""

import numpy as np
import tensorflow as tf

from facegan import regions

CHANGES = ("flip", "black", "soften", "angle", "scale", "across", "down", "gain", "gamma", "red", "green", "blue")
"""What a training photograph is changed by; all 0 leaves it as it is. flip, black: 0 or 1. soften: 0..1. angle: in
radians. scale, gain, gamma, red, green, blue: logarithms of factors. across, down: shares of the side."""


def changed(image: tf.Tensor, labels: tf.Tensor, change: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One training face, changed: image (S, S, 3) in 0..1, labels (S, S) int32, change (12,)."""
    c = dict(zip(CHANGES, tf.unstack(change), strict=True))
    flip = c["flip"] > 0
    image = tf.where(flip, tf.reverse(image, [1]), image)
    # l_ and r_ are the person's own sides: in a mirrored picture they change places
    labels = tf.where(flip, tf.gather(regions.MIRRORED_LABEL.astype(np.int32), tf.reverse(labels, [1])), labels)
    image = move(image, c, "BILINEAR")
    labels = move(labels[..., None], c, "NEAREST")[..., 0]
    image = tf.where(c["soften"] > 0, soften(image, c["soften"]), image)
    color = tf.exp(c["gain"] + tf.stack([c["red"], c["green"], c["blue"]]))
    image = tf.clip_by_value(tf.clip_by_value(image, 0, 1) ** tf.exp(c["gamma"]) * color, 0, 1)
    background = (labels == 0)[..., None] & (c["black"] > 0)
    return tf.where(background, 0.0, image), labels


def move(picture: tf.Tensor, c: dict, interpolation: str) -> tf.Tensor:
    """Turn, scale and shift about the middle; past the edge its outermost pixels go on, as align.py's mirroring does
    for the first few. picture (S, S, C)."""
    s = picture.shape[0]
    cos, sin = (f(c["angle"]) * tf.exp(c["scale"]) for f in (tf.cos, tf.sin))
    middle = (s - 1) / 2
    x = middle - cos * middle + sin * middle + s * c["across"]
    y = middle - sin * middle - cos * middle + s * c["down"]
    transform = tf.stack([cos, -sin, x, sin, cos, y, 0.0, 0.0])[None]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=picture[None], transforms=transform, output_shape=(s, s), interpolation=interpolation,
        fill_mode="NEAREST", fill_value=0.0,
    )[0]  # fmt: skip


def soften(image: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Shrink to 1 / (1 + 3 amount) and enlarge again: the blur of a GAN in training, or of a small photograph."""
    s = image.shape[0]
    small = tf.cast(s / (1 + 3 * amount), tf.int32)
    return tf.image.resize(tf.image.resize(image, (small, small), antialias=True), (s, s))
