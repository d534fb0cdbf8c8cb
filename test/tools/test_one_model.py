"""One model: any model by its name, with other threads or another input size."""

from __future__ import annotations

import hashlib
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import pair
import pytest
from selector.backends.fake_model import FakeModel
from selector.build import Plan
from selector.config import Config
from selector.config import from_flat
from selector.errors import InputError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.tools.one_model import load_model
from selector.tools.one_model import own_threads
import yaml

FRAME = np.zeros((48, 64, 3), np.uint8)


def shipped(**values: Any) -> Config:
    """Return the configuration of the shipped models."""
    return from_flat({'models.folder': str(pair.MODELS), **values})


def copied(folder: Path, name: str, model: bytes, **changes: Any) -> None:
    """Write a model with the card of cifar10_fast, a file of its own and `changes`."""
    card = yaml.safe_load((pair.MODELS / 'cifar10_fast' / 'card.yaml').read_text())
    card.update(name=name, sha256=hashlib.sha256(model).hexdigest(), **changes)
    (folder / name).mkdir(parents=True)
    (folder / name / 'model.onnx').write_bytes(model)
    (folder / name / 'card.yaml').write_text(yaml.safe_dump(card))


def any_size() -> bytes:
    """Return an ONNX classifier whose height and width are free: the mean colour, weighted."""
    onnx = pytest.importorskip('onnx')
    from onnx import helper

    number = onnx.TensorProto.FLOAT
    image = helper.make_tensor_value_info('image', number, ['n', 3, 'h', 'w'])
    logits = helper.make_tensor_value_info('logits', number, ['n', 10])
    weights = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
    nodes = [
        helper.make_node('GlobalAveragePool', ['image'], ['mean']),
        helper.make_node('Flatten', ['mean'], ['flat']),
        helper.make_node('MatMul', ['flat', 'weights'], ['logits']),
    ]
    tensors = [onnx.numpy_helper.from_array(weights, 'weights')]
    graph = helper.make_graph(nodes, 'any_size', [image], [logits], tensors)
    opset = [helper.make_opsetid('', 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


@pytest.mark.parametrize('name', pair.NAMES.values())
def test_each_model_stands_alone(name: str) -> None:
    """It loads without a partner, a correlation or a budget, whatever is configured."""
    values = {'models.fast': 'gone', 'models.slow': 'gone', 'decision.gain_rule': 'seed'}
    model = load_model(shipped(**values), name, 2)
    assert model.name == name
    assert model.predict(FRAME).scores


def test_the_threads_are_the_ones_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They reach the building of the model, also past a card that states threads of its own."""
    seen = []

    def build(made: Plan, tier: str) -> FakeModel:
        card = made.cards[tier]
        seen.append(card.threads or made.config.models.threads)
        return FakeModel(card.name, lambda _image: np.zeros(10))

    monkeypatch.setattr('selector.tools.one_model.build_model', build)
    model = (pair.MODELS / 'cifar10_fast' / 'model.onnx').read_bytes()
    copied(tmp_path, 'new', model, threads=3)
    config = from_flat({'models.folder': str(tmp_path), 'models.threads': 2})
    load_model(config, 'new', 5)
    load_model(shipped(), 'cifar10_fast', 5)
    assert seen == [5, 5]
    assert own_threads(config, 'new') == 3
    assert own_threads(shipped(**{'models.threads': 2}), 'cifar10_fast') == 2


def test_a_card_that_states_no_latency_yet(tmp_path: Path) -> None:
    """That is what is going to be measured, so it must not be needed."""
    nothing = {'value': None, 'kind': 'unknown', 'source': 'not measured yet'}
    model = (pair.MODELS / 'cifar10_fast' / 'model.onnx').read_bytes()
    copied(tmp_path, 'new', model, latency_p50_s=nothing, latency_p99_s=nothing)
    assert load_model(from_flat({'models.folder': str(tmp_path)}), 'new', 1).name == 'new'


def test_an_unknown_or_altered_model_is_refused(tmp_path: Path) -> None:
    """By name, with those that are there; by digest, as everywhere."""
    with pytest.raises(ModelError, match="did you mean 'cifar10_fast'"):
        load_model(shipped(), 'cifar10_fats', 1)
    shutil.copytree(pair.MODELS / 'cifar10_fast', tmp_path / 'cifar10_fast')
    (tmp_path / 'cifar10_fast' / 'model.onnx').write_bytes(b'x')
    with pytest.raises(ModelError, match='is not the one its card names'):
        load_model(from_flat({'models.folder': str(tmp_path)}), 'cifar10_fast', 1)


def test_another_size_of_a_graph_that_allows_it(tmp_path: Path) -> None:
    """The same model answers at another size; the card in its folder stays as it is."""
    copied(tmp_path, 'free', any_size())
    config = from_flat({'models.folder': str(tmp_path)})
    before = (tmp_path / 'free' / 'card.yaml').read_bytes()
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    own, other = (load_model(config, 'free', 1, size).predict(frame) for size in (None, 64))
    assert other.scores != own.scores
    assert (tmp_path / 'free' / 'card.yaml').read_bytes() == before


def test_another_size_of_a_fixed_graph_fails() -> None:
    """At the latest when it is called, with a word of ours."""
    with pytest.raises((ModelError, PredictionError)):
        load_model(shipped(), 'cifar10_fast', 1, 64).predict(FRAME)


def test_a_size_that_no_card_can_have() -> None:
    """Refused as in a card."""
    with pytest.raises(InputError, match='takes no input of 5000 px'):
        load_model(shipped(), 'cifar10_fast', 1, 5000)
