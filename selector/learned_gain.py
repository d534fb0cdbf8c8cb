"""Learned gain: the fitted tables, corrected online by the disagreement that every call shows."""

from __future__ import annotations

from selector.evidence import Evidence
from selector.gain import FastAssessment
from selector.gain import FittedGain
from selector.gain import Gain
from selector.learner import Learner
from selector.learner import TERMS
from selector.learner import terms

FORGETTING = 0.9998
OPTIMISM = 0.1
PRIOR = 0.1


class LearnedGain:
    """gain = dhat * khat with dhat = g0 + theta'z + optimism * width; see docs/decision.md.

    g0 is the fitted table; theta starts at 0 and is learned from every answer of the tier, on time
    or late, one learner per tier and tables. khat needs labels and stays as fitted. The optimism
    makes a tier worth a look where little is known; without it a learner that believes in no gain
    never invokes and never learns better.
    """

    def __init__(self, fitted: FittedGain, optimism: float = OPTIMISM) -> None:
        """Start from `fitted`; `optimism` >= 0 widths are added to the disagreement."""
        self._fitted = fitted
        self._optimism = optimism
        self._learners: dict[tuple[str, str], Learner] = {}

    def assess(self, evidence: Evidence | None, context: str) -> FastAssessment:
        """See `GainPredictor.assess`."""
        return self._fitted.assess(evidence, context)

    def answer_loss(self, tier: str, evidence: Evidence, context: str) -> float:
        """See `GainPredictor.answer_loss`."""
        return self._fitted.answer_loss(tier, evidence, context)

    def gain(self, tier: str, evidence: Evidence | None, context: str) -> Gain:
        """See `GainPredictor.gain`."""
        if evidence is None:
            return self._fitted.gain(tier, evidence, context)
        tables = self._fitted.tables(tier, context)
        dhat = tables.disagreement.value(evidence)[0]
        mean, width = self._learner(tier, context).predict(terms(evidence))
        hopeful = max(0.0, min(1.0, dhat + mean + self._optimism * width))
        spread = width * abs(tables.khat) + hopeful * tables.khat_width
        return Gain(hopeful * tables.khat, spread)

    def learn(self, tier: str, evidence: Evidence, context: str, disagreement: float) -> None:
        """See `GainPredictor.learn`."""
        dhat = self._fitted.tables(tier, context).disagreement.value(evidence)[0]
        self._learner(tier, context).update(terms(evidence), disagreement - dhat)

    def _learner(self, tier: str, context: str) -> Learner:
        key = tier, self._fitted.tables_name(tier, context)
        if key not in self._learners:
            self._learners[key] = Learner(TERMS, PRIOR, FORGETTING)
        return self._learners[key]
