"""dlib's face descriptor in TensorFlow, so that a loss can ask "is this the same person?" and pass gradients.

Weights: the file that face_recognition.py reads. Architecture: King, dnn_face_recognition_ex.cpp of dlib, a ResNet of
29 convolutions. A test compares the 128 numbers with dlib's own.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from facegan import blocks
from facegan.dlibfiles import DESCRIPTOR, model_file
from facegan.errors import BadInput

CHIP = 150
"""Side of the aligned face that the network takes, in pixels."""

PADDING = 0.25
"""How much dlib leaves around a face, of its size, where it cuts the chip."""

MEAN = (122.782, 117.001, 104.298)
"""RGB, subtracted from 0..255 before dividing by 256."""

BOX = (0.270, 0.161, 0.955, 0.846)
"""Where dlib's aligned chip lies in a CelebA-HQ picture: top, left, bottom, right, in 0..1. The mean over 296 of 300
real faces, whose eyes and nose stray by 1.2 % of the side; a chip cut there is 0.14 away from the one that dlib aligns,
two people are 0.88 apart."""

LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Filters and residual blocks of each level; the first block of every level but the first halves."""

SIDES = (35, 17, 8, 4, 2)
"""Height and width of each level."""

OUTPUTS = 3 * 72**2 * 32 + sum(4 * n * side**2 * filters for (filters, n), side in zip(LEVELS, SIDES, strict=True))
"""About how many numbers its layers put out for one face: three of the first level, four a residual block."""


class Tensors:
    """Reads the tensors of a serialized dlib network, in the order of its layers from the input on.

    dlib writes a tensor as version 2, four sizes, and raw little-endian float32; an integer as the number of its bytes,
    then the bytes. What stands between the tensors (names, empty gradients) is skipped. dtype: that of
    convolution(); next() is in keras.config.floatx().
    """

    def __init__(self, path: Path, dtype: str):
        self.path, self.raw, self.position, self.dtype = path, path.read_bytes(), 0, tf.as_dtype(dtype).as_numpy_dtype

    def next(self, n: int, k: int = 1) -> np.ndarray:
        """The next tensor of n x k x 1 x 1 numbers, (n, k). Raises BadInput when there is none."""
        sizes = [2, n, k, 1, 1]
        header = b"".join(bytes([len(b)]) + b for b in (x.to_bytes((x.bit_length() + 7) // 8, "little") for x in sizes))
        place = self.raw.find(header, self.position)
        if place < 0:
            raise BadInput(
                f"{self.path} is not dlib's face recognition network: install face_recognition_models again."
            )
        begin = place + len(header)
        self.position = begin + 4 * n * k
        return np.frombuffer(self.raw[begin : self.position], "<f4").reshape(n, k).astype(keras.config.floatx())

    def convolution(self, inputs: int, filters: int, kernel: int) -> tuple[np.ndarray, np.ndarray]:
        """Kernel (H, W, inputs, filters) and bias (filters,), with the affine layer that follows folded in."""
        numbers = self.next(inputs * filters * kernel**2 + filters)[:, 0]
        scale, shift = self.next(2 * filters).reshape(2, filters)
        weights = numbers[:-filters].reshape(filters, inputs, kernel, kernel).transpose(2, 3, 1, 0)
        return (weights * scale).astype(self.dtype), (numbers[-filters:] * scale + shift).astype(self.dtype)


class FaceNetwork:
    """dlib's network with frozen weights. Convolutions pad only where they keep the size, as dlib's do.

    They compute in 16 bits where Keras's policy does: descriptors stray by 0.02 then, people are 0.88 apart.
    """

    def __init__(self):
        tensors = Tensors(model_file(DESCRIPTOR), keras.mixed_precision.global_policy().compute_dtype)
        self.first = tensors.convolution(3, 32, 7)
        self.levels, inputs = [], 32
        for filters, count in LEVELS:
            level = []
            for _ in range(count):
                level.append((tensors.convolution(inputs, filters, 3), tensors.convolution(filters, filters, 3)))
                inputs = filters
            self.levels.append(level)
        self.last = tensors.next(256, 128)

    def __call__(self, pictures: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Pictures (B, S, S, 3) in 0..1 -> descriptors (B, 128) and the features of every level.

        Descriptors mean something for aligned faces. All are in keras.config.floatx().
        """
        features = self.features(pictures, len(LEVELS))
        return tf.reduce_mean(features[-1], (1, 2)) @ self.last, features

    def features(self, pictures: tf.Tensor, levels: int) -> list[tf.Tensor]:
        """Pictures (B, S, S, 3) in 0..1 -> the features of the first levels: (B, 35, 35, 32), (B, 17, 17, 64),
        (B, 8, 8, 128), (B, 4, 4, 256), (B, 2, 2, 256)."""
        pictures = blocks.resize(pictures, CHIP)  # (B, 150, 150, 3)
        x = (tf.cast(pictures, self.last.dtype) * 255 - MEAN) / 256
        x = tf.cast(x, self.first[0].dtype)
        x = tf.nn.relu(convolve(x, self.first, 2))  # (B, 72, 72, 32)
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")  # (B, 35, 35, 32)
        features = []
        for i, level in enumerate(self.levels[:levels]):
            for j, weights in enumerate(level):
                x = residual(x, *weights, halve=i > 0 and j == 0)
            features.append(tf.cast(x, self.last.dtype))
        return features

    def descriptors(self, pictures: tf.Tensor) -> tf.Tensor:
        """Pictures aligned as CelebA-HQ's, (B, S, S, 3) in 0..1 -> (B, 128)."""
        size = pictures.shape[1]
        top, left, bottom, right = (round(edge * size) for edge in BOX)
        return self(pictures[:, top:bottom, left:right])[0]


def convolve(x: tf.Tensor, weights: tuple[np.ndarray, np.ndarray], stride: int) -> tf.Tensor:
    kernel, bias = weights
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, "SAME" if stride == 1 else "VALID"), bias)


def residual(x: tf.Tensor, first, second, halve: bool) -> tf.Tensor:
    """A residual block. Halved sides and new channels rarely fit: dlib fills the smaller tensor with zeros."""
    y = tf.nn.relu(convolve(x, first, 2 if halve else 1))
    y = convolve(y, second, 1)
    if halve:
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    shape = [max(sizes) for sizes in zip(x.shape[1:], y.shape[1:], strict=True)]
    return tf.nn.relu(filled(x, shape) + filled(y, shape))


def filled(x: tf.Tensor, shape: list[int]) -> tf.Tensor:
    """x (B, H, W, C) with zeros below, at the right and behind, up to shape."""
    if x.shape[1:] == shape:
        return x
    return tf.pad(x, [[0, 0]] + [[0, n - m] for n, m in zip(shape, x.shape[1:], strict=True)])
