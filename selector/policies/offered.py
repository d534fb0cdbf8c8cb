"""Offered: with which probability a frame was offered to a slower tier, until it is answered."""

from __future__ import annotations

from selector.gain import View

_FRAMES_MAX = 8192


class Offered:
    """Remembers the probability of the latest frames by their view; the oldest are forgotten.

    Answers and labels bring the view back as it was, but not the policy's own probability.
    """

    def __init__(self) -> None:
        self._probability: dict[tuple[View, str], float] = {}

    def put(self, view: View, probability: float, tier: str = '') -> None:
        """Remember with which probability a frame was offered to a tier ('': to any)."""
        if len(self._probability) >= _FRAMES_MAX:
            del self._probability[next(iter(self._probability))]
        self._probability[view, tier] = probability

    def get(self, view: View, tier: str = '') -> float | None:
        """Return the probability of a frame, None where it was forgotten or never offered."""
        return self._probability.get((view, tier))


def observed(offered: float, audited: float) -> float:
    """Return the probability of having seen the slower answer to a frame.

    Args:
        offered: probability that the policy invoked on it.
        audited: what the observation says: 1 on an invoked frame, else the probability of the
            audit that showed it all the same.
    """
    return offered if audited >= 1.0 else offered + (1.0 - offered) * audited
