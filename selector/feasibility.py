"""Feasibility: whether a tier can be invoked now, and what alone would have made it so."""

from __future__ import annotations

from typing import NamedTuple

from selector.arrival import p_arrive
from selector.arrival import remaining_for
from selector.budget import Resource
from selector.decision import assess
from selector.decision import Candidate
from selector.decision import Flip
from selector.decision import NO_FLIP
from selector.decision import Reason
from selector.decision import Tier
from selector.decision import TierSpec
from selector.gain import Gain
from selector.justification import Offer
from selector.price import Price
from selector.settings import Settings


class Purse(NamedTuple):
    """What there is to spend at the moment of a decision.

    Attributes:
        resources: the budgeted resources.
        used: Q of each.
        price: of each.
    """

    resources: tuple[Resource, ...]
    used: tuple[float, ...]
    price: Price


def candidate(
    spec: TierSpec, gain: Gain, offer: Offer, purse: Purse, settings: Settings
) -> Candidate:
    """Return a tier as it enters the decision, with its first obstacle where it has one.

    The first obstacle is the one that nothing can mend: an undecodable image, then a busy model,
    then the deadline, then the budget.
    """
    arrive = p_arrive(offer.remaining_s, spec.latency_p50_s, spec.latency_p99_s)
    late = arrive < settings.arrive_min
    short = [k for k, cap in enumerate(spec.cost_cap) if purse.price.exhausted[k] and cap > 0.0]
    obstacles = [Reason.INPUT_UNDECODABLE] * (not offer.decodable)
    obstacles += [Reason.TIER_BUSY] * (spec.name in offer.busy)
    obstacles += [Reason.DEADLINE_TOO_SHORT] * late + [Reason.BUDGET_EXHAUSTED] * len(short)
    if not obstacles:
        return Candidate(spec, gain, arrive)
    total = [
        resource.exchange_rate if k in short else purse.price.total[k]
        for k, resource in enumerate(purse.resources)
    ]
    freed = assess(
        Candidate(spec, gain, 1.0 if late else arrive),
        purse.price._replace(total=tuple(total)),
        offer.stake,
        settings.value_clip,
    )
    flip = NO_FLIP
    if len(obstacles) == 1 and freed.net > 0.0:
        if late:
            flip = _more_time(spec, offer, freed, settings.arrive_min)
        elif short:
            flip = _more_budget(spec, purse, freed, short[0])
    return Candidate(spec, gain, arrive, obstacles[0], flip, freed.net)


def _more_time(spec: TierSpec, offer: Offer, freed: Tier, arrive_min: float) -> Flip:
    """Return how much time alone would have had a tier invoked that would pay."""
    paying = (freed.value - freed.net) / (offer.stake * freed.gain)
    needed_s = remaining_for(max(arrive_min, paying), spec.latency_p50_s, spec.latency_p99_s)
    return Flip('remaining_s', offer.remaining_s, needed_s)


def _more_budget(spec: TierSpec, purse: Purse, freed: Tier, which: int) -> Flip:
    """Return how many tokens of one resource would have had a tier invoked that would pay."""
    resource = purse.resources[which]
    if resource.disabled:
        return NO_FLIP
    tokens = resource.burst - purse.used[which]
    slope = resource.step * spec.cost[which]  # how much the net grows with a token
    paying = resource.burst - freed.net / slope if slope > 0.0 else 0.0
    return Flip(f'tokens({resource.name})', tokens, max(resource.cost_max, paying))
