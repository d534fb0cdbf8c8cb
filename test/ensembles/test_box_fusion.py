"""Fused boxes lie within what was found, and a detector that found nothing counts as 0."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest
from selector.ensembles.box_fusion import fuse
from selector.prediction import Prediction
from selector.tasks import detection
from selector.tasks.detection import Boxes

Row = tuple[float, tuple[float, float, float, float], int]


def answer(*rows: Row) -> Prediction:
    """Return a detector's answer: score, box and class of each row."""
    found = Boxes(tuple(box for _, box, _ in rows), tuple(k for _, _, k in rows))
    return detection.prediction('d', found, tuple(score for score, _, _ in rows))


ROWS = st.lists(
    st.tuples(
        st.floats(0.01, 1.0),
        st.tuples(*(st.floats(0.0, 50.0), st.floats(0.0, 50.0))).flatmap(
            lambda c: st.tuples(
                st.just(c[0]), st.just(c[1]), st.floats(c[0] + 1, 90.0), st.floats(c[1] + 1, 90.0)
            )
        ),
        st.integers(0, 2),
    ),
    max_size=5,
)


def test_the_same_box_keeps_its_place_and_its_mean_score() -> None:
    """Two detectors that agree give one box, weighted by score, with the mean score."""
    fused = fuse(
        [answer((0.9, (0.0, 0.0, 10.0, 10.0), 1)), answer((0.3, (0.0, 0.0, 10.0, 12.0), 1))], 0.55
    )
    assert len(fused) == 1
    assert fused[0].xyxy == pytest.approx((0.0, 0.0, 10.0, 10.5))
    assert (fused[0].class_id, fused[0].score) == (1, pytest.approx(0.6))


def test_a_detector_without_the_box_counts_as_zero() -> None:
    """One of three found it: a third of its score."""
    box = (0.9, (0.0, 0.0, 10.0, 10.0), 0)
    [fused] = fuse([answer(box), answer(), answer()], 0.55)
    assert fused.score == pytest.approx(0.3)
    assert fused.xyxy == (0.0, 0.0, 10.0, 10.0)


def test_classes_and_boxes_of_one_detector_stay_apart() -> None:
    """Neither boxes of two classes nor two boxes of one detector are one thing."""
    same = (0.0, 0.0, 10.0, 10.0)
    assert len(fuse([answer((0.9, same, 0)), answer((0.9, same, 1))], 0.55)) == 2
    assert len(fuse([answer((0.9, same, 0), (0.8, same, 0))], 0.55)) == 2


def test_the_best_overlap_wins() -> None:
    """A box joins the fused box it overlaps most, not the first that would do."""
    first = answer((0.9, (0.0, 0.0, 10.0, 10.0), 0), (0.8, (2.0, 0.0, 12.0, 10.0), 0))
    fused = fuse([first, answer((0.7, (2.0, 0.0, 12.0, 10.0), 0))], 0.5)
    assert [round(f.score, 6) for f in fused] == [0.75, 0.45]
    assert fused[0].xyxy == pytest.approx((2.0, 0.0, 12.0, 10.0))


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4), st.floats(0.1, 1.0))
def test_fusion_keeps_scores_and_boxes_within_bounds(
    sets: list[list[Row]], iou_min: float
) -> None:
    """Scores sum up to those of the mean detector; a fused box lies among those of its class."""
    fused = fuse([answer(*rows) for rows in sets], iou_min)
    rows = [row for part in sets for row in part]
    mean = math.fsum(score for score, _, _ in rows) / len(sets)
    assert math.fsum(f.score for f in fused) == pytest.approx(mean)
    assert [f.score for f in fused] == sorted((f.score for f in fused), reverse=True)
    assert len(fused) <= len(rows)
    for found in fused:
        own = [box for _, box, class_id in rows if class_id == found.class_id]
        assert all(min(b[k] for b in own) - 1e-9 <= found.xyxy[k] for k in range(4))
        assert all(found.xyxy[k] <= max(b[k] for b in own) + 1e-9 for k in range(4))


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_one_detector_alone_is_left_as_it_is(rows: list[Row]) -> None:
    """Nothing is fused within one answer, bit for bit."""
    alone = answer(*rows)
    fused = fuse([alone], 0.55)
    assert sorted(f.score for f in fused) == sorted(alone.scores)
    assert {f.xyxy for f in fused} == set(detection.boxes(alone).xyxy)
