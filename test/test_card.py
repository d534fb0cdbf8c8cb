"""Card: a model is what its card says, or it is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
import shutil
from typing import Any

import pair
import pytest
from selector.card import checked_file
from selector.card import read_card
from selector.errors import ModelError
import yaml

NAME = pair.NAMES['fast']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder's copy of the fast model."""
    return Path(shutil.copytree(pair.MODELS / NAME, tmp_path / NAME))


def changed(folder: Path, **changes: Any) -> None:
    """Change top-level fields of the card; None removes one."""
    path = folder / 'card.yaml'
    tree = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if v is not None}))


def refusal(folder: Path) -> str:
    """Return the text with which the card in `folder` is refused, one line."""
    with pytest.raises(ModelError, match='.+') as caught:
        read_card(folder)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('name', sorted(pair.NAMES.values()))
def test_the_shipped_cards_name_their_files(name: str) -> None:
    """The models in the repository pass their own check, with every figure's provenance."""
    card = read_card(pair.MODELS / name)
    path = checked_file(card, pair.MODELS / name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert card.latency_p50_s.value is not None
    assert card.latency_p50_s.source


def test_all_problems_of_a_card_are_named(folder: Path) -> None:
    """Unknown, missing and bad fields are told together, an unknown one with advice."""
    changed(folder, labls=['a'], licence=None, sha256='abc', multiply_adds=-1)
    text = refusal(folder)
    for part in ("'labls'; did you mean 'labels'?", 'licence:', 'sha256:', 'multiply_adds:'):
        assert part in text


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('labels', ['only']),
        ('labels', [1, 2]),
        ('labels', ['cat', 'dog', 'cat']),
        ('task', 'detection'),
        ('input', {'name': 'x', 'crop': 'none', 'size_px': 0, 'scale': 1.0}),
        ('input', {'name': 'x', 'crop': 'left', 'size_px': 8, 'scale': 1.0}),
        ('input', {'name': 'x', 'crop': 'none', 'size_px': 8, 'scale': 0.0}),
        ('input', {'name': 'x', 'crop': 'none', 'size_px': 8, 'scale': float('nan')}),
        ('energy_j', {'value': -1.0, 'kind': 'measured', 'source': 'x'}),
        ('energy_j', {'value': float('inf'), 'kind': 'measured', 'source': 'x'}),
        ('energy_j', {'value': 1.0, 'kind': 'guessed', 'source': 'x'}),
        ('energy_j', 0.5),
        ('sha256', 'A' * 64),
    ],
)
def test_a_bad_field_is_named(folder: Path, field: str, value: object) -> None:
    """No nonsense passes for a figure, a size, a digest or a list of labels."""
    changed(folder, **{field: value})
    assert field in refusal(folder)


@pytest.mark.parametrize('text', ['', '[]', 'words', 'a: [1', 'labels: "\x00"'])
def test_a_card_that_is_none_is_refused(folder: Path, text: str) -> None:
    """An empty, non-mapping or broken file is refused by its path."""
    (folder / 'card.yaml').write_text(text)
    assert str(folder / 'card.yaml') in refusal(folder)


def test_a_missing_model_lists_the_others(folder: Path) -> None:
    """A misspelled name is answered with the models there are, and the closest."""
    text = refusal(folder.parent / 'cifar10_fsat')
    assert f'models found: {NAME}' in text
    assert f"did you mean '{NAME}'?" in text
    assert 'models found: none' in refusal(folder.parent / 'nowhere' / 'x')


def test_a_card_in_another_models_folder_is_refused(folder: Path) -> None:
    """A copied folder whose card keeps the old name would run the old model's file."""
    copy = shutil.copytree(folder, folder.parent / 'copy')
    text = refusal(Path(copy))
    assert NAME in text
    assert 'copy' in text


def test_an_altered_file_is_refused_with_both_digests(folder: Path) -> None:
    """One flipped bit in the weights is found; path, expected and found digest are told."""
    card, path = read_card(folder), folder / 'model.onnx'
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match='is not the one its card names') as caught:
        checked_file(card, folder)
    found = hashlib.sha256(data).hexdigest()
    assert all(part in str(caught.value) for part in (str(path), card.sha256, found))
    assert caught.value.values['found'] == found


def test_a_missing_file_is_refused(folder: Path) -> None:
    """A card without its weights is refused by the path of the weights."""
    card = read_card(folder)
    (folder / 'model.onnx').unlink()
    with pytest.raises(ModelError, match=r'model\.onnx cannot be read'):
        checked_file(card, folder)
