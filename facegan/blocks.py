"""The layers the networks are built from: down(), up(), normalisation, dropout, initialiser."""

import functools
import weakref

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from facegan import norms


def initializer() -> keras.initializers.Initializer:
    """N(0, 0.02), as pix2pix section 6.2. A new object for each layer: Keras repeats the numbers of a shared one."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def normalise(x, norm: str, *modulation):
    """norm "batch": BatchNorm, over all devices. "group": GroupNorm, 16 channels a group (Wu and He, ECCV 2018), the
    same at any batch size and in training and testing. "instance": each channel by itself, but not where one
    pixel is left. "none": x as it is. What modulation() gave is applied afterwards."""
    _, h, w, c = x.shape
    if norm == "group" or (norm == "instance" and h * w > 1):  # a single pixel is its own mean: nothing would be left
        groups = c if norm == "instance" else next(n for n in range(max(1, c // 16), 0, -1) if c % n == 0)
        return norms.GroupNorm(groups)(x, *modulation)
    if norm == "batch":
        x = norms.BatchNorm()(x)
    return norms.modulate(x, *modulation) if modulation else x


class Dropout(layers.Dropout):
    """Dropout that N devices apply to their N parts of a batch as one device does to the whole: all of them draw the
    numbers of the whole batch, and take their own. keras.layers.Dropout would drop the same in every part."""

    def call(self, x, training=False):
        if not training:
            return x
        devices = tf.distribute.get_strategy().num_replicas_in_sync
        b = tf.shape(x)[0]
        numbers = tf.random.stateless_uniform((devices * b, *x.shape[1:]), self.seed_generator.next())
        if devices > 1:
            first = tf.distribute.get_replica_context().replica_id_in_sync_group * b
            numbers = numbers[first : first + b]
        return tf.where(numbers >= self.rate, x / (1 - self.rate), tf.zeros_like(x))

    def portable(self, x, training=False):
        """What it is in inference, by Keras's own layers."""
        return x


def paired(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Two batches (B, ...) as one, (2 B, ...), each of a before its partner of b: one pass of a network over both is
    faster than two. Side by side, as then N devices draw the dropout that one draws."""
    return tf.reshape(tf.stack([a, b], 1), (-1, *a.shape[1:]))


def unpaired(x: tf.Tensor) -> list[tf.Tensor]:
    """The two batches (B, ...) that paired() made one of, (2 B, ...)."""
    return tf.unstack(tf.reshape(x, (-1, 2, *x.shape[1:])), 2, 1)


def generate(generator: keras.Model, inputs: list, training: bool):
    """The generator's picture, (B, S, S, 3) in 0..1, as a graph: in half the time that it takes layer by layer."""
    if generator not in painters:
        picture = functools.partial(unchanged, weakref.proxy(generator))
        painters[generator] = tf.function(picture, autograph=False, reduce_retracing=True)
    return painters[generator](inputs, training)


painters = weakref.WeakKeyDictionary()
"""Generator -> its graphs, which go when it goes."""


def unchanged(generator: keras.Model, inputs: list, training: bool):
    """The generator's output, without a trace in it: training=True would otherwise move BatchNorm's statistics and
    dropout's seed."""
    weights, others = generator.trainable_variables, generator.non_trainable_variables
    return generator.stateless_call([w.value for w in weights], [v.value for v in others], inputs, training=training)[0]


def convolve(x, filters: int, kernel: int, strides: int = 1, norm: str = "none", padding: str = "same"):
    """Convolution, normalisation, LeakyReLU 0.2: (B, H, W, C) -> (B, H / strides, W / strides, filters)."""
    options = dict(padding=padding, use_bias=norm == "none", kernel_initializer=initializer())
    x = layers.Conv2D(filters, kernel, strides, **options)(x)
    return layers.LeakyReLU(0.2)(normalise(x, norm))


def down(x, filters: int, norm: str):
    """Halve: 4 x 4 convolution with stride 2, normalisation, LeakyReLU: (B, H, W, C) -> (B, H/2, W/2, filters)."""
    return convolve(x, filters, 4, 2, norm)


def upsample(x, filters: int, upsampling: str, **options):
    """Double: (B, H, W, C) -> (B, 2H, 2W, filters).

    "transpose": 4 x 4 transposed convolution, as published. "resize": bilinear, then a 3 x 3 convolution, which
    leaves no checkerboard (Odena et al., Distill 2016); nearest neighbour left woven lines in our runs. "blend": the
    same two the other way round, a quarter of the convolution's work. "subpixel": a 3 x 3 convolution to 4 x filters,
    whose quadruples of channels become 2 x 2 pixels (Shi et al., CVPR 2016).
    """
    if upsampling == "transpose":
        return layers.Conv2DTranspose(filters, 4, 2, padding="same", kernel_initializer=initializer(), **options)(x)
    if upsampling == "subpixel":
        h, w = x.shape[1:3]
        x = layers.Conv2D(4 * filters, 3, padding="same", kernel_initializer=initializer(), **options)(x)
        x = layers.Reshape((h, w, 2, 2, filters))(x)
        return layers.Reshape((2 * h, 2 * w, filters))(keras.ops.transpose(x, (0, 1, 3, 2, 4, 5)))
    if upsampling == "blend":
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer=initializer(), **options)(x)
        return Enlarge()(x)
    x = Enlarge()(x)
    return layers.Conv2D(filters, 3, padding="same", kernel_initializer=initializer(), **options)(x)


class Enlarge(layers.Layer):
    """Double by bilinear interpolation: (B, H, W, C) -> (B, 2H, 2W, C), in x's own type."""

    def __init__(self):
        super().__init__(dtype=keras.config.floatx(), autocast=False)

    def compute_output_spec(self, x):
        b, h, w, c = x.shape
        return keras.KerasTensor((b, 2 * h, 2 * w, c), x.dtype)

    def call(self, x):
        # in float32, as TensorFlow computes it anyway: in 16 bits XLA cannot compile its gradient
        return tf.cast(resize(tf.cast(x, self.dtype), 2 * x.shape[1]), x.dtype)

    def portable(self, x):
        if keras.config.floatx() == "float64":
            return resize(x, 2 * x.shape[1])
        return layers.UpSampling2D(interpolation="bilinear")(x)


def resize(x, side: int):
    """Bilinear interpolation, square pictures (B, S, S, C) -> (B, side, side, C), as tf.image.resize() computes it."""
    if keras.config.floatx() != "float64":
        return tf.image.resize(x, (side, side))
    s = x.shape[1]  # TensorFlow's own rounds float64 to float32
    place = np.clip((np.arange(side) + 0.5) * s / side - 0.5, 0, s - 1)  # of each new pixel's middle among the old ones
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(s)), 0)  # (side, S)
    return keras.ops.einsum("ph,qw,bhwc->bpqc", weights, weights, x)


def modulation(x, code, masks=None) -> list:
    """How normalise() is to scale and shift every channel of x, (B, H, W, C), as a code (B, N) asks for (FiLM, Perez et
    al., AAAI 2018): gains and offsets (B, R, 2 C).

    With masks (B, S, S, R) every region has its own, and a pixel, by its shares (B, H, W, R), the mean of those that
    cover it: a light form of SEAN (Zhu et al., CVPR 2020), whose convolutions over the style maps are left out.
    """
    _, h, _, c = x.shape
    r, full = 1 if masks is None else masks.shape[-1], keras.config.floatx()
    changes = layers.Dense(2 * c * r, kernel_initializer=initializer(), dtype=full)(code)  # (B, 2 C R)
    changes = layers.Reshape((r, 2 * c), dtype=full)(changes)
    if masks is None:
        return [changes]
    shares = layers.AveragePooling2D(masks.shape[1] // h, dtype=full)(masks)  # (B, H, W, R)
    return [changes, shares / (keras.ops.sum(shares, -1, keepdims=True) + 1e-3)]


def up(x, filters: int, norm: str, upsampling: str, dropout: float = 0.0, code=None, masks=None):
    """upsample(), normalise() with the modulation() that a code asks for, dropout, ReLU: (B, H, W, C) ->
    (B, 2H, 2W, filters)."""
    x = upsample(x, filters, upsampling, use_bias=norm == "none")
    x = normalise(x, norm, *([] if code is None else modulation(x, code, masks)))
    if dropout:
        x = Dropout(dropout)(x)
    return layers.ReLU()(x)
