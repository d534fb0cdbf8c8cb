"""The contract of `prediction.Model`, the same suite for every backend and task.

A backend joins by one line in MODELS, and in FAULTY where a fault can be made.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import math
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
import pair
import pytest
from selector.backends.ensemble_model import EnsembleModel
from selector.backends.fake_model import FakeModel
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import read_card
from selector.errors import PredictionError
from selector.prediction import Model
from selector.task import Task
from selector.task import TaskSpec
from selector.tasks.known import task_named
from selector.workers.worker import run
import small_ensemble
import small_onnx
import small_torch

Make = Callable[[Path], Model]


def fake_model(_folder: Path) -> Model:
    """A scripted model whose logits depend on the pixels."""
    return FakeModel('fake', lambda image: np.resize(image.mean(axis=(0, 1)), 10))


def onnx_model(folder: Path) -> OnnxModel:
    """Return the model in a folder."""
    return OnnxModel(read_card(folder), folder / 'model.onnx', 1)


def onnx_fast(_folder: Path) -> Model:
    """The shipped fast model."""
    return onnx_model(pair.MODELS / pair.NAMES['fast'])


def onnx_slow(_folder: Path) -> Model:
    """The shipped slow model."""
    return onnx_model(pair.MODELS / pair.NAMES['slow'])


def onnx_classifier(folder: Path) -> Model:
    """A classifier made for the test."""
    return onnx_model(small_onnx.classifier(folder))


def onnx_detector(folder: Path) -> Model:
    """A detector of bright regions."""
    return onnx_model(small_onnx.detector(folder))


def onnx_regressor(folder: Path) -> Model:
    """A regressor of the mean colour."""
    return onnx_model(small_onnx.regressor(folder))


def fake_bad(_folder: Path, kind: str) -> Model:
    """A scripted model with a fault."""
    values = {'nan': np.full(10, np.nan), 'inf': np.array([np.inf, 0.0]), 'shape': np.ones((2, 5))}
    if kind in values:
        return FakeModel('bad', lambda _image: values[kind])

    def fail(_image: NDArray[np.uint8]) -> NDArray[np.floating]:
        raise RuntimeError('scripted')

    return FakeModel('bad', fail)


def onnx_bad(folder: Path, kind: str) -> Model:
    """An ONNX file that loads and then has a fault."""
    return onnx_model(small_onnx.bad_classifier(folder, kind))


def torch_exported(folder: Path) -> Model:
    """An exported program."""
    return small_torch.model(small_torch.exported(folder, 'Compass'))


def torch_state_dict(folder: Path) -> Model:
    """A state dict in a class that is trusted."""
    return small_torch.model(small_torch.state_dict(folder, 'Compass'))


def torch_detector(folder: Path) -> Model:
    """A detector of bright regions that returns a mapping."""
    return small_torch.model(small_torch.lamps(folder))


def torch_regressor(folder: Path) -> Model:
    """A regressor of the mean colour that returns a tuple."""
    return small_torch.model(small_torch.tint(folder))


def torchvision_classifier(folder: Path) -> Model:
    """One of torchvision's architectures with random weights."""
    return small_torch.model(small_torch.torchvision(folder, 'squeezenet1_1'))


def ensemble_classifier(_folder: Path) -> Model:
    """The shipped pair as one model, both always asked."""
    return small_ensemble.shipped()


def ensemble_detector(folder: Path) -> Model:
    """Two detectors of bright regions as one."""
    return small_ensemble.detectors(folder)


def torch_bad(folder: Path, kind: str) -> Model:
    """A torch model that loads and then has a fault."""
    return small_torch.model(small_torch.state_dict(folder, f'Bad{kind.capitalize()}'))


def ensemble_bad(folder: Path, kind: str) -> Model:
    """An ensemble of which no member is sound."""
    members = [onnx_bad(folder, kind), fake_bad(folder, kind)]
    card = small_ensemble.card([member.name for member in members], labels=[*'abcd'])
    return EnsembleModel(card, members, task_named('classification', card.task_spec))


CLASSES = TaskSpec(())
MODELS: list[tuple[Make, str, TaskSpec]] = [
    (fake_model, 'classification', CLASSES),
    (onnx_fast, 'classification', CLASSES),
    (onnx_slow, 'classification', CLASSES),
    (onnx_classifier, 'classification', CLASSES),
    (onnx_detector, 'detection', TaskSpec(('lamp',))),
    (onnx_regressor, 'regression', TaskSpec(scales=(1.0, 1.0, 1.0))),
    (torch_exported, 'classification', CLASSES),
    (torch_state_dict, 'classification', CLASSES),
    (torch_detector, 'detection', TaskSpec(('lamp',))),
    (torch_regressor, 'regression', TaskSpec(scales=(1.0, 1.0, 1.0))),
    (torchvision_classifier, 'classification', CLASSES),
    (ensemble_classifier, 'classification', CLASSES),
    (ensemble_detector, 'detection', TaskSpec(('lamp',))),
]
FAULTY: list[Callable[[Path, str], Model]] = [fake_bad, onnx_bad, torch_bad, ensemble_bad]

IMAGES = {
    'noise': np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8),
    'black': np.zeros((32, 32, 3), np.uint8),
    'white': np.full((100, 10, 3), 255, np.uint8),
    'pixel': np.full((1, 1, 3), 128, np.uint8),
    'view': np.random.default_rng(4).integers(0, 256, (20, 30, 3), np.uint8)[::-1, ::2, ::-1],
}
IMAGES['lamp'] = IMAGES['black'].copy()
IMAGES['lamp'][8:16, 4:20] = 240


class Subject(NamedTuple):
    """A model under test and what its answers are."""

    model: Model
    task: Task

    def answer(self, image: NDArray[np.uint8]) -> tuple[Any, ...]:
        """Return all of an answer but its time."""
        found = self.model.predict(image)
        return found.model, found.scores, found.class_id, found.content


@pytest.fixture(params=MODELS, ids=lambda row: row[0].__name__)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Each backend in turn; one that has a process or a node of its own is closed."""
    make, task, spec = request.param
    model = make(tmp_path)
    yield Subject(model, task_named(task, spec))
    getattr(model, 'close', lambda: None)()


@pytest.mark.parametrize('name', sorted(IMAGES))
def test_predict_returns_an_answer_of_the_task(subject: Subject, name: str) -> None:
    """The task finds nothing wrong with it, it bears the model's name, and its time is real."""
    answer = subject.model.predict(IMAGES[name])
    subject.task.check(answer)
    assert answer.model == subject.model.name
    assert all(type(p) is float and 0.0 <= p <= 1.0 for p in answer.scores)
    assert math.isfinite(answer.wall_s)
    assert answer.wall_s >= 0.0
    assert run(subject.model, IMAGES[name], subject.task).scores == answer.scores


@pytest.mark.parametrize('name', sorted(IMAGES))
def test_a_class_is_the_largest_of_probabilities(subject: Subject, name: str) -> None:
    """A classifier's scores sum to 1; a detector's come the highest first."""
    answer = subject.model.predict(IMAGES[name])
    if subject.task.name == 'classification':
        assert math.fsum(answer.scores) == pytest.approx(1.0, abs=1e-9)
        assert answer.class_id == int(np.argmax(answer.scores))
    elif subject.task.name == 'detection':
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
    else:
        assert (answer.scores, answer.class_id) == ((), -1)


@pytest.mark.parametrize('name', sorted(IMAGES))
def test_the_same_image_gives_the_same_answer(subject: Subject, name: str) -> None:
    """Bit for bit, whatever was asked in between, and the image is left as it was."""
    image = IMAGES[name]
    before = image.copy()
    first = subject.answer(image)
    subject.answer(IMAGES['noise'])
    assert subject.answer(image) == first
    assert subject.answer(image.copy()) == first
    assert (image == before).all()


def test_different_images_give_different_answers(subject: Subject) -> None:
    """The answer depends on the pixels."""
    assert len({subject.answer(image) for image in IMAGES.values()}) >= 3


@pytest.mark.parametrize('runs', [0, 1, 3])
def test_warm_up_returns_a_time_a_run(subject: Subject, runs: int) -> None:
    """As many finite times as runs."""
    times = subject.model.warm_up(runs)
    assert len(times) == runs
    assert all(math.isfinite(t) and t >= 0.0 for t in times)


@pytest.mark.parametrize('kind', ['nan', 'inf', 'shape', 'raise'])
@pytest.mark.parametrize('make', FAULTY, ids=lambda make: make.__name__)
def test_a_fault_is_a_prediction_error(
    make: Callable[[Path, str], Model], kind: str, tmp_path: Path
) -> None:
    """NaN, infinity, another shape or an exception come out of `run` as PredictionError."""
    made = make(tmp_path, kind)
    with pytest.raises(PredictionError, match='.+') as caught:
        run(made, IMAGES['noise'])
    assert '\n' not in str(caught.value)


def test_an_image_that_is_none_is_a_prediction_error(subject: Subject) -> None:
    """Whatever is handed in, `run` raises nothing but PredictionError."""
    if isinstance(subject.model, FakeModel):
        pytest.skip('the fake model answers as scripted, whatever it is shown')
    for image in (np.zeros((4, 4), np.uint8), np.zeros(3), np.zeros((2, 2, 9, 3))):
        with pytest.raises(PredictionError):
            run(subject.model, image, subject.task)  # type: ignore[arg-type]
