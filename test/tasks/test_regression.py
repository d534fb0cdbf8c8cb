"""Regression: the clipped error of numbers, and what their spread says."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.tasks.regression import prediction
from selector.tasks.regression import Regression
from selector.tasks.regression import Values

TASK = Regression((2.0, 10.0))
_numbers = st.tuples(st.floats(-50.0, 50.0), st.floats(-50.0, 50.0))


def said(values: tuple[float, ...], spreads: tuple[float, ...] = ()) -> Prediction:
    """Return an answer."""
    return prediction('m', Values(values, spreads))


@given(_numbers, _numbers, _numbers)
def test_the_distance_is_a_metric(
    one: tuple[float, ...], two: tuple[float, ...], three: tuple[float, ...]
) -> None:
    """In [0, 1], 0 from itself, symmetric, and no detour is shorter."""
    a, b, c = said(one), said(two), said(three)
    assert 0.0 <= TASK.disagreement(a, b) <= 1.0
    assert TASK.disagreement(a, a) == 0.0
    assert TASK.disagreement(a, b) == TASK.disagreement(b, a)
    assert TASK.disagreement(a, c) <= TASK.disagreement(a, b) + TASK.disagreement(b, c) + 1e-9


def test_the_error_counts_by_its_scale_up_to_one() -> None:
    """Half the scale is half an error; ten times the scale is one error, not ten."""
    assert TASK.loss(said((1.0, 0.0)), said((0.0, 0.0))) == pytest.approx(0.25)
    assert TASK.loss(said((20.0, 0.0)), said((0.0, 0.0))) == pytest.approx(0.5)
    assert TASK.loss(said((20.0, 100.0)), said((0.0, 0.0))) == 1.0
    assert TASK.likeness(said((1.0, 0.0)), said((0.0, 0.0))) == pytest.approx(0.75)


def test_evidence_is_the_spread() -> None:
    """No spread: nothing is known. A spread of the scale or more: no confidence."""
    assert TASK.evidence(said((0.0, 0.0))) == (0.5, 0.5, 0.5)
    assert TASK.evidence(said((0.0, 0.0), (0.0, 0.0))) == (1.0, 1.0, 0.0)
    found = TASK.evidence(said((0.0, 0.0), (1.0, 0.0)))
    assert found == pytest.approx((0.75, 0.5, 0.25))
    assert TASK.evidence(said((0.0, 0.0), (9.0, 99.0))) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    'bad',
    [
        Prediction('m', (), -1, 0.0),
        said((1.0,)),
        said((1.0, math.nan)),
        said((1.0, math.inf)),
        said((1.0, 2.0), (1.0,)),
        said((1.0, 2.0), (1.0, -1.0)),
    ],
)
def test_nonsense_is_refused(bad: Prediction) -> None:
    """Another count than declared, NaN, infinity, a negative spread."""
    with pytest.raises(PredictionError, match='returned'):
        TASK.check(bad)


def test_numbers_have_no_class_and_stay_as_they_are() -> None:
    """Nothing is dropped for a label that comes late."""
    made = said((1.0, 2.0), (0.5, 0.5))
    TASK.check(made)
    TASK.check_truth(said((1.0, 2.0)))
    assert TASK.classes(made) == ()
    assert TASK.bare(made) == made
