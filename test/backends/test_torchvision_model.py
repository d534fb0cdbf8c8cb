"""Torchvision models: classifiers and detectors by name answer as torchvision itself does."""

from __future__ import annotations

from collections.abc import Iterator
import functools
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from selector.backends.torch_model import TorchModel
from selector.cards.card import read_card
from selector.errors import ModelError
from selector.reading import Reading
from selector.tasks.detection import boxes
from selector.tasks.detection import Detection
import small_torch
import torch_here

IMAGE = np.random.default_rng(6).integers(0, 256, (120, 160, 3), np.uint8)
REPO = Path(__file__).resolve().parents[2]
LABELS = ['ball', 'robot', 'goal']
IMAGENET = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}
# roi_align of torchvision 0.28 is scripted where its library is not loaded.
pytestmark = pytest.mark.filterwarnings('ignore:.torch.jit:DeprecationWarning')
DETECTORS = ['ssdlite320_mobilenet_v3_large', 'fasterrcnn_mobilenet_v3_large_320_fpn']


@functools.cache
def network(name: str, classes: int) -> Any:
    """Return one of torchvision's networks with random weights."""
    torch_here.torch().manual_seed(0)
    models = torch_here.torchvision().models
    backbone = {'weights_backbone': None} if name in DETECTORS else {}
    return models.get_model(name, weights=None, num_classes=classes, **backbone).eval()


def classifier(name: str, **more: Any) -> dict[str, Any]:
    """Return the card of a classifier."""
    side = {'name': 'image', 'size_px': 64, 'scale': 0.00392156862745098, **IMAGENET}
    tree = small_torch.tree(name, runtime='torchvision', labels=LABELS, input=side)
    return tree | {'torch': {'architecture': name}} | more


def detector(name: str, **more: Any) -> dict[str, Any]:
    """Return the card of a detector."""
    return classifier(
        name,
        task='detection',
        decoding={'kind': 'torchvision'},
        threshold=0.2,
        input={'name': 'image', 'size_px': [60, 80], 'scale': 0.00392156862745098},
        **more,
    )


def saved(folder: Path, tree: dict[str, Any], classes: int) -> Path:
    """Write the weights of a network and its card."""
    path = folder / str(tree['name']) / 'model.pt'
    path.parent.mkdir(parents=True)
    torch_here.torch().save(network(tree['torch']['architecture'], classes).state_dict(), path)
    return small_torch.written(folder, tree)


def load(folder: Path) -> TorchModel:
    """Return the model in a folder."""
    return TorchModel(read_card(folder), folder, 1)


@pytest.mark.parametrize('name', ['mobilenet_v3_small', 'resnet18'])
def test_a_classifier_answers_as_torchvision(name: str, tmp_path: Path) -> None:
    """The scores are those of the network and of torchvision's own normalisation."""
    model = load(saved(tmp_path, classifier(name), len(LABELS)))
    torch = torch_here.torch()
    square = np.ascontiguousarray(IMAGE[:64, :64])
    from torchvision.transforms import functional

    given = functional.normalize(torch.from_numpy(square).permute(2, 0, 1) / 255, **IMAGENET)
    with torch.inference_mode():
        expected = network(name, len(LABELS))(given[None])[0].double().softmax(0)
    assert model.predict(square).scores == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Keep roi_align of torchvision 0.28 from compiling itself, which takes a minute."""
    with torch_here.torch().compiler.set_stance('force_eager'):
        yield


@pytest.mark.usefixtures('uncompiled')
@pytest.mark.parametrize('name', DETECTORS)
def test_a_detector_answers_in_pixels_of_the_frame(name: str, tmp_path: Path) -> None:
    """Boxes, classes and scores are torchvision's, scaled from its input to the frame."""
    folder = saved(tmp_path, detector(name), 1 + len(LABELS))
    given, _ = Reading(read_card(folder)).tensor(IMAGE)
    assert given.shape == (1, 3, 60, 80)
    torch = torch_here.torch()
    with torch.inference_mode():
        [found] = network(name, 1 + len(LABELS))([torch.from_numpy(given)[0]])
    sure = found['scores'] >= 0.2
    assert sure.any(), 'random weights found nothing; the test shows nothing'
    answer = load(folder).predict(IMAGE)
    Detection(tuple(LABELS)).check(answer)
    assert answer.scores == pytest.approx(found['scores'][sure].tolist(), abs=1e-5)
    assert boxes(answer).class_ids == tuple((found['labels'][sure] - 1).tolist())
    # The frame is twice as wide and high as what the network sees.
    assert np.allclose(boxes(answer).xyxy, 2.0 * found['boxes'][sure].numpy(), atol=1e-3)


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    """A near name is offered; a class of one's own belongs under runtime torch."""
    saved(tmp_path, classifier('resnet18'), len(LABELS))
    for name, word in (('resnet81', "did you mean 'resnet18'"), ('x:Net', 'runtime torch')):
        tree = classifier('resnet18', torch={'architecture': name})
        with pytest.raises(ModelError, match=word):
            load(small_torch.written(tmp_path, tree))


def test_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    """The weights' own number is told beside the card's."""
    folder = saved(tmp_path, classifier('resnet18'), 5)
    with pytest.raises(ModelError, match=r'fc.weight is \(5, 512\), not \(3, 512\)'):
        load(folder)


def test_default_weights_are_taken_where_they_were_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`weights: DEFAULT` is torchvision's own way, its folder of downloads included."""
    models = torch_here.torchvision().models
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    weights = models.get_model_weights('mobilenet_v3_small').DEFAULT
    there = tmp_path / 'home' / 'hub' / 'checkpoints' / Path(weights.url).name
    there.parent.mkdir(parents=True)
    torch_here.torch().save(network('mobilenet_v3_small', 1000).state_dict(), there)
    tree = classifier(
        'mobilenet_v3_small',
        file=None,
        labels=weights.meta['categories'],
        torch={'architecture': 'mobilenet_v3_small', 'weights': 'DEFAULT'},
    )
    model = load(small_torch.written(tmp_path, tree))
    assert len(model.predict(IMAGE).scores) == 1000
    with pytest.raises(ModelError, match=r'\(1, 1000\)'):
        load(small_torch.written(tmp_path, tree | {'labels': LABELS}))


def test_weights_that_cannot_be_downloaded_are_explained(tmp_path: Path) -> None:
    """Without a network the sentence says what was tried and what else can be given."""
    torch_here.torchvision()
    tree = classifier(
        'resnet18', file=None, torch={'architecture': 'resnet18', 'weights': 'DEFAULT'}
    )
    folder = small_torch.written(tmp_path, tree)
    code = (
        'import sys, pathlib, torch_here\n'
        'from selector.backends.torch_model import TorchModel\n'
        'from selector.cards.card import read_card\n'
        'from selector.errors import ModelError\n'
        'torch_here.torchvision()\n'
        'folder = pathlib.Path(sys.argv[1])\n'
        'try:\n'
        '    TorchModel(read_card(folder), folder, 1)\n'
        'except ModelError as err:\n'
        '    print(err)\n'
    )
    nowhere = 'http://127.0.0.1:9'  # nobody listens there, with a network or without one
    environment = {
        **os.environ,
        'PYTHONPATH': f'{REPO}:{REPO / "test"}',
        'TORCH_HOME': str(tmp_path / 'home'),
        'https_proxy': nowhere,
        'http_proxy': nowhere,
    }
    done = subprocess.run(
        [sys.executable, '-c', code, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'resnet18 could not be downloaded' in done.stdout
    assert 'file and sha256' in done.stdout
