"""H2T2: the weights go to the pair of thresholds that costs least."""

from __future__ import annotations

import numpy as np
import pytest
from selector.evidence import Evidence
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.policies.h2t2 import H2t2

TIERS = ('slow',)


def _view(confidence: float) -> View:
    return View(Evidence(confidence, confidence, 1.0 - confidence))


def _wants(policy: H2t2, view: View) -> bool:
    return policy.forecast(view, TIERS).gains[0].mean > 0.0


def test_at_first_every_pair_weighs_the_same() -> None:
    """The share of pairs lower <= k < upper of 6 thresholds is (k + 1) * (5 - k) of 21."""
    policy = H2t2(0.3, levels=4)
    shares = [policy.offload_share(_view(k / 4)) for k in range(5)]
    assert shares == pytest.approx([(k + 1) * (5 - k) / 21 for k in range(5)], rel=1e-12)


def test_one_answer_moves_the_weights_by_hand() -> None:
    """Pairs that keep are charged d / p, pairs that offload cost / p, at exp(-eta * charge)."""
    policy = H2t2(0.3, levels=1, rate=0.5, exploration=0.1)
    view = _view(0.5)
    _wants(policy, view)
    before = policy.offload_share(view)
    assert before == pytest.approx(2 / 6)
    policy.observe(Observation('slow', view, 1.0, None))
    chance = before + (1.0 - before) * 0.1
    offload, keep = 2 * np.exp(-0.5 * 0.3 / chance), 4 * np.exp(-0.5 / chance)
    assert policy.offload_share(view) == pytest.approx(offload / (offload + keep), rel=1e-12)


def test_an_audited_frame_counts_by_its_own_probability() -> None:
    """An audit with probability a makes the observation likelier, so it weighs less."""
    shares = []
    for audited in (1.0, 0.5):
        policy = H2t2(0.3, levels=1, rate=0.5, exploration=0.1)
        _wants(policy, _view(0.5))
        policy.observe(Observation('slow', _view(0.5), 1.0, None, audited))
        shares.append(policy.offload_share(_view(0.5)))
    assert shares[0] > shares[1] > 2 / 6


def test_it_learns_both_thresholds() -> None:
    """Where the slower model helps only at middle confidence, only that comes to be offloaded."""
    policy = H2t2(0.3, levels=10, rate=0.1, exploration=0.1)
    for confidence in np.random.default_rng(0).random(6000).tolist():
        view = _view(confidence)
        if not _wants(policy, view):
            continue
        differs = confidence < 0.7
        policy.observe(Observation('slow', view, float(differs), None))
        # Below 0.3 both models are wrong, and only a label says so.
        policy.label(Truth(view, float(differs), 'slow', float(confidence < 0.3), float(differs)))
    shares = [policy.offload_share(_view(c)) for c in (0.15, 0.5, 0.85)]
    assert shares[0] < 0.05
    assert shares[1] > 0.95
    assert shares[2] < 0.05


def test_it_explores_at_the_declared_rate() -> None:
    """Once nothing is worth an offload, the explored share is the exploration probability."""
    policy = H2t2(1.0, levels=2, rate=1.0, exploration=0.1)
    view = _view(0.5)
    for _ in range(200):
        policy.observe(Observation('slow', view, 0.0, None))
    wanted = [_wants(policy, view) for _ in range(10_000)]
    assert np.mean(wanted) == pytest.approx(0.1, abs=0.01)
