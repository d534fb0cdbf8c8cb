"""Price: what one unit of each resource costs now, in accuracy."""

from __future__ import annotations

from typing import NamedTuple

from selector.budget import Ledger
from selector.budget import Resource


class Price(NamedTuple):
    """Prices per resource, in accuracy per unit.

    Attributes:
        scarcity: lambda = step * Q, the dual variable; 0 with a full budget.
        total: exchange rate + scarcity, what a decision pays.
        exhausted: the scarcity price has reached its ceiling, or the resource is disabled.
    """

    scarcity: tuple[float, ...]
    total: tuple[float, ...]
    exhausted: tuple[bool, ...]


def price(resources: tuple[Resource, ...], ledger: Ledger) -> Price:
    """Return the prices that the ledger's balance implies (docs/decision.md, The budget)."""
    scarcity, total, exhausted = [], [], []
    for resource, used in zip(resources, ledger.used, strict=True):
        value = resource.step * used
        scarcity.append(value)
        total.append(resource.exchange_rate + value)
        exhausted.append(resource.disabled or used >= resource.burst - resource.cost_max)
    return Price(tuple(scarcity), tuple(total), tuple(exhausted))
