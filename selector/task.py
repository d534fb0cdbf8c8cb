"""Task: what an answer is, what it says about itself, and how far two answers are apart.

The controller sees numbers only. Whoever brings another modality writes one class with these
methods and registers it (`selector.tasks.known.register`); see examples/word_error_rate.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from typing import Protocol

from selector.evidence import Evidence
from selector.prediction import Prediction

NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})


class TaskSpec(NamedTuple):
    """What the cards declare about a task.

    Attributes:
        labels: class names by class id, () where there are no classes.
        class_weights: how much a box of a class counts, > 0, by class name; 1 where not named.
        scales: of each number of a regression, the error that counts as wholly wrong, > 0.
    """

    labels: tuple[str, ...] = ()
    class_weights: Mapping[str, float] = NO_WEIGHTS
    scales: tuple[float, ...] = ()


class Task(Protocol):
    """A kind of answer. Every method is a pure function of the answers it is given."""

    name: str

    def check(self, answer: Prediction) -> None:
        """Refuse an answer that is none.

        Raises:
            PredictionError: what is wrong with it, without the model's name.
        """

    def evidence(self, answer: Prediction) -> Evidence:
        """Return what the answer says about itself."""

    def classes(self, answer: Prediction) -> tuple[int, ...]:
        """Return every class id the answer names, the one it stands for first."""

    def disagreement(self, one: Prediction, other: Prediction) -> float:
        """Return the distance of two answers, a metric in [0, 1]."""

    def loss(self, answer: Prediction, truth: Prediction) -> float:
        """Return the loss in [0, 1] of an answer against the truth in the form of an answer."""

    def likeness(self, one: Prediction, other: Prediction) -> float:
        """Return the belief in [0, 1] that two answers are about the same thing."""

    def check_truth(self, truth: Prediction) -> None:
        """Refuse a truth that no answer can be compared with.

        Raises:
            PredictionError: what is wrong with it.
        """

    def bare(self, answer: Prediction) -> Prediction:
        """Return what of the answer is kept for a label that comes late."""
