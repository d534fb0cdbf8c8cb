"""Regression: one or more numbers; loss is the error over its declared scale, clipped at 1."""

from __future__ import annotations

import math
from typing import NamedTuple

from selector.errors import PredictionError
from selector.evidence import Evidence
from selector.prediction import Prediction
from selector.task import TaskSpec


class Values(NamedTuple):
    """What a regression says.

    Attributes:
        values: (D,) the numbers, in the unit the card declares.
        spreads: (D,) standard deviation of each, >= 0; () where the model gives none.
    """

    values: tuple[float, ...]
    spreads: tuple[float, ...] = ()


class Regression:
    """D numbers; see `selector.task.Task`."""

    name = 'regression'

    def __init__(self, scales: tuple[float, ...]) -> None:
        """Take the error that counts as wholly wrong, one > 0 a number."""
        self._scales = scales

    def check(self, answer: Prediction) -> None:
        """Refuse numbers that are none, or another count than declared.

        Raises:
            PredictionError: see above.
        """
        values, spreads = content(answer)
        if len(values) != len(self._scales) or len(spreads) not in (0, len(values)):
            raise PredictionError(
                f'returned {len(values)} numbers and {len(spreads)} spreads for '
                f'{len(self._scales)} scales'
            )
        if not all(map(math.isfinite, (*values, *spreads))) or min(spreads, default=0.0) < 0.0:
            raise PredictionError('returned a number that is NaN or infinite, or a spread below 0')

    def evidence(self, answer: Prediction) -> Evidence:
        """Return confidence: 1 - mean spread over scale, clipped; 0.5 where there is no spread."""
        _, spreads = content(answer)
        if not spreads:
            return Evidence(0.5, 0.5, 0.5)
        shares = [min(1.0, s / scale) for s, scale in zip(spreads, self._scales, strict=True)]
        doubt = math.fsum(shares) / len(shares)
        return Evidence(1.0 - doubt, 1.0 - max(shares), doubt)

    def classes(self, answer: Prediction) -> tuple[int, ...]:
        """Return (): numbers have no class."""
        return ()

    def disagreement(self, one: Prediction, other: Prediction) -> float:
        """Return the mean over the numbers of the difference over its scale, clipped at 1."""
        pairs = zip(content(one).values, content(other).values, self._scales, strict=True)
        shares = [min(1.0, abs(a - b) / scale) for a, b, scale in pairs]
        return math.fsum(shares) / len(shares)

    def loss(self, answer: Prediction, truth: Prediction) -> float:
        """Return the same distance from the true numbers."""
        return self.disagreement(answer, truth)

    def likeness(self, one: Prediction, other: Prediction) -> float:
        """Return 1 - the distance."""
        return 1.0 - self.disagreement(one, other)

    def check_truth(self, truth: Prediction) -> None:
        """Refuse numbers that are none.

        Raises:
            PredictionError: see above.
        """
        self.check(truth)

    def bare(self, answer: Prediction) -> Prediction:
        """Return the answer as it is: it is small."""
        return answer


def make(spec: TaskSpec) -> Regression:
    """Return the task of a card."""
    return Regression(spec.scales)


def prediction(model: str, values: Values, wall_s: float = 0.0) -> Prediction:
    """Return numbers as an answer."""
    return Prediction(model, (), -1, wall_s, values)


def content(answer: Prediction) -> Values:
    """Return the numbers of an answer.

    Raises:
        PredictionError: it is no answer of a regression.
    """
    if not isinstance(answer.content, Values):
        raise PredictionError('returned no numbers')
    return answer.content
