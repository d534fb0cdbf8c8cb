"""Model input: what the model sees is the frame, and what it finds is found in the frame."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pair
from PIL import Image
import pytest
from selector.cards.card import read_card
from selector.cards.input_card import InputCard
from selector.errors import PredictionError
from selector.image import decode_raw
from selector.model_input import blank
from selector.model_input import tensor

BYTE = 1.0 / 255.0
RESIZES = ('stretch', 'letterbox', 'keep_multiple')


def wanted(size_px: int | list[int] = 8, **more: Any) -> InputCard:
    """Return an input card."""
    tree = {'name': 'image', 'size_px': size_px, 'scale': 1.0, **more}
    return InputCard.model_validate(tree)


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return noise."""
    return np.random.default_rng(height * 7919 + width).integers(
        0, 256, (height, width, 3), np.uint8
    )


@st.composite
def cards(draw: st.DrawFn) -> InputCard:
    """Any card, of small sizes so that resizing is quick."""
    resize = draw(st.sampled_from(RESIZES))
    more: dict[str, Any] = {
        'resize': resize,
        'crop': draw(st.sampled_from(['centre_square', 'none'])),
    }
    if resize == 'keep_multiple':
        more['multiple_px'] = draw(st.sampled_from([1, 4, 32]))
        size: Any = more['multiple_px'] * draw(st.integers(1, 4))
    else:
        size = draw(
            st.one_of(st.integers(1, 70), st.lists(st.integers(1, 70), min_size=2, max_size=2))
        )
    more['layout'] = draw(st.sampled_from(['nchw', 'nhwc', 'chw', 'hwc']))
    more['colour'] = draw(st.sampled_from(['rgb', 'bgr', 'grey']))
    return wanted(size, **more)


def sides() -> st.SearchStrategy[int]:
    """Sides of a frame, small ones more often."""
    return st.one_of(st.integers(1, 40), st.integers(1, 700))


@given(cards(), sides(), sides(), st.data())
@settings(deadline=None)
def test_a_box_comes_back_from_the_input(
    card: InputCard, height: int, width: int, data: st.DataObject
) -> None:
    """Whatever the crop, the resizing and the sizes: within 1e-6 of the frame's size."""
    found, placed = tensor(np.zeros((height, width, 3), np.uint8), card)
    share = st.floats(0.0, 1.0)
    across = sorted(data.draw(st.tuples(share, share)))
    down = sorted(data.draw(st.tuples(share, share)))
    box = np.array([[across[0] * width, down[0] * height, across[1] * width, down[1] * height]])
    back = placed.to_frame(placed.to_input(box))
    assert np.abs(back - box).max() <= 1e-6 * max(height, width)
    assert placed.input_px == (
        found.shape[-2:] if card.layout.endswith('chw') else found.shape[-3:-1]
    )


@given(cards(), sides(), sides(), st.lists(st.floats(-1e9, 1e9), min_size=4, max_size=4))
@settings(deadline=None)
def test_whatever_the_model_finds_lies_in_the_frame(
    card: InputCard, height: int, width: int, box: list[float]
) -> None:
    """No box leaves the frame, and none is NaN."""
    _, placed = tensor(np.zeros((height, width, 3), np.uint8), card)
    (left, top, right, bottom) = placed.to_frame(np.array([box]))[0]
    assert 0.0 <= min(left, right) <= max(left, right) <= width
    assert 0.0 <= min(top, bottom) <= max(top, bottom) <= height


@given(cards(), st.sampled_from([(1, 1), (10_000, 1), (1, 10_000), (2, 9000)]))
@settings(deadline=None, max_examples=40)
def test_any_frame_gives_a_tensor(card: InputCard, sides: tuple[int, int]) -> None:
    """One pixel and a line of ten thousand, without NaN, in the card's order of axes."""
    found, placed = tensor(np.full((*sides, 3), 200, np.uint8), card)
    height, width = placed.input_px
    sizes = {'n': 1, 'c': card.channels, 'h': height, 'w': width}
    assert found.shape == tuple(sizes[axis] for axis in card.layout)
    assert found.flags.c_contiguous
    assert found.dtype == np.float32
    assert set(np.unique(found)) <= {114.0, 200.0}


@given(st.integers(1, 700), st.integers(1, 700), st.integers(8, 64), st.integers(8, 64))
@settings(deadline=None)
def test_letterbox_keeps_the_aspect(height: int, width: int, high: int, wide: int) -> None:
    """One scale for both axes but for the rounding to a pixel; one side fits, the rest is even."""
    card = wanted([high, wide], resize='letterbox', pad_value=9)
    found, placed = tensor(np.full((height, width, 3), 200, np.uint8), card)
    factor = min(high / height, wide / width)
    seen_h, seen_w = placed.scale_y * height, placed.scale_x * width
    assert abs(seen_h - max(1.0, factor * height)) <= 0.5 + 1e-9
    assert abs(seen_w - max(1.0, factor * width)) <= 0.5 + 1e-9
    assert round(seen_h) == high or round(seen_w) == wide
    inside = (found[0, 0] == 200.0).sum()
    assert inside == round(seen_h) * round(seen_w)
    assert (found[0, 0] == 9.0).sum() == high * wide - inside
    assert abs(placed.left_px - (wide - seen_w - placed.left_px)) <= 1.0 + 1e-9
    assert abs(placed.top_px - (high - seen_h - placed.top_px)) <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ('sides', 'size_px', 'expected'),
    [
        ((480, 640), 960, (480, 640)),  # never enlarged but to the multiple
        ((480, 640), 192, (128, 192)),  # 144 is nearer to 128 (python rounds 4.5 to 4)
        ((500, 500), 320, (320, 320)),
        ((1080, 1920), 960, (544, 960)),
        ((10, 10_000), 960, (32, 960)),
        ((50, 70), 64, (32, 64)),
        ((1, 1), 96, (32, 32)),
    ],
)
def test_keep_multiple_limits_the_long_side(
    sides: tuple[int, int], size_px: int, expected: tuple[int, int]
) -> None:
    """As the preprocessing of text detectors does it: limit, then round each side to 32."""
    card = wanted(size_px, resize='keep_multiple')
    found, _ = tensor(np.zeros((*sides, 3), np.uint8), card)
    assert found.shape == (1, 3, *expected)


def test_a_mark_is_found_where_it_is() -> None:
    """A bright square seen by the model maps to its own place, for every way of resizing."""
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[30:50, 60:90] = 255
    for resize in RESIZES:
        for crop in ('none', 'centre_square'):
            size_px = 96 if resize == 'keep_multiple' else [96, 128]
            card = wanted(size_px, resize=resize, crop=crop)
            found, placed = tensor(frame, card)
            level = 200.0 if resize == 'letterbox' else 128.0
            rows, columns = np.nonzero(found[0, 0] > level)
            box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1.0]])
            assert placed.to_frame(box)[0] == pytest.approx([60, 30, 90, 50], abs=2.5), resize


@pytest.mark.parametrize('layout', ['nchw', 'nhwc', 'chw', 'hwc'])
@pytest.mark.parametrize('colour', ['rgb', 'bgr', 'grey'])
def test_levels_order_and_range(layout: str, colour: str) -> None:
    """(pixel x scale - mean) / std for each channel, in the card's order, exactly in float32."""
    image = picture(6, 5)
    ordered = {'rgb': image, 'bgr': image[..., ::-1]}.get(colour)
    if ordered is None:
        ordered = np.asarray(Image.fromarray(image).convert('L'))[..., None]
    channels = ordered.shape[2]
    mean = np.array([0.5, 0.25, 0.125][:channels], np.float32)
    std = np.array([0.3, 0.7, 2.0][:channels], np.float32)
    more = {'layout': layout, 'colour': colour, 'mean': mean.tolist(), 'std': std.tolist()}
    levels = ordered.astype(np.float32) * np.float32(BYTE)
    expected = (levels - mean) / std
    found, _ = tensor(image, wanted([6, 5], scale=BYTE, **more))
    expected = expected.transpose(2, 0, 1) if 'chw' in layout else expected
    assert (found == (expected[None] if layout[0] == 'n' else expected)).all()


def test_an_image_that_is_the_input_is_not_copied() -> None:
    """Bytes of the right size and layout go to the model as they are."""
    image = picture(8, 8)
    found, _ = tensor(image, wanted(8, layout='nhwc', dtype='uint8'))
    assert found.dtype == np.uint8
    assert np.shares_memory(found, image)
    first, _ = tensor(image, wanted(8, dtype='uint8'))
    assert (first[0] == image.transpose(2, 0, 1)).all()
    assert first.flags.c_contiguous


def test_half_precision() -> None:
    """The same levels, rounded to half precision."""
    found, _ = tensor(picture(8, 8), wanted(8, dtype='float16', scale=BYTE))
    whole, _ = tensor(picture(8, 8), wanted(8, scale=BYTE))
    assert found.dtype == np.float16
    assert (found == whole.astype(np.float16)).all()


@pytest.mark.parametrize('sides', [(32, 32), (160, 120), (120, 160), (33, 32), (1, 1), (480, 640)])
@pytest.mark.parametrize('name', sorted(pair.NAMES.values()))
def test_the_shipped_models_see_what_they_always_saw(name: str, sides: tuple[int, int]) -> None:
    """Bit for bit the arithmetic that golden replays and fitted correlations were made with."""
    card = read_card(pair.MODELS / name).input
    assert card is not None
    image = picture(*sides)
    side = min(sides)
    top, left = (sides[0] - side) // 2, (sides[1] - side) // 2
    square = Image.fromarray(image[top : top + side, left : left + side].copy())
    square = square.resize((32, 32), Image.Resampling.BILINEAR)
    pixels = np.asarray(square, np.float32) * np.float32(BYTE)
    found, _ = tensor(image, card)
    assert found.dtype == np.float32
    assert (found == pixels.transpose(2, 0, 1)[None]).all()


@pytest.mark.parametrize('shape', [(8, 20), (20, 8), (8, 21), (9, 8)])
def test_the_crop_is_the_centre(shape: tuple[int, int]) -> None:
    """With `centre_square` only the middle square is seen; with `none` everything is."""
    height, width = shape
    side = min(shape)
    image = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    image[top : top + side, left : left + side] = 200
    assert (tensor(image, wanted(side, crop='centre_square'))[0] == 200.0).all()
    assert tensor(image, wanted(side))[0].min() < 200.0


def test_a_reversed_view_is_no_different() -> None:
    """Bgr8 comes as a view with negative strides; the model sees the same pixels as of rgb8."""
    image = picture(4, 6)
    swapped = decode_raw(image[..., ::-1].tobytes(), 'bgr8', 4, 6, 18)
    for card in (wanted(4), wanted([4, 6]), wanted([4, 6], colour='grey')):
        assert (tensor(swapped, card)[0] == tensor(image, card)[0]).all()


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(image: Any) -> None:
    """Another shape or type, or no pixel, is told with what was given."""
    with pytest.raises(PredictionError, match='was given an image of shape') as caught:
        tensor(image, wanted())
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('resize', RESIZES)
def test_a_blank_frame_needs_no_resizing(resize: str) -> None:
    """Warm-up runs the model at the size it has in use."""
    card = wanted(64, resize=resize)
    frame = blank(card)
    assert frame.shape == (64, 64, 3)
    assert not frame.any()
    assert tensor(frame, card)[1].input_px == (64, 64)
