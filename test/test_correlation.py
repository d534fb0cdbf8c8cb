"""Correlation: the online statistics are those of numpy and of linear regression."""

import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from scipy import stats
from scripted import PATIENT
from selector.correlation import AccuracyCorrelation
from selector.correlation import Interval
from selector.correlation import JointStatistics
from selector.errors import InputError

LOSS = st.floats(0.0, 1.0).map(lambda value: round(value, 6))
PAIRS = st.lists(st.tuples(LOSS, LOSS), min_size=1, max_size=200)


def _online(pairs: NDArray[np.float64] | list[tuple[float, float]]) -> JointStatistics:
    correlation = AccuracyCorrelation()
    for fast, slow in pairs:
        correlation.update(float(fast), float(slow))
    return correlation.statistics


def _binary(count: int, seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    fast = random.random(count) < 0.3
    slow = np.where(fast, random.random(count) < 0.5, random.random(count) < 0.05)
    return np.stack([fast, slow], axis=1).astype(np.float64)


@PATIENT
@given(PAIRS)
def test_moments_are_those_of_numpy(pairs: list[tuple[float, float]]) -> None:
    """Means and population covariances of any pairs are numpy's."""
    found, array = _online(pairs), np.array(pairs)
    assert found.pairs == len(pairs)
    assert (found.mean_fast, found.mean_slow) == pytest.approx(array.mean(axis=0), abs=1e-12)
    covariance = np.cov(array.T, bias=True)
    assert found.var_fast == pytest.approx(covariance[0, 0], abs=1e-12)
    assert found.var_slow == pytest.approx(covariance[1, 1], abs=1e-12)
    assert found.covariance == pytest.approx(covariance[0, 1], abs=1e-12)


@PATIENT
@given(PAIRS)
def test_covariance_obeys_cauchy_schwarz(pairs: list[tuple[float, float]]) -> None:
    """Variances are not negative and |covariance| <= sd * sd, so rho is in [-1, 1]."""
    found = _online(pairs)
    assert min(found.var_fast, found.var_slow) >= 0.0
    assert found.covariance**2 <= found.var_fast * found.var_slow * (1.0 + 1e-9) + 1e-24
    assert -1.0 <= found.rho <= 1.0


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('kind', ['binary', 'continuous'])
def test_rho_slope_and_intercept_are_those_of_a_regression(seed: int, kind: str) -> None:
    """Rho is numpy's corrcoef; slope, intercept and the slope's interval are least squares."""
    pairs = _binary(300, seed)
    if kind == 'continuous':
        pairs = np.clip(pairs * 0.6 + np.random.default_rng(seed).random((300, 2)) * 0.4, 0, 1)
    found, fit = _online(pairs), stats.linregress(pairs[:, 0], pairs[:, 1])
    assert found.rho == pytest.approx(np.corrcoef(pairs.T)[0, 1], abs=1e-12)
    assert found.slope == pytest.approx(fit.slope, abs=1e-12)
    assert found.intercept == pytest.approx(fit.intercept, abs=1e-12)
    low, high = found.slope_interval()
    assert (high - low) / 2.0 == pytest.approx(1.96 * fit.stderr, rel=1e-9)
    assert (high + low) / 2.0 == pytest.approx(fit.slope, abs=1e-12)


def test_the_seed_rule_is_the_conditional_mean() -> None:
    """For 0/1 losses the line through both classes is P(slow wrong | fast right or wrong)."""
    pairs = _binary(2000, 7)
    found = _online(pairs)
    for value in (0.0, 1.0):
        among = pairs[pairs[:, 0] == value][:, 1].mean()
        assert found.conditional_mean(value) == pytest.approx(among, abs=1e-12)
    sd_ratio = math.sqrt(found.var_slow / found.var_fast)
    formula = found.mean_slow + found.rho * sd_ratio * (0.4 - found.mean_fast)
    assert found.conditional_mean(0.4) == pytest.approx(formula, abs=1e-12)


def test_the_conditional_mean_is_a_loss() -> None:
    """Extrapolated beyond [0, 1] it is clipped to a loss."""
    steep = JointStatistics(10, 0.5, 0.5, 0.01, 0.25, 0.04)
    assert (steep.conditional_mean(0.0), steep.conditional_mean(1.0)) == (0.0, 1.0)


@pytest.mark.parametrize('offset', [0.0, 0.5, 0.999])
def test_small_spreads_survive_large_means(offset: float) -> None:
    """A spread of 1e-7 around any mean keeps its variance and rho over 20,000 pairs.

    Sums of squares would lose it: at a mean of 0.5 they round at 1e-12, the variance is 8e-16.
    """
    random = np.random.default_rng(3)
    common = random.random(20_000)
    pairs = offset + 1e-7 * np.stack([common, 0.5 * common + 0.5 * random.random(20_000)], axis=1)
    found = _online(pairs)
    assert found.var_fast == pytest.approx(pairs[:, 0].var(), rel=1e-6)
    assert found.rho == pytest.approx(np.corrcoef(pairs.T)[0, 1], rel=1e-6)


@PATIENT
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(
    pairs: list[tuple[float, float]], random: st.DataObject
) -> None:
    """Any order gives the same statistics up to rounding."""
    shuffled = pairs.copy()
    random.shuffle(shuffled)
    assert _online(shuffled) == pytest.approx(_online(pairs), abs=1e-12)


@PATIENT
@given(PAIRS)
def test_swapping_the_models_swaps_the_statistics(pairs: list[tuple[float, float]]) -> None:
    """Fast and slow are treated alike: same rho, moments exchanged."""
    found, swapped = _online(pairs), _online([(slow, fast) for fast, slow in pairs])
    assert swapped[1:5] == (found.mean_slow, found.mean_fast, found.var_slow, found.var_fast)
    assert swapped.covariance == pytest.approx(found.covariance, abs=1e-12)


def test_before_the_first_pair_nothing_is_known() -> None:
    """No pairs: zero moments, rho and slope 0, intervals that exclude nothing."""
    empty = AccuracyCorrelation().statistics
    assert empty == (0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert (empty.rho, empty.slope, empty.intercept) == (0.0, 0.0, 0.0)
    assert empty.rho_interval() == Interval(-1.0, 1.0)
    assert empty.slope_interval() == Interval(-math.inf, math.inf)


@pytest.mark.parametrize('pairs', [[(0.0, 1.0), (0.0, 0.0)] * 5, [(1.0, 0.5)] * 10])
def test_a_loss_that_never_varies_has_no_correlation(pairs: list[tuple[float, float]]) -> None:
    """Rho and slope are 0, not a division by zero, and the mean slow loss is expected."""
    found = _online(pairs)
    assert (found.rho, found.slope) == (0.0, 0.0)
    assert found.conditional_mean(0.5) == pytest.approx(np.mean([slow for _, slow in pairs]))
    assert found.slope_interval() == Interval(-math.inf, math.inf)


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_perfect_correlation(sign: float) -> None:
    """Losses on a line have rho of exactly its sign and an interval that holds it closely."""
    fast = np.linspace(0.1, 0.9, 50)
    found = _online(np.stack([fast, 0.5 + 0.4 * sign * fast], axis=1) * 0.9)
    assert found.rho == pytest.approx(sign, abs=1e-12)
    low, high = found.rho_interval()
    assert -1.0 <= low < high <= 1.0
    assert min(abs(low - sign), abs(high - sign)) < 1e-6


def test_the_interval_of_rho_is_fishers() -> None:
    """With pairs it is tanh(atanh(rho) +- 1.96/sqrt(n - 3)), and below four pairs it says nothing.

    The number by hand: rho 0.5, n = 103 gives 0.3393 to 0.6323.
    """
    found = JointStatistics(103, 0.5, 0.5, 0.25, 0.25, 0.125).rho_interval()
    assert found == pytest.approx((0.33930, 0.63234), abs=1e-5)
    assert JointStatistics(3, 0.5, 0.5, 0.25, 0.25, 0.125).rho_interval() == (-1.0, 1.0)


@pytest.mark.slow
def test_the_intervals_cover() -> None:
    """Over 400 samples of 200 normal-like pairs, 95 % intervals hold the truth 91 to 99 %."""
    random = np.random.default_rng(11)
    covered = np.zeros(2)
    for _ in range(400):
        common, own = random.normal(size=(2, 200))
        pairs = np.clip(0.5 + 0.05 * np.stack([common, 0.6 * common + 0.8 * own], axis=1), 0, 1)
        found = _online(pairs)
        for k, interval in enumerate((found.rho_interval(), found.slope_interval())):
            covered[k] += interval.low <= 0.6 <= interval.high
    assert (0.91 <= covered / 400.0).all()
    assert (covered / 400.0 <= 0.99).all()


@pytest.mark.parametrize('bad', [-1e-9, 1.0 + 1e-9, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('place', [0, 1])
def test_what_is_no_loss_is_refused(bad: float, place: int) -> None:
    """A loss outside [0, 1] is refused by name and leaves the statistics as they were."""
    correlation = AccuracyCorrelation()
    correlation.update(0.25, 0.75)
    before = correlation.statistics
    pair = (bad, 0.5) if place == 0 else (0.5, bad)
    with pytest.raises(InputError, match=('loss_fast', 'loss_slow')[place]):
        correlation.update(*pair)
    assert correlation.statistics == before


@PATIENT
@given(st.lists(st.tuples(LOSS, LOSS, st.sampled_from([1.0, 0.5, 0.25])), min_size=1, max_size=60))
def test_a_pair_of_probability_pi_stands_for_one_over_pi_pairs(
    seen: list[tuple[float, float, float]],
) -> None:
    """Weighted moments are those of the stream in which each pair is repeated 1 / pi times.

    The count is the effective one, (sum of weights)^2 / sum of squares, rounded down.
    """
    weighted, repeated = AccuracyCorrelation(), AccuracyCorrelation()
    for fast, slow, probability in seen:
        weighted.update(fast, slow, probability)
        for _ in range(round(1.0 / probability)):
            repeated.update(fast, slow)
    assert weighted.statistics[1:] == pytest.approx(repeated.statistics[1:], abs=1e-12)
    weights = [1.0 / probability for *_, probability in seen]
    effective = sum(weights) ** 2 / sum(w * w for w in weights)
    assert weighted.statistics.pairs == int(effective + 1e-9)
    assert weighted.statistics.pairs <= len(seen)


@pytest.mark.parametrize('bad', [0.0, -0.1, 1.0 + 1e-9, math.nan, math.inf])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    """Something that was observed has a probability in (0, 1]; nothing is learned otherwise."""
    correlation = AccuracyCorrelation()
    correlation.update(0.25, 0.75)
    before = correlation.statistics
    with pytest.raises(InputError, match='probability'):
        correlation.update(0.5, 0.5, bad)
    assert correlation.statistics == before


def test_weights_recover_what_selective_observation_hides() -> None:
    """Where fast looks unsure slow is always seen, elsewhere on 5 % of the frames.

    Over all frames rho is 0.48 (computed here from the stream). From the observed pairs as they
    are it is far off; weighted by 1 / pi it is the true one.
    """
    random = np.random.default_rng(8)
    doubt = random.random(60_000)
    fast = random.random(60_000) < 0.5 * doubt**2
    slow = np.where(fast, random.random(60_000) < 0.5, random.random(60_000) < 0.05)
    truth = np.corrcoef(fast, slow)[0, 1]
    chance = np.where(doubt > 0.7, 1.0, 0.05)
    seen = random.random(60_000) < chance
    plain, weighted = AccuracyCorrelation(), AccuracyCorrelation()
    for k in np.flatnonzero(seen):
        plain.update(float(fast[k]), float(slow[k]))
        weighted.update(float(fast[k]), float(slow[k]), float(chance[k]))
    found = weighted.statistics
    assert found.rho == pytest.approx(truth, abs=0.04)
    assert found.mean_fast == pytest.approx(fast.mean(), abs=0.01)
    assert found.mean_slow == pytest.approx(slow.mean(), abs=0.01)
    assert abs(plain.statistics.mean_fast - fast.mean()) > 0.1
    assert plain.statistics.mean_slow > slow.mean() + 0.05
