"""Controller: the sentence in order, from a frame's evidence to a decision and what it taught.

The controller never runs a model, reads a clock or draws a number: times, evidence and outcomes
come in as values. The robot, the replay and the tuner use this one object.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import NamedTuple

from selector.arrival import p_arrive
from selector.budget import checked
from selector.budget import Ledger
from selector.budget import Resource
from selector.cost import Cost
from selector.decision import Candidate
from selector.decision import decide
from selector.decision import Decision
from selector.decision import Flip
from selector.decision import NO_FLIP
from selector.decision import Reason
from selector.decision import TierSpec
from selector.errors import ConfigError
from selector.errors import SequenceError
from selector.gain import GainPredictor
from selector.justification import check_finite
from selector.justification import Justification
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.price import Price
from selector.price import price


@dataclass(frozen=True, slots=True)
class Settings:
    """What is fixed for a mission; stored in the log's header.

    Attributes:
        fast: name of the tier that answers every frame.
        tiers: the tiers that can be invoked.
        resources: the budgeted resources; every cost vector follows their order.
        value_clip: V > 0, the largest value a gain may have.
        gap_max_s: the longest gap between frames that still accrues budget [s].
        arrive_min: least P(arrival) at which a tier is feasible, in (0, 1].
        shadow: start by deciding and recording without acting.
    """

    fast: str
    tiers: tuple[TierSpec, ...]
    resources: tuple[Resource, ...]
    value_clip: float = 1.0
    gap_max_s: float = 1.0
    arrive_min: float = 0.5
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change from outside the frames, recorded as input: None leaves a thing as it is.

    Attributes:
        stamp_ns: node clock [ns].
        author: who asked for it, e.g. `parameter`, `service enable`, `clock`.
        shadow: decide and record only.
        resources: new budget settings, same names in the same order; what was spent stays spent.
        rewind_ns: the frame clock was set back to this stamp [ns].
    """

    stamp_ns: int
    author: str
    shadow: bool | None = None
    resources: tuple[Resource, ...] | None = None
    rewind_ns: int | None = None


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
    has_fast: bool
    committed: bool


class Controller:
    """Decides, keeps the ledger, and commits answers; see `offer`, `resume`, `learn`, `adjust`.

    While it shadows, the ledger holds what would have been spent, so that its prices are the
    ones an acting controller would have seen.
    """

    def __init__(self, settings: Settings, predictor: GainPredictor) -> None:
        """Check that the settings fit together.

        Raises:
            ConfigError: names repeat, a cost vector has the wrong length, or see `budget.checked`.
        """
        names = [settings.fast, *(t.name for t in settings.tiers)]
        if len(set(names)) != len(names):
            raise ConfigError(f'tier names repeat: {", ".join(names)}')
        for spec in settings.tiers:
            if not len(spec.cost) == len(spec.cost_cap) == len(settings.resources):
                raise ConfigError(f'tier {spec.name}: one cost per resource is needed')
        self.settings = settings
        self._predictor = predictor
        self._resources = tuple(checked(r) for r in settings.resources)
        self._ledger = Ledger(self._resources, settings.gap_max_s)
        self._shadow = settings.shadow
        self._open: dict[int, _Open] = {}

    def offer(self, offer: Offer) -> Step:
        """Decide about one frame that the fast model has answered.

        The budget accrues up to the frame's stamp first; an invocation reserves its cap at once.

        Raises:
            InputError: a number of the offer is NaN or infinite; nothing has changed then.
        """
        check_finite(offer)
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
            SequenceError: the frame does not wait for this tier.
        """
        waiting = self._take(outcome)
        if waiting.committed:
            raise SequenceError(
                f'decision {outcome.sequence} has been answered; use learn for what came later'
            )
        record = self._settle(outcome, waiting)
        return Answer(record.committed), record

    def learn(self, outcome: Outcome) -> OutcomeRecord:
        """Take in what became known after the frame was answered.

        Raises:
            SequenceError: the frame is still waiting or was never invoked.
        """
        waiting = self._take(outcome)
        if not waiting.committed:
            raise SequenceError(f'decision {outcome.sequence} still waits; use resume')
        return self._settle(outcome, waiting)

    def adjust(self, change: Change) -> None:
        """Apply a change from outside the frames; balances and spending are kept.

        Raises:
            ConfigError: the new budget does not fit; nothing is changed then.
        """
        if change.resources is not None:
            if [r.name for r in change.resources] != [r.name for r in self._resources]:
                raise ConfigError('a running budget keeps its resources; restart to change them')
            self._resources = tuple(checked(r) for r in change.resources)
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
        arrive = p_arrive(offer.remaining_s, spec.latency_p50_s, spec.latency_p99_s)
        obstacle, flip = self._obstacle(spec, offer, now, arrive)
        return Candidate(spec, gain, arrive, obstacle, flip)

    def _obstacle(
        self, spec: TierSpec, offer: Offer, now: Price, arrive: float
    ) -> tuple[Reason | None, Flip]:
        """Return why a tier cannot be invoked, first the reason that nothing can mend."""
        if not offer.decodable:
            return Reason.INPUT_UNDECODABLE, NO_FLIP
        if spec.name in offer.busy:
            return Reason.TIER_BUSY, NO_FLIP
        if arrive < self.settings.arrive_min:
            return Reason.DEADLINE_TOO_SHORT, Flip(
                'remaining_s', offer.remaining_s, spec.latency_p50_s
            )
        for k, resource in enumerate(self._resources):
            if now.exhausted[k] and spec.cost_cap[k] > 0.0:
                tokens = resource.burst - self._ledger.used[k]
                flip = Flip(f'tokens({resource.name})', tokens, resource.cost_max)
                return Reason.BUDGET_EXHAUSTED, NO_FLIP if resource.disabled else flip
        return None, NO_FLIP

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
            spec, offer.context, fast_loss, offer.evidence is not None, committed=False
        )
        return Invoke(spec.name)

    def _take(self, outcome: Outcome) -> _Open:
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
        loss = None
        if outcome.evidence is not None:
            loss = self._predictor.answer_loss(outcome.tier, outcome.evidence, waiting.context)
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
        fast_wins = waiting.has_fast and waiting.fast_loss < loss
        return self.settings.fast if fast_wins else outcome.tier


def _degraded(decision: Decision, fast: str, offer: Offer) -> Decision:
    """Keep a decision to invoke a slower tier; name the fault where nothing can be invoked."""
    if decision.reason is Reason.GAIN_ABOVE_PRICE:
        return decision
    reason = Reason.DEGRADED if offer.decodable else Reason.INPUT_UNDECODABLE
    return replace(decision, chosen=fast, reason=reason, binding='')
