"""Confidence threshold: invokes where the fast model is not sure of itself."""

from __future__ import annotations

import math

from selector.calibration import Table
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import within

_KNOTS = 513


class ConfidenceThreshold(Baseline):
    """Invokes where P(fast wrong), told from the confidence, exceeds the threshold.

    Without a table that is 1 - confidence, raw (Chow's rule, IEEE Trans. Inf. Theory 1970, on an
    uncalibrated model). With `temperature_table` it is temperature-scaled; with a table fitted
    by isotonic regression it is calibrated. All of them order the frames by confidence, so they
    differ in what a threshold means, not in the frames of a given share, except for ties.
    """

    def __init__(self, threshold: float, table: Table | None = None) -> None:
        """Take the threshold on P(fast wrong) in [-1, 1] and a table from evidence (3,) to it.

        Raises:
            ConfigError: the threshold is not allowed.
        """
        super().__init__(table)
        self._threshold = within('threshold', threshold, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return P(fast wrong) minus the threshold."""
        return self.fast_wrong(view.evidence) - self._threshold


def temperature_table(temperature: float) -> Table:
    """Return P(fast wrong) = 1 - sigmoid(logit(confidence) / temperature) as a table.

    Temperature scaling (Guo et al., ICML 2017, arXiv 1706.04599, section 4.2) of the two-class
    problem "fast right or not": evidence holds the largest probability, not the logits. Exact at
    the knots, which are `1/512` of confidence apart.

    Args:
        temperature: > 0; above 1 the fast model is overconfident.

    Raises:
        ConfigError: the temperature is not allowed.
    """
    within('temperature', temperature, 1e-3, 1e3)
    x = tuple(knot / (_KNOTS - 1) for knot in range(_KNOTS))
    y = tuple(_scaled_error(confidence, temperature) for confidence in x)
    return Table((1.0, 0.0, 0.0), 0.0, x, y, (0.0,) * _KNOTS)


def _scaled_error(confidence: float, temperature: float) -> float:
    if not 0.0 < confidence < 1.0:
        return 1.0 - confidence
    logit = math.log(confidence) - math.log1p(-confidence)
    # tanh instead of exp, which overflows at small temperatures.
    return 0.5 * (1.0 - math.tanh(0.5 * logit / temperature))
