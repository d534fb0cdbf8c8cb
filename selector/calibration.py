"""Calibration: fitted tables that turn evidence into probabilities, run in plain arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from selector.errors import InputError


class Table(NamedTuple):
    """A monotone, piecewise linear function: a linear score of the inputs, then knots.

    Fitted offline (a logistic fit gives the weights, an isotonic fit of its score the knots),
    executed here with additions, products and one bisection, so it gives the same bits
    everywhere.

    Attributes:
        weights: (F,) one weight per input.
        bias: added to the weighted sum.
        x: (K,) knots of the score, strictly increasing, K >= 1.
        y: (K,) value at each knot, in [0, 1].
        width: (K,) half-width of the 95 % interval of the value at each knot.
    """

    weights: tuple[float, ...]
    bias: float
    x: tuple[float, ...]
    y: tuple[float, ...]
    width: tuple[float, ...]

    def value(self, inputs: Sequence[float]) -> tuple[float, float]:
        """Return (value, half-width) at `inputs` (F,); constant beyond the outer knots."""
        score = self.bias
        for weight, number in zip(self.weights, inputs, strict=True):
            score += weight * number
        x, y, width = self.x, self.y, self.width
        right = bisect_right(x, score)
        if right == 0:
            return y[0], width[0]
        if right == len(x):
            return y[-1], width[-1]
        left = right - 1
        share = (score - x[left]) / (x[right] - x[left])
        return (
            y[left] + share * (y[right] - y[left]),
            width[left] + share * (width[right] - width[left]),
        )


def checked(table: Table, inputs: int) -> Table:
    """Return `table` when it is usable with `inputs` inputs.

    Raises:
        InputError: lengths differ, a number is NaN or infinite, knots do not increase, or a value
            leaves [0, 1].
    """
    if len(table.weights) != inputs:
        raise InputError(f'a table has {len(table.weights)} weights for {inputs} inputs')
    if not len(table.x) == len(table.y) == len(table.width) >= 1:
        raise InputError(f'a table has {len(table.x)} knots and {len(table.y)} values')
    if not all(map(isfinite, (table.bias, *table.weights, *table.x))):
        raise InputError('a weight, the bias or a knot of a table is NaN or infinite')
    if any(b <= a for a, b in zip(table.x, table.x[1:], strict=False)):
        raise InputError('the knots of a table do not increase')
    if not all(0.0 <= v <= 1.0 for v in table.y + table.width):
        raise InputError('a value or width of a table is outside [0, 1]')
    return table
