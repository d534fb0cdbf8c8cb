"""HI-LCB: the bounds are those of the paper, and it learns which confidences to trust."""

from __future__ import annotations

import math

import numpy as np
import pytest
from selector.evidence import Evidence
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.policies.hi_lcb import HiLcb

TIERS = ('slow',)


def _view(confidence: float) -> View:
    return View(Evidence(confidence, confidence, 1.0 - confidence))


def _seen(policy: HiLcb, confidence: float, disagreements: list[float]) -> None:
    for disagreement in disagreements:
        policy.forecast(_view(confidence), TIERS)
        policy.observe(Observation('slow', _view(confidence), disagreement, None))


def test_the_bound_by_hand() -> None:
    """Accuracy 3/4 over n = 4 of t = 4 frames: 0.75 - sqrt(alpha * log(4) / 4)."""
    policy = HiLcb(0.3, bins=4, alpha=0.6)
    _seen(policy, 0.3, [0.0, 1.0, 0.0, 0.0])
    assert policy.bound(1) == pytest.approx(0.75 - math.sqrt(0.6 * math.log(4) / 4), rel=1e-12)
    assert policy.bound(0) == -math.inf


def test_only_hi_lcb_uses_the_bins_below() -> None:
    """A bin never seen has the bound of a trusted one below it; in the lite variant none."""
    for monotone in (True, False):
        policy = HiLcb(0.3, bins=10, monotone=monotone)
        _seen(policy, 0.55, [0.0] * 200)
        assert (policy.bound(9) > 0.7) == monotone
        assert policy.bound(4) == -math.inf
        assert policy.forecast(_view(0.95), TIERS).gains[0].mean == (
            pytest.approx(1.0 - policy.bound(9) - 0.3) if monotone else 1.0
        )


def test_bounds_of_hi_lcb_rise_with_the_confidence() -> None:
    """Whatever was seen, the monotone bounds never fall from bin to bin; those of lite may."""
    bounds = {}
    for monotone in (True, False):
        policy = HiLcb(0.3, bins=10, monotone=monotone)
        for confidence, wrong in np.random.default_rng(1).random((300, 2)).tolist():
            _seen(policy, confidence, [float(wrong < 0.5)])
        bounds[monotone] = [policy.bound(place) for place in range(10)]
    assert bounds[True] == sorted(bounds[True])
    assert bounds[False] != sorted(bounds[False])


@pytest.mark.parametrize('monotone', [True, False])
def test_it_learns_the_threshold(monotone: bool) -> None:
    """With P(fast right) = confidence and cost 0.3, later frames are offloaded below 0.7."""
    policy = HiLcb(0.3, bins=10, monotone=monotone)
    late = []
    for confidence, luck in np.random.default_rng(2).random((20_000, 2)).tolist():
        view = _view(confidence)
        invoked = policy.forecast(view, TIERS).gains[0].mean > 0.0
        if invoked:
            policy.observe(Observation('slow', view, float(luck > confidence), None))
        late.append((confidence, invoked))
    late = late[10_000:]
    below = [invoked for confidence, invoked in late if confidence < 0.6]
    above = [invoked for confidence, invoked in late if confidence >= 0.9]
    assert np.mean(below) > 0.99
    assert np.mean(above) < 0.05


def test_a_label_replaces_the_disagreement() -> None:
    """An answer that differed but was itself wrong counts as no error of the fast model."""
    corrected, clean = HiLcb(0.3, bins=4), HiLcb(0.3, bins=4)
    _seen(corrected, 0.3, [1.0])
    corrected.label(Truth(_view(0.3), 0.0, 'slow', 1.0, 1.0))
    _seen(clean, 0.3, [0.0])
    assert corrected.bound(1) == clean.bound(1)


def test_a_label_of_a_skipped_frame_counts() -> None:
    """Labels teach on frames that nothing was invoked on: the count rises."""
    policy = HiLcb(0.3, bins=4)
    policy.forecast(_view(0.3), TIERS)
    policy.label(Truth(_view(0.3), 0.0))
    assert policy.bound(1) == 1.0
