"""Battery: what a robot takes out of its battery, from the values of its battery topic."""

from __future__ import annotations

import math
from typing import Literal

from selector.meters.energy import PowerIntegral
from selector.meters.energy import Reading
from selector.meters.figure import Kind

_GAPS = 5.0


class Battery:
    """Integral of voltage x current of sensor_msgs/BatteryState, handed in as numbers.

    It covers the whole robot, motors included, and is slow: good for the sum over a minute, never
    for a single call. While the battery is charged, nothing is known of what the robot uses.
    """

    name = 'battery'
    source = 'battery topic, voltage x current: the whole robot'
    parts: tuple[str, ...] = ('battery',)
    kind: Kind = 'measured'

    def __init__(self, period_s: float = 1.0, discharging: Literal[-1, 1] = -1) -> None:
        """Expect a value every `period_s` [s].

        Args:
            period_s: period of the topic; after five of them without a value nothing is known.
            discharging: sign of the current while the robot runs on it; -1 as the message's
                definition says, 1 for drivers that do it the other way.
        """
        self.period_s = period_s
        self._sign = discharging
        self._integral = PowerIntegral(_GAPS * period_s)
        self._last: Reading | None = None

    def put(self, stamp_s: float, voltage_v: float, current_a: float) -> None:
        """Take in one message: its stamp [s], voltage [V] and current [A], NaN if unmeasured."""
        drawn_a = self._sign * current_a
        if not (math.isfinite(drawn_a) and 0.0 < voltage_v < math.inf):
            why = f'the topic says {voltage_v} V and {current_a} A'
            self._last = self._integral.broken(stamp_s, why)
        elif drawn_a < 0.0:
            self._last = self._integral.broken(
                stamp_s, f'the battery is charged, {-drawn_a:.3g} A'
            )
        else:
            self._last = self._integral.sample(stamp_s, voltage_v * drawn_a)

    def read(self, stamp_s: float) -> Reading:
        """Return the reading up to the last value; a fault where that is too old."""
        if self._last is None:
            return Reading(stamp_s, stamp_s, (), 'no value came yet')
        age_s = stamp_s - self._last.stamp_s
        if age_s > _GAPS * self.period_s:
            return Reading(stamp_s, stamp_s, (), f'no value came for {age_s:.3g} s')
        return self._last
