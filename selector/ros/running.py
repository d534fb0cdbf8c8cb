"""Running: what exists from configure to cleanup, and how it starts, pauses and ends."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from selector.mission_budget import resources
from selector.ros.declared import Declared
from selector.ros.diagnostics import Diagnostics
from selector.ros.diagnostics import Health
from selector.ros.energy_watch import EnergyWatch
from selector.ros.mission import close_mission
from selector.ros.mission import Mission
from selector.ros.parameters import Parameters
from selector.ros.publishers import Publishers
from selector.ros.stream import Stream
from selector.ros.vision import BESIDE
from selector.ros.vision import vision_type
from selector.settings import Change
from selector.workers.process_worker import ProcessWorker
from selector_msgs.msg import Decision
from selector_msgs.msg import Label
from selector_msgs.msg import Outcome
from selector_msgs.msg import Prediction
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image

SHADOW, STAKE, BUDGET = 'decision.shadow', 'decision.stake', 'budget.'
_RECORD_DEPTH, _ANSWER_DEPTH, _LABEL_DEPTH = 1000, 100, 1000
_RELIABILITY = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}
# A model that has not ended by then is left behind: who sends SIGTERM sends SIGKILL 5 s later.
_STOP_S = 2.0
_ACKNOWLEDGE_S = 0.5


class Running:
    """One mission on the node: publishers, subscriptions, the stream between them, its health."""

    def __init__(self, node: Node, mission: Mission, settings: Parameters) -> None:
        """Create the publishers; nothing is received yet."""
        self.folder = mission.folder
        self._node, self._mission, self._settings = node, mission, settings
        config = settings.config
        records = QoSProfile(depth=_RECORD_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        answers = QoSProfile(depth=_ANSWER_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        self._publishers = Publishers(
            node.create_publisher(Prediction, '~/prediction', answers),
            node.create_publisher(Decision, '~/decision', records),
            node.create_publisher(Outcome, '~/outcome', records),
            self._beside(answers),
        )
        self._inputs: list[Subscription] = []
        self._declared = Declared(node, config.context, config.decision.stake)
        self._stream = Stream(
            node, mission, lambda: settings.config, self._declared, self._publishers
        )
        self._energy = EnergyWatch(node, config.energy, mission.call_energy)
        self._diagnostics = Diagnostics(node.get_name(), node.get_fully_qualified_name())
        self._health = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # A simulated clock that stands still must not hide the node's health.
        self._timer = node.create_timer(
            1.0, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def _beside(self, qos: QoSProfile) -> Publisher | None:
        """Return where answers go in vision_msgs, None where that is not installed."""
        task = self._mission.task.name
        kind = vision_type(task)
        return None if kind is None else self._node.create_publisher(kind, BESIDE[task][1], qos)

    def activate(self) -> None:
        """Subscribe."""
        image = self._settings.config.image
        qos = QoSProfile(depth=image.queue_depth, reliability=_RELIABILITY[image.reliability])
        stream = self._stream
        self._declared.open()
        self._inputs = [
            self._node.create_subscription(Image, 'image_raw', stream.receive_raw, qos),
            self._node.create_subscription(
                CompressedImage, 'image_raw/compressed', stream.receive_compressed, qos
            ),
            self._node.create_subscription(Label, '~/label', stream.receive_label, _LABEL_DEPTH),
        ]

    def deactivate(self) -> None:
        """Unsubscribe and answer what waits; the log stays open."""
        for subscription in self._inputs:
            self._node.destroy_subscription(subscription)
        self._inputs.clear()
        self._declared.close()
        self._stream.pause()

    def end(self) -> bool:
        """Deactivate and close the log; return whether the slow model's thread has ended.

        Raises:
            LogError: the summary cannot be written; the log is closed all the same.
        """
        self.deactivate()
        ended = self._stream.end(_STOP_S)
        self._node.destroy_timer(self._timer)
        self._energy.close()
        try:
            close_mission(self._mission, self._stream.tally)
        finally:
            for publisher in (*self._publishers, self._health):
                if publisher is None:
                    continue
                if self._node.context.ok():  # the last answers are still on their way
                    publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))
                self._node.destroy_publisher(publisher)
        return ended

    def adjust(self, names: frozenset[str], author: str) -> None:
        """Apply changed parameters; the log records those that change a decision.

        Args:
            names: of the parameters that were set.
            author: who set them, for the log.
        """
        config = self._settings.config
        if STAKE in names:
            self._declared.stake = config.decision.stake
        budget = any(name.startswith(BUDGET) for name in names)
        if budget or SHADOW in names:
            change = Change(
                self._node.get_clock().now().nanoseconds,
                author,
                shadow=config.decision.shadow if SHADOW in names else None,
                resources=resources(config) if budget else None,
            )
            self._stream.adjust(change)

    def _report(self) -> None:
        now = self._node.get_clock().now()
        config, declared = self._settings.config, self._declared
        self._energy.update(self._stream.tally, now.nanoseconds * 1e-9)
        worker = self._mission.slow
        health = Health(
            active=bool(self._inputs),
            shadow=config.decision.shadow,
            stake=declared.stake,
            context=declared.context(now.nanoseconds),
            context_age_s=declared.context_age_s(now.nanoseconds),
            resources=tuple(r.name for r in self._mission.header.settings.resources),
            busy_since_s=self._stream.busy_since_s(),
            slow_p99_s=self._mission.latency.p99_s,
            records_lost=self._mission.perception.log.lost,
            slow_restarts=worker.restarts if isinstance(worker, ProcessWorker) else 0,
            slow_fault=worker.last_fault if isinstance(worker, ProcessWorker) else '',
            slow_ready=worker.ready if isinstance(worker, ProcessWorker) else True,
            energy=self._energy.values(),
            energy_warning=self._energy.warning,
        )
        self._health.publish(self._diagnostics.report(self._stream.tally, health, now.to_msg()))
