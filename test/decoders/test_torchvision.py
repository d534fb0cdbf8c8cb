"""Torchvision: the three outputs of its detectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.decoding_card import TorchvisionCard
from selector.decoders.torchvision import decode
from selector.errors import PredictionError

INPUT_PX = (100, 200)
CARD = TorchvisionCard(kind='torchvision')


def outputs(**changes: Any) -> dict[str, NDArray[Any]]:
    """Return three boxes."""
    whole: dict[str, NDArray[Any]] = {
        'boxes': np.array([[0, 0, 10, 10], [5, 5, 50, 60], [1, 1, 2, 2]], np.float32),
        'labels': np.array([1, 3, 0], np.int64),
        'scores': np.array([0.9, 0.4, 0.8], np.float32),
    }
    return {**whole, **changes}


def test_labels_begin_behind_the_background() -> None:
    """Label 1 is the first of the card, label 0 is no box; boxes are in pixels already."""
    found = decode(outputs(), CARD, INPUT_PX, 0.3)
    assert found.class_ids.tolist() == [0, 2]
    assert found.xyxy.tolist() == [[0, 0, 10, 10], [5, 5, 50, 60]]
    assert found.scores == pytest.approx([0.9, 0.4], abs=1e-6)
    plain = TorchvisionCard(kind='torchvision', label_offset=0)
    assert decode(outputs(), plain, INPUT_PX, 0.3).class_ids.tolist() == [1, 3, 0]


def test_no_box_at_all() -> None:
    """An empty picture is an answer."""
    empty = {'boxes': np.zeros((0, 4)), 'labels': np.zeros(0, np.int64), 'scores': np.zeros(0)}
    assert len(decode(empty, CARD, INPUT_PX, 0.3).scores) == 0


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'labels': np.array([1, 2])}, '3 boxes, 2 labels and 3 scores'),
        ({'labels': np.array([0.5, 1.0, 1.0])}, 'no whole number'),
        ({'scores': np.array([np.nan, 0.1, 0.1])}, 'NaN'),
        ({'boxes': np.full((3, 4), np.nan)}, 'NaN'),
    ],
)
def test_nonsense_is_told(changes: dict[str, Any], told: str) -> None:
    """Lengths that differ, labels between two numbers, NaN."""
    with pytest.raises(PredictionError, match=told):
        decode(outputs(**changes), CARD, INPUT_PX, 0.3)
