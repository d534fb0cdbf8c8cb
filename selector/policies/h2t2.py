"""H2T2: two thresholds on the confidence, learned online by exponential weights."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import clipped
from selector.policies.baseline import within
from selector.policies.draws import Draws
from selector.policies.offered import observed
from selector.policies.offered import Offered


class H2t2(Baseline):
    """Invokes where the confidence lies between two thresholds drawn from learned weights.

    After Moothedath et al., arXiv 2509.15674. Each pair lower <= upper of a grid is an expert
    that offloads on lower <= confidence < upper. The paper has two classes and a score between
    them; evidence names no class, so below `lower` the fast answer is kept too: there both models
    are expected to fail. Costs are 0/1 errors and `cost` for an offload.

    A frame is offloaded with probability p, the weight of the experts that offload, and else with
    probability `exploration`. The loss of keeping is seen only on an offload, with probability
    p + (1 - p) * exploration, by which it is divided, so its estimate is unbiased. The cost of
    offloading, though known on every frame, is charged on the same frames over the same
    probability: else each frame that the bucket refuses would speak against offloading. The
    slower answer is taken for the truth until a label corrects it.
    """

    def __init__(
        self,
        cost: float,
        *,
        levels: int = 16,
        rate: float = 0.05,
        exploration: float = 0.05,
        key: bytes = b'h2t2',
    ) -> None:
        """Take the knob and the parameters of the learning.

        Args:
            cost: the knob: loss that an offload is worth, in [0, 1].
            levels: the grid of thresholds is k / levels for k = 0 .. levels + 1, so that upper may
                lie above every confidence; >= 1.
            rate: learning rate eta of the weights exp(-eta * loss), > 0.
            exploration: in (0, 1].
            key: of the draws, two a frame.

        Raises:
            ConfigError: a number or the key is out of range.
        """
        super().__init__()
        self._cost = within('cost', cost, 0.0, 1.0)
        self._rate = within('rate', rate, 1e-9)
        self._exploration = within('exploration', exploration, 1e-6, 1.0)
        self._levels = int(within('levels', levels, 1, 1000))
        pairs = list(combinations_with_replacement(range(self._levels + 2), 2))
        self._lower, self._upper = np.array(pairs).T
        self._log_weight = np.zeros(len(pairs))
        self._draws = Draws(key)
        self._offered = Offered()

    def net(self, view: View) -> float:
        """Return a positive number where the draws say offload; 1 without a fast answer."""
        expert, explorer = self._draws.next(), self._draws.next()
        if view.evidence is None:
            return 1.0
        offload = self.offload_share(view)
        self._offered.put(view, offload)
        if explorer < self._exploration:
            return 1.0
        return offload - expert

    def offload_share(self, view: View) -> float:
        """Return the weight, in [0, 1], of the experts that offload this frame."""
        weight = np.exp(self._log_weight - self._log_weight.max())
        share = float(weight[self._offloads(view)].sum() / weight.sum())
        return max(0.0, min(1.0, share))

    def observe(self, seen: Observation) -> None:
        """Charge offloading its cost, keeping the disagreement, both over the probability."""
        super().observe(seen)
        if seen.disagreement is None or seen.view.evidence is None:
            return
        chance = self._probability(seen.view, seen.probability)
        self._charge(seen.view, self._cost / chance, seen.disagreement / chance)

    def label(self, truth: Truth) -> None:
        """Charge each choice what the slower answer, taken for the truth, got wrong."""
        if truth.view.evidence is None or truth.disagreement is None:
            return
        if truth.fast_loss is None or truth.tier_loss is None:
            return
        chance = self._probability(truth.view, truth.probability)
        kept = (truth.fast_loss - truth.disagreement) / chance
        self._charge(truth.view, truth.tier_loss / chance, kept)

    def _charge(self, view: View, offloaded: float, kept: float) -> None:
        self._log_weight -= self._rate * np.where(self._offloads(view), offloaded, kept)
        # Only differences count: without this they would sink until they lose their digits.
        self._log_weight -= self._log_weight.max()

    def _offloads(self, view: View) -> NDArray[np.bool_]:
        assert view.evidence is not None
        place = int(clipped(view.evidence).confidence * self._levels)
        found: NDArray[np.bool_] = (self._lower <= place) & (place < self._upper)
        return found

    def _probability(self, view: View, audited: float) -> float:
        """Return the probability that the frame was observed: offloaded, explored or audited."""
        offload = self._offered.get(view)
        if offload is None:
            offload = self.offload_share(view)
        return observed(offload + (1.0 - offload) * self._exploration, audited)
