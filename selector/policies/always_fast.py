"""Always fast: the floor of every comparison, and what the robot does without a slower tier."""

from __future__ import annotations

from selector.gain import View
from selector.policies.baseline import Baseline


class AlwaysFast(Baseline):
    """Never invokes a slower tier."""

    def net(self, view: View) -> float:
        """Return -1."""
        return -1.0
