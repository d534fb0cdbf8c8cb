"""Mission budget: from the parameters to the budgeted resources."""

from __future__ import annotations

from dataclasses import replace

from selector.allowance import Allowance
from selector.allowance import parse
from selector.allowance import resource_of
from selector.budget import Resource
from selector.cards.card import read_card
from selector.config import Config
from selector.errors import ConfigError
from selector.installed import models_folder
from selector.purses import split
from selector.spending_plan import parse_plan
from selector.spending_plan import Plan


def resources(config: Config) -> tuple[Resource, ...]:
    """Return the budgeted resources that the parameters declare, slow calls first.

    Raises:
        SelectorError: an allowance cannot be read or kept, or the card lacks the energy of a call.
    """
    budget = config.budget
    plan = parse_plan(budget.plan)
    made = []
    for name, part in budget.parts().items():
        cost = call_cost(config, name)
        allowance = _allowance(config, name, part.allowance)
        resource = resource_of(
            allowance,
            burst=part.burst or None,
            price_ceiling=part.price_ceiling or (1.0 / cost if cost > 0.0 else 1.0),
            exchange_rate=part.exchange_rate,
            cost_max=cost,
            base_rate=budget.base_load_w if name == 'energy_j' else 0.0,
            mission_s=budget.mission_s or None,
        )
        made.append(_planned(plan, resource, allowance, budget.mission_s))
    return tuple(made)


def _planned(plan: Plan, resource: Resource, allowance: Allowance, mission_s: float) -> Resource:
    """Return a resource with its spending plan, which must keep a total per mission."""
    if not plan:
        return resource
    found = replace(resource, plan=plan)
    whole, flat = found.allowed(0.0, mission_s), resource.rate * mission_s
    if allowance.total is not None and whole > flat * (1.0 + 1e-9):
        raise ConfigError(
            f'budget.plan lets {whole:g} of {resource.name} accrue in the mission, where '
            f'{allowance.text!r} leaves {flat:g}: make its factors average 1 at most',
            accrues=whole,
            allowed=flat,
        )
    return found


def checked_budget(config: Config) -> tuple[Resource, ...]:
    """Return the budgeted resources where each part of them covers an invocation.

    Raises:
        SelectorError: see `resources` and `purses.split`.
    """
    found = resources(config)
    split(found, config.budget.audit_share, config.budget.safety_share)
    return found


def call_cost(config: Config, resource: str) -> float:
    """Return what one call of the slow model uses of a resource, in its unit.

    Raises:
        SelectorError: energy is budgeted and the card does not state it.
    """
    if resource == 'slow_calls':
        return 1.0
    if resource != 'energy_j':
        return 0.0  # the model on board costs no money and sends nothing
    card = read_card(models_folder(config) / config.models.slow)
    if card.energy_j.value is None:
        raise ConfigError(
            f'budget.energy.allowance needs energy_j in the card of {card.name}: state it, or '
            f'leave the allowance empty',
            model=card.name,
        )
    return card.energy_j.value


def _allowance(config: Config, resource: str, text: str) -> Allowance:
    if text:
        return parse(text, resource, config.budget.battery_wh or None)
    rate_hz = config.budget.slow_calls.rate_hz
    return Allowance(resource, rate_hz, None, f'{rate_hz:g} calls/s')
