"""Online library: what an off-the-shelf online learner does with the same evidence.

These run in the benchmark only; each needs its package, which is imported when it is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.errors import MissingError
from selector.gain import Observation
from selector.gain import View
from selector.policies.baseline import bandit_terms
from selector.policies.baseline import Baseline
from selector.policies.baseline import within
from selector.policies.draws import Draws
from selector.policies.offered import observed
from selector.policies.offered import Offered

_TERM_NAMES = ('one', 'confidence', 'margin', 'entropy', 'sharpness', 'exposure')
_SEED = 1


class RiverLogistic(Baseline):
    """Invokes where river's online logistic regression expects a disagreement.

    A standard scaler before it; learned from the disagreements that were observed. It does not
    explore: with a threshold of 0.5 or above, where it starts, it never invokes.
    """

    def __init__(self, threshold: float) -> None:
        """Take the threshold on P(disagree) in [-1, 1].

        Raises:
            ConfigError: the threshold is out of range.
            MissingError: river is not installed.
        """
        super().__init__()
        self._threshold = within('threshold', threshold, -1.0, 1.0)
        linear = _imported('river.linear_model', 'river')
        scaler = _imported('river.preprocessing', 'river').StandardScaler()
        self._model: Any = scaler | linear.LogisticRegression()

    def net(self, view: View) -> float:
        """Return P(disagree), 1 without a fast answer, minus the threshold."""
        x = bandit_terms(view)
        if x is None:
            return 1.0 - self._threshold
        found = self._model.predict_proba_one(_named(x))
        return float(found.get(True, 0.5)) - self._threshold

    def observe(self, seen: Observation) -> None:
        """Take in whether the answers differed."""
        super().observe(seen)
        x = bandit_terms(seen.view)
        if x is not None and seen.disagreement is not None:
            self._model.learn_one(_named(x), seen.disagreement >= 0.5)


class MabwiserLinUcb(Baseline):
    """Invokes where MABWiser's LinUCB bound of the disagreement exceeds the cost."""

    def __init__(self, cost: float, *, alpha: float = 0.5) -> None:
        """Take the cost of an invocation in [-1, 1], the knob, and the optimism alpha >= 0.

        Raises:
            ConfigError: a number is out of range.
            MissingError: MABWiser is not installed.
        """
        super().__init__()
        self._cost = within('cost', cost, -1.0, 1.0)
        module = _imported('mabwiser.mab', 'mabwiser')
        policy = module.LearningPolicy.LinUCB(alpha=within('alpha', alpha, 0.0), l2_lambda=1.0)
        self._model: Any = module.MAB(['fast'], policy, seed=_SEED)
        # It refuses to predict before a first fit; a row of zeros leaves the matrices as they are.
        self._model.fit(['fast'], [0.0], np.zeros((1, len(_TERM_NAMES))))

    def nets(self, view: View, tiers: tuple[str, ...]) -> tuple[float, ...]:
        """Return the bound of each tier, 1 without a fast answer, minus the cost."""
        x = bandit_terms(view)
        if x is None:
            return (1.0 - self._cost,) * len(tiers)
        for tier in tiers:
            self._know(tier)
        found = self._model.predict_expectations(_row(x))
        return tuple(float(found[tier]) - self._cost for tier in tiers)

    def observe(self, seen: Observation) -> None:
        """Take in a disagreement as the reward of the tier."""
        super().observe(seen)
        x = bandit_terms(seen.view)
        if x is not None and seen.disagreement is not None:
            self._know(seen.tier)
            self._model.partial_fit([seen.tier], [seen.disagreement], _row(x))

    def _know(self, tier: str) -> None:
        if tier not in self._model.arms:
            self._model.add_arm(tier)


class VowpalCb(Baseline):
    """Invokes what Vowpal Wabbit's contextual bandit draws (--cb_explore_adf, epsilon greedy).

    The fast answer costs 0, a tier its cost minus the disagreement. A frame that the bucket
    refuses teaches nothing.
    """

    def __init__(self, cost: float, *, epsilon: float = 0.05, key: bytes = b'vowpal_cb') -> None:
        """Take the cost, the knob, in [-1, 1], epsilon in (0, 1] and the key of the draws.

        Raises:
            ConfigError: a number or the key is out of range.
            MissingError: Vowpal Wabbit is not installed.
        """
        super().__init__()
        self._cost = within('cost', cost, -1.0, 1.0)
        within('epsilon', epsilon, 1e-6, 1.0)
        options = f'--cb_explore_adf --epsilon {epsilon} -q sa --quiet --random_seed {_SEED}'
        self._model: Any = _imported('vowpalwabbit', 'vowpalwabbit').Workspace(options)
        self._draws = Draws(key)
        self._offered = Offered()

    def nets(self, view: View, tiers: tuple[str, ...]) -> tuple[float, ...]:
        """Return 1 for the tier that was drawn, if any, and -1 for the others."""
        draw, x = self._draws.next(), bandit_terms(view)
        if x is None:
            return (1.0,) * len(tiers)
        shares = self._model.predict(_examples(x, ('fast', *tiers)))
        drawn = min(int(np.searchsorted(np.cumsum(shares), draw, side='right')), len(tiers))
        for tier, share in zip(tiers, shares[1:], strict=True):
            self._offered.put(view, share, tier)
        if drawn == 0:
            # What keeping costs is known at once: nothing.
            self._model.learn(_examples(x, ('fast', *tiers), 'fast', 0.0, shares[0]))
        return tuple(1.0 if place + 1 == drawn else -1.0 for place in range(len(tiers)))

    def observe(self, seen: Observation) -> None:
        """Take in the cost of the tier, with the probability it was drawn with."""
        super().observe(seen)
        x, offered = bandit_terms(seen.view), self._offered.get(seen.view, seen.tier)
        if x is None or seen.disagreement is None or offered is None:
            return
        cost, chance = self._cost - seen.disagreement, observed(offered, seen.probability)
        self._model.learn(_examples(x, ('fast', seen.tier), seen.tier, cost, chance))


def _examples(
    x: tuple[float, ...],
    actions: tuple[str, ...],
    chosen: str = '',
    cost: float = 0.0,
    probability: float = 1.0,
) -> list[str]:
    """Return a frame in Vowpal Wabbit's text format, with the cost of the chosen action."""
    terms = ' '.join(f'{name}:{value}' for name, value in _named(x).items())
    labels = (f'0:{cost}:{probability} ' if action == chosen else '' for action in actions)
    lines = (f'{label}|a tier={action}' for label, action in zip(labels, actions, strict=True))
    return [f'shared |s {terms}', *lines]


def _named(x: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(_TERM_NAMES, x, strict=True))


def _row(x: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array([x])


def _imported(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as err:
        raise MissingError(f"this baseline needs '{package}': pip install {package}") from err
