"""Stream: the way of the images through the node: in, decided, waited for, out in order.

Everything here runs in the executor's thread. The slow model's thread only puts what it found on a
queue and wakes the executor.
"""

from __future__ import annotations

from collections.abc import Callable
import contextlib
import math
import queue
import time

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from selector.build import FAST
from selector.build import SLOW
from selector.config import Config
from selector.errors import InputError
from selector.errors import PredictionError
from selector.errors import SequenceError
from selector.frame import Frame
from selector.perception import Decided
from selector.perception import Final
from selector.perception import Learned
from selector.prediction import Origin
from selector.prediction import Prediction
from selector.ros import label
from selector.ros.call import Call
from selector.ros.call import Source
from selector.ros.conversions import frame_from_compressed
from selector.ros.conversions import frame_from_raw
from selector.ros.conversions import outcome_to_ros
from selector.ros.conversions import prediction_to_ros
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.decision_message import decision_to_ros
from selector.ros.declared import Declared
from selector.ros.mission import Mission
from selector.ros.outbox import Outbox
from selector.ros.publishers import Publishers
from selector.ros.tally import Tally
from selector.ros.twins import Twins
from selector.ros.vision import prediction_to_vision
from selector.settings import Change
from selector.situation import Situation
from selector.workers.worker import close
from selector.workers.worker import Finished
from selector.workers.worker import run
from selector_msgs.msg import Label
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header

_CAMERA = ''


class Stream:
    """Takes images in, and sends one decision and one final answer out for each."""

    def __init__(
        self,
        node: Node,
        mission: Mission,
        config: Callable[[], Config],
        declared: Declared,
        publishers: Publishers,
    ) -> None:
        """Take the parts; `config` gives the snapshot of the moment."""
        self.tally = Tally()
        self._node, self._mission, self._config = node, mission, config
        self._declared, self._publishers = declared, publishers
        self._outbox: Outbox[tuple[Final, Source]] = Outbox()
        self._sequence = 0
        self._latest_ns: int | None = None
        self._twins = Twins()
        self._budget = mission.header.settings.resources
        self._named = mission.header.task, mission.header.labels
        self._call: Call | None = None
        self._waits = False
        self._finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self._news = node.create_guard_condition(self._drain)
        # Deadlines are promises in real time: a paused or simulated clock must not stop them.
        self._alarm = node.create_timer(
            1.0, self._overdue, clock=Clock(clock_type=ClockType.STEADY_TIME), autostart=False
        )
        self._worker = mission.slow
        self._worker.done = self._ended

    def receive_compressed(self, msg: CompressedImage) -> None:
        """Take in one compressed image."""
        source = self._source(msg.header)
        if not self._twin(msg):
            self._take(frame_from_compressed(msg, self._sequence, _CAMERA), source)

    def receive_raw(self, msg: Image) -> None:
        """Take in one raw image."""
        source = self._source(msg.header)
        if not self._twin(msg):
            self._take(frame_from_raw(msg, self._sequence, _CAMERA), source)

    def receive_label(self, msg: Label) -> None:
        """Take in what is right about an earlier frame; what fits none is counted, not fatal."""
        self._drain()
        try:
            found = label.learned(msg, self._mission, self._now_ns())
        except (InputError, SequenceError) as err:
            self.tally.labels_refused += 1
            self._node.get_logger().warning(f'label is ignored: {err}', throttle_duration_sec=5.0)
            return
        self._publish_outcome(*found)

    def adjust(self, change: Change) -> None:
        """Apply and record a change from outside the frames.

        Raises:
            ConfigError: the change does not fit; nothing has changed then.
        """
        self._drain()
        self._mission.perception.adjust(change)
        if change.resources is not None:
            self._budget = change.resources

    def pause(self) -> None:
        """Answer what waits now, without the slow model."""
        self._drain()
        self._time_out()

    def end(self, timeout_s: float) -> bool:
        """Answer what waits, end the slow model's thread; return whether it did end in time."""
        self.pause()
        ended = self._worker.stop(timeout_s)
        close(self._mission.fast)
        self._drain()
        if self._call is not None:
            call, elapsed_s = self._call, time.perf_counter() - self._call.start_s
            self._call = None
            why = 'the mission ended while the call was running'
            cancelled = self._mission.perception.cancelled(
                call.sequence, self._now_ns(), elapsed_s, why
            )
            self._publish_outcome(cancelled, call.source)
        self._node.destroy_guard_condition(self._news)
        self._node.destroy_timer(self._alarm)
        return ended

    def busy_since_s(self) -> float:
        """Return for how long the slow model has been running [s], 0 when it is idle."""
        return 0.0 if self._call is None else time.perf_counter() - self._call.start_s

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _source(self, header: Header) -> Source:
        return Source(header, self._now_ns(), time.perf_counter())

    def _twin(self, msg: CompressedImage | Image) -> bool:
        twin = self._twins.seen(stamp_ns_from_ros(msg.header.stamp), type(msg))
        self.tally.duplicates += twin
        return twin

    def _take(self, frame: Frame, source: Source) -> None:
        """Decide about one frame; answer it, or invoke the slow model."""
        self._sequence += 1
        self._notice_rewind(frame)
        fast, fault = self._run_fast(frame)
        self._drain()  # what ended in the meantime counts before the decision, not after
        situation = Situation(
            source.receive_ns,
            self._now_ns(),
            self._declared.context(source.receive_ns),
            self._declared.stake,
            (SLOW,) if self._call is not None or self._worker.busy else (),
            zone=self._declared.zone(source.receive_ns),
            time_to_collision_s=self._declared.time_to_collision_s(source.receive_ns),
        )
        start_s = time.perf_counter()
        decided = self._mission.perception.begin(frame, fast, fault, situation)
        self._outbox.expect(_CAMERA, frame.sequence)
        self.tally.decided(decided.record)
        self._publish_decision(decided, source)
        if decided.final is not None:
            self._answer(decided.final, source)
        if decided.invoke:
            self._invoke(frame, source, start_s + decided.remaining_s)
        elif decided.observe:
            self._observe(frame, source)
        if self._config().publish.mode == 'provisional_then_final' and fast is not None:
            self._preview(Final(frame, FAST, fast, decided.record.fast_loss), source)

    def _run_fast(self, frame: Frame) -> tuple[Prediction | None, str]:
        if frame.image is None:
            return None, ''
        try:
            origin = Origin(frame.stamp_ns, frame.frame_id)
            return run(self._mission.fast, frame.image, self._mission.task, origin), ''
        except PredictionError as err:
            return None, str(err)

    def _notice_rewind(self, frame: Frame) -> None:
        """Tell the budget when the stamps were set back (a bag played again, a clock set)."""
        latest, stamp_ns = self._latest_ns, frame.stamp_ns
        gap_ns = int(self._config().budget.gap_max_s * 1e9)
        if latest is not None and stamp_ns < latest - gap_ns:
            self.adjust(Change(self._now_ns(), 'clock', rewind_ns=stamp_ns))
            self.tally.rewinds += 1
            latest = None
        self._latest_ns = stamp_ns if latest is None else max(latest, stamp_ns)

    def _invoke(self, frame: Frame, source: Source, due_s: float) -> None:
        now_s = time.perf_counter()
        allowed_s = max(0.0, due_s - now_s)
        self._submit(frame, Call(frame.sequence, source, now_s, allowed_s))
        self._waits = True
        self._alarm.timer_period_ns = int(allowed_s * 1e9)
        self._alarm.reset()

    def _observe(self, frame: Frame, source: Source) -> None:
        """Have the slow model look at a frame whose answer is out already; nobody waits for it."""
        now_s = time.perf_counter()
        self._submit(frame, Call(frame.sequence, source, now_s, math.inf))

    def _submit(self, frame: Frame, call: Call) -> None:
        assert frame.image is not None  # the controller invokes nothing on an undecodable frame
        self._call, self._waits = call, False
        origin = Origin(frame.stamp_ns, frame.frame_id)
        self._worker.submit(frame.sequence, frame.image, origin)

    def _ended(self, finished: Finished) -> None:
        """Hand a result over; called in the slow model's thread."""
        self._finished.put(finished)
        # The node may be gone by the time a call ends that nobody waits for any more.
        with contextlib.suppress(rclpy_implementation.InvalidHandle):
            self._news.trigger()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._settle(self._finished.get_nowait())

    def _settle(self, finished: Finished) -> None:
        """Take in how the call ended, on time or late."""
        call = self._call
        assert call is not None and call.sequence == finished.sequence
        if finished.latency_s > call.allowed_s:  # late, though nobody has looked since
            self._time_out()
        self._call, self._waits = None, False
        self._alarm.cancel()
        perception, now_ns = self._mission.perception, self._now_ns()
        prediction, latency_s = finished.prediction, finished.latency_s
        if prediction is None:
            learned = perception.failed(call.sequence, now_ns, latency_s, finished.fault)
        else:
            learned = perception.answered(call.sequence, prediction, now_ns, latency_s)
        self._publish_outcome(learned, call.source)

    def _overdue(self) -> None:
        self._alarm.cancel()
        self._drain()
        self._time_out()

    def _time_out(self) -> None:
        """Commit the fast answer of the frame that waits, if one does; the call runs on."""
        if self._call is None or not self._waits:
            return
        self._waits = False
        self._alarm.cancel()
        call, elapsed_s = self._call, time.perf_counter() - self._call.start_s
        learned = self._mission.perception.timed_out(call.sequence, self._now_ns(), elapsed_s)
        self._publish_outcome(learned, call.source)

    def _publish_decision(self, decided: Decided, source: Source) -> None:
        msg = decision_to_ros(
            decided.record,
            decided.link,
            source.header,
            self._mission.header,
            budget=self._budget,
            publish_ns=self._now_ns(),
        )
        self._publishers.decision.publish(msg)

    def _publish_outcome(self, learned: Learned, source: Source) -> None:
        self.tally.learned(learned.record)
        mission_id = self._mission.header.mission_id
        msg = outcome_to_ros(learned, source.header, mission_id)
        self._publishers.outcome.publish(msg)
        if learned.final is not None:
            self._answer(learned.final, source)

    def _answer(self, final: Final, source: Source) -> None:
        """Publish a final answer, and those that it held back."""
        leaving = self._outbox.put(_CAMERA, final.frame.sequence, (final, source))
        for answer, origin in leaving:
            msg = prediction_to_ros(answer, origin.header, *self._named)
            self._publishers.prediction.publish(msg)
            if self._publishers.vision is not None:
                self._publishers.vision.publish(prediction_to_vision(msg))
            self.tally.answered(time.perf_counter() - origin.receive_s)

    def _preview(self, final: Final, source: Source) -> None:
        """Publish the fast answer at once where the final one has to wait."""
        if not self._outbox.expected:
            return
        msg = prediction_to_ros(final, source.header, *self._named, provisional=True)
        self._publishers.prediction.publish(msg)
