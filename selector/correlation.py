"""Correlation: the joint statistics of the fast and the slow model's losses."""

from __future__ import annotations

import math
from typing import NamedTuple

from selector.errors import InputError


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


class JointStatistics(NamedTuple):
    """Second-order statistics of the two losses, both in [0, 1].

    Attributes:
        pairs: labelled pairs seen; where they are weighted, how many equally weighted ones say as
            much (rounded down).
        mean_fast, mean_slow: mean losses.
        var_fast, var_slow: population variances.
        covariance: population covariance.
    """

    pairs: int
    mean_fast: float
    mean_slow: float
    var_fast: float
    var_slow: float
    covariance: float

    @property
    def rho(self) -> float:
        """Correlation of the losses in [-1, 1]; 0 when either loss never varies."""
        product = self.var_fast * self.var_slow
        return 0.0 if product <= 0.0 else _clip(self.covariance / math.sqrt(product), -1.0, 1.0)

    @property
    def slope(self) -> float:
        """Rho * sd_slow / sd_fast: how much of a fast loss the slow model shares."""
        return 0.0 if self.var_fast <= 0.0 else self.covariance / self.var_fast

    @property
    def intercept(self) -> float:
        """Expected slow loss where the fast loss is 0."""
        return self.mean_slow - self.slope * self.mean_fast

    def conditional_mean(self, loss_fast: float) -> float:
        """Return E[L_slow | L_fast], clipped to [0, 1] (seed paper's second-order rule)."""
        return _clip(self.intercept + self.slope * loss_fast, 0.0, 1.0)

    def rho_interval(self) -> Interval:
        """Return the 95 % interval of rho (Fisher's z)."""
        if self.pairs < 4:
            return Interval(-1.0, 1.0)
        z = math.atanh(_clip(self.rho, -0.999999, 0.999999))
        half = 1.96 / math.sqrt(self.pairs - 3)
        return Interval(math.tanh(z - half), math.tanh(z + half))

    def slope_interval(self) -> Interval:
        """Return the 95 % interval of the slope (least squares, residual variance)."""
        if self.pairs < 3 or self.var_fast <= 0.0:
            return Interval(-math.inf, math.inf)
        residual = max(0.0, self.var_slow - self.slope * self.covariance)
        half = 1.96 * math.sqrt(residual / (self.var_fast * (self.pairs - 2)))
        return Interval(self.slope - half, self.slope + half)


class AccuracyCorrelation:
    """Online joint statistics of fast and slow loss, one labelled pair at a time.

    Pairs are seen where slow was observed, which is no fair sample of the frames; a pair that was
    observed with probability pi stands for 1 / pi frames.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._squares = 0.0
        self._mean_fast = 0.0
        self._mean_slow = 0.0
        self._m2_fast = 0.0
        self._m2_slow = 0.0
        self._m2_both = 0.0

    def update(self, loss_fast: float, loss_slow: float, probability: float = 1.0) -> None:
        """Take in one labelled pair of losses, observed with a probability in (0, 1].

        Raises:
            InputError: a loss is not a number in [0, 1], or the probability not in (0, 1].
        """
        for name, value in (('loss_fast', loss_fast), ('loss_slow', loss_slow)):
            if not 0.0 <= value <= 1.0:
                raise InputError(f'{name} = {value}; a loss is in [0, 1]', value=value)
        if not 0.0 < probability <= 1.0:
            raise InputError(
                f'probability = {probability}; a pair that is observed has one in (0, 1]',
                value=probability,
            )
        weight = 1.0 / probability
        self._weight += weight
        self._squares += weight * weight
        share = weight / self._weight
        fast, slow = loss_fast - self._mean_fast, loss_slow - self._mean_slow
        self._mean_fast += fast * share
        self._mean_slow += slow * share
        self._m2_fast += weight * fast * (loss_fast - self._mean_fast)
        self._m2_slow += weight * slow * (loss_slow - self._mean_slow)
        self._m2_both += weight * fast * (loss_slow - self._mean_slow)

    @property
    def statistics(self) -> JointStatistics:
        """The statistics so far (all zero before the first pair)."""
        n = self._weight or 1.0
        pairs = self._weight * self._weight / self._squares if self._squares else 0.0
        return JointStatistics(
            int(pairs + 1e-9),
            self._mean_fast,
            self._mean_slow,
            self._m2_fast / n,
            self._m2_slow / n,
            self._m2_both / n,
        )


def _clip(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))
