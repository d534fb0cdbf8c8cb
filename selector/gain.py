"""Gain: the accuracy a slower tier is expected to add to the fast answer, and who predicts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from typing import Protocol

from selector.calibration import Table
from selector.correlation import JointStatistics
from selector.evidence import Evidence


class Gain(NamedTuple):
    """Expected loss of the fast answer minus expected loss of the slower tier's answer.

    Attributes:
        mean: in [-1, 1].
        width: half-width of its 95 % interval, >= 0.
    """

    mean: float
    width: float


class FastAssessment(NamedTuple):
    """What is known about the fast answer before anything is invoked.

    Attributes:
        loss: calibrated P(fast wrong) in [0, 1]; 1 when there is no fast answer.
        support: labelled calibration pairs behind the tables used.
        tables: name of the context whose tables were used.
        out_of_support: the evidence lies outside the range seen at fitting.
    """

    loss: float
    support: int
    tables: str
    out_of_support: bool


class GainPredictor(Protocol):
    """Predicts losses and gains; its results enter the decision as recorded values."""

    def assess(self, evidence: Evidence | None, context: str) -> FastAssessment:
        """Return what is known about the fast answer; `evidence` None when there is none."""

    def gain(self, tier: str, evidence: Evidence | None, context: str) -> Gain:
        """Return the predicted gain of invoking `tier`."""

    def answer_loss(self, tier: str, evidence: Evidence, context: str) -> float:
        """Return the calibrated P(wrong) of the answer that `tier` gave."""

    def learn(self, tier: str, evidence: Evidence, context: str, disagreement: float) -> None:
        """Take in how far `tier`'s answer was from the fast one, in [0, 1]."""


class ContextTables(NamedTuple):
    """What was fitted for one fast/slow pair in one context.

    Attributes:
        statistics: joint statistics of the labelled losses.
        fast_error: evidence -> P(fast wrong).
        disagreement: evidence -> P(fast and slow disagree), dhat.
        khat: E[L_fast - L_slow] / E[disagreement] in [-1, 1].
        khat_width: half-width of its 95 % interval.
        disagreeing: labelled pairs that disagree, the count behind khat.
        slow_error: evidence of the slow answer -> P(slow wrong).
        low, high: range of each piece of evidence seen at fitting, (F,) each.
    """

    statistics: JointStatistics
    fast_error: Table
    disagreement: Table
    khat: float
    khat_width: float
    disagreeing: int
    slow_error: Table
    low: tuple[float, ...]
    high: tuple[float, ...]


ALL_CONTEXTS = 'all'
"""Name of the tables fitted on all contexts together; used where the context is unknown."""


class FittedGain:
    """Gain from tables fitted offline.

    With `rule='calibrated'` the gain is dhat(evidence) * khat(context); with `rule='seed'` it is
    the seed paper's second-order rule, L_fast - E[L_slow | L_fast] (arXiv 2108.01235), with the
    calibrated P(fast wrong) as the estimate of L_fast.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, ContextTables]], rule: str) -> None:
        """Take `tables` by tier and context; each tier has tables for `ALL_CONTEXTS`."""
        self._tables = tables
        self._first = tables[min(tables)]  # by name, so that the order of tiers means nothing
        self._seed = rule == 'seed'

    def assess(self, evidence: Evidence | None, context: str) -> FastAssessment:
        """See `GainPredictor.assess`."""
        name = context if context in self._first else ALL_CONTEXTS
        tables = self._first[name]
        support = tables.statistics.pairs
        if evidence is None:
            return FastAssessment(1.0, support, name, False)
        inside = all(
            low <= value <= high
            for low, value, high in zip(tables.low, evidence, tables.high, strict=True)
        )
        return FastAssessment(tables.fast_error.value(evidence)[0], support, name, not inside)

    def gain(self, tier: str, evidence: Evidence | None, context: str) -> Gain:
        """See `GainPredictor.gain`."""
        tables = self.tables(tier, context)
        if evidence is None:
            return Gain(1.0 - tables.statistics.mean_slow, 0.0)
        if self._seed:
            loss, width = tables.fast_error.value(evidence)
            mean = loss - tables.statistics.conditional_mean(loss)
            return Gain(mean, width * abs(1.0 - tables.statistics.slope))
        dhat, width = tables.disagreement.value(evidence)
        return Gain(dhat * tables.khat, width * abs(tables.khat) + dhat * tables.khat_width)

    def answer_loss(self, tier: str, evidence: Evidence, context: str) -> float:
        """See `GainPredictor.answer_loss`."""
        return self.tables(tier, context).slow_error.value(evidence)[0]

    def learn(self, tier: str, evidence: Evidence, context: str, disagreement: float) -> None:
        """Nothing: what was fitted offline stays."""

    def tables(self, tier: str, context: str) -> ContextTables:
        """Return the tables that serve a tier in a context."""
        return self._tables[tier][self.tables_name(tier, context)]

    def tables_name(self, tier: str, context: str) -> str:
        """Return `context` where it has tables of its own, else `ALL_CONTEXTS`."""
        return context if context in self._tables[tier] else ALL_CONTEXTS
