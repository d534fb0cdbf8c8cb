"""Tally: what the node has counted since it was configured."""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
import math

from selector.decision import Reason
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
        reasons: decisions by reason.
        outcomes: outcomes by kind.
        latency_s: from receipt to the final answer, of the last frames [s].
        left: tokens left, per resource.
        price: per resource, as last paid or refused [accuracy per unit].
    """

    frames: int = 0
    finals: int = 0
    undecodable: int = 0
    fast_failed: int = 0
    duplicates: int = 0
    rewinds: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    latency_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    left: tuple[float, ...] = ()
    price: tuple[float, ...] = ()

    def decided(self, record: Justification) -> None:
        """Count one frame and its decision."""
        self.frames += 1
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

    @property
    def invoked(self) -> int:
        """Frames on which a slower tier was invoked."""
        return self.reasons[Reason.GAIN_ABOVE_PRICE.value]

    def summary(self) -> dict[str, object]:
        """Return the counts as JSON values."""
        return {
            'frames': self.frames,
            'decisions': self.reasons.total(),
            'finals': self.finals,
            'unanswered': self.frames - self.finals,
            'invoked': self.invoked,
            'undecodable': self.undecodable,
            'fast_failed': self.fast_failed,
            'duplicates': self.duplicates,
            'rewinds': self.rewinds,
            'reasons': dict(sorted(self.reasons.items())),
            'outcomes': dict(sorted(self.outcomes.items())),
            'answer_p50_s': quantile(self.latency_s, 0.5),
            'answer_p95_s': quantile(self.latency_s, 0.95),
        }
