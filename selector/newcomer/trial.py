"""Trial: one run of an unknown model on a picture, and what came out of it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from selector.newcomer.file_metadata import shown
from selector.newcomer.graph import Channel
from selector.newcomer.graph import image_input
from selector.newcomer.graph import Output
from selector.newcomer.graph import Tensor
from selector.newcomer.graph import Trial
from selector.newcomer.graph import trial_sizes

_MOST_CHANNELS = 128
_FAULT_CHARACTERS = 300


def attempt(
    session: Any,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Output, ...],
    picture: NDArray[np.uint8],
    sizes: tuple[tuple[int, int] | None, tuple[int, int] | None],
) -> tuple[Trial | None, tuple[Output, ...]]:
    """Run the model on zeros, then on a picture, at the first size that works.

    Args:
        session: the loaded model.
        inputs, outputs: as the file declares them.
        picture: (H, W, 3) uint8 RGB; resized, and divided by 255 for an input of floats.
        sizes: (height, width) that the file's metadata states, and that the user asks for [px].

    Returns:
        The run, None where no input can be an image; and the outputs with what came out.

    Raises:
        MemoryError: there is too little memory for it.
    """
    image = image_input(inputs)
    if image is None:
        return None, outputs
    failed: Trial | None = None
    for size in trial_sizes(image, *sizes):
        try:
            wall_s = _timed(session, _feeds(inputs, np.zeros((*size, 3), np.uint8)))
            made = session.run(None, _feeds(inputs, _resized(picture, size)))
        except Exception as err:  # onnxruntime raises its own kinds, one for each status
            if lacks_memory(err):
                raise MemoryError from err
            failed = failed or Trial(size, 0.0, shown(err, _FAULT_CHARACTERS))
            continue
        return Trial(size, wall_s, ''), tuple(map(_described, outputs, made))
    return failed, outputs


def lacks_memory(err: Exception) -> bool:
    """Return whether onnxruntime failed for want of memory."""
    signs = ('bad_alloc', 'Failed to allocate memory')
    return isinstance(err, MemoryError) or any(sign in str(err) for sign in signs)


def _timed(session: Any, feeds: dict[str, NDArray[Any]]) -> float:
    """Return the time of the second run [s]; the first one sets things up."""
    session.run(None, feeds)
    start = time.perf_counter()
    session.run(None, feeds)
    return time.perf_counter() - start


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    resized = Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _feeds(inputs: tuple[Tensor, ...], pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return a value for every input: the pixels (H, W, 3) for the image, zeros for the others."""
    image = image_input(inputs)
    assert image is not None
    feeds = {}
    for tensor in inputs:
        shape = [d if isinstance(d, int) and d >= 0 else 1 for d in tensor.shape]
        feeds[tensor.name] = np.zeros(shape, tensor.dtype)
    dtype = image.tensor.dtype
    value: NDArray[Any] = pixels if image.channels == 3 else pixels.mean(axis=2, keepdims=True)
    value = value.astype(dtype) if dtype == 'uint8' else (value / 255.0).astype(dtype)
    if image.layout.endswith('chw'):
        value = value.transpose(2, 0, 1)
    if image.layout.startswith('n'):
        value = value[None]
    feeds[image.tensor.name] = np.ascontiguousarray(value)
    return feeds


def _described(output: Output, value: Any) -> Output:
    """Return an output with what came out; a list or a map of scikit-learn stays undescribed."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in 'biuf':
        return output
    numbers = value.astype(np.float64)
    finite = np.isfinite(numbers)
    inside = numbers[finite]
    described = output._replace(shape=value.shape, finite=bool(finite.all()))
    if not inside.size:
        return described
    described = described._replace(low=float(inside.min()), high=float(inside.max()))
    if not described.finite or value.ndim not in (2, 3):
        return described
    sums = numbers.sum(axis=-1)
    rows = numbers.reshape(-1, *value.shape[-2:])
    if value.shape[-1] < value.shape[-2]:
        rows = rows.swapaxes(-1, -2)
    channels = rows.swapaxes(0, 1).reshape(rows.shape[1], -1)[:_MOST_CHANNELS]
    return described._replace(
        sums=(float(sums.min()), float(sums.max())), channels=tuple(map(_channel, channels))
    )


def _channel(values: NDArray[np.float64]) -> Channel:
    return Channel(
        float(values.min()), float(values.max()), bool((values == np.floor(values)).all())
    )
