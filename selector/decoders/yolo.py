"""YOLO: one output with box and class scores for each anchor."""

from __future__ import annotations

import numpy as np
from selector.cards.decoding_card import YoloCard
from selector.decoders.candidates import Candidates
from selector.decoders.candidates import checked
from selector.decoders.candidates import corners
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shape
from selector.decoders.outputs import Shapes
from selector.decoders.outputs import sigmoid

_ADVICE = '; of logits the card says decoding: {kind: yolo, apply_sigmoid: true}'


def shapes(card: YoloCard, classes: int) -> Shapes:
    """Return the shapes of the output."""
    columns = 4 + int(card.objectness) + classes
    shape: Shape = (columns, None) if card.layout == 'anchors_last' else (None, columns)
    return {'predictions': ((1, *shape), shape)}


def decode(
    outputs: Arrays, card: YoloCard, input_px: tuple[int, int], score_min: float
) -> Candidates:
    """Return the candidates with a score above `score_min`, each of its best class.

    Raises:
        PredictionError: a score is NaN or above 1, or a box is not finite.
    """
    array = floats(outputs['predictions'])
    array = array.reshape(array.shape[-2:])
    rows = array if card.layout == 'anchors_last' else array.T  # (columns, N)
    first = 4 + int(card.objectness)
    sure = None
    if card.objectness:
        sure = checked(sigmoid(rows[4]) if card.apply_sigmoid else rows[4], _ADVICE)
        likely = sure > score_min
        rows, sure = rows[:, likely], sure[likely]
    best = rows[first:].max(axis=0)
    scores = checked(sigmoid(best) if card.apply_sigmoid else best, _ADVICE)
    if sure is not None:
        scores = scores * sure
    kept = scores > score_min
    rows = rows[:, kept]
    boxes = corners(rows[:4].T, card.boxes, card.normalised, input_px)
    best_class = rows[first:].argmax(axis=0)
    return Candidates(boxes, np.minimum(scores[kept].astype(np.float64), 1.0), best_class)
