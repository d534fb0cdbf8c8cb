"""Epsilon greedy: a linear estimate of the gain, and now and then any arm, without prices."""

from __future__ import annotations

from selector.gain import View
from selector.policies.baseline import within
from selector.policies.draws import Draws
from selector.policies.linucb import LinUcb


class EpsilonGreedy(LinUcb):
    """With probability epsilon takes any arm, else invokes where the estimate exceeds the cost.

    Terms, reward and ridge arms are those of `LinUcb` without its optimism; the arms to explore
    are the fast answer and each tier, with equal chances.
    """

    def __init__(
        self, cost: float, *, epsilon: float = 0.05, key: bytes = b'epsilon_greedy'
    ) -> None:
        """Take the cost, the knob, in [-1, 1], epsilon in [0, 1] and the key of the draws.

        Raises:
            ConfigError: a number or the key is out of range.
        """
        super().__init__(cost, alpha=0.0)
        self._epsilon = within('epsilon', epsilon, 0.0, 1.0)
        self._draws = Draws(key)

    def nets(self, view: View, tiers: tuple[str, ...]) -> tuple[float, ...]:
        """Return the estimates minus the cost, or 1 for the arm explored and -1 for the rest."""
        draw = self._draws.next()
        if draw >= self._epsilon:
            return super().nets(view, tiers)
        # Given that it is below epsilon, the draw over epsilon is uniform: it chooses the arm.
        explored = int(draw / self._epsilon * (len(tiers) + 1)) - 1
        return tuple(1.0 if place == explored else -1.0 for place in range(len(tiers)))
