"""Budget config: the parameters of what may be spent."""

from __future__ import annotations

from typing import Any

from selector.parameter import declared
from selector.parameter import Group

_MOST = 1_000_000_000.0


def _allowance(example: str) -> Any:
    text = f"What may be used, in words, e.g. '{example}'; empty: not budgeted."
    return declared('', text, live=True)


def _burst(unit: str) -> Any:
    return declared(
        0.0,
        'Most that any window may use beyond the allowance; 0: 20 x the largest cost of a call.',
        unit,
        live=True,
        ge=0,
        le=_MOST,
    )


def _ceiling(unit: str) -> Any:
    return declared(
        0.0,
        'Scarcity price above which nothing is bought; 0: 1 accuracy for the dearest call.',
        f'accuracy/{unit}',
        live=True,
        ge=0,
        le=_MOST,
    )


def _exchange(unit: str) -> Any:
    return declared(
        0.0,
        'What a unit is worth even with a full budget.',
        f'accuracy/{unit}',
        live=True,
        ge=0,
        le=_MOST,
    )


class SlowCallsConfig(Group):
    """Budget of slow calls."""

    allowance: str = declared(
        '', "Slow calls in words, e.g. '120 calls/min'; empty: rate_hz.", live=True
    )
    rate_hz: float = declared(
        2.0,
        'Slow calls that accrue per second of image stamps.',
        'calls/s',
        live=True,
        ge=0,
        le=1000,
    )
    burst: float = declared(
        20.0,
        'Most calls any window may use beyond rate x its length; 0: 20, or none at rate 0.',
        'calls',
        live=True,
        ge=0,
        le=1_000_000,
    )
    price_ceiling: float = declared(
        1.0,
        'Scarcity price above which nothing is bought (kappa).',
        'accuracy/call',
        live=True,
        ge=0.000001,
        le=1_000_000,
    )
    exchange_rate: float = declared(
        0.05,
        'What a call is worth even with a full budget (beta).',
        'accuracy/call',
        live=True,
        ge=0,
        le=1_000_000,
    )


class EnergyConfig(Group):
    """Budget of energy, base load included."""

    allowance: str = _allowance('6 W')
    burst: float = _burst('J')
    price_ceiling: float = _ceiling('J')
    exchange_rate: float = _exchange('J')


class MoneyConfig(Group):
    """Budget of money."""

    allowance: str = _allowance('2 EUR/day')
    burst: float = _burst('EUR')
    price_ceiling: float = _ceiling('EUR')
    exchange_rate: float = _exchange('EUR')


class SentConfig(Group):
    """Budget of bytes that leave the robot."""

    allowance: str = _allowance('1.5 Mbit/s')
    burst: float = _burst('B')
    price_ceiling: float = _ceiling('B')
    exchange_rate: float = _exchange('B')


Budgeted = SlowCallsConfig | EnergyConfig | MoneyConfig | SentConfig


class BudgetConfig(Group):
    """What may be spent."""

    slow_calls: SlowCallsConfig = SlowCallsConfig()
    energy: EnergyConfig = EnergyConfig()
    money: MoneyConfig = MoneyConfig()
    sent: SentConfig = SentConfig()
    base_load_w: float = declared(
        0.0,
        'Power of fast model and idling, which the allowance of energy includes.',
        'W',
        live=True,
        ge=0,
        le=1_000_000,
    )
    battery_wh: float = declared(
        0.0,
        'Capacity of the battery, for allowances in percent of it; 0: unknown.',
        'Wh',
        ge=0,
        le=1_000_000,
    )
    mission_s: float = declared(
        0.0,
        'Length of the mission, for allowances per mission; 0: unknown.',
        's',
        ge=0,
        le=_MOST,
    )
    audit_share: float = declared(
        0.1,
        'Part of every budget that is kept for audits, which look at frames that the rule skips.',
        ge=0,
        le=0.5,
    )
    safety_share: float = declared(
        0.0, 'Part of every budget that is kept for declared overrides.', ge=0, le=0.5
    )
    start_share: float = declared(
        1.0,
        'Tokens at the start over the burst; below 1 the price does not start at 0.',
        ge=0,
        le=1,
    )
    plan: str = declared(
        '',
        "Factors on every rate by mission time, e.g. '0:1 600:0.5' for half from 600 s on; empty: "
        'the same rate throughout.',
        live=True,
    )
    gap_max_s: float = declared(
        1.0, 'Longest gap between stamps that accrues.', 's', ge=0.001, le=86400
    )

    def parts(self) -> dict[str, Budgeted]:
        """Return what is budgeted by the name of its resource, slow calls first."""
        others: dict[str, Budgeted] = {
            'energy_j': self.energy,
            'money_eur': self.money,
            'sent_bytes': self.sent,
        }
        stated = {name: part for name, part in others.items() if part.allowance}
        return {'slow_calls': self.slow_calls, **stated}
