"""Classification: one label per image; loss 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
from selector.errors import PredictionError
from selector.evidence import Evidence
from selector.prediction import Prediction


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


def disagreement(one: Prediction, other: Prediction) -> float:
    """Return 0 when both name the same class, else 1 (a metric in [0, 1])."""
    return 0.0 if one.class_id == other.class_id else 1.0


def loss(answer: Prediction, label: int) -> float:
    """Return 0 when the answer is `label`, else 1; an empty answer is wrong."""
    return 0.0 if answer.class_id == label else 1.0
