"""From a card to its model, whatever runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pair
import pytest
from selector.backends.ensemble_model import EnsembleModel
from selector.backends.fake_model import FakeModel
from selector.backends.onnx_model import OnnxModel
from selector.build import build_model
from selector.build import draft
from selector.build import FAST
from selector.build import means
from selector.build import SLOW
from selector.cards.card import read_card
from selector.config import from_flat
from selector.errors import ConfigError
from selector.errors import MissingError
from selector.errors import ModelError
from selector.loading import load_model
from selector.loading import Means
import yaml

IMAGE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)


def written(models: Path, name: str, **more: Any) -> Path:
    """Write the card of a model without a file; return its folder."""
    labels = list(read_card(pair.MODELS / pair.NAMES['fast']).labels)
    tree = {
        'name': name,
        'task': 'classification',
        'labels': labels,
        'training_data': 'none',
        'licence': 'none',
        **more,
    }
    folder = models / name
    folder.mkdir()
    (folder / 'card.yaml').write_text(yaml.safe_dump(tree, sort_keys=False))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with the shipped pair."""
    return pair.models_folder(tmp_path / 'models')


def test_a_file_is_checked_and_run(models: Path) -> None:
    """An ONNX card gives the model that answers as the backend does by itself."""
    name = pair.NAMES['fast']
    made = load_model(read_card(models / name), Means(models, 1))
    assert isinstance(made, OnnxModel)
    direct = OnnxModel(read_card(models / name), models / name / 'model.onnx', 1)
    assert made.predict(IMAGE).scores == direct.predict(IMAGE).scores


def test_an_ensemble_loads_its_members(models: Path) -> None:
    """In the order of the card; one whose member is another ensemble is refused."""
    members = list(pair.NAMES.values())
    folder = written(models, 'both', runtime='ensemble', ensemble={'members': members})
    made = load_model(read_card(folder), Means(models, 1))
    assert isinstance(made, EnsembleModel)
    assert len(made.predict(IMAGE).scores) == 10
    nested = {'members': ['both', members[0]]}
    outer = written(models, 'outer', runtime='ensemble', ensemble=nested)
    with pytest.raises(ModelError, match='both is an ensemble itself'):
        load_model(read_card(outer), Means(models, 1))
    short = written(
        models, 'short', labels=['a', 'b'], runtime='ensemble', ensemble={'members': members}
    )
    with pytest.raises(ConfigError, match='cannot be a pair'):
        load_model(read_card(short), Means(models, 1))


def test_topics_need_the_node(models: Path) -> None:
    """Without ROS the message says who can ask; the node hands in what can."""
    topic = {'input': 'i', 'output': 'o', 'answer': 'selector_msgs/Prediction'}
    card = read_card(written(models, 'far', runtime='topic', topic=topic))
    with pytest.raises(MissingError, match='answers on a ROS topic: only the node'):
        load_model(card, Means(models, 1))
    fake = FakeModel('far', lambda _image: np.zeros(10))
    assert load_model(card, Means(models, 1), lambda _card: fake) is fake


def test_what_no_card_states_is_the_deadline_until_it_is_measured(models: Path) -> None:
    """A new model without latencies can be loaded by the node, and is not said to be quick."""
    source = models / pair.NAMES['slow']
    tree = yaml.safe_load((source / 'card.yaml').read_text())
    for key in ('latency_p50_s', 'latency_p99_s'):
        del tree[key]
    folder = models / 'new'
    folder.mkdir()
    (folder / 'card.yaml').write_text(yaml.safe_dump({**tree, 'name': 'new'}, sort_keys=False))
    (folder / 'model.onnx').write_bytes((source / 'model.onnx').read_bytes())
    values = {
        'models.folder': str(models),
        'models.slow': 'new',
        'models.correlation': '',
        'decision.gain_rule': 'learned',
        'decision.deadline_s': 0.125,
        'models.trusted_code': ' mine:Net, other:Net ',
    }
    made = draft(from_flat(values))
    assert made.settings.tiers[0].latency_p50_s == 0.125
    assert build_model(made, SLOW).name == 'new'
    assert build_model(made, FAST).name == pair.NAMES['fast']
    assert means(made).trusted == ('mine:Net', 'other:Net')
