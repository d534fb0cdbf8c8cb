"""Before fast: what is predicted from the scene alone, when no model has run on the frame yet."""

from __future__ import annotations

from selector.evidence import AGE_MAX_S
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.learner import Learner
from selector.learner import size
from selector.learner import Terms
from selector.learner import terms

_PRIOR, _FORGETTING = 0.05, 0.9998


class BeforeFast:
    """Learns how often fast is wrong and how often a tier differs from it, by scene.

    The reading of the decision in which the cost of the fast model is not sunk. It sees no
    confidence, so it tells less than the cascade; what it saves is the fast model's run.
    """

    def __init__(self) -> None:
        self._differs: dict[str, Learner] = {}
        self._wrong = Learner(size(4), _PRIOR, _FORGETTING)

    def forecast(
        self, view: View, tiers: tuple[str, ...], start: float, optimism: float
    ) -> tuple[float, tuple[Gain, ...]]:
        """Return P(fast wrong) and the gain of each tier over the fast answer.

        Args:
            view: the frame.
            tiers: names of the tiers.
            start: what P(fast wrong) is before anything is learned, in [0, 1].
            optimism: widths added to a disagreement, >= 0.
        """
        z = _terms(view)
        gains = []
        for tier in tiers:
            mean, width = self._of(tier).predict(z)
            differs = min(1.0, max(0.0, start + mean + optimism * width))
            gains.append(Gain(differs, width, differs, 1.0))
        most = max((gain.mean for gain in gains), default=start)
        if self._wrong.updates:
            most = min(1.0, max(0.0, start + self._wrong.mean(z)))
        return most, tuple(gains)

    def observe(self, seen: Observation, start: float) -> None:
        """Learn from a tier's answer beside the fast one."""
        if seen.disagreement is not None:
            self._of(seen.tier).update(_terms(seen.view), seen.disagreement - start)

    def label(self, truth: Truth, start: float) -> None:
        """Learn from the label of a frame that fast has answered."""
        if truth.fast_loss is not None:
            self._wrong.update(_terms(truth.view), truth.fast_loss - start)

    def _of(self, tier: str) -> Learner:
        if tier not in self._differs:
            self._differs[tier] = Learner(size(4), _PRIOR, _FORGETTING)
        return self._differs[tier]


def _terms(view: View) -> Terms:
    scene = view.scene
    age = scene.slow_age_s / AGE_MAX_S
    return terms((scene.sharpness, scene.exposure, scene.scene_change, age))
