"""Margin threshold: invokes where the fast model hesitates between two classes."""

from __future__ import annotations

from selector.calibration import Table
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import clipped
from selector.policies.baseline import within


class MarginThreshold(Baseline):
    """Invokes where 1 - margin exceeds the threshold.

    The "score margin" of big/little networks (Park et al., CODES+ISSS 2015).
    """

    def __init__(self, threshold: float, errors: Table | None = None) -> None:
        """Take the threshold in [-1, 1]; `errors` is P(fast wrong), only forecast.

        Raises:
            ConfigError: the threshold is not allowed.
        """
        super().__init__(errors)
        self._threshold = within('threshold', threshold, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return 1 - margin, 1 without a fast answer, minus the threshold."""
        margin = 0.0 if view.evidence is None else clipped(view.evidence).margin
        return 1.0 - margin - self._threshold
