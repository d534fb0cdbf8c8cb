"""Always slow: invokes on every frame, as far as the budget lets it."""

from __future__ import annotations

from selector.gain import View
from selector.policies.baseline import Baseline


class AlwaysSlow(Baseline):
    """Wants every slower tier on every frame; the token bucket says no."""

    def net(self, view: View) -> float:
        """Return 1."""
        return 1.0
