"""Energy: what a meter says, and what a call used above the load that is there anyway."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import NamedTuple
from typing import Protocol

from selector.errors import InputError
from selector.meters.figure import amount
from selector.meters.figure import Figure
from selector.meters.figure import Kind
from selector.meters.figure import stated
from selector.meters.figure import unknown

_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t, two-sided 95 %, of 1 to 9 degrees of freedom."""

REPEATS_MAX = len(_T95) + 1


class Reading(NamedTuple):
    """What a meter has counted.

    Attributes:
        stamp_s: the time up to which it has counted [s].
        since_s: the time since which it has counted without a gap [s].
        parts_j: energy of each part of the meter since then [J]; empty where there is a fault.
        fault: '' or why nothing is known.
    """

    stamp_s: float
    since_s: float
    parts_j: tuple[float, ...]
    fault: str


class EnergyMeter(Protocol):
    """Something that counts energy.

    Attributes:
        name: short name.
        source: what is read, and which part of the robot it covers.
        parts: names of what is added up.
        period_s: time between two values of the sensor [s].
        kind: measured, or what the figures are that are added up.
    """

    name: str
    source: str
    parts: tuple[str, ...]
    period_s: float
    kind: Kind

    def read(self, stamp_s: float) -> Reading:
        """Return the reading at `stamp_s` [s], the time now; it never raises."""


class Count:
    """The energy of some parts since a first reading, begun anew after each fault."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._last: Reading | None = None

    def add(self, stamp_s: float, spent_j: Sequence[float]) -> Reading:
        """Return the reading after `spent_j` more [J]; the first one since a fault counts 0."""
        last = self._last
        if last is None or last.fault:
            self._last = Reading(stamp_s, stamp_s, (0.0,) * len(spent_j), '')
        elif stamp_s < last.stamp_s:
            return self.broken(stamp_s, f'time went back by {last.stamp_s - stamp_s:.3g} s')
        elif not all(0.0 <= j < math.inf for j in spent_j):
            return self.broken(stamp_s, f'{min(spent_j)} J were used since the last reading')
        else:
            parts = tuple(a + b for a, b in zip(last.parts_j, spent_j, strict=True))
            self._last = last._replace(stamp_s=stamp_s, parts_j=parts)
        return self._last

    def broken(self, stamp_s: float, why: str) -> Reading:
        """Return a reading that knows nothing; what comes next is counted from there."""
        self._last = Reading(stamp_s, stamp_s, (), why)
        return self._last


class PowerIntegral:
    """Energy as the integral of a power that is sampled (trapezoids)."""

    def __init__(self, gap_max_s: float) -> None:
        """Integrate over samples that are at most `gap_max_s` apart [s]."""
        self._gap_max_s = gap_max_s
        self._count = Count()
        self._last: tuple[float, float] | None = None

    def sample(self, stamp_s: float, power_w: float) -> Reading:
        """Take in one sample [W]; return what was counted up to it."""
        if not 0.0 <= power_w < math.inf:
            return self.broken(stamp_s, f'the power is {power_w} W')
        last, self._last = self._last, (stamp_s, power_w)
        if last is None:
            return self._count.add(stamp_s, (0.0,))
        gap_s = stamp_s - last[0]
        if gap_s > self._gap_max_s:
            return self.broken(stamp_s, f'no sample for {gap_s:.3g} s')
        return self._count.add(stamp_s, (max(0.0, gap_s) * 0.5 * (last[1] + power_w),))

    def broken(self, stamp_s: float, why: str) -> Reading:
        """Return a reading that knows nothing; the integral begins anew with the next sample."""
        self._last = None
        return self._count.broken(stamp_s, why)


def spent(meter: EnergyMeter, first: Reading, last: Reading) -> Figure:
    """Return the energy [J] between two readings; unknown, with the reason, where it is not."""
    if fault := first.fault or last.fault:
        return unknown('J', f'{meter.name}: {fault}')
    duration_s = last.stamp_s - first.stamp_s
    if last.since_s > first.stamp_s or duration_s <= 0.0:
        why = 'the readings were interrupted' if duration_s > 0.0 else 'no new value'
        return unknown('J', f'{meter.name}: {why} between {first.stamp_s} and {last.stamp_s} s')
    used = [b - a for a, b in zip(first.parts_j, last.parts_j, strict=True)]
    still = [part for part, joules in zip(meter.parts, used, strict=True) if not joules > 0.0]
    if still:
        return unknown('J', f'{meter.name}: {", ".join(still)} did not move in {duration_s:.3g} s')
    return stated(math.fsum(used), 'J', meter.source, meter.kind)


def power(meter: EnergyMeter, first: Reading, last: Reading) -> Figure:
    """Return the mean power [W] between two readings; unknown, with the reason, where it is."""
    used = spent(meter, first, last)
    if used.value is None:
        return unknown('W', used.source)
    source = f'{meter.source}, {last.stamp_s - first.stamp_s:.3g} s'
    return stated(used.value / (last.stamp_s - first.stamp_s), 'W', source, meter.kind)


class Repeat(NamedTuple):
    """One repeat of a measurement.

    Attributes:
        idle: readings before and after a time without calls, right before the calls.
        busy: readings before the first and after the last call, and all that it caused.
        calls: how many calls were made in between, at least 1.
    """

    idle: tuple[Reading, Reading]
    busy: tuple[Reading, Reading]
    calls: int


class CallEnergy(NamedTuple):
    """What a call used.

    Attributes:
        per_call: energy of one call above the base load [J].
        low_j, high_j: 95 % interval of its mean [J], None where nothing could be computed.
        base: power while no call was made [W]; not part of `per_call`.
        calls: calls it was measured on.
    """

    per_call: Figure
    low_j: float | None
    high_j: float | None
    base: Figure
    calls: int


def per_call(meter: EnergyMeter, repeats: Sequence[Repeat], call_s: float) -> CallEnergy:
    """Return the energy of one call, with its interval over the repeats.

    In each repeat it is (energy during N calls - base power x duration) / N, with the base power
    of the time right before. A mean of which 0 J is in the interval is below what the meter can
    resolve, and unknown. A sensor that is slower than a call has seen many calls in one value:
    its figure is `profiled`.

    Args:
        meter: what was read.
        repeats: 2 to 10 repeats.
        call_s: mean time of a call [s].

    Raises:
        InputError: the number of repeats is another.
    """
    if not 2 <= len(repeats) <= REPEATS_MAX:
        raise InputError(f'{len(repeats)} repeats; an interval needs 2 to {REPEATS_MAX}')
    calls = sum(r.calls for r in repeats)
    nets, bases = [], []
    for repeat in repeats:
        base, used = power(meter, *repeat.idle), spent(meter, *repeat.busy)
        if base.value is None or used.value is None:
            why = base.source if base.value is None else used.source
            return CallEnergy(unknown('J', why), None, None, unknown('W', why), calls)
        duration_s = repeat.busy[1].stamp_s - repeat.busy[0].stamp_s
        bases.append(base.value)
        nets.append((used.value - base.value * duration_s) / repeat.calls)
    mean, half = _interval(nets)
    base_w = stated(math.fsum(bases) / len(bases), 'W', f'{meter.source}, no calls', meter.kind)
    told = f'{amount(mean, "J")} +- {amount(half, "J")} (95 %)'
    if mean - half <= 0.0:
        net = unknown('J', f'{told} is below what {meter.name} can resolve')
    else:
        kind = 'profiled' if meter.period_s > call_s else meter.kind
        source = f'{meter.source}; {calls} calls in {len(repeats)} repeats, {told}, base load off'
        net = stated(mean, 'J', source, kind)
    return CallEnergy(net, mean - half, mean + half, base_w, calls)


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of some values and half of its 95 % interval (Student)."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean, _T95[len(values) - 2] * math.sqrt(variance / len(values))
