"""Persistence: how likely an answer that is carried on is still right."""

from __future__ import annotations

from selector.evidence import AGE_MAX_S
from selector.gain import View
from selector.learner import Learner
from selector.learner import size
from selector.learner import Terms
from selector.learner import terms

CAUTION = 0.1
_PRIOR, _FORGETTING = 0.1, 0.9998


def stale_prior(view: View) -> float:
    """Return P(the carried answer is no longer right) before any has been compared.

    As unlike as the images are, and the more the older the answer is.
    """
    if not view.carried:
        return 1.0
    scene = view.scene
    fresh = min(1.0, max(0.0, 1.0 - scene.slow_age_s / AGE_MAX_S))
    return 1.0 - min(1.0, max(0.0, 1.0 - scene.scene_change)) * fresh


class Persistence:
    """Learns P(stale) from scene change, age and track agreement, at every new slow answer.

    One learner per tier whose answers are carried. Unlike the gain it is cautious: where little is
    known, an answer counts as stale.
    """

    def __init__(self) -> None:
        self._learners: dict[str, Learner] = {}

    def stale(self, view: View) -> float:
        """Return P(the carried answer is no longer right, given that it was) in [0, 1]."""
        if not view.carried:
            return 1.0
        mean, width = self._of(view).predict(_terms(view))
        return min(1.0, max(0.0, stale_prior(view) + mean + CAUTION * width))

    def observe(self, view: View, stale: float) -> None:
        """Learn from the distance in [0, 1] of a new answer from the carried one."""
        if view.carried:
            self._of(view).update(_terms(view), stale - stale_prior(view))

    def _of(self, view: View) -> Learner:
        if view.carried not in self._learners:
            self._learners[view.carried] = Learner(size(3), _PRIOR, _FORGETTING)
        return self._learners[view.carried]


def _terms(view: View) -> Terms:
    scene = view.scene
    return terms((scene.scene_change, scene.slow_age_s / AGE_MAX_S, scene.track_agreement))
