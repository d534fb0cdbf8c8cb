"""Rows: a table of finished boxes, as networks without suppression after them give it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.card_part import problems
from selector.cards.decoding_card import RowsCard
from selector.decoders.outputs import fits
from selector.decoders.rows import decode
from selector.decoders.rows import shapes
from selector.errors import PredictionError

INPUT_PX = (100, 200)
TABLE = np.array(
    [[10, 20, 30, 40, 0.9, 2], [0, 0, 200, 100, 0.5, 0], [0, 0, 0, 0, 0, 0]], np.float32
)


def card(**more: Any) -> RowsCard:
    """Return a card."""
    return RowsCard.model_validate({'kind': 'rows', **more})


def read(table: NDArray[Any], of: RowsCard) -> tuple[Any, Any, Any]:
    """Return boxes, scores and classes as lists."""
    found = decode({'rows': table[None]}, of, INPUT_PX, 0.2)
    return tuple(part.tolist() for part in found)


def test_a_row_is_a_box() -> None:
    """(1, 300, 6) as Ultralytics exports it end to end; rows of zeros are filling."""
    boxes, scores, ids = read(TABLE, card())
    assert boxes == [[10, 20, 30, 40], [0, 0, 200, 100]]
    assert scores == pytest.approx([0.9, 0.5], abs=1e-6)
    assert ids == [2, 0]
    assert fits((1, 300, 6), shapes(card(), 80)['rows'])


def test_columns_in_another_order() -> None:
    """(N, 7) with the number of the image first, class before score, in 0..1."""
    columns = ['other', 'left', 'top', 'right', 'bottom', 'class', 'score']
    table = np.zeros((3, 7), np.float32)
    table[:, 1:5] = TABLE[:, :4] / np.array([200, 100, 200, 100], np.float32)
    table[:, 5], table[:, 6] = TABLE[:, 5] + 1, TABLE[:, 4]
    of = card(columns=columns, normalised=True, label_offset=1)
    boxes, scores, ids = read(table, of)
    assert np.array(boxes) == pytest.approx(TABLE[:2, :4], abs=1e-4)
    assert ids == [2, 0]
    assert scores == pytest.approx([0.9, 0.5], abs=1e-6)


@pytest.mark.parametrize(
    'columns',
    [['left', 'top', 'right', 'bottom', 'score'], ['left'] * 7, ['x', 'y'], [], ['other'] * 40],
)
def test_columns_that_make_no_box_are_refused(columns: list[str]) -> None:
    """Each of the six is needed once."""
    with pytest.raises(ValueError, match='columns') as caught:
        card(columns=columns)
    assert problems(caught.value, RowsCard)  # type: ignore[arg-type]


@pytest.mark.parametrize(('column', 'told'), [(0, 'NaN'), (4, 'NaN'), (5, 'no whole number')])
def test_nan_is_told(column: int, told: str) -> None:
    """In box, score or class of a row that counts."""
    table = TABLE.copy()
    table[0, column] = np.nan
    with pytest.raises(PredictionError, match=told):
        read(table, card())
