"""Sample faces drawn from nothing but code, each with its part masks.

A face is painted in layers, back to front, on a canvas that keeps the properties of the surface instead of colours of
light: its own colour, its slope, its gloss (a game engine calls that deferred shading). One lighting pass at the end
makes a photograph of them, so hair, skin and cloth stand in the same light. Every layer that belongs to a part also
goes into that part's coverage, and takes away from the coverage of what it hides: the masks are true to the picture by
construction.

surface, shapes    numbers: maps of the frame; curves and soft-edged areas
person             who is drawn, and what changes from shot to shot
canvas, light      what lies at every pixel; from there to a photograph
head, skin, features, hair, clothes, accessories    what paints a person, layer by layer
face               the order of the layers, and the whole picture

Positions are in "face units": u to the viewer's right, v downwards, origin between the eyes, one unit one pixel
of the 512 x 512 frame. `Pose.place` turns them into pixels. l_ and r_ are the person's own sides, as in
CelebAMask-HQ (Lee et al., MaskGAN, CVPR 2020): l_eye is on the viewer's right. p is the person, s the shot.
"""

from facegan.drawing.face import VERSION, draw_face, facts

__all__ = ["VERSION", "draw_face", "facts"]
