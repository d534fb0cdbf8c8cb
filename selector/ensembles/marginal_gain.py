"""Marginal gain: what the next member of an ensemble is expected to change, learned as it runs.

The gain of member k + 1 is khat times the expected disagreement between the answers of k and of
k + 1 members. That expectation is a table of running means by k and by the doubt that the answer
of k members leaves, so that a frame the first members are sure about ends early. A stop shows
nothing about what the next member would have said; so one stop in `look_every` is not taken, or a
cell that started low by chance would never learn better.

Nothing here reads a clock or draws: the same answers in the same order give the same decisions.
"""

from __future__ import annotations

import math

import numpy as np
from selector.errors import ConfigError

PRIOR = 0.5
PRIOR_PAIRS = 2.0
MEMORY_PAIRS = 1000.0
LOOK_EVERY = 20
_CELLS = 6


def doubt_cell(confidence: float) -> int:
    """Return the row of a confidence: how often doubt, 1 - confidence, is halved from 1.

    >>> [doubt_cell(p) for p in (0.0, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0)]
    [0, 0, 1, 2, 3, 4, 5]
    """
    doubt = 1.0 - confidence
    if doubt <= 2.0 ** -(_CELLS - 1):
        return _CELLS - 1
    return max(0, math.ceil(-math.log2(doubt)) - 1)


class MarginalGain:
    """The table; it starts at `PRIOR`, which counts as `PRIOR_PAIRS` observations."""

    def __init__(self, members: int, khat: float = 1.0, look_every: int = LOOK_EVERY) -> None:
        """Start with nothing observed.

        Args:
            members: of the ensemble, >= 1.
            khat: share of a disagreement by which more members are better, in (0, 1].
            look_every: of this many stops in a cell one is not taken, >= 2; 0 takes all.

        Raises:
            ConfigError: a number is out of range.
        """
        if members < 1 or not 0.0 < khat <= 1.0 or (look_every != 0 and look_every < 2):
            raise ConfigError(
                f'members = {members}, khat = {khat}, look_every = {look_every}: members is 1 or '
                f'more, khat in (0, 1], look_every 0 or 2 and more'
            )
        self._khat, self._look_every = khat, look_every
        self._totals = np.zeros((members, _CELLS))
        self._pairs = np.zeros((members, _CELLS))
        self._stops = np.zeros((members, _CELLS), np.int64)

    def gain(self, asked: int, confidence: float) -> float:
        """Return what the next member is expected to gain after `asked` >= 1 members.

        Args:
            asked: members asked so far.
            confidence: of their answer, in [0, 1].
        """
        cell = asked - 1, doubt_cell(confidence)
        total = PRIOR * PRIOR_PAIRS + self._totals[cell]
        return float(self._khat * total / (PRIOR_PAIRS + self._pairs[cell]))

    def worth(self, asked: int, confidence: float, price: float) -> bool:
        """Return whether to ask the next member at `price` >= 0; counts a stop.

        No estimate can exceed a price of khat or more, so nothing is looked at there.
        """
        if self.gain(asked, confidence) > price:
            return True
        if not self._look_every or price >= self._khat:
            return False
        cell = asked - 1, doubt_cell(confidence)
        self._stops[cell] += 1
        return bool(self._stops[cell] % self._look_every == 0)

    def observe(self, asked: int, confidence: float, disagreement: float) -> None:
        """Learn how far the answer moved with the next member, in [0, 1]."""
        cell = asked - 1, doubt_cell(confidence)
        if self._pairs[cell] >= MEMORY_PAIRS:
            self._totals[cell] *= 1.0 - 1.0 / MEMORY_PAIRS
            self._pairs[cell] -= 1.0
        self._totals[cell] += disagreement
        self._pairs[cell] += 1.0
