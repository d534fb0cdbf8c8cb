"""Priced static: the fitted gain under our prices, never learned from what is seen."""

from __future__ import annotations

from selector.calibration import checked
from selector.calibration import Table
from selector.evidence import EVIDENCE_NAMES
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import clipped
from selector.policies.baseline import within


class PricedStatic(Baseline):
    """Prices without learning: the ablation of the online learner.

    This baseline USES THE PRICE: it has no threshold of its own, its gain is an accuracy, and it
    runs with the exchange rate and ceiling of our own policy.
    """

    reference = 'LABEL'

    def __init__(
        self, disagreement: Table, khat: float = 1.0, errors: Table | None = None
    ) -> None:
        """Take what was fitted offline.

        Args:
            disagreement: from evidence (3,) to P(the tier's answer differs from the fast one).
            khat: share of a disagreement by which the tier is better, in [-1, 1].
            errors: from evidence (3,) to P(fast wrong); None: 1 - confidence.

        Raises:
            ConfigError: khat is out of range.
            InputError: the table is not usable.
        """
        super().__init__(errors)
        self._disagreement = checked(disagreement, len(EVIDENCE_NAMES))
        self._khat = within('khat', khat, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return the gain, which the controller prices."""
        return self._gain(view).mean

    def forecast(self, view: View, tiers: tuple[str, ...]) -> Forecast:
        """See `GainPredictor.forecast`; with the width of the table."""
        return super().forecast(view, tiers)._replace(gains=(self._gain(view),) * len(tiers))

    def _gain(self, view: View) -> Gain:
        """Return the fitted gain; without a fast answer any answer is a gain of khat."""
        if view.evidence is None:
            return Gain(self._khat, 0.0, 1.0, self._khat)
        value, width = self._disagreement.value(clipped(view.evidence))
        return Gain(value * self._khat, width * abs(self._khat), value, self._khat)
