"""LinUCB: an optimistic linear estimate of the gain, without prices."""

from __future__ import annotations

from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.policies.baseline import bandit_terms
from selector.policies.baseline import Baseline
from selector.policies.baseline import within
from selector.policies.ridge_arm import RidgeArm

_TERMS = 6


class LinUcb(Baseline):
    """Invokes where the upper bound of the gain exceeds the cost; one ridge arm a tier.

    Li, Chu, Langford and Schapire, arXiv 1003.0146, Algorithm 1 (disjoint linear models):
    theta'x + alpha * sqrt(x'A^-1 x) with A = I + sum x x'. Terms: 1, confidence, margin, entropy,
    sharpness, exposure. The reward of an arm is the disagreement, until a label puts L_fast -
    L_slow in its place; keeping the fast answer has reward 0 and needs no arm.
    """

    def __init__(self, cost: float, *, alpha: float = 0.5) -> None:
        """Take the cost of an invocation in [-1, 1], the knob, and the optimism alpha >= 0.

        Raises:
            ConfigError: a number is out of range.
        """
        super().__init__()
        self._cost = within('cost', cost, -1.0, 1.0)
        self._alpha = within('alpha', alpha, 0.0)
        self._arms: dict[str, RidgeArm] = {}

    def nets(self, view: View, tiers: tuple[str, ...]) -> tuple[float, ...]:
        """Return the upper bound of the gain, 1 without a fast answer, minus the cost."""
        return tuple(self._bound(view, tier) - self._cost for tier in tiers)

    def observe(self, seen: Observation) -> None:
        """Take in a disagreement as the reward of the tier."""
        super().observe(seen)
        x = bandit_terms(seen.view)
        if x is not None and seen.disagreement is not None:
            self._arm(seen.tier).add(x, seen.disagreement)

    def label(self, truth: Truth) -> None:
        """Put the labelled gain in place of the disagreement that was observed."""
        x, difference = bandit_terms(truth.view), labelled_difference(truth)
        if x is not None and difference is not None:
            self._arm(truth.tier).correct(x, difference)

    def _bound(self, view: View, tier: str) -> float:
        x = bandit_terms(view)
        if x is None:
            return 1.0
        mean, width = self._arm(tier).predict(x)
        return mean + self._alpha * width

    def _arm(self, tier: str) -> RidgeArm:
        return self._arms.setdefault(tier, RidgeArm(_TERMS))


def labelled_difference(truth: Truth) -> float | None:
    """Return the labelled gain minus the disagreement, None where one of the parts is missing."""
    if not truth.tier or truth.disagreement is None:
        return None
    if truth.fast_loss is None or truth.tier_loss is None:
        return None
    return truth.fast_loss - truth.tier_loss - truth.disagreement
