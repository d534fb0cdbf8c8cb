"""Periodic: invokes every n-th frame, whatever it shows."""

from __future__ import annotations

from fractions import Fraction

from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import within

_DENOMINATOR_MAX = 1_000_000


class Periodic(Baseline):
    """Invokes the first frame and then one in `period`, spread as evenly as whole frames allow.

    After t frames exactly 1 + floor((t - 1) / period) were invoked: the phase is kept in integers.
    """

    def __init__(self, period: float) -> None:
        """Take the frames from one invocation to the next, >= 1, on average.

        Raises:
            ConfigError: the period is below 1 or not finite.
        """
        super().__init__()
        exact = Fraction(within('period', period, 1.0)).limit_denominator(_DENOMINATOR_MAX)
        self._wrap, self._step = exact.numerator, exact.denominator
        self._phase = self._wrap - self._step

    def net(self, view: View) -> float:
        """Return 1 on a frame whose turn it is, else -1."""
        self._phase += self._step
        if self._phase < self._wrap:
            return -1.0
        self._phase -= self._wrap
        return 1.0
