"""Feasibility: whether a tier can be invoked now, and what alone would have made it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from selector.budget import Resource
from selector.decision import assess
from selector.decision import Candidate
from selector.decision import Flip
from selector.decision import NO_FLIP
from selector.decision import Reason
from selector.decision import Tier
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.decision import Weights
from selector.gain import Gain
from selector.justification import Offer
from selector.latency import Latency
from selector.price import Price
from selector.settings import Settings


class Means(NamedTuple):
    """What there is to invoke a tier with at the moment of a decision.

    Attributes:
        resources: the budgeted resources.
        used: Q of each.
        price: of each.
        arrive_min: least P(arrival) at which a tier is feasible.
        deny_cloud: name of the declared rule that denies the cloud, '' for none.
    """

    resources: tuple[Resource, ...]
    used: Sequence[float]
    price: Price
    arrive_min: float
    deny_cloud: str = ''


def over_fast(spec: TierSpec, settings: Settings) -> TierSpec:
    """Return a tier with its cost over that of the run of the fast model that it saves."""
    if not settings.fast_cost:
        return spec
    pairs = zip(spec.cost, settings.fast_cost, strict=True)
    return replace(spec, cost=tuple(max(0.0, cost - saved) for cost, saved in pairs))


class Proposal(NamedTuple):
    """A tier, what it is predicted to gain, and how long it takes."""

    spec: TierSpec
    gain: Gain
    latency: Latency


def candidate(proposal: Proposal, offer: Offer, means: Means, weights: Weights) -> Candidate:
    """Return a tier as it enters the decision, with its first obstacle where it has one.

    The first obstacle is the one that nothing can mend: an undecodable image, then a busy model,
    then a declared rule, then the deadline, then the budget.
    """
    spec, gain, latency = proposal
    arrive = latency.p_arrive(offer.remaining_s)
    late = arrive < means.arrive_min
    denied = bool(means.deny_cloud) and spec.kind is TierKind.CLOUD
    short = [k for k, cap in enumerate(spec.cost_cap) if means.price.exhausted[k] and cap > 0.0]
    if not (late or denied or short or offer.busy) and offer.decodable:
        return Candidate(spec, gain, arrive)
    obstacles = [Reason.INPUT_UNDECODABLE] * (not offer.decodable)
    obstacles += [Reason.TIER_BUSY] * (spec.name in offer.busy)
    obstacles += [Reason.TIER_DENIED] * denied
    obstacles += [Reason.DEADLINE_TOO_SHORT] * late + [Reason.BUDGET_EXHAUSTED] * len(short)
    if not obstacles:
        return Candidate(spec, gain, arrive)
    total = tuple(
        resource.exchange_rate if k in short else means.price.total[k]
        for k, resource in enumerate(means.resources)
    )
    freed = assess(
        Candidate(spec, gain, 1.0 if late else arrive),
        means.price._replace(total=total),
        weights,
    )
    flip = NO_FLIP
    if len(obstacles) == 1 and freed.net > 0.0:
        if late:
            flip = _more_time(latency, offer, freed, means.arrive_min, weights)
        elif short:
            flip = _more_budget(spec, means, freed, short[0])
    return Candidate(spec, gain, arrive, obstacles[0], flip, freed.net)


def _more_time(
    latency: Latency, offer: Offer, freed: Tier, arrive_min: float, weights: Weights
) -> Flip:
    """Return how much time alone would have had a tier invoked that would pay."""
    paying = (freed.value - freed.net) / (weights.stake * freed.gain * weights.reach)
    return Flip(
        'remaining_s', offer.remaining_s, latency.remaining_for(max(arrive_min, min(1.0, paying)))
    )


def _more_budget(spec: TierSpec, means: Means, freed: Tier, which: int) -> Flip:
    """Return how many tokens of one resource would have had a tier invoked that would pay."""
    resource = means.resources[which]
    if resource.disabled:
        return NO_FLIP
    tokens = resource.burst - means.used[which]
    slope = resource.step * spec.cost[which]  # how much the net grows with a token
    paying = resource.burst - freed.net / slope if slope > 0.0 else 0.0
    return Flip(f'tokens({resource.name})', tokens, max(resource.cost_max, paying))
