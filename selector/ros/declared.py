"""Declared: what others say about the situation: context, stake, zone, time to collision."""

from __future__ import annotations

import math

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from selector.config import ContextConfig
from std_msgs.msg import Float32
from std_msgs.msg import String


class Declared:
    """The latest words on the topics `context`, `stake`, `zone` and `time_to_collision`.

    Attributes:
        stake: w >= 0; a parameter sets it too, the later word counts.
    """

    def __init__(self, node: Node, config: ContextConfig, stake: float) -> None:
        """Take the ages at which a word counts as unknown, and the first stake."""
        self.stake = stake
        self._node, self._config = node, config
        self._context, self._context_ns = '', 0
        self._zone, self._zone_ns = '', 0
        self._collision_s, self._collision_ns = math.nan, 0
        self._subscriptions: list[Subscription] = []

    def open(self) -> None:
        """Subscribe.

        A latched value reaches only a transient_local subscription, and that one does not match a
        volatile publisher: each kind of publisher has a subscription of its own. From a latched
        publisher both deliver, which changes nothing. That a volatile one does not suit the second
        subscription is expected here; its own process may warn of it all the same.
        """
        expected = SubscriptionEventCallbacks(use_default_callbacks=False)
        for durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
            qos = QoSProfile(
                depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=durability
            )
            self._subscriptions += [
                self._node.create_subscription(kind, topic, hear, qos, event_callbacks=expected)
                for kind, topic, hear in (
                    (String, 'context', self._hear_context),
                    (Float32, 'stake', self._hear_stake),
                    (String, 'zone', self._hear_zone),
                    (Float32, 'time_to_collision', self._hear_collision),
                )
            ]

    def close(self) -> None:
        """Unsubscribe; the last values stay."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def context(self, now_ns: int) -> str:
        """Return the context at `now_ns` (node clock [ns]), '' when unknown or stale.

        One from the future, heard before the clock was set back, is as stale as an old one.
        """
        return self._context if self._fresh(self._context_ns, now_ns) else ''

    def zone(self, now_ns: int) -> str:
        """Return the zone at `now_ns` [ns], '' when unknown or stale."""
        return self._zone if self._fresh(self._zone_ns, now_ns) else ''

    def time_to_collision_s(self, now_ns: int) -> float | None:
        """Return the time to collision at `now_ns` [ns] as last told, None when unknown or stale.

        What has passed since then is taken off: it was told about an earlier moment.
        """
        age_s = (now_ns - self._collision_ns) * 1e-9
        most_s = self._config.time_to_collision_max_age_s
        if not math.isfinite(self._collision_s) or not 0.0 <= age_s <= most_s:
            return None
        return self._collision_s - age_s

    def context_age_s(self, now_ns: int) -> float | None:
        """Return the time since the context was last declared [s], None when it never was."""
        return (now_ns - self._context_ns) * 1e-9 if self._context_ns else None

    def _fresh(self, heard_ns: int, now_ns: int) -> bool:
        return abs(now_ns - heard_ns) * 1e-9 <= self._config.max_age_s

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _hear_zone(self, msg: String) -> None:
        self._zone, self._zone_ns = msg.data, self._now_ns()

    def _hear_collision(self, msg: Float32) -> None:
        """Take in a time to collision; one that is no number says that it is unknown."""
        self._collision_s, self._collision_ns = float(msg.data), self._now_ns()

    def _hear_context(self, msg: String) -> None:
        self._context, self._context_ns = msg.data, self._now_ns()

    def _hear_stake(self, msg: Float32) -> None:
        value = float(msg.data)
        if not math.isfinite(value) or value < 0.0:
            self._node.get_logger().warning(
                f'stake = {value} is ignored; it is a finite number >= 0 (still {self.stake})',
                throttle_duration_sec=5.0,
            )
            return
        self.stake = value
