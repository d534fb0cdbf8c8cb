"""Decision: gain against price x cost, one pure function (docs/decision.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from enum import Enum
import math
from typing import NamedTuple

from selector.budget import Resource
from selector.cost import Cost
from selector.errors import ConfigError
from selector.gain import Gain
from selector.price import Price

REUSE = 'reuse'
"""Name of the tier that carries an earlier answer on."""


class Advice(str, Enum):
    """What a declared rule asks of the robot where no invocation can help."""

    NONE = ''
    SLOW_DOWN = 'SLOW_DOWN'
    STOP = 'STOP'


class Purse(str, Enum):
    """Which part of the budget an invocation draws on."""

    NONE = ''
    RULE = 'rule'
    AUDIT = 'audit'
    SAFETY = 'safety'


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
    TIER_DENIED = 'TIER_DENIED'
    REUSED = 'REUSED'
    OVERRIDDEN = 'OVERRIDDEN'
    AUDITED = 'AUDITED'
    LEARNING = 'LEARNING'
    INPUT_UNDECODABLE = 'INPUT_UNDECODABLE'
    SHADOWED = 'SHADOWED'
    DEGRADED = 'DEGRADED'


@dataclass(frozen=True, slots=True)
class TierSpec:
    """A tier that can be invoked, as declared or profiled before the mission.

    Attributes:
        name: unique name, e.g. `slow`.
        kind: SLOW, CLOUD or HUMAN.
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


class Base(NamedTuple):
    """The answer that is committed when nothing is invoked.

    Attributes:
        name, kind: of its tier: the fast one, or the one that carries an earlier answer on.
        gain: its expected gain over the fast answer, accuracy; 0 for the fast answer.
    """

    name: str
    kind: TierKind
    gain: float


class Weights(NamedTuple):
    """What a gain is multiplied with, and what it is measured from.

    Attributes:
        base: the answer without an invocation.
        stake: w >= 0, how much an error matters now.
        value_clip: V > 0, the largest value an answer may have.
        reach: frames that a fresh answer serves, >= 1.
    """

    base: Base
    stake: float
    value_clip: float
    reach: float = 1.0


# Not frozen, though nothing changes one: that would cost several times as much to make.
@dataclass(slots=True)
class Candidate:
    """One tier as it enters a decision.

    Attributes:
        spec: the tier.
        gain: predicted gain over the fast answer.
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


@dataclass(slots=True)
class Tier:
    """One tier as it left a decision: everything an investigator needs to recompute its net.

    Attributes:
        name, kind: of the tier.
        feasible: whether it could be invoked.
        reason: why it was chosen or lost.
        gain: predicted gain over the base answer, accuracy (of the carried answer: over the fast
            one).
        gain_width: half-width of its interval, accuracy.
        disagreement: dhat, P(its answer differs from the fast one).
        khat: share of a disagreement by which it is better.
        p_arrive: P(arrives before the deadline).
        reach: frames that its answer serves.
        value: min(V, stake * p_arrive * max(0, gain) * reach), accuracy.
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
    disagreement: float
    khat: float
    p_arrive: float
    reach: float
    value: float
    cost: Cost
    price: tuple[float, ...]
    net: float


@dataclass(slots=True)
class Decision:
    """The outcome of the rule.

    Attributes:
        chosen: name of the tier to invoke, or of the tier whose answer is committed at once.
        reason: why.
        binding: the constraint that bound: '' or `budget`, `deadline`, `busy`, `price`, `rule`.
        margin: net of the chosen tier (base: 0) minus that of the best alternative; negative where
            an obstacle barred a tier that would have paid.
        flip: what would have changed it.
        tiers: every tier that could have been invoked, rejected ones too.
        base: the answer without an invocation.
        observe: tier that is invoked to learn from, off the frame's way; '' for none.
        purse: what the invocation draws on.
        rule: name of the declared rule that decided, '' for none.
        advice: what that rule asks of the robot.
    """

    chosen: str
    reason: Reason
    binding: str
    margin: float
    flip: Flip
    tiers: tuple[Tier, ...]
    base: Base
    observe: str = ''
    purse: Purse = Purse.NONE
    rule: str = ''
    advice: Advice = Advice.NONE


_BINDING = {
    Reason.BUDGET_EXHAUSTED: 'budget',
    Reason.DEADLINE_TOO_SHORT: 'deadline',
    Reason.TIER_BUSY: 'busy',
    Reason.TIER_DENIED: 'rule',
    Reason.GAIN_BELOW_PRICE: 'price',
}


def checked_tier(spec: TierSpec, resources: tuple[Resource, ...]) -> TierSpec:
    """Return `spec` when the budget's guarantee covers it.

    Raises:
        ConfigError: not one cost per resource, or not 0 <= cost <= cost_cap <= cost_max, or not
            0 <= latency_p50_s <= latency_p99_s, or its kind cannot be invoked.
    """
    if spec.kind not in (TierKind.SLOW, TierKind.CLOUD, TierKind.HUMAN):
        raise ConfigError(f'tier {spec.name}: kind {spec.kind.value} is not invoked by choice')
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


def assess(candidate: Candidate, price: Price, weights: Weights) -> Tier:
    """Return a candidate with its value, price and net, in plain double arithmetic.

    net_k = min(V, value_k) - sum_r (beta_r + lambda_r) * c_{k,r}, summed in resource order.
    """
    spec, gain = candidate.spec, candidate.gain
    over = gain.mean - weights.base.gain
    worth = weights.stake * candidate.p_arrive * max(0.0, over) * weights.reach
    value = min(weights.value_clip, worth)
    charge = 0.0
    for unit_price, amount in zip(price.total, spec.cost, strict=True):
        charge += unit_price * amount
    net = value - charge
    lost = Reason.OTHER_TIER_BETTER if net > 0.0 else Reason.GAIN_BELOW_PRICE
    return Tier(
        spec.name,
        spec.kind,
        candidate.obstacle is None,
        candidate.obstacle or lost,
        over,
        gain.width,
        gain.disagreement,
        gain.khat,
        candidate.p_arrive,
        weights.reach,
        value,
        spec.cost,
        price.total,
        net,
    )


def decide(candidates: Sequence[Candidate], price: Price, weights: Weights) -> Decision:
    """Return the decision: the feasible tier with the largest positive net, else the base answer.

    Args:
        candidates: the tiers that could be invoked, in any order; ties go to the smaller name.
        price: what each resource costs now.
        weights: what a gain is worth.
    """
    ordered = sorted(candidates, key=lambda c: c.spec.name)
    tiers = [assess(c, price, weights) for c in ordered]
    feasible = [t for t in tiers if t.feasible]
    best = max(feasible, key=lambda t: t.net, default=None)
    if best is None or best.net <= 0.0:
        barred = max(
            (pair for pair in zip(ordered, tiers, strict=True) if not pair[1].feasible),
            key=lambda pair: pair[0].freed_net,
            default=None,
        )
        if barred is not None and barred[0].freed_net > 0.0:
            return _barred(*barred, weights.base, tuple(tiers))
        return _keep_base(tiers, best, weights)
    others = max((t.net for t in feasible if t is not best), default=0.0)
    margin = best.net - max(0.0, others)
    return Decision(
        best.name,
        Reason.GAIN_ABOVE_PRICE,
        '',
        margin,
        _gain_flip(best, best.net - margin, weights),
        tuple(replace(t, reason=Reason.GAIN_ABOVE_PRICE) if t is best else t for t in tiers),
        weights.base,
        purse=Purse.RULE,
    )


def _barred(candidate: Candidate, tier: Tier, base: Base, tiers: tuple[Tier, ...]) -> Decision:
    """Return the decision to keep the base because a tier that would have paid was barred."""
    return Decision(
        base.name,
        tier.reason,
        _BINDING.get(tier.reason, ''),
        0.0 - tier.net,
        candidate.flip,
        tiers,
        base,
    )


def _keep_base(tiers: list[Tier], best: Tier | None, weights: Weights) -> Decision:
    """Return the decision to keep the base answer because no tier would have paid."""
    base = weights.base
    reused = base.kind is TierKind.REUSE
    nearest = best or max(tiers, key=lambda t: t.net, default=None)
    if nearest is None:
        reason = Reason.REUSED if reused else Reason.FAST_KEPT
        return Decision(base.name, reason, '', 0.0, NO_FLIP, tuple(tiers), base)
    return Decision(
        base.name,
        Reason.REUSED if reused else Reason.GAIN_BELOW_PRICE,
        'price',
        0.0 - nearest.net,
        _gain_flip(nearest, 0.0, weights) if nearest.feasible else NO_FLIP,
        tuple(tiers),
        base,
    )


def _gain_flip(tier: Tier, net: float, weights: Weights) -> Flip:
    """Return the gain at which `tier` would have had exactly `net`.

    None when it is not paid for now, and no gain over fast below 1 with a value below the clip
    would be.
    """
    weight = weights.stake * tier.p_arrive * weights.reach
    worth = tier.value - tier.net + net
    needed = worth / weight if weight > 0.0 else math.inf
    reachable = tier.net > 0.0 or (needed + weights.base.gain < 1.0 and worth < weights.value_clip)
    return Flip(f'gain({tier.name})', tier.gain, needed if reachable else None)
