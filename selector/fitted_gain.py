"""Fitted gain: the gain from tables fitted offline, or from the fast answer's own word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from typing import Protocol

from selector.calibration import Table
from selector.correlation import JointStatistics
from selector.evidence import Evidence
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.persistence import stale_prior

ALL_CONTEXTS = 'all'
"""Name of the tables fitted on all contexts together; used where the context is unknown."""

LABEL, SLOWEST_ASSUMED = 'LABEL', 'SLOWEST_ASSUMED'


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


class Start(NamedTuple):
    """What is believed about one tier on one frame before anything has been learned online.

    Attributes:
        fast_loss: P(fast wrong) in [0, 1].
        disagreement, disagreement_width: dhat in [0, 1] and the half-width of its interval.
        khat, khat_width: in [-1, 1], and the half-width of its interval.
        tables: name of the context they stand for.
        support: labelled pairs behind them.
        out_of_support: the evidence lies outside what was seen at fitting.
        reference: `LABEL` or `SLOWEST_ASSUMED`.
    """

    fast_loss: float
    disagreement: float
    disagreement_width: float
    khat: float
    khat_width: float
    tables: str
    support: int
    out_of_support: bool
    reference: str


class Prior(Protocol):
    """Where learning starts from: tables of a fit, or nothing."""

    def start(self, tier: str, view: View) -> Start:
        """Return what is believed about a tier on a frame that fast has answered."""

    def blind(self, tier: str, view: View) -> float:
        """Return the expected gain of a tier where there is no fast answer, in [0, 1]."""

    def doubt(self, view: View) -> float:
        """Return P(fast wrong) before it has run, in [0, 1]."""

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float] | None:
        """Return (P(fast wrong), P(answer wrong)) of two answers, None where nothing is known."""


class NoFit:
    """No profile and no label yet: fast is as often wrong as it says, and slow is right."""

    def start(self, tier: str, view: View) -> Start:
        """See `Prior.start`."""
        doubt = 0.0 if view.evidence is None else 1.0 - view.evidence.confidence
        doubt = min(1.0, max(0.0, doubt))
        name = view.context or ALL_CONTEXTS
        return Start(doubt, doubt, 0.5, 1.0, 0.0, name, 0, False, SLOWEST_ASSUMED)

    def blind(self, tier: str, view: View) -> float:
        """See `Prior.blind`."""
        return 1.0

    def doubt(self, view: View) -> float:
        """See `Prior.doubt`."""
        return 0.5

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float] | None:
        """See `Prior.losses`."""
        return None


class FittedGain:
    """Gain from tables fitted offline; a predictor of its own, and a `Prior` to learn from.

    With `rule='calibrated'` the gain is dhat(evidence) * khat(context); with `rule='seed'` it is
    the seed paper's second-order rule, L_fast - E[L_slow | L_fast] (arXiv 2108.01235), with the
    calibrated P(fast wrong) as the estimate of L_fast.
    """

    def __init__(
        self,
        tables: Mapping[str, Mapping[str, ContextTables]],
        rule: str,
        reference: str = LABEL,
    ) -> None:
        """Take `tables` by tier and context; each tier has tables for `ALL_CONTEXTS`."""
        self._tables = tables
        self._seed = rule == 'seed'
        self._reference = reference

    def start(self, tier: str, view: View) -> Start:
        """See `Prior.start`."""
        name = view.context if view.context in self._tables[tier] else ALL_CONTEXTS
        tables, evidence = self._tables[tier][name], view.evidence
        support = tables.statistics.pairs
        if evidence is None:
            return Start(1.0, 1.0, 0.0, 1.0, 0.0, name, support, False, self._reference)
        outside = any(
            not low <= value <= high
            for low, value, high in zip(tables.low, evidence, tables.high, strict=True)
        )
        dhat, width = tables.disagreement.value(evidence)
        return Start(
            tables.fast_error.value(evidence)[0],
            dhat,
            width,
            tables.khat,
            tables.khat_width,
            name,
            support,
            outside,
            self._reference,
        )

    def blind(self, tier: str, view: View) -> float:
        """See `Prior.blind`."""
        return 1.0 - self.tables(tier, view.context).statistics.mean_slow

    def doubt(self, view: View) -> float:
        """See `Prior.doubt`."""
        return self.tables(min(self._tables), view.context).statistics.mean_fast

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float]:
        """See `Prior.losses` and `GainPredictor.losses`."""
        tables = self.tables(tier, view.context)
        fast = 1.0 if view.evidence is None else tables.fast_error.value(view.evidence)[0]
        return fast, tables.slow_error.value(answer)[0]

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """See `GainPredictor.forecast`."""
        starts = [self.start(tier, view) for tier in tiers]
        gains = tuple(self._gain(t, view, s) for t, s in zip(tiers, starts, strict=True))
        first = starts[0] if starts else NoFit().start('', view)
        stale = stale_prior(view)
        return Forecast(
            first.fast_loss,
            gains,
            stale=stale,
            reuse_gain=carried_gain(first.fast_loss, gains, stale) if view.carried else -1.0,
            support=first.support,
            tables=first.tables,
            out_of_support=first.out_of_support,
            reference=first.reference,
        )

    def observe(self, seen: Observation) -> None:
        """Nothing: what was fitted offline stays."""

    def label(self, truth: Truth) -> None:
        """Nothing: what was fitted offline stays."""

    def tables(self, tier: str, context: str) -> ContextTables:
        """Return the tables that serve a tier in a context."""
        contexts = self._tables[tier]
        return contexts[context if context in contexts else ALL_CONTEXTS]

    def _gain(self, tier: str, view: View, start: Start) -> Gain:
        if view.evidence is None:
            return Gain(self.blind(tier, view), 0.0, 1.0, 1.0)
        if self._seed:
            tables = self.tables(tier, view.context)
            loss, width = tables.fast_error.value(view.evidence)
            mean = loss - tables.statistics.conditional_mean(loss)
            spread = width * abs(1.0 - tables.statistics.slope)
            return Gain(mean, spread, start.disagreement, start.khat)
        spread = start.disagreement_width * abs(start.khat)
        spread += start.disagreement * start.khat_width
        mean = start.disagreement * start.khat
        return Gain(mean, spread, start.disagreement, start.khat)


def carried_gain(fast_loss: float, gains: tuple[Gain, ...], stale: float) -> float:
    """Return the expected gain of the carried answer over the fast one, in [-1, 1].

    It is as good as a fresh answer of the best tier, while it is still right:
    L_reuse = 1 - S * (1 - L_slow) with S = 1 - stale (docs/decision.md, Carrying an answer on).
    """
    best = max((gain.mean for gain in gains), default=0.0)
    slow_loss = min(1.0, max(0.0, fast_loss - best))
    return fast_loss - (1.0 - (1.0 - stale) * (1.0 - slow_loss))
