"""Two small streams of real robot cameras: crops of RoboCup Middle Size League games.

The data is optional and never enters the project: the environment variable `SELECTOR_ROBOCUP_DIR`
names the folder. n is small: 1,903 crops of 165 frames, on which the models differ 105 times, and
550 boxes in the 80 frames of the bag, on which they differ 93 times. With whole frames resampled,
the 95 % interval of a model's accuracy is some 2 points wide on the first and 6 on the second:
enough to see that a policy carries over to real images, not to rank two good ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import onnxruntime
from PIL import Image
from selector.bag import Bag
from selector.image import decode_compressed
from selector.scene import look

from .stream import part
from .stream import stamps
from .stream import Stream

BAG = 'bag_20240717_r7'
CROPS = 'crops_until_2024.npz'
VARIABLE = 'SELECTOR_ROBOCUP_DIR'
MARGIN = 1.2  # side of a crop over the larger side of its box
SIDE_PX = 32


def folder() -> Path | None:
    """Return where the data is, None where there is none."""
    named = os.environ.get(VARIABLE, '')
    return Path(named) if named and (Path(named) / CROPS).is_file() else None


def crops(seed: int) -> Stream | None:
    """Return the crops that no model was trained on, in random order; None without the data.

    Args:
        seed: of the order.
    """
    data = folder()
    if data is None:
        return None
    made = _crops(data)
    order = np.random.default_rng([seed, 5]).permutation(len(made.label))
    return part(made, order, restamp=True)


@lru_cache(maxsize=1)
def _crops(data: Path) -> Stream:
    """Return the crops in the order of the file; both models run once a process."""
    with np.load(data / CROPS) as archive:
        kept = archive['split'] == 'cal'
        images, labels, names = (archive[key][kept] for key in ('image', 'label', 'frame'))
    _, cluster = np.unique(names, return_inverse=True)
    return _stream(data, 'robocup crops', images, labels, cluster)


def bag() -> Stream | None:
    """Return the boxes of the bag's ground truth, in bag order; None without the data.

    A frame of the bag gives one crop a box, in the order of its ground truth; the stream has a
    stamp a crop, not the bag's.
    """
    data = folder()
    return None if data is None else _bag(data)


@lru_cache(maxsize=1)
def _bag(data: Path) -> Stream:
    """Return the boxes of the bag; both models run once a process."""
    images, labels, cluster = [], [], []
    for number, (image, text) in enumerate(_truths(data / BAG)):
        for line in text.splitlines():
            label, *box = line.split()
            images.append(crop(image, *(float(value) for value in box)))
            labels.append(int(label))
            cluster.append(number)
    return _stream(data, 'robocup bag', np.stack(images), np.asarray(labels), np.asarray(cluster))


def crop(
    image: NDArray[np.uint8], centre_x: float, centre_y: float, width: float, height: float
) -> NDArray[np.uint8]:
    """Return the square around a box, (32, 32, 3); what lies outside the image is black.

    Args:
        image: (H, W, 3) uint8 RGB.
        centre_x: of the box, over the width of the image.
        centre_y: of the box, over the height of the image.
        width: of the box, over the width of the image.
        height: of the box, over the height of the image.
    """
    rows, columns = image.shape[:2]
    half = 0.5 * MARGIN * max(width * columns, height * rows)
    x, y = centre_x * columns, centre_y * rows
    left, top, right, bottom = (round(v) for v in (x - half, y - half, x + half, y + half))
    square = Image.fromarray(image).crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return np.asarray(square.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR))


def _truths(path: Path) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Yield every image of the bag with the YOLO lines that follow it.

    Raises:
        ValueError: a text follows no image, or another one's.
    """
    source = Bag(path)
    image, stamp_ns = None, -1
    for message in source.messages():
        if message.msgtype == 'sensor_msgs/msg/CompressedImage':
            image = decode_compressed(bytes(source.decode(message).data))
            stamp_ns = message.stamp_ns
        elif image is not None and message.stamp_ns == stamp_ns:
            yield image, str(source.decode(message).data)
            image = None
        else:
            raise ValueError(f'{path}: {message.topic} at {message.stamp_ns} has no image')


def _stream(
    data: Path,
    name: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    cluster: NDArray[np.int64],
) -> Stream:
    looks = [look(image) for image in images]
    return Stream(
        name=name,
        stamp_ns=stamps(len(labels)),
        context=np.full(len(labels), ''),
        cluster=cluster.astype(np.int64),
        fast_scores=_scores(data / 'fast.onnx', images),
        slow_scores=_scores(data / 'slow.onnx', images),
        label=labels.astype(np.int64),
        sharpness=np.asarray([seen.sharpness for seen in looks]),
        exposure=np.asarray([seen.exposure for seen in looks]),
        thumbnail=np.stack([seen.thumbnail for seen in looks]),
    )


def _scores(model: Path, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the probabilities (N, 6) that a model gives images (N, 32, 32, 3), 0 to 255."""
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    parts = []
    for first in range(0, len(images), 500):
        batch = images[first : first + 500].transpose(0, 3, 1, 2).astype(np.float32)
        parts.append(np.asarray(session.run(['logits'], {'image': batch})[0], np.float64))
    logits = np.concatenate(parts)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
