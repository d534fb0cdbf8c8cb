"""Classification: probabilities, evidence, disagreement and loss of one label per image."""

from itertools import product
import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import PATIENT
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.tasks.classification import Classification
from selector.tasks.classification import evidence
from selector.tasks.classification import prediction
from selector.tasks.classification import softmax
from selector.tasks.classification import truth

LOGITS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)


@PATIENT
@given(LOGITS)
def test_softmax_gives_probabilities(logits: list[float]) -> None:
    """Scores are in [0, 1], sum to 1 and keep the order of the logits, however large these are."""
    scores = softmax(np.array(logits))
    assert len(scores) == len(logits)
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert math.fsum(scores) == pytest.approx(1.0, abs=1e-12)
    for (a, p), (b, q) in product(zip(logits, scores, strict=True), repeat=2):
        assert a <= b or p >= q


@PATIENT
@given(st.lists(st.floats(-30, 30), min_size=2, max_size=20), st.floats(-1e3, 1e3))
def test_softmax_ignores_a_common_shift(logits: list[float], shift: float) -> None:
    """Adding one number to all logits changes no probability."""
    moved = softmax(np.array(logits) + shift)
    assert moved == pytest.approx(softmax(np.array(logits)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_softmax_works_in_double_precision(dtype: type[np.floating]) -> None:
    """Two logits give the logistic function to 1e-12 whatever the model's precision."""
    scores = softmax(np.array([0.5, -1.25], dtype))
    assert scores[0] == pytest.approx(1.0 / (1.0 + math.exp(-1.75)), rel=1e-12)
    assert all(type(score) is float for score in scores)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('place', [0, 1, 2])
def test_a_logit_that_is_no_number_is_refused(bad: float, place: int) -> None:
    """NaN or infinity anywhere is no prediction, never a silent class 0."""
    logits = np.array([1.0, 2.0, 3.0])
    logits[place] = bad
    with pytest.raises(PredictionError, match='NaN or infinite'):
        prediction('model', logits, 0.0)


@pytest.mark.parametrize('shape', [(), (0,), (1,), (1, 10), (2, 2)])
def test_a_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    """Only (C,) with at least two classes is a classification."""
    with pytest.raises(PredictionError, match='shape'):
        softmax(np.zeros(shape))


def test_prediction_names_the_largest_class_first_of_equals() -> None:
    """The class is the largest score; of equal ones the first, on every machine."""
    assert prediction('model', np.array([0.0, 3.0, 3.0]), 0.25)[2:4] == (1, 0.25)
    assert prediction('model', np.array([-5.0, -4.0]), 0.0).class_id == 1


@PATIENT
@given(LOGITS)
def test_evidence_stays_in_range(logits: list[float]) -> None:
    """Confidence, margin and entropy are in [0, 1] and confidence is at least 1/C."""
    scores = softmax(np.array(logits))
    found = evidence(scores)
    assert all(0.0 <= value <= 1.0 for value in found)
    assert found.confidence == max(scores) >= 1.0 / len(scores) - 1e-12
    assert found.margin <= found.confidence


@PATIENT
@given(st.lists(st.floats(-20, 20), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_evidence_does_not_depend_on_the_order_of_classes(
    logits: list[float], random: st.DataObject
) -> None:
    """Renumbering the classes changes no evidence: the same bits."""
    scores = list(softmax(np.array(logits)))
    shuffled = scores.copy()
    random.shuffle(shuffled)
    assert evidence(shuffled) == evidence(scores)


@pytest.mark.parametrize('classes', range(2, 200))
def test_entropy_of_even_scores_is_one(classes: int) -> None:
    """Even scores have the largest entropy, and rounding does not push it over 1."""
    found = evidence((1.0 / classes,) * classes)
    assert found.entropy == pytest.approx(1.0, abs=1e-12)
    assert found.entropy <= 1.0
    assert found.margin == 0.0


def test_evidence_by_hand() -> None:
    """Three scores give what a pocket calculator gives; a certain answer has no entropy."""
    found = evidence((0.2, 0.7, 0.1))
    nats = -(0.2 * math.log(0.2) + 0.7 * math.log(0.7) + 0.1 * math.log(0.1))
    assert found == pytest.approx((0.7, 0.5, nats / math.log(3.0)), rel=1e-12)
    assert evidence((0.0, 1.0, 0.0)) == (1.0, 1.0, 0.0)


def _named(class_id: int) -> Prediction:
    return Prediction('model', (), class_id, 0.0)


def test_disagreement_is_a_metric_that_bounds_the_difference_of_losses() -> None:
    """Symmetric, zero on equals, triangle inequality, and |L_f - L_k| <= d (decision.md 1)."""
    task = Classification()
    apart = task.disagreement
    answers = [_named(k) for k in range(-1, 3)]
    for one, two, three in product(answers, repeat=3):
        assert apart(one, two) == apart(two, one) == float(one != two)
        assert apart(one, three) <= apart(one, two) + apart(two, three)
        for label in range(3):
            losses = task.loss(one, truth(label)), task.loss(two, truth(label))
            assert abs(losses[0] - losses[1]) <= apart(one, two)


def test_loss_of_an_empty_answer_is_one() -> None:
    """Nothing answered is wrong for every label; only the label itself is right."""
    loss = Classification().loss
    assert [loss(_named(-1), truth(label)) for label in range(5)] == [1.0] * 5
    assert [loss(_named(2), truth(label)) for label in range(5)] == [1.0, 1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    'bad',
    [
        Prediction('m', (), -1, 0.0),
        Prediction('m', (0.5, 0.5, 0.0), 0, 0.0),
        Prediction('m', (0.25, 0.75), 0, 0.0),
        Prediction('m', (0.25, 0.5), 1, 0.0),
        Prediction('m', (math.nan, 1.0), 1, 0.0),
    ],
)
def test_an_answer_that_is_none_is_refused(bad: Prediction) -> None:
    """No scores, another number than labels, the wrong class, a sum that is not 1, NaN."""
    with pytest.raises(PredictionError, match='returned'):
        Classification(2).check(bad)


def test_a_true_class_is_one_of_the_labels() -> None:
    """-1 and a class beyond the labels are no truth."""
    Classification(3).check_truth(truth(2))
    for class_id in (-1, 3):
        with pytest.raises(PredictionError, match='of 3'):
            Classification(3).check_truth(truth(class_id))
