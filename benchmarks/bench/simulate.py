"""Simulate: one stream through one controller, frame by frame, as the robot would meet it."""

from __future__ import annotations

from collections import deque
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.action import Invoke
from selector.action import Step
from selector.controller import Controller
from selector.decision import REUSE
from selector.errors import SequenceError
from selector.evidence import AGE_MAX_S
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.evidence import UNSEEN
from selector.gain import GainPredictor
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.justification import Offer
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.scene import change
from selector.scene import Look
from selector.scene import overlap
from selector.settings import Settings

from benchmarks.bench.stream import Stream

FAST_S, SLOW_S = 0.002, 0.04
DEADLINE_S = 0.08


class Feedback(NamedTuple):
    """What the policy is told besides slow's answers where it invokes it.

    Attributes:
        name: as it stands in the results.
        labels: share of the frames that get a label.
        delay_frames: how many frames later the label comes.
        observed: labelled frames are audited, so that both answers are known.
        where_seen: only frames on which slow was run get their label.
        full: slow's answer is known on every frame, which no robot has.
        declared: the context topic is evidence.
    """

    name: str
    labels: float = 0.0
    delay_frames: int = 0
    observed: bool = False
    where_seen: bool = False
    full: bool = False
    declared: bool = False


NONE = Feedback('no labels')
TENTH = Feedback('labels on 10 % of frames, 60 s late', 0.1, 600, observed=True)
SEEN = Feedback('labels where slow ran', 1.0, where_seen=True)


class Trace(NamedTuple):
    """What came of each of N frames.

    Attributes:
        invoked: (N,) slow was invoked to answer.
        observed: (N,) slow was run to learn from.
        answer: (N,) committed class.
        publish_s: (N,) when the answer went out, from the first stamp [s].
        charge: (N,) calls charged.
        accrued: (N,) calls that accrued before the frame.
        scarcity: (N,) price of a call from scarcity.
        decide_s: (N,) measured time of offer, resume and learn together [s].
    """

    invoked: NDArray[np.bool_]
    observed: NDArray[np.bool_]
    answer: NDArray[np.int64]
    publish_s: NDArray[np.float64]
    charge: NDArray[np.float64]
    accrued: NDArray[np.float64]
    scarcity: NDArray[np.float64]
    decide_s: NDArray[np.float64]


class Simulation:
    """One stream, one controller, one kind of feedback."""

    def __init__(
        self, stream: Stream, settings: Settings, predictor: GainPredictor, feedback: Feedback
    ) -> None:
        """Make the controller and lay the columns of the stream ready."""
        self._stream, self._predictor, self._feedback = stream, predictor, feedback
        self.controller = Controller(settings, predictor)
        self._tier = settings.tiers[0].name
        self._cost = settings.tiers[0].cost
        self._stamps = stream.stamp_ns.tolist()
        self._fast = stream.fast_class.tolist()
        self._slow = stream.slow_class.tolist()
        self._labels = stream.label.tolist()
        self._evidence = [Evidence(*row) for row in stream.evidence.tolist()]
        self._answers = [Evidence(*row) for row in stream.slow_evidence.tolist()]
        self._scores = stream.fast_scores.tolist()
        self._context = stream.context.tolist() if feedback.declared else [''] * len(self._fast)
        self._looks = _looks(stream)
        self._views: dict[int, tuple[View, int]] = {}
        self._due: deque[tuple[int, int]] = deque()

    def run(self, seed: int) -> Trace:
        """Return the trace; `seed` draws the audits and which frames get labels."""
        count = len(self._stamps)
        draw = np.random.default_rng([77, seed])
        draws = draw.random(count).tolist()
        labelled = (draw.random(count) < self._feedback.labels).tolist()
        trace = Trace(
            np.zeros(count, np.bool_),
            np.zeros(count, np.bool_),
            np.zeros(count, np.int64),
            np.zeros(count),
            np.zeros(count),
            np.zeros(count),
            np.zeros(count),
            np.zeros(count),
        )
        accrued = 0.0
        for k in range(count):
            offer, carried = self._offer(k, draws[k], labelled[k])
            self._labels_due(k)
            start = time.perf_counter()
            step = self.controller.offer(offer)
            self._carry_out(k, step, carried, trace)
            trace.decide_s[k] = time.perf_counter() - start
            total = step.record.accrued[0]
            trace.accrued[k], accrued = total - accrued, total
            trace.scarcity[k] = step.record.scarcity[0]
            self._after(k, step, offer, carried, labelled[k])
        return trace

    def _offer(self, k: int, draw: float, labelled: bool) -> tuple[Offer, int]:
        stamp_ns = self._stamps[k]
        carried = self.controller.carried('', stamp_ns)
        scene, then = UNSEEN, -1
        if carried is not None:
            then = carried.sequence
        if self._looks is not None:
            scene = self._scene(k, then)
        offer = Offer(
            k,
            '',
            '',
            stamp_ns,
            stamp_ns,
            stamp_ns,
            '',
            self._context[k],
            1.0,
            self._evidence[k],
            self._fast[k],
            DEADLINE_S - FAST_S,
            scene=scene,
            draw=draw,
            observe=labelled and self._feedback.observed,
        )
        return offer, -1 if carried is None else carried.class_id

    def _scene(self, k: int, then: int) -> Scene:
        assert self._looks is not None
        look = self._looks[k]
        if then < 0:
            return UNSEEN._replace(sharpness=look.sharpness, exposure=look.exposure)
        age_s = (self._stamps[k] - self._stamps[then]) * 1e-9
        return Scene(
            look.sharpness,
            look.exposure,
            change(look, self._looks[then]),
            min(AGE_MAX_S, age_s),
            overlap(self._scores[k], self._scores[then]),
        )

    def _carry_out(self, k: int, step: Step, carried: int, trace: Trace) -> None:
        action, now_s = step.action, k * 0.1 + FAST_S
        if isinstance(action, Invoke):
            trace.invoked[k], trace.charge[k] = True, self._cost[0]
            answer, _ = self.controller.resume(self._outcome(k, OutcomeKind.ANSWERED, carried))
            slow_won = answer.tier == self._tier
            trace.answer[k] = self._slow[k] if slow_won else self._fast[k]
            trace.publish_s[k] = now_s + SLOW_S
            return
        reused = action.tier == REUSE
        trace.answer[k] = carried if reused else self._fast[k]
        trace.publish_s[k] = now_s
        if action.observe:
            trace.observed[k], trace.charge[k] = True, self._cost[0]
            self.controller.learn(self._outcome(k, OutcomeKind.AUDIT, carried))

    def _outcome(self, k: int, kind: OutcomeKind, carried: int) -> Outcome:
        return Outcome(
            k,
            self._tier,
            kind,
            self._stamps[k],
            SLOW_S,
            self._answers[k],
            self._slow[k],
            float(self._slow[k] != self._fast[k]),
            self._cost,
            None if carried < 0 else float(self._slow[k] != carried),
        )

    def _after(self, k: int, step: Step, offer: Offer, carried: int, labelled: bool) -> None:
        """Hand over what this kind of feedback knows beyond the calls."""
        source = step.record.carried_tier
        view = View(offer.evidence, offer.scene, offer.context, source)
        seen = isinstance(step.action, Invoke) or bool(step.action.observe)
        if self._feedback.full:
            if not seen:
                self._tell_all(k, view, carried)
            if labelled:
                self._predictor.label(self._truth(k, view))
        elif labelled and (seen or not self._feedback.where_seen):
            self._due.append((k + self._feedback.delay_frames, k))

    def _tell_all(self, k: int, view: View, carried: int) -> None:
        stale = None if carried < 0 else float(self._slow[k] != carried)
        differs = float(self._slow[k] != self._fast[k])
        self._predictor.observe(Observation(self._tier, view, differs, stale))

    def _truth(self, k: int, view: View) -> Truth:
        fast, slow, label = self._fast[k], self._slow[k], self._labels[k]
        return Truth(
            view, float(fast != label), self._tier, float(slow != label), float(slow != fast)
        )

    def _labels_due(self, k: int) -> None:
        while self._due and self._due[0][0] < k:
            _, frame = self._due.popleft()
            fast, slow, label = self._fast[frame], self._slow[frame], self._labels[frame]
            outcome = Outcome(
                frame,
                self._tier,
                OutcomeKind.LABEL,
                self._stamps[k],
                0.0,
                None,
                label,
                None,
                None,
                fast_label_loss=float(fast != label),
                tier_label_loss=float(slow != label),
            )
            try:
                self.controller.learn(outcome)
            except SequenceError as err:  # a label must never be lost in a benchmark
                raise AssertionError(f'frame {frame}: {err}') from err


def _looks(stream: Stream) -> list[Look] | None:
    if stream.thumbnail is None:
        return None
    rows = zip(stream.sharpness.tolist(), stream.exposure.tolist(), strict=True)
    return [Look(thumbnail, *row) for thumbnail, row in zip(stream.thumbnail, rows, strict=True)]
