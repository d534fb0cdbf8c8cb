"""Together: several meters that share nothing, read as one."""

from __future__ import annotations

from collections.abc import Sequence
import itertools

from selector.meters.energy import EnergyMeter
from selector.meters.energy import Reading
from selector.meters.figure import Kind


class Together:
    """The sum of meters that cover different parts, such as a CPU and the GPU beside it."""

    kind: Kind = 'measured'

    def __init__(self, meters: Sequence[EnergyMeter]) -> None:
        """Add up `meters`, at least one, none of which covers a part of another."""
        self._meters = tuple(meters)
        self.name = '+'.join(meter.name for meter in meters)
        self.source = '; '.join(meter.source for meter in meters)
        self.parts = tuple(itertools.chain.from_iterable(meter.parts for meter in meters))
        self.period_s = max(meter.period_s for meter in meters)

    def read(self, stamp_s: float) -> Reading:
        """Return the reading at `stamp_s` [s], the time now; one fault is the fault of all."""
        readings = [meter.read(stamp_s) for meter in self._meters]
        fault = '; '.join(r.fault for r in readings if r.fault)
        return Reading(
            stamp_s=min(r.stamp_s for r in readings),
            since_s=max(r.since_s for r in readings),
            parts_j=() if fault else tuple(j for r in readings for j in r.parts_j),
            fault=fault,
        )
