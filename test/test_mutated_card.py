"""Mutated cards: whatever is done to a card, it is valid or refused in one line."""

from __future__ import annotations

import copy
from pathlib import Path
import random
from typing import Any

import numpy as np
import pair
import pytest
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.cards.card import read_card
from selector.errors import ModelError
from selector.model_input import tensor
from selector.reading import Reading
import yaml

FAST: dict[str, Any] = yaml.safe_load((pair.MODELS / pair.NAMES['fast'] / 'card.yaml').read_text())
FILE = {'sha256': '0' * 64, 'file': 'model.onnx', 'training_data': 'x', 'licence': 'x'}
IMAGE: dict[str, Any] = {
    'name': 'image',
    'crop': 'none',
    'resize': 'keep_multiple',
    'size_px': 64,
    'multiple_px': 32,
    'layout': 'nchw',
    'colour': 'bgr',
    'dtype': 'float32',
    'scale': 0.5,
    'mean': [0.1, 0.2, 0.3],
    'std': [1.0, 2.0, 3.0],
}
DETECTOR: dict[str, Any] = {
    **FILE,
    'name': 'm',
    'task': 'detection',
    'labels': ['a', 'b', 'c'],
    'label_map': {'a': 'x', 'b': None, '*': 'y'},
    'class_weights': {'x': 2.0},
    'input': IMAGE,
    'output': 'p',
    'decoding': {'kind': 'yolo', 'layout': 'anchors_first', 'objectness': True},
    'threshold': 0.4,
    'candidates_above': 0.1,
    'nms_iou': 0.5,
    'max_boxes': 7,
    'threads': 2,
    'providers': ['CPUExecutionProvider'],
    'provider_fallback': True,
    'data_files': {'w.bin': '0' * 64},
}
VALID: list[dict[str, Any]] = [
    FAST,
    DETECTOR,
    {
        **FILE,
        'name': 'm',
        'task': 'regression',
        'scales': [1.0, 2.0],
        'input': {**IMAGE, 'resize': 'letterbox', 'pad_value': 3, 'size_px': [32, 64]},
        'outputs': {'values': 'v', 'spreads': 's'},
        'decoding': {'kind': 'regressor', 'factors': [1.0, 2.0], 'spread': 'variance'},
    },
    {
        'name': 'm',
        'task': 'detection',
        'runtime': 'topic',
        'labels': ['a'],
        'topic': {'input': 'a', 'output': 'b', 'answer': 'vision_msgs/Classification'},
        'training_data': 'x',
        'licence': 'x',
    },
]
del VALID[2]['input']['multiple_px']
NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    2**70,
    -(10**400),
    0.5,
    -0.0,
    1e308,
    5e-324,
    float('nan'),
    float('inf'),
    '',
    'x',
    '\x00',
    'é' * 600,
    'yolo',
    'detection',
    'CPUExecutionProvider',
    '../../x',
    [],
    [[]],
    {},
    {'kind': 'detr'},
    {'a': {'b': {'c': []}}},
    ['a', 1, None],
    [1.0, float('nan')],
    {1: 2},
    {None: None},
    b'bytes',
]


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every mapping or list in a tree with each of its keys."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree)
    here = [(tree, key) for key, _ in inside]
    parts = list(tree.values()) if isinstance(tree, dict) else tree
    return here + [p for part in parts if isinstance(part, dict | list) for p in places(part)]


def renamed(draw: random.Random, name: str) -> str:
    """Return a name with one letter dropped, doubled or exchanged."""
    k = draw.randrange(max(1, len(name)))
    return name[:k] + draw.choice(['', name[k : k + 1] * 2, 'q']) + name[k + 1 :]


def mutated(draw: random.Random) -> dict[str, Any]:
    """Return a valid card after one to four mutations."""
    tree: dict[str, Any] = copy.deepcopy(draw.choice(VALID))
    for _ in range(draw.randint(1, 4)):
        found = places(tree)
        if not found:
            break
        part, key = draw.choice(found)
        other, place = draw.choice(found)
        kind = draw.choice(['drop', 'rename', 'retype', 'extreme', 'nest', 'copy'])
        if kind == 'drop':
            del part[key]
        elif kind == 'rename' and isinstance(part, dict) and isinstance(key, str):
            part[renamed(draw, key)] = part.pop(key)
        elif kind == 'extreme' and isinstance(part[key], int | float):
            part[key] = part[key] * draw.choice([-1, 0, 1000, 10**30, 10**300])
        elif kind == 'nest':
            part[key] = draw.choice([[part[key]], {str(key): part[key]}])
        elif kind == 'copy':
            part[key] = copy.deepcopy(other[place])
        else:
            part[key] = draw.choice(NASTY)
    return tree


def use(card: Card) -> None:
    """Do what is done with a card before its file is loaded."""
    assert len(card.answer_ids) == len(card.labels)
    assert 0.0 < card.doubtful_from < card.threshold
    card.model_dump(mode='json')
    if card.input is not None:
        tensor(np.zeros((9, 13, 3), np.uint8), card.input)
        Reading(card)


@pytest.mark.parametrize('block', range(8))
def test_a_mutated_card_is_valid_or_refused(block: int) -> None:
    """2,000 cards: a ModelError in one line of bearable length, or a card that can be used."""
    draw = random.Random(block)
    valid = 0
    for _ in range(250):
        try:
            card = checked_card(mutated(draw), 'here')
        except ModelError as err:
            assert '\n' not in str(err)
            assert str(err).startswith('here: ')
            assert len(str(err)) < 20_000
            continue
        use(card)
        valid += 1
    assert 5 <= valid <= 200


@pytest.mark.parametrize('block', range(4))
def test_a_card_with_mutated_bytes_is_valid_or_refused(block: int, tmp_path: Path) -> None:
    """480 files: letters exchanged, doubled, dropped, cut and mixed with signs of YAML."""
    draw = random.Random(1000 + block)
    folder = tmp_path / 'm'
    folder.mkdir()
    for _ in range(120):
        text = bytearray(yaml.safe_dump(draw.choice(VALID)).encode())
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(len(text))
            end = min(len(text), at + draw.choice([0, 1, 1, 2, 30]))
            text[at:end] = draw.choice(
                [
                    b'',
                    b'\n',
                    b': ',
                    b'- ',
                    b'&a ',
                    b'*a',
                    b'!!',
                    b'{',
                    b']',
                    b'"',
                    b'#',
                    b'\xff',
                    b'9',
                ]
            )
        (folder / 'card.yaml').write_bytes(text)
        try:
            use(read_card(folder))
        except ModelError as err:
            assert '\n' not in str(err)
            assert str(folder) in str(err)
