"""Justification: every number a decision used, and the decision in words."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from selector.decision import Decision
from selector.decision import Reason
from selector.decision import Tier
from selector.errors import InputError
from selector.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Offer:
    """One frame as offered to the controller: all inputs of its decision but the configuration.

    Attributes:
        sequence: running number of the frame, from 0.
        camera, frame_id: where the frame comes from.
        stamp_ns: header stamp [ns].
        receive_ns, decide_ns: node clock at receipt and when the decision was taken [ns].
        digest: first 16 hex digits of the SHA-256 of the frame's payload.
        context: declared context, '' when unknown or stale.
        stake: w >= 0, how much an error matters now.
        evidence: evidence of the fast answer, None when there is no fast answer.
        fast_class: class of the fast answer, -1 when there is none.
        remaining_s: time left until the deadline [s].
        skewed: the stamp was further from the node clock than allowed, so the deadline counts from
            receipt.
        busy: names of the tiers that cannot take another call now.
        fault: '' or why there is no fast answer.
        decodable: the image could be decoded, so a slower tier could look at it.
    """

    sequence: int
    camera: str
    frame_id: str
    stamp_ns: int
    receive_ns: int
    decide_ns: int
    digest: str
    context: str
    stake: float
    evidence: Evidence | None
    fast_class: int
    remaining_s: float
    skewed: bool = False
    busy: tuple[str, ...] = ()
    fault: str = ''
    decodable: bool = True


def check_finite(offer: Offer) -> None:
    """Refuse an offer whose numbers would poison the ledger or the log.

    Raises:
        InputError: the stake, the remaining time or a piece of evidence is NaN or infinite, or the
            stake is negative.
    """
    if not isfinite(offer.stake) or offer.stake < 0.0:
        raise InputError(f'stake = {offer.stake}; it is a finite number >= 0', stake=offer.stake)
    numbers = (offer.remaining_s, *(offer.evidence or ()))
    if not all(map(isfinite, numbers)):
        raise InputError(f'frame {offer.sequence}: a number is NaN or infinite: {numbers}')


@dataclass(frozen=True, slots=True)
class Justification:
    """The decision record: one a frame, enough to take the decision again.

    Attributes:
        offer: the inputs.
        fast_loss: calibrated P(fast wrong) in [0, 1], 1 without a fast answer.
        support: labelled pairs behind the tables used.
        tables: context whose tables were used.
        out_of_support: the evidence lies outside what was seen at fitting.
        decision: the rule's outcome, every tier included.
        scarcity: lambda per resource, accuracy per unit.
        left: tokens left before this decision, per resource.
        spent: used so far in the mission, per resource.
        accrued: allowed so far in the mission beyond the first burst, per resource.
        shadow: decided and recorded, not acted upon.
        degraded: the frame could not be answered as usual.
        observation_probability: P(slow answer is observed on this frame): 1 if invoked, else 0.
    """

    offer: Offer
    fast_loss: float
    support: int
    tables: str
    out_of_support: bool
    decision: Decision
    scarcity: tuple[float, ...]
    left: tuple[float, ...]
    spent: tuple[float, ...]
    accrued: tuple[float, ...]
    shadow: bool
    degraded: bool
    observation_probability: float


def explain(record: Justification, resources: tuple[str, ...], start_ns: int | None = None) -> str:
    """Return the decision as one English sentence with what would have flipped it.

    Args:
        record: the decision record.
        resources: names of the resources, in the order of the record's costs.
        start_ns: stamp of the first frame; with it, the time is given in seconds since then.
    """
    decision, offer = record.decision, record.offer
    when = '' if start_ns is None else f' at {(offer.stamp_ns - start_ns) * 1e-9:.1f} s'
    where = f' in context {offer.context}' if offer.context else ''
    subject = f'Frame {offer.sequence}{when}{where}: '
    if offer.fault and not offer.decodable:
        return f'{subject}nothing could be decided, because {offer.fault}.'
    parts = [_verdict(record), _why(record, resources)]
    flip = decision.flip
    if flip.before is not None and flip.after is not None:
        turn = _turn(record)
        parts.append(
            f'it would have turned to {turn} at {flip.quantity} = {flip.after:.4g} '
            f'instead of {flip.before:.4g}'
        )
    elif flip.quantity and decision.reason is Reason.GAIN_BELOW_PRICE:
        parts.append('no gain a model can have would have paid')
    return subject + '; '.join(p for p in parts if p) + '.'


def _turn(record: Justification) -> str:
    if not _acted(record):
        return 'invoke it'
    others = [t for t in record.decision.tiers if t.name != record.decision.chosen]
    paying = [t for t in others if t.feasible and t.net > 0.0]
    best = max(paying, key=lambda t: t.net, default=None)
    return 'keep the fast answer' if best is None else f'invoke {best.name}'


def _acted(record: Justification) -> bool:
    return record.decision.reason in (Reason.GAIN_ABOVE_PRICE, Reason.SHADOWED)


def _verdict(record: Justification) -> str:
    name = record.decision.chosen
    if record.decision.reason is Reason.SHADOWED:
        return 'the fast answer was kept because the node only shadows'
    if _acted(record):
        return f'{name} was invoked'
    if record.offer.fault:
        return f'nothing could be answered, because {record.offer.fault}'
    return f'the {name} answer was kept'


def _subject(record: Justification) -> Tier | None:
    """Return the tier the sentence is about: the chosen one, else the one that came nearest."""
    tiers = record.decision.tiers
    chosen = [t for t in tiers if t.name == record.decision.chosen]
    matching = chosen or [t for t in tiers if t.reason is record.decision.reason] or list(tiers)
    return max(matching, key=lambda t: t.net, default=None)


def _why(record: Justification, resources: tuple[str, ...]) -> str:
    tier = _subject(record)
    if tier is None:
        return 'no other tier is declared'
    low, high = tier.gain - tier.gain_width, tier.gain + tier.gain_width
    worth = f'predicted gain of {tier.name} {tier.gain:.3f} ({low:.3f} to {high:.3f})'
    costs = ' + '.join(
        f'price {price:.4g} x {amount:g} {name}'
        for price, amount, name in zip(tier.price, tier.cost, resources, strict=True)
    )
    left = ', '.join(
        f'{value:.1f} {name} left' for value, name in zip(record.left, resources, strict=True)
    )
    relation = '>' if tier.net > 0.0 else '<='
    reason = f'{worth} worth {tier.value:.3f} {relation} {costs} ({left})'
    obstacle = {
        Reason.BUDGET_EXHAUSTED: 'it would have paid, but the budget was exhausted: ',
        Reason.DEADLINE_TOO_SHORT: 'it could not have answered before the deadline: ',
        Reason.TIER_BUSY: f'{tier.name} was still busy with an earlier frame: ',
    }
    return obstacle.get(record.decision.reason, '') + reason
