"""Justification: every number a decision used, and the decision in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from selector.decision import Advice
from selector.decision import Decision
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import Tier
from selector.errors import InputError
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.evidence import UNSEEN


# Not frozen, though nothing changes one: that would cost several times as much to make.
@dataclass(slots=True)
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
        fast_class: class of the fast answer, -1 when there is none; of several, the one with the
            highest score.
        remaining_s: time left until the deadline [s].
        skewed: the stamp was further from the node clock than allowed, so the deadline counts from
            receipt.
        busy: names of the tiers that cannot take another call now.
        fault: '' or why there is no fast answer.
        decodable: the image could be decoded, so a slower tier could look at it.
        scene: of the image.
        track: id of the thing in view where the stream has one, -1 where it has none.
        zone: where the robot is, '' when unknown.
        time_to_collision_s: [s], None when unknown.
        draw: a random number in [0, 1) for the audit stream, drawn by the shell; 1 for no audit.
        pending: the fast model has not run yet: whether it is to run is decided as well.
        observe: a label will come, so that the slower tier's answer is wanted whatever the rule
            says.
        also_seen: the other classes in the fast answer; the declared table sees them all.
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
    scene: Scene = UNSEEN
    track: int = -1
    zone: str = ''
    time_to_collision_s: float | None = None
    draw: float = 1.0
    pending: bool = False
    observe: bool = False
    also_seen: tuple[int, ...] = ()


def check_finite(offer: Offer) -> None:
    """Refuse an offer whose numbers would poison the ledger or the log.

    Raises:
        InputError: the stake, the remaining time or a piece of evidence is NaN or infinite, or the
            stake is negative, or the draw not in [0, 1].
    """
    if not isfinite(offer.stake) or offer.stake < 0.0:
        raise InputError(f'stake = {offer.stake}; it is a finite number >= 0', stake=offer.stake)
    if not 0.0 <= offer.draw <= 1.0:
        raise InputError(f'draw = {offer.draw}; it is in [0, 1]', draw=offer.draw)
    limit_s = offer.time_to_collision_s
    numbers = (
        offer.remaining_s,
        0.0 if limit_s is None else limit_s,
        *offer.scene,
        *(offer.evidence or ()),
    )
    if offer.pending and (offer.evidence is not None or offer.fault):
        raise InputError(
            f'frame {offer.sequence} is pending, so the fast model has neither answered nor failed'
        )
    if not all(map(isfinite, numbers)):
        raise InputError(f'frame {offer.sequence}: a number is NaN or infinite: {numbers}')


@dataclass(slots=True)
class Justification:
    """The decision record: one a frame, enough to take the decision again.

    Attributes:
        offer: the inputs.
        fast_loss: calibrated P(fast wrong) in [0, 1], 1 without a fast answer.
        carried: the frame whose answer is carried on, -1 without one.
        carried_tier: whose answer that is, '' without one.
        stale: P(the carried answer is no longer right) in [0, 1].
        reuse_gain: its expected gain over the fast answer in [-1, 1], -1 without one.
        reach: frames that a fresh answer serves, >= 1.
        support: pairs behind the prediction.
        missing: observed answers still missing before the node may act.
        tables: context whose tables were used.
        out_of_support: the evidence lies outside what was seen at fitting.
        reference: what counts as right, `LABEL` or `SLOWEST_ASSUMED`.
        stake: w after the declared table.
        undecided_s: how long the last slow answer and the fast one have differed [s].
        matched: declared rules that match this frame, by name.
        decision: the rule's outcome, every tier included.
        scarcity: lambda per resource, accuracy per unit.
        left: tokens left to the rule before this decision, per resource.
        audit_left, safety_left: tokens left in the reserves, per resource.
        spent: used so far in the mission, reserves included, per resource.
        accrued: allowed so far in the mission beyond the first burst, per resource.
        overdrawn: the safety reserve was empty and is overdrawn by this decision.
        shadow: decided and recorded, not acted upon.
        degraded: the frame could not be answered as usual.
        observation_probability: pi, P(slow's answer is observed on this frame): 1 if invoked, the
            audit probability if skipped, 0 where it could not be.
    """

    offer: Offer
    fast_loss: float
    carried: int
    carried_tier: str
    stale: float
    reuse_gain: float
    reach: float
    support: int
    missing: int
    tables: str
    out_of_support: bool
    reference: str
    stake: float
    undecided_s: float
    matched: tuple[str, ...]
    decision: Decision
    scarcity: tuple[float, ...]
    left: tuple[float, ...]
    audit_left: tuple[float, ...]
    safety_left: tuple[float, ...]
    spent: tuple[float, ...]
    accrued: tuple[float, ...]
    overdrawn: bool
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
    if offer.fault and not offer.decodable and decision.chosen != REUSE:
        return f'{subject}nothing could be decided, because {offer.fault}.'
    parts = [_verdict(record), *_beside(record), _why(record, resources)]
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
    return (
        f'keep {_kept(record, record.decision.base.name)}'
        if best is None
        else f'invoke {best.name}'
    )


def _acted(record: Justification) -> bool:
    return record.decision.reason in (Reason.GAIN_ABOVE_PRICE, Reason.SHADOWED)


def _kept(record: Justification, name: str) -> str:
    if name == REUSE:
        return f'the answer of frame {record.carried} ({record.carried_tier})'
    return f'the {name} answer'


def _verdict(record: Justification) -> str:
    decision, name = record.decision, record.decision.chosen
    if decision.reason is Reason.SHADOWED:
        return f'{_kept(record, decision.base.name)} was kept because the node only shadows'
    if decision.purse is Purse.SAFETY:
        told = f'{name} was invoked because rule {decision.rule} forces it'
        return told + ', which overdraws the safety reserve' * record.overdrawn
    if _acted(record):
        return f'{name} was invoked'
    if record.offer.fault and name != REUSE:
        return f'nothing could be answered, because {record.offer.fault}'
    told = f'{_kept(record, name)} was kept'
    if record.offer.fault:
        return f'{told}, because {record.offer.fault}'
    if decision.reason is Reason.OVERRIDDEN:
        return f'{told} because rule {decision.rule} asks for the more cautious one'
    return told


def _beside(record: Justification) -> Iterator[str]:
    """Yield what happens beside the verdict: reuse, observation, learning, advice."""
    decision = record.decision
    if decision.chosen == REUSE:
        yield (
            f'its predicted gain over fast is {record.reuse_gain:.3f}, at probability '
            f'{record.stale:.3f} it is no longer right'
        )
    if decision.observe and decision.purse is Purse.AUDIT:
        chance = f'probability {record.observation_probability:.3g}'
        yield f'{decision.observe} looks at it beside that only to be learned from ({chance})'
    elif decision.observe:
        yield f'{decision.observe} would have been invoked and looks at it only to be learned from'
    if record.missing:
        yield f'learning: {record.support}/{record.support + record.missing}'
    if decision.advice is not Advice.NONE:
        stop = decision.advice is Advice.STOP
        lacks = 'reserve to pay it' if stop else 'tier that could answer in time'
        words = decision.advice.value.replace('_', ' ').lower()
        yield f'rule {decision.rule} finds no {lacks} and advises to {words}'
    elif decision.rule and decision.reason is not Reason.OVERRIDDEN:
        yield f'rule {decision.rule} applies as well'


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
    over = ' over that answer' if record.decision.base.name == REUSE else ''
    worth = f'predicted gain of {tier.name}{over} {tier.gain:.3f} ({low:.3f} to {high:.3f})'
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
        Reason.TIER_DENIED: 'it would have paid, but a declared rule denies it: ',
        Reason.TIER_BUSY: f'{tier.name} was still busy with an earlier frame: ',
    }
    return obstacle.get(record.decision.reason, '') + reason
