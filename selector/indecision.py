"""Indecision: how long the last slow answer and the fast one have differed, track by track."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

Key = tuple[str, int]
"""Camera and track; track -1 = whatever the camera shows."""

FORGET_NS = 60_000_000_000
KEYS_MAX = 1000


class Due(str, Enum):
    """What an indecision calls for; CONSERVATIVE includes the forced call."""

    NONE = 'NONE'
    FORCED = 'FORCED'
    CONSERVATIVE = 'CONSERVATIVE'


class _Clock(NamedTuple):
    """One key's clock.

    Attributes:
        start_ns: stamp of the last slow answer, or of the first frame that differed without one.
        last_ns: latest stamp of the key itself since then.
        touched_ns: latest stamp of all keys when this one was last seen.
    """

    start_ns: int
    last_ns: int
    touched_ns: int


class Indecision:
    """Clocks of all tracks, on message stamps only.

    A clock starts with a slow answer, or with the first frame that differs where none is known.
    Only a new slow answer restarts it: one frame that agrees in between is no decision, or an
    answer that flips from frame to frame would stay undecided for ever (the Uber 2018 case).

    A key that was not seen for 60 s of stamps is forgotten; so are those seen longest ago where
    there would be more than 1000. Not seen is measured by the latest stamp of all cameras, so a
    camera whose clock is behind keeps its tracks.
    """

    def __init__(self) -> None:
        # In the order of `touched_ns`: the one seen longest ago comes first.
        self._clocks: dict[Key, _Clock] = {}
        self._latest_ns: int | None = None

    def __len__(self) -> int:
        return len(self._clocks)

    def update(self, key: Key, stamp_ns: int, differs: bool) -> float:
        """Take in one frame; return how long its track has been undecided [s], >= 0.

        Args:
            key: camera and track.
            stamp_ns: stamp of the frame [ns]; one that goes back counts as the latest of its key.
            differs: whether the last slow answer differs from the fast one now.

        Returns:
            0 where they do not differ; else the time since the clock of the key started. It never
            shrinks between frames that differ but by `answered`, `rewind` or being forgotten.
        """
        latest_ns = self._advance(stamp_ns)
        clock = self._clocks.pop(key, None)
        if clock is None:
            if not differs:
                return 0.0
            clock = _Clock(stamp_ns, stamp_ns, latest_ns)
        clock = _Clock(clock.start_ns, max(clock.last_ns, stamp_ns), latest_ns)
        self._keep(key, clock)
        # Divided, not times 1e-9, which would miss a whole number of seconds by the last bit.
        return (clock.last_ns - clock.start_ns) / 1e9 if differs else 0.0

    def answered(self, key: Key, stamp_ns: int) -> None:
        """Restart the clock of a key at the stamp [ns] of the frame a new slow answer is about."""
        latest_ns = self._advance(stamp_ns)
        self._clocks.pop(key, None)
        self._keep(key, _Clock(stamp_ns, stamp_ns, latest_ns))

    def rewind(self, stamp_ns: int) -> None:
        """Move every start later than `stamp_ns` [ns] to it: the clock was set back to there."""
        if self._latest_ns is not None:
            self._latest_ns = min(self._latest_ns, stamp_ns)
        self._clocks = {
            key: _Clock(*(min(time_ns, stamp_ns) for time_ns in clock))
            for key, clock in self._clocks.items()
        }

    @staticmethod
    def due(undecided_s: float, max_indecision_s: float | None) -> Due:
        """Return what is due: a forced call at half the longest time, then the cautious answer.

        Args:
            undecided_s: as returned by `update` [s].
            max_indecision_s: longest time undecided [s], > 0; None = no limit.
        """
        if max_indecision_s is None or undecided_s < max_indecision_s / 2.0:
            return Due.NONE
        return Due.FORCED if undecided_s < max_indecision_s else Due.CONSERVATIVE

    def _advance(self, stamp_ns: int) -> int:
        """Return the latest stamp of all keys, after forgetting those not seen for long."""
        latest_ns = stamp_ns if self._latest_ns is None else max(self._latest_ns, stamp_ns)
        self._latest_ns = latest_ns
        while self._clocks:
            oldest = next(iter(self._clocks))
            if latest_ns - self._clocks[oldest].touched_ns <= FORGET_NS:
                break
            del self._clocks[oldest]
        return latest_ns

    def _keep(self, key: Key, clock: _Clock) -> None:
        """Store the clock of a key that is not there, as the one seen last."""
        if len(self._clocks) >= KEYS_MAX:
            del self._clocks[next(iter(self._clocks))]
        self._clocks[key] = clock
