"""Sample picture: a drawn street with a sign, for a first look at a model without a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import ImageDraw
from selector.overlay import font

_SIZE = (640, 480)
_HORIZON = 230


def sample_picture() -> NDArray[np.uint8]:
    """Return the picture (480, 640, 3) uint8 RGB; the same each time."""
    rows = np.linspace(0.0, 1.0, _SIZE[1])[:, None, None]
    sky = np.array([120.0, 170.0, 220.0]) * (1.0 - rows) + np.array([235.0, 240.0, 245.0]) * rows
    picture = Image.fromarray(np.broadcast_to(sky, (*_SIZE[::-1], 3)).astype(np.uint8))
    brush = ImageDraw.Draw(picture)
    brush.rectangle((0, _HORIZON, *_SIZE), fill='#6f7f5a')
    brush.polygon([(290, _HORIZON), (350, _HORIZON), (640, 480), (0, 480)], fill='#5a5a5e')
    brush.polygon([(317, 300), (323, 300), (332, 480), (308, 480)], fill='#e8e4d0')
    brush.rectangle((20, 110, 190, _HORIZON + 20), fill='#a5684f')
    for left in (40, 95, 150):
        brush.rectangle((left, 140, left + 25, 175), fill='#33404d')
    brush.rectangle((30, 195, 180, 225), fill='#f4f1e6')
    brush.text((45, 199), 'CORNER CAFE', fill='#7a1f1f', font=font(19))
    brush.rectangle((466, 100, 474, 330), fill='#8a8d91')
    brush.rectangle((380, 60, 590, 160), fill='#0b5a2a', outline='#ffffff', width=4)
    brush.text((400, 68), 'EXIT 12', fill='#ffffff', font=font(44))
    brush.text((400, 122), 'Harbour  3 km', fill='#ffffff', font=font(26))
    brush.ellipse((225, 372, 285, 432), fill='#d8552a', outline='#8f3115', width=3)
    return np.asarray(picture)
