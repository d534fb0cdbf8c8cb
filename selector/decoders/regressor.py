"""Regressor: one number a scale of the card, with or without a spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from selector.cards.decoding_card import RegressorCard
from selector.decoders.outputs import Arrays
from selector.decoders.outputs import floats
from selector.decoders.outputs import in_row
from selector.decoders.outputs import Shapes
from selector.errors import PredictionError
from selector.tasks.regression import Values


def shapes(_card: RegressorCard, count: int) -> Shapes:
    """Return the shapes of the outputs."""
    return {'values': in_row(count), 'spreads': in_row(count)}


def decode(outputs: Arrays, card: RegressorCard) -> Values:
    """Return the numbers.

    Raises:
        PredictionError: one is NaN or infinite, or a spread is negative.
    """
    factors = np.array(card.factors or 1.0)
    values = _row(outputs['values']) * factors + np.array(card.offsets or 0.0)
    if not np.isfinite(values).all():
        raise PredictionError('returned a number that is NaN or infinite')
    if 'spreads' not in outputs:
        return Values(tuple(values.tolist()))
    spreads = _deviations(_row(outputs['spreads']), card.spread) * np.abs(factors)
    if not np.isfinite(spreads).all() or spreads.min() < 0.0:
        raise PredictionError('returned a spread that is NaN, infinite or negative')
    return Values(tuple(values.tolist()), tuple(spreads.tolist()))


def _row(array: NDArray[np.floating]) -> NDArray[np.float64]:
    return floats(array).reshape(-1).astype(np.float64)


def _deviations(given: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    if kind == 'log_variance':
        return np.asarray(np.exp(0.5 * given))
    return np.sqrt(given) if kind == 'variance' else given
