"""Candidates: boxes with scores, in pixels of the model's input, before any is dropped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.errors import PredictionError

_FAR_PX = 1e9

_COLUMNS = {'xyxy': [0, 1, 2, 3], 'yxyx': [1, 0, 3, 2], 'cxcywh': [0, 1, 2, 3]}


class Candidates(NamedTuple):
    """What a detector proposes.

    Attributes:
        xyxy: (N, 4) left, top, right, bottom [pixels of the model's input].
        scores: (N,) score of each box in [0, 1].
        class_ids: (N,) index into the card's labels.
    """

    xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    class_ids: NDArray[np.intp]


def corners(
    boxes: NDArray[np.floating], order: str, normalised: bool, input_px: tuple[int, int]
) -> NDArray[np.float64]:
    """Return boxes (N, 4) as left, top, right, bottom in pixels of the input.

    Args:
        boxes: (N, 4) in the model's own order.
        order: xyxy, yxyx, or cxcywh (centre and size).
        normalised: they are in 0..1 of the input.
        input_px: (height, width) of the input [px].

    Raises:
        PredictionError: a number is NaN or infinite.
    """
    found = boxes.astype(np.float64)[:, _COLUMNS[order]]
    if not np.isfinite(found).all():
        raise PredictionError('returned a box that is NaN or infinite')
    if order == 'cxcywh':
        half = 0.5 * found[:, 2:]
        found = np.concatenate([found[:, :2] - half, found[:, :2] + half], axis=1)
    if normalised:
        height, width = input_px
        found = found * np.array([width, height, width, height], np.float64)
    return np.clip(found, -_FAR_PX, _FAR_PX)


def checked(scores: NDArray[np.floating], advice: str = '') -> NDArray[np.floating]:
    """Return scores of any shape after looking at the largest.

    Args:
        scores: what should be in [0, 1].
        advice: what to do where it is not.

    Raises:
        PredictionError: a score is NaN or above 1.
    """
    largest = scores.max(initial=0.0)
    if np.isnan(largest):
        raise PredictionError('returned a score that is NaN')
    if largest > 1.0 + 1e-4:
        raise PredictionError(f'returned the score {largest:g}, above 1{advice}')
    return scores
