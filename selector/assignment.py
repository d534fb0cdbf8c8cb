"""Assignment: the pairing of two sets with the largest total likeness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_total(likeness: NDArray[np.float64]) -> float:
    """Return the largest sum of a one-to-one pairing; any row or column may stay unpaired.

    Args:
        likeness: (N, M) finite numbers >= 0.
    """
    return sum(_component(likeness[np.ix_(*part)]) for part in _components(likeness > 0.0))


def _components(linked: NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Return the rows and columns that hang together; boxes far apart never compete."""
    free = set(np.flatnonzero(linked.any(axis=1)).tolist())
    parts = []
    while free:
        rows, columns, news = set[int](), set[int](), {min(free)}
        while news:
            rows |= news
            columns |= set(np.flatnonzero(linked[sorted(news)].any(axis=0)).tolist())
            near = linked[:, sorted(columns)].any(axis=1)
            news = set(np.flatnonzero(near).tolist()) - rows
        free -= rows
        parts.append((sorted(rows), sorted(columns)))
    return parts


def _component(likeness: NDArray[np.float64]) -> float:
    if min(likeness.shape) == 1:
        return float(likeness.max())
    wide = likeness if likeness.shape[0] <= likeness.shape[1] else likeness.T
    return float(wide[np.arange(len(wide)), _hungarian(wide.max() - wide)].sum())


def _hungarian(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each row (N <= M) its column in the cheapest assignment.

    Shortest augmenting paths with potentials (Jonker and Volgenant 1987), one row after another.
    """
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for start in range(rows):
        free = np.ones(columns, bool)
        reach, before = np.full(columns, np.inf), np.full(columns, -1)
        row, last = start, -1
        while True:
            slack = cost[row] - row_price[row] - column_price
            closer = free & (slack < reach)
            reach[closer], before[closer] = slack[closer], last
            column = int(np.argmin(np.where(free, reach, np.inf)))
            step = reach[column]
            taken = ~free
            row_price[owner[taken]] += step
            row_price[start] += step
            column_price[taken] -= step
            reach[free] -= step
            free[column], last = False, column
            if owner[column] < 0:
                break
            row = int(owner[column])
        while column >= 0:
            previous = int(before[column])
            owner[column] = start if previous < 0 else owner[previous]
            column = previous
    found = np.empty(rows, np.int64)
    for column in np.flatnonzero(owner >= 0).tolist():
        found[owner[column]] = column
    return found
