"""Model input: from a frame to a model's input tensor, and from places in it back to the frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from selector.cards.input_card import InputCard
from selector.errors import PredictionError

_BYTE = np.dtype(np.uint8)

Sides = tuple[int, int]
Tensor = NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint8]


class Placement(NamedTuple):
    """Where the frame lies in the model's input: x' = scale_x x + left_px, and y alike.

    Attributes:
        scale_x, scale_y: pixels of the input for a pixel of the frame, > 0.
        left_px, top_px: the frame's upper left corner in the input [px of the input].
        frame_px: (height, width) of the frame [px].
        input_px: (height, width) of the input [px].
    """

    scale_x: float
    scale_y: float
    left_px: float
    top_px: float
    frame_px: Sides
    input_px: Sides

    def to_input(self, xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return boxes (N, 4) of the frame in pixels of the input, not clipped."""
        return xyxy * self._scales() + self._offsets()

    def to_frame(self, xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return boxes (N, 4) of the input in pixels of the frame, clipped to it."""
        height, width = self.frame_px
        found = (xyxy - self._offsets()) / self._scales()
        return np.clip(found, 0.0, np.array([width, height, width, height], np.float64))

    def _scales(self) -> NDArray[np.float64]:
        return np.array([self.scale_x, self.scale_y] * 2)

    def _offsets(self) -> NDArray[np.float64]:
        return np.array([self.left_px, self.top_px] * 2)


class _Plan(NamedTuple):
    """What is done to every frame of one size.

    Attributes:
        shape: shape of the frame.
        seen: the part of it that is looked at, None for all of it.
        resized_px: (height, width) it is resized to [px].
        pad_px: rows above and columns left of it in the input [px].
        placement: where the frame lies in the input.
    """

    shape: tuple[int, ...]
    seen: tuple[slice, slice] | None
    resized_px: Sides
    pad_px: Sides
    placement: Placement


class ModelInput:
    """Makes the input tensors of one model; used by one thread at a time."""

    def __init__(self, card: InputCard) -> None:
        """Take what the model wants."""
        self._card = card
        self._plan: _Plan | None = None
        self._first = card.layout in ('nchw', 'chw')
        self._batched = card.layout in ('nchw', 'nhwc')
        self._scale = np.float32(card.scale)
        self._mean = _by_channel(card.mean, self._first)
        self._std = _by_channel(card.std, self._first)

    def tensor(self, image: NDArray[np.uint8]) -> tuple[Tensor, Placement]:
        """Return the input tensor of an image, and where the image lies in it.

        The tensor is contiguous and of the card's layout and type: (1, C, H, W) for nchw. An image
        that has the wanted size already is not resized, and one that is the input is not copied.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            PredictionError: the image is of another shape or type, or empty.
        """
        plan = self._plan
        if plan is None or image.shape != plan.shape or image.dtype != _BYTE:
            _check(image)
            plan = self._plan = _planned(image.shape, self._card)
        if plan.seen is not None:
            image = image[plan.seen]
        pixels = _resized(image, plan.resized_px)
        whole = plan.placement.input_px
        if plan.resized_px != whole:
            pixels = _padded(pixels, whole, plan.pad_px, self._card.pad_value)
        return self._numbers(pixels), plan.placement

    def _numbers(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return pixels (H, W, 3) as the tensor."""
        card = self._card
        if card.colour == 'grey':
            grey = Image.fromarray(np.ascontiguousarray(pixels)).convert('L')
            pixels = np.asarray(grey)[..., None]
        elif card.colour == 'bgr':
            pixels = pixels[..., ::-1]
        ordered = pixels.transpose(2, 0, 1) if self._first else pixels
        if self._batched:
            ordered = ordered[None]
        if card.dtype == 'uint8':
            return np.ascontiguousarray(ordered)
        out = np.empty(ordered.shape, np.float32)
        out[...] = ordered
        out *= self._scale
        if self._mean is not None:
            out -= self._mean
        if self._std is not None:
            out /= self._std
        if card.dtype == 'float32':
            return out
        with np.errstate(over='ignore'):  # infinite in half precision; the answer is looked at
            return out.astype(np.float16)


def tensor(image: NDArray[np.uint8], card: InputCard) -> tuple[Tensor, Placement]:
    """Return the input tensor of one image; see `ModelInput.tensor`."""
    return ModelInput(card).tensor(image)


def blank(card: InputCard) -> NDArray[np.uint8]:
    """Return a black frame (H, W, 3) of the size the model sees, to warm it up."""
    return np.zeros((*card.sides_px, 3), np.uint8)


def _check(image: NDArray[np.uint8]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != _BYTE or not image.size:
        raise PredictionError(
            f'was given an image of shape {image.shape} and type {image.dtype}; it takes '
            f'(height, width, 3) uint8'
        )


def _planned(shape: tuple[int, ...], card: InputCard) -> _Plan:
    frame: Sides = shape[0], shape[1]
    side = min(frame)
    seen = (side, side) if card.crop == 'centre_square' else frame
    top, left = (frame[0] - seen[0]) // 2, (frame[1] - seen[1]) // 2
    part = (slice(top, top + seen[0]), slice(left, left + seen[1])) if seen != frame else None
    resized, whole = _sides(card, seen)
    pad = (whole[0] - resized[0]) // 2, (whole[1] - resized[1]) // 2
    scale_y, scale_x = resized[0] / seen[0], resized[1] / seen[1]
    left_px, top_px = pad[1] - left * scale_x, pad[0] - top * scale_y
    placed = Placement(scale_x, scale_y, left_px, top_px, frame, whole)
    return _Plan(shape, part, resized, pad, placed)


def _sides(card: InputCard, seen: Sides) -> tuple[Sides, Sides]:
    """Return (height, width) of the resized image and of the whole input [px]."""
    wanted = card.sides_px
    if card.resize == 'stretch':
        return wanted, wanted
    if card.resize == 'letterbox':
        factor = min(wanted[0] / seen[0], wanted[1] / seen[1])
        return (_rounded(seen[0] * factor), _rounded(seen[1] * factor)), wanted
    factor, step = min(1.0, wanted[0] / max(seen)), card.multiple_px
    sides = tuple(step * _rounded(side * factor / step) for side in seen)
    return (sides[0], sides[1]), (sides[0], sides[1])


def _rounded(number: float) -> int:
    return max(1, round(number))


def _resized(image: NDArray[np.uint8], sides: Sides) -> NDArray[np.uint8]:
    if image.shape[:2] == sides:
        return image
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((sides[1], sides[0]), Image.Resampling.BILINEAR))


def _padded(pixels: NDArray[np.uint8], whole: Sides, pad: Sides, level: int) -> NDArray[np.uint8]:
    filled = np.full((*whole, 3), level, np.uint8)
    filled[pad[0] : pad[0] + pixels.shape[0], pad[1] : pad[1] + pixels.shape[1]] = pixels
    return filled


def _by_channel(values: tuple[float, ...], first: bool) -> NDArray[np.float32] | None:
    if not values:
        return None
    row = np.array(values, np.float32)
    return row[:, None, None] if first else row
