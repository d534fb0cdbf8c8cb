"""Learner: recursive least squares on what each invocation shows, with an honest width."""

from __future__ import annotations

import math

import numpy as np
from selector.errors import ConfigError
from selector.errors import InputError
from selector.evidence import Evidence

TERMS = 1 + 3 + 6
"""Number of terms of `terms`."""


def terms(evidence: Evidence) -> tuple[float, ...]:
    """Return what is learned on, (TERMS,): 1, the evidence, its squares and products."""
    c, m, h = evidence
    return (1.0, c, m, h, c * c, m * m, h * h, c * m, c * h, m * h)


class Learner:
    """Discounted recursive least squares (docs/decision.md, The gain).

    Keeps theta and P with prediction theta'z and width sqrt(z'Pz). Old observations count less by
    `forgetting` an update, which inflates P; it is inflated only while its trace stays within
    that of the start, or P would wind up where nothing is observed.
    """

    def __init__(self, size: int, prior: float, forgetting: float) -> None:
        """Start with theta = 0 and P = prior * I.

        Args:
            size: number of terms.
            prior: variance of each weight over that of an observation, > 0.
            forgetting: in (0, 1]; 1 forgets nothing.

        Raises:
            ConfigError: an argument is out of range.
        """
        if size < 1 or not 0.0 < prior < math.inf or not 0.0 < forgetting <= 1.0:
            raise ConfigError(
                f'size = {size}, prior = {prior}, forgetting = {forgetting}; allowed are '
                f'size >= 1, prior > 0, forgetting in (0, 1]'
            )
        self.updates = 0
        self._theta = [0.0] * size
        self._spread = prior * np.eye(size)
        self._trace = prior * size
        self._forgetting = forgetting

    def predict(self, z: tuple[float, ...]) -> tuple[float, float]:
        """Return (theta'z, sqrt(z'Pz)) for terms z (size,)."""
        mean = 0.0
        for weight, term in zip(self._theta, z, strict=True):
            mean += weight * term
        return mean, math.sqrt(self._variance(z)[1])

    def update(self, z: tuple[float, ...], target: float) -> None:
        """Take in one observation of `target` at terms z (size,).

        Raises:
            InputError: a number is NaN or infinite; nothing is learned then.
        """
        if not (math.isfinite(target) and all(map(math.isfinite, z))):
            raise InputError(f'cannot learn from {target} at {z}: a number is NaN or infinite')
        direction, variance = self._variance(z)
        scale = self._forgetting + variance
        error = target - self.predict(z)[0]
        self._theta = [
            weight + error * d / scale
            for weight, d in zip(self._theta, direction.tolist(), strict=True)
        ]
        # The difference of two symmetric matrices: symmetric to the last bit, so P cannot drift.
        shrunk = self._spread - np.outer(direction, direction) / scale
        inflated = shrunk / self._forgetting
        self._spread = inflated if float(np.trace(inflated)) <= self._trace else shrunk
        self.updates += 1

    def _variance(self, z: tuple[float, ...]) -> tuple[np.ndarray, float]:
        """Return P z and z'P z, summed in order: the same bits on every processor."""
        direction = np.add.reduce(self._spread * np.asarray(z)[:, None], axis=0)
        total = 0.0
        for term, value in zip(z, direction.tolist(), strict=True):
            total += term * value
        return direction, max(0.0, total)
