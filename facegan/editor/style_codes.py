"""The style codes of a generator of pix2pix_rec.py --condition pair: those of a photograph, and those of two mixed.

S is the working size; a face has R + 1 codes of N numbers, of its regions (7, or 18 parts) and the background. Shapes
are those of seven.
"""

import weakref

import keras
import numpy as np
from keras import layers, ops

from facegan.editor import editing
from facegan.editor.editing import Edit, Face
from facegan.errors import BadInput


def has_codes(generator: keras.Model) -> bool:
    """Whether a generator of any of the three scripts has style codes."""
    return len(generator.inputs) == 3  # it sees the photograph


def codes(generator: keras.Model):
    """The codes that a generator makes of its photograph, a symbolic (B, 8, N)."""
    return generator.get_layer("style_codes").input


def encoder(generator: keras.Model) -> keras.Model:
    """The generator up to its codes: masks and colour map (B, S, S, 10), of which the colours are not looked at, and
    photo (B, S, S, 3) in 0..1 -> codes (B, 8, N) in -1..1; an empty region's is 0."""
    masks_and_colors, _, photo = generator.inputs
    return keras.Model([masks_and_colors, photo], codes(generator))


def mixing(generator: keras.Model) -> keras.Model:
    """The generator, which paints by (1 - strengths) * its photograph's codes + strengths * styles: two more inputs,
    styles (B, 8, N) and strengths (B, 8) in 0..1. At 0 it paints what it painted before, to the bit."""
    masks_and_colors, code, photo = generator.inputs
    own = codes(generator)
    painter = keras.Model([masks_and_colors, code, own], generator.output)
    styles, strengths = layers.Input(own.shape[1:]), layers.Input(own.shape[1:2])
    share = ops.expand_dims(strengths, -1)  # (B, 8, 1)
    picture = painter([masks_and_colors, code, own * (1 - share) + styles * share])
    return keras.Model([masks_and_colors, code, photo, styles, strengths], picture)


class Inputs:
    """What a generator takes of an edit: editing.inputs(), and of one with style codes what mixing() takes. The codes
    of a face are computed once, and kept as long as the face is.

    missing: what BadInput says where an edit has styles and the generator no codes.
    """

    def __init__(self, generator: keras.Model, missing: str):
        self.encoder, self.missing = encoder(generator) if has_codes(generator) else None, missing
        self.codes = weakref.WeakKeyDictionary()

    def __call__(self, edit: Edit) -> dict[str, np.ndarray]:
        inputs = editing.inputs(edit)
        if self.encoder is None and edit.styles:
            raise BadInput(self.missing)
        if self.encoder is not None:
            styles = np.zeros((1, *self.encoder.output.shape[1:]), np.float32)
            for region, style in edit.new_styles.items():
                i = edit.names.index(region) - 1
                styles[0, i] = self.codes_of(style.face)[i]
            inputs["styles"] = styles
        return inputs

    def codes_of(self, face: Face) -> np.ndarray:
        """(8, N) float32."""
        if face not in self.codes:
            inputs = editing.inputs(editing.begin(face))
            maps = np.concatenate([inputs["masks"], np.zeros_like(inputs["photo"])], -1)  # (1, S, S, 10)
            self.codes[face] = self.encoder([maps, inputs["photo"]])[0].numpy()
        return self.codes[face]
