"""Decision message: a decision record as everybody on the robot can read it."""

from __future__ import annotations

import math
from typing import Any

from selector.audit import Header
from selector.audit import Link
from selector.budget import Resource
from selector.cost import Cost
from selector.decision import Decision
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import Tier
from selector.decision import TierKind
from selector.justification import Justification
from selector.ros.conversions import or_nan
from selector.ros.conversions import stamp_to_ros
from selector.settings import Settings
import selector_msgs.msg as ros
from std_msgs.msg import Header as RosHeader

_KINDS = {
    TierKind.REUSE: ros.Tier.REUSE,
    TierKind.FAST: ros.Tier.FAST,
    TierKind.SLOW: ros.Tier.SLOW,
    TierKind.CLOUD: ros.Tier.CLOUD,
    TierKind.HUMAN: ros.Tier.HUMAN,
}
_NO_EVIDENCE = (math.nan,) * 3


def decision_to_ros(
    record: Justification,
    link: Link,
    header: RosHeader,
    mission: Header,
    *,
    budget: tuple[Resource, ...],
    publish_ns: int,
) -> ros.Decision:
    """Return a decision record as a message.

    Args:
        record: the decision.
        link: its place in the log.
        header: header of the image, handed on as it is.
        mission: header of the log.
        budget: the resources as declared now, reserves included.
        publish_ns: node clock now [ns].
    """
    offer = record.offer
    msg = ros.Decision(
        header=header,
        schema_version=mission.schema_version,
        mission_id=mission.mission_id,
        sequence=offer.sequence,
        receive_stamp=stamp_to_ros(offer.receive_ns),
        decide_stamp=stamp_to_ros(offer.decide_ns),
        publish_stamp=stamp_to_ros(publish_ns),
        risk_multiplier=math.nan,
        tiers=_tiers(record, mission.settings),
        shadow=record.shadow,
        degraded=record.degraded,
        observation_probability=record.observation_probability,
        record_hash=link.hash,
        previous_hash=link.previous,
    )
    _tell_decision(msg, record.decision)
    _tell_rules(msg, record)
    _tell_inputs(msg, record, mission)
    _tell_carried(msg, record)
    _tell_budget(msg, record)
    _tell_declared(msg, budget, mission)
    _identify(msg, mission)
    return msg


def _tell_decision(msg: ros.Decision, decision: Decision) -> None:
    """Fill in what was decided, and what would have turned it."""
    msg.chosen = decision.chosen
    msg.reason = decision.reason.value
    msg.observe = decision.observe
    msg.audit = bool(decision.observe)
    msg.purse = decision.purse.value
    msg.binding = decision.binding
    msg.margin = decision.margin
    msg.flip_quantity = decision.flip.quantity
    msg.flip_before = or_nan(decision.flip.before)
    msg.flip_after = or_nan(decision.flip.after)
    msg.base = decision.base.name
    msg.base_gain = decision.base.gain


def _tell_rules(msg: ros.Decision, record: Justification) -> None:
    """Fill in what the declared rules say."""
    msg.rule = record.decision.rule
    msg.matched_rules = list(record.matched)
    msg.advice = record.decision.advice.value
    msg.overdrawn = record.overdrawn
    msg.undecided_s = record.undecided_s


def _tell_inputs(msg: ros.Decision, record: Justification, mission: Header) -> None:
    """Fill in what was known about the frame."""
    offer = record.offer
    msg.input_digest = offer.digest
    msg.context = offer.context
    msg.context_tables = record.tables
    msg.stake = record.stake
    msg.evidence_names = list(mission.evidence_names)
    msg.evidence_values = [*(offer.evidence or _NO_EVIDENCE), *offer.scene]
    msg.track = offer.track
    msg.zone = offer.zone
    msg.time_to_collision_s = or_nan(offer.time_to_collision_s)
    msg.audit_draw = offer.draw
    msg.fast_class = offer.fast_class
    msg.also_seen = offer.also_seen
    msg.fast_loss = record.fast_loss
    msg.support = record.support
    msg.missing = record.missing
    msg.out_of_support = record.out_of_support
    msg.remaining_s = offer.remaining_s
    msg.skewed = offer.skewed
    msg.fault = offer.fault
    msg.reference = record.reference


def _tell_carried(msg: ros.Decision, record: Justification) -> None:
    """Fill in which earlier answer could be carried on."""
    nothing = record.carried < 0
    msg.carried_sequence = record.carried
    msg.carried_tier = record.carried_tier
    msg.stale = math.nan if nothing else record.stale
    msg.reuse_gain = math.nan if nothing else record.reuse_gain
    msg.reach = record.reach


def _tell_declared(msg: ros.Decision, budget: tuple[Resource, ...], mission: Header) -> None:
    """Fill in what was declared about the budget."""
    settings = mission.settings
    part = 1.0 - settings.audit_share - settings.safety_share
    msg.resource_names = [resource.name for resource in budget]
    msg.exchange_rate = [resource.exchange_rate for resource in budget]
    msg.budget_rate = [resource.rate for resource in budget]
    msg.budget_burst = [resource.burst for resource in budget]
    msg.cost_max = [resource.cost_max for resource in budget]
    msg.price_ceiling = [resource.price_ceiling for resource in budget]
    msg.price_step = [resource.share(part).step for resource in budget]
    msg.value_clip = settings.value_clip


def _tell_budget(msg: ros.Decision, record: Justification) -> None:
    """Fill in what has been spent and what is left."""
    msg.budget_spent = record.spent
    msg.budget_accrued = record.accrued
    msg.budget_left = record.left
    msg.audit_left = record.audit_left
    msg.safety_left = record.safety_left
    msg.scarcity_price = record.scarcity


def _identify(msg: ros.Decision, mission: Header) -> None:
    """Fill in what the decision was taken with."""
    msg.config_digest = mission.config_digest
    msg.correlation_digest = mission.correlation_digest
    msg.model_names = [m.name for m in mission.models]
    msg.model_digests = [m.sha256 for m in mission.models]


def _tiers(record: Justification, settings: Settings) -> list[ros.Tier]:
    """Return the answers that are there already, then the tiers that could be invoked."""
    there = [_fast_tier(record, settings.fast)]
    if record.carried >= 0:
        there.append(_reuse_tier(record))
    caps = {spec.name: spec.cost_cap for spec in settings.tiers}
    return [*there, *(_tier(tier, caps[tier.name]) for tier in record.decision.tiers)]


def _fast_tier(record: Justification, name: str) -> ros.Tier:
    """Return the tier that has already answered."""
    answered = record.offer.evidence is not None
    kept = record.decision.chosen == name
    reason = Reason.FAST_KEPT if kept else Reason.OTHER_TIER_BETTER
    if not answered:
        reason = Reason.DEGRADED if record.offer.decodable else Reason.INPUT_UNDECODABLE
    return ros.Tier(
        name=name,
        kind=ros.Tier.FAST,
        feasible=answered,
        reason=reason.value,
        p_arrive=1.0 if answered else 0.0,
        **_free(record),
    )


def _reuse_tier(record: Justification) -> ros.Tier:
    """Return the tier that carries an earlier answer on."""
    kept = record.decision.chosen == REUSE
    return ros.Tier(
        name=REUSE,
        kind=ros.Tier.REUSE,
        feasible=True,
        reason=(Reason.REUSED if kept else Reason.OTHER_TIER_BETTER).value,
        gain=record.reuse_gain,
        p_arrive=1.0,
        value=max(0.0, record.reuse_gain),
        net=record.reuse_gain,
        **_free(record),
    )


def _free(record: Justification) -> dict[str, Any]:
    """Return the fields of an answer that is there: it costs nothing more."""
    prices = record.decision.tiers[0].price if record.decision.tiers else ()
    return {
        'disagreement': math.nan,
        'khat': math.nan,
        'persistence': math.nan,
        'cost': [0.0] * len(prices),
        'cost_cap': [0.0] * len(prices),
        'price': prices,
    }


def _tier(tier: Tier, cost_cap: Cost) -> ros.Tier:
    return ros.Tier(
        name=tier.name,
        kind=_KINDS[tier.kind],
        feasible=tier.feasible,
        reason=tier.reason.value,
        gain=tier.gain,
        gain_width=tier.gain_width,
        disagreement=tier.disagreement,
        khat=tier.khat,
        p_arrive=tier.p_arrive,
        persistence=tier.reach,
        value=tier.value,
        cost=tier.cost,
        cost_cap=cost_cap,
        price=tier.price,
        net=tier.net,
    )
