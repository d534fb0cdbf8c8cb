"""Whether two cards can be a pair, and the label map that is proposed where they cannot."""

from __future__ import annotations

from typing import Any

import pytest
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.cards.pairing import check_pair
from selector.cards.pairing import proposal
from selector.errors import ConfigError
import yaml


def card(name: str, **more: Any) -> Card:
    """Return the card of a detector behind topics, which needs no file."""
    tree = {
        'name': name,
        'task': 'detection',
        'runtime': 'topic',
        'topic': {'input': 'i', 'output': 'o', 'answer': 'selector_msgs/Prediction'},
        'labels': ['person', 'car'],
        'training_data': 'none',
        'licence': 'none',
    }
    return checked_card({**tree, **more}, name)


def refusal(fast: Card, slow: Card) -> str:
    """Return the one line with which a pair is refused."""
    with pytest.raises(ConfigError, match='cannot be a pair') as caught:
        check_pair(fast, slow)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_the_same_labels_are_a_pair() -> None:
    """So are labels that a map makes the same, in the same order."""
    check_pair(card('a'), card('b'))
    many = card(
        'c',
        labels=['truck', 'car', 'pedestrian', 'dog'],
        label_map={'pedestrian': 'person', 'car': 'car', 'truck': 'car', '*': None},
    )
    check_pair(card('a'), many)


@pytest.mark.parametrize(
    'labels', [['car', 'person'], ['person'], ['person', 'car', 'dog'], ['Person', 'Car', 'Bus']]
)
def test_other_labels_are_refused_with_a_map(labels: list[str]) -> None:
    """Another count, order or spelling: the message holds a label map that would do, as YAML.

    Where every wanted name is found, the pair with that map is one.
    """
    fast, slow = card('a'), card('b', labels=labels)
    told = refusal(fast, slow)
    assert f'a has 2 labels and b {len(labels)}' in told
    proposed = yaml.safe_load(
        told[told.index('label_map ') + len('label_map ') :].split('}')[0] + '}'
    )
    assert list(proposed.values())[:2] == ['person', 'car']
    if not any(name.startswith('?') for name in proposed):
        check_pair(fast, card('b', labels=labels, label_map=proposed))


def test_what_cannot_be_guessed_has_a_question_mark() -> None:
    """Every wanted name has its place; a person has to fill in what is not spelled alike."""
    assert (
        proposal(('Car', 'pedestrian'), ('person', 'car'))
        == "'?person': person, Car: car, '*': null"
    )
    assert proposal(('a', 'b'), ('a', 'b')) == 'a: a, b: b'


def test_another_task_or_weighting_is_no_pair() -> None:
    """Losses of another kind, or counted otherwise, cannot be compared."""
    numbers = card('b', task='regression', labels=[], scales=[1.0])
    assert 'a is of task detection, b of regression' in refusal(card('a'), numbers)
    heavy = card('b', class_weights={'person': 5.0})
    assert 'class_weights' in refusal(card('a'), heavy)
    other = card('c', task='regression', labels=[], scales=[2.0])
    assert 'scales' in refusal(numbers, other)
