"""Calibration: the tables give what numpy's interpolation gives, and bad tables are refused."""

from dataclasses import dataclass
import math

from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import PATIENT
from selector.calibration import checked
from selector.calibration import Table
from selector.errors import InputError

UNIT = st.floats(0.0, 1.0)
GOOD = Table((1.0, -2.0), 0.5, (0.0, 1.0, 3.0), (0.1, 0.4, 0.9), (0.2, 0.0, 0.1))


@dataclass(frozen=True)
class Case:
    """A usable table and inputs to it."""

    table: Table
    inputs: tuple[float, ...]

    @property
    def score(self) -> float:
        """The linear score, summed in the documented order."""
        total = self.table.bias
        for weight, value in zip(self.table.weights, self.inputs, strict=True):
            total += weight * value
        return total


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a monotone table with one to eight knots."""
    x = sorted(draw(st.sets(st.floats(-5.0, 5.0), min_size=1, max_size=8)))
    y = sorted(draw(st.lists(UNIT, min_size=len(x), max_size=len(x))))
    width = draw(st.lists(UNIT, min_size=len(x), max_size=len(x)))
    weights = draw(st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3))
    inputs = draw(st.lists(UNIT, min_size=3, max_size=3))
    bias = draw(st.floats(-3.0, 3.0))
    return Case(Table(tuple(weights), bias, tuple(x), tuple(y), tuple(width)), tuple(inputs))


@PATIENT
@given(cases())
def test_a_table_interpolates_as_numpy_does(case: Case) -> None:
    """Value and width are numpy.interp of the score, constant beyond the outer knots."""
    table = checked(case.table, 3)
    assume(all(b - a > 1e-6 for a, b in zip(table.x, table.x[1:], strict=False)))
    expected = [np.interp(case.score, table.x, column) for column in (table.y, table.width)]
    assert table.value(case.inputs) == pytest.approx(expected, abs=1e-9)


@PATIENT
@given(cases())
def test_a_table_never_leaves_its_knots(case: Case) -> None:
    """The value lies between the smallest and largest knot value, even for knots very close."""
    value, width = case.table.value(case.inputs)
    assert min(case.table.y) - 1e-15 <= value <= min(1.0, max(case.table.y) + 1e-15)
    assert 0.0 <= width <= 1.0


@PATIENT
@given(cases())
def test_at_a_knot_the_value_is_the_knot(case: Case) -> None:
    """No rounding at the knots: each gives back exactly its own value and width."""
    table = case.table._replace(weights=(1.0,), bias=0.0)
    for knot in zip(table.x, table.y, table.width, strict=True):
        assert table.value((knot[0],)) == knot[1:]


def test_a_table_with_one_knot_is_constant() -> None:
    """One knot gives its value on both sides."""
    table = Table((1.0,), 0.0, (0.5,), (0.25,), (0.125,))
    assert [table.value((x,)) for x in (-9.0, 0.5, 9.0)] == [(0.25, 0.125)] * 3


def test_the_number_of_inputs_must_fit() -> None:
    """A table refuses evidence of another length instead of ignoring the rest."""
    with pytest.raises(ValueError, match='zip'):
        GOOD.value((1.0,))
    with pytest.raises(InputError, match='2 weights for 3 inputs'):
        checked(GOOD, 3)
    assert checked(GOOD, 2) is GOOD


@pytest.mark.parametrize(
    'changes',
    [
        {'x': ()},
        {'x': (), 'y': (), 'width': ()},
        {'y': (0.1, 0.4)},
        {'width': (0.1, 0.4)},
        {'x': (0.0, 0.0, 3.0)},
        {'x': (0.0, 3.0, 1.0)},
        {'y': (0.1, 0.4, 1.1)},
        {'y': (-0.1, 0.4, 1.0)},
        {'width': (0.0, 0.0, -0.1)},
        {'y': (0.1, math.nan, 0.9)},
        {'x': (0.0, math.nan, 3.0)},
        {'x': (0.0, 1.0, math.inf)},
        {'bias': math.nan},
        {'weights': (math.inf, 0.0)},
    ],
)
def test_a_bad_table_is_refused(changes: dict[str, object]) -> None:
    """Lengths, order, range and finiteness of every number are checked before use."""
    with pytest.raises(InputError):
        checked(GOOD._replace(**changes), 2)
