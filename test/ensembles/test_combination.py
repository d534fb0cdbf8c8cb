"""Combined answers are answers of their task, and dispute shows in them as doubt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from selector.ensembles.combination import combination
from selector.errors import ConfigError
from selector.prediction import Prediction
from selector.tasks import classification
from selector.tasks import detection
from selector.tasks import regression
from selector.tasks.classification import Classification
from selector.tasks.detection import Boxes
from selector.tasks.detection import Detection
from selector.tasks.regression import Regression
from selector.tasks.regression import Values

LOGITS = st.lists(st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=1, max_size=5)
HERE, THERE = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)


def found(
    *rows: tuple[float, tuple[float, float, float, float]], doubtful: float = 0.0
) -> Prediction:
    """Return a detector's answer of one class, with one doubtful score where it is above 0."""
    rest = (doubtful,) if doubtful else ()
    boxes = Boxes(tuple(box for _, box in rows), (0,) * len(rows), 0.5, rest)
    return detection.prediction('d', boxes, tuple(score for score, _ in rows))


@given(LOGITS)
def test_probabilities_are_averaged(logits: list[list[float]]) -> None:
    """The combined answer passes its task and is never surer than the surest member."""
    answers = [classification.prediction('m', np.array(row), 0.0) for row in logits]
    combined = combination('classification', 0.5)('all', answers)
    Classification(3).check(combined)
    assert combined.model == 'all'
    means = np.mean([answer.scores for answer in answers], axis=0)
    assert combined.scores == pytest.approx(means.tolist())
    assert max(combined.scores) <= max(max(a.scores) for a in answers) + 1e-12


def test_members_that_disagree_leave_doubt() -> None:
    """Two sure members of two minds give an unsure answer: disagreement is evidence."""
    task, combine = Classification(2), combination('classification', 0.5)
    one, other = Prediction('a', (0.95, 0.05), 0, 0.0), Prediction('b', (0.1, 0.9), 1, 0.0)
    assert task.evidence(combine('all', [one, one])).confidence == pytest.approx(0.95)
    assert task.evidence(combine('all', [one, other])).confidence == pytest.approx(0.525)


def test_a_box_of_one_detector_becomes_doubtful() -> None:
    """Below the threshold it is no box any more, but counts as one that may be missing."""
    task, combine = Detection(('ball',)), combination('detection', 0.5)
    combined = combine('all', [found((0.9, HERE), (0.8, THERE)), found((0.9, HERE))])
    task.check(combined)
    boxes = detection.boxes(combined)
    assert (boxes.xyxy, combined.scores, combined.class_id) == ((HERE,), (0.9,), 0)
    assert boxes.doubtful == (pytest.approx(0.4),)
    agreed = combine('all', [found((0.9, HERE)), found((0.9, HERE))])
    assert task.evidence(combined).confidence < task.evidence(agreed).confidence


def test_doubtful_scores_count_by_their_share() -> None:
    """The number that may be missing is the mean of what the detectors think."""
    combine = combination('detection', 0.5)
    answers = [found((0.6, HERE)), found(doubtful=0.4)]
    assert detection.boxes(combine('all', answers)).doubtful == (0.3, 0.2)
    nothing = combine('all', [found(), found()])
    assert (nothing.scores, nothing.class_id, detection.boxes(nothing).xyxy) == ((), -1, ())


def test_the_threshold_is_that_of_the_ensemble() -> None:
    """A member with a lower one does not lower it."""
    combined = combination('detection', 0.7)('all', [found((0.6, HERE))])
    assert detection.boxes(combined) == Boxes((), (), 0.7, (0.6,))


def test_numbers_are_averaged_and_their_spread_is_that_of_the_mixture() -> None:
    """Variance between the members plus their own; one alone keeps what it says."""
    task, combine = Regression((10.0, 10.0)), combination('regression', 0.5)
    one = regression.prediction('a', Values((1.0, 5.0), (3.0, 0.0)))
    other = regression.prediction('b', Values((3.0, 5.0)))
    assert combine('all', [other]).content == Values((3.0, 5.0))
    combined = combine('all', [one, other])
    task.check(combined)
    values, spreads = regression.content(combined)
    assert values == (2.0, 5.0)
    assert spreads == pytest.approx(((1.0 + 9.0 / 2.0) ** 0.5, 0.0))
    assert task.evidence(combined).confidence < 1.0


def test_a_task_without_a_way_is_refused() -> None:
    """The sentence names those that there are."""
    with pytest.raises(ConfigError, match="'detecton'.*did you mean 'detection'"):
        combination('detecton', 0.5)
