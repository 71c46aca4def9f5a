"""Who is on a picture, and how: everything that chance decides about a person and about a shot of them."""

from dataclasses import dataclass

import cv2
import numpy as np

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
    lip_gap: float  # between the lips, face units; 0 is closed
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


def make_person(seed: int, person: int) -> Person:
    """The person with that number: the same for the same seed, whatever else is drawn."""
    rng = np.random.default_rng([seed, 1, person])
    uniform, normal = rng.uniform, rng.normal
    soft = float(np.clip(0.5 + 0.42 * rng.choice([-1, 1]) + normal(0, 0.14), 0, 1))
    age, depth = uniform() ** 1.3, uniform()
    hair_name, hair = hair_colour(rng, depth, age)
    styles = SOFT_STYLES if soft > 0.5 else STRONG_STYLES
    grows_beard = soft < 0.45
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
        beard=uniform(0.45, 1.0) if grows_beard and uniform() < 0.3 else 0.0,
        stubble=uniform(0.0, 0.7) if grows_beard else 0.0,
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
    mouth_opens = uniform() < 0.2 + 0.5 * max(smile, 0)
    cloth, trim = linear(random_colour(rng)), linear(random_colour(rng))
    hair_is_tall = person.style in ("afro", "bun", "quiff") or (person.style == "curls" and person.volume > 0.4)
    ears_show = person.style in ("crop", "quiff", "receding", "bald", "bun")
    necklines = ("crew", "vee", "collar", "turtle", "scoop", "jacket", "crew")
    neckline = necklines[rng.integers(len(necklines))]
    wears_jewels = person.soft > 0.5
    return Shot(
        yaw=float(np.clip(rng.normal(0, 10), -22, 22)),
        pitch=uniform(-6, 6),
        roll=float(np.clip(rng.normal(0, 0.045), -0.1, 0.1)),
        light=light / np.linalg.norm(light),
        warmth=uniform(-1, 1),
        exposure=uniform(0.9, 1.12),
        smile=smile,
        lip_gap=uniform(5, 9) + 11 * max(smile, 0) * uniform(0.5, 1) if mouth_opens else 0.0,
        gaze=rng.normal(0, 1.3, 2) * [1.4, 0.5],
        brow_lift=rng.normal(0, 2),
        makeup=uniform(0.2, 1.0) if wears_jewels and uniform() < 0.75 else 0.0,
        glasses=(person.glasses and bool(uniform() < 0.85)) or bool(uniform() < 0.03),
        hat=("beanie", "fedora", "cap")[rng.integers(3)] if uniform() < 0.1 and not hair_is_tall else "",
        earrings=("stud", "hoop", "drop")[rng.integers(3)] if wears_jewels and ears_show and uniform() < 0.7 else "",
        necklace=("chain", "beads", "pearls")[rng.integers(3)]
        if wears_jewels and neckline != "turtle" and uniform() < 0.4
        else "",
        neckline=neckline,
        pattern=("plain", "plain", "stripes", "checks", "dots", "knit")[rng.integers(6)],
        cloth=cloth,
        trim=trim,
        backdrop=linear(backdrop_colours(rng)),
        bokeh=int(rng.integers(0, 26)) if uniform() < 0.6 else 0,
        grain=uniform(0.002, 0.007),
    )


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


def linear(colour) -> np.ndarray:
    """0..255 display RGB to 0..1 linear light; gamma 2 is near enough and cheap."""
    return (np.asarray(colour, np.float32) / 255.0) ** 2
