"""Seed rule: the expected accuracy gain by the correlation of the losses against its price."""

from __future__ import annotations

from typing import NamedTuple

from selector.calibration import Table
from selector.correlation import AccuracyCorrelation
from selector.gain import Truth
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import unit
from selector.policies.baseline import within


class Line(NamedTuple):
    """The regression of the slower tier's loss on the fast loss.

    Attributes:
        slope: rho * sd_slow / sd_fast.
        intercept: expected slow loss where the fast loss is 0.
    """

    slope: float
    intercept: float


class SeedRule(Baseline):
    """Invokes when alpha * (l - E[L_slow | L_fast = l]) > beta * (c_slow - c_fast).

    Ghosh, Chinchali and Duggirala, arXiv 2108.01235: E[L_slow | L_fast] = m_s + rho * (s_s / s_f)
    * (L_fast - m_f), clipped to [0, 1] here; l is P(fast wrong). The line is given, or learned
    from labelled pairs weighted by 1 / pi, one line a tier; before the first pair of a tier
    E[L_slow] is 0.
    """

    reference = 'LABEL'

    def __init__(
        self,
        beta: float,
        *,
        errors: Table | None = None,
        line: Line | None = None,
        alpha: float = 1.0,
        cost: float = 1.0,
    ) -> None:
        """Take the dial and what was fitted.

        Args:
            beta: the knob: weight of cost in the reward, >= 0.
            errors: from evidence (3,) to P(fast wrong); None: 1 - confidence.
            line: of all tiers; None: learned from labels.
            alpha: weight of loss in the reward, > 0.
            cost: c_slow - c_fast, >= 0, in the unit that beta prices.

        Raises:
            ConfigError: a number is out of range.
        """
        super().__init__(errors)
        self._price = within('beta', beta, 0.0) * within('cost', cost, 0.0)
        self._alpha = within('alpha', alpha, 1e-9)
        self._line = line
        self._pairs: dict[str, AccuracyCorrelation] = {}

    def nets(self, view: View, tiers: tuple[str, ...]) -> tuple[float, ...]:
        """Return alpha * (l - E[L_slow | l]) - beta * cost of each tier."""
        loss = self.fast_wrong(view.evidence)
        return tuple(
            self._alpha * (loss - self._slow_loss(tier, loss)) - self._price for tier in tiers
        )

    def label(self, truth: Truth) -> None:
        """Take in a labelled pair of losses of a tier."""
        if truth.tier and truth.fast_loss is not None and truth.tier_loss is not None:
            pairs = self._pairs.setdefault(truth.tier, AccuracyCorrelation())
            pairs.update(truth.fast_loss, truth.tier_loss, truth.probability)

    def _slow_loss(self, tier: str, fast_loss: float) -> float:
        if self._line is not None:
            return unit(self._line.intercept + self._line.slope * fast_loss)
        pairs = self._pairs.get(tier)
        return 0.0 if pairs is None else pairs.statistics.conditional_mean(fast_loss)
