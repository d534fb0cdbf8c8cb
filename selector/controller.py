"""Controller: the sentence in order, from a frame's evidence to a decision and what it taught.

The controller never runs a model, reads a clock or draws a number: times, evidence and outcomes
come in as values. The robot, the replay and the tuner use this one object.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import NamedTuple

from selector.budget import checked
from selector.budget import Ledger
from selector.budget import Resource
from selector.cost import Cost
from selector.decision import Candidate
from selector.decision import checked_tier
from selector.decision import decide
from selector.decision import Decision
from selector.decision import Reason
from selector.decision import TierSpec
from selector.errors import ConfigError
from selector.errors import SequenceError
from selector.evidence import Evidence
from selector.feasibility import candidate
from selector.feasibility import Purse
from selector.gain import GainPredictor
from selector.justification import check_finite
from selector.justification import Justification
from selector.justification import Offer
from selector.outcome import check_outcome
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.price import Price
from selector.price import price
from selector.settings import Change
from selector.settings import Settings


class Invoke(NamedTuple):
    """Run this tier's model on the frame and come back with an outcome."""

    tier: str


class Answer(NamedTuple):
    """Publish this tier's answer as the frame's final one."""

    tier: str


class Step(NamedTuple):
    """What to do now, and the record of why."""

    action: Invoke | Answer
    record: Justification


class _Open(NamedTuple):
    """An invocation whose end is not known yet."""

    spec: TierSpec
    context: str
    fast_loss: float
    evidence: Evidence | None
    committed: bool


class Controller:
    """Decides, keeps the ledger, and commits answers; see `offer`, `resume`, `learn`, `adjust`.

    While it shadows, the ledger holds what would have been spent, so that its prices are the
    ones an acting controller would have seen.
    """

    def __init__(self, settings: Settings, predictor: GainPredictor) -> None:
        """Check that the settings fit together.

        Raises:
            ConfigError: names repeat, a number is out of range, or see `budget.checked` and
                `decision.checked_tier`.
        """
        names = [settings.fast, *(t.name for t in settings.tiers)]
        if len(set(names)) != len(names):
            raise ConfigError(f'tier names repeat: {", ".join(names)}')
        for field, high in (('value_clip', inf), ('gap_max_s', inf), ('arrive_min', 1.0)):
            if not 0.0 < getattr(settings, field) <= high:
                raise ConfigError(f'{field} = {getattr(settings, field)}; it is in (0, {high}]')
        self.settings = settings
        self._predictor = predictor
        self._resources = self._checked(settings.resources)
        self._ledger = Ledger(self._resources, settings.gap_max_s)
        self._shadow = settings.shadow
        self._open: dict[int, _Open] = {}

    def offer(self, offer: Offer) -> Step:
        """Decide about one frame that the fast model has answered.

        The budget accrues up to the frame's stamp first; an invocation reserves its cap at once.

        Raises:
            InputError: a number of the offer is NaN or infinite; nothing has changed then.
            SequenceError: the sequence number has an open call; nothing has changed then.
        """
        check_finite(offer)
        if offer.sequence in self._open:
            raise SequenceError(f'decision {offer.sequence} has an open call; numbers repeat')
        self._ledger.accrue(offer.stamp_ns)
        fast = self._predictor.assess(offer.evidence, offer.context)
        now = price(self._resources, self._ledger)
        candidates = [self._candidate(spec, offer, now) for spec in self.settings.tiers]
        decision = decide(
            candidates, now, self.settings.fast, offer.stake, self.settings.value_clip
        )
        if offer.fault:
            decision = _degraded(decision, self.settings.fast, offer)
        decision = self._shadowed(decision) if self._shadow else decision
        record = Justification(
            offer=offer,
            fast_loss=fast.loss,
            support=fast.support,
            tables=fast.tables,
            out_of_support=fast.out_of_support,
            decision=decision,
            scarcity=now.scarcity,
            left=self._ledger.left,
            spent=tuple(self._ledger.spent),
            accrued=tuple(self._ledger.accrued),
            shadow=self._shadow,
            degraded=bool(offer.fault),
            observation_probability=1.0 if decision.reason is Reason.GAIN_ABOVE_PRICE else 0.0,
        )
        return Step(self._act(record, fast.loss), record)

    def resume(self, outcome: Outcome) -> tuple[Answer, OutcomeRecord]:
        """Commit an answer for a frame that waited, now that `outcome` is known.

        The answer with the smaller predicted loss is committed, which may be the fast one.

        Raises:
            SequenceError: the frame does not wait for this tier, or the outcome is a late one.
            InputError: a number of the outcome is unusable; see `outcome.check_outcome`.
        """
        waiting = self._take(outcome)
        if waiting.committed or outcome.kind is OutcomeKind.LATE:
            raise SequenceError(
                f'decision {outcome.sequence}: what comes after its answer goes to learn'
            )
        record = self._settle(outcome, waiting)
        return Answer(record.committed), record

    def learn(self, outcome: Outcome) -> OutcomeRecord:
        """Take in what became known after the frame was answered.

        Raises:
            SequenceError: the frame is still waiting or was never invoked, or the outcome is one
                that commits an answer.
            InputError: a number of the outcome is unusable; see `outcome.check_outcome`.
        """
        waiting = self._take(outcome)
        if not waiting.committed:
            raise SequenceError(f'decision {outcome.sequence} still waits; use resume')
        if outcome.kind in (OutcomeKind.ANSWERED, OutcomeKind.TIMED_OUT):
            raise SequenceError(
                f'decision {outcome.sequence} has been answered; {outcome.kind.value} is too late'
            )
        return self._settle(outcome, waiting)

    def adjust(self, change: Change) -> None:
        """Apply a change from outside the frames; balances and spending are kept.

        Raises:
            ConfigError: the new budget does not fit; nothing is changed then.
        """
        if change.resources is not None:
            if [r.name for r in change.resources] != [r.name for r in self._resources]:
                raise ConfigError('a running budget keeps its resources; restart to change them')
            self._resources = self._checked(change.resources)
            self._ledger.declare(self._resources)
        if change.shadow is not None:
            self._shadow = change.shadow
        if change.rewind_ns is not None:
            self._ledger.rewind(change.rewind_ns)

    @property
    def shadow(self) -> bool:
        """Whether decisions are recorded without being acted upon."""
        return self._shadow

    def _candidate(self, spec: TierSpec, offer: Offer, now: Price) -> Candidate:
        gain = self._predictor.gain(spec.name, offer.evidence, offer.context)
        return candidate(
            spec, gain, offer, Purse(self._resources, tuple(self._ledger.used), now), self.settings
        )

    def _checked(self, resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
        for resource in resources:
            checked(resource)
        for spec in self.settings.tiers:
            checked_tier(spec, resources)
        return resources

    def _shadowed(self, decision: Decision) -> Decision:
        acts = decision.reason is Reason.GAIN_ABOVE_PRICE
        return replace(decision, reason=Reason.SHADOWED) if acts else decision

    def _act(self, record: Justification, fast_loss: float) -> Invoke | Answer:
        reason, offer = record.decision.reason, record.offer
        if reason not in (Reason.GAIN_ABOVE_PRICE, Reason.SHADOWED):
            return Answer(self.settings.fast)
        spec = next(t for t in self.settings.tiers if t.name == record.decision.chosen)
        self._ledger.reserve(spec.cost_cap)
        if reason is Reason.SHADOWED:
            self._ledger.settle(spec.cost_cap, spec.cost)
            return Answer(self.settings.fast)
        self._open[offer.sequence] = _Open(
            spec, offer.context, fast_loss, offer.evidence, committed=False
        )
        return Invoke(spec.name)

    def _take(self, outcome: Outcome) -> _Open:
        check_outcome(outcome, len(self._resources))
        waiting = self._open.get(outcome.sequence)
        if waiting is None or waiting.spec.name != outcome.tier:
            raise SequenceError(
                f'decision {outcome.sequence} has no open call of {outcome.tier!r}',
                sequence=outcome.sequence,
                tier=outcome.tier,
            )
        return waiting

    def _settle(self, outcome: Outcome, waiting: _Open) -> OutcomeRecord:
        cap = waiting.spec.cost_cap
        excess: Cost = tuple(0.0 for _ in cap)
        if outcome.kind is OutcomeKind.TIMED_OUT:
            self._open[outcome.sequence] = waiting._replace(committed=True)
        else:
            del self._open[outcome.sequence]
            actual = cap if outcome.cost is None else outcome.cost
            self._ledger.settle(cap, actual)
            excess = tuple(max(0.0, a - c) for a, c in zip(actual, cap, strict=True))
        loss, context = None, waiting.context
        if outcome.evidence is not None:
            loss = self._predictor.answer_loss(outcome.tier, outcome.evidence, context)
        if outcome.disagreement is not None and waiting.evidence is not None:
            self._predictor.learn(outcome.tier, waiting.evidence, context, outcome.disagreement)
        return OutcomeRecord(
            outcome=outcome,
            committed='' if waiting.committed else self._better(outcome, waiting, loss),
            fast_loss=waiting.fast_loss,
            tier_loss=loss,
            excess=excess,
            left=self._ledger.left,
        )

    def _better(self, outcome: Outcome, waiting: _Open, loss: float | None) -> str:
        if loss is None or outcome.kind is not OutcomeKind.ANSWERED:
            return self.settings.fast
        fast_wins = waiting.evidence is not None and waiting.fast_loss < loss
        return self.settings.fast if fast_wins else outcome.tier


def _degraded(decision: Decision, fast: str, offer: Offer) -> Decision:
    """Keep a decision to invoke a slower tier; name the fault where nothing can be invoked."""
    if decision.reason is Reason.GAIN_ABOVE_PRICE:
        return decision
    reason = Reason.DEGRADED if offer.decodable else Reason.INPUT_UNDECODABLE
    return replace(decision, chosen=fast, reason=reason, binding='')
