"""The pairing with the largest total likeness."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from selector.assignment import best_total

_CELLS = st.one_of(st.just(0.0), st.floats(0.0, 1.0, width=32))


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[np.float64]:
    """Likenesses of up to six by six things, many of them 0."""
    rows, columns = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    cells = draw(st.lists(_CELLS, min_size=rows * columns, max_size=rows * columns))
    return np.asarray(cells, np.float64).reshape(rows, columns)


def every_pairing(likeness: NDArray[np.float64]) -> float:
    """Return the best total by trying every pairing."""
    wide = likeness if likeness.shape[0] <= likeness.shape[1] else likeness.T
    rows, columns = wide.shape
    orders = itertools.permutations(range(columns), rows)
    return max(sum(wide[k, order[k]] for k in range(rows)) for order in orders)


@given(matrices())
def test_no_pairing_is_better(likeness: NDArray[np.float64]) -> None:
    """The total is that of the best of all pairings, tried one by one."""
    assert best_total(likeness) == pytest.approx(every_pairing(likeness), abs=1e-9)


@given(matrices())
def test_the_order_does_not_matter(likeness: NDArray[np.float64]) -> None:
    """Rows and columns may stand in any order, and may change places."""
    rows = np.random.default_rng(len(likeness)).permutation(likeness.shape[0])
    columns = np.random.default_rng(7).permutation(likeness.shape[1])
    total = best_total(likeness)
    assert best_total(likeness[rows][:, columns]) == pytest.approx(total, abs=1e-9)
    assert best_total(likeness.T) == pytest.approx(total, abs=1e-9)


def test_a_greedy_pairing_would_be_worse() -> None:
    """The largest likeness is left unpaired where two others give more."""
    likeness = np.asarray([[0.9, 0.8], [0.8, 0.1]])
    assert best_total(likeness) == pytest.approx(1.6)


def test_a_crowd() -> None:
    """A hundred things against a hundred, all alike: the diagonal is the best by far."""
    likeness = np.random.default_rng(1).random((100, 100)) * 0.1 + np.eye(100)
    assert best_total(likeness) == pytest.approx(float(np.trace(likeness)))
