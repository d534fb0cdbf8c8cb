"""Declared: what others say about the situation, the context and the stake."""

from __future__ import annotations

import math

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from std_msgs.msg import Float32
from std_msgs.msg import String


class Declared:
    """The latest context and stake, as the topics `context` and `stake` bring them.

    Attributes:
        stake: w >= 0; a parameter sets it too, the later word counts.
    """

    def __init__(self, node: Node, max_age_s: float, stake: float) -> None:
        """Take the age at which a context counts as unknown [s] and the first stake."""
        self.stake = stake
        self._node = node
        self._max_age_s = max_age_s
        self._context, self._context_ns = '', 0
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
        fresh = abs(now_ns - self._context_ns) * 1e-9 <= self._max_age_s
        return self._context if fresh else ''

    def context_age_s(self, now_ns: int) -> float | None:
        """Return the time since the context was last declared [s], None when it never was."""
        return (now_ns - self._context_ns) * 1e-9 if self._context_ns else None

    def _hear_context(self, msg: String) -> None:
        self._context, self._context_ns = msg.data, self._node.get_clock().now().nanoseconds

    def _hear_stake(self, msg: Float32) -> None:
        value = float(msg.data)
        if not math.isfinite(value) or value < 0.0:
            self._node.get_logger().warning(
                f'stake = {value} is ignored; it is a finite number >= 0 (still {self.stake})',
                throttle_duration_sec=5.0,
            )
            return
        self.stake = value
