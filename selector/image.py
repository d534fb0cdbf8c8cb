"""Image: from the bytes of a message to pixels."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import UnidentifiedImageError
from selector.errors import InputError

_CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
_MAX_PIXELS = 64_000_000


def decode_compressed(data: bytes) -> NDArray[np.uint8]:
    """Return a JPEG or PNG as (H, W, 3) uint8 RGB.

    Raises:
        InputError: the bytes are no image of these formats, are damaged, or hold over 64
        megapixels.
    """
    try:
        with _opened(data) as picture:
            size = picture.size
            image = (
                np.asarray(picture.convert('RGB')) if size[0] * size[1] <= _MAX_PIXELS else None
            )
    except UnidentifiedImageError as err:  # its text holds an address: another one in each run
        raise InputError('image could not be decoded: it is no JPEG or PNG') from err
    except Exception as err:  # Pillow raises many kinds on damaged input
        raise InputError(f'image could not be decoded: {err}') from err
    if image is None:
        raise InputError(f'image of {size[0]}x{size[1]} is larger than {_MAX_PIXELS} pixels')
    return image


def _opened(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=('JPEG', 'PNG'))


def decode_raw(
    data: bytes | NDArray[np.uint8], encoding: str, height: int, width: int, step: int
) -> NDArray[np.uint8]:
    """Return a raw image as (height, width, 3) uint8 RGB.

    Args:
        data: rows of `step` bytes each.
        encoding: rgb8, bgr8, rgba8, bgra8 or mono8.
        height: rows.
        width: columns.
        step: bytes from one row to the next.

    Raises:
        InputError: the encoding is not supported, or the sizes contradict each other.
    """
    channels = _CHANNELS.get(encoding)
    if channels is None:
        raise InputError(
            f'encoding {encoding!r} is not supported; one of {", ".join(_CHANNELS)}',
            given=encoding,
        )
    pixels = np.frombuffer(data, np.uint8)
    if height < 1 or width < 1 or step < width * channels or pixels.size < height * step:
        raise InputError(
            f'{width}x{height} {encoding} with step {step} does not fit {pixels.size} bytes'
        )
    rows = pixels[: height * step].reshape(height, step)[:, : width * channels]
    image = rows.reshape(height, width, channels)
    if channels == 1:
        return np.repeat(image, 3, axis=2)
    colours = image[..., :3]
    return colours[..., ::-1] if encoding.startswith('bgr') else colours
