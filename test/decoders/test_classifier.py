"""Classifier: probabilities of the labels, and of what a label map makes of them."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest
from selector.cards.decoding_card import ClassifierCard
from selector.cards.label_map import answer_ids
from selector.cards.label_map import answer_labels
from selector.decoders.classifier import decode
from selector.decoders.classifier import merged
from selector.decoders.classifier import shapes
from selector.decoders.outputs import fits
from selector.errors import PredictionError
from selector.tasks.classification import softmax

LOGITS = ClassifierCard(kind='classifier')
SHARES = ClassifierCard(kind='classifier', values='probabilities')


@given(arrays.arrays(np.float32, 5, elements=st.floats(-80, 80, width=32)))
def test_logits_become_the_softmax(values: Any) -> None:
    """The same numbers as the task's own softmax, whichever of the shapes they come in."""
    for shape in ((5,), (1, 5), (1, 5, 1, 1)):
        assert fits(shape, shapes(LOGITS, 5)['scores'])
        assert decode(values.reshape(shape), LOGITS) == softmax(values)


def test_probabilities_are_taken_as_they_are() -> None:
    """Divided by their sum, which single precision leaves beside 1."""
    values = np.array([[0.1, 0.7, 0.2001]], np.float32)
    found = decode(values, SHARES)
    assert found == pytest.approx([0.1, 0.7, 0.2], abs=1e-3)
    assert math.fsum(found) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    'values', [[0.5, 0.6], [-0.1, 1.1], [np.nan, 0.5], [np.inf, 0.0], [0.0, 0.0], [3.0, -2.0]]
)
def test_what_is_no_distribution_is_told(values: list[float]) -> None:
    """Logits where the card says probabilities, NaN and the like, with the key to look at."""
    with pytest.raises(PredictionError, match='values: logits'):
        decode(np.array([values]), SHARES)


def test_merged_labels_add_up() -> None:
    """Car and van are one class; what is left out counts as impossible, the rest sums to 1."""
    labels = ('cat', 'car', 'van', 'dog')
    names = {'car': 'vehicle', 'van': 'vehicle', 'cat': None, '*': 'other'}
    assert answer_labels(labels, names) == ('vehicle', 'other')
    ids = np.array(answer_ids(labels, names))
    assert ids.tolist() == [-1, 0, 0, 1]
    assert merged((0.5, 0.1, 0.2, 0.2), ids, 2) == pytest.approx([0.6, 0.4])


def test_an_answer_outside_the_map_is_none() -> None:
    """Sure of a label that is left out, a model says nothing about those that are kept."""
    with pytest.raises(PredictionError, match='label_map leaves out'):
        merged((1.0, 0.0, 0.0), np.array([-1, 0, 1]), 2)
