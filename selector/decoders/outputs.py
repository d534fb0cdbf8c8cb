"""Outputs: what shapes and types the outputs of a model may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.errors import PredictionError

_REAL = (np.dtype(np.float32), np.dtype(np.float64))

Shape = tuple[int | None, ...]
"""Sizes of an array; None: any, or not known."""

Shapes = Mapping[str, tuple[Shape, ...]]
"""The shapes an output may have, by its role."""

Arrays = Mapping[str, NDArray[Any]]
"""The outputs, by role, each of a shape it may have."""


def in_row(count: int) -> tuple[Shape, ...]:
    """Return the shapes of `count` numbers for one image, as exporters write them."""
    return (1, count), (count,), (1, count, 1, 1)


def fits(shape: Shape, allowed: tuple[Shape, ...]) -> bool:
    """Return whether a shape is one of those allowed, as far as both are known."""
    return any(
        len(shape) == len(wanted)
        and all(a is None or b is None or a == b for a, b in zip(shape, wanted, strict=True))
        for wanted in allowed
    )


def told(allowed: tuple[Shape, ...]) -> str:
    """Return allowed shapes in words: `(1, 84, any) or (84, any)`."""
    return ' or '.join(
        f'({", ".join("any" if s is None else str(s) for s in a)})' for a in allowed
    )


def floats(array: NDArray[Any]) -> NDArray[np.floating]:
    """Return an output as single or double precision, unchanged where it is that already.

    Raises:
        PredictionError: it holds no real numbers.
    """
    if array.dtype in _REAL:
        return array
    if array.dtype.kind not in 'fiub':
        raise PredictionError(f'returned values of type {array.dtype}, no numbers')
    return array.astype(np.float32 if array.dtype == np.float16 else np.float64)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return 1 / (1 + exp(-x)), of NaN NaN."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
