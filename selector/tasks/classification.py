"""Classification: one label per image; loss 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
from selector.errors import PredictionError
from selector.evidence import Evidence
from selector.prediction import Prediction
from selector.scene import overlap
from selector.task import TaskSpec

_SUM_TOLERANCE = 1e-3  # single precision of a model with many classes


class Classification:
    """One class out of C; see `selector.task.Task`."""

    name = 'classification'

    def __init__(self, classes: int = 0) -> None:
        """Expect `classes` scores; 0 takes any number from 2."""
        self._classes = classes

    def check(self, answer: Prediction) -> None:
        """Refuse scores that are no probabilities, or are not one a label.

        Raises:
            PredictionError: see above.
        """
        if not _probabilities(answer):
            raise PredictionError('returned no class probabilities with their largest')
        if self._classes and len(answer.scores) != self._classes:
            raise PredictionError(
                f'returned {len(answer.scores)} scores for {self._classes} labels'
            )

    def evidence(self, answer: Prediction) -> Evidence:
        """Return confidence, margin and entropy of the scores."""
        return evidence(answer.scores)

    def classes(self, answer: Prediction) -> tuple[int, ...]:
        """Return the one class."""
        return (answer.class_id,)

    def disagreement(self, one: Prediction, other: Prediction) -> float:
        """Return 0 when both name the same class, else 1."""
        return 0.0 if one.class_id == other.class_id else 1.0

    def loss(self, answer: Prediction, truth: Prediction) -> float:
        """Return 0 when the answer is the true class, else 1."""
        return 0.0 if answer.class_id == truth.class_id else 1.0

    def likeness(self, one: Prediction, other: Prediction) -> float:
        """Return what the two distributions over the classes have in common."""
        return overlap(one.scores, other.scores)

    def check_truth(self, truth: Prediction) -> None:
        """Refuse a class that there is not.

        Raises:
            PredictionError: see above.
        """
        if not 0 <= truth.class_id < (self._classes or truth.class_id + 1):
            raise PredictionError(f'is class {truth.class_id} of {self._classes}')

    def bare(self, answer: Prediction) -> Prediction:
        """Return the answer without its scores."""
        return answer._replace(scores=())


def make(spec: TaskSpec) -> Classification:
    """Return the task of a card."""
    return Classification(len(spec.labels))


def truth(class_id: int) -> Prediction:
    """Return a true class in the form of an answer."""
    return Prediction('', (), class_id, 0.0)


def softmax(logits: NDArray[np.floating]) -> tuple[float, ...]:
    """Return the class probabilities of logits (C,), in double precision.

    Raises:
        PredictionError: a logit is NaN or infinite, or the shape is not (C,).
    """
    if logits.ndim != 1 or logits.size < 2:
        raise PredictionError(
            f'logits have shape {logits.shape}; a classifier returns (C,) with C >= 2',
            shape=logits.shape,
        )
    values = logits.astype(np.float64)
    if not np.isfinite(values).all():
        raise PredictionError('a logit is NaN or infinite', logits=values.tolist())
    powers = np.exp(values - values.max())
    return tuple((powers / powers.sum()).tolist())


def prediction(model: str, logits: NDArray[np.floating], wall_s: float) -> Prediction:
    """Return the prediction of `model` for logits (C,).

    Raises:
        PredictionError: see `softmax`.
    """
    scores = softmax(logits)
    return Prediction(model, scores, scores.index(max(scores)), wall_s)


def evidence(scores: Sequence[float]) -> Evidence:
    """Return confidence, margin and entropy of class probabilities (C,).

    >>> evidence((0.5, 0.5))
    Evidence(confidence=0.5, margin=0.0, entropy=1.0)
    """
    second, first = sorted(scores)[-2:]
    nats = -math.fsum(p * math.log(p) for p in scores if p > 0.0)
    entropy = max(0.0, nats) / math.log(len(scores))
    return Evidence(first, first - second, min(1.0, entropy))


def _probabilities(answer: Prediction) -> bool:
    scores, class_id = answer.scores, answer.class_id
    return (
        len(scores) >= 2
        and all(0.0 <= p <= 1.0 for p in scores)
        and abs(math.fsum(scores) - 1.0) <= _SUM_TOLERANCE
        and 0 <= class_id < len(scores)
        and scores[class_id] == max(scores)
    )
