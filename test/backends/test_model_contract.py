"""The contract of `prediction.Model`, the same suite for every backend."""

from __future__ import annotations

from collections.abc import Callable
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pair
import pytest
from selector.backends.fake_model import FakeModel
from selector.backends.onnx_model import OnnxModel
from selector.card import read_card
from selector.errors import PredictionError
from selector.prediction import Model
from selector.worker import run

Logits = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


def fake_model(_folder: Path) -> Model:
    """A scripted model whose logits depend on the pixels."""
    return FakeModel('fake', lambda image: np.resize(image.mean(axis=(0, 1)), 10))


def onnx_fast(_folder: Path) -> Model:
    """The shipped fast model."""
    return onnx_model(pair.NAMES['fast'])


def onnx_slow(_folder: Path) -> Model:
    """The shipped slow model."""
    return onnx_model(pair.NAMES['slow'])


def onnx_model(name: str) -> OnnxModel:
    """Return a shipped model."""
    folder = pair.MODELS / name
    return OnnxModel(read_card(folder), folder / 'model.onnx', 1)


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
    import onnx
    from onnx import helper
    from onnx import numpy_helper
    from onnx import TensorProto

    constant = {
        'nan': np.full((1, 10), np.nan, np.float32),
        'inf': np.full((1, 10), np.inf, np.float32),
        'shape': np.ones((1, 7), np.float32),
        'raise': np.ones((1, 10), np.float32),
    }[kind]
    side = 16 if kind == 'raise' else 32  # another input size than the card says
    picture = helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, side, side])
    out = helper.make_tensor_value_info('logits', TensorProto.FLOAT, list(constant.shape))
    zero = numpy_helper.from_array(np.zeros((), np.float32), 'zero')
    value = numpy_helper.from_array(constant, 'value')
    nodes = [
        helper.make_node('ReduceMax', ['image'], ['top'], keepdims=0),
        helper.make_node('Mul', ['top', 'zero'], ['nothing']),
        helper.make_node('Add', ['value', 'nothing'], ['logits']),
    ]
    graph = helper.make_graph(nodes, 'bad', [picture], [out], [zero, value])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    path = folder / 'bad.onnx'
    onnx.save(model, path)
    return OnnxModel(read_card(pair.MODELS / pair.NAMES['fast']), path, 1)


BACKENDS = [fake_model, onnx_fast, onnx_slow]
IMAGES = {
    'noise': np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8),
    'black': np.zeros((32, 32, 3), np.uint8),
    'white': np.full((100, 10, 3), 255, np.uint8),
    'pixel': np.full((1, 1, 3), 128, np.uint8),
    'view': np.random.default_rng(4).integers(0, 256, (20, 30, 3), np.uint8)[::-1, ::2, ::-1],
}


@pytest.fixture(params=BACKENDS, ids=lambda make: make.__name__)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    """Each backend in turn."""
    made: Model = request.param(tmp_path)
    return made


@pytest.mark.parametrize('name', sorted(IMAGES))
def test_predict_returns_probabilities(model: Model, name: str) -> None:
    """Scores are finite, in [0, 1], sum to 1; the class is the largest; the time is real."""
    answer = model.predict(IMAGES[name])
    assert answer.model == model.name
    assert all(type(p) is float and 0.0 <= p <= 1.0 for p in answer.scores)
    assert math.fsum(answer.scores) == pytest.approx(1.0, abs=1e-9)
    assert answer.class_id == int(np.argmax(answer.scores))
    assert answer.wall_s >= 0.0
    assert run(model, IMAGES[name]).scores == answer.scores


@pytest.mark.parametrize('name', sorted(IMAGES))
def test_the_same_image_gives_the_same_scores(model: Model, name: str) -> None:
    """Bit for bit, whatever was asked in between, and the image is left as it was."""
    image = IMAGES[name]
    before = image.copy()
    first = model.predict(image).scores
    model.predict(IMAGES['noise'])
    assert model.predict(image).scores == first
    assert model.predict(image.copy()).scores == first
    assert (image == before).all()


def test_different_images_give_different_scores(model: Model) -> None:
    """The answer depends on the pixels."""
    assert model.predict(IMAGES['noise']).scores != model.predict(IMAGES['view']).scores


@pytest.mark.parametrize('runs', [0, 1, 3])
def test_warm_up_returns_a_time_a_run(model: Model, runs: int) -> None:
    """As many finite times as runs."""
    times = model.warm_up(runs)
    assert len(times) == runs
    assert all(math.isfinite(t) and t >= 0.0 for t in times)


@pytest.mark.parametrize('kind', ['nan', 'inf', 'shape', 'raise'])
@pytest.mark.parametrize('make', [fake_bad, onnx_bad], ids=lambda make: make.__name__)
def test_a_fault_is_a_prediction_error(
    make: Callable[[Path, str], Model], kind: str, tmp_path: Path
) -> None:
    """NaN, infinity, another shape or an exception come out of `run` as PredictionError."""
    made = make(tmp_path, kind)
    with pytest.raises(PredictionError, match='.+') as caught:
        run(made, IMAGES['noise'])
    assert '\n' not in str(caught.value)


def test_an_image_that_is_none_is_a_prediction_error(model: Model) -> None:
    """Whatever is handed in, `run` raises nothing but PredictionError."""
    if isinstance(model, FakeModel):
        pytest.skip('the fake model answers as scripted, whatever it is shown')
    for image in (np.zeros((4, 4), np.uint8), np.zeros(3), np.zeros((2, 2, 9, 3))):
        with pytest.raises(PredictionError):
            run(model, image)  # type: ignore[arg-type]
