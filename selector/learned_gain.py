"""Learned gain: what was fitted, corrected online by what every call and every label shows."""

from __future__ import annotations

import math
from typing import NamedTuple

from selector.before_fast import BeforeFast
from selector.correlation import AccuracyCorrelation
from selector.correlation import JointStatistics
from selector.evidence import Evidence
from selector.fitted_gain import carried_gain
from selector.fitted_gain import LABEL
from selector.fitted_gain import Prior
from selector.fitted_gain import Start
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.learner import Learner
from selector.learner import size
from selector.learner import Terms
from selector.learner import terms
from selector.persistence import Persistence
from selector.reach import Reach

FORGETTING = 0.9998
OPTIMISM = 0.1
PRIOR = 0.05
KHAT_PRIOR, KHAT_CONSTANT_PRIOR = 0.01, 0.2
"""Variances of a weight over that of an observation; labels are few, so khat moves as a whole."""
LABELS_MIN = 30
"""Labelled pairs that disagree, from which on the reference is called LABEL."""
CONTEXTS_MAX = 32


class _Learned:
    """What was learned about one tier in one context."""

    def __init__(self) -> None:
        self.disagreement = Learner(size(6), PRIOR, FORGETTING)
        self.khat = Learner(size(6), KHAT_PRIOR, FORGETTING, KHAT_CONSTANT_PRIOR)
        self.fast_loss = Learner(size(6), KHAT_PRIOR, FORGETTING, KHAT_CONSTANT_PRIOR)
        self.correlation = AccuracyCorrelation()
        self.seen = 0.0
        self.disagreed = 0.0


class LearnedSummary(NamedTuple):
    """What was learned about one tier in one context, in numbers a person can read.

    Attributes:
        observed: answers of the tier that were compared with the fast ones.
        disagreement: share of all frames on which they would differ, weighted by 1 / pi.
        labelled: labelled pairs that disagreed, the count behind khat.
        statistics: of the labelled pairs, weighted by 1 / pi.
    """

    observed: int
    disagreement: float
    labelled: int
    statistics: JointStatistics


class LearnedGain:
    """gain = dhat * khat, both learned online; see docs/decision.md, The gain.

    dhat = g0 + theta'z + optimism * width starts from a fit or from the fast answer's own doubt
    and learns from every answer of the tier, on time or late. khat and the fast loss learn from
    labels only. One learner per tier and context. The optimism makes a tier worth a look where
    little is known; without it a learner that believes in no gain never invokes and never learns
    better.
    """

    def __init__(
        self,
        prior: Prior,
        optimism: float = OPTIMISM,
        pairs_min: int = 0,
        *,
        before_fast: bool = False,
    ) -> None:
        """Start from `prior`.

        Args:
            prior: what is believed before anything is learned.
            optimism: widths added to the disagreement, >= 0.
            pairs_min: observed answers before which it asks not to be acted upon.
            before_fast: learn what is needed where frames are decided before fast has run.
        """
        self._prior = prior
        self._optimism = optimism
        self._pairs_min = pairs_min
        self._observed = 0
        self._learned: dict[tuple[str, str], _Learned] = {}
        self._persistence = Persistence()
        self._reach = Reach()
        self._before = BeforeFast() if before_fast else None

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """See `GainPredictor.forecast`."""
        if view.evidence is None:
            return self._without(view, tiers)
        gains: list[Gain] = []
        first: tuple[Start, float, str] | None = None
        carried = 0.0
        for tier in tiers:
            start = self._prior.start(tier, view)
            z = _terms(view, start)
            learned = self._of(tier, start.tables)
            gain, plain = self._gain(learned, z, start)
            gains.append(gain)
            carried = max(carried, plain)
            if first is None:
                first = start, *_fast_loss(learned, z, start, gain)
        if first is None:
            return Forecast(min(1.0, max(0.0, 1.0 - view.evidence.confidence)), ())
        return self._told(view, tuple(gains), carried, first)

    def losses(self, tier: str, view: View, answer: Evidence) -> tuple[float, float]:
        """See `GainPredictor.losses`.

        Without a fit, the answer is as likely wrong as it says, and khat tells which of the two is
        the better one.
        """
        known = self._prior.losses(tier, view, answer)
        if known is not None:
            return known
        if view.evidence is None:
            return 1.0, 0.0
        start = self._prior.start(tier, view)
        khat = self._khat(self._of(tier, start.tables), _terms(view, start), start)
        doubt = 1.0 - min(1.0, max(0.0, answer.confidence))
        fast = doubt + khat * (1.0 - doubt) if khat >= 0.0 else doubt * (1.0 + khat)
        return fast, doubt

    def observe(self, seen: Observation) -> None:
        """See `GainPredictor.observe`."""
        view = seen.view
        if self._before is not None:
            self._before.observe(seen, self._prior.doubt(view))
        if seen.stale is not None:
            self._persistence.observe(view, seen.stale)
        if seen.disagreement is None or view.evidence is None:
            return
        start = self._prior.start(seen.tier, view)
        learned = self._of(seen.tier, start.tables)
        z = _terms(view, start)
        fresh = start.disagreement + learned.disagreement.mean(z)
        self._reach.called(min(1.0, max(0.0, fresh)) * self._khat(learned, z, start))
        learned.disagreement.update(z, seen.disagreement - start.disagreement)
        learned.seen += 1.0 / seen.probability
        learned.disagreed += seen.disagreement / seen.probability
        self._observed += 1

    def label(self, truth: Truth) -> None:
        """See `GainPredictor.label`."""
        view = truth.view
        if self._before is not None:
            self._before.label(truth, self._prior.doubt(view))
        if truth.fast_loss is None or view.evidence is None:
            return
        for tier in dict.fromkeys([truth.tier, *(t for t, _ in self._learned)]):
            if not tier:
                continue
            start = self._prior.start(tier, view)
            learned, z = self._of(tier, start.tables), _terms(view, start)
            learned.fast_loss.update(z, truth.fast_loss - start.fast_loss)
            if tier != truth.tier or truth.tier_loss is None or truth.disagreement is None:
                continue
            learned.correlation.update(truth.fast_loss, truth.tier_loss, truth.probability)
            if truth.disagreement > 0.0:
                share = (truth.fast_loss - truth.tier_loss) / truth.disagreement
                share = min(1.0, max(-1.0, share)) - start.khat
                weight = math.sqrt(truth.disagreement)
                learned.khat.update(z * weight, share * weight)

    def summaries(self) -> dict[tuple[str, str], LearnedSummary]:
        """Return what was learned by (tier, context)."""
        return {
            key: LearnedSummary(
                learned.disagreement.updates,
                learned.disagreed / learned.seen if learned.seen else 0.0,
                learned.khat.updates,
                learned.correlation.statistics,
            )
            for key, learned in self._learned.items()
        }

    def _told(
        self,
        view: View,
        gains: tuple[Gain, ...],
        carried: float,
        first: tuple[Start, float, str],
    ) -> Forecast:
        start, fast_loss, reference = first
        stale, reuse = 1.0, -1.0
        if view.carried:
            stale = self._persistence.stale(view)
            reuse = carried_gain(fast_loss, (Gain(carried, 0.0),), stale)
            self._reach.carried(reuse)
        return Forecast(
            fast_loss,
            gains,
            stale=stale,
            reuse_gain=reuse,
            reach=self._reach.frames,
            support=start.support + self._observed,
            missing=max(0, self._pairs_min - self._observed),
            tables=start.tables,
            out_of_support=start.out_of_support,
            reference=reference,
        )

    def _without(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """Return what is predicted where there is no fast answer: it failed, or has not run."""
        fast_loss, gains = 1.0, tuple(Gain(self._prior.blind(t, view), 0.0, 1.0) for t in tiers)
        if view.pending and self._before is not None:
            doubt = self._prior.doubt(view)
            fast_loss, gains = self._before.forecast(view, tiers, doubt, self._optimism)
        stale = self._persistence.stale(view)
        reuse = carried_gain(fast_loss, gains, stale) if view.carried else -1.0
        if view.pending and view.carried:
            self._reach.carried(reuse)
        start = self._prior.start(tiers[0], view) if tiers else None
        return Forecast(
            fast_loss,
            gains,
            stale=stale,
            reuse_gain=reuse,
            reach=self._reach.frames if view.pending else 1.0,
            support=self._observed + (start.support if start else 0),
            missing=max(0, self._pairs_min - self._observed) if view.pending else 0,
            tables=start.tables if start else 'all',
            reference=start.reference if start else LABEL,
        )

    def _gain(self, learned: _Learned, z: Terms, start: Start) -> tuple[Gain, float]:
        """Return the gain, and its mean without optimism."""
        mean, width = learned.disagreement.predict(z)
        plain = min(1.0, max(0.0, start.disagreement + mean))
        hopeful = min(1.0, max(0.0, start.disagreement + mean + self._optimism * width))
        khat = self._khat(learned, z, start)
        spread = width * abs(khat) + hopeful * start.khat_width
        return Gain(hopeful * khat, spread, hopeful, khat), plain * khat

    def _khat(self, learned: _Learned, z: Terms, start: Start) -> float:
        return min(1.0, max(-1.0, start.khat + learned.khat.mean(z)))

    def _of(self, tier: str, context: str) -> _Learned:
        key = tier, context
        found = self._learned.get(key)
        if found is None:
            key = key if len(self._learned) < CONTEXTS_MAX else (tier, '')
            found = self._learned.setdefault(key, _Learned())
        return found


def _fast_loss(learned: _Learned, z: Terms, start: Start, gain: Gain) -> tuple[float, str]:
    """Return P(fast wrong) and its reference; without any label, the slower tier is the truth."""
    if start.reference == LABEL or learned.khat.updates >= LABELS_MIN:
        return min(1.0, max(0.0, start.fast_loss + learned.fast_loss.mean(z))), LABEL
    return gain.disagreement, start.reference


def _terms(view: View, start: Start) -> Terms:
    evidence, scene = view.evidence, view.scene
    assert evidence is not None  # nothing is learned where fast has not answered
    return terms(
        (
            1.0 - start.fast_loss,
            evidence.margin,
            evidence.entropy,
            scene.sharpness,
            scene.exposure,
            scene.track_agreement,
        )
    )
