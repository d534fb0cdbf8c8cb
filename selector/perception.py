"""Perception: one frame's way from the fast answer to the committed one, whoever runs the models.

The shells (node, replay) run models and wait; this object turns what they saw into offers and
outcomes, asks the controller, writes the log and says which answer goes out. Times come in as
values.
"""

from __future__ import annotations

from typing import NamedTuple

from selector.arrival import remaining
from selector.audit import AuditLog
from selector.audit import Link
from selector.controller import Controller
from selector.controller import Invoke
from selector.cost import Cost
from selector.frame import Frame
from selector.justification import Justification
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.prediction import Prediction
from selector.settings import Change
from selector.tasks import classification


class Situation(NamedTuple):
    """What is known about the moment of a frame besides its pixels.

    Attributes:
        receive_ns: node clock at receipt [ns].
        now_ns: node clock now, after the fast model [ns].
        context: declared context, '' when unknown or stale.
        stake: w >= 0.
        busy: tiers that cannot take a call now.
    """

    receive_ns: int
    now_ns: int
    context: str
    stake: float
    busy: tuple[str, ...] = ()


class Final(NamedTuple):
    """A frame's committed answer.

    Attributes:
        frame: the frame (without its pixels).
        tier: whose answer it is.
        prediction: the answer, None when there is none.
        loss: calibrated P(wrong) of the answer, 1 when there is none.
    """

    frame: Frame
    tier: str
    prediction: Prediction | None
    loss: float


class Decided(NamedTuple):
    """What came of one frame: invoke a tier, or a final answer at once."""

    record: Justification
    link: Link
    invoke: str
    final: Final | None
    remaining_s: float


class Learned(NamedTuple):
    """What came of one outcome: its record, and the final answer where it commits one."""

    record: OutcomeRecord
    link: Link
    final: Final | None
    frame: Frame


class _Waiting(NamedTuple):
    """A frame with an open call: on its way to an answer, or answered while the call runs on."""

    frame: Frame
    tier: str
    fast: Prediction | None
    fast_loss: float
    answered: bool


class Perception:
    """Joins models' answers, the controller and the log; holds what frames wait for."""

    def __init__(
        self, controller: Controller, log: AuditLog, deadline_s: float, max_skew_s: float
    ) -> None:
        """Take the parts; `deadline_s` and `max_skew_s` in seconds."""
        self.log = log
        self._controller = controller
        self._deadline_s, self._max_skew_s = deadline_s, max_skew_s
        self._fast = controller.settings.fast
        self._waiting: dict[int, _Waiting] = {}

    def begin(
        self, frame: Frame, fast: Prediction | None, fault: str, situation: Situation
    ) -> Decided:
        """Decide about a frame that the fast model has answered, or failed to (`fault`)."""
        left = remaining(
            frame.stamp_ns,
            situation.receive_ns,
            situation.now_ns,
            self._deadline_s,
            self._max_skew_s,
        )
        offer = _offer(frame, fast, fault, situation, left)
        step = self._controller.offer(offer)
        link = self.log.append(step.record)
        bare = frame._replace(image=None)
        if isinstance(step.action, Invoke):
            self._waiting[frame.sequence] = _Waiting(
                bare, step.action.tier, fast, step.record.fast_loss, answered=False
            )
            return Decided(step.record, link, step.action.tier, None, left[0])
        final = Final(bare, self._fast, fast, step.record.fast_loss)
        return Decided(step.record, link, '', final, left[0])

    def answered(
        self, sequence: int, prediction: Prediction, stamp_ns: int, latency_s: float
    ) -> Learned:
        """Take in the invoked tier's answer, on time or late."""
        waiting = self._waiting[sequence]
        outcome = Outcome(
            sequence=sequence,
            tier=waiting.tier,
            kind=OutcomeKind.LATE if waiting.answered else OutcomeKind.ANSWERED,
            stamp_ns=stamp_ns,
            latency_s=latency_s,
            evidence=classification.evidence(prediction.scores),
            class_id=prediction.class_id,
            disagreement=_disagreement(waiting.fast, prediction),
            cost=self._cost(waiting.tier),
        )
        return self._apply(outcome, prediction)

    def timed_out(self, sequence: int, stamp_ns: int, latency_s: float) -> Learned:
        """The deadline has passed: commit the fast answer, the call runs on."""
        return self._without_answer(
            OutcomeKind.TIMED_OUT, sequence, stamp_ns, latency_s, 'the deadline passed'
        )

    def failed(self, sequence: int, stamp_ns: int, latency_s: float, fault: str) -> Learned:
        """The call ended without an answer; what it cost is charged all the same."""
        return self._without_answer(OutcomeKind.FAILED, sequence, stamp_ns, latency_s, fault)

    def cancelled(self, sequence: int, stamp_ns: int, latency_s: float, why: str) -> Learned:
        """Nobody waits for the call any more, its end will not be seen; it is charged in full."""
        return self._without_answer(OutcomeKind.CANCELLED, sequence, stamp_ns, latency_s, why)

    def adjust(self, change: Change) -> Link:
        """Apply and record a change from outside the frames.

        Raises:
            ConfigError: the change does not fit; nothing is changed or recorded then.
        """
        self._controller.adjust(change)
        return self.log.append(change)

    def open_calls(self) -> list[tuple[int, bool]]:
        """Return (sequence, answered) of every call whose end is not known."""
        return [(sequence, waiting.answered) for sequence, waiting in self._waiting.items()]

    def _cost(self, tier: str) -> Cost:
        return next(t.cost for t in self._controller.settings.tiers if t.name == tier)

    def _without_answer(
        self, kind: OutcomeKind, sequence: int, stamp_ns: int, latency_s: float, detail: str
    ) -> Learned:
        tier = self._waiting[sequence].tier
        outcome = Outcome(
            sequence=sequence,
            tier=tier,
            kind=kind,
            stamp_ns=stamp_ns,
            latency_s=latency_s,
            evidence=None,
            class_id=-1,
            disagreement=None,
            cost=None if kind is OutcomeKind.TIMED_OUT else self._cost(tier),
            detail=detail,
        )
        return self._apply(outcome, None)

    def _apply(self, outcome: Outcome, prediction: Prediction | None) -> Learned:
        waiting = self._waiting[outcome.sequence]
        if waiting.answered:
            record = self._controller.learn(outcome)
        else:
            record = self._controller.resume(outcome)[1]
        if outcome.kind is OutcomeKind.TIMED_OUT:
            self._waiting[outcome.sequence] = waiting._replace(answered=True)
        else:
            del self._waiting[outcome.sequence]
        link = self.log.append(record)
        final = None
        if record.committed == self._fast:
            final = Final(waiting.frame, self._fast, waiting.fast, waiting.fast_loss)
        elif record.committed:
            final = Final(waiting.frame, waiting.tier, prediction, record.tier_loss or 0.0)
        return Learned(record, link, final, waiting.frame)


def _offer(
    frame: Frame,
    fast: Prediction | None,
    fault: str,
    situation: Situation,
    left: tuple[float, bool],
) -> Offer:
    return Offer(
        sequence=frame.sequence,
        camera=frame.camera,
        frame_id=frame.frame_id,
        stamp_ns=frame.stamp_ns,
        receive_ns=situation.receive_ns,
        decide_ns=situation.now_ns,
        digest=frame.digest,
        context=situation.context,
        stake=situation.stake,
        evidence=None if fast is None else classification.evidence(fast.scores),
        fast_class=-1 if fast is None else fast.class_id,
        remaining_s=left[0],
        skewed=left[1],
        busy=situation.busy,
        fault=frame.fault or fault,
        decodable=not frame.fault,
    )


def _disagreement(fast: Prediction | None, other: Prediction) -> float | None:
    return None if fast is None else classification.disagreement(fast, other)
