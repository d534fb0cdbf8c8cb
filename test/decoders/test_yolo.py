"""YOLO: every layout of the output stands for the same boxes."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.decoding_card import YoloCard
from selector.decoders.outputs import fits
from selector.decoders.yolo import decode
from selector.decoders.yolo import shapes
from selector.errors import PredictionError

CLASSES = 3
INPUT_PX = (96, 128)
BOXES = np.array([[8, 16, 40, 48], [64, 0, 128, 96], [1, 2, 3, 4.5]], np.float64)
SCORES = np.array([[0.75, 0.1, 0.2], [0.1, 0.2, 0.5], [0.05, 0.06, 0.01]])


def card(**more: Any) -> YoloCard:
    """Return a card."""
    return YoloCard.model_validate({'kind': 'yolo', **more})


def logit(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the sigmoid makes `shares` of."""
    return np.log(shares / (1.0 - shares))


def output(
    of: YoloCard, boxes: NDArray[np.float64], scores: NDArray[np.float64], sure: float = 0.8
) -> NDArray[np.float32]:
    """Return the array that a network described by a card gives for boxes (N, 4) in pixels."""
    found = boxes.copy()
    if of.normalised:
        found /= np.array([INPUT_PX[1], INPUT_PX[0]] * 2)
    if of.boxes == 'cxcywh':
        centre, size = 0.5 * (found[:, :2] + found[:, 2:]), found[:, 2:] - found[:, :2]
        found = np.concatenate([centre, size], axis=1)
    elif of.boxes == 'yxyx':
        found = found[:, [1, 0, 3, 2]]
    columns = [found]
    if of.objectness:
        certain = np.full((len(boxes), 1), sure)
        columns.append(logit(certain) if of.apply_sigmoid else certain)
    columns.append(logit(scores) if of.apply_sigmoid else scores)
    table = np.concatenate(columns, axis=1).astype(np.float32)
    return (table.T if of.layout == 'anchors_last' else table)[None]


ALL = [
    card(layout=layout, objectness=sure, boxes=boxes, normalised=normal, apply_sigmoid=sigmoid)
    for layout, sure, boxes, normal, sigmoid in itertools.product(
        ['anchors_last', 'anchors_first'],
        [False, True],
        ['cxcywh', 'xyxy', 'yxyx'],
        [False, True],
        [False, True],
    )
]


@pytest.mark.parametrize('of', ALL, ids=lambda c: '-'.join(map(str, c.model_dump().values())))
def test_every_layout_gives_the_same_boxes(of: YoloCard) -> None:
    """Ultralytics v8 (1, 4 + C, N), v5 (1, N, 5 + C) and all in between."""
    array = output(of, BOXES, SCORES)
    (allowed,) = shapes(of, CLASSES).values()
    assert fits(array.shape, allowed)
    found = decode({'predictions': array}, of, INPUT_PX, 0.2)
    factor = 0.8 if of.objectness else 1.0
    assert found.xyxy == pytest.approx(BOXES[:2], abs=1e-3)
    assert found.scores == pytest.approx([0.75 * factor, 0.5 * factor], abs=1e-6)
    assert found.class_ids.tolist() == [0, 2]


@given(st.integers(0, 60), st.integers(1, 90), st.floats(0.01, 0.9), st.booleans())
def test_the_best_class_of_each_anchor(
    anchors: int, classes: int, score_min: float, sure: bool
) -> None:
    """Against a loop over all anchors, with as many classes as there may be."""
    draw = np.random.default_rng(anchors * 97 + classes)
    of = card(objectness=sure, boxes='xyxy', layout='anchors_first')
    table = draw.random((anchors, 4 + sure + classes)).astype(np.float32)
    found = decode({'predictions': table[None]}, of, INPUT_PX, score_min)
    expected = []
    for row in table:
        scores = row[4 + sure :] * (row[4] if sure else np.float32(1.0))
        if scores.max() > np.float32(score_min):
            expected.append((row[:4].tolist(), float(scores.max()), int(scores.argmax())))
    assert found.xyxy.tolist() == [box for box, _, _ in expected]
    assert found.scores.tolist() == [score for _, score, _ in expected]
    assert found.class_ids.tolist() == [class_id for _, _, class_id in expected]


def test_logits_without_sigmoid_are_told() -> None:
    """A score above 1 is refused with the key that would mend it."""
    array = output(card(apply_sigmoid=True), BOXES, SCORES)
    with pytest.raises(PredictionError, match='apply_sigmoid: true'):
        decode({'predictions': array}, card(), INPUT_PX, 0.2)


@pytest.mark.parametrize('column', [0, 3, 4, 5])
def test_nan_is_never_a_box(column: int) -> None:
    """NaN in a box or score of a candidate is refused, not dropped."""
    for of in (card(objectness=True), card(objectness=True, layout='anchors_first')):
        array = output(of, BOXES, SCORES)
        rows = array[0] if of.layout == 'anchors_last' else array[0].T
        rows[column, 0] = np.nan
        with pytest.raises(PredictionError, match='NaN'):
            decode({'predictions': array}, of, INPUT_PX, 0.2)


def test_the_shape_tells_the_number_of_classes() -> None:
    """An output for 80 classes fits no card with 3, nor one of the other layout."""
    (allowed,) = shapes(card(), 80).values()
    assert fits((1, 84, 8400), allowed)
    assert fits((84, None), allowed)
    assert not fits((1, 85, 8400), allowed)
    assert not fits((1, 8400, 84), allowed)
    (allowed,) = shapes(card(layout='anchors_first', objectness=True), 80).values()
    assert fits((1, 25200, 85), allowed)
