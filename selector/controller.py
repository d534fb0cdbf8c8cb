"""Controller: the sentence in order, from a frame's evidence to a decision and what it taught.

The controller never runs a model, reads a clock or draws a number: times, evidence, draws and
outcomes come in as values. The robot, the replay and the tuner use this one object.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from selector.action import Answer
from selector.action import Invoke
from selector.action import Step
from selector.budget import Resource
from selector.calls import Call
from selector.calls import Calls
from selector.carried import Carried
from selector.decision import Candidate
from selector.decision import checked_tier
from selector.decision import decide
from selector.decision import Decision
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import Weights
from selector.errors import ConfigError
from selector.errors import SequenceError
from selector.feasibility import candidate
from selector.feasibility import Means
from selector.feasibility import over_fast
from selector.feasibility import Proposal
from selector.gain import GainPredictor
from selector.gain import View
from selector.justification import check_finite
from selector.justification import Justification
from selector.justification import Offer
from selector.moment import base_answer
from selector.moment import justify
from selector.moment import Marks
from selector.moment import Moment
from selector.observation import AuditStream
from selector.observation import Seen
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.price import price
from selector.settings import Change
from selector.settings import Settings

_INVOKES = (Reason.GAIN_ABOVE_PRICE, Reason.OVERRIDDEN)


class Controller:
    """Decides, keeps the ledgers, and commits answers; see `offer`, `resume`, `learn`, `adjust`.

    While it shadows, the ledger holds what would have been spent, so that its prices are the
    ones an acting controller would have seen.
    """

    def __init__(self, settings: Settings, predictor: GainPredictor) -> None:
        """Check that the settings fit together.

        Raises:
            ConfigError: names repeat, a number is out of range, or see `purses.split`,
                `decision.checked_tier` and `stakes.checked_table`.
        """
        self._names = tuple(sorted(t.name for t in settings.tiers))
        names = [settings.fast, REUSE, *self._names]
        if len(set(names)) != len(names):
            raise ConfigError(f'tier names repeat: {", ".join(names)}')
        for field, high in (('value_clip', inf), ('gap_max_s', inf), ('arrive_min', 1.0)):
            if not 0.0 < getattr(settings, field) <= high:
                raise ConfigError(f'{field} = {getattr(settings, field)}; it is in (0, {high}]')
        if not 0.0 <= settings.start_share <= 1.0:
            raise ConfigError(f'start_share = {settings.start_share}; it is in [0, 1]')
        if settings.reference not in ('', *self._names):
            raise ConfigError(
                f'reference = {settings.reference!r}; it is one of {", ".join(self._names)}'
            )
        self.settings = settings
        self._predictor = predictor
        self._check_tiers(settings.resources)
        self._calls = Calls(settings, predictor)
        self._purses = self._calls.purses
        self._specs = {spec.name: spec for spec in settings.tiers}
        self._over_fast = {name: over_fast(s, settings) for name, s in self._specs.items()}
        self._shadow = settings.shadow
        audited = settings.reference or next(iter(self._names), '')
        spec = self._specs.get(audited) if settings.audit_share else None
        self._audits = AuditStream(spec, self._purses)

    @property
    def shadow(self) -> bool:
        """Whether decisions are recorded without being acted upon."""
        return self._shadow

    @property
    def predictor(self) -> GainPredictor:
        """Who predicts, and holds what was learned."""
        return self._predictor

    def carried(self, camera: str, stamp_ns: int) -> Carried | None:
        """Return the answer that is carried on to a frame of `camera` at `stamp_ns`."""
        return self._calls.carried.at(camera, stamp_ns)

    def offer(self, offer: Offer) -> Step:
        """Decide about one frame that the fast model has answered, or not run on yet (pending).

        The budget accrues up to the frame's stamp first; an invocation reserves its cap at once.

        Raises:
            InputError: a number of the offer is NaN or infinite; nothing has changed then.
            SequenceError: the sequence number has an open call; nothing has changed then.
        """
        check_finite(offer)
        if offer.sequence in self._calls:
            raise SequenceError(f'decision {offer.sequence} has an open call; numbers repeat')
        moment = self._moment(offer)
        candidates = self._candidates(moment)
        decision = decide(candidates, moment.price, moment.weights)
        decision, overdrawn = self._calls.ruling.apply(
            decision, candidates, moment.ruled, moment.classes
        )
        if offer.fault:
            decision = _degraded(decision, offer)
        decision, probability = self._observed(decision, moment)
        marks = Marks(overdrawn, self._shadow, bool(offer.fault), probability)
        record = justify(moment, decision, self._purses, marks)
        return Step(self._act(record, moment), record)

    def resume(self, outcome: Outcome) -> tuple[Invoke | Answer, OutcomeRecord]:
        """Commit an answer for a frame that waited, now that `outcome` is known.

        The answer with the smaller predicted loss is committed, which may be the fast one. Where
        nothing has answered and the fast model has not run, it is invoked now.

        Raises:
            SequenceError: the frame does not wait for this tier, or the outcome is a late one.
            InputError: a number of the outcome is unusable; see `outcome.check_outcome`.
        """
        call = self._calls.take(outcome)
        late = outcome.kind in (OutcomeKind.LATE, OutcomeKind.AUDIT, OutcomeKind.LABEL)
        if call.committed or late:
            raise SequenceError(
                f'decision {outcome.sequence}: what comes after its answer goes to learn'
            )
        record = self._calls.settle(outcome, call)
        return Invoke(record.invoke) if record.invoke else Answer(record.committed), record

    def learn(self, outcome: Outcome) -> OutcomeRecord:
        """Take in what became known after the frame was answered: a late answer, or a label.

        Raises:
            SequenceError: the frame is still waiting or was never invoked, the outcome is one that
                commits an answer, or the frame of a label is forgotten or has its label already.
            InputError: a number of the outcome is unusable; see `outcome.check_outcome`.
        """
        if outcome.kind is OutcomeKind.LABEL:
            return self._calls.label(outcome)
        call = self._calls.take(outcome)
        if not call.committed:
            raise SequenceError(f'decision {outcome.sequence} still waits; use resume')
        if outcome.kind in (OutcomeKind.ANSWERED, OutcomeKind.TIMED_OUT):
            raise SequenceError(
                f'decision {outcome.sequence} has been answered; {outcome.kind.value} is too late'
            )
        return self._calls.settle(outcome, call)

    def adjust(self, change: Change) -> None:
        """Apply a change from outside the frames; balances and spending are kept.

        Raises:
            ConfigError: the new budget does not fit; nothing is changed then.
        """
        if change.resources is not None:
            names = [r.name for r in self._purses.resources[Purse.RULE]]
            if [r.name for r in change.resources] != names:
                raise ConfigError('a running budget keeps its resources; restart to change them')
            self._check_tiers(change.resources)
            self._purses.declare(change.resources)
        if change.shadow is not None:
            self._shadow = change.shadow
        if change.rewind_ns is not None:
            self._purses.rewind(change.rewind_ns)
            self._calls.rewind(change.rewind_ns)

    def _check_tiers(self, resources: tuple[Resource, ...]) -> None:
        for spec in self.settings.tiers:
            checked_tier(spec, resources)

    def _moment(self, offer: Offer) -> Moment:
        """Let the time pass and gather what is known about the frame."""
        elapsed_s = self._purses.accrue(offer.stamp_ns)
        self._audits.frame(elapsed_s)
        carried = self._calls.carried.at(offer.camera, offer.stamp_ns)
        source = '' if carried is None else carried.tier
        view = View(offer.evidence, offer.scene, offer.context, source, offer.pending)
        forecast = self._predictor.forecast(view, self._names)
        ruled = self._calls.ruling.about(offer, carried)
        now = price(self._purses.resources[Purse.RULE], self._purses.rule)
        base = base_answer(self.settings.fast, carried, forecast, offer.pending)
        weights = Weights(base, ruled.effects.stake, self.settings.value_clip, forecast.reach)
        return Moment(offer, view, carried, forecast, ruled, now, weights, elapsed_s)

    def _candidates(self, moment: Moment) -> list[Candidate]:
        means = Means(
            self._purses.resources[Purse.RULE],
            self._purses.rule.used,
            moment.price,
            self.settings.arrive_min,
            moment.ruled.effects.deny_cloud,
        )
        offer, specs = moment.offer, self._specs
        if offer.pending:
            specs = self._over_fast
            offer = replace(offer, remaining_s=offer.remaining_s - self.settings.fast_p99_s)
        made = []
        for name, gain in zip(self._names, moment.forecast.gains, strict=True):
            latency = self._calls.latency[name]
            proposal = Proposal(specs[name], gain, latency)
            found = candidate(proposal, offer, means, moment.weights)
            if found.obstacle is Reason.DEADLINE_TOO_SHORT:
                latency.relax(moment.elapsed_s)
            made.append(found)
        return made

    def _observed(self, decision: Decision, moment: Moment) -> tuple[Decision, float]:
        """Return the decision with what is observed or held back, and pi of this frame."""
        if self._shadow:
            if decision.purse is not Purse.NONE:
                decision = replace(decision, reason=Reason.SHADOWED)
            return decision, 0.0
        learning = moment.forecast.missing and not moment.ruled.forcing
        if decision.reason is Reason.GAIN_ABOVE_PRICE and learning:
            base, tier = decision.base.name, decision.chosen
            return replace(decision, chosen=base, reason=Reason.LEARNING, observe=tier), 1.0
        denied = bool(moment.ruled.effects.deny_cloud)
        return self._audits.beside(decision, moment.offer, denied=denied)

    def _act(self, record: Justification, moment: Moment) -> Invoke | Answer:
        decision, offer = record.decision, record.offer
        seen = Seen(moment.view, record.observation_probability)
        self._calls.remembered.put(offer.sequence, seen)
        if decision.purse is Purse.NONE:
            return self._answer(decision.chosen, moment)
        invoked = decision.observe or decision.chosen
        spec = self._specs[invoked]
        if decision.reason is Reason.SHADOWED:
            ledger = self._purses.ledgers[decision.purse]
            ledger.reserve(spec.cost_cap)
            ledger.settle(spec.cost_cap, spec.cost)
            return self._answer(decision.base.name, moment)
        self._calls.begin(
            Call(
                spec,
                decision.purse,
                offer,
                moment.view,
                record.fast_loss,
                record.observation_probability,
                base=self._calls.ruling.without(moment.ruled, decision.base.name, moment.classes),
                conservative=bool(moment.ruled.cautious),
                committed=bool(decision.observe),
            )
        )
        if not decision.observe:
            return Invoke(invoked)
        return self._answer(decision.chosen, moment, invoked)

    def _answer(self, name: str, moment: Moment, observe: str = '') -> Invoke | Answer:
        """Return that a tier's answer is committed; the fast one may have to be made first."""
        if not moment.offer.pending or name != self.settings.fast:
            return Answer(name, observe)
        self._calls.begin_fast(moment.offer, moment.view, moment.forecast.fast_loss)
        return Invoke(name, observe)


def _degraded(decision: Decision, offer: Offer) -> Decision:
    """Keep a decision to invoke a slower tier; name the fault where nothing can be invoked."""
    if decision.reason in _INVOKES and decision.purse is not Purse.NONE:
        return decision
    reason = Reason.DEGRADED if offer.decodable else Reason.INPUT_UNDECODABLE
    return replace(decision, reason=reason, binding='')
