"""Learner: recursive least squares on what each invocation shows, with an honest width."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
from selector.errors import ConfigError
from selector.errors import InputError

TERM_MAX = 1e6
_PAIRS = {n: np.triu_indices(n + 1) for n in range(1, 17)}

Terms = NDArray[np.float64]
"""(size,) what is learned on: 1, each input, its square and every product of two."""


def size(inputs: int) -> int:
    """Return the number of terms of `inputs` numbers.

    >>> size(6)
    28
    """
    return (inputs + 1) * (inputs + 2) // 2


def terms(numbers: Sequence[float]) -> Terms:
    """Return the terms of numbers in [0, 1], which are stretched to [-1, 1] and cut off there.

    Args:
        numbers: (F,) inputs, 1 <= F <= 16.
    """
    row = [1.0]
    for number in numbers:
        row.append(2.0 * number - 1.0 if 0.0 < number < 1.0 else (1.0 if number > 0.5 else -1.0))
    first, second = _PAIRS[len(numbers)]
    column = np.array(row)
    return np.asarray(column[first] * column[second])


class Learner:
    """Discounted recursive least squares (docs/decision.md, The gain).

    Keeps theta and P with prediction theta'z and width sqrt(z'Pz). Old observations count less by
    `forgetting` an update, which inflates P; it is inflated only while its trace stays within
    that of the start, or P would wind up where nothing is observed. All sums run in order, so
    that every processor gives the same bits.
    """

    def __init__(
        self, size: int, prior: float, forgetting: float, constant_prior: float | None = None
    ) -> None:
        """Start with theta = 0 and P = prior * I.

        Args:
            size: number of terms.
            prior: variance of each weight over that of an observation, > 0.
            forgetting: in (0, 1]; 1 forgets nothing.
            constant_prior: of the first weight, which is that of the constant term, where it is
                another one.

        Raises:
            ConfigError: an argument is out of range.
        """
        first = prior if constant_prior is None else constant_prior
        least, most = min(prior, first), max(prior, first)
        if size < 1 or not (0.0 < least and most < math.inf) or not 0.0 < forgetting <= 1.0:
            raise ConfigError(
                f'size = {size}, prior = {prior}, forgetting = {forgetting}; allowed are '
                f'size >= 1, prior > 0, forgetting in (0, 1]'
            )
        self.updates = 0
        self._size = size
        # P and theta side by side: one sum over the rows gives both P z and theta'z.
        self._state = np.concatenate([prior * np.eye(size), np.zeros((size, 1))], axis=1)
        self._state[0, 0] = first
        self._trace = prior * (size - 1) + first
        self._forgetting = forgetting

    def mean(self, z: Terms) -> float:
        """Return theta'z for terms z (size,)."""
        if not self.updates:
            return 0.0
        return float(np.add.reduce(self._state[:, self._size] * z))

    def predict(self, z: Terms) -> tuple[float, float]:
        """Return (theta'z, sqrt(z'Pz)) for terms z (size,), at most TERM_MAX in size."""
        row = np.add.reduce(self._state * z[:, None], axis=0)
        variance = float(np.add.reduce(row[: self._size] * z))
        return float(row[self._size]), math.sqrt(max(0.0, variance))

    def update(self, z: Terms, target: float) -> None:
        """Take in one observation of `target` at terms z (size,).

        Raises:
            InputError: a number is NaN, infinite or too large; nothing is learned then.
        """
        energy = float(np.add.reduce(z * z))
        if not (abs(target) <= TERM_MAX and energy <= TERM_MAX * TERM_MAX):
            raise InputError(
                f'cannot learn from {target} at {z}: the target and the length of the terms are '
                f'finite and at most {TERM_MAX:g}'
            )
        size, state = self._size, self._state
        row = np.add.reduce(state * z[:, None], axis=0)
        direction = row[:size]
        scale = self._forgetting + max(0.0, float(np.add.reduce(direction * z)))
        error = target - float(row[size])
        # An outer product of one vector: symmetric to the last bit, so P cannot drift.
        root = direction / math.sqrt(scale)
        state[:, :size] -= root[:, None] * root
        state[:, size] += direction * (error / scale)
        trace = float(np.add.reduce(state.ravel()[: size * (size + 1) : size + 2]))
        if trace <= self._trace * self._forgetting:
            state[:, :size] *= 1.0 / self._forgetting
        self.updates += 1
