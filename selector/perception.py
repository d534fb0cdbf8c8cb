"""Perception: one frame's way from the fast answer to the committed one, whoever runs the models.

The shells (node, replay) run models and wait; this object turns what they saw into offers and
outcomes, asks the controller, writes the log and says which answer goes out. Times come in as
values.
"""

from __future__ import annotations

from typing import NamedTuple

from selector.action import Invoke
from selector.album import Album
from selector.album import Kept
from selector.album import look_at
from selector.album import Page
from selector.arrival import remaining
from selector.audit import AuditLog
from selector.audit import Link
from selector.controller import Controller
from selector.cost import Cost
from selector.decision import REUSE
from selector.draw import draw
from selector.errors import InputError
from selector.errors import PredictionError
from selector.errors import SequenceError
from selector.evidence import Scene
from selector.frame import Frame
from selector.justification import Justification
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.prediction import Prediction
from selector.settings import Change
from selector.situation import Situation
from selector.task import Task
from selector.tasks.classification import Classification


class Final(NamedTuple):
    """A frame's committed answer.

    Attributes:
        frame: the frame (without its pixels).
        tier: whose answer it is; `reuse` for one that is carried on.
        prediction: the answer, None when there is none.
        loss: calibrated P(wrong) of the answer, 1 when there is none.
        age_s: age of the image behind the answer [s]; 0 for this very image.
    """

    frame: Frame
    tier: str
    prediction: Prediction | None
    loss: float
    age_s: float = 0.0


class Decided(NamedTuple):
    """What came of one frame: invoke a tier, or a final answer at once.

    Attributes:
        record, link: the decision and its place in the log.
        invoke: tier to run while the frame waits, '' for none.
        final: the answer, None while the frame waits.
        remaining_s: time left until the frame's deadline [s].
        observe: tier to run on the frame although it has been answered, '' for none.
    """

    record: Justification
    link: Link
    invoke: str
    final: Final | None
    remaining_s: float
    observe: str = ''


class Learned(NamedTuple):
    """What came of one outcome.

    Attributes:
        record, link: the outcome and its place in the log.
        final: the answer that it commits, None where it commits none.
        frame: the frame it is about (without its pixels).
        label_loss: of a label, loss of the answer that was committed, None where there is none.
    """

    record: OutcomeRecord
    link: Link
    final: Final | None
    frame: Frame
    label_loss: float | None = None


class _Waiting(NamedTuple):
    """A frame with an open call: on its way to an answer, or answered while the call runs on."""

    page: Page
    tier: str
    answered: bool
    audit: bool
    reuse: Final | None = None


class Perception:
    """Joins models' answers, the controller and the log; holds what frames wait for."""

    def __init__(
        self,
        controller: Controller,
        log: AuditLog,
        deadline_s: float,
        max_skew_s: float,
        *,
        key: bytes = b'',
        looks: bool = True,
        task: Task | None = None,
    ) -> None:
        """Take the parts.

        Args:
            controller, log: the parts.
            deadline_s: time from a frame's stamp to its deadline [s].
            max_skew_s: largest believable difference of stamp and receipt [s].
            key: with which the audits are drawn; without one nothing is audited.
            looks: take in what the images look like; false where no decision depends on it.
            task: what an answer is; None for classification among the settings' labels.
        """
        self.log = log
        self.controller, self._key, self._looks = controller, key, looks
        self._timing = deadline_s, max_skew_s
        settings = controller.settings
        self._fast = settings.fast
        self._costs = {tier.name: tier.cost for tier in settings.tiers}
        self._task: Task = Classification(len(settings.labels)) if task is None else task
        self._album = Album(settings.fast, settings.remember_frames, self._task)
        self._waiting: dict[int, _Waiting] = {}

    def begin(
        self, frame: Frame, fast: Prediction | None, fault: str, situation: Situation
    ) -> Decided:
        """Decide about a frame that the fast model has answered, or failed to (`fault`)."""
        seen = (situation.look or look_at(frame)) if self._looks else None
        bare = frame if frame.image is None else frame._replace(image=None)
        page = Page(bare, seen, situation.track, fast)
        carried = self.controller.carried(frame.camera, frame.stamp_ns)
        kept = self._album.kept(page, carried)
        offer = self._offer(page, fault, situation, self._album.scene(page, carried))
        step = self.controller.offer(offer)
        record = step.record
        link = self.log.append(record)
        page = page._replace(fast_loss=record.fast_loss, carried=kept.prediction)
        if isinstance(step.action, Invoke):
            self._album.put(page)
            reuse = self._at_once(page, REUSE, kept, record.stale) if kept.prediction else None
            self._waiting[frame.sequence] = _Waiting(page, step.action.tier, False, False, reuse)
            return Decided(record, link, step.action.tier, None, offer.remaining_s)
        observe = step.action.observe
        if observe:
            self._waiting[frame.sequence] = _Waiting(page, observe, True, True)
        final = self._at_once(page, step.action.tier, kept, record.stale)
        self._album.put(page, final.prediction)
        return Decided(record, link, '', final, offer.remaining_s, observe)

    def answered(
        self, sequence: int, prediction: Prediction, stamp_ns: int, latency_s: float
    ) -> Learned:
        """Take in the invoked tier's answer, on time, late or to an audit."""
        waiting = self._waiting[sequence]
        kind = OutcomeKind.LATE if waiting.answered else OutcomeKind.ANSWERED
        outcome = Outcome(
            sequence=sequence,
            tier=waiting.tier,
            kind=OutcomeKind.AUDIT if waiting.audit else kind,
            stamp_ns=stamp_ns,
            latency_s=latency_s,
            evidence=self._task.evidence(prediction),
            class_id=prediction.class_id,
            disagreement=self._disagreement(waiting.page.fast, prediction),
            stale=self._disagreement(waiting.page.carried, prediction),
            cost=self._costs[waiting.tier],
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

    def labelled(self, sequence: int, truth: Prediction, stamp_ns: int) -> Learned:
        """Take in what was true of a frame, in the form of an answer, known at `stamp_ns` [ns].

        Raises:
            SequenceError: the frame is unknown, forgotten, or has its label already.
            InputError: it is no truth of the models' task, or there is no such class.
        """
        try:
            self._task.check_truth(truth)
        except PredictionError as err:
            raise InputError(f'the label of frame {sequence} {err}') from err
        known = self._album.named(sequence)
        if known is None:
            raise SequenceError(f'frame {sequence} is not remembered', sequence=sequence)
        losses = [self._loss(a, truth) for a in (known.fast, known.slow, known.committed)]
        outcome = Outcome(
            sequence=sequence,
            tier=known.tier,
            kind=OutcomeKind.LABEL,
            stamp_ns=stamp_ns,
            latency_s=0.0,
            evidence=None,
            class_id=truth.class_id,
            disagreement=None,
            cost=None,
            fast_label_loss=losses[0],
            tier_label_loss=losses[1],
        )
        record = self.controller.learn(outcome)
        return Learned(record, self.log.append(record), None, known.frame, losses[2])

    def sequence_at(self, stamp_ns: int) -> int:
        """Return the number of the latest remembered frame with this stamp [ns].

        Raises:
            SequenceError: there is none.
        """
        found = self._album.at(stamp_ns)
        if found is None:
            raise SequenceError(f'no remembered frame has the stamp {stamp_ns}', stamp_ns=stamp_ns)
        return found

    def adjust(self, change: Change) -> Link:
        """Apply and record a change from outside the frames.

        Raises:
            ConfigError: the change does not fit; nothing is changed or recorded then.
        """
        self.controller.adjust(change)
        return self.log.append(change)

    def open_calls(self) -> list[tuple[int, bool]]:
        """Return (sequence, answered) of every call whose end is not known."""
        return [(sequence, waiting.answered) for sequence, waiting in self._waiting.items()]

    def _offer(self, page: Page, fault: str, situation: Situation, scene: Scene) -> Offer:
        frame, fast = page.frame, page.fast
        times = frame.stamp_ns, situation.receive_ns, situation.now_ns
        remaining_s, skewed = remaining(*times, *self._timing)
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
            evidence=None if fast is None else self._task.evidence(fast),
            fast_class=-1 if fast is None else fast.class_id,
            also_seen=() if fast is None else self._task.classes(fast)[1:],
            remaining_s=remaining_s,
            skewed=skewed,
            busy=situation.busy,
            fault=frame.fault or fault,
            decodable=not frame.fault,
            scene=scene,
            track=situation.track,
            zone=situation.zone,
            time_to_collision_s=situation.time_to_collision_s,
            draw=draw(self._key, frame.sequence) if self._key else 1.0,
            observe=situation.observe,
        )

    def _at_once(self, page: Page, tier: str, kept: Kept, stale: float) -> Final:
        if tier != REUSE:
            return Final(page.frame, self._fast, page.fast, page.fast_loss)
        loss = 1.0 - (1.0 - stale) * (1.0 - kept.loss)
        return Final(page.frame, REUSE, kept.prediction, loss, kept.age_s)

    def _without_answer(
        self, kind: OutcomeKind, sequence: int, stamp_ns: int, latency_s: float, detail: str
    ) -> Learned:
        tier = self._waiting[sequence].tier
        cost: Cost | None = None if kind is OutcomeKind.TIMED_OUT else self._costs[tier]
        outcome = Outcome(
            sequence=sequence,
            tier=tier,
            kind=kind,
            stamp_ns=stamp_ns,
            latency_s=latency_s,
            evidence=None,
            class_id=-1,
            disagreement=None,
            cost=cost,
            detail=detail,
        )
        return self._apply(outcome, None)

    def _apply(self, outcome: Outcome, prediction: Prediction | None) -> Learned:
        waiting = self._waiting[outcome.sequence]
        if waiting.answered:
            record = self.controller.learn(outcome)
        else:
            record = self.controller.resume(outcome)[1]
        if outcome.kind is OutcomeKind.TIMED_OUT:
            self._waiting[outcome.sequence] = waiting._replace(answered=True)
        else:
            del self._waiting[outcome.sequence]
        link = self.log.append(record)
        page = waiting.page
        if prediction is not None:
            page = page._replace(slow=prediction, slow_loss=record.tier_loss or 0.0)
            self._keep(page, outcome.tier)
        final = None
        if record.committed == self._fast:
            final = Final(page.frame, self._fast, page.fast, page.fast_loss)
        elif record.committed == REUSE:
            final = waiting.reuse
        elif record.committed:
            final = Final(page.frame, waiting.tier, prediction, page.slow_loss)
        if final is not None:
            self._album.committed(outcome.sequence, final.prediction)
        return Learned(record, link, final, page.frame)

    def _keep(self, page: Page, tier: str) -> None:
        """Keep an answer; the controller knows whether it is carried on from now."""
        camera, next_ns = page.frame.camera, page.frame.stamp_ns + 1
        carried = self.controller.carried(camera, next_ns)
        mine = carried is not None and carried.sequence == page.frame.sequence
        self._album.answered(page, tier, carried=mine)

    def _disagreement(self, one: Prediction | None, other: Prediction) -> float | None:
        return None if one is None else self._task.disagreement(one, other)

    def _loss(self, answer: Prediction | None, truth: Prediction) -> float | None:
        return None if answer is None else self._task.loss(answer, truth)
