"""Purses: the budget in three parts, for the rule, for audits, and for declared overrides.

Each part is a ledger of its own with its share of every rate and burst, so what the parts may
spend in any window adds up to what the user allowed.
"""

from __future__ import annotations

from selector.budget import checked
from selector.budget import Ledger
from selector.budget import Resource
from selector.cost import Cost
from selector.decision import Purse
from selector.errors import ConfigError

PURSES = (Purse.RULE, Purse.AUDIT, Purse.SAFETY)


def split(
    resources: tuple[Resource, ...], audit_share: float, safety_share: float
) -> dict[Purse, tuple[Resource, ...]]:
    """Return the resources of each purse; their rates and bursts add up to the given ones.

    Raises:
        ConfigError: a share is out of range, the rule gets nothing, or a part is too small for one
            invocation; the message names what would fit.
    """
    shares = {
        Purse.RULE: 1.0 - audit_share - safety_share,
        Purse.AUDIT: audit_share,
        Purse.SAFETY: safety_share,
    }
    if not (0.0 <= audit_share < 1.0 and 0.0 <= safety_share < 1.0 and shares[Purse.RULE] > 0.0):
        raise ConfigError(
            f'audit_share = {audit_share}, safety_share = {safety_share}; each is in [0, 1), and '
            f'together they leave something to the rule',
            audit_share=audit_share,
            safety_share=safety_share,
        )
    for resource in map(checked, resources):
        _check_parts(resource, shares)
    return {
        purse: tuple(resource.share(part) for resource in resources)
        for purse, part in shares.items()
    }


def _check_parts(resource: Resource, shares: dict[Purse, float]) -> None:
    for purse, part in shares.items():
        if part > 0.0 and not resource.disabled and resource.burst * part <= resource.cost_max:
            raise ConfigError(
                f'{resource.name}: the {purse.value} reserve gets {part:.3g} of burst = '
                f'{resource.burst:g}, which does not cover one invocation '
                f'({resource.cost_max:g}); a burst above {resource.cost_max / part:.4g} would, '
                f'or a larger share, or none',
                burst=resource.burst,
                share=part,
                needed=resource.cost_max / part,
            )


class Purses:
    """The three ledgers of one budget."""

    def __init__(
        self,
        resources: tuple[Resource, ...],
        audit_share: float,
        safety_share: float,
        gap_max_s: float,
        start_share: float = 1.0,
    ) -> None:
        """Start with `start_share` of every burst; see `split` for what is refused."""
        self._shares = audit_share, safety_share
        self.resources = split(resources, audit_share, safety_share)
        self.ledgers = {p: Ledger(self.resources[p], gap_max_s, start_share) for p in PURSES}
        self.rule = self.ledgers[Purse.RULE]
        self._all = tuple(self.ledgers.values())
        self._reserves = [
            self.ledgers[p]
            for p, part in ((Purse.AUDIT, audit_share), (Purse.SAFETY, safety_share))
            if part > 0.0
        ]

    def accrue(self, stamp_ns: int) -> float:
        """Let the time up to `stamp_ns` pass in all parts; return the seconds that counted."""
        for ledger in self._reserves:
            ledger.accrue(stamp_ns)
        return self.rule.accrue(stamp_ns)

    def declare(self, resources: tuple[Resource, ...]) -> None:
        """Go on with new settings of the same resources; balances and spending are kept.

        Raises:
            ConfigError: see `split`; nothing is changed then.
        """
        self.resources = split(resources, *self._shares)
        for purse, ledger in self.ledgers.items():
            ledger.declare(self.resources[purse])

    def rewind(self, stamp_ns: int) -> None:
        """Take `stamp_ns` as the latest stamp of all parts."""
        for ledger in self.ledgers.values():
            ledger.rewind(stamp_ns)

    def covers(self, purse: Purse, cap: Cost) -> bool:
        """Return whether a part has the tokens for an invocation of this cap."""
        parts = zip(self.resources[purse], self.ledgers[purse].used, cap, strict=True)
        return all(
            not amount > 0.0 or (not resource.disabled and used + amount <= resource.burst)
            for resource, used, amount in parts
        )

    @property
    def spent(self) -> tuple[float, ...]:
        """Used so far in the mission by all parts, per resource."""
        rule, audit, safety = self._all
        columns = zip(rule.spent, audit.spent, safety.spent, strict=True)
        return tuple([a + b + c for a, b, c in columns])

    @property
    def accrued(self) -> tuple[float, ...]:
        """Allowed so far in the mission beyond the first burst to all parts, per resource."""
        rule, audit, safety = self._all
        columns = zip(rule.accrued, audit.accrued, safety.accrued, strict=True)
        return tuple([a + b + c for a, b, c in columns])

    def left(self, purse: Purse) -> tuple[float, ...]:
        """Return the tokens left in a part, per resource."""
        return self.ledgers[purse].left
