"""DETR: queries with class scores and a box each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.decoding_card import DetrCard
from selector.decoders.detr import decode
from selector.decoders.detr import shapes
from selector.decoders.outputs import fits
from selector.errors import PredictionError

INPUT_PX = (100, 200)
SHARES = np.array([[0.7, 0.1, 0.2], [0.05, 0.05, 0.9], [0.2, 0.6, 0.2]])
BOXES = np.array([[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1], [0.25, 0.5, 0.5, 1.0]], np.float32)


def card(**more: Any) -> DetrCard:
    """Return a card."""
    return DetrCard.model_validate({'kind': 'detr', **more})


def outputs(logits: NDArray[Any], boxes: NDArray[Any] = BOXES) -> dict[str, NDArray[Any]]:
    """Return the outputs with a batch axis."""
    return {'logits': logits[None].astype(np.float32), 'boxes': boxes[None]}


@pytest.mark.parametrize('no_object', ['first', 'last'])
def test_softmax_with_a_class_for_no_object(no_object: str) -> None:
    """A query of which no object is likeliest is no candidate; the ids do not count that class."""
    order = [2, 0, 1] if no_object == 'first' else [0, 1, 2]
    given = outputs(np.log(SHARES[:, order]) + 3.0)
    found = decode(given, card(no_object=no_object), INPUT_PX, 0.3)
    assert found.scores == pytest.approx([0.7, 0.6], abs=1e-6)
    assert found.class_ids.tolist() == [0, 1]
    assert found.xyxy == pytest.approx(np.array([[80, 30, 120, 70], [0, 0, 100, 100]]), abs=1e-4)


def test_a_sigmoid_for_each_class() -> None:
    """Scores are independent: as many columns as labels, none for no object."""
    given = outputs(np.log(SHARES / (1.0 - SHARES)))
    found = decode(given, card(scores='sigmoid'), INPUT_PX, 0.3)
    assert found.scores == pytest.approx([0.7, 0.9, 0.6], abs=1e-6)
    assert found.class_ids.tolist() == [0, 2, 1]


def test_corners_in_pixels() -> None:
    """What a card says of the boxes is done."""
    boxes = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], np.float32)
    found = decode(
        outputs(np.log(SHARES), boxes), card(boxes='xyxy', normalised=False), INPUT_PX, 0.3
    )
    assert found.xyxy.tolist() == [[1, 2, 3, 4], [9, 10, 11, 12]]


def test_huge_logits_do_not_overflow() -> None:
    """The softmax is taken off the largest logit."""
    given = outputs(np.array([[3e4, 0.0, -3e4]] * 3))
    assert decode(given, card(), INPUT_PX, 0.3).scores.tolist() == [1.0, 1.0, 1.0]


def test_nonsense_is_told() -> None:
    """NaN, and other numbers of boxes than of queries."""
    with pytest.raises(PredictionError, match='NaN'):
        decode(outputs(np.full((3, 3), np.nan)), card(), INPUT_PX, 0.3)
    with pytest.raises(PredictionError, match='2 boxes for 3 queries'):
        decode(outputs(SHARES, BOXES[:2]), card(), INPUT_PX, 0.3)


def test_the_shape_counts_the_class_for_no_object() -> None:
    """DETR of 91 labels has 92 columns; with sigmoids it has 91."""
    assert fits((1, 100, 92), shapes(card(), 91)['logits'])
    assert not fits((1, 100, 91), shapes(card(), 91)['logits'])
    assert fits((1, 300, 91), shapes(card(scores='sigmoid'), 91)['logits'])
