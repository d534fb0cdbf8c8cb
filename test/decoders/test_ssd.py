"""SSD: boxes that the graph has decoded, with classes of their own or a column for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.decoding_card import SsdCard
from selector.decoders.outputs import fits
from selector.decoders.ssd import decode
from selector.decoders.ssd import shapes
from selector.errors import PredictionError

INPUT_PX = (100, 200)
YXYX = np.array([[0.1, 0.2, 0.5, 0.4], [0.0, 0.0, 1.0, 1.0], [0.3, 0.3, 0.4, 0.4]], np.float32)
IN_PX = [[40.0, 10.0, 80.0, 50.0], [0.0, 0.0, 200.0, 100.0], [60.0, 30.0, 80.0, 40.0]]


def card(**more: Any) -> SsdCard:
    """Return a card."""
    return SsdCard.model_validate({'kind': 'ssd', **more})


def outputs(**changes: Any) -> dict[str, NDArray[Any]]:
    """Return the outputs of TensorFlow's SSD: (1, N, 4), (1, N), (1, N), (1,)."""
    whole = {
        'boxes': YXYX[None],
        'scores': np.array([[0.9, 0.6, 0.3]], np.float32),
        'classes': np.array([[1.0, 2.0, 1.0]], np.float32),
        'count': np.array([3.0], np.float32),
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


def test_boxes_scores_and_classes() -> None:
    """Normalised yxyx become pixels; numbers that begin at 1 become ids from 0."""
    found = decode(outputs(), card(label_offset=1), INPUT_PX, 0.5)
    assert found.xyxy == pytest.approx(np.array(IN_PX[:2]), abs=1e-4)
    assert found.scores == pytest.approx([0.9, 0.6], abs=1e-6)
    assert found.class_ids.tolist() == [0, 1]


def test_corners_in_pixels() -> None:
    """Xyxy that are in pixels already stay what they are; class numbers may be whole numbers."""
    given = outputs(boxes=np.array(IN_PX, np.float32), classes=np.array([0, 2, 1], np.int64))
    found = decode(given, card(order='xyxy', normalised=False), INPUT_PX, 0.2)
    assert found.xyxy == pytest.approx(np.array(IN_PX))
    assert found.class_ids.tolist() == [0, 2, 1]


def test_what_lies_behind_the_count_is_padding() -> None:
    """Rows behind the count are not looked at, NaN or not."""
    given = outputs(scores=np.array([[0.9, np.nan, np.nan]]), count=np.array([1]))
    assert decode(given, card(), INPUT_PX, 0.2).scores.tolist() == [0.9]
    given = outputs(count=np.array(0.0))
    assert len(decode(given, card(), INPUT_PX, 0.2).scores) == 0


def test_background_is_no_box() -> None:
    """A number before the first label is dropped."""
    found = decode(outputs(classes=np.array([[0, 1, 2]])), card(label_offset=1), INPUT_PX, 0.2)
    assert found.class_ids.tolist() == [0, 1]


def test_a_column_for_each_class() -> None:
    """Without `classes` the best column counts, those before the first label left out."""
    scores = np.array([[[0.9, 0.3, 0.6], [0.1, 0.8, 0.2], [0.7, 0.1, 0.2]]], np.float32)
    given = outputs(scores=scores, classes=None, count=None)
    found = decode(given, card(label_offset=1), INPUT_PX, 0.5)
    assert found.scores == pytest.approx([0.6, 0.8], abs=1e-6)
    assert found.class_ids.tolist() == [1, 0]
    assert found.xyxy == pytest.approx(np.array(IN_PX[:2]), abs=1e-4)


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'scores': np.array([[0.9, 0.6]])}, '3 boxes, 2 scores and 3 classes'),
        ({'scores': np.array([[0.9, np.nan, 0.1]])}, 'NaN'),
        ({'scores': np.array([[0.9, 7.0, 0.1]])}, 'above 1'),
        ({'classes': np.array([[0.5, 1.0, 2.0]])}, 'no whole number'),
        ({'classes': np.array([[np.nan, 1.0, 2.0]])}, 'no whole number'),
        ({'count': np.array([4.0])}, 'count of 4 for 3 boxes'),
        ({'count': np.array([-1.0])}, 'count of -1'),
        ({'count': np.array([np.nan])}, 'count of nan'),
        ({'boxes': np.full((1, 3, 4), np.inf)}, 'infinite'),
        ({'classes': None}, '3 boxes, 1 scores'),
        ({'classes': None, 'scores': np.array([[[0.9]] * 3])}, 'no classes'),
    ],
)
def test_nonsense_is_told(changes: dict[str, Any], told: str) -> None:
    """Lengths that differ, NaN, classes between two numbers and counts that cannot be."""
    with pytest.raises(PredictionError, match=told):
        decode(outputs(**changes), card(label_offset=1), INPUT_PX, 0.2)


def test_the_shapes_of_both_kinds() -> None:
    """With classes beside them or a column for each, with a batch axis or without."""
    allowed = shapes(card(label_offset=1), 90)
    assert fits((1, 100), allowed['scores'])
    assert fits((1, 1917, 91), allowed['scores'])
    assert not fits((1, 1917, 90), allowed['scores'])
    assert fits((1, 100, 4), allowed['boxes'])
    assert not fits((1, 4, 100), allowed['boxes'])
    assert fits((), allowed['count'])
