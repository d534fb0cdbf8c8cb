"""Card file: only what lies in the models folder is loaded, and only the files a card names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
import shutil
from typing import Any

import pair
import pytest
from selector.cards.card import checked_file
from selector.cards.card import read_card
from selector.cards.card_file import check_digest
from selector.cards.card_file import file_in
from selector.errors import ModelError
import yaml

NAME = pair.NAMES['fast']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder's copy of the fast model."""
    return Path(shutil.copytree(pair.MODELS / NAME, tmp_path / 'models' / NAME))


def rewritten(folder: Path, **changes: Any) -> Path:
    """Write the card of the fast model into `folder`, with changes; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = yaml.safe_load((pair.MODELS / NAME / 'card.yaml').read_text())
    tree.update(name=folder.name, **changes)
    (folder / 'card.yaml').write_text(yaml.safe_dump(tree))
    return folder


def refusal(folder: Path) -> str:
    """Return the one line with which the files of a card are refused."""
    with pytest.raises(ModelError, match='.+') as caught:
        checked_file(read_card(folder), folder)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_two_cards_may_name_one_file(folder: Path) -> None:
    """A resolution pair: the second card has the file of the first and another input."""
    other = rewritten(folder.parent / 'other', file=f'../{NAME}/model.onnx')
    assert checked_file(read_card(other), other).samefile(folder / 'model.onnx')


@pytest.mark.parametrize(
    'file',
    ['../../outside.onnx', '/etc/hostname', '../../models_old/model.onnx', '..', '.', '../..'],
)
def test_nothing_outside_the_models_folder_is_loaded(folder: Path, file: str) -> None:
    """Whether the digest is right or not, and whatever the path begins with."""
    for place in (folder.parent.parent, folder.parent.parent / 'models_old'):
        place.mkdir(exist_ok=True)
        for name in ('outside.onnx', 'model.onnx'):
            shutil.copy(folder / 'model.onnx', place / name)
    text = refusal(rewritten(folder, file=file))
    assert 'outside the models folder' in text or 'it is no file' in text


def test_a_link_that_leaves_the_models_folder_is_refused(folder: Path) -> None:
    """The file itself, or a folder on the way to it."""
    outside = folder.parent.parent / 'outside'
    outside.mkdir()
    shutil.move(folder / 'model.onnx', outside / 'model.onnx')
    (folder / 'model.onnx').symlink_to(outside / 'model.onnx')
    assert 'outside the models folder' in refusal(folder)
    (folder / 'weights').symlink_to(outside)
    assert 'outside the models folder' in refusal(rewritten(folder, file='weights/model.onnx'))


def test_links_within_the_models_folder_are_followed(folder: Path) -> None:
    """A link to another model's file is as good as the path."""
    other = rewritten(folder.parent / 'other')
    (other / 'model.onnx').symlink_to(folder / 'model.onnx')
    assert checked_file(read_card(other), other) == other / 'model.onnx'


def test_an_installation_of_links_works(folder: Path) -> None:
    """As colcon build --symlink-install makes it: each file a link, or the whole folder."""
    installed = folder.parent.parent / 'share' / 'models'
    (installed / NAME).mkdir(parents=True)
    for name in ('card.yaml', 'model.onnx'):
        (installed / NAME / name).symlink_to(folder / name)
    checked_file(read_card(installed / NAME), installed / NAME)
    shutil.rmtree(installed / NAME)
    (installed / NAME).symlink_to(folder)
    checked_file(read_card(installed / NAME), installed / NAME)


def test_a_loop_of_links_and_a_nul_are_refused(folder: Path) -> None:
    """Neither ends in another exception."""
    (folder / 'model.onnx').unlink()
    (folder / 'model.onnx').symlink_to('model.onnx')
    assert str(folder) in refusal(folder)
    with pytest.raises(ModelError):
        file_in(folder, 'a\0b')


def test_what_is_no_file_is_not_opened(folder: Path) -> None:
    """A named pipe would be waited for, a folder cannot be read."""
    (folder / 'model.onnx').unlink()
    os.mkfifo(folder / 'model.onnx')
    assert 'it is no file' in refusal(folder)
    (folder / 'model.onnx').unlink()
    (folder / 'model.onnx').mkdir()
    assert 'it is no file' in refusal(folder)


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    """More than 4 GiB (a hole in a file system, here) is refused by its size."""
    with (folder / 'model.onnx').open('r+b') as file:
        file.truncate(4 * 1024**3 + 1)
    assert 'larger than 4 GiB' in refusal(folder)


def test_the_digest_of_a_file_longer_than_a_piece(tmp_path: Path) -> None:
    """It is read in pieces and is that of the whole."""
    data = os.urandom(1000) * 2500
    (tmp_path / 'x').write_bytes(data)
    check_digest(tmp_path / 'x', hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelError, match='is not the one its card names'):
        check_digest(tmp_path / 'x', hashlib.sha256(data[:-1]).hexdigest())


def test_files_beside_the_model_are_checked_too(folder: Path) -> None:
    """Each by the digest in the card; a changed one, a missing one and one outside are refused."""
    (folder / 'weights.bin').write_bytes(b'weights')
    digest = hashlib.sha256(b'weights').hexdigest()
    rewritten(folder, data_files={'weights.bin': digest})
    checked_file(read_card(folder), folder)
    (folder / 'weights.bin').write_bytes(b'Weights')
    assert 'weights.bin is not the one' in refusal(folder)
    (folder / 'weights.bin').unlink()
    assert 'weights.bin cannot be read' in refusal(folder)
    rewritten(folder, data_files={'../../weights.bin': digest})
    assert 'outside the models folder' in refusal(folder)


def test_a_card_without_a_file_has_none_to_check(folder: Path) -> None:
    """An ensemble consists of other models."""
    tree = yaml.safe_load((folder / 'card.yaml').read_text())
    for key in ('file', 'sha256', 'input', 'output'):
        del tree[key]
    tree.update(runtime='ensemble', ensemble={'members': ['a', 'b']})
    (folder / 'card.yaml').write_text(yaml.safe_dump(tree))
    assert 'has no model file' in refusal(folder)
