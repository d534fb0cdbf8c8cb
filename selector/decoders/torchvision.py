"""Torchvision: boxes, labels and scores of a detector that has done its own suppression."""

from __future__ import annotations

import numpy as np
from selector.cards.decoding_card import TorchvisionCard
from selector.decoders.candidates import Candidates
from selector.decoders.candidates import checked
from selector.decoders.candidates import corners
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shapes
from selector.decoders.ssd import class_ids
from selector.errors import PredictionError


def shapes(_card: TorchvisionCard, _classes: int) -> Shapes:
    """Return the shapes of the outputs."""
    return {
        'boxes': ((None, 4), (1, None, 4)),
        'labels': ((None,), (1, None)),
        'scores': ((None,), (1, None)),
    }


def decode(
    outputs: Arrays, card: TorchvisionCard, input_px: tuple[int, int], score_min: float
) -> Candidates:
    """Return the boxes with a score above `score_min`; the background is none.

    Raises:
        PredictionError: the outputs differ in length, a score is NaN or above 1, a label is no
            whole number, or a box is not finite.
    """
    boxes = floats(outputs['boxes']).reshape(-1, 4)
    labels, scores = (floats(outputs[role]).reshape(-1) for role in ('labels', 'scores'))
    if not len(boxes) == len(labels) == len(scores):
        raise PredictionError(
            f'returned {len(boxes)} boxes, {len(labels)} labels and {len(scores)} scores'
        )
    above = np.flatnonzero(checked(scores) > score_min)
    ids = class_ids(labels[above], card.label_offset)
    above, ids = above[ids >= 0], ids[ids >= 0]
    xyxy = corners(boxes[above], 'xyxy', False, input_px)
    return Candidates(xyxy, np.minimum(scores[above].astype(np.float64), 1.0), ids)
