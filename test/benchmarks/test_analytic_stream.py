"""The analytic test case: its draws and its closed forms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import pytest

from benchmarks.bench.analytic_stream import A
from benchmarks.bench.analytic_stream import analytic
from benchmarks.bench.analytic_stream import B
from benchmarks.bench.analytic_stream import expected_gain
from benchmarks.bench.analytic_stream import optimum
from benchmarks.bench.analytic_stream import random_gain
from benchmarks.bench.analytic_stream import seed_rule

CELLS = 200_000
SPENDS = (0.0, 0.02, 0.05, 0.15, 0.3, 0.5, 0.8, 0.94, 0.96, 1.0)


def gains(variant: int) -> NDArray[np.float64]:
    """Return the expected gain in the middle of each of `CELLS` cells of z, in the order of z."""
    z = (np.arange(CELLS) + 0.5) / CELLS
    both = np.full(CELLS, A) if variant == 1 else z**2
    # E[L_fast - L_slow | z], from the four cases one by one.
    only_slow, only_fast = z * (1.0 - both), (1.0 - z) * B
    return only_slow - only_fast


def best_prefix(values: NDArray[np.float64], rho: float) -> float:
    """Return the best mean gain a frame of taking up to a share `rho` of cells from the front."""
    taken = np.concatenate([[0.0], np.cumsum(values)])[: round(rho * CELLS) + 1]
    return float(taken.max() / CELLS)


@pytest.mark.parametrize('variant', [1, 2])
@pytest.mark.parametrize('rho', SPENDS)
def test_the_optimum_is_what_sorting_by_gain_gives(variant: int, rho: float) -> None:
    """The closed form agrees with taking the best cells first, by numbers."""
    best_first = np.sort(gains(variant))[::-1]
    assert optimum(variant, rho) == pytest.approx(best_prefix(best_first, rho), abs=1e-6)


@pytest.mark.parametrize('variant', [1, 2])
@pytest.mark.parametrize('rho', SPENDS)
def test_the_seed_rule_is_what_the_highest_z_give(variant: int, rho: float) -> None:
    """The closed form agrees with taking the cells of the highest P(fast wrong) first."""
    least_sure_first = gains(variant)[::-1]
    assert seed_rule(variant, rho) == pytest.approx(best_prefix(least_sure_first, rho), abs=1e-6)


@pytest.mark.parametrize('variant', [1, 2])
def test_chance_earns_its_share_of_all_gains(variant: int) -> None:
    """At any spend chance has that share of the mean gain."""
    for rho in SPENDS:
        expected = rho * float(gains(variant).mean())
        assert random_gain(variant, rho) == pytest.approx(expected, abs=1e-6)


def test_the_first_variant_is_the_one_of_the_specification() -> None:
    """OPT = (1-a+b)(rho - rho^2/2) - b rho, random = rho((1-a+b)/2 - b), and seed is optimal."""
    for rho in (0.05, 0.15, 0.3):
        opt = 0.85 * (rho - rho**2 / 2.0) - 0.05 * rho
        assert optimum(1, rho) == pytest.approx(opt)
        assert seed_rule(1, rho) == pytest.approx(opt)
        assert random_gain(1, rho) == pytest.approx(rho * (0.425 - 0.05))


def test_the_seed_rule_loses_in_the_second_variant() -> None:
    """At spends up to 30 % it stays below chance, which has at most 65 % of the optimum."""
    for rho in (0.05, 0.15, 0.3):
        assert seed_rule(2, rho) < random_gain(2, rho) < 0.65 * optimum(2, rho)


@pytest.mark.parametrize('variant', [1, 2])
def test_the_draws_follow_the_declared_probabilities(variant: int) -> None:
    """In each tenth of z, losses and gains have the declared means, within 5 standard errors."""
    stream = analytic(variant, 3, 200_000)
    z = stream.evidence[:, 2]
    cell = (z * 10).astype(int)
    for values, declared in (
        (stream.fast_loss, z),
        (stream.gain, expected_gain(variant, z)),
    ):
        for k in range(10):
            rest = (values - declared)[cell == k]
            assert abs(rest.mean()) < 5.0 * rest.std() / np.sqrt(rest.size)
    assert np.abs(np.bincount(cell) - 20_000).max() < 5.0 * np.sqrt(20_000 * 0.9)


@pytest.mark.parametrize('variant', [1, 2])
def test_policies_on_the_draws_reach_the_closed_forms(variant: int) -> None:
    """Choosing by expected gain, by z and by lot earns what is declared, within 5 errors."""
    frames, rho = 200_000, 0.15
    stream = analytic(variant, 4, frames)
    z = stream.evidence[:, 2]
    lot = np.random.default_rng(5).random(frames)
    for score, declared in (
        (expected_gain(variant, z), optimum(variant, rho)),
        (z, seed_rule(variant, rho)),
        (lot, random_gain(variant, rho)),
    ):
        chosen = score >= np.quantile(score, 1.0 - rho)
        assert (stream.gain * chosen).mean() == pytest.approx(declared, abs=5.0 * 0.4 / 447.0)


@pytest.mark.parametrize('variant', [1, 2])
def test_the_evidence_reveals_nothing_but_z(variant: int) -> None:
    """Evidence is (1-z, 1-z, z) and constant for slow, while the scores name the answers."""
    stream = analytic(variant, 6, 5_000)
    z = stream.evidence[:, 2]
    assert np.array_equal(stream.evidence, np.stack([1.0 - z, 1.0 - z, z], axis=1))
    assert np.unique(stream.slow_evidence).tolist() == [0.5]
    for scores, named in (
        (stream.fast_scores, stream.fast_class),
        (stream.slow_scores, stream.slow_class),
    ):
        assert np.array_equal(scores.argmax(axis=1), named)
        assert np.allclose(scores.sum(axis=1), 1.0)
        assert scores.min() >= 0.0


def test_a_seed_is_a_stream() -> None:
    """The same seed gives the same draws, another one or another variant gives others."""
    one, same, other = (analytic(2, seed, 50).evidence for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, analytic(1, 1, 50).evidence)


def test_what_is_not_there_is_refused() -> None:
    """An unknown variant and a spend outside [0, 1] are named in the error."""
    with pytest.raises(ValueError, match='variant 3'):
        analytic(3, 0, 10)
    with pytest.raises(ValueError, match=r'spend 1\.2'):
        optimum(1, 1.2)
