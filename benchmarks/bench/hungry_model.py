"""Hungry model: a shipped model that eats all the memory it may have when a frame says so.

In a module of its own, because the child that builds it imports it by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from selector.build import build_model
from selector.build import Plan
from selector.build import SLOW
from selector.prediction import Model
from selector.prediction import Prediction

_PIECE_BYTES = 1 << 24
_MARK = np.array([5, 250, 5, 250, 5, 250], np.uint8)


def marked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy (H, W, 3) of an image that the model cannot stomach."""
    copy = image.copy()
    copy.reshape(-1)[: len(_MARK)] = _MARK
    return copy


class HungryModel:
    """The model of the slow tier, but for marked frames."""

    def __init__(self, made: Plan) -> None:
        """Load the model; see `build.build_model`."""
        self._model: Model = build_model(made, SLOW)
        self.name = self._model.name

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the model's answer, or eat until the system says no."""
        if np.array_equal(image.reshape(-1)[: len(_MARK)], _MARK):
            eaten = []
            while True:
                eaten.append(np.ones(_PIECE_BYTES, np.uint8))
        return self._model.predict(image)

    def warm_up(self, runs: int) -> list[float]:
        """Run the model on a blank image; see `prediction.Model`."""
        return self._model.warm_up(runs)
