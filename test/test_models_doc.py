"""The document of the models: it explains every key of a card, and its examples are cards."""

from __future__ import annotations

from pathlib import Path
import re
from typing import get_args

from pydantic import BaseModel
import pytest
from selector.cards.backend_card import EnsembleCard
from selector.cards.backend_card import TopicCard
from selector.cards.backend_card import TorchCard
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.cards.card import FigureCard
from selector.cards.decoding_card import Decoding
from selector.cards.input_card import InputCard
import yaml

TEXT = (Path(__file__).resolve().parent.parent / 'docs' / 'models.md').read_text(encoding='utf-8')
KINDS = get_args(get_args(Decoding)[0])
PARTS: list[tuple[str, type[BaseModel]]] = [
    ('## The keys', Card),
    ('### figure', FigureCard),
    ('### input', InputCard),
    *((f'#### {get_args(kind.model_fields["kind"].annotation)[0]}', kind) for kind in KINDS),
    ('### torch', TorchCard),
    ('### ensemble', EnsembleCard),
    ('### topic', TopicCard),
]
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r'```yaml\n(.*?)```', TEXT, re.DOTALL)]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    part = re.split(r'\n#+ ', TEXT[TEXT.index(f'\n{heading}\n') + 1 :][len(heading) :])[0]
    lines = [line for line in part.split('\n') if line.startswith('| `')]
    return [[cell.strip() for cell in line[1:-1].split('|')] for line in lines]


@pytest.mark.parametrize(('heading', 'part'), PARTS, ids=lambda p: str(getattr(p, '__name__', p)))
def test_the_table_has_each_key_once_and_no_other(heading: str, part: type[BaseModel]) -> None:
    """In the order of the card."""
    assert [row[0].strip('`') for row in rows(heading)] == list(part.model_fields)


@pytest.mark.parametrize(('heading', 'part'), PARTS, ids=lambda p: str(getattr(p, '__name__', p)))
def test_the_defaults_are_those_of_the_card(heading: str, part: type[BaseModel]) -> None:
    """Numbers, choices and flags stand in the table as they are; what is needed has none."""
    for name, default, *_ in rows(heading):
        field = part.model_fields[name.strip('`')]
        if field.is_required():
            assert default == '', name
        elif isinstance(field.default, bool):
            assert default == str(field.default).lower(), name
        elif isinstance(field.default, int | float):
            assert default == f'{field.default:g}', name
        elif isinstance(field.default, str):
            assert default == field.default, name


def test_every_role_of_an_output_is_named() -> None:
    """By the name that `outputs` wants."""
    for kind in KINDS:
        name = get_args(kind.model_fields['kind'].annotation)[0]
        part = TEXT[TEXT.index(f'#### {name}\n') :].split('\n|')[0]
        for role in (*kind.ROLES, *kind.OPTIONAL):
            assert f'`{role}`' in part, f'{name}: {role}'


def test_the_examples_are_cards() -> None:
    """Whoever copies one has a valid card."""
    whole = [tree for tree in EXAMPLES if 'name' in tree]
    assert len(whole) == 2
    for tree in whole:
        checked_card(tree, 'docs/models.md')
    (part,) = [tree for tree in EXAMPLES if 'name' not in tree]
    assert checked_card({**whole[0], **part, 'class_weights': {}}, 'docs').answer_labels == (
        'person',
        'vehicle',
    )
