"""Image: bytes become the pixels they mean, or one InputError that is the same in every run."""

from __future__ import annotations

import io
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
from PIL import Image
import pytest
from selector.errors import InputError
from selector.image import decode_compressed
from selector.image import decode_raw


def picture(height: int = 4, width: int = 6) -> NDArray[np.uint8]:
    """Return an image in which every pixel and channel differs."""
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


def encoded(image: Image.Image, kind: str) -> bytes:
    """Return an image as a file of `kind`."""
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """Return the header of a PNG that claims a size, without its pixels."""
    chunk = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + struct.pack('>I', zlib.crc32(chunk))
    )


def test_png_comes_back_exactly() -> None:
    """A PNG is lossless: the same pixels, RGB."""
    assert (decode_compressed(encoded(Image.fromarray(picture()), 'PNG')) == picture()).all()


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGBA', 'P', '1', 'I;16'])
def test_every_mode_becomes_rgb(mode: str) -> None:
    """Grey, palette and transparent pictures come out as (H, W, 3) uint8."""
    whole = Image.new('I;16', (6, 4)) if mode == 'I;16' else Image.new('RGB', (6, 4)).convert(mode)
    image = decode_compressed(encoded(whole, 'PNG'))
    assert image.shape == (4, 6, 3)
    assert image.dtype == np.uint8


def test_jpeg_is_close() -> None:
    """A JPEG of one colour is that colour within its loss."""
    image = decode_compressed(encoded(Image.new('RGB', (16, 16), (200, 100, 50)), 'JPEG'))
    assert np.abs(image.astype(int) - (200, 100, 50)).max() <= 6


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_every_truncation_is_an_input_error(kind: str) -> None:
    """Cut anywhere before its last bytes, a picture is no picture; never another exception."""
    data = encoded(Image.fromarray(np.tile(picture(), (8, 8, 1))), kind)
    for end in range(0, len(data) - 40, 7):
        with pytest.raises(InputError):
            decode_compressed(data[:end])


@given(st.binary(max_size=64))
def test_no_bytes_crash(data: bytes) -> None:
    """Random bytes, also behind a JPEG or PNG mark, are an InputError."""
    for mark in (b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'):
        with pytest.raises(InputError):
            decode_compressed(mark + data)


@pytest.mark.parametrize('data', [b'', b'GIF89a nonsense', b'no image'])
def test_the_same_bytes_give_the_same_words(data: bytes) -> None:
    """A fault goes into the log, so its text may not hold an address that changes with the run."""
    texts = set()
    kept = []
    for _ in range(3):
        with pytest.raises(InputError) as caught:
            decode_compressed(data)
        kept.append(caught)  # keeps the buffers alive, so that addresses would differ
        texts.add(str(caught.value))
    assert len(texts) == 1
    assert '0x' not in texts.pop()


def test_other_formats_are_refused() -> None:
    """Only JPEG and PNG are decoded, whatever else Pillow can."""
    with pytest.raises(InputError):
        decode_compressed(encoded(Image.fromarray(picture()), 'BMP'))


@pytest.mark.parametrize('size', [(9000, 9000), (65000, 65000), (0, 5)])
def test_a_huge_or_empty_picture_is_refused_unread(size: tuple[int, int]) -> None:
    """A header that claims more than 64 megapixels, or none, is refused before any pixel."""
    with pytest.raises(InputError):
        decode_compressed(png_of(*size))


@pytest.mark.parametrize(
    ('encoding', 'order'),
    [('rgb8', (0, 1, 2)), ('bgr8', (2, 1, 0)), ('rgba8', (0, 1, 2, 3)), ('bgra8', (2, 1, 0, 3))],
)
@pytest.mark.parametrize('padding', [0, 5])
def test_raw_colours_come_back(encoding: str, order: tuple[int, ...], padding: int) -> None:
    """Channel order, alpha and padded rows are undone."""
    alpha = np.full((4, 6, 1), 255, np.uint8)
    pixels = np.concatenate([picture(), alpha], axis=2)[..., list(order)]
    rows = np.pad(pixels.reshape(4, -1), ((0, 0), (0, padding)), constant_values=77)
    image = decode_raw(rows.tobytes(), encoding, 4, 6, rows.shape[1])
    assert (image == picture()).all()


def test_raw_grey_is_repeated() -> None:
    """Mono8 becomes three equal channels."""
    image = decode_raw(bytes(range(24)), 'mono8', 4, 6, 6)
    assert (image == np.arange(24, dtype=np.uint8).reshape(4, 6, 1)).all()


@pytest.mark.parametrize('encoding', ['', 'RGB8', 'mono16', '32FC1', 'bayer_rggb8', 'yuv422'])
def test_other_encodings_are_listed_against(encoding: str) -> None:
    """An unsupported encoding is named with those that are supported."""
    with pytest.raises(InputError, match='rgb8, bgr8, rgba8, bgra8, mono8'):
        decode_raw(b'', encoding, 1, 1, 3)


@given(
    st.integers(-2, 5),
    st.integers(-2, 5),
    st.integers(-2, 20),
    st.integers(0, 60),
    st.sampled_from(['rgb8', 'bgra8', 'mono8']),
)
def test_sizes_that_contradict_each_other_are_refused(
    height: int, width: int, step: int, size: int, encoding: str
) -> None:
    """Either the picture has the size told, or it is an InputError; nothing is read beyond."""
    channels = {'rgb8': 3, 'bgra8': 4, 'mono8': 1}[encoding]
    fits = height > 0 and width > 0 and step >= width * channels and size >= height * step
    if fits:
        assert decode_raw(bytes(size), encoding, height, width, step).shape == (height, width, 3)
        return
    with pytest.raises(InputError):
        decode_raw(bytes(size), encoding, height, width, step)
