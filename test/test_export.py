"""An exported model answers as torch does, and its folder is at once a model of selector."""

from __future__ import annotations

from collections.abc import Iterator
import importlib
from pathlib import Path
import sys
from typing import Any

import numpy as np
from PIL import Image
import pytest
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import checked_file
from selector.cards.card import read_card
import small_torch
import torch_here

MODELS = Path(__file__).resolve().parents[1] / 'models'
IMAGE = np.random.default_rng(4).integers(0, 256, (40, 50, 3), np.uint8)
# torch 2.13's exporter copies what its own next version deprecates.
pytestmark = pytest.mark.filterwarnings('ignore:.isinstance.treespec:FutureWarning')


@pytest.fixture(scope='module')
def export() -> Iterator[Any]:
    """The script, imported as a module."""
    torch_here.torchvision()
    pytest.importorskip('onnxscript')
    sys.path.insert(0, str(MODELS))
    yield importlib.import_module('export')
    sys.path.remove(str(MODELS))


def written(folder: Path) -> OnnxModel:
    """Return the model that was written, as the product loads it."""
    card = read_card(folder)
    return OnnxModel(card, checked_file(card, folder), 1)


@pytest.mark.slow
def test_a_torchvision_classifier_is_usable_at_once(export: Any, tmp_path: Path) -> None:
    """Card, labels, latency and file are there; batches of one and three were compared."""
    out = tmp_path / 'squeezed'
    command = ['torchvision:squeezenet1_1', '--weights', 'random', '--size', '64']
    assert export.main([*command, '--out', str(out)]) == 0
    card = read_card(out)
    assert (card.name, card.labels[:2], len(card.labels)) == (
        'squeezed',
        ('tench', 'goldfish'),
        1000,
    )
    assert card.input is not None and card.input.sides_px == (64, 64)
    p50_s, p99_s = card.latency_p50_s.value, card.latency_p99_s.value
    assert p50_s is not None and p99_s is not None and 0.0 < p50_s <= p99_s
    assert len(written(out).predict(IMAGE).scores) == 1000
    assert export.main([*command, '--out', str(out)]) == 2


@pytest.mark.parametrize('form', ['program', 'class'])
def test_a_network_of_ones_own_keeps_its_answers(
    export: Any, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a program or from a class with a state dict, onnxruntime answers as torch does."""
    net = small_torch.net('Compass')
    path = tmp_path / ('compass.pt2' if form == 'program' else 'compass.pt')
    if form == 'program':
        small_torch.export(net, path)
        command = [str(path)]
    else:
        torch_here.torch().save(net.state_dict(), path)
        command = ['torch_nets:Compass', '--weights', str(path)]
    Image.fromarray(IMAGE).save(tmp_path / 'image.png')
    command += ['--labels', 'n,e,s,w', '--size', '32', '--image', str(tmp_path / 'image.png')]
    assert export.main([*command, '--out', str(tmp_path / 'compass')]) == 0
    told = capsys.readouterr().out
    assert told.count('largest difference on') == 3
    small_torch.exported(tmp_path / 'theirs', 'Compass')
    theirs = small_torch.model(tmp_path / 'theirs' / 'Compass').predict(IMAGE)
    assert written(tmp_path / 'compass').predict(IMAGE).scores == pytest.approx(
        theirs.scores, abs=1e-5
    )


def test_a_regression_and_any_other_network(export: Any, tmp_path: Path) -> None:
    """A regression gets its scales; of what has no card here only the file is written."""
    command = ['torch_nets:Tint', '--weights', 'random']
    numbers = ['--task', 'regression', '--scales', '1', '1', '1', '--out', str(tmp_path / 'tint')]
    assert export.main(command + numbers) == 0
    assert written(tmp_path / 'tint').predict(IMAGE).content is not None
    assert export.main([*command, *numbers, '--force']) == 0
    assert export.main([*command, '--task', 'other', '--out', str(tmp_path / 'other')]) == 0
    assert [path.name for path in (tmp_path / 'other').iterdir()] == ['model.onnx']


def test_a_program_of_one_image_stays_one(
    export: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the program has a fixed batch the ONNX file has it too, and that is said."""
    small_torch.export(small_torch.net('Compass'), tmp_path / 'one.pt2', batch=False)
    command = [str(tmp_path / 'one.pt2'), '--labels', 'n,e,s,w', '--size', '32']
    assert export.main([*command, '--out', str(tmp_path / 'one')]) == 0
    assert 'one image at a time' in capsys.readouterr().out
    assert len(written(tmp_path / 'one').predict(IMAGE).scores) == 4


def test_an_export_that_differs_is_refused(
    export: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beyond the tolerance nothing is written; rounding alone is beyond a tolerance of zero."""
    command = ['torch_nets:Compass', '--weights', 'random', '--labels', 'n,e,s,w']
    command += ['--out', str(tmp_path / 'out'), '--tolerance', '0']
    assert export.main(command) == 2
    assert 'nothing was written' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_the_difference_is_seen(export: Any, tmp_path: Path) -> None:
    """Another network, and outputs of another shape, are far from the exported one."""
    torch = torch_here.torch()
    net, path = small_torch.net('Compass'), tmp_path / 'net.onnx'
    export.export(net, (1, 3, 32, 32), path, 'logits')
    given = {'noise': np.random.default_rng(1).random((1, 3, 32, 32), np.float32)}
    assert export.differences(net, path, given)['noise'] < 1e-5
    with torch.no_grad():
        net.head.bias += 0.5
    assert export.differences(net, path, given)['noise'] > 0.01
    assert export.differences(torch.nn.Flatten(), path, given)['noise'] == float('inf')


def test_bad_requests_are_one_sentence(
    export: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown names, missing weights or labels, detectors and pickles: exit status 2."""
    torch_here.torch().save(small_torch.net('Compass'), tmp_path / 'full.pt')
    for command, word in (
        (['torchvision:resnet81', '--weights', 'random'], "did you mean 'resnet18'"),
        (['torchvision:ssdlite320_mobilenet_v3_large'], 'runtime torchvision'),
        (['torch_nets:Compass', '--labels', 'a,b'], '--weights is missing'),
        (['torch_nets:Compass', '--weights', 'random'], '--labels is missing'),
        (['torch_nets:Nothing', '--weights', 'random'], 'cannot be made'),
        (['torch_nets:Compass', '--weights', str(tmp_path / 'full.pt')], 'more than tensors'),
        ([str(tmp_path / 'full.pt'), '--labels', 'a,b'], 'is no exported program'),
        ([str(tmp_path / 'nothing.pt2'), '--labels', 'a,b'], 'cannot be read'),
        (['torch_nets:Compass', '--weights', 'random', '--labels', 'a,b'], '(any, 4)'),
    ):
        assert export.main([*command, '--out', str(tmp_path / 'out')]) == 2, command
        told = capsys.readouterr().err.strip()
        assert word in told and '\n' not in told, told
        assert not (tmp_path / 'out').exists()
