"""Conversions from and to vision_msgs, on stand-ins with the published fields: no package here."""

from __future__ import annotations

import math
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import PredictionError
from selector.ros.vision import prediction_to_vision
from selector.ros.vision import scores_from_vision
from selector.ros.vision import Seen
from selector.ros.vision import seen_from_vision
from selector.ros.vision import upright
from selector.ros.vision import vision_type
from selector_msgs.msg import Prediction
import stand_ins

Box = tuple[float, float, float, float]


@pytest.fixture(autouse=True)
def _vision_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `import vision_msgs.msg` find the stand-ins."""
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', stand_ins.vision_msgs())


def detections(boxes: list[Box], labels: list[str], scores: list[float]) -> Prediction:
    """Return an answer of a detector."""
    return Prediction(
        header=stand_ins.header(),
        task='detection',
        labels=labels,
        class_ids=list(range(len(labels))),
        scores=scores,
        boxes=[corner for box in boxes for corner in box],
    )


def test_detections() -> None:
    """Each box by centre and size, its class by name; the header is that of the answer."""
    msg = detections([(80, 40, 120, 60), (0, 0, 8, 4)], ['cat', 'dog'], [0.75, 0.5])
    told = prediction_to_vision(msg)
    assert isinstance(told, stand_ins.Detection2DArray)
    assert told.header == msg.header
    first, second = told.detections
    assert first.header == second.header == msg.header
    assert (first.bbox.center.position.x, first.bbox.center.position.y) == (100.0, 50.0)
    assert (first.bbox.size_x, first.bbox.size_y, first.bbox.center.theta) == (40.0, 20.0, 0.0)
    (result,) = second.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ('dog', 0.5)


def test_no_box() -> None:
    """No detection, and no answer at all, is an array without detections."""
    assert prediction_to_vision(detections([], [], [])).detections == []


def test_classification() -> None:
    """Every class with its score."""
    msg = Prediction(
        header=stand_ins.header(),
        task='classification',
        labels=['cat', 'dog'],
        scores=[0.25, 0.75],
    )
    told = prediction_to_vision(msg)
    assert isinstance(told, stand_ins.Classification)
    assert told.header == msg.header
    assert scores_from_vision(told) == {'cat': 0.25, 'dog': 0.75}


def test_a_classifier_without_an_answer() -> None:
    """The labels are there and no score: it is a classification without results."""
    msg = Prediction(task='classification', labels=['cat', 'dog'])
    assert prediction_to_vision(msg).results == []


@given(
    st.lists(
        st.tuples(
            st.tuples(*(st.floats(0, 2000, width=32) for _ in range(4))),
            st.sampled_from(['cat', 'dog', '17']),
            st.floats(0, 1, width=32),
        ),
        max_size=5,
    )
)
def test_there_and_back(found: list[tuple[Box, str, float]]) -> None:
    """What is read back is what was published, whatever the boxes."""
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b, c, d), _, _ in found]
    names, scores = [name for _, name, _ in found], [score for _, _, score in found]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'vision_msgs.msg', stand_ins.vision_msgs())
        seen = seen_from_vision(prediction_to_vision(detections(boxes, names, scores)))
    assert [each.class_name for each in seen] == names
    assert [each.score for each in seen] == scores
    for each, box in zip(seen, boxes, strict=True):
        assert each.box == pytest.approx(box, abs=1e-9)


def test_of_several_classes_the_best() -> None:
    """A detection with several hypotheses is that of the highest score."""
    msg = stand_ins.Detection2DArray(
        detections=[stand_ins.detection(10, 10, 4, 2, cat=0.2, dog=0.7, cow=0.1)]
    )
    assert seen_from_vision(msg) == [Seen((8.0, 9.0, 12.0, 11.0), 'dog', 0.7)]


def test_the_older_layout() -> None:
    """Centre without `position` and hypothesis with `id`, as before 4.0, read the same."""
    bbox = stand_ins.OldBoundingBox2D(size_x=4.0, size_y=2.0)
    bbox.center.x = bbox.center.y = 10.0
    results = [stand_ins.OldHypothesis(id='dog', score=0.7)]
    old = stand_ins.OldDetection2D(results=results, bbox=bbox)
    msg = stand_ins.Detection2DArray(detections=[old])
    assert seen_from_vision(msg) == [Seen((8.0, 9.0, 12.0, 11.0), 'dog', 0.7)]
    assert scores_from_vision(stand_ins.Classification(results=results)) == {'dog': 0.7}


def test_a_turned_box() -> None:
    """It becomes the upright one around it: a quarter turn swaps its sides."""
    center = stand_ins.Pose2D(position=stand_ins.Point2D(x=10.0, y=10.0), theta=math.pi / 2)
    assert upright(center, 4.0, 2.0) == pytest.approx((9.0, 8.0, 11.0, 12.0))
    center.theta = math.pi / 4
    side = 6.0 / math.sqrt(2.0)
    assert upright(center, 4.0, 2.0) == pytest.approx(
        (10 - side / 2, 10 - side / 2, 10 + side / 2, 10 + side / 2)
    )


@pytest.mark.parametrize(
    ('bad', 'match'),
    [
        (stand_ins.detection(10, 10, 4, 2), 'a detection without a class'),
        (stand_ins.detection(10, 10, 4, 2, cat=math.nan), 'the score nan'),
        (stand_ins.detection(10, 10, 4, 2, cat=0.5, dog=math.nan), 'the score nan'),
        (stand_ins.detection(10, 10, 4, 2, cat=1.5), 'the score 1.5'),
        (stand_ins.detection(math.nan, 10, 4, 2, cat=0.5), 'a box of 4.0 x 2.0 pixels around'),
        (stand_ins.detection(10, 10, -4, 2, cat=0.5), 'sizes are >= 0'),
        (stand_ins.detection(10, 10, 4, math.inf, cat=0.5), 'a box of 4.0 x inf pixels'),
        (stand_ins.detection(10, 10, 4, 2, theta=math.nan, cat=0.5), 'turned by nan'),
    ],
)
def test_what_is_no_detection(bad: Any, match: str) -> None:
    """NaN, sizes below 0 and a box without a class are refused, and told."""
    with pytest.raises(PredictionError, match=match):
        seen_from_vision(stand_ins.Detection2DArray(detections=[bad]))


def test_types_by_task() -> None:
    """A detector's answers are a Detection2DArray, a classifier's a Classification."""
    assert vision_type('detection') is stand_ins.Detection2DArray
    assert vision_type('classification') is stand_ins.Classification
    assert vision_type('regression') is None
    assert prediction_to_vision(Prediction(task='regression')) is None


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where vision_msgs is not installed, nothing is made, and nothing fails."""
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', None)
    assert vision_type('detection') is None
    assert prediction_to_vision(detections([(0, 0, 8, 4)], ['cat'], [0.5])) is None
