"""Budget: what may be used up per second and in one burst, and the ledger of what was."""

from __future__ import annotations

from dataclasses import dataclass

from selector.cost import Cost
from selector.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Resource:
    """One budgeted resource.

    Attributes:
        name: a key of `cost.RESOURCE_UNITS`.
        rate: rho, units that accrue per second of frame stamps, >= 0.
        burst: B, the most that any window may use beyond rate * its length, >= 0.
        price_ceiling: kappa, accuracy per unit above which nothing is bought, > 0.
        exchange_rate: beta, accuracy per unit that a unit is worth even when plenty is left, >= 0.
        cost_max: the largest cost any tier may cause in one invocation.
    """

    name: str
    rate: float
    burst: float
    price_ceiling: float
    exchange_rate: float
    cost_max: float

    @property
    def step(self) -> float:
        """Eta = kappa / (B - c_max): price per unit of ledger balance."""
        room = self.burst - self.cost_max
        return self.price_ceiling / room if room > 0.0 else 0.0

    @property
    def disabled(self) -> bool:
        """Rate 0 and burst 0: nothing of it may ever be used."""
        return self.rate == 0.0 and self.burst == 0.0


def checked(resource: Resource) -> Resource:
    """Return `resource` when its settings fit together.

    Raises:
        ConfigError: a number is out of range, or the burst is too small for one invocation; the
            message names the burst that would fit.
    """
    name = resource.name
    for field in ('rate', 'burst', 'exchange_rate', 'cost_max'):
        if not 0.0 <= getattr(resource, field) < float('inf'):
            raise ConfigError(
                f'{name}: {field} = {getattr(resource, field)}; it is a finite number >= 0'
            )
    if not 0.0 < resource.price_ceiling < float('inf'):
        raise ConfigError(f'{name}: price_ceiling = {resource.price_ceiling}; it is > 0')
    if not resource.step < float('inf'):
        raise ConfigError(f'{name}: burst = {resource.burst} is too close to {resource.cost_max}')
    if not resource.disabled and resource.burst <= resource.cost_max:
        raise ConfigError(
            f'{name}: burst = {resource.burst} does not cover one invocation '
            f'({resource.cost_max}); at least {2.0 * resource.cost_max} is allowed and '
            f'{10.0 * resource.cost_max} is advised, or rate 0 and burst 0 to disable',
            burst=resource.burst,
            cost_max=resource.cost_max,
        )
    return resource


class Ledger:
    """What was used beyond what accrued, per resource: Q of docs/decision.md, in its units.

    The price is step * Q, so the tokens left are burst - Q. Reserve at the decision, settle at the
    outcome: Q never falls below what is reserved.
    """

    def __init__(self, resources: tuple[Resource, ...], gap_max_s: float) -> None:
        """Start with a full burst; `gap_max_s` bounds what one gap between frames accrues."""
        self._resources = resources
        self._gap_max_s = gap_max_s
        self._latest_ns: int | None = None
        self.used = [0.0] * len(resources)
        self.reserved = [0.0] * len(resources)
        self.spent = [0.0] * len(resources)
        self.accrued = [0.0] * len(resources)

    def accrue(self, stamp_ns: int) -> float:
        """Let the time up to `stamp_ns` pass; return the seconds that counted.

        A stamp at or before the latest one of any camera counts 0 s.
        """
        latest = self._latest_ns
        self._latest_ns = stamp_ns if latest is None else max(latest, stamp_ns)
        if latest is None or stamp_ns <= latest:
            return 0.0
        elapsed_s = min((stamp_ns - latest) * 1e-9, self._gap_max_s)
        for k, resource in enumerate(self._resources):
            gain = resource.rate * elapsed_s
            self.accrued[k] += gain
            self.used[k] = max(self.reserved[k], self.used[k] - gain)
        return elapsed_s

    def declare(self, resources: tuple[Resource, ...]) -> None:
        """Go on with new settings of the same resources; balances and spending are kept."""
        self._resources = resources

    def rewind(self, stamp_ns: int) -> None:
        """Take `stamp_ns` as the latest stamp: the clock was set back, nothing else changes."""
        self._latest_ns = stamp_ns

    def reserve(self, cap: Cost) -> None:
        """Charge the declared cap of an invocation (same order as the resources)."""
        for k, amount in enumerate(cap):
            self.used[k] += amount
            self.reserved[k] += amount

    def settle(self, cap: Cost, actual: Cost) -> None:
        """Replace a reserved cap by what was really used; an excess over the cap stays as debt."""
        for k, amount in enumerate(cap):
            self.reserved[k] = max(0.0, self.reserved[k] - amount)
            self.used[k] = max(self.reserved[k], self.used[k] + (actual[k] - amount))
            self.spent[k] += actual[k]

    @property
    def left(self) -> tuple[float, ...]:
        """Tokens left: burst - Q, per resource."""
        return tuple(r.burst - used for r, used in zip(self._resources, self.used, strict=True))
