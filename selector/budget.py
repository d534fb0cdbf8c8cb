"""Budget: what may be used up per second and in one burst, and the ledger of what was."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
import math

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
        plan: spending plan, (from_s, factor) pairs: from that time of the mission on, the rate is
            `rate` times the factor; empty for the same rate throughout.
    """

    name: str
    rate: float
    burst: float
    price_ceiling: float
    exchange_rate: float
    cost_max: float
    plan: tuple[tuple[float, float], ...] = ()

    @property
    def step(self) -> float:
        """Eta = kappa / (B - c_max): price per unit of ledger balance."""
        room = self.burst - self.cost_max
        return self.price_ceiling / room if room > 0.0 else 0.0

    def share(self, part: float) -> Resource:
        """Return the reserve that gets `part` in [0, 1] of the rate and of the burst."""
        return replace(self, rate=self.rate * part, burst=self.burst * part)

    def allowed(self, start_s: float, end_s: float) -> float:
        """Return what accrues from one mission time to a later one, by the plan."""
        if not self.plan:
            return self.rate * (end_s - start_s)
        total, bounds = 0.0, [at_s for at_s, _ in self.plan[1:]] + [math.inf]
        for (from_s, factor), until_s in zip(self.plan, bounds, strict=True):
            inside_s = min(end_s, until_s) - max(start_s, from_s)
            if inside_s > 0.0:
                total += self.rate * factor * inside_s
        return total

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
    starts = [from_s for from_s, _ in resource.plan]
    factors = [factor for _, factor in resource.plan]
    if resource.plan and not (
        starts[0] == 0.0
        and all(a < b < math.inf for a, b in zip(starts, starts[1:], strict=False))
        and all(0.0 <= factor < math.inf for factor in factors)
    ):
        raise ConfigError(
            f'{name}: plan = {resource.plan}; it begins at 0 s, its times increase and its '
            f'factors are finite and >= 0'
        )
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

    def __init__(
        self, resources: tuple[Resource, ...], gap_max_s: float, start_share: float = 1.0
    ) -> None:
        """Start with `start_share` of the burst.

        Args:
            resources: what is budgeted.
            gap_max_s: the longest gap between frames that accrues in full [s].
            start_share: tokens at the start over the burst, in [0, 1].
        """
        self._resources = resources
        self._gap_max_s = gap_max_s
        self._latest_ns: int | None = None
        self.mission_s = 0.0
        self.used = [(1.0 - start_share) * resource.burst for resource in resources]
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
        start_s = self.mission_s
        self.mission_s += elapsed_s
        for k, resource in enumerate(self._resources):
            if resource.plan:
                gain = resource.allowed(start_s, self.mission_s)
            else:
                gain = resource.rate * elapsed_s
            self.accrued[k] += gain
            left = self.used[k] - gain
            self.used[k] = left if left > self.reserved[k] else self.reserved[k]
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
        columns = zip(self._resources, self.used, strict=True)
        return tuple([resource.burst - used for resource, used in columns])
