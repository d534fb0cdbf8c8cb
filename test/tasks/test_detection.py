"""Detection: the OSPA distance of boxes, and what scores say about them."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.tasks.detection import Box
from selector.tasks.detection import Boxes
from selector.tasks.detection import Detection
from selector.tasks.detection import iou
from selector.tasks.detection import prediction
from selector.tasks.detection import truth

LABELS = ('ball', 'robot', 'person')
PLAIN = Detection(LABELS)
WEIGHTED = Detection(LABELS, {'person': 5.0, 'ball': 0.25})
UNIT: Box = (0.0, 0.0, 10.0, 10.0)
HALF: Box = (0.0, 0.0, 10.0, 5.0)
FAR: Box = (100.0, 0.0, 110.0, 10.0)

_corner, _side = st.integers(0, 6).map(float), st.integers(1, 6).map(float)


@st.composite
def some_boxes(draw: st.DrawFn) -> Boxes:
    """Up to four boxes on a small grid, so that many overlap."""
    found, classes = [], []
    for _ in range(draw(st.integers(0, 4))):
        x, y, width, height = (draw(edge) for edge in (_corner, _corner, _side, _side))
        found.append((x, y, x + width, y + height))
        classes.append(draw(st.integers(0, 2)))
    return Boxes(tuple(found), tuple(classes))


def answer(
    *of: tuple[Box, int, float], threshold: float = 0.5, doubtful: tuple[float, ...] = ()
) -> Prediction:
    """Return an answer with boxes of (box, class, score)."""
    boxes = Boxes(tuple(b for b, _, _ in of), tuple(c for _, c, _ in of), threshold, doubtful)
    return prediction('m', boxes, tuple(s for _, _, s in of))


@pytest.mark.parametrize('task', [PLAIN, WEIGHTED], ids=['plain', 'weighted'])
@given(one=some_boxes(), two=some_boxes(), three=some_boxes())
def test_the_distance_is_a_metric(task: Detection, one: Boxes, two: Boxes, three: Boxes) -> None:
    """In [0, 1], 0 from itself, symmetric, and no detour is shorter; with class weights too."""
    there, on = task.distance(one, two), task.distance(two, three)
    assert 0.0 <= there <= 1.0
    assert task.distance(one, one) == pytest.approx(0.0, abs=1e-12)
    assert there == pytest.approx(task.distance(two, one), abs=1e-12)
    assert task.distance(one, three) <= there + on + 1e-9


@given(one=some_boxes(), two=some_boxes())
def test_different_sets_are_apart(one: Boxes, two: Boxes) -> None:
    """The distance is 0 for the same boxes in another order only."""
    same = sorted(zip(one.class_ids, one.xyxy, strict=True)) == sorted(
        zip(two.class_ids, two.xyxy, strict=True)
    )
    assert (PLAIN.distance(one, two) < 1e-9) == same


def naive_ospa(one: Boxes, two: Boxes) -> float:
    """Return OSPA (order 1, cut-off 1) by its definition: the best pairing, and padding."""
    small, large = sorted((one, two), key=lambda b: len(b.xyxy))
    n, m = len(small.xyxy), len(large.xyxy)
    if m == 0:
        return 0.0

    def base(i: int, j: int) -> float:
        if small.class_ids[i] != large.class_ids[j]:
            return 1.0
        pair = iou(np.asarray([small.xyxy[i]]), np.asarray([large.xyxy[j]]))
        return 1.0 - float(pair[0, 0])

    best = min(
        sum(base(i, order[i]) for i in range(n)) for order in itertools.permutations(range(m), n)
    )
    return (best + m - n) / m


@given(one=some_boxes(), two=some_boxes())
def test_without_weights_it_is_ospa(one: Boxes, two: Boxes) -> None:
    """Computed by the definition, pairing by pairing."""
    assert PLAIN.distance(one, two) == pytest.approx(naive_ospa(one, two), abs=1e-9)


@pytest.mark.parametrize(
    ('one', 'two', 'distance'),
    [
        ((), (), 0.0),
        ((), ((UNIT, 0),), 1.0),
        (((UNIT, 0),), ((UNIT, 0),), 0.0),
        (((UNIT, 0),), ((UNIT, 1),), 1.0),
        (((UNIT, 0),), ((HALF, 0),), 0.5),
        (((UNIT, 0), (FAR, 0)), ((UNIT, 0),), 0.5),
        (((UNIT, 0), (FAR, 1)), ((FAR, 1), (HALF, 0)), 0.25),
    ],
)
def test_known_distances(
    one: tuple[tuple[Box, int], ...], two: tuple[tuple[Box, int], ...], distance: float
) -> None:
    """Both empty 0, one empty 1, another class 1, half covered 0.5, one of two missing 0.5."""
    sets = [truth(tuple(b for b, _ in s), tuple(c for _, c in s)) for s in (one, two)]
    assert PLAIN.disagreement(*sets) == pytest.approx(distance)
    assert PLAIN.loss(*sets) == pytest.approx(distance)
    assert PLAIN.likeness(*sets) == pytest.approx(1.0 - distance)


def test_a_heavy_class_counts_more() -> None:
    """Missing the person of weight 5 beside a ball of 0.25 is nearly all of the loss."""
    both = truth((UNIT, FAR), (2, 0))
    assert WEIGHTED.loss(truth((FAR,), (0,)), both) == pytest.approx(5.0 / 5.25)
    assert WEIGHTED.loss(truth((UNIT,), (2,)), both) == pytest.approx(0.25 / 5.25)


def test_the_best_box_comes_first() -> None:
    """An answer is sorted by score; it stands for the class of its best box, and names all."""
    made = answer((UNIT, 1, 0.6), (FAR, 2, 0.9), (HALF, 1, 0.7))
    assert made.scores == (0.9, 0.7, 0.6)
    assert made.class_id == 2
    assert PLAIN.classes(made) == (2, 1)
    assert (PLAIN.classes(answer()), answer().class_id) == ((), -1)


def test_evidence_of_boxes() -> None:
    """Sure boxes are confident, doubtful ones as the doubts are small; nothing says nothing."""
    sure = PLAIN.evidence(answer((UNIT, 0, 1.0)))
    assert sure == (1.0, 1.0, 0.0)
    assert PLAIN.evidence(answer()) == (0.5, 0.5, 0.5)
    half = PLAIN.evidence(answer((UNIT, 0, 0.75), doubtful=(0.25,)))
    assert half.confidence == pytest.approx(0.75 / 1.25)
    assert half.margin == pytest.approx(0.5)
    missed = PLAIN.evidence(answer(doubtful=(0.4, 0.1)))
    assert missed.confidence == pytest.approx(0.6 * 0.9)
    assert missed.margin == pytest.approx(0.2)


@given(st.lists(st.floats(0.5, 1.0), max_size=5), st.lists(st.floats(0.0, 0.5), max_size=5))
def test_evidence_is_in_range(given_scores: list[float], doubtful: list[float]) -> None:
    """Whatever the scores, all three numbers are in [0, 1]."""
    made = answer(*((UNIT, 0, s) for s in given_scores), doubtful=tuple(doubtful))
    assert all(0.0 <= value <= 1.0 for value in PLAIN.evidence(made))


@pytest.mark.parametrize(
    'bad',
    [
        Prediction('m', (), -1, 0.0),
        answer((UNIT, 3, 0.9)),
        answer((UNIT, 0, 1.5)),
        answer((UNIT, 0, math.nan)),
        answer(((0.0, 0.0, math.nan, 1.0), 0, 0.9)),
        answer(((5.0, 0.0, 1.0, 1.0), 0, 0.9)),
        answer(((5.0, 0.0, 5.0, 1.0), 0, 0.9)),
        answer((UNIT, 0, 0.9))._replace(scores=()),
        answer(doubtful=(-0.5,)),
    ],
)
def test_nonsense_is_refused(bad: Prediction) -> None:
    """No boxes at all, unknown classes, scores or corners that are none."""
    with pytest.raises(PredictionError, match='returned'):
        PLAIN.check(bad)


def test_what_is_sound_passes() -> None:
    """Boxes, no box, and without labels any class."""
    PLAIN.check(answer((UNIT, 2, 0.5)))
    PLAIN.check(answer())
    Detection().check(answer((UNIT, 90, 0.5)))


def test_what_is_kept_for_a_label_has_the_same_loss() -> None:
    """The doubtful scores go, the boxes stay."""
    made = answer((HALF, 0, 0.9), doubtful=(0.2,))
    kept = PLAIN.bare(made)
    right = truth((UNIT,), (0,))
    assert PLAIN.loss(kept, right) == PLAIN.loss(made, right) == pytest.approx(0.5)
    assert kept.content == Boxes((HALF,), (0,))
