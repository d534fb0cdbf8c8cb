"""Scene: a small, cheap look at an image, and how far two looks are apart.

A look costs a fraction of a millisecond at 640x480: whole numbers on a subsampled luminance, so
that it gives the same bits everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.errors import InputError

CELLS = 12
_SIDE_PX = 120
_FLAT = 2.0  # grey levels: contrast below this is noise of the sensor


class Look(NamedTuple):
    """What is kept of an image.

    Attributes:
        thumbnail: (CELLS, CELLS) float32 mean luminance of each cell, 0 to 255.
        sharpness: local contrast over overall contrast, in [0, 1].
        exposure: mean luminance over white, in [0, 1].
    """

    thumbnail: NDArray[np.float32]
    sharpness: float
    exposure: float


def look(image: NDArray[np.uint8]) -> Look:
    """Return the look of an image (H, W, 3) uint8 RGB.

    Raises:
        InputError: the image has another shape or no pixel.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(f'image of shape {image.shape}; an image is (H, W, 3) with H, W >= 1')
    rows, columns = (max(1, size // _SIDE_PX) for size in image.shape[:2])
    part = image[::rows, ::columns].astype(np.int32)
    grey = (77 * part[..., 0] + 150 * part[..., 1] + 29 * part[..., 2]) >> 8
    mean = int(grey.sum()) / grey.size
    spread = math.sqrt(max(0.0, int((grey * grey).sum()) / grey.size - mean * mean))
    local = 0.5 * math.sqrt(_mean_square(np.diff(grey, axis=0)) + _mean_square(np.diff(grey)))
    return Look(_thumbnail(grey), min(1.0, local / (spread + _FLAT)), mean / 255.0)


def change(one: Look, other: Look) -> float:
    """Return 1 - likeness of two looks, in [0, 1]; exposure and contrast do not matter.

    The likeness is the correlation of the two thumbnails, 0 where it is negative or where an image
    is so flat that nothing can be told.
    """
    a, b = (look.thumbnail - look.thumbnail.mean() for look in (one, other))
    floor = _FLAT * _FLAT * CELLS * CELLS
    both = float((a * b).sum())
    size = math.sqrt((float((a * a).sum()) + floor) * (float((b * b).sum()) + floor))
    return min(1.0, max(0.0, 1.0 - both / size))


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how much two distributions over the same classes have in common, in [0, 1]."""
    total = 0.0
    for p, q in zip(one, other, strict=True):
        total += p if p < q else q
    return min(1.0, total)


def _mean_square(step: NDArray[np.int32]) -> float:
    return int((step * step).sum()) / step.size if step.size else 0.0


def _thumbnail(grey: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the mean of each of CELLS x CELLS cells; a small image is enlarged first."""
    height, width = grey.shape
    if min(height, width) < CELLS:
        rows = np.arange(max(height, CELLS)) * height // max(height, CELLS)
        columns = np.arange(max(width, CELLS)) * width // max(width, CELLS)
        grey = grey[rows][:, columns]
        height, width = grey.shape
    top, left = (np.arange(CELLS) * size // CELLS for size in (height, width))
    sums = np.add.reduceat(np.add.reduceat(grey, top, axis=0), left, axis=1)
    cells = np.diff(np.append(top, height))[:, None] * np.diff(np.append(left, width))[None, :]
    return np.asarray(sums / cells, np.float32)
