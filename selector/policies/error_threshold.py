"""Error threshold: invokes where the fast model is probably wrong, by all of its evidence."""

from __future__ import annotations

from selector.calibration import checked
from selector.calibration import Table
from selector.evidence import EVIDENCE_NAMES
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import within


class ErrorThreshold(Baseline):
    """Invokes where the calibrated P(fast wrong | confidence, margin, entropy) is high.

    It knows nothing about the slower tiers: where both models fail it still invokes.
    """

    reference = 'LABEL'

    def __init__(self, threshold: float, errors: Table) -> None:
        """Take the threshold on P(fast wrong) in [-1, 1] and the table from evidence (3,) to it.

        Raises:
            ConfigError: the threshold is not allowed.
            InputError: the table is not usable.
        """
        super().__init__(checked(errors, len(EVIDENCE_NAMES)))
        self._threshold = within('threshold', threshold, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return P(fast wrong) minus the threshold."""
        return self.fast_wrong(view.evidence) - self._threshold
