"""Token bucket MDP: a threshold for each level of the bucket, by value iteration offline."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.errors import InputError
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import clipped
from selector.policies.baseline import within

_ROUNDS_MAX = 200_000


class Bucket(NamedTuple):
    """A token bucket in whole steps, so that its level is one of finitely many.

    Attributes:
        accrual: steps that a frame adds, >= 1.
        call: steps that a call takes, >= 1.
        depth: steps that it holds at most, >= call.
    """

    accrual: int
    call: int
    depth: int

    def after(self, level: int, invoked: bool) -> int:
        """Return the level at the next decision [steps]."""
        return min(self.depth, level - self.call * invoked + self.accrual)


class GainBins(NamedTuple):
    """The expected gain by confidence, known beforehand.

    Attributes:
        edges: (M-1,) inner edges of the bins of confidence, strictly increasing.
        gain: (M,) expected gain of each bin, in [-1, 1].
        share: (M,) share of the frames in each bin, >= 0, summing to 1.
    """

    edges: tuple[float, ...]
    gain: tuple[float, ...]
    share: tuple[float, ...]

    def value(self, confidence: float) -> float:
        """Return the expected gain at a confidence."""
        return self.gain[bisect_right(self.edges, confidence)]


class TokenBucketMdp(Baseline):
    """Invokes where the expected gain exceeds what the tokens are worth later.

    Chakrabarti, Guerin, Lu and Liu, arXiv 2010.13737: a discounted Markov decision process over
    the level of the bucket and an i.i.d. metric of the frame; its optimal policy compares the
    metric with a threshold that depends on the level alone. The bucket is the knob.

    The level is this policy's own account, full at first, charged one call for each frame on
    which it says invoke; where the controller did not follow, the account is behind.
    """

    reference = 'LABEL'

    def __init__(
        self, rate: float, depth: float, bins: GainBins, discount: float = 0.999, parts: int = 60
    ) -> None:
        """Solve for the thresholds.

        Args:
            rate: calls that a frame adds to the bucket, > 0.
            depth: calls that the bucket holds, >= 1.
            bins: expected gain and share of the frames by confidence.
            discount: of the value a frame later, in [0, 1).
            parts: the rate is rounded to the nearest fraction with a denominator up to this.

        Raises:
            ConfigError: a number is out of range.
            InputError: the bins are not usable.
        """
        super().__init__()
        self._bucket = bucket(rate, depth, parts)
        self._bins = _checked(bins)
        self.thresholds = thresholds(self._bucket, bins, discount)
        self._level = self._bucket.depth

    def net(self, view: View) -> float:
        """Return the expected gain minus the threshold of the level, which may be infinite."""
        net = self._gain(view) - self.thresholds[self._level]
        self._level = self._bucket.after(self._level, net > 0.0)
        return net

    def _gain(self, view: View) -> float:
        if view.evidence is None:
            return 1.0
        return self._bins.value(clipped(view.evidence).confidence)


def bucket(rate: float, depth: float, parts: int = 60) -> Bucket:
    """Return the bucket of `rate` calls a frame and `depth` calls; arguments as the policy's."""
    within('rate', rate, 1e-6)
    within('depth', depth, 1.0)
    # A rate below 1 / parts has a denominator of its own, or it would round to 0.
    share = Fraction(rate).limit_denominator(max(parts, round(1.0 / rate)))
    call = share.denominator
    return Bucket(share.numerator, call, int(depth * call + 1e-9))


def thresholds(
    of: Bucket, bins: GainBins, discount: float, tolerance: float = 1e-12
) -> tuple[float, ...]:
    """Return the gain above which a call pays, by level (depth + 1,); infinite below one call.

    Value iteration until two rounds differ by a constant up to `tolerance`, which cannot change a
    threshold: V(n) = sum_m share_m * max(discount * V(kept), gain_m + discount * V(spent)).

    Raises:
        ConfigError: the discount is out of range.
    """
    within('discount', discount, 0.0, 1.0 - 1e-9)
    gain, share = np.array(bins.gain), np.array(bins.share)
    levels = np.arange(of.depth + 1)
    kept = np.minimum(levels + of.accrual, of.depth)
    spent = np.clip(levels - of.call + of.accrual, 0, of.depth)
    value = np.zeros(of.depth + 1)
    for _ in range(_ROUNDS_MAX):
        price = _price(value, kept, spent, of.call, discount)
        better = np.maximum(gain[None, :] - price[:, None], 0.0) @ share
        change = discount * value[kept] + better - value
        value = value + change
        if float(np.ptp(change)) <= tolerance:
            break
    return tuple(_price(value, kept, spent, of.call, discount).tolist())


def _price(
    value: NDArray[np.float64],
    kept: NDArray[np.int64],
    spent: NDArray[np.int64],
    call: int,
    discount: float,
) -> NDArray[np.float64]:
    price = discount * (value[kept] - value[spent])
    price[:call] = np.inf
    return price


def _checked(bins: GainBins) -> GainBins:
    numbers: Sequence[float] = (*bins.edges, *bins.gain, *bins.share)
    if not np.isfinite(numbers).all():
        raise InputError('an edge, a gain or a share of the bins is NaN or infinite')
    if not len(bins.edges) + 1 == len(bins.gain) == len(bins.share):
        raise InputError(f'{len(bins.gain)} gains, {len(bins.share)} shares: one a bin is needed')
    if any(b <= a for a, b in pairwise(bins.edges)):
        raise InputError('the edges of the bins do not increase')
    if min(bins.share) < 0.0 or abs(sum(bins.share) - 1.0) > 1e-9:
        raise InputError(f'the shares of the bins sum to {sum(bins.share)}; they must sum to 1')
    return bins
