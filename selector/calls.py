"""Calls: the invocations whose end is not known yet, and what their ends teach."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import NamedTuple

from selector.carried import Carried
from selector.carried import CarriedAnswers
from selector.cost import Cost
from selector.decision import Purse
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.errors import SequenceError
from selector.gain import GainPredictor
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.justification import Offer
from selector.latency import Latency
from selector.observation import Remembered
from selector.outcome import check_outcome
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.purses import Purses
from selector.ruling import Ruling
from selector.settings import Settings

_ANSWERS = (OutcomeKind.ANSWERED, OutcomeKind.LATE, OutcomeKind.AUDIT)


class Call(NamedTuple):
    """An invocation whose end is not known yet.

    Attributes:
        spec: the invoked tier.
        purse: what it draws on.
        offer, view: the frame.
        fast_loss: P(fast wrong) when it was decided about.
        probability: pi, with which it was to be observed.
        base: tier whose answer is committed where this one gives none.
        conservative: the more conservative of two answers is to be committed.
        committed: the frame has been answered already.
    """

    spec: TierSpec
    purse: Purse
    offer: Offer
    view: View
    fast_loss: float
    probability: float
    base: str
    conservative: bool
    committed: bool


class Calls:
    """Open calls by decision, and the state that their ends change.

    Attributes:
        purses: the budget.
        latency: by tier.
        carried: the answers that are carried on.
        ruling: the declared table of stakes and overrides.
        remembered: the last frames, for labels.
    """

    def __init__(self, settings: Settings, predictor: GainPredictor) -> None:
        """Start with a full budget and nothing seen; see `purses.split` for what is refused."""
        self.purses = Purses(
            settings.resources,
            settings.audit_share,
            settings.safety_share,
            settings.gap_max_s,
            settings.start_share,
        )
        self.latency = {s.name: Latency(s.latency_p50_s, s.latency_p99_s) for s in settings.tiers}
        self.carried = CarriedAnswers(settings.reuse_max_age_s)
        self.ruling = Ruling(settings, self.purses)
        self.remembered = Remembered(settings.remember_frames)
        self._settings, self._predictor = settings, predictor
        self._open: dict[tuple[int, str], Call] = {}
        self._past: set[tuple[int, str]] = set()
        free = tuple(0.0 for _ in settings.resources)
        self._fast = TierSpec(
            settings.fast, TierKind.FAST, settings.fast, free, free, 0.0, 0.0, None, ''
        )

    def __contains__(self, sequence: int) -> bool:
        return any(number == sequence for number, _ in self._open)

    def begin(self, call: Call) -> None:
        """Take in an invocation; its cap is reserved at once."""
        self.purses.ledgers[call.purse].reserve(call.spec.cost_cap)
        self._open[call.offer.sequence, call.spec.name] = call

    def begin_fast(self, offer: Offer, view: View, fast_loss: float) -> None:
        """Take in that the fast model is to run now, on a frame that was pending."""
        self.begin(
            Call(
                self._fast,
                Purse.RULE,
                offer,
                view,
                fast_loss,
                probability=1.0,
                base=self._settings.fast,
                conservative=False,
                committed=False,
            )
        )

    def rewind(self, stamp_ns: int) -> None:
        """Take in that the clock was set back: no answer about a later frame is carried on."""
        later = {key for key, call in self._open.items() if call.offer.stamp_ns > stamp_ns}
        self._past = later | {key for key in self._past if key in self._open}
        self.carried.rewind(stamp_ns)
        self.ruling.indecision.rewind(stamp_ns)

    def take(self, outcome: Outcome) -> Call:
        """Return the open call that an outcome is about.

        Raises:
            SequenceError: there is none.
            InputError: a number of the outcome is unusable.
        """
        check_outcome(outcome, len(self._settings.resources))
        call = self._open.get((outcome.sequence, outcome.tier))
        if call is None:
            raise SequenceError(
                f'decision {outcome.sequence} has no open call of {outcome.tier!r}',
                sequence=outcome.sequence,
                tier=outcome.tier,
            )
        return call

    def settle(self, outcome: Outcome, call: Call) -> OutcomeRecord:
        """Take in how a call ended, or that its frame's deadline has passed."""
        if outcome.tier == self._settings.fast:
            return self._fast_ran(outcome, call)
        losses: tuple[float, float | None] = (call.fast_loss, None)
        if outcome.evidence is not None:
            losses = self._predictor.losses(outcome.tier, call.view, outcome.evidence)
        excess = self._close(outcome, call)
        committed = self._better(outcome, call, losses)
        invoke = ''
        if committed == self._settings.fast and call.offer.pending and not call.committed:
            self.begin_fast(call.offer, call.view, call.fast_loss)
            committed, invoke = '', self._settings.fast
        if outcome.kind in _ANSWERS and outcome.evidence is not None:
            self._learn(outcome, call, committed)
        return OutcomeRecord(
            outcome=outcome,
            committed='' if call.committed else committed,
            fast_loss=losses[0],
            tier_loss=losses[1],
            excess=excess,
            left=self.purses.rule.left,
            invoke=invoke,
        )

    def label(self, outcome: Outcome) -> OutcomeRecord:
        """Take in a label.

        Raises:
            SequenceError: the frame is forgotten, or has its label already.
            InputError: a number of the outcome is unusable.
        """
        check_outcome(outcome, len(self._settings.resources))
        seen = self.remembered.get(outcome.sequence)
        if seen is None or seen.labelled:
            why = 'has its label already' if seen else 'is not remembered any more'
            raise SequenceError(f'frame {outcome.sequence} {why}', sequence=outcome.sequence)
        self.remembered.update(outcome.sequence, seen._replace(labelled=True))
        both = seen.tier and seen.tier == outcome.tier and seen.probability > 0.0
        self._predictor.label(
            Truth(
                seen.view,
                outcome.fast_label_loss,
                seen.tier if both else '',
                outcome.tier_label_loss if both else None,
                seen.disagreement if both else None,
                seen.probability if both else 1.0,
            )
        )
        return OutcomeRecord(
            outcome,
            '',
            outcome.fast_label_loss or 0.0,
            outcome.tier_label_loss,
            tuple(0.0 for _ in self._settings.resources),
            self.purses.rule.left,
        )

    def _fast_ran(self, outcome: Outcome, call: Call) -> OutcomeRecord:
        """Commit what the fast model said about a frame that was pending, if it did."""
        sequence = outcome.sequence
        del self._open[sequence, outcome.tier]
        view = call.view._replace(evidence=outcome.evidence, pending=False)
        if outcome.evidence is not None:
            seen = self.remembered.get(sequence)
            if seen is not None:
                self.remembered.update(sequence, seen._replace(view=view))
            for key, other in self._open.items():
                if key[0] == sequence:  # a tier that is observed beside it
                    offer = replace(other.offer, fast_class=outcome.class_id)
                    self._open[key] = other._replace(view=view, offer=offer)
        return OutcomeRecord(
            outcome,
            self._settings.fast,
            call.fast_loss,
            None,
            tuple(0.0 for _ in self._settings.resources),
            self.purses.rule.left,
        )

    def _close(self, outcome: Outcome, call: Call) -> Cost:
        """Settle what the call used; return what that was above its cap."""
        cap = call.spec.cost_cap
        if outcome.kind is OutcomeKind.TIMED_OUT:
            self._open[outcome.sequence, outcome.tier] = call._replace(committed=True)
            return tuple(0.0 for _ in cap)
        del self._open[outcome.sequence, outcome.tier]
        latency_s = inf if outcome.kind is OutcomeKind.FAILED else outcome.latency_s
        known = outcome.kind is not OutcomeKind.CANCELLED
        self.latency[outcome.tier].observe(latency_s, ended=known)
        actual = cap if outcome.cost is None else outcome.cost
        self.purses.ledgers[call.purse].settle(cap, actual)
        return tuple(max(0.0, a - c) for a, c in zip(actual, cap, strict=True))

    def _learn(self, outcome: Outcome, call: Call, better: str) -> None:
        """Hand an answer to the predictor, and carry the better of the two on."""
        sequence, offer = outcome.sequence, call.offer
        self._predictor.observe(
            Observation(
                outcome.tier, call.view, outcome.disagreement, outcome.stale, call.probability
            )
        )
        seen = self.remembered.get(sequence)
        if seen is not None:
            known = seen._replace(tier=outcome.tier, disagreement=outcome.disagreement)
            self.remembered.update(sequence, known)
        if (sequence, outcome.tier) in self._past:
            return
        class_id = outcome.class_id if better == outcome.tier else offer.fast_class
        self.carried.put(offer.camera, Carried(sequence, offer.stamp_ns, better, class_id))
        if self._settings.stakes.rules:
            self.ruling.indecision.answered((offer.camera, offer.track), offer.stamp_ns)

    def _better(self, outcome: Outcome, call: Call, losses: tuple[float, float | None]) -> str:
        """Return the tier whose answer is predicted to be the better one."""
        fast, loss = self._settings.fast, losses[1]
        if loss is None or outcome.kind not in _ANSWERS:
            return call.base
        if call.offer.evidence is None:
            return outcome.tier
        if call.conservative and outcome.class_id != call.offer.fast_class:
            classes = call.offer.fast_class, outcome.class_id
            return self.ruling.more_conservative(*classes, fast, outcome.tier)
        return fast if losses[0] < loss else outcome.tier
