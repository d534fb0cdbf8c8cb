"""Fake model: scripted answers and faults, for faults that no real model can be made to have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from selector.prediction import Prediction
from selector.tasks import classification


class FakeModel:
    """A model whose logits come from a function, which may raise, wait or return nonsense."""

    def __init__(
        self, name: str, answer: Callable[[NDArray[np.uint8]], NDArray[np.floating]]
    ) -> None:
        """Take `answer`, from an image (H, W, 3) uint8 to logits (C,)."""
        self.name = name
        self._answer = answer

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the scripted prediction; see `prediction.Model`."""
        return classification.prediction(self.name, np.asarray(self._answer(image)), 0.0)

    def warm_up(self, runs: int) -> list[float]:
        """Return `runs` times of 0 s without running anything."""
        return [0.0] * runs
