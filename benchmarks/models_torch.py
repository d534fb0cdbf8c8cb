"""What the torch backend adds to a bare module call on the same tensor; ratios, one run.

    python benchmarks/models_torch.py [--check] [--quick]

A network of convolutions is made so deep that a bare call under inference mode takes about 1 ms on
one thread. `TorchModel.predict` on an image that has the model's size already (so: pixels to
tensor, call, outputs to an answer) and the bare call on the ready tensor take turns. Two forms: a
state dict in its class, against that class; and an exported program, against its own module.
Target: median over median <= 1.1 for both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import hashlib
import json
from pathlib import Path
import sys
import tempfile
from typing import Any

import numpy as np
from selector.backends.torch_model import TorchModel
from selector.cards.card import read_card
from selector.cards.card_file import CARD
from selector.errors import MissingError
from selector.networks.torch_runtime import torch_module
import yaml

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.models import BARE_S  # noqa: E402
from benchmarks.models import in_turns  # noqa: E402
from benchmarks.models import SIDE  # noqa: E402
from benchmarks.models import TARGET  # noqa: E402
from benchmarks.models import WIDTH  # noqa: E402

FORMS = ('state_dict', 'exported')
LABELS = 10
CHOSEN = {'depth': 0}


def chosen() -> Any:
    """Return the network of the chosen depth; a card names what takes no arguments."""
    return network(CHOSEN['depth'])


def network(depth: int) -> Any:
    """Return `depth` convolutions of width 32 on half of 64 px and a linear layer."""
    torch = torch_module()
    nn = torch.nn
    torch.manual_seed(depth)
    layers: list[Any] = []
    for k in range(depth):
        layers += [nn.Conv2d(WIDTH if k else 3, WIDTH, 3, 1 if k else 2, 1), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, LABELS)]
    return nn.Sequential(*layers, *head).eval()


def bare(module: Any, tensor: Any) -> Callable[[], Any]:
    """Return a bare call of a module on a ready tensor."""
    torch = torch_module()

    def call() -> Any:
        with torch.inference_mode():
            return module(tensor)

    return call


def depth_of() -> int:
    """Return the depth at which a bare call takes about 1 ms here."""
    torch = torch_module()
    torch.set_num_threads(1)
    tensor = torch.rand(1, 3, SIDE, SIDE)
    for depth in range(2, 40):
        call = bare(network(depth), tensor)
        if in_turns((call, call), 30)[0] >= BARE_S:
            return depth
    return 40


def model(folder: Path, form: str, depth: int) -> tuple[TorchModel, Any]:
    """Write a network and return the backend's model of it and the bare module."""
    torch, module = torch_module(), network(depth)
    path = folder / form / f'{form}.pt2'
    path.parent.mkdir()
    how: dict[str, Any] = {'exported': True}
    if form == 'exported':
        torch.export.save(torch.export.export(module, (torch.rand(1, 3, SIDE, SIDE),)), path)
        module = torch.export.load(path).module()
    else:
        torch.save(module.state_dict(), path)
        CHOSEN['depth'] = depth
        how = {'architecture': f'{__name__}:chosen'}
    card = {
        'name': form,
        'task': 'classification',
        'runtime': 'torch',
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'torch': how,
        'labels': [f'c{k}' for k in range(LABELS)],
        'input': {'name': 'image', 'size_px': SIDE, 'scale': 1.0 / 255.0},
        'training_data': 'none: random weights',
        'licence': 'Apache-2.0',
    }
    (path.parent / CARD).write_text(yaml.safe_dump(card), encoding='utf-8')
    made = TorchModel(read_card(path.parent), path.parent, 1, trusted=[f'{__name__}:chosen'])
    return made, module


def compare(folder: Path, form: str, depth: int, rounds: int) -> dict[str, float]:
    """Return medians of the backend and of the bare call, and their ratio."""
    made, module = model(folder, form, depth)
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    ready = np.ascontiguousarray(image.transpose(2, 0, 1)[None] * np.float32(1.0 / 255.0))
    call = bare(module, torch_module().from_numpy(ready))
    ours_s, bare_s = in_turns((lambda: made.predict(image), call), rounds)
    return {
        'bare_ms': bare_s * 1e3,
        'predict_ms': ours_s * 1e3,
        'overhead_us': (ours_s - bare_s) * 1e6,
        'ratio': ours_s / bare_s,
    }


def main() -> int:
    """Run, print the figures, check the target."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--quick', action='store_true')
    arguments = parser.parse_args()
    rounds = 300 if arguments.quick else 3_000
    try:
        torch = torch_module()
    except MissingError as err:
        print(json.dumps({'torch': None, 'not_measured': str(err)}))
        return err.exit_code if arguments.check else 0
    with tempfile.TemporaryDirectory() as made:
        depth = depth_of()
        found = {form: compare(Path(made), form, depth, rounds) for form in FORMS}
    met = all(part['ratio'] <= TARGET for part in found.values())
    rounded = {k: {n: round(v, 3) for n, v in part.items()} for k, part in found.items()}
    figures = {'version': torch.__version__, 'depth': depth, **rounded}
    print(json.dumps({'torch': figures, 'target_ratio': TARGET, 'met': met}))
    return 1 if arguments.check and not met else 0


if __name__ == '__main__':
    sys.exit(main())
