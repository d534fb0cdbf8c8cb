"""Render what a patrolling robot's camera sees: one object in a corridor, in a declared context.

A CIFAR-10 image of 32x32 is enlarged to about the centre square of the frame, under pan, zoom and
changing exposure, in front of a procedural corridor that moves with the robot; then the context
acts on the whole frame. Every function is pure: random numbers come in as arguments. Arrays see
only elementwise sums, products and rounding, and scalar sines are rounded, so that the bytes do
not depend on the processor.
"""

from __future__ import annotations

from functools import lru_cache
import io
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 160, 120  # [px]
SQUARE = 120  # side of the centre square that the classifier sees [px]
OBJECT = 32  # side of a source image [px]
JPEG_QUALITY = 80
CONTEXTS = ('day', 'dusk', 'motion_blur', 'dirty_lens')

MAX_PAN_PX = 6.0  # of the frame; 1.6 px at 32x32
ZOOM = (0.94, 1.09)  # side of the object over SQUARE
EXPOSURE_WOBBLE = 0.1
BLUR_PX = (11.0, 17.0)
DUSK_LEVEL = 0.55
DUSK_TINT = (0.88, 0.97, 1.16)
DUSK_NOISE = 4.0  # standard deviation, of 255
VEIL = 0.2  # share of stray light on a dirty lens
VEIL_COLOUR = (158.0, 152.0, 140.0)
SMUDGES = (  # centre x, y, radii x, y [px], opacity at the centre
    (62.0, 44.0, 26.0, 18.0, 0.4),
    (104.0, 74.0, 22.0, 30.0, 0.35),
    (74.0, 98.0, 30.0, 14.0, 0.3),
    (128.0, 22.0, 24.0, 20.0, 0.35),
    (14.0, 70.0, 18.0, 26.0, 0.3),
)
EDGE_PX = 7.0  # the object's border fades into the corridor over this width
FOCAL_PX = 105.0
WALL_M, EYE_M, CEILING_M = 1.3, 0.55, 1.5  # half width, height above floor, below ceiling
FAR_M = 14.0  # length of the corridor in view
FAR_COLOUR = (176.0, 172.0, 162.0)


class Motion(NamedTuple):
    """Where object and robot are at one moment."""

    pan_x_px: float
    """Object centre right of the frame centre, [px], at most `MAX_PAN_PX` in size."""
    pan_y_px: float
    """Object centre below the frame centre, [px], at most `MAX_PAN_PX` in size."""
    zoom: float
    """Side of the object over `SQUARE`, in `ZOOM`."""
    exposure: float
    """Gain of the camera, 1 +- `EXPOSURE_WOBBLE`."""
    blur_px: float
    """Length of the smear, used by the context motion_blur only, in `BLUR_PX`."""
    blur_slope: float
    """Rows per column of the smear, in [-0.5, 0.5]."""
    walk_m: float
    """Distance driven along the corridor, [m]."""


class Sway(NamedTuple):
    """How one object moves while in view: eight draws in [0, 1)."""

    draws: tuple[float, ...]

    def at(self, time_s: float, walk_m: float) -> Motion:
        """Return the motion `time_s` after the object came into view."""
        u = self.draws
        tau = 2.0 * math.pi
        pan_x = MAX_PAN_PX * math.sin(tau * (u[0] + (0.15 + 0.25 * u[1]) * time_s))
        pan_y = 0.7 * MAX_PAN_PX * math.sin(tau * (u[2] + (0.15 + 0.25 * u[3]) * time_s))
        middle, half = (ZOOM[0] + ZOOM[1]) / 2.0, (ZOOM[1] - ZOOM[0]) / 2.0
        zoom = middle + half * math.sin(tau * (u[4] + 0.12 * time_s))
        exposure = 1.0 + EXPOSURE_WOBBLE * math.sin(tau * (u[5] + 0.3 * time_s))
        blur = BLUR_PX[0] + (BLUR_PX[1] - BLUR_PX[0]) * u[6]
        values = (pan_x, pan_y, zoom, exposure, blur, u[7] - 0.5, walk_m)
        return Motion(*(round(value, 4) for value in values))


def draw_sway(draw: np.random.Generator) -> Sway:
    """Return the motion of a new object."""
    return Sway(tuple(draw.random(8).tolist()))


def draw_noise(draw: np.random.Generator) -> NDArray[np.float64]:
    """Return sensor noise (HEIGHT, WIDTH, 3) of mean 0 and deviation 1, a sum of four draws."""
    size = (4, HEIGHT, WIDTH, 3)
    total = draw.integers(0, 256, size, dtype=np.uint8).sum(axis=0, dtype=np.int64)
    return np.asarray((total - 510) / 147.8)


def render(
    image: NDArray[np.uint8],
    motion: Motion,
    context: str,
    noise: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Return the camera frame (HEIGHT, WIDTH, 3) uint8 RGB.

    Args:
        image: the object, (32, 32, 3) uint8 RGB.
        motion: where object and robot are.
        context: one of `CONTEXTS`.
        noise: (HEIGHT, WIDTH, 3) of standard deviation 1; see `draw_noise`.

    Raises:
        ValueError: the context is unknown or an array has a wrong shape.
    """
    if context not in CONTEXTS:
        raise ValueError(f'unknown context {context!r}; one of {", ".join(CONTEXTS)}')
    if image.shape != (OBJECT, OBJECT, 3) or noise.shape != (HEIGHT, WIDTH, 3):
        raise ValueError(
            f'image {image.shape} and noise {noise.shape} must be '
            f'{(OBJECT, OBJECT, 3)} and {(HEIGHT, WIDTH, 3)}'
        )
    scene = place(image, motion, corridor(motion.walk_m, motion.pan_x_px))
    if context == 'motion_blur':
        scene = smear(scene, motion.blur_px, motion.blur_slope)
    if context == 'dirty_lens':
        cover = _lens()[..., None]
        scene = scene * (1.0 - cover) + np.asarray(VEIL_COLOUR) * cover
    scene = scene * motion.exposure
    if context == 'dusk':
        scene = scene * (DUSK_LEVEL * np.asarray(DUSK_TINT)) + DUSK_NOISE * noise
    return np.floor(np.clip(scene, 0.0, 255.0) + 0.5).astype(np.uint8)


def object_box(motion: Motion) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of the object in the frame, [px]."""
    half = SQUARE * motion.zoom / 2.0
    x, y = WIDTH / 2.0 + motion.pan_x_px, HEIGHT / 2.0 + motion.pan_y_px
    return x - half, y - half, x + half, y + half


def place(
    image: NDArray[np.uint8], motion: Motion, scene: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `scene` (HEIGHT, WIDTH, 3) with the object in front, its border fading out."""
    left, top, right, bottom = object_box(motion)
    pixels = image.astype(np.float64)
    rows = _enlarge(pixels, HEIGHT, top, bottom)
    enlarged = _enlarge(rows.transpose(1, 0, 2), WIDTH, left, right).transpose(1, 0, 2)
    cover = np.minimum(_cover(HEIGHT, top, bottom)[:, None], _cover(WIDTH, left, right)[None, :])
    return np.asarray(scene + cover[..., None] * (np.clip(enlarged, 0.0, 255.0) - scene))


def _enlarge(
    pixels: NDArray[np.float64], size: int, start: float, stop: float
) -> NDArray[np.float64]:
    """Stretch axis 0 of (32, ...) over [start, stop) of `size` pixels; cubic, four taps."""
    at = (np.arange(size) + 0.5 - start) * (OBJECT / (stop - start)) - 0.5
    first = np.floor(at)
    t = at - first
    a = -0.75  # sharper than Catmull-Rom: makes up for the later reduction to 32x32
    near, far = t, 1.0 - t
    weights = (
        a * near * far * far,
        1.0 + near * near * ((a + 2.0) * near - (a + 3.0)),
        1.0 + far * far * ((a + 2.0) * far - (a + 3.0)),
        a * far * near * near,
    )
    out = np.zeros((size, *pixels.shape[1:]))
    for tap, weight in enumerate(weights):
        index = np.clip(first.astype(np.int64) + tap - 1, 0, OBJECT - 1)
        out += weight[:, None, None] * pixels[index]
    return out


def _cover(size: int, start: float, stop: float) -> NDArray[np.float64]:
    """Return the object's opacity along one axis: 1 inside, then falling to 0 over `EDGE_PX`."""
    at = np.arange(size) + 0.5
    outside = np.maximum(start - at, at - stop)
    return np.asarray(np.clip(1.0 - outside / EDGE_PX, 0.0, 1.0))


def smear(scene: NDArray[np.float64], length_px: float, slope: float) -> NDArray[np.float64]:
    """Return the mean of `scene` over a straight path of `length_px` columns: motion blur."""
    steps = math.ceil(length_px)
    out = np.zeros_like(scene)
    for k in range(steps):
        offset = (k + 0.5) / steps - 0.5
        shift = math.floor(offset * length_px + 0.5), math.floor(offset * length_px * slope + 0.5)
        columns = np.clip(np.arange(WIDTH) + shift[0], 0, WIDTH - 1)
        rows = np.clip(np.arange(HEIGHT) + shift[1], 0, HEIGHT - 1)
        out += scene[rows][:, columns]
    return out / steps


@lru_cache(maxsize=1)
def _lens() -> NDArray[np.float64]:
    """Return the dirty lens's share of stray light (HEIGHT, WIDTH): veil and fixed smudges."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    clear = np.full((HEIGHT, WIDTH), 1.0 - VEIL)
    for centre_x, centre_y, radius_x, radius_y, opacity in SMUDGES:
        square = ((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2
        soft = np.clip(1.0 - square, 0.0, 1.0)
        clear = clear * (1.0 - opacity * soft * soft * (3.0 - 2.0 * soft))
    return 1.0 - clear


def corridor(walk_m: float, pan_x_px: float) -> NDArray[np.float64]:
    """Return an empty corridor (HEIGHT, WIDTH, 3), 0..255, seen after `walk_m` metres.

    The far end stays while near panels, doors and floor tiles pass outwards; the camera's pan
    moves the corridor by a third of what it moves the object.
    """
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    dx = x - WIDTH / 2.0 - pan_x_px / 3.0
    dy = y - 0.45 * HEIGHT
    side = FOCAL_PX * WALL_M / np.maximum(np.abs(dx), 1e-3)
    flat = FOCAL_PX * np.where(dy > 0, EYE_M, CEILING_M) / np.maximum(np.abs(dy), 1e-3)
    depth = np.minimum(np.minimum(side, flat), FAR_M)
    along = depth + walk_m
    level = EYE_M - dy * depth / FOCAL_PX  # height above the floor [m]
    across = dx * depth / FOCAL_PX
    wall = np.where((side <= flat)[..., None], _wall(along, level, dx > 0), 0.0)
    tile = _line(along, 0.6, 0.05) + _line(across + 50.0, 0.6, 0.05)
    floor = np.asarray((124.0, 116.0, 106.0)) * (1.0 - 0.3 * np.minimum(tile, 1.0))[..., None]
    lamp = _line(along, 2.4, 0.8) * (np.abs(across) < 0.4)
    ceiling = np.asarray((196.0, 196.0, 190.0)) + 55.0 * lamp[..., None]
    open_space = np.where((dy > 0)[..., None], floor, ceiling)
    scene = np.where((side <= flat)[..., None], wall, open_space)
    scene = np.where((depth < FAR_M)[..., None], scene, FAR_COLOUR)
    return np.asarray(scene * (1.0 / (1.0 + 0.06 * depth))[..., None])


def _wall(
    along: NDArray[np.float64], level: NDArray[np.float64], right: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the walls' colour: painted below, doors, panel joints and a skirting board."""
    paint = np.where((level < 1.0)[..., None], (112.0, 134.0, 140.0), (206.0, 200.0, 186.0))
    door = (_line(along + np.where(right, 2.1, 0.0), 4.2, 0.95) > 0.5) & (level < 1.75)
    paint = np.where(door[..., None], (132.0, 96.0, 66.0), paint)
    joint = 1.0 - 0.22 * _line(along, 1.05, 0.05)
    skirting = np.where(level < 0.1, 0.55, 1.0)
    return paint * (joint * skirting)[..., None]


def _line(at: NDArray[np.float64], period: float, width: float) -> NDArray[np.float64]:
    """Return 1 on the first `width` of each `period`, else 0, with edges 2 cm soft."""
    phase = at - period * np.floor(at / period)
    return np.clip((width - phase) / 0.02 + 0.5, 0.0, 1.0)


def encode(frame: NDArray[np.uint8]) -> bytes:
    """Return the frame as JPEG of `JPEG_QUALITY`."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, 'JPEG', quality=JPEG_QUALITY)
    return buffer.getvalue()
