"""Graph: which input is the image, how it takes it, and at which sizes it is tried."""

from __future__ import annotations

import pytest
from selector.newcomer.graph import Dim
from selector.newcomer.graph import image_input
from selector.newcomer.graph import ImageInput
from selector.newcomer.graph import Tensor
from selector.newcomer.graph import trial_sizes


def found(*shape: Dim, dtype: str = 'float32') -> ImageInput | None:
    """Return how a single input of this shape takes an image."""
    return image_input((Tensor('x', dtype, shape),))


@pytest.mark.parametrize(
    ('shape', 'layout', 'channels', 'size'),
    [
        ((1, 3, 480, 640), 'nchw', 3, (480, 640)),
        (('n', 3, 'h', None), 'nchw', 3, (None, None)),
        ((None, 3, 48, 'w'), 'nchw', 3, (48, None)),
        ((1, 480, 640, 3), 'nhwc', 3, (480, 640)),
        ((1, None, None, 3), 'nhwc', 3, (None, None)),
        ((3, 480, 640), 'chw', 3, (480, 640)),
        ((480, 640, 3), 'hwc', 3, (480, 640)),
        ((1, 1, 28, 28), 'nchw', 1, (28, 28)),
        ((1, 28, 28, 1), 'nhwc', 1, (28, 28)),
        ((1, 3, 3, 3), 'nchw', 3, (3, 3)),
        ((-1, 3, -1, 0), 'nchw', 3, (None, None)),
    ],
)
def test_the_layout_is_where_the_channels_stand(
    shape: tuple[Dim, ...], layout: str, channels: int, size: tuple[int | None, int | None]
) -> None:
    """Three or one of them, first before last; open sides stay open."""
    assert found(*shape) == (Tensor('x', 'float32', shape), layout, channels, size)


@pytest.mark.parametrize(
    ('shape', 'dtype'),
    [
        ((1, 4, 32, 32), 'float32'),
        ((8, 3, 32, 32), 'float32'),
        ((1, 10), 'float32'),
        ((), 'float32'),
        ((1, None, None, None), 'float32'),
        ((1, 3, 32, 32), 'int64'),
        ((1, 3, 32, 32), 'float64'),
        ((1, 3, 32, 32), 'tensor(string)'),
    ],
)
def test_what_can_be_no_image_is_none(shape: tuple[Dim, ...], dtype: str) -> None:
    """Other channels, a fixed batch, a type that no card names."""
    assert found(*shape, dtype=dtype) is None


def test_three_channels_go_before_one() -> None:
    """A mask beside an image is not taken for it."""
    mask = Tensor('mask', 'float32', (1, 1, 32, 32))
    image = Tensor('image', 'uint8', (1, 32, 32, 3))
    taken = image_input((mask, image))
    assert taken is not None
    assert taken.tensor == image


def test_sizes_are_tried_from_the_surest() -> None:
    """The file's own, what the user says, its metadata, and then the usual ones."""
    shut, wide, open_ = found(1, 3, 20, 30), found(1, 3, 48, 'w'), found(1, 3, 'h', 'w')
    assert shut is not None
    assert wide is not None
    assert open_ is not None
    assert trial_sizes(shut, (640, 640), (99, 99)) == ((20, 30),)
    assert trial_sizes(wide, None, None) == ((48, 320), (48, 224), (48, 640))
    assert trial_sizes(open_, (640, 480), None) == ((640, 480),)
    assert trial_sizes(open_, (640, 480), (99, 98)) == ((99, 98),)
    assert trial_sizes(open_, None, None) == ((320, 320), (224, 224), (640, 640))
