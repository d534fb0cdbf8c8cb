"""Every parameter file in config/ and every card in models/ can be used as it stands."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import runpy

import pytest
from selector import build
from selector.cards.card import Card
from selector.cards.card import read_card
from selector.config import Config
from selector.config import flat
from selector.config_file import load
from selector.tasks.known import task_named
import yaml

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ('torchvision_detection', 'yolo_topics')
CARDS = sorted(path.parent for path in (ROOT / 'models').glob('*/card.yaml'))


def preset(name: str) -> Config:
    """Return the parameters of a preset."""
    return load(ROOT / 'config' / f'{name}.yaml')


def pair(name: str) -> tuple[Card, Card]:
    """Return the cards of the fast and the slow model of a preset."""
    models = preset(name).models
    return read_card(ROOT / 'models' / models.fast), read_card(ROOT / 'models' / models.slow)


@pytest.mark.parametrize('path', sorted((ROOT / 'config').glob('*.yaml')), ids=lambda p: p.stem)
def test_a_parameter_file_loads(path: Path) -> None:
    """Each is one, but for the table of stakes, and changes what it names."""
    if path.name == 'stakes.example.yaml':
        pytest.skip('a table of stakes; test_stakes_file.py reads it')
    tree = yaml.safe_load(path.read_text())
    assert list(tree) == ['/**']
    assert flat(load(path)).keys() == flat(Config()).keys()


@pytest.mark.parametrize('folder', CARDS, ids=lambda p: p.name)
def test_a_card_validates(folder: Path) -> None:
    """Each is whole, and its task can be made of it."""
    card = read_card(folder)
    assert task_named(card.task, card.task_spec).name == card.task


@pytest.mark.parametrize('name', PRESETS)
def test_a_preset_is_a_plan(name: str) -> None:
    """The pair shares its classes, and all that is declared fits together."""
    fast, slow = pair(name)
    assert fast.task == slow.task == 'detection'
    assert fast.answer_labels == slow.answer_labels
    assert len({label for label in fast.labels if not label.startswith('unused_')}) == 80
    made = build.draft(preset(name))
    assert made.correlation is None
    assert made.settings.tiers[0].model == slow.name


@pytest.mark.parametrize('name', PRESETS)
def test_a_preset_names_what_differs(name: str) -> None:
    """It repeats no default, so that it does not grow old with them."""
    given, usual = flat(preset(name)), flat(Config())
    tree = yaml.safe_load((ROOT / 'config' / f'{name}.yaml').read_text())
    named = _names(tree['/**']['ros__parameters'])
    assert {key for key, value in given.items() if value != usual[key]} == named


def _names(tree: dict[str, object], prefix: str = '') -> set[str]:
    """Return the dotted names in a nested mapping."""
    found = set()
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= _names(value, f'{prefix}{key}.')
        else:
            found.add(prefix + key)
    return found


def test_yolo_topics_do_not_meet() -> None:
    """Each detector has topics of its own, named relative to the selector's namespace."""
    cards = pair('yolo_topics')
    topics = [t for card in cards if card.topic for t in (card.topic.input, card.topic.output)]
    assert len(set(topics)) == 4
    assert not any(topic.startswith('/') for topic in topics)


def test_the_labels_are_those_of_torchvision() -> None:
    """In the order of the weights' own categories, after the background."""
    found = importlib.util.find_spec('torchvision')
    if found is None or found.origin is None:
        pytest.skip('torchvision is not here')
    # Only this table: the package as a whole cannot be imported beside every torch.
    table = runpy.run_path(str(Path(found.origin).parent / 'models' / '_meta.py'))
    categories = table['_COCO_CATEGORIES'][1:]
    named = [f'unused_{k}' if c == 'N/A' else c for k, c in enumerate(categories, 1)]
    for card in pair('torchvision_detection'):
        assert list(card.labels) == named
