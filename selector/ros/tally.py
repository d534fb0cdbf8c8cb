"""Tally: what the node has counted since it was configured."""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
import math

from selector.decision import Advice
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.justification import Justification
from selector.outcome import OutcomeRecord

_LATENCIES = 1000


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that `share` of the values do not exceed, None without any.

    >>> quantile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    rank = max(0, math.ceil(share * len(ordered)) - 1)
    return ordered[rank] if ordered else None


@dataclass
class Tally:
    """Counts of one mission.

    Attributes:
        frames: images received, each with one decision.
        finals: final answers published.
        undecodable: images that could not be decoded.
        fast_failed: images that the fast model failed on.
        duplicates: images set aside because the other transport had delivered them.
        rewinds: times that the image stamps jumped back.
        invoked: frames that waited for a slower tier.
        observed: frames that a slower tier looked at only to be learned from.
        reused: frames that an earlier answer was carried on to.
        overridden: frames on which a declared rule decided.
        advised: frames on which it asked the robot to slow down or stop.
        overdrawn: frames on which it overdrew the safety reserve.
        labels_refused: labels that fit no frame.
        missing: observed answers still missing before it acts.
        reasons: decisions by reason.
        outcomes: outcomes by kind.
        latency_s: from receipt to the final answer, of the last frames [s].
        left: tokens left to the rule, per resource.
        audit_left: tokens left in the reserve for audits, per resource.
        price: per resource, as last paid or refused [accuracy per unit].
    """

    frames: int = 0
    finals: int = 0
    undecodable: int = 0
    fast_failed: int = 0
    duplicates: int = 0
    rewinds: int = 0
    invoked: int = 0
    observed: int = 0
    reused: int = 0
    overridden: int = 0
    advised: int = 0
    overdrawn: int = 0
    labels_refused: int = 0
    missing: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    latency_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    left: tuple[float, ...] = ()
    audit_left: tuple[float, ...] = ()
    price: tuple[float, ...] = ()

    def decided(self, record: Justification) -> None:
        """Count one frame and its decision."""
        decision = record.decision
        shadowed = decision.reason is Reason.SHADOWED
        self.frames += 1
        self.invoked += decision.purse is not Purse.NONE and not (decision.observe or shadowed)
        self.observed += bool(decision.observe)
        self.reused += (decision.base.name if shadowed else decision.chosen) == REUSE
        self.overridden += bool(decision.rule)
        self.advised += decision.advice is not Advice.NONE
        self.overdrawn += record.overdrawn
        self.missing = record.missing
        self.audit_left = record.audit_left
        self.undecodable += not record.offer.decodable
        self.fast_failed += record.offer.decodable and record.offer.evidence is None
        self.reasons[record.decision.reason.value] += 1
        self.left = record.left
        self.price = record.decision.tiers[0].price if record.decision.tiers else ()

    def learned(self, record: OutcomeRecord) -> None:
        """Count one outcome."""
        self.outcomes[record.outcome.kind.value] += 1
        self.left = record.left

    def answered(self, latency_s: float) -> None:
        """Count one final answer, `latency_s` after its image was received [s]."""
        self.finals += 1
        self.latency_s.append(latency_s)

    def summary(self) -> dict[str, object]:
        """Return the counts as JSON values."""
        return {
            'frames': self.frames,
            'decisions': self.reasons.total(),
            'finals': self.finals,
            'unanswered': self.frames - self.finals,
            'invoked': self.invoked,
            'observed': self.observed,
            'reused': self.reused,
            'overridden': self.overridden,
            'advised': self.advised,
            'overdrawn': self.overdrawn,
            'labels_refused': self.labels_refused,
            'undecodable': self.undecodable,
            'fast_failed': self.fast_failed,
            'duplicates': self.duplicates,
            'rewinds': self.rewinds,
            'reasons': dict(sorted(self.reasons.items())),
            'outcomes': dict(sorted(self.outcomes.items())),
            'answer_p50_s': quantile(self.latency_s, 0.5),
            'answer_p95_s': quantile(self.latency_s, 0.95),
        }
