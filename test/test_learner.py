"""Learner: recursive least squares that stays sound for as long as it runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import PATIENT
from selector.errors import ConfigError
from selector.errors import InputError
from selector.evidence import Evidence
from selector.learner import Learner
from selector.learner import TERMS
from selector.learner import terms

UNIT = st.floats(0.0, 1.0)
OBSERVED = st.tuples(st.tuples(UNIT, UNIT, UNIT), st.floats(-1.0, 1.0))


@PATIENT
@given(st.lists(OBSERVED, min_size=1, max_size=40), st.floats(0.01, 10.0))
def test_without_forgetting_it_is_ridge_regression(
    seen: list[tuple[tuple[float, float, float], float]], prior: float
) -> None:
    """Weights and width are those of ridge regression over all observations at once."""
    learner = Learner(TERMS, prior, 1.0)
    rows = np.array([terms(Evidence(*evidence)) for evidence, _ in seen])
    targets = np.array([target for _, target in seen])
    for row, target in zip(rows.tolist(), targets.tolist(), strict=True):
        learner.update(tuple(row), target)
    spread = np.linalg.inv(rows.T @ rows + np.eye(TERMS) / prior)
    weights = spread @ rows.T @ targets
    z = terms(Evidence(0.7, 0.4, 0.3))
    mean, width = learner.predict(z)
    assert mean == pytest.approx(float(weights @ np.array(z)), abs=1e-6)
    assert width == pytest.approx(float(np.sqrt(np.array(z) @ spread @ np.array(z))), abs=1e-6)


def test_it_stays_positive_definite() -> None:
    """After 200,000 updates on hardly varying input P is symmetric, positive and bounded."""
    learner = Learner(TERMS, 0.1, 0.9995)
    draw = np.random.default_rng(0)
    for noise in draw.normal(size=(200_000, 3)) * 1e-3:
        z = terms(Evidence(*(0.5 + noise).tolist()))
        learner.update(z, float(noise[0] > 0.0))
    spread = learner._spread
    assert np.array_equal(spread, spread.T)
    values = np.linalg.eigvalsh(spread)
    assert values.min() > 0.0
    assert spread.trace() <= 0.1 * TERMS
    mean, width = learner.predict(terms(Evidence(0.9, 0.8, 0.1)))
    assert np.isfinite([mean, width]).all()


def test_it_follows_a_change() -> None:
    """With forgetting, a rate that drops from 0.8 to 0.2 is known again 4,000 observations on."""
    learner = Learner(1, 0.1, 0.999)
    draw = np.random.default_rng(1)
    for rate in (0.8, 0.2):
        for hit in draw.random(4_000) < rate:
            learner.update((1.0,), float(hit))
        assert learner.predict((1.0,))[0] == pytest.approx(rate, abs=0.06)


def test_the_width_shrinks_where_it_looked() -> None:
    """Observations narrow the width at their terms and hardly elsewhere."""
    learner = Learner(2, 1.0, 1.0)
    for _ in range(100):
        learner.update((1.0, 0.0), 0.5)
    assert learner.predict((1.0, 0.0))[1] < 0.11
    assert learner.predict((0.0, 1.0))[1] == 1.0


@pytest.mark.parametrize('target', [float('nan'), float('inf')])
def test_nonsense_is_refused(target: float) -> None:
    """A number that is none is refused and nothing is learned from it."""
    learner = Learner(1, 1.0, 1.0)
    with pytest.raises(InputError, match='NaN or infinite'):
        learner.update((1.0,), target)
    with pytest.raises(InputError):
        learner.update((target,), 0.0)
    assert (learner.updates, learner.predict((1.0,))) == (0, (0.0, 1.0))


@pytest.mark.parametrize(
    ('size', 'prior', 'forgetting'), [(0, 1.0, 1.0), (1, 0.0, 1.0), (1, 1.0, 0.0), (1, 1.0, 1.1)]
)
def test_bad_settings_are_refused(size: int, prior: float, forgetting: float) -> None:
    """Each argument has its range."""
    with pytest.raises(ConfigError):
        Learner(size, prior, forgetting)
