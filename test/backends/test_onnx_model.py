"""ONNX model: a file that is not the model of its card is refused in one line, before a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pair
import pytest
from selector.backends.onnx_model import OnnxModel
from selector.card import Card
from selector.card import read_card
from selector.errors import ModelError
from selector.image import model_input

FOLDER = pair.MODELS / pair.NAMES['fast']


@pytest.fixture
def card() -> Card:
    """The fast model's card."""
    return read_card(FOLDER)


def refusal(card: Card, path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(ModelError, match='.+') as caught:
        OnnxModel(card, path, 1)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.values['path'] == str(path)
    return str(caught.value)


@pytest.mark.parametrize('kind', ['empty', 'text', 'noise', 'half', 'head', 'none', 'folder'])
def test_a_file_that_is_no_model_is_refused(card: Card, tmp_path: Path, kind: str) -> None:
    """Empty, text, noise, cut or missing: one line with the path."""
    path = tmp_path / 'model.onnx'
    whole = (FOLDER / 'model.onnx').read_bytes()
    contents = {
        'empty': b'',
        'text': b'this is\nno model\n',
        'noise': np.random.default_rng(0).bytes(500),
        'half': whole[: len(whole) // 2],
        'head': whole[:20],
    }
    if kind == 'folder':
        path.mkdir()
    elif kind != 'none':
        path.write_bytes(contents[kind])
    assert 'cannot be loaded' in refusal(card, path)


@pytest.mark.parametrize(
    'change', [{'output': 'scores'}, {'input': 'x'}, {'output': 'image'}, {'output': ''}]
)
def test_other_names_are_refused_with_those_of_the_file(
    card: Card, change: dict[str, Any]
) -> None:
    """A card that names another input or output is told what the file has."""
    if 'input' in change:
        change = {'input': card.input.model_copy(update={'name': change['input']})}
    text = refusal(card.model_copy(update=change), FOLDER / 'model.onnx')
    assert "inputs ['image']" in text
    assert "outputs ['logits']" in text


def test_the_scores_are_those_of_the_file(card: Card) -> None:
    """Against onnxruntime called by hand: the softmax of the same logits."""
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    session = onnxruntime.InferenceSession(
        str(FOLDER / 'model.onnx'), providers=['CPUExecutionProvider']
    )
    tensor = model_input(image, card.input.crop, card.input.size_px, card.input.scale)
    (logits,) = session.run(['logits'], {'image': tensor})
    powers = np.exp(logits[0].astype(float) - logits[0].max())
    answer = OnnxModel(card, FOLDER / 'model.onnx', 1).predict(image)
    assert answer.scores == pytest.approx(powers / powers.sum(), abs=1e-6)
    assert answer.wall_s > 0.0


def test_the_shipped_card_keeps_its_promise_on_the_graph(card: Card) -> None:
    """Labels, input size and scale of the card fit the file: a 0..1 image of size_px goes in."""
    tensor = model_input(np.full((50, 40, 3), 255, np.uint8), card.input.crop, 32, 1.0 / 255.0)
    assert card.input.scale == pytest.approx(1.0 / 255.0)
    assert card.input.size_px == 32
    assert tensor.max() == pytest.approx(1.0)
    assert len(card.labels) == len(OnnxModel(card, FOLDER / 'model.onnx', 1).predict(
        np.zeros((32, 32, 3), np.uint8)
    ).scores)  # fmt: skip
