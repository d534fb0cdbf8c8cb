"""Rows: one output with a row for each box, which the graph has decoded and suppressed."""

from __future__ import annotations

import numpy as np
from selector.cards.decoding_card import RowsCard
from selector.decoders.candidates import Candidates
from selector.decoders.candidates import checked
from selector.decoders.candidates import corners
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import Shapes
from selector.decoders.ssd import class_ids


def shapes(card: RowsCard, _classes: int) -> Shapes:
    """Return the shapes of the output."""
    return {'rows': ((1, None, len(card.columns)), (None, len(card.columns)))}


def decode(
    outputs: Arrays, card: RowsCard, input_px: tuple[int, int], score_min: float
) -> Candidates:
    """Return the rows with a score above `score_min`; the rest is filling.

    Raises:
        PredictionError: a score is NaN or above 1, a class is no whole number, or a box is not
            finite.
    """
    table = floats(outputs['rows'])
    table = table.reshape(-1, table.shape[-1])
    place = {name: card.columns.index(name) for name in ('score', 'class')}
    scores = checked(table[:, place['score']])
    above = np.flatnonzero(scores > score_min)
    ids = class_ids(table[above, place['class']], card.label_offset)
    above, ids = above[ids >= 0], ids[ids >= 0]
    sides = [card.columns.index(name) for name in ('left', 'top', 'right', 'bottom')]
    xyxy = corners(table[above][:, sides], 'xyxy', card.normalised, input_px)
    return Candidates(xyxy, np.minimum(scores[above].astype(np.float64), 1.0), ids)
