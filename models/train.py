"""Train the embedded pair, fast and slow, and on demand the wider cloud model; write ONNX files.

    python models/train.py fast slow          # the two files of this repository
    python models/train.py cloud              # the third model, about an hour; not committed

Needs the extra `train` (torch, onnx, onnxscript). Everything is seeded; on the same CPU type and
torch version the weights come out the same. Each model sees the split `train` only (see
`cifar10.py`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import sys
import time

import cifar10
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn
from torch.nn import functional

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
EPOCHS = {'fast': 15, 'slow': 20, 'cloud': 18}
FOLDERS = {'fast': 'cifar10_fast', 'slow': 'cifar10_slow', 'cloud': 'cifar10_cloud'}


class Normalised(nn.Module):
    """A network on RGB in [0, 1], shape (N, 3, 32, 32), that normalises inside the graph."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer('mean', torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer('std', torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, 10)."""
        return self.body((image - self.mean) / self.std)


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + body(x), same shape."""
        return x + self.body(x)


def _conv(n_in: int, n_out: int, stride: int = 1, pool: bool = False) -> nn.Sequential:
    parts = [nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
    return nn.Sequential(*parts, *([nn.MaxPool2d(2)] if pool else []))


def fast_network() -> nn.Module:
    """Return the fast classifier: three convolutions and a linear layer."""
    body = nn.Sequential(
        _conv(3, 8, stride=2),
        _conv(8, 16, pool=True),
        _conv(16, 24, pool=True),
        nn.Flatten(),
        nn.Linear(24 * 16, 10),
    )
    return Normalised(body)


def residual_network(width: int) -> nn.Module:
    """Return a nine-layer residual network whose first layer has `width` channels."""
    w = width
    body = nn.Sequential(
        _conv(3, w),
        _conv(w, 2 * w, pool=True),
        Residual(nn.Sequential(_conv(2 * w, 2 * w), _conv(2 * w, 2 * w))),
        _conv(2 * w, 4 * w, pool=True),
        _conv(4 * w, 8 * w, pool=True),
        Residual(nn.Sequential(_conv(8 * w, 8 * w), _conv(8 * w, 8 * w))),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * w, 10),
    )
    return Normalised(body)


def network(name: str) -> nn.Module:
    """Return the untrained network called `name`: fast, slow or cloud."""
    return fast_network() if name == 'fast' else residual_network(20 if name == 'slow' else 32)


def multiply_adds(model: nn.Module) -> int:
    """Return the multiply-adds of one forward pass over one 32x32 image."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        weight = module.weight
        positions = output.shape[-1] * output.shape[-2] if weight.dim() == 4 else 1
        total += weight.numel() * positions

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [m.register_forward_hook(count) for m in layers]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return total


def _tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)


def _augment(batch: torch.Tensor, draw: torch.Generator, cutout: int) -> torch.Tensor:
    n = batch.shape[0]
    padded = functional.pad(batch, (4, 4, 4, 4), mode='reflect')
    dx, dy = (torch.randint(0, 9, (n,), generator=draw) for _ in range(2))
    rows = dy.view(n, 1, 1) + torch.arange(32).view(1, 32, 1)
    columns = dx.view(n, 1, 1) + torch.arange(32).view(1, 1, 32)
    out = padded.permute(0, 2, 3, 1)[torch.arange(n).view(n, 1, 1), rows, columns]
    out = out.permute(0, 3, 1, 2).contiguous()
    flip = torch.rand(n, generator=draw) < 0.5
    out[flip] = out[flip].flip(3)
    if cutout:
        corner = torch.randint(0, 33 - cutout, (n, 2), generator=draw)
        for k, (row, column) in enumerate(corner.tolist()):
            out[k, :, row : row + cutout, column : column + cutout] = 0.47
    return out


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images whose largest logit is the label."""
    model.eval()
    with torch.no_grad():
        hits = [
            (model(x).argmax(1) == y).sum()
            for x, y in zip(images.split(500), labels.split(500), strict=True)
        ]
    return float(sum(hits)) / len(labels)


def train(name: str, epochs: int, seed: int = 0) -> nn.Module:
    """Return the network `name` trained on the split `train`, in eval mode."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    images, labels = (torch.as_tensor(x) for x in cifar10.load('train'))
    x, y = _tensor(images.numpy()), labels
    check = [torch.as_tensor(v) for v in cifar10.load('development')]
    model = network(name).to(memory_format=torch.channels_last)
    batch, steps = 256, len(y) // 256
    peak = 0.02 if name == 'fast' else 0.3
    optimiser = torch.optim.SGD(
        model.parameters(), lr=peak, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, peak, total_steps=epochs * steps, pct_start=0.2, final_div_factor=1e3
    )
    smoothing, cutout = (0.0, 0) if name == 'fast' else (0.05, 8)
    for epoch in range(epochs):
        start = time.monotonic()
        model.train()
        order = torch.randperm(len(y), generator=draw)
        for k in range(steps):
            pick = order[k * batch : (k + 1) * batch]
            inputs = _augment(x[pick], draw, cutout).to(memory_format=torch.channels_last)
            loss = functional.cross_entropy(model(inputs), y[pick], label_smoothing=smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        score = accuracy(model, _tensor(check[0].numpy()), check[1])
        spent_s = time.monotonic() - start
        print(f'{name} epoch {epoch + 1}/{epochs} dev {score:.4f} {spent_s:.0f} s', flush=True)
    return model.eval().to(memory_format=torch.contiguous_format)


def export(model: nn.Module, path: Path) -> None:
    """Write `model` as ONNX, `image` (N, 3, 32, 32) -> `logits` (N, 10), N free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model,
        (torch.rand(2, 3, 32, 32),),
        path,
        input_names=['image'],
        output_names=['logits'],
        dynamo=True,
        external_data=False,
        dynamic_shapes={'image': {0: torch.export.Dim('batch', min=1, max=4096)}},
    )
    _strip(path)


def _strip(path: Path) -> None:
    """Drop the exporter's notes: they hold source paths of the machine it ran on."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    for noted in (*graph.node, *graph.value_info, *graph.input, *graph.output, graph, model):
        del noted.metadata_props[:]
        noted.doc_string = ''
    path.write_bytes(model.SerializeToString(deterministic=True))


def main() -> int:
    """Train the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='+', choices=sorted(EPOCHS))
    parser.add_argument('--out', type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument('--epochs', type=int, help='instead of the default of each model')
    arguments = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    report = [torch.as_tensor(v) for v in cifar10.load('report')]
    for name in arguments.names:
        model = train(name, arguments.epochs or EPOCHS[name])
        path = arguments.out / FOLDERS[name] / 'model.onnx'
        export(model, path)
        result = {
            'model': name,
            'file': str(path),
            'bytes': path.stat().st_size,
            'parameters': sum(p.numel() for p in model.parameters()),
            'multiply_adds': multiply_adds(model),
            'accuracy_report_split': accuracy(model, _tensor(report[0].numpy()), report[1]),
        }
        print(json.dumps(result), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
