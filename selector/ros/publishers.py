"""Publishers: where answers, decisions and outcomes go."""

from __future__ import annotations

from typing import NamedTuple

from rclpy.publisher import Publisher


class Publishers(NamedTuple):
    """One for each message; `vision` for answers in vision_msgs, None without that package."""

    prediction: Publisher
    decision: Publisher
    outcome: Publisher
    vision: Publisher | None = None
