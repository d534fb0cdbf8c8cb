"""An ensemble answers with as many members as are worth their price, the same way each time."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pair
import pytest
from selector.backends.ensemble_model import EnsembleModel
from selector.backends.fake_model import FakeModel
from selector.errors import ConfigError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.tasks.classification import Classification
from selector.tasks.detection import boxes
from selector.tasks.detection import Detection
from selector.tasks.regression import prediction
from selector.tasks.regression import Regression
from selector.tasks.regression import Values
from small_ensemble import card
from small_ensemble import detectors
from small_ensemble import shipped

Image = NDArray[np.uint8]
IMAGES = np.random.default_rng(8).integers(0, 256, (60, 40, 40, 3), np.uint8)


def scripted(name: str, answer: Callable[[Image], Sequence[float]]) -> FakeModel:
    """Return a member whose logits are a function of the image."""
    return FakeModel(name, lambda image: np.asarray(answer(image), np.float64))


def ensemble(*members: FakeModel, price: float = 0.0) -> EnsembleModel:
    """Return an ensemble of scripted members."""
    made = card([member.name for member in members], price)
    return EnsembleModel(made, members, Classification(2))


def test_every_member_answers_at_no_price() -> None:
    """The answer is the mean of the members' probabilities."""
    both = shipped(0.0)
    for image in IMAGES[:5]:
        answer = both.predict(image)
        assert both.asked.members == tuple(pair.NAMES[tier] for tier in ('fast', 'slow'))
        assert len(both.asked.gains) == 1
        alone = [member.predict(image).scores for member in both._members]
        assert answer.scores == pytest.approx(np.mean(alone, axis=0).tolist(), abs=1e-12)
        assert (answer.model, answer.wall_s > 0.0) == ('all', True)


def test_one_member_answers_at_any_price_above_what_it_can_gain() -> None:
    """The answer is the first member's, bit for bit, under the ensemble's name."""
    both = shipped(0.0)
    both.set_price(1.0)
    for image in IMAGES:
        answer = both.predict(image)
        assert len(both.asked.members) == 1
        assert answer.scores == both._members[0].predict(image).scores


def test_members_that_only_repeat_are_left_out() -> None:
    """What they change is learned to be nothing; where they change much they are asked."""
    image = IMAGES[0]
    same = [scripted(name, lambda _: (3.0, 0.0)) for name in 'abc']
    repeating = ensemble(*same, price=0.05)
    counts = [len((repeating.predict(image), repeating.asked)[1].members) for _ in range(400)]
    assert counts[0] == 3
    assert np.mean(counts[200:]) < 1.2
    turns = itertools.count()
    other = scripted('b', lambda _: (0.0, 9.0) if next(turns) % 2 else (9.0, 0.0))
    useful = ensemble(scripted('a', lambda _: (3.0, 0.0)), other, price=0.05)
    counts = [len((useful.predict(image), useful.asked)[1].members) for _ in range(100)]
    assert counts == [2] * 100


def test_doubtful_frames_get_more_members() -> None:
    """At one price, frames the first member is sure about end early, the others do not."""

    def first(image: Image) -> Sequence[float]:
        return (6.0, 0.0) if image.max() else (0.1, 0.0)

    def second(image: Image) -> Sequence[float]:
        return (6.0, 0.0) if image.max() else (0.0, 6.0)

    model = ensemble(scripted('a', first), scripted('b', second), price=0.1)
    sure, doubtful = np.ones((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    asked: dict[int, list[int]] = {0: [], 1: []}
    for k in range(400):
        model.predict(doubtful if k % 2 else sure)
        asked[k % 2].append(len(model.asked.members))
    assert np.mean(asked[0][100:]) < 1.1
    assert np.mean(asked[1][100:]) == 2.0


def test_the_price_sets_how_many_answer() -> None:
    """The number of members on the same frames falls with the price, from all to one."""
    counts = []
    for price in (0.0, 0.2, 0.6, 1.0):
        model = shipped(price)
        total = 0
        for image in IMAGES:
            model.predict(image)
            total += len(model.asked.members)
        counts.append(total)
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (2 * len(IMAGES), len(IMAGES))


def test_the_same_images_and_prices_give_the_same_answers() -> None:
    """All state comes from what was asked: two ensembles walk alike, changing prices included."""
    one, other = shipped(0.1), shipped(0.1)
    for k, image in enumerate(np.concatenate([IMAGES, IMAGES])):
        if k % 7 == 0:
            one.set_price(0.05 * (k % 11))
            other.set_price(0.05 * (k % 11))
        first, second = one.predict(image), other.predict(image)
        assert first.scores == second.scores
        assert one.asked == other.asked


def test_members_that_fail_are_left_out() -> None:
    """The next is asked in their place; where all fail the ensemble fails, naming each."""

    def fail(_image: Image) -> Sequence[float]:
        raise PredictionError('broke')

    model = ensemble(scripted('a', fail), scripted('b', lambda _: (2.0, 0.0)))
    assert model.predict(IMAGES[0]).class_id == 0
    assert (model.asked.members, model.asked.faults) == (('b',), ('a broke',))
    nan = ensemble(scripted('a', fail), scripted('b', lambda _: (float('nan'), 0.0)))
    with pytest.raises(PredictionError, match='all: no member answered: a broke; b .*NaN'):
        nan.predict(IMAGES[0])
    short = ensemble(scripted('a', lambda _: (1.0, 0.0, 0.0)), scripted('b', lambda _: (1.0, 0.0)))
    assert short.predict(IMAGES[0]).class_id == 0
    assert '3 scores for 2 labels' in short.asked.faults[0]


class Meter:
    """A member that returns numbers."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self._value = name, value

    def predict(self, _image: Image) -> Prediction:
        """Return the number."""
        return prediction(self.name, Values((self._value,)))

    def warm_up(self, runs: int) -> list[float]:
        """Return a second a run."""
        return [1.0] * runs


def test_numbers_disagree_as_spread() -> None:
    """The controller sees their disagreement as evidence; warm-up takes the time of all."""
    task = Regression((10.0,))
    made = card(['a', 'b'], task='regression', scales=[10.0], labels=[])
    model = EnsembleModel(made, [Meter('a', 2.0), Meter('b', 6.0)], task)
    answer = model.predict(IMAGES[0])
    assert answer.content == Values((4.0,), (2.0,))
    assert task.evidence(answer).confidence == pytest.approx(0.8)
    assert model.warm_up(3) == [2.0, 2.0, 2.0]


def test_boxes_are_fused(tmp_path: Path) -> None:
    """Two detectors that see one lamp give one box; a lamp that one of them misses is doubtful."""
    both = detectors(tmp_path)
    image = np.zeros((32, 32, 3), np.uint8)
    image[8:16, 4:20] = 240
    image[24:26, 24:26] = 240
    answer = both.predict(image)
    Detection(('lamp',)).check(answer)
    assert both.asked.members == ('lamps', 'coarse')
    found = boxes(answer)
    assert len(found.xyxy) == 1
    assert found.xyxy[0] == pytest.approx((4.0, 8.0, 20.0, 16.0), abs=1.0)
    assert found.doubtful


def test_members_and_price_are_checked() -> None:
    """Other members than the card's, and a price that is none, are refused."""
    with pytest.raises(ModelError, match="members .*'a', 'b'.* given .*'b'"):
        EnsembleModel(card(['a', 'b']), [Meter('b', 1.0), Meter('a', 1.0)], Classification(2))
    model = ensemble(scripted('a', lambda _: (1.0, 0.0)), scripted('b', lambda _: (1.0, 0.0)))
    for price in (-0.1, float('nan')):
        with pytest.raises(ConfigError, match='it is 0 or more'):
            model.set_price(price)
