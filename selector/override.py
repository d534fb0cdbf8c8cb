"""Override: what declared rules make of a decision; they beat the price, and say so."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import replace

from selector.decision import Advice
from selector.decision import Candidate
from selector.decision import Decision
from selector.decision import NO_FLIP
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import TierKind


def forced(
    decision: Decision, candidates: Sequence[Candidate], rule: str, covered: Collection[str]
) -> Decision:
    """Return the decision after a rule that forces a slower tier.

    The tier that would be chosen at no price is invoked, out of the safety reserve, if its answer
    can arrive in time; nothing that cannot arrive is ever invoked. Where none can, or the reserve
    is empty and may not be overdrawn, the robot is advised instead.

    Args:
        decision: of the price.
        candidates: the tiers that could be invoked.
        rule: name of the rule.
        covered: names of the tiers that the safety reserve can pay, or may be overdrawn for.
    """
    if decision.reason is Reason.GAIN_ABOVE_PRICE:
        return replace(decision, rule=rule)
    free = [c for c in candidates if c.obstacle in (None, Reason.BUDGET_EXHAUSTED)]
    paid = [c for c in free if c.spec.name in covered]
    local = [c for c in paid if c.spec.kind is not TierKind.CLOUD] or paid
    best = min(local, key=lambda c: (-c.p_arrive * c.gain.mean, c.spec.name), default=None)
    if best is None:
        return replace(decision, rule=rule, advice=Advice.STOP if free else Advice.SLOW_DOWN)
    name = best.spec.name
    return replace(
        decision,
        chosen=name,
        reason=Reason.OVERRIDDEN,
        binding='rule',
        flip=NO_FLIP,
        tiers=tuple(
            replace(t, reason=Reason.OVERRIDDEN) if t.name == name else t for t in decision.tiers
        ),
        purse=Purse.SAFETY,
        rule=rule,
    )


def committed_by_rule(decision: Decision, name: str, rule: str) -> Decision:
    """Return the decision with the answer of tier `name` committed because a rule says so."""
    if decision.chosen != decision.base.name or decision.chosen == name:
        return decision if decision.rule else replace(decision, rule=rule)
    return replace(decision, chosen=name, reason=Reason.OVERRIDDEN, binding='rule', rule=rule)
