"""Input card: how a frame becomes the input of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from typing import Any
from typing import Literal

from pydantic import BeforeValidator
from pydantic import Field
from pydantic import model_validator
from selector.cards.card_part import Part
from selector.cards.card_part import Text

LARGEST_PX = 4096
_LARGEST = 1e6

Level = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Width = Annotated[float, Field(ge=1 / _LARGEST, le=_LARGEST)]


def _size(given: Any) -> int | tuple[int, int]:
    sides = given if isinstance(given, list | tuple) else (given, given)
    sound = all(type(side) is int and 1 <= side <= LARGEST_PX for side in sides)
    if len(sides) != 2 or not sound:
        raise ValueError(f'must be one side or [height, width], of 1 to {LARGEST_PX} pixels')
    return (sides[0], sides[1]) if isinstance(given, list | tuple) else sides[0]


class InputCard(Part):
    """How a frame becomes the model's input tensor.

    Attributes:
        name: name of the graph's input.
        crop: part of the frame that is looked at.
        resize: stretch to the size; letterbox: the aspect is kept and the rest filled;
            keep_multiple: the long side is limited to the size and each side rounded to a
            multiple, as text detectors want it. Bilinear, antialiased.
        size_px: side, or (height, width), of what the model sees [px].
        multiple_px: with keep_multiple, what both sides are a multiple of [px].
        layout: order of the tensor's axes; without n where it has no batch axis.
        colour: order of the channels, or grey: one channel (ITU-R 601 luma).
        dtype: type of the tensor.
        scale: factor from uint8 to the range the model wants.
        mean, std: taken off and divided by after scaling, one a channel; () for 0 and 1.
        pad_value: with letterbox, the level of the filling before scaling, in 0..255.
    """

    name: Text
    crop: Literal['centre_square', 'none'] = 'none'
    resize: Literal['stretch', 'letterbox', 'keep_multiple'] = 'stretch'
    size_px: Annotated[int | tuple[int, int], BeforeValidator(_size)]
    multiple_px: int = Field(default=32, ge=1, le=1024)
    layout: Literal['nchw', 'nhwc', 'chw', 'hwc'] = 'nchw'
    colour: Literal['rgb', 'bgr', 'grey'] = 'rgb'
    dtype: Literal['float32', 'float16', 'uint8'] = 'float32'
    scale: float = Field(gt=0, le=_LARGEST)
    mean: Annotated[tuple[Level, ...], Field(strict=False)] = ()
    std: Annotated[tuple[Width, ...], Field(strict=False)] = ()
    pad_value: int = Field(default=114, ge=0, le=255)

    @property
    def sides_px(self) -> tuple[int, int]:
        """(height, width) of what the model sees [px]; with keep_multiple the longest sides."""
        return self.size_px if isinstance(self.size_px, tuple) else (self.size_px, self.size_px)

    @property
    def channels(self) -> int:
        """Number of channels, 3 or 1."""
        return 1 if self.colour == 'grey' else 3

    @model_validator(mode='after')
    def _fits_together(self) -> InputCard:
        if found := [*_channels(self), *_sides(self)]:
            raise ValueError('; '.join(found))
        return self


def _channels(card: InputCard) -> Iterator[str]:
    for key, values in (('mean', card.mean), ('std', card.std)):
        if len(values) not in (0, card.channels):
            yield f'{key} must have {card.channels} numbers, one a channel'
    if card.dtype == 'uint8' and (card.scale != 1.0 or card.mean or card.std):
        yield 'dtype uint8 goes with scale 1 and neither mean nor std'


def _sides(card: InputCard) -> Iterator[str]:
    given = card.model_fields_set
    if card.resize == 'keep_multiple':
        if not isinstance(card.size_px, int) or card.size_px % card.multiple_px:
            yield 'keep_multiple needs one size_px that is a multiple of multiple_px'
    elif 'multiple_px' in given:
        yield 'multiple_px goes with resize: keep_multiple only'
    if 'pad_value' in given and card.resize != 'letterbox':
        yield 'pad_value goes with resize: letterbox only'
