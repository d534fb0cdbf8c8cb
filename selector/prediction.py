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


class Origin(NamedTuple):
    """Where an image comes from, for a model that hands it on to others.

    Attributes:
        stamp_ns: header stamp of its frame [ns].
        frame_id: coordinate frame.
    """

    stamp_ns: int
    frame_id: str


class Model(Protocol):
    """A perception model. It may raise PredictionError; it never returns NaN.

    One that hands images on may have a method `predict_at(image, stamp_ns, frame_id)` too, and one
    that waits for others a method `close()`, which ends a call that waits.
    """

    name: str

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the prediction for one image (H, W, 3) uint8 RGB."""

    def warm_up(self, runs: int) -> list[float]:
        """Run `runs` times on a blank image and return each measured time [s]."""
