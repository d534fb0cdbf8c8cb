"""Figure: a number about cost is never invented, and nothing is free because it is not known."""

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import InputError
from selector.meters.figure import amount
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.meters.figure import unknown


def test_an_unknown_figure_has_no_value_and_says_why() -> None:
    """It is None, never 0, and its text is the reason."""
    figure = unknown('J', 'no meter here')
    assert (figure.value, figure.kind, figure.age_s) == (None, 'unknown', None)
    assert figure.text() == 'unknown: no meter here'


@pytest.mark.parametrize('value', [0.0, -1.0, math.nan, math.inf])
def test_what_cannot_be_an_energy_is_unknown(value: float) -> None:
    """0 J, less than that, NaN and infinity become unknown, and cannot be made a figure."""
    figure = stated(value, 'J', 'a meter', 'measured')
    assert figure.value is None
    assert 'a meter' in figure.source
    with pytest.raises(InputError, match='is no figure'):
        Figure(value, 'J', 'a meter', 0.0, 'measured')


def test_value_and_kind_fit_together() -> None:
    """A value cannot be unknown, and nothing cannot be measured."""
    for value, kind in ((1.0, 'unknown'), (None, 'measured')):
        with pytest.raises(InputError, match='cannot be'):
            Figure(value, 'J', '', 0.0, kind)  # type: ignore[arg-type]


def test_zero_is_a_fair_number_of_other_things() -> None:
    """0 W or 0 s may be measured; only joules are never free."""
    assert stated(0.0, 'W', 'a meter', 'measured').value == 0.0


@given(st.floats(), st.sampled_from(['J', 'W', 's']))
def test_a_figure_is_finite_or_unknown(value: float, unit: str) -> None:
    """Whatever comes in, what goes out is finite and not negative, or None with a reason."""
    figure = stated(value, unit, 'somewhere', 'profiled')
    if figure.value is None:
        assert figure.kind == 'unknown'
        assert figure.source
    else:
        assert math.isfinite(figure.value)
        assert figure.value >= 0.0


def test_amounts_are_readable() -> None:
    """Three digits and a prefix; a ratio has none."""
    assert [amount(v, 'J') for v in (0.00145, 2.0, 12_345.0, 3.2e-7, -0.002)] == [
        '1.45 mJ', '2 J', '12.3 kJ', '320 nJ', '-2 mJ'
    ]  # fmt: skip
    assert amount(1.2345, '1') == '1.23'
    assert stated(0.5, 's', 'x', 'default').text() == '500 ms (default)'
