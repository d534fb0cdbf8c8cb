"""Token bucket MDP: the thresholds are those of an exhaustive search, and the account is kept."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from selector.errors import InputError
from selector.evidence import Evidence
from selector.gain import View
from selector.policies.token_bucket_mdp import Bucket
from selector.policies.token_bucket_mdp import bucket
from selector.policies.token_bucket_mdp import GainBins
from selector.policies.token_bucket_mdp import thresholds
from selector.policies.token_bucket_mdp import TokenBucketMdp

BINS = GainBins((0.4, 0.8), (0.6, 0.25, -0.1), (0.2, 0.3, 0.5))
TIERS = ('slow',)


def _best_values(of: Bucket, bins: GainBins, discount: float) -> np.ndarray:
    """Return the best value of each level over all policies, each by a linear system."""
    able = [level for level in range(of.depth + 1) if level >= of.call]
    best = np.full(of.depth + 1, -np.inf)
    for choice in product([False, True], repeat=len(able) * len(bins.gain)):
        invoked = np.zeros((of.depth + 1, len(bins.gain)), bool)
        invoked[able] = np.array(choice).reshape(len(able), len(bins.gain))
        moves, reward = np.zeros((of.depth + 1,) * 2), np.zeros(of.depth + 1)
        for level, place in product(range(of.depth + 1), range(len(bins.gain))):
            share, call = bins.share[place], bool(invoked[level, place])
            moves[level, of.after(level, call)] += share
            reward[level] += share * bins.gain[place] * call
        values = np.linalg.solve(np.eye(of.depth + 1) - discount * moves, reward)
        best = np.maximum(best, values)
    return best


@pytest.mark.parametrize('discount', [0.0, 0.6, 0.95])
@pytest.mark.parametrize('of', [Bucket(1, 2, 4), Bucket(1, 3, 5), Bucket(2, 3, 5)])
def test_thresholds_are_those_of_an_exhaustive_search(of: Bucket, discount: float) -> None:
    """The best of all 2**(levels * bins) policies values a call as the thresholds do."""
    best = _best_values(of, BINS, discount)
    found = thresholds(of, BINS, discount)
    for level in range(of.depth + 1):
        if level < of.call:
            assert found[level] == np.inf
        else:
            price = discount * (best[of.after(level, False)] - best[of.after(level, True)])
            assert found[level] == pytest.approx(price, abs=1e-9)


def test_a_full_bucket_is_generous_and_an_empty_one_is_not() -> None:
    """The threshold never rises with the level; below one call it is infinite."""
    found = thresholds(Bucket(1, 10, 50), BINS, 0.999)
    assert all(a >= b for a, b in zip(found, found[1:], strict=False))
    assert found[9] == np.inf
    assert found[10] > found[50] + 0.1 > 0.1


def test_a_bucket_that_refills_at_once_invokes_on_every_gain() -> None:
    """With a call of tokens a frame nothing is scarce, so the threshold is 0."""
    found = thresholds(Bucket(1, 1, 3), BINS, 0.999)
    assert found[1:] == pytest.approx([0.0] * 3, abs=1e-9)


@pytest.mark.parametrize(
    ('rate', 'depth', 'expected'),
    [
        (0.05, 20.0, Bucket(1, 20, 400)),
        (0.3, 2.5, Bucket(3, 10, 25)),
        (1.5, 2.0, Bucket(3, 2, 4)),
        (0.001, 1.0, Bucket(1, 1000, 1000)),
    ],
)
def test_a_rate_becomes_whole_steps(rate: float, depth: float, expected: Bucket) -> None:
    """Accrual over call is the rate, depth over call is the depth."""
    assert bucket(rate, depth) == expected


def test_the_account_never_overspends() -> None:
    """Invocations over any window fit rate * frames + depth, and a rich stream uses the rate."""
    policy = TokenBucketMdp(0.25, 3.0, BINS)
    draw = np.random.default_rng(0)
    spent = [
        policy.forecast(View(Evidence(c, c, 1.0 - c)), TIERS).gains[0].mean > 0.0
        for c in draw.random(2000).tolist()
    ]
    total = np.concatenate([[0.0], np.cumsum(spent)])
    excess = total - 0.25 * np.arange(2001)
    assert (excess - np.minimum.accumulate(excess)).max() <= 3.0 + 1e-9
    assert total[-1] == pytest.approx(500, abs=10)


def test_it_gains_more_than_spending_at_once() -> None:
    """On a scarce stream it beats the rule that spends every token on any gain at all."""
    bins = GainBins((0.5,), (0.8, 0.1), (0.2, 0.8))
    policy = TokenBucketMdp(0.2, 5.0, bins)
    confidences = np.random.default_rng(1).random(4000) * 0.625 + 0.375
    ours = greedy = 0.0
    tokens = 5.0
    for c in confidences.tolist():
        gain = bins.value(c)
        ours += gain * (policy.forecast(View(Evidence(c, c, 0.5)), TIERS).gains[0].mean > 0.0)
        if tokens >= 1.0:
            greedy, tokens = greedy + gain, tokens - 1.0
        tokens = min(5.0, tokens + 0.2)
    assert ours > 2.0 * greedy


@pytest.mark.parametrize(
    'bins',
    [
        GainBins((0.5,), (0.1,), (1.0,)),
        GainBins((0.5,), (0.1, 0.2), (0.5, 0.4)),
        GainBins((0.5,), (0.1, 0.2), (1.5, -0.5)),
        GainBins((0.5,), (0.1, float('nan')), (0.5, 0.5)),
        GainBins((0.5, 0.5), (0.1, 0.2, 0.3), (0.5, 0.25, 0.25)),
    ],
)
def test_bad_bins_are_refused(bins: GainBins) -> None:
    """Lengths, order, finiteness and the sum of the shares are checked before solving."""
    with pytest.raises(InputError):
        TokenBucketMdp(0.1, 3.0, bins)
