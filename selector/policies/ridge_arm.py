"""Ridge arm: the reward of one arm of a linear bandit, by ridge regression, online."""

from __future__ import annotations

from collections.abc import Sequence
import math

from selector.policies.baseline import within


class RidgeArm:
    """Keeps the inverse of A = penalty * I + sum x x' and b = sum reward * x.

    Both are sums, so a reward can be corrected afterwards, in any order. Plain arithmetic in a
    fixed order: the same bits on every machine.
    """

    def __init__(self, size: int, penalty: float = 1.0) -> None:
        """Start without observations.

        Args:
            size: number of terms.
            penalty: weight of the squared weights, > 0.

        Raises:
            ConfigError: the penalty is out of range.
        """
        within('penalty', penalty, 1e-6)
        self._sum = [0.0] * size
        self._inverse = [
            [1.0 / penalty if row == column else 0.0 for column in range(size)]
            for row in range(size)
        ]

    def predict(self, x: Sequence[float]) -> tuple[float, float]:
        """Return (theta'x, sqrt(x'A^-1 x)) with theta = A^-1 b for terms x (size,)."""
        direction = self._direction(x)
        return _dot(direction, self._sum), math.sqrt(max(0.0, _dot(direction, x)))

    def add(self, x: Sequence[float], reward: float) -> None:
        """Take in one reward at terms x (size,) (Sherman and Morrison's formula)."""
        direction = self._direction(x)
        scale = 1.0 + _dot(direction, x)
        for row, left in zip(self._inverse, direction, strict=True):
            for column, right in enumerate(direction):
                row[column] -= left * right / scale
        self.correct(x, reward)

    def correct(self, x: Sequence[float], difference: float) -> None:
        """Change the reward of an observation at terms x (size,) by `difference`."""
        for place, term in enumerate(x):
            self._sum[place] += difference * term

    def _direction(self, x: Sequence[float]) -> list[float]:
        return [_dot(row, x) for row in self._inverse]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    total = 0.0
    for a, b in zip(left, right, strict=True):
        total += a * b
    return total
