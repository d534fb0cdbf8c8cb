"""DETR: class scores and a box for each query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from selector.cards.decoding_card import DetrCard
from selector.decoders.candidates import Candidates
from selector.decoders.candidates import checked
from selector.decoders.candidates import corners
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shapes
from selector.decoders.outputs import sigmoid
from selector.errors import PredictionError


def shapes(card: DetrCard, classes: int) -> Shapes:
    """Return the shapes of the outputs."""
    columns = classes + int(card.scores == 'softmax')
    return {'logits': ((1, None, columns), (None, columns)), 'boxes': ((1, None, 4), (None, 4))}


def decode(
    outputs: Arrays, card: DetrCard, input_px: tuple[int, int], score_min: float
) -> Candidates:
    """Return the queries with a score above `score_min`, each of its best class.

    Raises:
        PredictionError: the outputs differ in length, a score is NaN or a box is not finite.
    """
    logits, boxes = floats(outputs['logits']), floats(outputs['boxes']).reshape(-1, 4)
    logits = logits.reshape(-1, logits.shape[-1])
    if len(logits) != len(boxes):
        raise PredictionError(f'returned {len(boxes)} boxes for {len(logits)} queries')
    scores = sigmoid(logits) if card.scores == 'sigmoid' else _softmax(logits, card.no_object)
    best = checked(scores.max(axis=1))
    kept = best > score_min
    xyxy = corners(boxes[kept], card.boxes, card.normalised, input_px)
    ids = scores[kept].argmax(axis=1)
    return Candidates(xyxy, np.minimum(best[kept].astype(np.float64), 1.0), ids)


def _softmax(logits: NDArray[np.floating], no_object: str) -> NDArray[np.floating]:
    """Return the probability of each class but the one for no object."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return np.asarray(shares[:, 1:] if no_object == 'first' else shares[:, :-1])
