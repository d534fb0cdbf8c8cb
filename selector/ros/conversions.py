"""Conversions: between ROS messages and the types of the core."""

from __future__ import annotations

import hashlib
import math

from builtin_interfaces.msg import Time
import numpy as np
from selector.audit import Header
from selector.audit import Link
from selector.decision import Reason
from selector.decision import Tier
from selector.decision import TierKind
from selector.errors import InputError
from selector.frame import Frame
from selector.image import decode_compressed
from selector.image import decode_raw
from selector.justification import Justification
from selector.outcome import OutcomeRecord
from selector.perception import Final
import selector_msgs.msg as ros
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header as RosHeader

_NS = 1_000_000_000
_KINDS = {
    TierKind.REUSE: ros.Tier.REUSE,
    TierKind.FAST: ros.Tier.FAST,
    TierKind.SLOW: ros.Tier.SLOW,
    TierKind.CLOUD: ros.Tier.CLOUD,
    TierKind.HUMAN: ros.Tier.HUMAN,
}


def stamp_ns_from_ros(stamp: Time) -> int:
    """Return a ROS time as one number [ns]."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def stamp_to_ros(stamp_ns: int) -> Time:
    """Return a time [ns] as a ROS time."""
    seconds, nanoseconds = divmod(stamp_ns, _NS)
    return Time(sec=seconds, nanosec=nanoseconds)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def frame_from_compressed(msg: CompressedImage, sequence: int, camera: str) -> Frame:
    """Return the frame of a compressed image; a damaged one has no pixels and says why."""
    data = bytes(msg.data)
    frame = _bare_frame(msg.header, sequence, camera, hashlib.sha256(data).hexdigest())
    try:
        return frame._replace(image=decode_compressed(data))
    except InputError as err:
        return frame._replace(fault=str(err))


def frame_from_raw(msg: Image, sequence: int, camera: str) -> Frame:
    """Return the frame of a raw image; a damaged one has no pixels and says why."""
    data = np.frombuffer(msg.data, np.uint8) if len(msg.data) else np.zeros(0, np.uint8)
    frame = _bare_frame(msg.header, sequence, camera, hashlib.sha256(msg.data).hexdigest())
    try:
        pixels = decode_raw(data, msg.encoding, msg.height, msg.width, msg.step)
        return frame._replace(image=pixels)
    except InputError as err:
        return frame._replace(fault=str(err))


def _bare_frame(header: RosHeader, sequence: int, camera: str, digest: str) -> Frame:
    stamp_ns = stamp_ns_from_ros(header.stamp)
    return Frame(sequence, stamp_ns, header.frame_id, camera, None, digest[:16])


def decision_to_ros(
    record: Justification,
    link: Link,
    header: RosHeader,
    mission: Header,
    *,
    exchange_rate: tuple[float, ...],
    publish_ns: int,
) -> ros.Decision:
    """Return a decision record as a message.

    Args:
        record: the decision.
        link: its place in the log.
        header: header of the image, handed on as it is.
        mission: header of the log.
        exchange_rate: per resource, as set now [accuracy per unit].
        publish_ns: node clock now [ns].
    """
    offer, decision = record.offer, record.decision
    msg = ros.Decision(
        header=header,
        schema_version=mission.schema_version,
        mission_id=mission.mission_id,
        sequence=offer.sequence,
        receive_stamp=stamp_to_ros(offer.receive_ns),
        decide_stamp=stamp_to_ros(offer.decide_ns),
        publish_stamp=stamp_to_ros(publish_ns),
        risk_multiplier=math.nan,
        chosen=decision.chosen,
        reason=decision.reason.value,
        binding=decision.binding,
        margin=decision.margin,
        flip_quantity=decision.flip.quantity,
        flip_before=_or_nan(decision.flip.before),
        flip_after=_or_nan(decision.flip.after),
        tiers=[_fast_tier(record, mission.settings.fast), *map(_tier, decision.tiers)],
        shadow=record.shadow,
        degraded=record.degraded,
        observation_probability=record.observation_probability,
        record_hash=link.hash,
        previous_hash=link.previous,
    )
    _tell_inputs(msg, record, mission)
    _tell_budget(msg, record, mission)
    msg.exchange_rate = exchange_rate
    _identify(msg, mission)
    return msg


def _tell_inputs(msg: ros.Decision, record: Justification, mission: Header) -> None:
    """Fill in what was known about the frame."""
    offer = record.offer
    msg.input_digest = offer.digest
    msg.context = offer.context
    msg.context_tables = record.tables
    msg.stake = offer.stake
    if offer.evidence is not None:
        msg.evidence_names = list(mission.evidence_names)
        msg.evidence_values = list(offer.evidence)
    msg.fast_class = offer.fast_class
    msg.fast_loss = record.fast_loss
    msg.support = record.support
    msg.out_of_support = record.out_of_support
    msg.remaining_s = offer.remaining_s
    msg.skewed = offer.skewed
    msg.fault = offer.fault


def _tell_budget(msg: ros.Decision, record: Justification, mission: Header) -> None:
    """Fill in what may be spent and what it costs."""
    msg.resource_names = [r.name for r in mission.settings.resources]
    msg.budget_spent = record.spent
    msg.budget_accrued = record.accrued
    msg.budget_left = record.left
    msg.scarcity_price = record.scarcity


def _identify(msg: ros.Decision, mission: Header) -> None:
    """Fill in what the decision was taken with."""
    msg.reference = mission.reference
    msg.config_digest = mission.config_digest
    msg.correlation_digest = mission.correlation_digest
    msg.model_names = [m.name for m in mission.models]
    msg.model_digests = [m.sha256 for m in mission.models]


def _fast_tier(record: Justification, name: str) -> ros.Tier:
    """Return the tier that has already answered: the others' gains are over its answer."""
    answered = record.offer.evidence is not None
    kept = record.decision.chosen == name
    reason = Reason.FAST_KEPT if kept else Reason.OTHER_TIER_BETTER
    if not answered:
        reason = Reason.DEGRADED if record.offer.decodable else Reason.INPUT_UNDECODABLE
    prices = record.decision.tiers[0].price if record.decision.tiers else ()
    return ros.Tier(
        name=name,
        kind=ros.Tier.FAST,
        feasible=answered,
        reason=reason.value,
        p_arrive=1.0 if answered else 0.0,
        persistence=math.nan,
        cost=[0.0] * len(prices),
        price=prices,
    )


def _tier(tier: Tier) -> ros.Tier:
    return ros.Tier(
        name=tier.name,
        kind=_KINDS[tier.kind],
        feasible=tier.feasible,
        reason=tier.reason.value,
        gain=tier.gain,
        gain_width=tier.gain_width,
        p_arrive=tier.p_arrive,
        persistence=math.nan,
        value=tier.value,
        cost=tier.cost,
        price=tier.price,
        net=tier.net,
    )


def outcome_to_ros(
    record: OutcomeRecord, link: Link, header: RosHeader, mission_id: str
) -> ros.Outcome:
    """Return an outcome record as a message; `header` is that of the decision's image."""
    outcome = record.outcome
    return ros.Outcome(
        header=header,
        mission_id=mission_id,
        sequence=outcome.sequence,
        kind=outcome.kind.value,
        tier=outcome.tier,
        committed=record.committed,
        stamp=stamp_to_ros(outcome.stamp_ns),
        latency_s=outcome.latency_s,
        class_id=outcome.class_id,
        disagreement=_or_nan(outcome.disagreement),
        fast_loss=record.fast_loss,
        tier_loss=_or_nan(record.tier_loss),
        loss=math.nan,
        observed_cost=outcome.cost or (),
        excess=record.excess,
        budget_left=record.left,
        detail=outcome.detail,
        record_hash=link.hash,
        previous_hash=link.previous,
    )


def prediction_to_ros(
    final: Final, header: RosHeader, labels: tuple[str, ...], *, provisional: bool = False
) -> ros.Prediction:
    """Return an answer as a message; without one, labels and scores are empty.

    Args:
        final: the answer.
        header: header of the image, handed on as it is.
        labels: class names, in the order of the scores.
        provisional: a final answer for the same frame follows.
    """
    msg = ros.Prediction(
        header=header,
        tier=final.tier,
        task='classification',
        provisional=provisional,
        confidence=math.nan,
        class_id=-1,
    )
    if final.prediction is not None:
        msg.model = final.prediction.model
        msg.confidence = 1.0 - final.loss
        msg.labels = list(labels)
        msg.scores = final.prediction.scores
        msg.class_id = final.prediction.class_id
    return msg
