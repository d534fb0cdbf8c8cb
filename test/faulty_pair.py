"""Faulty pair: a pair of which the slow model does to its process what a frame's shade says.

The slow model is loaded in that process, which knows nothing of the test.
"""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from numpy.typing import NDArray
from selector.backends.fake_model import FakeModel
from selector.build import Plan
from selector.cards.card import Card
from selector.cards.card import checked_file
from selector.loading import Means

FINE, SEGFAULT, KILL, STOP, EXIT, MEMORY, SLEEP = range(0, 210, 30)
SLOW_CLASS = 3
_CLASSES = 4


def build_model(made: Plan, tier: str, _from_topic: object = None) -> FakeModel:
    """Return the fast model, for `build.build_model`."""
    return FakeModel(made.cards[tier].name, lambda _image: _says(0))


def load_model(card: Card, means: Means) -> FakeModel:
    """Return the slow model, its file checked as that of a real one, for `loading.load_model`."""
    checked_file(card, means.folder / card.name)
    return FakeModel(card.name, _slow)


def _slow(image: NDArray[np.uint8]) -> NDArray[np.floating]:
    shade = 30 * round(float(image.mean()) / 30.0)  # JPEG is not exact
    signals = {SEGFAULT: signal.SIGSEGV, KILL: signal.SIGKILL, STOP: signal.SIGSTOP}
    if shade in signals:
        os.kill(os.getpid(), signals[shade])
    if shade == EXIT:
        os._exit(3)
    if shade == SLEEP:
        time.sleep(60.0)
    eaten = []
    while shade == MEMORY:
        eaten.append(np.empty(1 << 24, np.uint8))
    return _says(SLOW_CLASS)


def _says(class_id: int) -> NDArray[np.floating]:
    """Return logits (4,) that are rather sure of a class."""
    return np.where(np.arange(_CLASSES) == class_id, 2.0, 0.0)
