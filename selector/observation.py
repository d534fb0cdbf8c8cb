"""Observation: which frames slow looks at only to be learned from, and what is remembered.

Slow's answer is seen where the rule invokes it, which is where fast was thought to be wrong. An
audit stream looks at the other frames as well, at random, with a probability that is known before
the draw; without it nobody ever sees where fast is wrong and sure of itself.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from selector.decision import Decision
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.gain import View
from selector.justification import Offer
from selector.purses import Purses

PROBABILITY_MAX = 0.5
_SMOOTH = 0.02
_SKIPPED_MIN = 0.1


class AuditStream:
    """Spreads the audit reserve evenly over the frames that the rule skips."""

    def __init__(self, spec: TierSpec | None, purses: Purses) -> None:
        """Audit with the tier `spec`, None for no audits, out of the reserve of `purses`."""
        self._spec, self._purses = spec, purses
        self._period_s = 0.0
        self._skipped = 1.0

    def frame(self, elapsed_s: float) -> None:
        """Take in the time since the frame before [s]."""
        if elapsed_s > 0.0:
            step = elapsed_s - self._period_s
            self._period_s += _SMOOTH * step if self._period_s else step

    def probability(self) -> float:
        """Return eps, with which a skipped frame is to be audited, in [0, PROBABILITY_MAX]."""
        if self._spec is None:
            return 0.0
        share = PROBABILITY_MAX
        resources = self._purses.resources[Purse.AUDIT]
        for resource, amount in zip(resources, self._spec.cost, strict=True):
            if amount > 0.0:
                share = min(share, resource.rate * self._period_s / amount)
        return min(PROBABILITY_MAX, share / max(_SKIPPED_MIN, self._skipped))

    def beside(
        self, decision: Decision, offer: Offer, *, denied: bool = False
    ) -> tuple[Decision, float]:
        """Return the decision with what is observed beside it, and pi of this frame.

        pi is the probability with which the slower tier's answer is seen: 1 where the rule invokes
        it, eps where the frame is skipped and could be audited, else 0. `denied` keeps the frame
        from the cloud.
        """
        invoked = decision.purse is not Purse.NONE
        self._skipped += _SMOOTH * ((not invoked) - self._skipped)
        if invoked or self._spec is None:
            return decision, 1.0 if invoked else 0.0
        visible = offer.decodable and (offer.evidence is not None or offer.pending)
        able = visible and self._spec.name not in offer.busy
        able = able and not (denied and self._spec.kind is TierKind.CLOUD)
        if not able or not self._purses.covers(Purse.AUDIT, self._spec.cost_cap):
            return decision, 0.0
        chance = 1.0 if offer.observe else self.probability()
        if offer.draw >= chance and not offer.observe:
            return decision, chance
        kept = decision.reason is Reason.OVERRIDDEN
        reason = decision.reason if kept else Reason.AUDITED
        name = self._spec.name
        return replace(decision, reason=reason, observe=name, purse=Purse.AUDIT), chance


class Seen(NamedTuple):
    """What is remembered of a frame until its label comes.

    Attributes:
        view: the frame as it was when it was decided about.
        probability: pi, with which slow's answer was to be observed; 0 where it could not be.
        tier: the slower tier that answered, '' for none.
        disagreement: distance of its answer from the fast one, None without both.
        labelled: its label has come.
    """

    view: View
    probability: float
    tier: str = ''
    disagreement: float | None = None
    labelled: bool = False


class Remembered:
    """The last frames, by sequence number, for labels that come late; bounded."""

    def __init__(self, frames_max: int) -> None:
        """Remember the last `frames_max` frames."""
        self._frames_max = frames_max
        self._frames: OrderedDict[int, Seen] = OrderedDict()

    def put(self, sequence: int, seen: Seen) -> None:
        """Remember a frame; the oldest one is forgotten where there are too many."""
        self._frames[sequence] = seen
        if len(self._frames) > self._frames_max:
            self._frames.popitem(last=False)

    def get(self, sequence: int) -> Seen | None:
        """Return a remembered frame."""
        return self._frames.get(sequence)

    def update(self, sequence: int, seen: Seen) -> None:
        """Replace what is remembered of a frame, if it still is."""
        if sequence in self._frames:
            self._frames[sequence] = seen
