"""Sample faces drawn from nothing but code, each with its part masks.

A face is painted in layers, back to front, on a `Canvas` that keeps not colours of light but the properties of
the surface: its own colour, its slope, its gloss (what a game engine calls deferred shading). One lighting pass
at the end turns them into a photograph, so hair, skin and cloth stand in the same light. Every layer that
belongs to a part also goes into that part's coverage, and takes away from the coverage of what it hides: the
masks are true to the picture by construction.

Positions are in "face units": u to the viewer's right, v downwards, origin between the eyes, one unit one pixel
of the 512 x 512 frame. `Pose.place` turns them into pixels. l_ and r_ are the person's own sides, as in
CelebAMask-HQ (Lee et al., MaskGAN, CVPR 2020): l_eye is on the viewer's right.
"""

import functools
from dataclasses import dataclass, field

import cv2
import numpy as np

from facegan.regions import PARTS

VERSION = 1  # raise it when the same seed no longer gives the same picture
SIZE = 512
PICTURES_PER_PERSON = 3
FEATURES = frozenset({"nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip"})  # skin lies under them

SKIN_TONES = ((243, 211, 192), (236, 196, 170), (217, 169, 134), (187, 134, 98), (141, 93, 66), (88, 57, 43))
HAIR_COLOURS = {
    "black": (34, 29, 30),
    "dark brown": (66, 46, 36),
    "brown": (104, 72, 50),
    "auburn": (128, 66, 42),
    "ginger": (176, 96, 48),
    "dark blond": (156, 122, 80),
    "blond": (206, 172, 116),
    "platinum": (226, 208, 174),
    "grey": (150, 148, 148),
    "white": (214, 212, 208),
}
IRIS_COLOURS = (
    (70, 44, 28),
    (96, 64, 38),
    (124, 92, 50),
    (98, 112, 66),
    (84, 122, 148),
    (112, 142, 160),
    (104, 112, 116),
)
SOFT_STYLES = ("bob", "long", "wavy", "fringe", "bun", "long curls", "crop", "afro")
STRONG_STYLES = ("crop", "quiff", "receding", "bald", "curls", "afro", "long", "crop")


# ---------------------------------------------------------------------------------------------------- who and how


@dataclass(frozen=True)
class Person:
    """What stays the same in every picture of one person. Lengths in face units."""

    soft: float  # 0 strong-featured .. 1 soft-featured: jaw, brows, lips, beard and hair lean on it
    age: float  # 0 young .. 1 old
    tone: np.ndarray  # (3,) linear RGB
    depth: float  # 0 the lightest skin .. 1 the darkest
    hair: np.ndarray  # (3,) linear RGB
    hair_name: str  # a key of HAIR_COLOURS
    style: str  # a key of hair_sheets
    volume: float  # of the hair, 0..1
    part_side: float  # u of the parting
    iris: np.ndarray  # (3,) linear RGB
    half_width: float  # of the head at the eyes
    cheek: float  # width there as a share of half_width, like the next
    jaw: float
    chin: float  # v of its tip
    chin_width: float
    crown: float  # v of the top of the head, below 0
    hairline: float  # v
    temple: float  # how far the hair has drawn back there, 0..1
    eye_x: float
    eye_width: float
    eye_open: float
    eye_tilt: float  # how much higher the outer corner lies
    lid: float  # distance of the lid's fold, 0..1
    brow_y: float
    brow_thick: float
    brow_arch: float
    brow_tilt: float
    brow_length: float
    nose_length: float
    nose_width: float  # half of it, at the wings
    nose_bridge: float  # half of its width
    nose_height: float  # 1 is usual
    mouth_y: float
    mouth_width: float  # half of it
    upper_lip: float
    lower_lip: float
    bow: float  # depth of the notch in the upper lip
    lip_red: float  # strength of the lipstick when made up, 0..1
    ear: float  # 1 is usual
    neck: float  # half of its width
    beard: float  # this and the next three: 0 for none .. 1
    stubble: float
    freckles: float
    blush: float
    glasses: bool  # in most pictures
    glasses_shape: int
    moles: np.ndarray  # (n, 2) places on the face
    marks: int  # seeds what is scattered at random and yet stays the person's: freckles, the frame of the glasses


@dataclass(frozen=True)
class Shot:
    """What changes from picture to picture of one person."""

    yaw: float  # how far the nearest point of the face moves sideways, pixels
    pitch: float
    roll: float  # radians
    light: np.ndarray  # (3,) unit vector towards the light: right, down, to the viewer
    warmth: float
    exposure: float
    smile: float  # -0.2 .. 1
    open: float  # gap between the lips, face units; 0 is closed
    gaze: np.ndarray  # (2,) pixels by which the irises are off the middle
    brow_lift: float
    makeup: float  # 0..1
    glasses: bool
    hat: str  # "" for none, like the next two
    earrings: str
    necklace: str
    neckline: str  # a key of neckline_curve
    pattern: str
    cloth: np.ndarray  # (3,) linear RGB
    trim: np.ndarray  # (3,) of the pattern and of the hat
    backdrop: np.ndarray  # (4, 3) linear RGB of the corners
    bokeh: int  # discs of light
    grain: float  # deviation of the sensor noise, of 1


def linear(colour) -> np.ndarray:
    """0..255 display RGB to 0..1 linear light; gamma 2 is near enough and cheap."""
    return (np.asarray(colour, np.float32) / 255.0) ** 2


def skin_tone(rng: np.random.Generator, depth: float) -> np.ndarray:
    """Linear RGB of a skin `depth` along the range, with an undertone between rosy and olive."""
    ramp = np.asarray(SKIN_TONES, np.float32)
    tone = [np.interp(depth * (len(ramp) - 1), np.arange(len(ramp)), ramp[:, c]) for c in range(3)]
    return linear(np.clip(np.array(tone) * (1 + rng.normal(0, 1) * np.array([0.012, -0.015, -0.035])), 20, 252))


def hair_colour(rng: np.random.Generator, depth: float, age: float) -> tuple[str, np.ndarray]:
    """A name and a linear RGB. Light hair goes mostly with light skin; grey and white come with age."""
    names = list(HAIR_COLOURS)
    light = max(0.0, 1.0 - 1.9 * depth)
    weights = np.array([2.2, 2.4, 1.6, 0.8, 0.7, 1.0, 1.2, 0.4, 0.0, 0.0])
    weights[2:] *= light + 0.04
    weights[8:] = 6.0 * max(0.0, age - 0.55)
    name = names[rng.choice(len(names), p=weights / weights.sum())]
    return name, linear(
        np.clip(np.array(HAIR_COLOURS[name]) * rng.uniform(0.85, 1.15) * rng.normal(1, 0.03, 3), 8, 240)
    )


def make_person(seed: int, person: int) -> Person:
    """The person with that number: the same for the same seed, whatever else is drawn."""
    rng = np.random.default_rng([seed, 1, person])
    uniform, normal = rng.uniform, rng.normal
    soft = float(np.clip(0.5 + 0.42 * rng.choice([-1, 1]) + normal(0, 0.14), 0, 1))
    age, depth = uniform() ** 1.3, uniform()
    hair_name, hair = hair_colour(rng, depth, age)
    styles = SOFT_STYLES if soft > 0.5 else STRONG_STYLES
    bearded = soft < 0.45
    return Person(
        soft=soft,
        age=age,
        tone=skin_tone(rng, depth),
        depth=depth,
        hair=hair,
        hair_name=hair_name,
        style=styles[rng.integers(len(styles))],
        volume=uniform(0.0, 1.0),
        part_side=uniform(-55, 55),
        iris=linear(IRIS_COLOURS[rng.integers(2) if depth > 0.55 else rng.integers(len(IRIS_COLOURS))]),
        half_width=uniform(122, 146),
        cheek=uniform(0.95, 1.04),
        jaw=uniform(0.85, 0.98) + 0.07 * (1 - soft),
        chin=uniform(214, 240) + 6 * (1 - soft),
        chin_width=uniform(26, 42) + 14 * (1 - soft),
        crown=uniform(-216, -200),
        hairline=uniform(-158, -118) - 14 * (soft < 0.5) * age,
        temple=uniform(0.0, 0.5) + 0.5 * (1 - soft) * age,
        eye_x=uniform(51, 60),
        eye_width=uniform(53, 65),
        eye_open=uniform(17.5, 23.5) + 1.5 * soft,
        eye_tilt=uniform(-3, 7),
        lid=uniform(0.0, 1.0),
        brow_y=uniform(-44, -29) - 3 * soft,
        brow_thick=uniform(5, 9) + 6 * (1 - soft) * uniform(),
        brow_arch=uniform(0, 7),
        brow_tilt=uniform(-7, 6),
        brow_length=uniform(58, 74),
        nose_length=uniform(68, 94),
        nose_width=uniform(21, 34) + 5 * depth,
        nose_bridge=uniform(7, 13),
        nose_height=uniform(0.65, 1.3),
        mouth_y=uniform(126, 146),
        mouth_width=uniform(40, 55),
        upper_lip=uniform(6, 13) + 4 * depth,
        lower_lip=uniform(9, 17) + 5 * depth,
        bow=uniform(1, 5),
        lip_red=uniform(0.3, 1.0),
        ear=uniform(0.85, 1.2),
        neck=uniform(66, 74) + 14 * (1 - soft),
        beard=uniform(0.45, 1.0) if bearded and uniform() < 0.3 else 0.0,
        stubble=uniform(0.0, 0.7) if bearded else 0.0,
        freckles=uniform(0.3, 1.0) if depth < 0.4 and uniform() < 0.3 else 0.0,
        blush=uniform(0.2, 1.0),
        glasses=bool(uniform() < 0.2),
        glasses_shape=int(rng.integers(3)),
        moles=rng.uniform([-100, -60], [100, 190], (max(0, int(rng.integers(-2, 3))), 2)),
        marks=int(rng.integers(1 << 31)),
    )


def make_shot(seed: int, k: int, person: Person) -> Shot:
    """Pose, light, expression and dress of picture k."""
    rng = np.random.default_rng([seed, 2, k])
    uniform = rng.uniform
    light = np.array([uniform(-0.75, 0.75), uniform(-0.7, -0.15), uniform(0.65, 1.0)])
    smile = float(np.clip(rng.normal(0.5, 0.4), -0.1, 1.0))
    opens = uniform() < 0.2 + 0.5 * max(smile, 0)
    cloth, trim = linear(random_colour(rng)), linear(random_colour(rng))
    tall = person.style in ("afro", "bun", "quiff") or (person.style == "curls" and person.volume > 0.4)
    ears_show = person.style in ("crop", "quiff", "receding", "bald", "bun")
    necklines = ("crew", "vee", "collar", "turtle", "scoop", "jacket", "crew")
    neckline = necklines[rng.integers(len(necklines))]
    jewels = person.soft > 0.5
    return Shot(
        yaw=float(np.clip(rng.normal(0, 10), -22, 22)),
        pitch=uniform(-6, 6),
        roll=float(np.clip(rng.normal(0, 0.045), -0.1, 0.1)),
        light=light / np.linalg.norm(light),
        warmth=uniform(-1, 1),
        exposure=uniform(0.9, 1.12),
        smile=smile,
        open=uniform(5, 9) + 11 * max(smile, 0) * uniform(0.5, 1) if opens else 0.0,
        gaze=rng.normal(0, 1.3, 2) * [1.4, 0.5],
        brow_lift=rng.normal(0, 2),
        makeup=uniform(0.2, 1.0) if jewels and uniform() < 0.75 else 0.0,
        glasses=(person.glasses and bool(uniform() < 0.85)) or bool(uniform() < 0.03),
        hat=("beanie", "fedora", "cap")[rng.integers(3)] if uniform() < 0.1 and not tall else "",
        earrings=("stud", "hoop", "drop")[rng.integers(3)] if jewels and ears_show and uniform() < 0.7 else "",
        necklace=("chain", "beads", "pearls")[rng.integers(3)]
        if jewels and neckline != "turtle" and uniform() < 0.4
        else "",
        neckline=neckline,
        pattern=("plain", "plain", "stripes", "checks", "dots", "knit")[rng.integers(6)],
        cloth=cloth,
        trim=trim,
        backdrop=linear(backdrop_colours(rng)),
        bokeh=int(rng.integers(0, 26)) if uniform() < 0.6 else 0,
        grain=uniform(0.002, 0.007),
    )


def random_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) display RGB: any hue, saturation mostly modest, from near black to near white."""
    hsv = np.uint8([[[rng.integers(180), 200 * rng.uniform() ** 1.5, 35 + 205 * rng.uniform()]]])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def backdrop_colours(rng: np.random.Generator) -> np.ndarray:
    """(4, 3) display RGB for the corners: one hue with neighbours, the top often lighter than the bottom."""
    hue, saturation, value = rng.uniform(0, 180), rng.uniform(10, 120), rng.uniform(50, 225)
    hsv = np.empty((1, 4, 3), np.uint8)
    for i, drop in enumerate((0, 0, 0.35, 0.35)):
        level = value * (1 - drop * rng.uniform()) + rng.normal(0, 14)
        purity = np.clip(saturation + rng.normal(0, 18), 0, 170)
        hsv[0, i] = (hue + rng.normal(0, 9)) % 180, purity, np.clip(level, 20, 245)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0].astype(np.float32)


# ------------------------------------------------------------------------------------------------ curves and areas


@dataclass(frozen=True)
class Pose:
    """From face units to pixels: a small turn as parallax, a small roll, and the place in the frame."""

    half_width: float
    yaw: float
    pitch: float
    roll: float
    centre: tuple[float, float] = (256.0, 244.0)

    def turn(self, points, relief: float = 0.0) -> np.ndarray:
        """(n, 2) with the parallax: what stands nearer to the viewer moves further, the outline does not.

        `relief` adds to the depth of the surface (0 at the outline, 1 at its middle): the nose has more.
        """
        points = np.asarray(points, np.float32)
        u, v = points[..., 0], points[..., 1]
        depth = np.clip(1 - (u / (1.02 * self.half_width)) ** 2 - ((v - 15) / 330) ** 2, 0, None) + relief
        return np.stack([u + self.yaw * depth, v + self.pitch * depth], axis=-1)

    def matrix(self) -> np.ndarray:
        """(2, 3) affine from turned face units to pixels."""
        c, s = np.cos(self.roll), np.sin(self.roll)
        return np.array([[c, -s, self.centre[0]], [s, c, self.centre[1]]], np.float32)

    def place(self, points, relief: float = 0.0) -> np.ndarray:
        """(n, 2) face units to (n, 2) pixels."""
        m = self.matrix()
        return self.turn(points, relief) @ m[:, :2].T + m[:, 2]


def spline(points, closed: bool = True, n: int = 8) -> np.ndarray:
    """A smooth (Catmull-Rom) curve through (m, 2) points, n steps between each pair."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, n, endpoint=False, dtype=np.float32)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    q = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    q = q.transpose(1, 0, 2).reshape(-1, 2)
    return q if closed else np.concatenate([q, p[-2:-1]])


def mirrored(half) -> np.ndarray:
    """A closed outline from its right half, given from top to bottom; both ends lie on the axis."""
    half = np.asarray(half, np.float32)
    return np.concatenate([half, half[-2:0:-1] * [-1, 1]])


def ribbon(points, widths) -> np.ndarray:
    """The closed outline of a stroke along (n, 2) points; widths: one number, or several spread along it."""
    points = np.asarray(points, np.float32)
    tangent = np.gradient(points, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    widths = np.atleast_1d(np.asarray(widths, np.float32))
    half = np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    return np.concatenate([points + normal * half, (points - normal * half)[::-1]])


@dataclass
class Patch:
    """A soft-edged area: `alpha` (h, w) coverage 0..1 that lies at `box`, a pair of slices of the frame."""

    alpha: np.ndarray
    box: tuple[slice, slice]

    def whole(self) -> np.ndarray:
        """(512, 512) coverage."""
        full = np.zeros((SIZE, SIZE), np.float32)
        full[self.box] = self.alpha
        return full

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates x, y of the box, each (h, w)."""
        x, y = pixel_grid()
        return x[self.box], y[self.box]


@functools.cache
def pixel_grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel, each (512, 512) float32."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return x, y


@functools.cache
def noise(sigma: float) -> np.ndarray:
    """(1024, 1024) smooth noise, a 512-pixel tile repeated, mean 0, deviation 1. Always the same."""
    tile = np.random.default_rng(17).standard_normal((SIZE, SIZE)).astype(np.float32)
    if sigma > 0:
        pad = int(4 * sigma)
        tile = cv2.GaussianBlur(np.pad(tile, pad, mode="wrap"), (0, 0), sigma)[pad:-pad, pad:-pad]
    return np.tile((tile - tile.mean()) / tile.std(), (2, 2))


def rolled_noise(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """(512, 512) cut from `noise(sigma)` at a random place; a view, not to be written to."""
    y, x = rng.integers(0, SIZE, 2)
    return noise(sigma)[y : y + SIZE, x : x + SIZE]


def blur(alpha: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones are done on a smaller picture, which looks the same and costs little."""
    if sigma <= 0:
        return alpha
    factor = 1 if sigma < 4 else 2 if sigma < 8 else 4
    h, w = alpha.shape[:2]
    if factor == 1 or min(h, w) < 4 * factor:
        return cv2.GaussianBlur(alpha, (0, 0), sigma)
    small = cv2.resize(alpha, (w // factor, h // factor), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def fill(points, soft: float = 0.0) -> Patch:
    """The area inside one (n, 2) or several (m, n, 2) closed outlines, antialiased; `soft` blurs its edge."""
    points = np.asarray(points, np.float32)
    flat, pad = points.reshape(-1, 2), int(3 * soft) + 2
    low = np.clip(np.floor(flat.min(axis=0)).astype(int) - pad, 0, SIZE - 1)
    high = np.clip(np.ceil(flat.max(axis=0)).astype(int) + pad, low + 1, SIZE)
    area = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    fixed = np.round((points - low) * 16).astype(np.int32)
    cv2.fillPoly(area, list(fixed) if fixed.ndim == 3 else [fixed], 255, cv2.LINE_AA, shift=4)
    alpha = blur(area.astype(np.float32) / 255, soft)
    return Patch(alpha, (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))))


def sided(points, side: int) -> np.ndarray:
    """(n, 2) points given for the viewer's right, on the right (side 1) or mirrored to the left (-1)."""
    return np.asarray(points, np.float32) * [side, 1]


def stroke(pose: Pose, points, widths, soft: float, relief: float = 0.0) -> Patch:
    """A soft-edged stroke along a smooth line through points, in face units."""
    return fill(pose.place(ribbon(spline(points, closed=False), widths), relief), soft)


def ellipse(centre, radii, angle: float = 0.0) -> np.ndarray:
    """(40, 2) points of an ellipse."""
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    points = np.stack([np.cos(t) * radii[0], np.sin(t) * radii[1]], axis=1)
    return np.asarray(centre) + points @ np.array([[c, s], [-s, c]])


def spot(pose: Pose, centre, radii, soft: float) -> Patch:
    """A soft oval on the face, in face units."""
    return fill(pose.place(ellipse(centre, radii)), soft)


def slopes(height: np.ndarray) -> np.ndarray:
    """(2, h, w) of -dz/dx, -dz/dy: the surface normal is (slope, 1), not yet of unit length."""
    return np.stack([-cv2.Sobel(height, cv2.CV_32F, *d, scale=1 / 8) for d in ((1, 0), (0, 1))])


def planes(values) -> np.ndarray:
    """(c,) numbers or (c, h, w) maps as float32 that broadcast over (c, h, w).

    Colours and slopes are kept one plane after the other: NumPy is several times faster on long inner rows.
    """
    values = np.asarray(values, np.float32)
    return values[:, None, None] if values.ndim == 1 else values


def cut(stack: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """The (c, h, w) part of a (c, 512, 512) stack that lies at the box."""
    return stack[:, box[0], box[1]]


def pillow(alpha: np.ndarray, radius: float, height: float) -> np.ndarray:
    """Slopes of a cushion over an area: flat inside, falling off within `radius` pixels of its edge."""
    return slopes(blur(alpha, radius) * height)


# ---------------------------------------------------------------------------------------------------- the canvas


def blend(below: np.ndarray, alpha: np.ndarray, above) -> None:
    """Lay `above` over `below`, in place, where alpha is 1."""
    difference = above - below
    difference *= alpha
    below += difference


@dataclass
class Canvas:
    """Surface properties of every pixel, and the coverage of every part painted so far."""

    colour: np.ndarray = field(default_factory=lambda: np.zeros((3, SIZE, SIZE), np.float32))
    slope: np.ndarray = field(default_factory=lambda: np.zeros((2, SIZE, SIZE), np.float32))
    gloss: np.ndarray = field(default_factory=lambda: np.zeros((SIZE, SIZE), np.float32))
    skin: np.ndarray = field(default_factory=lambda: np.zeros((SIZE, SIZE), np.float32))
    shade: np.ndarray = field(default_factory=lambda: np.ones((SIZE, SIZE), np.float32))
    solid: np.ndarray = field(default_factory=lambda: np.zeros((SIZE, SIZE), np.float32))
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    glints: list = field(default_factory=list)

    def paint(self, part: str, patch: Patch, colour, slope=None, gloss=None, skin: float = 0.0) -> None:
        """Lay one surface over the patch. `slope`, `gloss` None: those of what lies below stay."""
        a, box = patch.alpha, patch.box
        blend(cut(self.colour, box), a, planes(colour))
        if slope is not None:
            blend(cut(self.slope, box), a, planes(slope))
            blend(self.shade[box], a, 1)
        if gloss is not None:
            blend(self.gloss[box], a, gloss)
        blend(self.skin[box], a, skin)
        blend(self.solid[box], a, 1)
        self.claim(part, patch)

    def claim(self, part: str, patch: Patch) -> None:
        """Add the patch to a part's coverage and hide what lies below, but for the skin under features."""
        a, box = patch.alpha, patch.box
        hidden = set(self.parts) - {part}
        if part in FEATURES:
            hidden -= {"skin"} | ({"nose"} if part != "nose" else set())
        if part == "eye_g":  # one looks through glasses
            hidden -= FEATURES | {"skin"}
        for name in hidden:
            self.parts[name][box] *= 1 - a
        own = self.parts.setdefault(part, np.zeros((SIZE, SIZE), np.float32))
        own[box] += a * (1 - own[box])

    def tint(self, patch: Patch, factor) -> None:
        """Multiply the surface's own colour: blush, freckles, make-up, creases."""
        cut(self.colour, patch.box)[:] *= 1 + patch.alpha * (planes(factor) - 1)

    def darken(self, patch: Patch, strength: float) -> None:
        """Take light away: cast shadows and folds that see little of the sky."""
        self.shade[patch.box] *= 1 - strength * patch.alpha

    def cast(self, patch: Patch, shot: Shot, reach: float, sigma: float, strength: float) -> None:
        """The shadow that a layer, about to be painted at `patch`, throws on what is already there."""
        dx, dy = -shot.light[:2] * reach
        move = np.float32([[0.25, 0, dx / 4], [0, 0.25, dy / 4]])
        small = cv2.warpAffine(patch.whole(), move, (SIZE // 4, SIZE // 4), flags=cv2.INTER_LINEAR)
        small = cv2.GaussianBlur(small, (0, 0), max(sigma / 4, 0.5))
        self.shade *= 1 - strength * cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)

    def masks(self) -> dict[str, np.ndarray]:
        """Each visible part's bool (512, 512): where at least half of the pixel is covered."""
        masks = {part: self.parts[part] >= 0.5 for part in PARTS if part in self.parts}
        return {part: mask for part, mask in masks.items() if mask.any()}


def develop(canvas: Canvas, shot: Shot, backdrop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light the canvas and take the photograph: (512, 512, 3) uint8 display RGB."""
    x, y = canvas.slope
    inverse = 1 / np.sqrt(1 + x * x + y * y)
    light = shot.light.astype(np.float32)
    facing = (x * light[0] + y * light[1] + light[2]) * inverse
    key = np.clip((facing + 0.25) / 1.25, 0, None)
    wrapped = np.clip((facing + 0.55) / 1.55, 0, None)  # red light wanders further under the skin
    fill_light = np.clip((-x * light[0] - np.float32(0.3) * y + 1) * inverse * np.float32(0.8), 0, 1)
    half = light + np.float32([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = np.clip((x * half[0] + y * half[1] + half[2]) * inverse, 0, None) ** 2
    for _ in range(4):
        shine *= shine
    shine *= canvas.gloss * canvas.shade
    sun = np.float32([1 + 0.06 * shot.warmth, 1.0, 1 - 0.09 * shot.warmth]) * shot.exposure
    sky = np.float32([1 - 0.05 * shot.warmth, 1.0, 1 + 0.07 * shot.warmth]) * 0.22 * shot.exposure
    image = np.empty((3, SIZE, SIZE), np.float32)
    for c, red in enumerate((1.0, 0.25, 0.0)):
        direct = key + (red * canvas.skin) * (wrapped - key)
        bounce = canvas.shade if c else canvas.shade + 0.2 * canvas.skin * (1 - canvas.shade)
        image[c] = canvas.colour[c] * bounce * (direct * sun[c] + fill_light * sky[c]) + shine * sun[c]
    for patch, level in canvas.glints:
        cut(image, patch.box)[:] += patch.alpha * level
    image = cv2.merge([b + canvas.solid * (c - b) for b, c in zip(cv2.split(backdrop), image, strict=True)])
    return expose(image, shot, rng)


def expose(image: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """Linear light to display: a soft shoulder for the highlights, a touch of lens blur, sensor noise."""
    image = np.maximum(image / (np.float32(0.92) + np.float32(0.2) * image), 0)
    image = cv2.GaussianBlur(cv2.sqrt(image), (0, 0), 0.6)
    for c in range(3):
        image[..., c] += np.float32(shot.grain) * rolled_noise(rng, 0.7)
    return cv2.convertScaleAbs(np.maximum(image, 0), alpha=255)


def paint_backdrop(shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """(512, 512, 3) linear RGB: a gradient between four corners and discs of light far out of focus."""
    small = 128
    picture = cv2.resize(shot.backdrop.reshape(2, 2, 3), (small, small), interpolation=cv2.INTER_LINEAR)
    for _ in range(shot.bokeh):
        disc = np.zeros((small, small), np.float32)
        centre = tuple(int(c) for c in rng.integers(0, small, 2))
        cv2.circle(disc, centre, int(rng.integers(4, 17)), 1.0, -1, cv2.LINE_AA)
        glow = shot.backdrop[rng.integers(4)] * rng.uniform(0.3, 2.2) + rng.uniform(0, 0.12)
        picture += disc[..., None] * rng.uniform(0.15, 0.6) * (glow - picture)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.2 + 3 * rng.uniform())
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


# ------------------------------------------------------------------------------------------------ head and body


def skull(p: Person, degrees, lift) -> np.ndarray:
    """(n, 2) points over the head at `lift`, one or (n,), from it; 0 degrees is the top, 90 the viewer's right."""
    angle = np.radians(np.asarray(degrees, np.float32))
    across, up = (np.sign(f) * np.abs(f) ** 0.8 for f in (np.sin(angle), np.cos(angle)))  # fuller than an ellipse
    return np.stack([across * (p.half_width + lift), -35 - up * (-p.crown - 35 + lift)], axis=-1)


def head_outline(p: Person) -> np.ndarray:
    """(n, 2) closed outline of head and jaw, without ears, in face units."""
    a, jaw, chin = p.half_width, p.half_width * p.jaw, p.chin
    face = [(0.975 * a * p.cheek, 45), (0.90 * jaw, 105), (0.73 * jaw, 155)]
    face += [(p.chin_width + 0.16 * jaw, chin - 36), (p.chin_width * 0.72, chin - 8), (0, chin)]
    return mirrored(np.concatenate([skull(p, [0, 15, 30, 45, 60, 75, 90], 0), face]))


def face_height(p: Person, s: Shot, pose: Pose) -> np.ndarray:
    """(2, 512, 512) slopes of the head: an ellipsoid with a nose, a brow, cheeks, lips and a chin on it."""
    step = 2
    u = np.arange(-SIZE // 2 - 16, SIZE // 2 + 16, step, dtype=np.float32)
    v = u + 12
    a, b = 1.07 * p.half_width, 1.1 * (p.chin - p.crown) / 2
    middle = (p.chin + p.crown) / 2
    egg = 1 - np.abs(u[None] / a) ** 2.5 - np.abs((v[:, None] - middle) / b) ** 2.6
    height = 105 * np.sqrt(np.clip(egg, 0.004, None))
    for bump_u, bump_v, width_u, width_v, amount in face_bumps(p, s):
        for side in (1, -1) if bump_u else (1,):
            (x, y) = pose.turn([side * bump_u, bump_v])
            across, down = np.exp(-0.5 * ((u - x) / width_u) ** 2), np.exp(-0.5 * ((v - y) / width_v) ** 2)
            height += np.outer(amount * down, across)
    height += nose_ridge(p, pose, u, v)
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.2)
    grid_to_units = np.array([[step, 0, u[0]], [0, step, v[0]], [0, 0, 1]], np.float64)
    to_pixels = pose.matrix().astype(np.float64) @ grid_to_units
    height = cv2.warpAffine(height, to_pixels, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return slopes(cv2.GaussianBlur(height, (0, 0), 1.0))


def face_bumps(p: Person, s: Shot) -> list[tuple[float, float, float, float, float]]:
    """(u, v, width, height, amount) of each bump; those off the axis stand on both sides."""
    smile = max(s.smile, 0)
    strong = 1 - p.soft
    wing = 0.62 * p.nose_width
    mouth = p.mouth_y
    return [
        (40, p.brow_y + 4, 34, 11, 3 + 5 * strong),
        (p.eye_x, 1, 31, 17, -9),
        (p.eye_x, 2, 19, 12, 6),
        (p.eye_x * 0.45, 2, 10, 16, -3),
        (42, -95, 42, 36, 4),
        (0.9 * p.half_width, -65, 20, 40, -5),
        (0.56 * p.half_width, 60 - 6 * smile, 32, 26, 8 + 8 * smile),
        (0.72 * p.half_width, 118, 24, 34, -5 - 4 * strong),
        (wing, p.nose_length - 9, 7.5, 8, 5.5),
        (0, p.nose_length - 12, 0.36 * p.nose_width, 9, 7 * p.nose_height),
        (0, mouth, 46, 30, 7),
        (0, p.nose_length + 19, 4, 10, -1.6),
        (0, mouth - 7, 0.5 * p.mouth_width, 6, 2.5),
        (0, mouth + 10 + s.open, 0.5 * p.mouth_width, 7, 4.5),
        (0, mouth + 32 + s.open, 24, 9, -5),
        (0, p.chin - 28, 22 + 6 * strong, 18, 9),
        (p.mouth_width + 12, mouth + 2, 10, 14, -2 - 2 * smile),
    ]


def nose_ridge(p: Person, pose: Pose, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(len(v), len(u)) height of the nose: it rises from between the eyes to the tip and falls off below."""
    rise = np.clip((v + 30) / (p.nose_length + 22), 0, 1)
    amount = p.nose_height * (4 + 12 * rise**1.3) / (1 + np.exp((v - p.nose_length + 3) / 3.5))
    amount /= 1 + np.exp(-(v + 26) / 7)
    width = p.nose_bridge + (0.50 * p.nose_width - p.nose_bridge) * rise**2
    (x, _) = pose.turn([0, 0.5 * p.nose_length])
    lean = pose.yaw * 0.42 * rise * p.nose_height  # what stands out moves further when the head turns
    return amount[:, None] * np.exp(-0.5 * ((u[None] - x - lean[:, None]) / width[:, None]) ** 2)


def skin_colour(p: Person, rng: np.random.Generator) -> np.ndarray:
    """(3, 512, 512) linear RGB: the person's tone with pores and blotches."""
    grain = 1 + 0.02 * rolled_noise(rng, 9.0) + 0.012 * rolled_noise(rng, 2.0) + 0.008 * rolled_noise(rng, 0.7)
    return grain * planes(p.tone)


def paint_body(canvas: Canvas, p: Person, pose: Pose, flesh: np.ndarray) -> None:
    """Neck and chest, dark under the chin."""
    n = p.neck
    outline = mirrored(
        [(0, 60), (n, 60), (n, 150), (1.03 * n, 195), (1.4 * n, 230), (2.4 * n, 266), (330, 340), (0, 345)]
    )
    patch = fill(pose.place(spline(outline)), 0.7)
    x, y = patch.grid()
    across = np.clip((x - pose.centre[0]) / n, -1.6, 1.6)
    slope = np.stack([1.1 * across * np.abs(across) ** 0.5 * np.exp(-(((y - 380) / 110) ** 2)), np.full_like(x, -0.15)])
    tendon = np.exp(-(((np.abs(x - pose.centre[0]) - 0.62 * n + 0.28 * (y - 400)) / 9) ** 2))
    slope[0] += 0.18 * tendon * np.sign(x - pose.centre[0])
    colour = cut(flesh, patch.box) * planes([0.96, 0.92, 0.90])
    canvas.paint("neck", patch, colour, slope, 0.05, skin=1.0)


def chin_shadow(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """What the head throws on the neck: soft and always there, sharper away from the light."""
    head = fill(pose.place(spline(head_outline(p) + [0, 10])), 7)
    canvas.darken(head, 0.55)
    canvas.cast(head, s, 34, 12, 0.35)


def paint_ears(canvas: Canvas, p: Person, pose: Pose, flesh: np.ndarray) -> None:
    """Both ears, the far one narrower when the head is turned."""
    ruddy, e = planes([1.0, 0.88, 0.85]), p.ear
    for side, part in ((1, "l_ear"), (-1, "r_ear")):
        a = p.half_width - 5
        w = np.clip(1 - side * pose.yaw / 26, 0.3, 1.6) * e
        outline = [(a - 12, -12), (a + 8 * w, -20 * e), (a + 19 * w, -12 * e), (a + 20 * w, 8 * e)]
        outline += [(a + 12 * w, 34 * e), (a + 5 * w, 56 * e), (a - 8, 52)]
        patch = fill(pose.place(spline(sided(outline, side))), 0.7)
        canvas.paint(part, patch, cut(flesh, patch.box) * ruddy, pillow(patch.alpha, 4, 9), 0.06, skin=1.0)
        fold = [(a + 1, -4), (a + 11 * w, -11 * e), (a + 14 * w, 4 * e), (a + 7 * w, 30 * e)]
        canvas.tint(clip(stroke(pose, sided(fold, side), (2, 7, 3), 1.8), patch), (0.6, 0.47, 0.45))
        hollow = spot(pose, (side * (a + 4 * w), 12 * e), (4 * w, 11 * e), 2.5)
        canvas.tint(clip(hollow, patch), (0.5, 0.38, 0.36))


def clip(patch: Patch, by: Patch) -> Patch:
    """The patch where the other one is too."""
    return Patch(patch.alpha * by.whole()[patch.box], patch.box)


def paint_skin(canvas: Canvas, p: Person, s: Shot, pose: Pose, flesh: np.ndarray, rng: np.random.Generator) -> None:
    """The face without its features: the skin under them is there too."""
    patch = fill(pose.place(spline(head_outline(p))), 0.8)
    slope = face_height(p, s, pose) + 0.02 * np.stack([rolled_noise(rng, 1.2), rolled_noise(rng, 1.2)])
    canvas.paint("skin", patch, cut(flesh, patch.box), cut(slope, patch.box), 0.16 - 0.04 * p.soft, skin=1.0)
    redden(canvas, p, s, pose)
    shade_hollows(canvas, p, s, pose)
    paint_lines(canvas, p, s, pose)
    spots(canvas, p, pose)
    if p.beard or p.stubble:
        paint_beard(canvas, p, s, pose)


def redden(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Blood under the skin: cheeks, nose tip, chin, lids; a little yellow on the forehead."""
    b = 0.5 + 0.5 * p.blush + 0.4 * s.makeup
    rosy = np.array([1.03, 0.80, 0.82])
    for u, v, w, h, soft, amount in (
        (0.57 * p.half_width, 62, 24, 17, 16, 0.9),
        (0, p.nose_length - 12, p.nose_width * 0.6, 10, 8, 0.8),
        (0, p.chin - 25, 20, 10, 10, 0.4),
        (p.eye_x, 6, 30, 14, 8, 0.55),
    ):
        for side in (1, -1) if u else (1,):
            canvas.tint(spot(pose, (side * u, v), (w, h), soft), 1 + b * amount * (rosy - 1))
    canvas.tint(spot(pose, (0, -95), (70, 30), 20), (1.02, 1.01, 0.96))


def shade_hollows(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Where little sky reaches: eye sockets, beside and under the nose, under the lower lip, the jaw's edge."""
    for side in (1, -1):
        canvas.darken(spot(pose, (side * (p.eye_x - 6), -11), (27, 8), 7), 0.30)
        canvas.darken(spot(pose, (side * p.eye_x * 0.42, -2), (6, 16), 6), 0.22)
        canvas.darken(spot(pose, (side * (p.eye_x - 4), 19), (20, 4), 5), 0.06 + 0.12 * p.age)
    canvas.darken(spot(pose, (0, p.nose_length + 6), (p.nose_width * 0.9, 5), 5), 0.38)
    canvas.darken(spot(pose, (0, p.mouth_y + 27 + s.open), (20, 5), 5), 0.20)
    rim = spline(head_outline(p))
    low = rim[rim[:, 1] > 60]
    canvas.darken(fill(pose.place(ribbon(low[np.argsort(low[:, 0])], 10)), 7), 0.22)


def crease(canvas: Canvas, pose: Pose, points, widths, soft: float, strength: float) -> None:
    """A fold in the skin: dark and a little red."""
    canvas.tint(stroke(pose, points, widths, soft), 1 - strength * np.array([0.55, 0.8, 0.85]))


def paint_lines(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Smile folds, and the wrinkles of age on the forehead and at the eyes."""
    smile, age = max(s.smile, 0), p.age
    for side in (1, -1):
        wing, corner = 0.95 * p.nose_width, p.mouth_width * (1 + 0.15 * smile)
        fold = [(wing, p.nose_length - 10), (wing + 17, p.nose_length + 14), (corner + 11, p.mouth_y - 17)]
        fold.append((corner + 14, p.mouth_y - 4))
        crease(canvas, pose, sided(fold, side), (1, 5, 1), 2.5, 0.06 + 0.26 * smile + 0.2 * age**2)
        bag = [(p.eye_x - 24, 14), (p.eye_x, 21), (p.eye_x + 24, 15)]
        crease(canvas, pose, sided(bag, side), (0.5, 3, 0.5), 1.8, 0.10 + 0.25 * age**2 + 0.10 * smile)
        for i in range(3 if age > 0.55 else 0):
            out = p.eye_x + p.eye_width / 2 + 7
            foot = [(out, 1 + 5 * i), (out + 9, -3 + 8 * i), (out + 19, -6 + 12 * i)]
            crease(canvas, pose, sided(foot, side), (0.5, 2, 0.3), 1.2, 0.4 * (age - 0.4))
    for i in range(3 if age > 0.5 else 0):
        v = p.brow_y - 26 - 17 * i
        brow = [(-62, v + 3), (-30, v - 2), (0, v + 2), (30, v - 2), (62, v + 3)]
        crease(canvas, pose, brow, (0.4, 2.6, 0.4), 1.6, 0.35 * (age - 0.3))


def spots(canvas: Canvas, p: Person, pose: Pose) -> None:
    """Moles, which belong to the person, and freckles."""
    for u, v in p.moles:
        canvas.tint(spot(pose, (u, v), (1.7, 1.6), 0.8), (0.55, 0.42, 0.38))
    if p.freckles:
        own = np.random.default_rng(p.marks)
        brown = 1 - p.freckles * np.array([0.22, 0.34, 0.4])
        for u, v in own.normal((0, 42), (46, 22), (70, 2)):
            radius = own.uniform(0.8, 1.8)
            canvas.tint(spot(pose, (u, v), (radius, radius), 0.6), brown)


@functools.cache
def beard_grain() -> np.ndarray:
    """(512, 512) noise of short upright strokes."""
    return cv2.GaussianBlur(noise(0.0)[:SIZE, :SIZE], (0, 0), sigmaX=0.5, sigmaY=1.6)


def paint_beard(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Stubble or a beard: short strokes along the jaw, round the mouth and over the lip. It counts as skin."""
    a, m, chin = p.half_width, p.mouth_y, p.chin
    half = [(0, m - 22), (34, m - 26), (52, m - 6), (64, m + 14), (0.72 * a, m - 30), (0.9 * a, 50), (0.965 * a, 45)]
    half += [(0.88 * a * p.jaw, 108), (0.74 * a * p.jaw, 157), (p.chin_width + 0.14 * a, chin - 32), (0, chin + 2)]
    area = fill(pose.place(spline(mirrored(half))), 5.0)
    lip = spot(pose, (0, m + 4 + s.open / 2), (p.mouth_width * 0.95, 11 + s.open / 2), 4)
    area.alpha *= 1 - 0.9 * lip.whole()[area.box]
    hairs = np.clip(0.6 + 0.9 * beard_grain()[area.box], 0, 1)
    shadow = p.tone * np.float32([0.55, 0.57, 0.62]) + 0.25 * p.hair
    under, over = (0.75 * p.beard, p.beard) if p.beard else (0.4 * p.stubble, 0.3 * p.stubble)
    canvas.paint("skin", Patch(area.alpha * under, area.box), shadow, gloss=0.02, skin=0.8)
    canvas.paint("skin", Patch(area.alpha * hairs * over, area.box), 0.8 * p.hair, gloss=0.05, skin=0.3)


# ------------------------------------------------------------------------------------------------------- features


def eye_curves(p: Person, s: Shot, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower edge of the lids, from the inner to the outer corner, in face units."""
    w = p.eye_width / 2
    squint = 1 - 0.22 * max(s.smile, 0)
    up, down = 0.62 * p.eye_open * squint, 0.38 * p.eye_open * (1 - 0.35 * max(s.smile, 0))
    t = p.eye_tilt
    upper = [(-w, 3), (-0.62 * w, -0.62 * up), (-0.08 * w, -up), (0.5 * w, -0.78 * up - 0.3 * t), (w, -t)]
    lower = [(-w, 3), (-0.6 * w, 0.62 * down + 2), (0.1 * w, down + 1), (0.62 * w, 0.62 * down - 0.4 * t), (w, -t)]
    return tuple(spline(sided(c, side), closed=False) + [side * p.eye_x, 0] for c in (upper, lower))


def paint_eye(canvas: Canvas, p: Person, s: Shot, pose: Pose, side: int) -> None:
    """One eye: white, iris, pupil, glint, the lids' shadow, lashes and the fold of the lid."""
    upper, lower = eye_curves(p, s, side)
    outline = pose.place(np.concatenate([upper, lower[::-1]]), 0.02)
    patch = fill(outline, 0.6)
    centre = pose.place([side * p.eye_x, -0.5]) + s.gaze + [0.12 * pose.yaw, 0]
    x, y = patch.grid()
    dx, dy = x - centre[0], y - centre[1]
    radius = 13.0
    r = np.hypot(dx, dy) / radius
    white = planes([0.66, 0.62, 0.59]) * (1 - 0.22 * np.clip(np.hypot(dx / p.eye_width, dy / 22), 0, 1) ** 2)
    angle = np.arctan2(dy, dx)
    rays = 1 + 0.22 * np.sin(17 * angle + 3 * np.sin(5 * angle)) * np.clip(r, 0, 1)
    glow = 0.75 + 0.9 * np.clip(dy / radius, -0.4, 1) * (r < 1)
    iris = planes(p.iris) * (rays * glow * (1.25 - 0.75 * np.clip(r, 0, 1) ** 5))
    colour = white + np.clip((1.04 - r) * 7, 0, 1) * (iris - white)
    colour *= 1 - 0.97 * np.clip((0.43 - r) * 9, 0, 1)
    slope = np.stack([dx, dy]) / 30
    canvas.paint("l_eye" if side > 0 else "r_eye", patch, colour, slope, 0.25, skin=0.1)
    inner = spot(pose, (side * (p.eye_x - p.eye_width / 2 + 2), 3), (4, 3), 1.5)
    canvas.tint(clip(inner, patch), (0.95, 0.62, 0.6))
    lid_shadow = fill(pose.place(ribbon(upper + [0, 2], 8), 0.02), 2.2)
    canvas.darken(clip(lid_shadow, patch), 0.62)
    glint = centre + 5.0 * np.sign(s.light[0]) * np.array([1, 0]) + [0, -4.5]
    canvas.glints.append((clip(fill(ellipse(glint, (2.7, 2.5)), 0.6), patch), 0.85))
    canvas.glints.append((clip(fill(ellipse(2 * centre - glint, (3.5, 1.6)), 1.2), patch), 0.08))
    paint_lids(canvas, p, s, pose, side, upper, lower)


def paint_lids(canvas: Canvas, p: Person, s: Shot, pose: Pose, side: int, upper, lower) -> None:
    """Eye shadow, the fold above, lash line and lashes."""
    fold = upper + np.linspace(0, 1, len(upper))[:, None] * [side * 2, 0] - [0, 5 + 4 * p.lid]
    canvas.tint(fill(pose.place(ribbon(fold, (0.5, 2.6, 2.2, 0.5))), 1.1), (0.62, 0.5, 0.48))
    lid = fill(pose.place(np.concatenate([upper, fold[::-1] - [0, 3 * s.makeup]])), 1.8)
    canvas.tint(lid, np.array([0.93, 0.86, 0.85]) - s.makeup * np.array([0.32, 0.38, 0.30]))
    dark = np.array([0.10, 0.07, 0.06])
    line = fill(pose.place(ribbon(upper, (1.5, 3.2 + 1.5 * s.makeup, 3.6 + 2.2 * s.makeup, 1.5))), 0.7)
    canvas.tint(line, dark)
    wing = np.array([upper[-6], upper[-1] + [side * (2 + 4 * p.soft), -1.5 - 2 * p.soft]])
    canvas.tint(fill(pose.place(ribbon(wing, (3, 0.5))), 0.6), dark)
    canvas.tint(fill(pose.place(ribbon(lower + [0, 0.8], (0.5, 1.2, 1.8 + s.makeup, 0.8))), 0.8), (0.42, 0.32, 0.3))
    wet = fill(pose.place(ribbon(lower - [0, 0.6], 1.2)), 0.6)
    canvas.tint(wet, (1.12, 0.95, 0.93))
    lashes = []
    for t in np.linspace(0.3, 0.99, 16):
        root = upper[int(t * (len(upper) - 1))]
        length = (2.5 + 3.5 * p.soft + 2.5 * s.makeup) * (0.4 + 0.6 * t)
        lashes.append(ribbon([root, root + length * np.array([side * (t - 0.40) * 1.5, -0.8])], (1.2, 0.3)))
    canvas.tint(fill(pose.place(np.stack(lashes)), 0.6), (0.35, 0.30, 0.28))


def paint_brow(canvas: Canvas, p: Person, s: Shot, pose: Pose, side: int, rng: np.random.Generator) -> None:
    """One brow: a soft tapering shape broken up into hairs."""
    w, y = p.brow_length, p.brow_y - s.brow_lift
    start = p.eye_x - 0.52 * w
    spine = [(start, y + 3 + 0.6 * p.brow_tilt), (start + 0.3 * w, y), (start + 0.66 * w, y - p.brow_arch)]
    spine.append((start + w, y + 6 - 0.4 * p.brow_arch - 0.4 * p.brow_tilt))
    spine = spline(sided(spine, side), closed=False)
    thick = p.brow_thick
    patch = fill(pose.place(ribbon(spine, (0.62 * thick, thick, 0.86 * thick, 0.18 * thick))), 1.3)
    along = rng.uniform(0, 0.95, 130)
    i = (along * (len(spine) - 2)).astype(int)
    step = spine[i + 1] - spine[i]
    across = rng.uniform(-0.45, 0.5, 130) * thick * (1 - 0.6 * along)
    roots = spine[i] + np.stack([np.zeros(130), across], axis=1)
    rise = np.stack([np.zeros(130), 6.75 * along - 4.5], axis=1)
    tips = roots + step / np.linalg.norm(step, axis=1, keepdims=True) * rng.uniform(6, 11, (130, 1)) + rise
    lines = pose.place(np.stack([roots, tips], axis=1)) - [patch.box[1].start, patch.box[0].start]
    hairs = np.zeros(patch.alpha.shape, np.uint8)
    for i, group in enumerate(np.array_split(np.round(lines * 16).astype(np.int32), 4)):
        cv2.polylines(hairs, list(group), False, 160 + 30 * i, 1, cv2.LINE_AA, 4)
    strands = cv2.GaussianBlur(hairs.astype(np.float32) / 255, (0, 0), 0.5)
    full = np.clip(patch.alpha * 0.60 + np.clip(patch.alpha * 3, 0, 1) * strands * 0.5, 0, 1)
    colour = 0.6 * p.hair + 0.07 * p.tone
    canvas.paint("l_brow" if side > 0 else "r_brow", Patch(full, patch.box), colour, gloss=0.03, skin=0.3)


def paint_nose(canvas: Canvas, p: Person, pose: Pose) -> None:
    """Its shape is in the face's height already: here its area, the wings' creases and the nostrils."""
    w, n = p.nose_width, p.nose_length
    half = [(0, -6), (p.nose_bridge, -4), (p.nose_bridge * 1.15, 0.45 * n), (0.80 * w, n - 22), (1.02 * w, n - 9)]
    half += [(0.92 * w, n + 1), (0.5 * w, n + 3), (0, n + 5)]
    patch = fill(pose.place(spline(mirrored(half)), 0.25), 0.8)
    canvas.claim("nose", patch)
    for side in (1, -1):
        wing = [(0.84 * w, n - 24), (1.07 * w, n - 10), (0.92 * w, n + 1), (0.66 * w, n + 2)]
        canvas.tint(stroke(pose, sided(wing, side), (0.5, 3.4, 3.2, 0.5), 1.5, 0.25), (0.66, 0.52, 0.5))
        hole = ellipse((side * 0.47 * w, n - 1.5), (0.23 * w, 3.4), side * 0.25)
        canvas.tint(fill(pose.place(hole, 0.3), 1.3), (0.20, 0.11, 0.10))
        edge = [(p.nose_bridge + 2, 6), (p.nose_bridge + 5, 0.5 * n), (0.75 * w, n - 20)]
        canvas.darken(stroke(pose, sided(edge, side), (2, 6, 3), 4, 0.2), 0.14)
    canvas.tint(spot(pose, (0, n + 3), (0.62 * w, 2.2), 1.6), (0.72, 0.58, 0.56))


@dataclass(frozen=True)
class Mouth:
    """The four edges of the lips from the viewer's left to right, (n, 2) face units each."""

    top: np.ndarray
    seam_up: np.ndarray
    seam_low: np.ndarray
    bottom: np.ndarray


def mouth_curves(p: Person, s: Shot) -> Mouth:
    """A smile widens the mouth, lifts its corners and thins the lips; an open mouth parts in the middle."""
    happy = max(s.smile, 0)
    width = p.mouth_width * (1 + 0.2 * s.smile)
    up, low = p.upper_lip * (1 - 0.2 * happy), p.lower_lip * (1 - 0.15 * happy)
    x = np.linspace(-1, 1, 41, dtype=np.float32)
    far = np.abs(x)
    seam = p.mouth_y + 4 * s.smile - (2 + 12 * s.smile) * far**1.8 + 1.5 * np.exp(-((x / 0.2) ** 2)) - 0.8
    gap = s.open * (1 - far**2.2)
    bow = p.bow * (np.exp(-((x / 0.13) ** 2)) - 0.35 * np.exp(-(((far - 0.26) / 0.16) ** 2)))
    top = seam - 0.35 * gap - up * (1 - far**1.5) ** 0.9 + bow * (1 - far)
    bottom = seam + 0.65 * gap + low * (1 - far**2.3) ** 0.85
    edges = (top, seam - 0.35 * gap, seam + 0.65 * gap, bottom)
    return Mouth(*(np.stack([width * x, edge], axis=1) for edge in edges))


def paint_mouth(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Inside first, then the lips round it, then the dark line between them."""
    m = mouth_curves(p, s)
    seam = np.concatenate([m.seam_up, m.seam_low[::-1]])
    if s.open:
        paint_mouth_inside(canvas, p, s, pose, fill(pose.place(seam, 0.05), 0.7), m)
    rouge = np.array([0.62, 0.10, 0.13]) * (0.35 + 0.65 * (1 - p.depth))
    natural = p.tone * (np.array([0.82, 0.48, 0.50]) + 0.12 * p.depth)
    lip = natural + 0.55 * s.makeup * p.lip_red * (rouge - natural)
    for part, edge, inner, shade, lean in (
        ("u_lip", m.top, m.seam_up, 0.80, 0.35),
        ("l_lip", m.bottom, m.seam_low, 1.0, -0.05),
    ):
        patch = fill(pose.place(np.concatenate([edge, inner[::-1]]), 0.05), 0.9)
        slope = cut(canvas.slope, patch.box) * 0.7 + pillow(patch.alpha, 3.0, 5.0) + planes([0, lean])
        canvas.paint(part, patch, lip * shade, gloss=0.22 + 0.5 * s.makeup, skin=0.8)
        blend(cut(canvas.slope, patch.box), patch.alpha, slope)
    if not s.open:
        canvas.tint(fill(pose.place(ribbon(m.seam_up, (1.2, 2.4, 2.8, 2.4, 1.2)), 0.05), 0.8), (0.22, 0.12, 0.12))
    for side in (0, -1):
        canvas.tint(fill(pose.place(ellipse(m.top[side], (4, 3))), 2), (0.55, 0.42, 0.4))


def paint_mouth_inside(canvas: Canvas, p: Person, s: Shot, pose: Pose, patch: Patch, m: Mouth) -> None:
    """A dark cavity, the tongue, and a row of teeth that darkens towards the corners."""
    canvas.paint("mouth", patch, (0.07, 0.012, 0.012), (0, 0), 0.05)
    tongue = fill(pose.place(ellipse((0, p.mouth_y + s.open * 0.9 + 2), (p.mouth_width * 0.5, 6)), 0.05), 2)
    tongue = clip(tongue, patch)
    canvas.tint(tongue, (3.2, 4.5, 4.5))
    drop = np.minimum(m.seam_low[:, 1] - m.seam_up[:, 1], 5.5 + 6 * max(s.smile, 0))[:, None] * [0, 1]
    row = clip(fill(pose.place(np.concatenate([m.seam_up - [0, 2], (m.seam_up + drop)[::-1]]), 0.05), 0.7), patch)
    across = np.linspace(-1, 1, row.alpha.shape[1], dtype=np.float32)
    gaps = 1 - 0.22 * np.exp(-((np.sin(np.pi * 5.0 * across) / 0.16) ** 2))
    ivory = planes([0.80, 0.76, 0.69]) * ((1 - 0.5 * across**2) * gaps)
    canvas.paint("mouth", row, ivory, (0, -0.1), 0.25)
    shadow = fill(pose.place(ribbon(m.seam_up, 5), 0.05), 1.5)
    canvas.darken(clip(shadow, patch), 0.5)


# ----------------------------------------------------------------------------------------------------------- hair


@dataclass(frozen=True)
class Sheet:
    """A sheet of hair: (t, s, 2) control points in face units, strand t from its root s = 0 to its tip."""

    grid: np.ndarray
    strands: int
    front: bool  # over face and clothes, or behind neck and head
    wave: float = 0.0  # sideways swing of a strand, face units
    turns: float = 2.0  # swings along a strand
    dark: float = 1.0
    loose: bool = False  # its ends hang free and ragged


def hairline(p: Person, n: int) -> np.ndarray:
    """(n, 2) the edge of the hair round the forehead, from the viewer's left sideburn to the right one."""
    a, h = p.half_width, p.hairline
    bay = 26 * p.temple
    half = [(0, h), (0.30 * a, h - 0.2 * bay - 1), (0.58 * a, h + 16 - 1.2 * bay), (0.80 * a, h + 52 - 0.9 * bay)]
    half += [(0.885 * a, -62), (0.93 * a, -22), (0.965 * a, 22)]
    half = np.array(half)
    curve = spline(np.concatenate([half[:0:-1] * [-1, 1], half]), closed=False)
    return curve[np.linspace(0, len(curve) - 1, n).astype(int)]


def strip(roots, tips, lift: float = 0.0, sweep=0.0, s: int = 5) -> np.ndarray:
    """(t, s, 2) strands from roots to tips that bow by `lift` to the outside and by `sweep`, one or (t,), sideways."""
    roots, tips = np.asarray(roots, np.float32)[:, None], np.asarray(tips, np.float32)[:, None]
    f = np.linspace(0, 1, s, dtype=np.float32)[None, :, None]
    sideways = np.broadcast_to(np.asarray(sweep, np.float32), len(roots))[:, None, None] * np.float32([1, 0])
    out = tips / (np.linalg.norm(tips, axis=-1, keepdims=True) + 1e-6)
    return roots + (tips - roots) * f + np.sin(np.pi * f) * (lift * out + sideways)


def between(inner, outer, n: int = 9) -> np.ndarray:
    """(n, s, 2) strands that pass over from one guide curve to another."""
    f = np.linspace(0, 1, n, dtype=np.float32)[:, None, None]
    return (1 - f) * np.asarray(inner, np.float32)[None] + f * np.asarray(outer, np.float32)[None]


def swept(p: Person, lift: float, sweep: float, strands: int, wave=0.0, turns=2.0, spread=100, taper=0.85) -> Sheet:
    """Hair combed from the hairline up and back: every short style and every tied one.

    It ends `spread` degrees from the top on either side, where `taper` of its lift is gone.
    """
    n = 29
    angles = np.linspace(-spread, spread, n)
    lifts = 1.5 + lift * (1 - taper * (np.abs(angles) / spread) ** 3)
    sideways = sweep * np.cos(np.radians(angles)) ** 2
    grid = strip(hairline(p, n) + [0, 2], skull(p, angles, lifts), 0.25 * lift, sideways)
    return Sheet(grid, strands, True, wave, turns)


def along(points, n: int) -> np.ndarray:
    """(n, 2) points evenly spread along the smooth curve through some."""
    curve = spline(points, closed=False)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return np.stack([np.interp(np.linspace(0, length[-1], n), length, curve[:, i]) for i in (0, 1)], axis=1)


def parted(p: Person, lift: float, low: float, flare: float, strands: int, wave=0.0, turns=2.0) -> list[Sheet]:
    """Two curtains from a parting down beside the face to v = low, and the fall behind the neck."""
    a, h, sheets = p.half_width, p.hairline, []
    out = a + 8 + lift + flare
    start = 0.38 * p.part_side
    for side in (-1, 1):
        inner = [(p.part_side, h + 2), (side * 0.45 * a + 0.4 * p.part_side, h + 22), (side * 0.84 * a, -72)]
        beside = [(0.955 * a, 0), (0.95 * a, 70), (0.86 * a, 0.55 * low + 50), (0.80 * a, low)]
        inner = along([*inner, *sided(beside, side)], 9)
        over = skull(p, np.linspace(start, side * 84, 6), np.linspace(lift, lift + 5, 6))
        down = [(out - 3, 45), (out + 4, 0.55 * low + 20), (out - 4, low - 6)]
        outer = along([*over, *sided(down, side)], 9)
        sheets.append(Sheet(between(inner, outer, 13), strands, True, wave, turns, loose=True))
    left = np.array([(-a - lift, -60), (-out + 4, 40), (-out, 0.55 * low + 20), (-out + 10, low - 6)])
    return [Sheet(between(left, left * [-1, 1], 15), strands // 2, False, wave, turns, 0.45, True), *sheets]


def fringe(p: Person, lift: float, strands: int) -> Sheet:
    """Hair combed down over the forehead to the brows."""
    a, n = p.half_width, 15
    t = np.linspace(-1, 1, n)
    roots = np.stack([0.45 * a * t, np.full(n, p.crown - 0.35 * lift) + 12 * t**2], axis=1)
    tips = np.stack([0.93 * a * t, p.brow_y - 9 - 6 * p.volume + 16 * t**2], axis=1)
    return Sheet(strip(roots, tips, 0.1 * lift, 0.10 * p.part_side), strands, True, 1.5, 1.0, loose=True)


def ball(centre, radius: float, strands: int) -> Sheet:
    """A bun."""
    t = np.linspace(0.4, 2 * np.pi + 0.4, 17)
    ring = np.stack([np.cos(t), 0.86 * np.sin(t)], axis=1)
    return Sheet(between(centre + 0.5 * ring, centre + radius * ring, 9), strands, False)


def hair_sheets(p: Person, hat: bool) -> list[Sheet]:
    """The style as sheets, back to front. Under a hat the hair lies flat."""
    v = p.volume
    flat = 0.3 if hat else 1.0
    sweep = 18 * np.sign(p.part_side)
    low = 262 + 40 * v
    bun = np.array([0.1 * p.part_side, p.crown - 20])
    styles = {
        "bald": lambda: [],
        "receding": lambda: side_hair(p, 5 + 4 * v),
        "crop": lambda: [swept(p, (9 + 9 * v) * flat, sweep, 700, 0.8)],
        "quiff": lambda: [swept(p, (18 + 12 * v) * flat, 1.6 * sweep, 700, 1.2)],
        "curls": lambda: [swept(p, (18 + 22 * v) * flat, 4, 600, 5.0, 3.5, 106, 0.7)],
        "afro": lambda: [swept(p, (42 + 26 * v) * flat, 0, 900, 5.0, 6.0, 116, 0.7)],
        "bun": lambda: [ball(bun, 36 + 10 * v, 200), swept(p, 5 + 3 * v, 0.3 * sweep, 700)],
        "bob": lambda: parted(p, (12 + 10 * v) * flat, 128 + 50 * v, 6, 480, 1.0),
        "long": lambda: parted(p, (8 + 9 * v) * flat, low, 8, 520, 2.0),
        "wavy": lambda: parted(p, (12 + 10 * v) * flat, low, 20, 520, 6.0, 2.6),
        "long curls": lambda: parted(p, (18 + 14 * v) * flat, 190 + 60 * v, 26, 560, 7.0, 3.6),
        "fringe": lambda: [*parted(p, (10 + 8 * v) * flat, 150 + 110 * v, 4, 480, 1.0), fringe(p, 14, 420)],
    }
    return styles[p.style]()


def side_hair(p: Person, lift: float) -> list[Sheet]:
    """What is left when the top is bald."""
    roots = hairline(p, 29)[-8:] + [0, 3]
    strands = strip(roots, skull(p, np.linspace(62, 100, 8), np.linspace(0, lift, 8)), 1.0)
    return [Sheet(strands * [side, 1], 170, True, 0.6) for side in (-1, 1)]


def strand_curves(sheet: Sheet, pose: Pose, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the guide curves (t, m, 2) and of every single strand (n, m, 2)."""
    fine = 4 if sheet.wave < 3 else 7 if sheet.turns < 3 else 14  # as many points as the swings need
    guides = np.stack([spline(curve, closed=False, n=fine) for curve in sheet.grid])
    guides = pose.place(guides, -0.15 if sheet.front else -0.6)
    t = np.sort(rng.uniform(0, len(guides) - 1.001, sheet.strands))
    i = t.astype(int)
    f = (t - i)[:, None, None].astype(np.float32)
    strands = (1 - f) * guides[i] + f * guides[i + 1]
    s = np.linspace(0, 1, strands.shape[1], dtype=np.float32)[None]
    lock = np.floor(t / len(guides) * 26)[:, None]  # neighbours swing together, as locks do; tight curls do not
    phase = 2.4 * lock + rng.normal(0, 0.25 + 0.012 * sheet.turns**3, (len(t), 1))
    swing = sheet.wave * np.minimum(1, 3 * s) * np.sin(2 * np.pi * sheet.turns * s + phase)
    stray = rng.normal(0, 1.5, (len(t), 1)) * s**2
    tangent = np.gradient(strands, axis=1)
    tangent /= np.linalg.norm(tangent, axis=2, keepdims=True) + 1e-6
    normal = np.dstack([-tangent[..., 1], tangent[..., 0]])
    ragged = rng.uniform(-3, 4, (len(t), 1, 1))  # so that the hairline is not a cut edge
    return guides, strands + normal * (swing + stray)[..., None] + tangent * ragged


DARKEST = 76  # the brightness of hair in its own shade, of 255; below it a pixel is covered in part


def draw_strands(guides: np.ndarray, strands: np.ndarray, sheet: Sheet, rng: np.random.Generator) -> np.ndarray:
    """(512, 512) uint8 brightness of the hair, from DARKEST up where there is any. Strands shine in a band."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    m = strands.shape[1]
    body = guides[1:-1] if sheet.wave > 3 else guides  # curls make their own uneven edge
    body = body[:, : int(0.94 * m)] if sheet.loose else body
    outline = np.concatenate([body[:, 0], body[-1, 1:], body[::-1, -1][1:], body[0, ::-1][1:]])
    cv2.fillPoly(picture, [np.round(outline * 16).astype(np.int32)], DARKEST, cv2.LINE_AA, 4)
    fixed = np.round(strands * 16).astype(np.int32)
    ends = rng.integers(int((0.86 if sheet.loose else 0.94) * m), m + 1, len(strands))
    gleam = 40 / (1 + 0.25 * sheet.wave)
    for i, group in enumerate(np.array_split(rng.permutation(len(strands)), 30)):
        level = DARKEST + 80 * (0.618 * i % 1)  # whatever lies on top at last, dark and light are side by side
        curves = [fixed[j, : ends[j]] for j in group]
        cv2.polylines(picture, curves, False, level, 1 + int(rng.uniform() < 0.4), cv2.LINE_AA, 4)
        start, end = sorted(rng.normal((0.18, 0.46), 0.08))
        shiny = [c[max(0, int(start * m)) : int(end * m) + 2] for c in curves]
        cv2.polylines(picture, shiny, False, level + gleam, 1, cv2.LINE_AA, 4)
    return picture


def paint_hair(canvas: Canvas, p: Person, s: Shot, pose: Pose, sheets: list[Sheet], rng: np.random.Generator) -> None:
    """Sheets over each other; the front ones throw a shadow on the face."""
    for sheet in sheets:
        picture = draw_strands(*strand_curves(sheet, pose, rng), sheet, rng)
        x, y, width, height = cv2.boundingRect(picture)
        if not width:
            continue
        box = slice(y, y + height), slice(x, x + width)
        level = np.maximum(picture[box], DARKEST).astype(np.float32) / 128
        patch = Patch(blur(np.minimum(picture[box], DARKEST).astype(np.float32) / DARKEST, 0.7), box)
        if sheet.front:
            canvas.cast(patch, s, 7, 5, 0.5)
        colour = planes(p.hair * sheet.dark) * (0.25 + planes([1.04, 0.99, 0.93]) * level**1.3)
        body = np.clip(cut(pillow(patch.whole(), 18, 42), box) + slopes(level), -1.6, 1.6)
        canvas.paint("hair", patch, colour, body, (0.03 + 0.06 * level) * sheet.dark)
        edge = blur(patch.whole(), 5)[box]
        canvas.darken(Patch(np.clip(1.35 - edge, 0, 1) * patch.alpha, box), 0.25)


# ------------------------------------------------------------------------------------------- clothes, accessories


def neckline_curve(p: Person, kind: str) -> list[tuple[float, float]]:
    """The right half of the garment's upper edge, from the middle to the shoulder."""
    n = p.neck
    return {
        "crew": [(0, 246), (0.5 * n, 240), (0.95 * n, 219), (1.18 * n, 204)],
        "vee": [(0, 292), (0.5 * n, 258), (1.0 * n, 222), (1.22 * n, 206)],
        "collar": [(0, 282), (0.5 * n, 255), (1.0 * n, 218), (1.14 * n, 200)],
        "turtle": [(0, 214), (0.5 * n, 208), (0.95 * n, 188), (1.12 * n, 184)],
        "scoop": [(0, 285), (0.9 * n, 268), (1.5 * n, 236), (1.72 * n, 222)],
        "jacket": [(0, 330), (0.55 * n, 268), (1.0 * n, 224), (1.24 * n, 203)],
    }[kind]


def cloth_colour(s: Shot, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(3, h, w) linear RGB of the garment's pattern at pixels x, y."""
    period = rng.uniform(13, 30)
    weave = 1 + 0.05 * np.sin(2.1 * x) * np.sin(2.1 * y)
    if s.pattern == "stripes":
        mix = np.clip(0.5 + 3 * np.sin(2 * np.pi * (y + 0.12 * np.abs(x - 256)) / period), 0, 1)
    elif s.pattern == "checks":
        mix = 0.25 * (np.sin(2 * np.pi * x / period) > 0.2) + 0.25 * (np.sin(2 * np.pi * y / period) > 0.2)
    elif s.pattern == "dots":
        grid_x, grid_y = (x % period) - period / 2, (y % period) - period / 2
        mix = np.clip(0.25 * period - np.hypot(grid_x, grid_y), 0, 1)
    else:
        mix = np.zeros_like(x)
    if s.pattern == "knit":
        weave = 1 + 0.25 * np.sin(2 * np.pi * x / 7) * np.cos(2 * np.pi * (y + 3 * np.sin(2 * np.pi * x / 7)) / 9)
    return (planes(s.cloth) + mix * planes(s.trim - s.cloth)) * weave


def cloth_surface(patch: Patch, rng: np.random.Generator) -> np.ndarray:
    """(2, h, w) slopes: round shoulders and a few folds."""
    folds = slopes(rolled_noise(rng, 14.0)[patch.box] * 5.4)
    return cut(pillow(patch.whole(), 20, 42), patch.box) + folds + planes([0, -0.3])


def paint_cloth(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """The garment, the shadow it throws on the neck, and its edge: rib, collar or lapels."""
    if s.neckline == "jacket":
        shirt = [(0, 262), (0.5 * p.neck, 246), (p.neck, 216), (1.2 * p.neck, 204), (150, 330), (0, 340)]
        patch = fill(pose.place(mirrored(shirt)), 0.7)
        canvas.paint("cloth", patch, (0.78, 0.78, 0.8), pillow(patch.alpha, 8, 16), 0.03)
    edge = neckline_curve(p, s.neckline)
    upper = spline(edge, closed=False)
    pad = 8 if s.neckline == "jacket" else 0
    shoulder = spline([edge[-1], (2.0 * p.neck, 226 - pad), (2.75 * p.neck, 250), (330, 320)], closed=False)
    half = np.concatenate([upper, shoulder[1:], [(330, 400), (0, 400)]])
    patch = fill(pose.place(mirrored(half)), 0.8)
    canvas.cast(patch, s, 6, 5, 0.4)
    colour = cloth_colour(s, *patch.grid(), rng)
    canvas.paint("cloth", patch, colour, cloth_surface(patch, rng), 0.03)
    whole = np.concatenate([upper[::-1] * [-1, 1], upper[1:]])
    if s.neckline == "turtle":
        tube = np.concatenate([whole, whole[::-1] * [1.04, 1] + [0, 34]])
        rib = fill(pose.place(tube), 0.8)
        stripes = 1 + 0.12 * np.sin(2 * np.pi * rib.grid()[0] / 6)
        canvas.paint("cloth", rib, planes(0.9 * s.cloth) * stripes, cut(pillow(rib.whole(), 9, 20), rib.box), 0.03)
    elif s.neckline in ("crew", "scoop"):
        rib = clip(fill(pose.place(ribbon(whole + [0, 4], 8)), 0.8), patch)
        canvas.paint("cloth", rib, s.cloth * 0.82, pillow(rib.alpha, 3, 8), 0.03)
    elif s.neckline in ("collar", "jacket"):
        paint_collar(canvas, p, s, pose)


# The flap on the viewer's right, clockwise: u as a share of the neck's half width, and v.
FLAPS = {
    "collar": ((1.12, 1.32, 0.95, 0.42, 0.10, 0.55), (192, 214, 266, 298, 268, 238)),
    "jacket": ((1.2, 1.42, 1.62, 1.5, 0.9, 0.3, 0.9), (198, 214, 236, 262, 320, 300, 232)),
}


def paint_collar(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Two flaps: of a shirt, or the lapels of a jacket."""
    share, down = FLAPS[s.neckline]
    flap = np.stack([p.neck * np.array(share), down], axis=1)
    colour = (0.88 * s.cloth + 0.02) if s.neckline == "jacket" else (1.04 * s.cloth + 0.01)
    for side in (-1, 1):
        patch = fill(pose.place(sided(flap, side)), 0.9)
        canvas.cast(patch, s, 5, 4, 0.4)
        canvas.paint("cloth", patch, colour, pillow(patch.alpha, 4, 9), 0.03)


def paint_necklace(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """A chain with a pendant, beads or pearls, hanging in a curve round the neck."""
    n, drop = p.neck, 248 if s.necklace == "chain" else 240
    curve = [(-1.02 * n, 196), (-0.7 * n, 224), (0, drop), (0.7 * n, 224), (1.02 * n, 196)]
    if s.necklace == "chain":
        colour, radius, beads = random_metal(rng), 8.0, [(0, drop + 9)]
        patch = stroke(pose, curve, 4.0, 0.5)
        canvas.cast(patch, s, 4, 2, 0.5)
        canvas.paint("neck_l", patch, colour, pillow(patch.alpha, 1.2, 4), 1.2)
    else:
        pearls = s.necklace == "pearls"
        colour, radius = (linear((236, 228, 214)), 6.5) if pearls else (linear(random_colour(rng)), 8.0)
        beads = along(curve, round(1.34 * n / radius) + 1)
    for bead in beads:
        jewel(canvas, "neck_l", pose.place(bead), radius, colour)


def random_metal(rng: np.random.Generator) -> np.ndarray:
    """(3,) linear RGB of gold or silver."""
    return linear((226, 181, 88) if rng.uniform() < 0.55 else (208, 210, 218))


def jewel(canvas: Canvas, part: str, centre, radius: float, colour) -> None:
    """A round bead at a pixel, with a glint."""
    patch = fill(ellipse(centre, (radius, radius)), 0.5)
    x, y = patch.grid()
    slope = np.stack([x - centre[0], y - centre[1]]) / radius
    canvas.paint(part, patch, colour, slope * 1.1, 0.7)


def paint_earrings(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """A pair, on the lobes that the turn of the head leaves in sight."""
    metal = random_metal(rng)
    stone = linear(random_colour(rng)) * 0.8 + 0.1
    for side in (-1, 1):
        if side * pose.yaw > 14:
            continue
        lobe = pose.place([side * (p.half_width + 3), 54 * p.ear])
        if s.earrings == "stud":
            jewel(canvas, "ear_r", lobe, 6.0, stone)
        elif s.earrings == "hoop":
            patch = fill(ribbon(ellipse(lobe + [side * 3, 26], (15, 23))[np.arange(41) % 40], 4.5), 0.5)
            canvas.paint("ear_r", patch, metal, pillow(patch.alpha, 1.5, 4), 1.2)
        else:
            for i, radius in enumerate((4.0, 5.5, 8.0)):
                jewel(canvas, "ear_r", lobe + [0, (0, 10, 25)[i]], radius, stone if i else metal)


def glasses_outline(p: Person, side: int) -> np.ndarray:
    """(48, 2) one rim: round, rectangular, or drawn up at the outer side."""
    w, h, power = ((33, 29, 2.0), (36, 23, 4.5), (36, 25, 2.8))[p.glasses_shape]
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    u = np.sign(c) * np.abs(c) ** (2 / power) * w
    v = np.sign(s) * np.abs(s) ** (2 / power) * h
    if p.glasses_shape == 2:
        v = v - 0.22 * np.clip(u, 0, None) * (s < 0.3)
    return np.stack([side * (p.eye_x + 2 + u), v + 6], axis=1)


def paint_glasses(canvas: Canvas, p: Person, s: Shot, pose: Pose) -> None:
    """Lenses that one looks through, rims, bridge and arms; they shade the cheeks a little."""
    own = np.random.default_rng(p.marks)
    frame = linear(((28, 25, 26), (74, 44, 30), (150, 120, 70), (60, 64, 84), (120, 40, 44))[own.integers(5)])
    width = own.uniform(3.0, 6.5)
    lenses = [pose.place(glasses_outline(p, side), 0.35) for side in (-1, 1)]
    bars = [ribbon(spline([(-p.eye_x + 31, 0), (0, -6), (p.eye_x - 31, 0)], closed=False), width)]
    for side in (-1, 1):
        bars.append(ribbon(sided([(p.eye_x + 34, -4), (p.half_width + 4, -12)], side), width))
    shapes = [ribbon(np.concatenate([lens, lens[:2]]), width) for lens in lenses]
    shapes += [pose.place(bar, 0.35 if i == 0 else 0.1) for i, bar in enumerate(bars)]
    for lens in lenses:
        glass = fill(lens, 0.5)
        canvas.claim("eye_g", glass)
        canvas.tint(glass, (0.90, 0.92, 0.94))
        gleam = lens.mean(axis=0) + [-9, -9]
        streak = clip(fill(ribbon([gleam + [-8, 9], gleam + [9, -8]], (2, 9, 2)), 2.5), glass)
        canvas.glints.append((streak, 0.07))
    for shape in shapes:
        patch = fill(shape, 0.5)
        canvas.cast(patch, s, 7, 3, 0.35)
        canvas.paint("eye_g", patch, frame, pillow(patch.alpha, 1.5, 4), 0.5)


# The right half of each piece from its top to its bottom: share of the head's width, what is added to it, and how far
# it lies below the brow line; then its shade and its swell.
HAT_EDGES = {
    "beanie": [((0, 0.7, 1, 1, 0.7, 0), (0, 0, 12, 12, 0, 0), (-36, -28, -14, 14, 12, 2), 0.85, 14)],
    "fedora": [
        ((0, 0.7, 1, 1, 0.7, 0), (0, 0, 13, 15, 0, 0), (-44, -38, -26, 0, -8, -12), 0.25, 6),
        ((0, 0.8, 1, 1, 1, 0.8, 0), (0, 0, 40, 76, 40, 0, 0), (-20, -15, -6, 4, 20, 16, 12), 1.0, 22),
    ],
    "cap": [((0, 0.6, 0.92, 0.88, 0.5, 0), 0, (-26, -20, 2, 16, 8, 5), 0.8, 20)],
}


def paint_hat(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """A knitted hat, a brimmed hat or a cap, with its shadow on the forehead."""
    a, brow = p.half_width, min(p.hairline + 40, p.brow_y - 34)
    lowest = np.degrees(np.arccos(((-10 - brow) / (-p.crown - 19)) ** 1.25))  # hidden by what goes round the hat
    top = skull(p, np.linspace(0, 1, 5) * lowest, 16)
    edge = [(0.62 * a, brow + 4), (0, brow - 4)]
    crown = fill(pose.place(spline(mirrored(np.concatenate([top, edge]))), -0.1), 0.8)
    x, y = crown.grid()
    colour = planes(s.trim) * (1 + 0.06 * rolled_noise(rng, 1.2)[crown.box])
    if s.hat == "beanie":
        colour = colour * (1 + 0.22 * np.sin(2 * np.pi * (x + 0.12 * (x - 256) * (y - 100) / 100) / 9))
    canvas.cast(crown, s, 16, 8, 0.5)
    body = cut(pillow(crown.whole(), 30, 95), crown.box) + slopes(0.45 * rolled_noise(rng, 3.0)[crown.box])
    canvas.paint("hat", crown, colour, body, 0.03)
    for widths, out, down, dim, swell in HAT_EDGES[s.hat]:
        half = np.stack([a * np.array(widths) + out, brow + np.array(down)], axis=1)
        patch = fill(pose.place(spline(mirrored(half)), 0.12), 0.8)
        canvas.cast(patch, s, 12, 6, 0.5)
        tone = s.trim * dim
        canvas.paint("hat", patch, tone, cut(pillow(patch.whole(), 5, swell), patch.box) + planes([0, -0.15]), 0.03)


# ------------------------------------------------------------------------------------------------------ the whole


def draw_face(
    seed: int, k: int, pictures_per_person: int = PICTURES_PER_PERSON
) -> tuple[np.ndarray, dict[str, np.ndarray], dict]:
    """Picture k of the sample with that seed.

    Returns the photograph, (512, 512, 3) uint8 RGB; its visible parts, name to bool (512, 512); and its `facts`.
    The result depends on the arguments alone. ValueError: a negative seed or k.
    """
    person, shot = cast_of(seed, k, pictures_per_person)
    rng = np.random.default_rng([seed, 3, k])
    pose = Pose(person.half_width, shot.yaw, shot.pitch, shot.roll)
    canvas = Canvas()
    paint_figure(canvas, person, shot, pose, rng)
    image = develop(canvas, shot, paint_backdrop(shot, rng), rng)
    return image, canvas.masks(), facts(seed, k, pictures_per_person)


def cast_of(seed: int, k: int, pictures_per_person: int) -> tuple[Person, Shot]:
    """Who is on picture k, and how."""
    person = make_person(seed, k // pictures_per_person)
    return person, make_shot(seed, k, person)


def facts(seed: int, k: int, pictures_per_person: int = PICTURES_PER_PERSON) -> dict[str, int | float | str]:
    """What is on picture k, without drawing it; pictures of one person follow each other."""
    p, s = cast_of(seed, k, pictures_per_person)
    return {
        "person": k // pictures_per_person,
        "style": p.style,
        "hair": p.hair_name,
        "glasses": int(s.glasses),
        "hat": s.hat,
        "earrings": s.earrings,
        "necklace": s.necklace,
        "smile": round(s.smile, 2),
        "mouth_open": int(s.open > 0),
    }


def paint_figure(canvas: Canvas, p: Person, s: Shot, pose: Pose, rng: np.random.Generator) -> None:
    """Every layer, back to front."""
    sheets = hair_sheets(p, bool(s.hat))
    paint_hair(canvas, p, s, pose, [sheet for sheet in sheets if not sheet.front], rng)
    flesh = skin_colour(p, rng)
    paint_body(canvas, p, pose, flesh)
    chin_shadow(canvas, p, s, pose)
    if s.necklace:
        paint_necklace(canvas, p, s, pose, rng)
    paint_cloth(canvas, p, s, pose, rng)
    paint_ears(canvas, p, pose, flesh)
    paint_skin(canvas, p, s, pose, flesh, rng)
    paint_nose(canvas, p, pose)
    paint_mouth(canvas, p, s, pose)
    for side in (1, -1):
        paint_eye(canvas, p, s, pose, side)
        paint_brow(canvas, p, s, pose, side, rng)
    if s.earrings:
        paint_earrings(canvas, p, s, pose, rng)
    if s.glasses:
        paint_glasses(canvas, p, s, pose)
    paint_hair(canvas, p, s, pose, [sheet for sheet in sheets if sheet.front], rng)
    if s.hat:
        paint_hat(canvas, p, s, pose, rng)
