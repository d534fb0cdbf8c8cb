"""NMS: greedy suppression within a class, against a slow one written from its definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from selector.decoders.candidates import Candidates
from selector.decoders.nms import ranked
from selector.decoders.nms import suppressed

Row = tuple[float, float, float, float, float, int]


def candidates(rows: list[Row]) -> Candidates:
    """Return rows of left, top, width, height, score, class as candidates."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    xyxy = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    return Candidates(xyxy, table[:, 4], table[:, 5].astype(np.intp))


def slow_iou(one: list[float], other: list[float]) -> float:
    """Return the intersection over union of two boxes."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0.0, wide) * max(0.0, high)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    union = areas[0] + areas[1] - common
    return common / union if union > 0.0 else 0.0


def slow_nms(found: Candidates, overlap: float, most: int) -> list[int]:
    """Return the places of the boxes that no better kept box of their class overlaps."""
    boxes, ids = found.xyxy.tolist(), found.class_ids.tolist()
    kept: list[int] = []
    for k, box in enumerate(boxes):
        rivals = [j for j in kept if ids[j] == ids[k]]
        if all(slow_iou(box, boxes[j]) <= overlap for j in rivals) and len(kept) < most:
            kept.append(k)
    return kept


# Whole pixels and eighths of scores, so that ties and equal boxes come up.
ROWS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.integers(0, 12),
        st.integers(0, 8),
        st.integers(0, 8),
        st.integers(1, 8).map(lambda n: n / 8),
        st.integers(0, 2),
    ),
    max_size=40,
)


@given(ROWS, st.sampled_from([0.0, 0.3, 0.45, 0.5, 1.0]), st.integers(1, 30))
def test_the_same_boxes_as_the_definition(rows: list[Row], overlap: float, most: int) -> None:
    """Exactly, with ties, equal boxes, empty boxes and a limit."""
    found = ranked(candidates(rows), len(rows) + 1)
    kept = suppressed(found, overlap, most)
    places = slow_nms(found, overlap, most)
    assert (kept.xyxy == found.xyxy[places]).all()
    assert (kept.scores == found.scores[places]).all()
    assert (kept.class_ids == found.class_ids[places]).all()


@given(ROWS, st.integers(1, 30))
def test_ranked_takes_the_highest(rows: list[Row], most: int) -> None:
    """In falling order, and of equal scores the first."""
    found = candidates(rows)
    best = ranked(found, most)
    order = sorted(range(len(rows)), key=lambda k: -rows[k][4])[:most]
    assert best.xyxy.tolist() == found.xyxy[order].tolist()
    assert best.scores.tolist() == found.scores[order].tolist()


def test_classes_do_not_suppress_each_other() -> None:
    """Two boxes in one place stay where their classes differ, and one goes where they do not."""
    rows: list[Row] = [(0, 0, 4, 4, 0.9, 0), (0, 0, 4, 4, 0.8, 1), (0, 0, 4, 4, 0.7, 0)]
    kept = suppressed(candidates(rows), 0.5, 10)
    assert kept.scores.tolist() == [0.9, 0.8]


def test_a_box_that_was_suppressed_suppresses_none() -> None:
    """Greedy: the third overlaps the second only, and the second is gone."""
    rows: list[Row] = [(0, 0, 10, 2, 0.9, 0), (4, 0, 10, 2, 0.8, 0), (8, 0, 10, 2, 0.7, 0)]
    kept = suppressed(candidates(rows), 0.3, 10)
    assert kept.scores.tolist() == [0.9, 0.7]
