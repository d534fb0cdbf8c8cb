"""Reach: for how many frames a fresh answer of a slower tier is of use when it is carried on."""

from __future__ import annotations

REACH_MAX = 100.0
_KEEP = 0.98
_PRIOR_GAIN = 0.5


class Reach:
    """Frames that a fresh answer serves, its own included: 1 + later gain / gain at the call.

    At a call, the predicted gain over the fast answer is counted; at each later frame, the
    predicted gain of carrying the answer on, until the next answer takes its place or it expires.
    Both are discounted by call. Starts at 1: what was never carried on serves one frame.
    """

    def __init__(self) -> None:
        self._at_call = _PRIOR_GAIN
        self._later = 0.0

    def called(self, gain: float) -> None:
        """Count a fresh answer whose predicted gain over fast was `gain`."""
        self._at_call = self._at_call * _KEEP + max(0.0, gain)
        self._later *= _KEEP

    def carried(self, gain: float) -> None:
        """Count a frame on which carrying the answer on gains `gain` over fast."""
        if gain > 0.0:
            self._later += gain

    @property
    def frames(self) -> float:
        """Expected frames that a fresh answer serves, in [1, REACH_MAX]."""
        return min(REACH_MAX, 1.0 + self._later / max(1e-9, self._at_call))
