"""Decision: gain against price x cost, one pure function (decision.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from enum import Enum
import math

from selector.cost import Cost
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
        energy_kind: provenance of `energy_j` (a `cost.CostKind` value).
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
        flip: with an obstacle, what would have removed it.
    """

    spec: TierSpec
    gain: Gain
    p_arrive: float
    obstacle: Reason | None = None
    flip: Flip = NO_FLIP


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
        margin: net of the chosen tier minus the best alternative; the distance to flipping.
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
        return _keep_fast(tiers, best, fast_name, stake, {c.spec.name: c.flip for c in ordered})
    others = max((t.net for t in feasible if t is not best), default=0.0)
    margin = best.net - max(0.0, others)
    return Decision(
        chosen=best.name,
        reason=Reason.GAIN_ABOVE_PRICE,
        binding='',
        margin=margin,
        flip=_gain_flip(best, best.net - margin, stake),
        tiers=tuple(replace(t, reason=Reason.GAIN_ABOVE_PRICE) if t is best else t for t in tiers),
    )


def _keep_fast(
    tiers: list[Tier], best: Tier | None, fast_name: str, stake: float, flips: Mapping[str, Flip]
) -> Decision:
    """Return the decision to keep fast, and which obstacle or price decided it."""
    barred = max((t for t in tiers if not t.feasible), key=lambda t: t.net, default=None)
    if barred is not None and barred.net > 0.0:
        return Decision(
            chosen=fast_name,
            reason=barred.reason,
            binding=_BINDING.get(barred.reason, ''),
            margin=0.0 - barred.net,
            flip=flips[barred.name],
            tiers=tuple(tiers),
        )
    nearest = best or barred
    if nearest is None:
        return Decision(fast_name, Reason.FAST_KEPT, '', 0.0, NO_FLIP, tuple(tiers))
    return Decision(
        chosen=fast_name,
        reason=Reason.GAIN_BELOW_PRICE,
        binding='price',
        margin=0.0 - nearest.net,
        flip=_gain_flip(nearest, 0.0, stake) if nearest.feasible else NO_FLIP,
        tiers=tuple(tiers),
    )


def _gain_flip(tier: Tier, net: float, stake: float) -> Flip:
    """Return the gain at which `tier` would have had exactly `net`, None when none in [-1, 1]."""
    weight = stake * tier.p_arrive
    needed = (tier.value - tier.net + net) / weight if weight > 0.0 else math.inf
    reachable = needed if needed <= 1.0 else None
    return Flip(f'gain({tier.name})', tier.gain, reachable)
