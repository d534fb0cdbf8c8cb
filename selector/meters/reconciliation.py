"""Reconciliation: what the calls are said to have used, beside what a meter counted."""

from __future__ import annotations

import math
from typing import NamedTuple

from selector.errors import ConfigError
from selector.meters.energy import EnergyMeter
from selector.meters.energy import Reading
from selector.meters.energy import spent
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.meters.figure import unknown

WINDOW_S = 60.0
TOLERANCE = 0.2
BASE_ERROR = 0.01
"""Share of the base load that it may be off by, at the least."""


class Reconciliation(NamedTuple):
    """One window: the sum of the calls' figures beside the integral of the meter.

    Attributes:
        start_s, end_s: the window [s].
        calls: calls that ended in it.
        summed_j: what their figures add up to [J].
        metered: what the meter counted, base load included [J].
        base_j: base load in the window [J].
        factor: (metered - base load) / summed; unknown, with the reason, where it says nothing.
        warning: '' or what is off, by how much, and what to do.
    """

    start_s: float
    end_s: float
    calls: int
    summed_j: float
    metered: Figure
    base_j: float
    factor: Figure
    warning: str


class Reconciler:
    """Closes a window every 60 s of stamps and compares the two sums.

    The factor is a difference of two large numbers over a small one. With a base load that is
    1 % off, base_j / 100 is wrongly put down to the calls. So a factor is given only where the
    calls sum up to at least a tenth of the base load: then that error moves the factor by no more
    than 0.1, half of what a warning takes. Everything that a decision caused belongs to its
    figure, to its real end: late runs and audits too.
    """

    def __init__(self, meter: EnergyMeter, base_load: Figure, window_s: float = WINDOW_S) -> None:
        """Compare with `meter`, of whose power `base_load` [W] is there without any call.

        A base load of 0 W is one that nobody measured, and counts as unknown.

        Raises:
            ConfigError: the window is not a finite number > 0, or the base load is no power.
        """
        if not 0.0 < window_s < math.inf:
            raise ConfigError(f'window_s = {window_s}; it is a finite number > 0')
        if base_load.unit != 'W':
            raise ConfigError(f'the base load is in {base_load.unit}; it is a power, in W')
        self._meter, self._base, self._window_s = meter, base_load, window_s
        self._first: Reading | None = None
        self._calls: list[tuple[float, Figure]] = []

    def add(self, stamp_s: float, energy: Figure) -> None:
        """Take in what a call used [J], at its real end `stamp_s` [s].

        What is told after its window was closed counts in the next one.
        """
        self._calls.append((stamp_s, energy))

    def update(self, reading: Reading) -> Reconciliation | None:
        """Take in a reading of the meter; return the window that it closes, if it does."""
        first = self._first
        if first is None or reading.stamp_s < first.stamp_s:
            self._begin(reading)
            return None
        if reading.stamp_s - first.stamp_s < self._window_s:
            return None
        inside = [energy for stamp_s, energy in self._calls if stamp_s <= reading.stamp_s]
        self._begin(reading)
        return self._compared(first, reading, inside)

    def _begin(self, reading: Reading) -> None:
        self._first = reading
        self._calls = [call for call in self._calls if call[0] > reading.stamp_s]

    def _compared(self, first: Reading, last: Reading, calls: list[Figure]) -> Reconciliation:
        duration_s = last.stamp_s - first.stamp_s
        metered = spent(self._meter, first, last)
        summed_j = math.fsum(call.value for call in calls if call.value is not None)
        base_j = (self._base.value or 0.0) * duration_s
        why = self._nothing_said(metered, calls, summed_j, base_j)
        net_j = (metered.value or 0.0) - base_j
        warning = ''
        if not why and net_j <= 0.0:
            why = f'the meter counted {-net_j:.3g} J less than the base load alone'
            warning = f'{why}: measure the base load again (selector profile-model)'
        factor = unknown('1', why)
        if not why:
            source = f'({self._meter.source} - base load) / sum of {len(calls)} calls'
            factor = stated(net_j / summed_j, '1', source, 'measured')
            warning = _off(net_j / summed_j)
        return Reconciliation(
            first.stamp_s, last.stamp_s, len(calls), summed_j, metered, base_j, factor, warning
        )

    def _nothing_said(
        self, metered: Figure, calls: list[Figure], summed_j: float, base_j: float
    ) -> str:
        """Return why the two sums cannot be compared, '' where they can."""
        unstated = sum(call.value is None for call in calls)
        least_j = 2.0 * BASE_ERROR / TOLERANCE * base_j
        if metered.value is None:
            return metered.source
        if not self._base.value:
            return f'the base load is not known: {self._base.source}'
        if not calls:
            return 'no call ended in it'
        if unstated:
            return f'{unstated} of {len(calls)} calls have no figure'
        if summed_j < least_j:
            return f'the calls sum up to {summed_j:.3g} J; it takes {least_j:.3g} J to tell'
        return ''


def _off(factor: float) -> str:
    if abs(factor - 1.0) <= TOLERANCE:
        return ''
    word = 'more' if factor > 1.0 else 'less'
    return (
        f'calls used {abs(factor - 1.0):.0%} {word} than their figures say; profile the models '
        f'again, or look for what else ran'
    )
