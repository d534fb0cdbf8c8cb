"""Small torch models with cards, made in a test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from selector.backends.torch_model import TorchModel
from selector.cards.card import read_card
import torch_here
import yaml

LABELS = ['north', 'east', 'south', 'west']
SIDE = 32
NETS = ('Compass', 'Lamps', 'Tint', 'BadNan', 'BadInf', 'BadShape', 'BadRaise', 'Writes')
TRUSTED = tuple(f'torch_nets:{name}' for name in NETS)


def tree(name: str, task: str = 'classification', **more: Any) -> dict[str, Any]:
    """Return what the card of a small model holds."""
    return {
        'name': name,
        'task': task,
        'runtime': 'torch',
        'file': 'model.pt',
        'torch': {'exported': True},
        'input': {'name': 'image', 'size_px': SIDE, 'scale': 0.00392156862745098},
        'training_data': 'none',
        'licence': 'Apache-2.0',
        **({'labels': LABELS} if task == 'classification' else {}),
        **more,
    }


def written(folder: Path, card: dict[str, Any]) -> Path:
    """Write the card of a model whose file, if it has one, lies in its folder already."""
    model = folder / card['name']
    model.mkdir(parents=True, exist_ok=True)
    if card.get('file') is not None:
        content = (model / card['file']).read_bytes()
        card = {'sha256': hashlib.sha256(content).hexdigest(), **card}
    (model / 'card.yaml').write_text(yaml.safe_dump(card, sort_keys=False), encoding='utf-8')
    read_card(model)
    return model


def export(net: Any, path: Path, batch: bool = True) -> None:
    """Write a network as an exported program, with any number of images where `batch`."""
    torch = torch_here.torch()
    path.parent.mkdir(parents=True, exist_ok=True)
    auto = torch.export.Dim.AUTO if batch else None
    # Two images: torch takes a size of 1 for a constant.
    image = torch.zeros(2 if batch else 1, 3, SIDE, SIDE)
    shapes = {'image': {0: auto}} if batch else None
    torch.export.save(torch.export.export(net, (image,), dynamic_shapes=shapes), path)


def net(name: str) -> Any:
    """Return a small network, ready to answer."""
    torch = torch_here.torch()
    import torch_nets

    torch.manual_seed(0)
    return getattr(torch_nets, name)().eval()


def exported(folder: Path, name: str, **card: Any) -> Path:
    """Write a small network as an exported program with its card."""
    export(net(name), folder / name / 'model.pt')
    return written(folder, tree(name, **card))


def state_dict(folder: Path, name: str, **card: Any) -> Path:
    """Write the weights of a small network, with a card that names its class."""
    path = folder / name / 'model.pt'
    path.parent.mkdir(parents=True)
    torch_here.torch().save(net(name).state_dict(), path)
    named = {'architecture': f'torch_nets:{name}'}
    return written(folder, tree(name, **{'torch': named, **card}))


def lamps(folder: Path) -> Path:
    """Write a detector of bright regions as an exported program."""
    decoding = {'kind': 'segmentation_map', 'binarise': 0.5, 'min_size_px': 1.0}
    card = {'task': 'detection', 'labels': ['lamp'], 'decoding': decoding, 'threshold': 0.6}
    return exported(folder, 'Lamps', **card)


def tint(folder: Path) -> Path:
    """Write a regressor of the mean colour as an exported program."""
    outputs = {'values': 'values', 'spreads': 'spreads'}
    return exported(folder, 'Tint', task='regression', scales=[1.0] * 3, outputs=outputs)


def torchvision(folder: Path, name: str) -> Path:
    """Write random weights of a classifier of torchvision for four labels, with its card."""
    models, torch = torch_here.torchvision().models, torch_here.torch()
    torch.manual_seed(0)
    path = folder / name / 'model.pt'
    path.parent.mkdir(parents=True)
    torch.save(models.get_model(name, weights=None, num_classes=len(LABELS)).state_dict(), path)
    card = tree(name, runtime='torchvision', torch={'architecture': name})
    return written(folder, card)


def model(folder: Path, **more: Any) -> TorchModel:
    """Return the model in a folder, trusting the networks of the tests."""
    return TorchModel(read_card(folder), folder, 1, trusted=TRUSTED, **more)
