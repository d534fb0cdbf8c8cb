"""Classifier: one score a label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from selector.cards.decoding_card import ClassifierCard
from selector.decoders.outputs import in_row
from selector.decoders.outputs import Shapes
from selector.errors import PredictionError
from selector.tasks.classification import softmax

_SUM_TOLERANCE = 0.01
_LEAST_KEPT = 1e-6


def shapes(_card: ClassifierCard, classes: int) -> Shapes:
    """Return the shapes of the output."""
    return {'scores': in_row(classes)}


def decode(array: NDArray[np.floating], card: ClassifierCard) -> tuple[float, ...]:
    """Return the probability (C,) of each label.

    Args:
        array: the output `scores`, of a shape it may have.
        card: what it holds.

    Raises:
        PredictionError: a value is NaN or infinite; or what the card calls probabilities are none.
    """
    values = array.reshape(-1)
    if card.values == 'logits':
        return softmax(values)
    shares = values.astype(np.float64)
    least, largest = shares.min(), shares.max()
    total = shares.sum() if least >= 0.0 and largest <= 1.0 + _SUM_TOLERANCE else np.nan
    if not abs(total - 1.0) <= _SUM_TOLERANCE:
        raise PredictionError(
            f'returned no probabilities, but values from {least:g} to {largest:g}; '
            'of logits the card says decoding: {kind: classifier, values: logits}'
        )
    return tuple((shares / total).tolist())


def merged(scores: tuple[float, ...], ids: NDArray[np.intp], classes: int) -> tuple[float, ...]:
    """Return the probabilities (classes,) after the label map.

    Labels of one name add up. What is left out is taken to be impossible, as it is for a model
    that never heard of it: the rest is divided by its sum.

    Args:
        scores: probability of each label of the model.
        ids: (C,) class id in the answers of each label, -1 where it is left out.
        classes: number of classes in the answers.

    Raises:
        PredictionError: the labels that are kept have no more than 1e-6 of the probability.
    """
    kept = ids >= 0
    shares = np.bincount(ids[kept], np.array(scores)[kept], classes)
    total = shares.sum()
    if total <= _LEAST_KEPT:
        raise PredictionError('is sure of a label that its label_map leaves out')
    return tuple((shares / total).tolist())
