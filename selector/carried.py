"""Carried: the last trusted answer of each camera, which the reuse tier gives again."""

from __future__ import annotations

import math
from typing import NamedTuple

from selector.errors import ConfigError


class Carried(NamedTuple):
    """An answer that is carried on to later frames.

    Attributes:
        sequence: the frame it was given about.
        stamp_ns: that frame's stamp [ns].
        tier: whose answer it is: the slower tier's, or the fast one's where that was better.
        class_id: its class.
    """

    sequence: int
    stamp_ns: int
    tier: str
    class_id: int


class CarriedAnswers:
    """The newest trusted answer of each camera, by the stamp of the frame it is about."""

    def __init__(self, max_age_s: float) -> None:
        """Carry answers for `max_age_s` [s] at most; 0 carries nothing.

        Raises:
            ConfigError: the age is not a finite number >= 0.
        """
        if not 0.0 <= max_age_s < math.inf:
            raise ConfigError(f'reuse_max_age_s = {max_age_s}; it is a finite number >= 0')
        self._max_age_ns = round(max_age_s * 1e9)
        self._newest: dict[str, Carried] = {}

    def at(self, camera: str, stamp_ns: int) -> Carried | None:
        """Return what is carried on to a frame: nothing from the future, nothing too old."""
        found = self._newest.get(camera)
        if found is None or not 0 < stamp_ns - found.stamp_ns <= self._max_age_ns:
            return None
        return found

    def put(self, camera: str, answer: Carried) -> None:
        """Carry `answer` on unless a newer frame's is there already."""
        found = self._newest.get(camera)
        if self._max_age_ns and (found is None or answer.stamp_ns >= found.stamp_ns):
            self._newest[camera] = answer

    def rewind(self, stamp_ns: int) -> None:
        """Forget what is later than `stamp_ns`: the clock was set back to there."""
        self._newest = {c: a for c, a in self._newest.items() if a.stamp_ns <= stamp_ns}
