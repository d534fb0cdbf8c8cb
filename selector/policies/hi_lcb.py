"""HI-LCB: invokes until the fast model is shown to be right often enough at a confidence."""

from __future__ import annotations

import math

from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import clipped
from selector.policies.baseline import within


class HiLcb(Baseline):
    """Invokes where 1 - LCB of the fast accuracy exceeds the cost of an offload.

    Chattopadhyay, Sutar, Champati and Moharir, arXiv 2508.08985. The confidence is binned; a bin
    that was seen n of t frames has the bound accuracy - sqrt(alpha * log(t) / n), minus infinity
    at n = 0. HI-LCB assumes that the accuracy increases with the confidence, so a bin's bound is
    the largest over the bins up to it; HI-LCB-lite (`monotone=False`) takes each bin alone. The
    cost is known and constant here.

    As in the paper the slower answer is taken for the truth: an error is its disagreement with
    the fast one. A label corrects that, and tells of frames on which nothing was invoked.
    """

    def __init__(
        self, cost: float, *, bins: int = 20, alpha: float = 0.52, monotone: bool = True
    ) -> None:
        """Take the knob and the size of the bound.

        Args:
            cost: the knob: loss that an offload is worth, in [0, 1].
            bins: number of bins of confidence of equal width, >= 1.
            alpha: scale of the bound, > 0; smaller explores less.
            monotone: HI-LCB, else HI-LCB-lite.

        Raises:
            ConfigError: a number is out of range.
        """
        super().__init__()
        self._cost = within('cost', cost, 0.0, 1.0)
        self._alpha = within('alpha', alpha, 1e-9)
        bins = int(within('bins', bins, 1, 100_000))
        self._seen = [0] * bins
        self._wrong = [0.0] * bins
        self._monotone = monotone
        self._frames = 0

    def net(self, view: View) -> float:
        """Return 1 - LCB, 1 without a fast answer, minus the cost."""
        self._frames += 1
        if view.evidence is None:
            return 1.0 - self._cost
        return 1.0 - self.bound(self._bin(view)) - self._cost

    def bound(self, place: int) -> float:
        """Return the lower confidence bound of the fast accuracy in bin `place`, <= 1."""
        if not self._monotone:
            return self._own_bound(place)
        return max(self._own_bound(below) for below in range(place + 1))

    def observe(self, seen: Observation) -> None:
        """Count an error of the fast model as far as the slower answer differs."""
        super().observe(seen)
        if seen.disagreement is not None and seen.view.evidence is not None:
            place = self._bin(seen.view)
            self._seen[place] += 1
            self._wrong[place] += seen.disagreement

    def label(self, truth: Truth) -> None:
        """Put the labelled loss in place of the disagreement, or count a frame not invoked."""
        if truth.fast_loss is None or truth.view.evidence is None:
            return
        place = self._bin(truth.view)
        if truth.disagreement is None:
            self._seen[place] += 1
        self._wrong[place] += truth.fast_loss - (truth.disagreement or 0.0)

    def _bin(self, view: View) -> int:
        assert view.evidence is not None
        bins = len(self._seen)
        return min(bins - 1, int(clipped(view.evidence).confidence * bins))

    def _own_bound(self, place: int) -> float:
        count = self._seen[place]
        if count == 0:
            return -math.inf
        spread = math.sqrt(self._alpha * math.log(max(1, self._frames)) / count)
        # max: a label that comes before the late answer leaves less than no error for a while.
        return 1.0 - max(0.0, self._wrong[place]) / count - spread
