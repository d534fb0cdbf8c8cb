"""Modelled: the energy of a model's calls from the J per invocation of its card; no sensor."""

from __future__ import annotations

from selector.meters.energy import Count
from selector.meters.energy import Reading
from selector.meters.figure import Figure
from selector.meters.figure import Kind
from selector.meters.figure import stated


class Modelled:
    """Counts calls and multiplies. It knows no base load, and no more than the card does."""

    name = 'modelled'
    period_s = 0.0

    def __init__(self, model: str, energy: Figure) -> None:
        """Count calls of `model`, each of which uses `energy` [J]."""
        # What was measured when the card was written is, for today's call, a profile.
        kind: Kind = 'profiled' if energy.kind == 'measured' else energy.kind
        self.energy = stated(energy.value, 'J', energy.source, kind, energy.age_s)
        self.parts: tuple[str, ...] = (model,)
        self.source = f'calls x J per invocation of the card of {model} ({energy.source})'
        self.kind = self.energy.kind
        self._count = Count()
        self._calls = 0

    def invoked(self, calls: int = 1) -> None:
        """Count calls, whatever became of their answers."""
        self._calls += calls

    def read(self, stamp_s: float) -> Reading:
        """Return the reading at `stamp_s` [s], the time now."""
        calls, self._calls = self._calls, 0
        if self.energy.value is None:
            return self._count.broken(stamp_s, f'the card does not know: {self.energy.source}')
        return self._count.add(stamp_s, (calls * self.energy.value,))
