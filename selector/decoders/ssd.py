"""SSD: boxes, scores and classes that the graph has decoded from its anchors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.cards.decoding_card import SsdCard
from selector.decoders.candidates import Candidates
from selector.decoders.candidates import checked
from selector.decoders.candidates import corners
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shapes
from selector.errors import PredictionError


def shapes(card: SsdCard, classes: int) -> Shapes:
    """Return the shapes of the outputs; `scores` has a column a class where `classes` is not."""
    columns = card.label_offset + classes
    return {
        'boxes': ((1, None, 4), (None, 4)),
        'scores': ((1, None), (None,), (1, None, columns), (None, columns)),
        'classes': ((1, None), (None,)),
        'count': ((1,), (), (1, 1)),
    }


def decode(
    outputs: Arrays, card: SsdCard, input_px: tuple[int, int], score_min: float
) -> Candidates:
    """Return the candidates with a score above `score_min`; the background is none.

    Raises:
        PredictionError: the outputs differ in length, a score is NaN or above 1, a class is no
            whole number, or a box is not finite.
    """
    boxes = floats(outputs['boxes']).reshape(-1, 4)
    scores, numbers = _named(outputs) if 'classes' in outputs else _best(outputs, card)
    if not len(boxes) == len(scores) == len(numbers):
        raise PredictionError(
            f'returned {len(boxes)} boxes, {len(scores)} scores and {len(numbers)} classes'
        )
    count = _count(outputs, len(boxes))
    above = np.flatnonzero(checked(scores[:count]) > score_min)
    ids = class_ids(numbers[above], card.label_offset)
    above, ids = above[ids >= 0], ids[ids >= 0]
    xyxy = corners(boxes[above], card.order, card.normalised, input_px)
    return Candidates(xyxy, np.minimum(scores[above].astype(np.float64), 1.0), ids)


def class_ids(numbers: NDArray[Any], offset: int) -> NDArray[np.intp]:
    """Return whole numbers less `offset`.

    Raises:
        PredictionError: one is no whole number.
    """
    if not (np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()):
        raise PredictionError('returned a class that is no whole number')
    return np.asarray(np.clip(numbers, -1e9, 1e9).astype(np.intp) - offset)


def _named(outputs: Arrays) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return score and number of the class of each box, as the outputs have them."""
    return floats(outputs['scores']).reshape(-1), floats(outputs['classes']).reshape(-1)


def _best(outputs: Arrays, card: SsdCard) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return score and number of the best class of each box, out of a column for each."""
    scores = floats(outputs['scores'])
    if scores.ndim < 2 or scores.shape[-1] <= card.label_offset:
        raise PredictionError(f'returned scores of shape {scores.shape} and no classes')
    columns = scores.reshape(-1, scores.shape[-1])[:, card.label_offset :]
    return columns.max(axis=1), columns.argmax(axis=1).astype(np.float64) + card.label_offset


def _count(outputs: Arrays, most: int) -> int:
    if 'count' not in outputs:
        return most
    count = float(floats(outputs['count']).reshape(-1)[0])
    if not 0.0 <= count <= most:
        raise PredictionError(f'returned a count of {count:g} for {most} boxes')
    return int(count)
