"""Decision: gain against price x cost, one pure function (docs/decision.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from enum import Enum
import math

from selector.budget import Resource
from selector.cost import Cost
from selector.errors import ConfigError
from selector.gain import Gain
from selector.price import Price


class TierKind(str, Enum):
    """What kind of answer a tier gives."""

    REUSE = 'reuse'
    FAST = 'fast'
    SLOW = 'slow'
    CLOUD = 'cloud'
    HUMAN = 'human'


class Reason(str, Enum):
    """Why a tier was chosen, rejected or not feasible: facts in the past tense."""

    GAIN_ABOVE_PRICE = 'GAIN_ABOVE_PRICE'
    GAIN_BELOW_PRICE = 'GAIN_BELOW_PRICE'
    OTHER_TIER_BETTER = 'OTHER_TIER_BETTER'
    FAST_KEPT = 'FAST_KEPT'
    BUDGET_EXHAUSTED = 'BUDGET_EXHAUSTED'
    DEADLINE_TOO_SHORT = 'DEADLINE_TOO_SHORT'
    TIER_BUSY = 'TIER_BUSY'
    INPUT_UNDECODABLE = 'INPUT_UNDECODABLE'
    SHADOWED = 'SHADOWED'
    DEGRADED = 'DEGRADED'


@dataclass(frozen=True, slots=True)
class TierSpec:
    """A tier that can be invoked, as declared or profiled before the mission.

    Attributes:
        name: unique name, e.g. `slow`.
        kind: SLOW or CLOUD.
        model: name of its model.
        cost: expected cost of one invocation, in the order of the resources.
        cost_cap: the most one invocation is charged until its outcome is known.
        latency_p50_s, latency_p99_s: time from invoking to the answer [s].
        energy_j: energy of one invocation [J], None when unknown.
        energy_kind: provenance of `energy_j` (measured, profiled, default or unknown).
    """

    name: str
    kind: TierKind
    model: str
    cost: Cost
    cost_cap: Cost
    latency_p50_s: float
    latency_p99_s: float
    energy_j: float | None
    energy_kind: str


@dataclass(frozen=True, slots=True)
class Flip:
    """What would have changed the decision: one quantity, from its value to the turning point.

    Attributes:
        quantity: name of the number, e.g. `gain(slow)` or `tokens(slow_calls)`; '' when nothing
            that was weighed could have changed the decision.
        before: the value it had.
        after: the value at which the decision turns, None when there is none.
    """

    quantity: str
    before: float | None
    after: float | None


NO_FLIP = Flip('', None, None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tier as it enters a decision.

    Attributes:
        spec: the tier.
        gain: predicted gain.
        p_arrive: P(the answer arrives before the deadline) in [0, 1].
        obstacle: why the tier cannot be invoked now, or None.
        flip: with an obstacle, what alone would have had the tier invoked.
        freed_net: with an obstacle, the net without it: all the time or a full budget.
    """

    spec: TierSpec
    gain: Gain
    p_arrive: float
    obstacle: Reason | None = None
    flip: Flip = NO_FLIP
    freed_net: float = 0.0


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier as it left a decision: everything an investigator needs to recompute its net.

    Attributes:
        name, kind: of the tier.
        feasible: whether it could be invoked.
        reason: why it was chosen or lost.
        gain, gain_width: predicted gain and half-width of its interval, accuracy.
        p_arrive: P(arrives before the deadline).
        value: min(V, stake * p_arrive * max(0, gain)), accuracy.
        cost: expected cost per resource.
        price: exchange rate + scarcity price per resource, accuracy per unit.
        net: value - sum of price * cost, accuracy.
    """

    name: str
    kind: TierKind
    feasible: bool
    reason: Reason
    gain: float
    gain_width: float
    p_arrive: float
    value: float
    cost: Cost
    price: tuple[float, ...]
    net: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of the rule.

    Attributes:
        chosen: name of the tier to invoke, or of the fast tier.
        reason: why.
        binding: the constraint that bound: '' or `budget`, `deadline`, `busy`, `price`.
        margin: net of the chosen tier (fast: 0) minus that of the best alternative; negative where
            an obstacle barred a tier that would have paid.
        flip: what would have changed it.
        tiers: every tier that could have been invoked, rejected ones too.
    """

    chosen: str
    reason: Reason
    binding: str
    margin: float
    flip: Flip
    tiers: tuple[Tier, ...]


_BINDING = {
    Reason.BUDGET_EXHAUSTED: 'budget',
    Reason.DEADLINE_TOO_SHORT: 'deadline',
    Reason.TIER_BUSY: 'busy',
    Reason.GAIN_BELOW_PRICE: 'price',
}


def checked_tier(spec: TierSpec, resources: tuple[Resource, ...]) -> TierSpec:
    """Return `spec` when the budget's guarantee covers it.

    Raises:
        ConfigError: not one cost per resource, or not 0 <= cost <= cost_cap <= cost_max, or not
            0 <= latency_p50_s <= latency_p99_s.
    """
    if not len(spec.cost) == len(spec.cost_cap) == len(resources):
        raise ConfigError(f'tier {spec.name}: one cost per resource is needed')
    for resource, cost, cap in zip(resources, spec.cost, spec.cost_cap, strict=True):
        if not 0.0 <= cost <= cap <= resource.cost_max:
            raise ConfigError(
                f'tier {spec.name}: {resource.name} costs {cost}, at most {cap}; needed is '
                f'0 <= cost <= cost_cap <= cost_max = {resource.cost_max}'
            )
    if not 0.0 <= spec.latency_p50_s <= spec.latency_p99_s < math.inf:
        raise ConfigError(
            f'tier {spec.name}: latency_p50_s = {spec.latency_p50_s}, latency_p99_s = '
            f'{spec.latency_p99_s}; needed is 0 <= p50 <= p99'
        )
    return spec


def assess(candidate: Candidate, price: Price, stake: float, value_clip: float) -> Tier:
    """Return a candidate with its value, price and net, in plain double arithmetic.

    net_k = min(V, value_k) - sum_r (beta_r + lambda_r) * c_{k,r}, summed in resource order.
    """
    gain = candidate.gain
    value = min(value_clip, stake * candidate.p_arrive * max(0.0, gain.mean))
    charge = 0.0
    for unit_price, amount in zip(price.total, candidate.spec.cost, strict=True):
        charge += unit_price * amount
    net = value - charge
    lost = Reason.OTHER_TIER_BETTER if net > 0.0 else Reason.GAIN_BELOW_PRICE
    spec = candidate.spec
    return Tier(
        name=spec.name,
        kind=spec.kind,
        feasible=candidate.obstacle is None,
        reason=candidate.obstacle or lost,
        gain=gain.mean,
        gain_width=gain.width,
        p_arrive=candidate.p_arrive,
        value=value,
        cost=spec.cost,
        price=price.total,
        net=net,
    )


def decide(
    candidates: Sequence[Candidate],
    price: Price,
    fast_name: str,
    stake: float,
    value_clip: float,
) -> Decision:
    """Return the decision: the feasible tier with the largest positive net, else fast.

    Args:
        candidates: the tiers that could be invoked, in any order; ties go to the smaller name.
        price: what each resource costs now.
        fast_name: name of the tier that has already answered (its cost is sunk).
        stake: w >= 0, how much an error matters now.
        value_clip: V > 0, the largest value a gain may have.
    """
    ordered = sorted(candidates, key=lambda c: c.spec.name)
    tiers = [assess(c, price, stake, value_clip) for c in ordered]
    feasible = [t for t in tiers if t.feasible]
    best = max(feasible, key=lambda t: t.net, default=None)
    if best is None or best.net <= 0.0:
        barred = max(
            (pair for pair in zip(ordered, tiers, strict=True) if not pair[1].feasible),
            key=lambda pair: pair[0].freed_net,
            default=None,
        )
        if barred is not None and barred[0].freed_net > 0.0:
            return _barred(*barred, fast_name, tuple(tiers))
        return _keep_fast(tiers, best, fast_name, stake, value_clip)
    others = max((t.net for t in feasible if t is not best), default=0.0)
    margin = best.net - max(0.0, others)
    return Decision(
        chosen=best.name,
        reason=Reason.GAIN_ABOVE_PRICE,
        binding='',
        margin=margin,
        flip=_gain_flip(best, best.net - margin, stake, value_clip),
        tiers=tuple(replace(t, reason=Reason.GAIN_ABOVE_PRICE) if t is best else t for t in tiers),
    )


def _barred(candidate: Candidate, tier: Tier, fast_name: str, tiers: tuple[Tier, ...]) -> Decision:
    """Return the decision to keep fast because a tier that would have paid met an obstacle."""
    return Decision(
        chosen=fast_name,
        reason=tier.reason,
        binding=_BINDING.get(tier.reason, ''),
        margin=0.0 - tier.net,
        flip=candidate.flip,
        tiers=tiers,
    )


def _keep_fast(
    tiers: list[Tier], best: Tier | None, fast_name: str, stake: float, value_clip: float
) -> Decision:
    """Return the decision to keep fast because no tier would have paid."""
    nearest = best or max(tiers, key=lambda t: t.net, default=None)
    if nearest is None:
        return Decision(fast_name, Reason.FAST_KEPT, '', 0.0, NO_FLIP, tuple(tiers))
    return Decision(
        chosen=fast_name,
        reason=Reason.GAIN_BELOW_PRICE,
        binding='price',
        margin=0.0 - nearest.net,
        flip=_gain_flip(nearest, 0.0, stake, value_clip) if nearest.feasible else NO_FLIP,
        tiers=tuple(tiers),
    )


def _gain_flip(tier: Tier, net: float, stake: float, value_clip: float) -> Flip:
    """Return the gain at which `tier` would have had exactly `net`.

    None when it is not paid for now, and no gain below 1 with a value below the clip would be.
    """
    weight = stake * tier.p_arrive
    worth = tier.value - tier.net + net
    needed = worth / weight if weight > 0.0 else math.inf
    reachable = tier.net > 0.0 or (needed < 1.0 and worth < value_clip)
    return Flip(f'gain({tier.name})', tier.gain, needed if reachable else None)
