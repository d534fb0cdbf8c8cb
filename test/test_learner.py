"""Learner: recursive least squares that stays sound for as long as it runs."""

from __future__ import annotations

from itertools import combinations_with_replacement
import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import PATIENT
from selector.errors import ConfigError
from selector.errors import InputError
from selector.learner import Learner
from selector.learner import size
from selector.learner import TERM_MAX
from selector.learner import Terms
from selector.learner import terms

SIZE = size(3)
UNIT = st.floats(0.0, 1.0)
OBSERVED = st.tuples(st.tuples(UNIT, UNIT, UNIT), st.floats(-1.0, 1.0))
ONE = np.ones(1)


def _spread(learner: Learner) -> np.ndarray:
    return learner._state[:, : learner._size]


@PATIENT
@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=16))
def test_the_terms_are_every_product_of_two(numbers: list[float]) -> None:
    """1, each input, its square and each product, stretched to [-1, 1] and cut off there."""
    inputs = [1.0] + [2.0 * min(1.0, max(0.0, x)) - 1.0 for x in numbers]
    pairs = combinations_with_replacement(range(len(inputs)), 2)
    found = terms(numbers)
    assert found.tolist() == [inputs[a] * inputs[b] for a, b in pairs]
    assert found.shape == (size(len(numbers)),)
    assert np.abs(found).max() == 1.0


@PATIENT
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=8))
def test_terms_of_any_number_are_terms(numbers: list[float]) -> None:
    """Huge, infinite and undefined numbers give finite terms in [-1, 1]."""
    assert (np.abs(terms(numbers)) <= 1.0).all()


@PATIENT
@given(st.lists(OBSERVED, min_size=1, max_size=40), st.floats(0.01, 10.0))
def test_without_forgetting_it_is_ridge_regression(
    seen: list[tuple[tuple[float, float, float], float]], prior: float
) -> None:
    """Weights and width are those of ridge regression over all observations at once."""
    learner = Learner(SIZE, prior, 1.0)
    rows = np.array([terms(evidence) for evidence, _ in seen])
    targets = np.array([target for _, target in seen])
    for row, target in zip(rows, targets.tolist(), strict=True):
        learner.update(row, target)
    spread = np.linalg.inv(rows.T @ rows + np.eye(SIZE) / prior)
    weights = spread @ rows.T @ targets
    z = terms((0.7, 0.4, 0.3))
    mean, width = learner.predict(z)
    assert mean == pytest.approx(float(weights @ z), abs=1e-6)
    assert width == pytest.approx(float(np.sqrt(z @ spread @ z)), abs=1e-6)
    assert learner.mean(z) == pytest.approx(mean, abs=1e-9)
    assert learner.updates == len(seen)


def test_it_stays_positive_definite() -> None:
    """After 50,000 updates on hardly varying input P is symmetric, positive and bounded."""
    learner = Learner(SIZE, 0.1, 0.9995)
    draw = np.random.default_rng(0)
    for noise in draw.normal(size=(50_000, 3)) * 1e-3:
        learner.update(terms((0.5 + noise).tolist()), float(noise[0] > 0.0))
    _assert_sound(learner, 0.1)


def _assert_sound(learner: Learner, prior: float) -> None:
    """P is symmetric to the last bit, positive definite and no wider than at the start."""
    spread = _spread(learner)
    count = len(spread)
    assert np.array_equal(spread, spread.T)
    assert np.linalg.eigvalsh(spread).min() > 0.0
    assert spread.trace() <= prior * count * (1.0 + 1e-12)
    for z in (np.ones(count), -np.ones(count), np.eye(count)[0]):
        mean, width = learner.predict(z)
        assert math.isfinite(mean)
        assert 0.0 < width < math.inf


def _one_direction(k: int, draw: np.random.Generator) -> Terms:
    return terms([0.9] * 6)


def _two_nearly_equal_directions(k: int, draw: np.random.Generator) -> Terms:
    return terms([0.5 + (k % 2) * 1e-9] * 6)


def _mostly_corners(k: int, draw: np.random.Generator) -> Terms:
    return terms(draw.integers(0, 2, 6).astype(float).tolist())


def _one_term_only(k: int, draw: np.random.Generator) -> Terms:
    return np.eye(28)[(k // 1000) % 28]


def _tiny_then_huge(k: int, draw: np.random.Generator) -> Terms:
    return terms(draw.random(6).tolist()) * (1e-9 if k % 1000 else 1e3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('direction', 'forgetting', 'updates'),
    [
        (_mostly_corners, 0.9998, 1_000_000),
        (_one_direction, 0.9998, 100_000),
        (_one_direction, 1.0, 100_000),
        (_two_nearly_equal_directions, 0.9995, 100_000),
        (_one_term_only, 0.9995, 100_000),
        (_tiny_then_huge, 0.9998, 100_000),
    ],
)
def test_it_stays_sound_for_ever(direction: object, forgetting: float, updates: int) -> None:
    """Up to 1e6 updates in directions an adversary likes: P symmetric, positive, bounded."""
    assert callable(direction)
    learner = Learner(28, 0.1, forgetting)
    draw = np.random.default_rng(2)
    for k in range(updates):
        learner.update(direction(k, draw), float(k % 3) - 1.0)
    assert learner.updates == updates
    _assert_sound(learner, 0.1)


@PATIENT
@given(
    st.lists(
        st.tuples(st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4), st.floats(-1.0, 1.0)),
        max_size=60,
    ),
    st.sampled_from([0.5, 0.99, 1.0]),
)
def test_it_stays_sound_on_any_terms(
    seen: list[tuple[list[float], float]], forgetting: float
) -> None:
    """Whatever is observed, and however fast it forgets: symmetric, positive, bounded."""
    learner = Learner(4, 2.0, forgetting)
    for row, target in seen:
        learner.update(np.array(row), target)
    _assert_sound(learner, 2.0)


def test_it_follows_a_change() -> None:
    """With forgetting, a rate that drops from 0.8 to 0.2 is known again 4,000 observations on."""
    learner = Learner(1, 0.1, 0.999)
    draw = np.random.default_rng(1)
    for rate in (0.8, 0.2):
        for hit in draw.random(4_000) < rate:
            learner.update(ONE, float(hit))
        assert learner.predict(ONE)[0] == pytest.approx(rate, abs=0.06)


def test_the_width_shrinks_where_it_looked() -> None:
    """Observations narrow the width at their terms and hardly elsewhere."""
    learner = Learner(2, 1.0, 1.0)
    for _ in range(100):
        learner.update(np.array([1.0, 0.0]), 0.5)
    assert learner.predict(np.array([1.0, 0.0]))[1] < 0.11
    assert learner.predict(np.array([0.0, 1.0]))[1] == 1.0


def test_the_width_does_not_wind_up_where_nothing_is_seen() -> None:
    """A direction that is never seen keeps a width of no more than the whole prior's."""
    learner = Learner(2, 1.0, 0.99)
    for _ in range(20_000):
        learner.update(np.array([1.0, 0.0]), 0.5)
    assert learner.predict(np.array([0.0, 1.0]))[1] <= math.sqrt(2.0)


def test_before_the_first_update_it_predicts_nothing() -> None:
    """Mean 0 with the width of the prior."""
    learner = Learner(2, 0.25, 1.0)
    z = np.array([1.0, 0.0])
    assert learner.mean(z) == 0.0
    assert learner.predict(z) == (0.0, 0.5)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, TERM_MAX * 1.01])
def test_nonsense_is_refused(bad: float) -> None:
    """A number that is none, or too large, is refused and nothing is learned from it."""
    learner = Learner(2, 1.0, 0.9)
    learner.update(np.array([1.0, 0.5]), 0.3)
    before = learner._state.copy()
    with pytest.raises(InputError, match='cannot learn'):
        learner.update(np.array([1.0, 0.5]), bad)
    for row in ([bad, 0.5], [1.0, bad]):
        with pytest.raises(InputError):
            learner.update(np.array(row), 0.3)
    assert learner.updates == 1
    assert np.array_equal(learner._state, before)


def test_the_largest_numbers_are_learned_from() -> None:
    """At the limit itself everything stays finite, and the prediction is the observation."""
    learner = Learner(2, 1.0, 0.999)
    z = np.array([0.6 * TERM_MAX, -0.8 * TERM_MAX])
    for _ in range(1000):
        learner.update(z, TERM_MAX)
    mean, width = learner.predict(z)
    assert mean == pytest.approx(TERM_MAX, rel=1e-6)
    assert 0.0 <= width < 10.0


@pytest.mark.parametrize(
    ('size', 'prior', 'forgetting'),
    [
        (0, 1.0, 1.0),
        (1, 0.0, 1.0),
        (1, math.inf, 1.0),
        (1, math.nan, 1.0),
        (1, 1.0, 0.0),
        (1, 1.0, 1.1),
        (1, 1.0, math.nan),
    ],
)
def test_bad_settings_are_refused(size: int, prior: float, forgetting: float) -> None:
    """Each argument has its range."""
    with pytest.raises(ConfigError):
        Learner(size, prior, forgetting)
