"""Ensemble model: members that answer one after another while the next is worth its price.

This is the divide-and-co-training idea (Zhao et al., 2022: several small networks for one large)
as a slow tier of continuous size: the first member answers, and each further one is asked only
while the gain expected of it exceeds a price. What it gains is learned from how far the answer
moved when it was asked (`marginal_gain`); where members disagree, the combined answer is less
sure of itself, so that their disagreement reaches the controller as evidence.

The controller never runs a model, and this is no exception: to the controller an ensemble is one
tier, invoked or not, with one cost (that of all members) and one answer. How many members ran is
inside the tier, as early exits inside a network are; `asked` tells it. The price does not come
from the controller by itself: it is the card's, or what `set_price` was given.

The number of members depends on what was learned, so two calls on one image may differ once the
price is above 0. The same images and prices in the same order give the same answers: nothing here
reads a clock to decide, or draws.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.cards.card import Card
from selector.ensembles.combination import combination
from selector.ensembles.marginal_gain import MarginalGain
from selector.errors import ConfigError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Model
from selector.prediction import Prediction
from selector.task import Task


class Asked(NamedTuple):
    """Who was asked about one image.

    Attributes:
        members: names of those that answered, in their order.
        gains: expected gain of each further member, before it was asked or not, in [0, 1].
        faults: what those that failed said.
    """

    members: tuple[str, ...] = ()
    gains: tuple[float, ...] = ()
    faults: tuple[str, ...] = ()


class EnsembleModel:
    """Members as one model; it is used by one thread at a time.

    Attributes:
        asked: who was asked about the last image.
    """

    def __init__(
        self, card: Card, members: Sequence[Model], task: Task, khat: float = 1.0
    ) -> None:
        """Take the members in the order in which they are asked.

        Args:
            card: of runtime ensemble.
            members: the models that the card names, of the same task and classes.
            task: what an answer is.
            khat: share of a disagreement by which more members are better, in (0, 1].

        Raises:
            ModelError: the members are not those of the card.
            ConfigError: answers of the task cannot be combined, or khat is out of range.
        """
        given = tuple(member.name for member in members)
        if card.ensemble is None or given != card.ensemble.members:
            wanted = card.ensemble.members if card.ensemble is not None else ()
            raise ModelError(f'{card.name} has the members {wanted}; it was given {given}')
        self.name = card.name
        self.asked = Asked()
        self._members, self._task = tuple(members), task
        self._combine = combination(task.name, card.threshold)
        self._gain = MarginalGain(len(members), khat)
        self.set_price(card.ensemble.marginal_gain_min)

    @property
    def price(self) -> float:
        """Expected gain that a further member has to exceed."""
        return self._price

    def set_price(self, price: float) -> None:
        """Set the price of a further member; 0 asks all of them.

        Raises:
            ConfigError: it is no number >= 0; infinity, which asks one, is.
        """
        if math.isnan(price) or price < 0.0:
            raise ConfigError(f'{self.name}: the price of a member is {price}; it is 0 or more')
        self._price = price

    @property
    def notes(self) -> tuple[str, ...]:
        """What is otherwise than the members' cards say."""
        told = [(member.name, getattr(member, 'notes', ())) for member in self._members]
        return tuple(f'{name}: {note}' for name, notes in told for note in notes)

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the combined answer of as many members as were worth their price.

        A member that fails is left out, and the next is asked in its place.

        Raises:
            PredictionError: every member failed.
        """
        start, price = time.perf_counter(), self._price
        answers: list[Prediction] = []
        gains: list[float] = []
        faults: list[str] = []
        combined: Prediction | None = None
        for member in self._members:
            confidence = 0.0
            if combined is not None:
                confidence = self._task.evidence(combined).confidence
                gains.append(self._gain.gain(len(answers), confidence))
                if not self._gain.worth(len(answers), confidence, price):
                    break
            try:
                answers.append(self._answer(member, image))
            except PredictionError as err:
                faults.append(str(err))
                continue
            moved = self._combine(self.name, answers)
            if combined is not None:
                change = self._task.disagreement(combined, moved)
                self._gain.observe(len(answers) - 1, confidence, change)
            combined = moved
        self.asked = Asked(tuple(a.model for a in answers), tuple(gains), tuple(faults))
        if combined is None:
            raise PredictionError(f'{self.name}: no member answered: {"; ".join(faults)}')
        return combined._replace(wall_s=time.perf_counter() - start)

    def warm_up(self, runs: int) -> list[float]:
        """Warm every member up and return the time all of them took, each of `runs` times [s]."""
        times = [member.warm_up(runs) for member in self._members]
        return [math.fsum(row) for row in zip(*times, strict=True)]

    def close(self) -> None:
        """Close the members that have a process or a node of their own."""
        for member in self._members:
            getattr(member, 'close', lambda: None)()

    def _answer(self, member: Model, image: NDArray[np.uint8]) -> Prediction:
        """Return a member's answer.

        Raises:
            PredictionError: it failed or answered nonsense.
        """
        try:
            answer = member.predict(image)
            self._task.check(answer)
        except PredictionError as err:
            text = str(err)
            named = text if text.startswith(member.name) else f'{member.name} {text}'
            raise PredictionError(named, **err.values) from err
        return answer
