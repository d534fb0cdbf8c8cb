"""Entropy threshold: invokes where the fast model spreads its belief over many classes."""

from __future__ import annotations

from selector.calibration import Table
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import clipped
from selector.policies.baseline import within


class EntropyThreshold(Baseline):
    """Invokes where the entropy over its maximum exceeds the threshold.

    The exit rule of BranchyNet (Teerapittayanon et al., ICPR 2016, arXiv 1709.01686).
    """

    def __init__(self, threshold: float, errors: Table | None = None) -> None:
        """Take the threshold in [-1, 1]; `errors` is P(fast wrong), only forecast.

        Raises:
            ConfigError: the threshold is not allowed.
        """
        super().__init__(errors)
        self._threshold = within('threshold', threshold, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return the entropy, 1 without a fast answer, minus the threshold."""
        entropy = 1.0 if view.evidence is None else clipped(view.evidence).entropy
        return entropy - self._threshold
