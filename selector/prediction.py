"""Prediction: what a model answers, and the contract every model keeps."""

from __future__ import annotations

from typing import NamedTuple
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Prediction(NamedTuple):
    """One model's answer to one frame; `selector.task.Task` says what is in it.

    Attributes:
        model: name of the model that answered.
        scores: classification: (C,) class probabilities in [0, 1], summing to 1; detection: (N,)
            score of each box in [0, 1]; empty when nothing is known.
        class_id: the class that the answer stands for: of the largest score; -1 without one.
        wall_s: measured time the model took [s]; data, never an input of a decision.
        content: what the answer holds beside scores, by its task: `detection.Boxes`,
            `regression.Values`, or what a task of your own puts there; None for classification.
    """

    model: str
    scores: tuple[float, ...]
    class_id: int
    wall_s: float
    content: object = None


class Model(Protocol):
    """A perception model. It may raise PredictionError; it never returns NaN."""

    name: str

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the prediction for one image (H, W, 3) uint8 RGB."""

    def warm_up(self, runs: int) -> list[float]:
        """Run `runs` times on a blank image and return each measured time [s]."""
