"""Make the profile table of the pair: what both models say about the same rendered frames.

    python models/calibrate.py                      # build/calibration.npz, 20,000 rows
    python models/calibrate.py --split report --out build/report.npz     # held out, for results

Every image of the split `calibration` is seen once in each context, at a random moment of a short
track, through the renderer of the demo stream and through JPEG. The rows of one image are adjacent
and share its track number, the image's place in the training file. Needs numpy, Pillow and
onnxruntime.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
import io
from pathlib import Path
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime
from PIL import Image

MODELS = Path(__file__).resolve().parent
for folder in (MODELS, MODELS.parent / 'bags'):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import cifar10  # noqa: E402
import render  # noqa: E402

EPOCH_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
SEED = 20_261
TRACK_S = 3.0
FIRST_TRACK = cifar10.SPLITS['calibration'][1]


def view(jpeg: bytes) -> NDArray[np.uint8]:
    """Return what the classifier sees of a frame: its centre square, (32, 32, 3) uint8 RGB."""
    frame = Image.open(io.BytesIO(jpeg)).convert('RGB')
    left = (frame.width - render.SQUARE) // 2
    top = (frame.height - render.SQUARE) // 2
    square = frame.crop((left, top, left + render.SQUARE, top + render.SQUARE))
    return np.asarray(square.resize((32, 32), Image.Resampling.BILINEAR))


def rendered(image: NDArray[np.uint8], track: int, context: str) -> bytes:
    """Return one JPEG frame of `image` (32, 32, 3), a function of the arguments alone."""
    draw = np.random.default_rng([SEED, track, render.CONTEXTS.index(context)])
    sway = render.draw_sway(draw)
    moment_s, walk_m = (draw.random(2) * (TRACK_S, 100.0)).tolist()
    motion = sway.at(moment_s, walk_m)
    return render.encode(render.render(image, motion, context, render.draw_noise(draw)))


def scores(path: Path, views: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities (N, 10) that the model at `path` gives views (N, 32, 32, 3)."""
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    parts = []
    for first in range(0, len(views), 500):
        batch = views[first : first + 500].transpose(0, 3, 1, 2).astype(np.float32) / 255.0
        parts.append(np.asarray(session.run(['logits'], {'image': batch})[0], np.float64))
    logits = np.concatenate(parts)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def views_of(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the views (4 N, 32, 32, 3) of the images: each in every context, then the next."""
    start = time.monotonic()
    views = []
    for number, image in enumerate(images):
        views += [view(rendered(image, FIRST_TRACK + number, c)) for c in render.CONTEXTS]
        if (number + 1) % 500 == 0:
            spent_s = time.monotonic() - start
            print(f'{number + 1} images rendered, {spent_s:.0f} s', file=sys.stderr, flush=True)
    return np.stack(views)


def table(fast: Path, slow: Path, split: str, count: int) -> dict[str, NDArray[np.generic]]:
    """Return the profile table of the first `count` images of a split, four rows each."""
    images, labels = cifar10.load(split)
    images, labels = images[:count], labels[:count]
    views = views_of(images)
    contexts = len(render.CONTEXTS)
    return {
        'stamp_ns': EPOCH_NS + PERIOD_NS * np.arange(len(views), dtype=np.int64),
        'context': np.tile(np.asarray(render.CONTEXTS), len(images)),
        'track': np.repeat(FIRST_TRACK + np.arange(len(images), dtype=np.int64), contexts),
        'label': np.repeat(labels, contexts),
        'fast_scores': scores(fast, views),
        'slow_scores': scores(slow, views),
        'label_names': np.asarray(cifar10.LABELS),
    }


def summary(columns: dict[str, NDArray[np.generic]]) -> str:
    """Return a table, one line per context: how often each model is right, and how they differ."""
    label = columns['label']
    fast, slow = (columns[f'{name}_scores'].argmax(axis=1) for name in ('fast', 'slow'))
    head = ('context', 'n', 'fast', 'slow', 'only_slow', 'only_fast', 'rho', 'disagree')
    lines = ['{:12s}{:>7s}{:>8s}{:>8s}{:>11s}{:>11s}{:>8s}{:>10s}'.format(*head)]
    for context in (*render.CONTEXTS, 'all'):
        rows = (columns['context'] == context) | (context == 'all')
        f, s = (fast == label)[rows], (slow == label)[rows]
        rho = float(np.corrcoef(f, s)[0, 1]) if f.std() * s.std() > 0 else float('nan')
        lines.append(
            f'{context:12s}{rows.sum():7d}{f.mean():8.3f}{s.mean():8.3f}{(s & ~f).mean():11.3f}'
            f'{(f & ~s).mean():11.3f}{rho:8.3f}{(fast != slow)[rows].mean():10.3f}'
        )
    return '\n'.join(lines)


def main() -> int:
    """Write the profile table and print its summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--fast', type=Path, default=MODELS / 'cifar10_fast' / 'model.onnx')
    parser.add_argument('--slow', type=Path, default=MODELS / 'cifar10_slow' / 'model.onnx')
    parser.add_argument('--out', type=Path, default=MODELS.parent / 'build' / 'calibration.npz')
    splits = ('calibration', 'development', 'report')
    parser.add_argument('--split', choices=splits, default='calibration')
    parser.add_argument('--count', type=int, default=5_000, help='images, of 5,000')
    arguments = parser.parse_args()
    for path in (arguments.fast, arguments.slow):
        if not path.is_file():
            raise SystemExit(f'no model at {path}; make it with `python models/train.py`')
    columns = table(arguments.fast, arguments.slow, arguments.split, arguments.count)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = dict(columns)
    np.savez_compressed(arguments.out, **fields)
    print(summary(columns))
    return 0


if __name__ == '__main__':
    sys.exit(main())
