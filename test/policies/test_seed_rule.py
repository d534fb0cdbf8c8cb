"""Seed rule: alpha * (l - E[L_slow | l]) against beta * cost, by the line of the pairs."""

from __future__ import annotations

import pytest
from selector.correlation import AccuracyCorrelation
from selector.evidence import Evidence
from selector.gain import Truth
from selector.gain import View
from selector.policies.seed_rule import Line
from selector.policies.seed_rule import SeedRule

PAIRS = [(1.0, 1.0), (1.0, 0.0), (1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0)]


def _mean(policy: SeedRule, confidence: float) -> float:
    view = View(Evidence(confidence, 0.0, 0.0))
    return policy.forecast(view, ('slow',)).gains[0].mean


def test_the_rule_by_hand() -> None:
    """2 * (0.4 - (0.05 + 0.5 * 0.4)) - 0.1 * 3 (arXiv 2108.01235)."""
    policy = SeedRule(0.1, line=Line(0.5, 0.05), alpha=2.0, cost=3.0)
    assert _mean(policy, 0.6) == pytest.approx(2.0 * 0.15 - 0.3, abs=1e-12)


def test_a_learned_line_is_that_of_the_pairs() -> None:
    """After labelled pairs it decides as the rule with their weighted regression line given."""
    policy, correlation = SeedRule(0.1), AccuracyCorrelation()
    for place, (fast, slow) in enumerate(PAIRS):
        policy.label(Truth(View(None), fast, 'slow', slow, 1.0, 1.0 / (1 + place)))
        correlation.update(fast, slow, 1.0 / (1 + place))
    found = correlation.statistics
    given = SeedRule(0.1, line=Line(found.slope, found.intercept))
    for confidence in (0.0, 0.3, 0.9, 1.0):
        assert _mean(policy, confidence) == pytest.approx(_mean(given, confidence), abs=1e-12)


def test_before_the_first_pair_the_slow_model_is_trusted() -> None:
    """Without labels the gain is P(fast wrong), so it starts by asking."""
    assert _mean(SeedRule(0.0), 0.7) == pytest.approx(0.3)
