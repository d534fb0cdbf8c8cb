"""Outcome: what became known about an invocation after the decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite

from selector.cost import Cost
from selector.errors import InputError
from selector.evidence import Evidence


class OutcomeKind(str, Enum):
    """What happened to an invocation."""

    ANSWERED = 'ANSWERED'
    TIMED_OUT = 'TIMED_OUT'
    LATE = 'LATE'
    AUDIT = 'AUDIT'
    LABEL = 'LABEL'
    FAILED = 'FAILED'
    CANCELLED = 'CANCELLED'


# Not frozen, though nothing changes one: that would cost several times as much to make.
@dataclass(slots=True)
class Outcome:
    """One fact about one invocation, as the shell saw it.

    ANSWERED, FAILED and CANCELLED end an invocation before its deadline; TIMED_OUT says that the
    deadline passed while it ran on, and LATE or FAILED ends it afterwards. AUDIT ends one that
    nobody waited for. LABEL is no end: it says what would have been right.

    Attributes:
        sequence: the decision it belongs to.
        tier: name of the invoked tier; of a label, the tier whose answer it is compared with, ''
            for none.
        kind: what happened.
        stamp_ns: node clock when it happened [ns].
        latency_s: time since the invocation [s].
        evidence: evidence of the tier's answer, None without one.
        class_id: class of the tier's answer, or of the label; -1 without one.
        disagreement: distance in [0, 1] between the fast answer and this one, None without one.
        stale: distance in [0, 1] between the answer that was carried and this one, None without
            one.
        fast_label_loss, tier_label_loss: losses in [0, 1] of the fast and the tier's answer
            against the label, None without.
        cost: what was really used, None when unknown yet (the reserved cap stays charged).
        detail: '' or what went wrong, in words.
    """

    sequence: int
    tier: str
    kind: OutcomeKind
    stamp_ns: int
    latency_s: float
    evidence: Evidence | None
    class_id: int
    disagreement: float | None
    cost: Cost | None
    stale: float | None = None
    fast_label_loss: float | None = None
    tier_label_loss: float | None = None
    detail: str = ''


def check_outcome(outcome: Outcome, resources: int) -> None:
    """Refuse an outcome whose numbers would poison the ledger or the log.

    Raises:
        InputError: a number is NaN or infinite, or the cost is not one number >= 0 a resource.
    """
    cost = outcome.cost
    shares = (
        outcome.disagreement,
        outcome.stale,
        outcome.fast_label_loss,
        outcome.tier_label_loss,
    )
    numbers = (outcome.latency_s, *(outcome.evidence or ()), *(cost or ()))
    if not all(map(isfinite, numbers)):
        raise InputError(f'outcome of {outcome.sequence}: a number is NaN or infinite: {numbers}')
    if not all(share is None or 0.0 <= share <= 1.0 for share in shares):
        raise InputError(
            f'outcome of {outcome.sequence}: disagreement, stale, fast_label_loss, '
            f'tier_label_loss = {shares}; each is in [0, 1]'
        )
    if cost is not None and (len(cost) != resources or min(cost, default=0.0) < 0.0):
        raise InputError(
            f'outcome of {outcome.sequence}: cost = {cost}; it is one number >= 0 for each of '
            f'{resources} resources'
        )


@dataclass(slots=True)
class OutcomeRecord:
    """An outcome and what the controller made of it.

    Attributes:
        outcome: the fact.
        committed: name of the tier whose answer this outcome commits, '' when the frame had been
            answered before.
        fast_loss: calibrated P(fast wrong).
        tier_loss: calibrated P(this answer wrong), None without an answer.
        excess: used beyond the declared cap, per resource; excluded from the budget's guarantee.
        invoke: tier that is to answer the frame now, where this one did not; '' for none.
        left: tokens left afterwards in the purse of the rule, per resource.
    """

    outcome: Outcome
    committed: str
    fast_loss: float
    tier_loss: float | None
    excess: Cost
    left: tuple[float, ...]
    invoke: str = ''
