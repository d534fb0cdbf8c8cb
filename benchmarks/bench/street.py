"""Street: rendered scenes with signs at several distances, and where their lines of text are.

Every scene is a function of its number alone. Near signs can be read at a small size, far ones
only at a large one; some scenes hold no text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFilter
from PIL import ImageFont
from selector.tasks.detection import Box

WIDTH, HEIGHT = 640, 480
HORIZON = 300
_WORDS = (
    'STOP BUS PARKING EXIT SCHOOL ZONE SLOW HARBOUR MARKET STREET TAXI HOSPITAL LIBRARY MUSEUM '
    'STATION NORTH SOUTH CAFE BAKERY HOTEL AIRPORT ROAD WORK AHEAD ONE WAY NO ENTRY GATE 24 50 80'
).split()
_PAINT = (
    ((255, 255, 255), (20, 60, 160)),
    ((250, 250, 250), (180, 20, 30)),
    ((30, 30, 30), (240, 200, 40)),
    ((25, 25, 25), (245, 245, 240)),
    ((255, 255, 255), (10, 110, 70)),
)
_WALLS = ((150, 120, 100), (120, 125, 135), (170, 160, 140), (135, 95, 85))


class Scene(NamedTuple):
    """One rendered frame.

    Attributes:
        image: (480, 640, 3) uint8 RGB.
        xyxy: the lines of text: left, top, right, bottom [pixel].
    """

    image: NDArray[np.uint8]
    xyxy: tuple[Box, ...]


def scene(number: int) -> Scene:
    """Return the scene of a number; near, far, mixed and empty ones take turns at random."""
    draw = np.random.default_rng([77, number])
    picture = Image.new('RGB', (WIDTH, HEIGHT))
    brush = ImageDraw.Draw(picture)
    _background(brush, draw)
    kind = draw.choice(['near', 'far', 'mixed', 'none'], p=[0.35, 0.3, 0.2, 0.15])
    heights = {
        'near': draw.uniform(34, 60, draw.integers(1, 3)),
        'far': draw.uniform(9, 17, draw.integers(2, 5)),
        'mixed': np.append(draw.uniform(34, 56, 1), draw.uniform(9, 17, draw.integers(1, 3))),
        'none': np.empty(0),
    }[str(kind)]
    taken: list[Box] = []
    lines = [line for height in heights if (line := _sign(brush, draw, float(height), taken))]
    return Scene(_through_lens(picture, draw), tuple(lines))


def _background(brush: ImageDraw.ImageDraw, draw: np.random.Generator) -> None:
    sky = draw.integers(120, 230)
    brush.rectangle((0, 0, WIDTH, HORIZON), fill=(sky - 40, sky - 15, sky))
    brush.rectangle((0, HORIZON, WIDTH, HEIGHT), fill=(95, 95, 98))
    left = 0
    while left < WIDTH:
        width, top = int(draw.integers(90, 200)), int(draw.integers(20, 180))
        wall = _WALLS[draw.integers(len(_WALLS))]
        brush.rectangle((left, top, left + width, HORIZON), fill=wall)
        pane = tuple(int(c * 0.5) for c in wall)
        for x in range(left + 12, left + width - 18, 30):
            for y in range(top + 14, HORIZON - 24, 40):
                brush.rectangle((x, y, x + 14, y + 22), fill=pane)
        left += width
    for x in range(0, WIDTH, 12):  # a fence
        brush.line((x, HORIZON - 20, x, HORIZON + 6), fill=(70, 60, 50), width=2)


def _sign(
    brush: ImageDraw.ImageDraw, draw: np.random.Generator, height: float, taken: list[Box]
) -> Box | None:
    """Paint one sign where there is room; return the box of its text."""
    words = draw.choice(_WORDS, size=draw.integers(1, 3), replace=False)
    text = ' '.join(str(word) for word in words)
    font = ImageFont.load_default(size=height * 1.35)
    box = font.getbbox(text)
    width, tall = box[2] - box[0], box[3] - box[1]
    margin = 0.5 * tall
    ink, board = _PAINT[draw.integers(len(_PAINT))]
    for _ in range(30):
        x = float(draw.uniform(margin, max(margin + 1.0, WIDTH - width - margin)))
        y = float(draw.uniform(margin, HEIGHT - tall - margin))
        plate = (x - margin, y - margin, x + width + margin, y + tall + margin)
        if plate[2] > WIDTH or any(_touch(plate, other) for other in taken):
            continue
        taken.append(plate)
        brush.rectangle(plate, fill=board, outline=ink, width=max(1, int(tall / 14)))
        brush.text((x - box[0], y - box[1]), text, font=font, fill=ink)
        return (x, y, x + width, y + tall)
    return None


def _touch(one: Box, other: Box) -> bool:
    return (
        one[0] < other[2] + 6
        and other[0] < one[2] + 6
        and one[1] < other[3] + 6
        and other[1] < one[3] + 6
    )


def _through_lens(picture: Image.Image, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Return the pixels with a little blur, less light in some scenes, and the sensor's noise."""
    soft = picture.filter(ImageFilter.GaussianBlur(float(draw.uniform(0.2, 0.7))))
    light = draw.choice([1.0, 0.75, 0.5])
    noise = draw.normal(0.0, draw.uniform(2.0, 7.0), (HEIGHT, WIDTH, 3))
    return np.asarray(np.clip(np.asarray(soft, float) * light + noise, 0, 255), np.uint8)
