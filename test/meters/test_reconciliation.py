"""Reconciliation: the calls' figures beside the meter's integral, every 60 s of stamps."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import ConfigError
from selector.meters.battery import Battery
from selector.meters.energy import Reading
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.meters.figure import unknown
from selector.meters.reconciliation import Reconciler
from selector.meters.reconciliation import Reconciliation

BASE = stated(10.0, 'W', 'an idle minute', 'measured')


def call(joules: float) -> Figure:
    """Return the figure of a call."""
    return stated(joules, 'J', 'the card', 'profiled')


def window(
    total_j: float,
    calls: list[Figure],
    base: Figure = BASE,
    *,
    since_s: float = 0.0,
    fault: str = '',
) -> Reconciliation:
    """Return the first minute, in which the meter counted `total_j`."""
    made = Reconciler(Battery(), base)
    assert made.update(Reading(0.0, 0.0, (0.0,), '')) is None
    for k, figure in enumerate(calls):
        made.add(1.0 + k % 50, figure)
    assert made.update(Reading(59.9, since_s, (total_j - 1.0,), '')) is None
    parts = () if fault else (total_j,)
    closed = made.update(Reading(60.0, since_s, parts, fault))
    assert closed is not None
    return closed


def test_figures_that_are_right_give_a_factor_of_1() -> None:
    """600 J of base load and 100 calls of 3 J are 900 J."""
    found = window(900.0, [call(3.0)] * 100)
    assert found.factor.value == pytest.approx(1.0)
    assert (found.factor.kind, found.warning, found.calls) == ('measured', '', 100)
    assert (found.summed_j, found.base_j, found.metered.value) == (300.0, 600.0, 900.0)


@pytest.mark.parametrize(
    ('total', 'factor', 'word'),
    [(959.0, 1.197, ''), (970.0, 1.233, 'more'), (841.0, 0.803, ''), (830.0, 0.767, 'less')],
)
def test_more_than_a_fifth_off_is_a_warning(total: float, factor: float, word: str) -> None:
    """The factor is published in every case; the warning says in which direction."""
    found = window(total, [call(3.0)] * 100)
    assert found.factor.value == pytest.approx(factor, abs=1e-3)
    assert bool(found.warning) == bool(word)
    assert word in found.warning


def test_too_little_to_tell() -> None:
    """Below a tenth of the base load an error of 1 % in it could be the whole difference."""
    just, less = window(660.0, [call(0.6)] * 100), window(659.0, [call(0.59)] * 100)
    assert just.factor.value == pytest.approx(1.0)
    assert less.factor.value is None
    assert 'it takes 60 J to tell' in less.factor.source
    assert less.warning == ''


@given(st.floats(-0.01, 0.01), st.floats(60.0, 5000.0))
def test_an_error_of_1_percent_in_the_base_load_never_warns(error: float, summed: float) -> None:
    """That is what the rule of the least sum is for."""
    base = stated(10.0 * (1.0 + error), 'W', 'not quite right', 'measured')
    found = window(600.0 + summed, [call(summed / 10)] * 10, base)
    assert found.warning == ''
    if found.factor.value is not None:
        assert abs(found.factor.value - 1.0) <= 0.1 + 1e-9


def test_a_call_without_a_figure_spoils_the_window() -> None:
    """Its energy is in the meter and not in the sum: no factor, with the count."""
    found = window(900.0, [call(3.0)] * 99 + [unknown('J', 'no card')])
    assert found.factor.value is None
    assert '1 of 100 calls have no figure' in found.factor.source


def test_what_the_meter_does_not_know() -> None:
    """A fault or a gap of the meter, an unknown base load, no call: each is the reason."""
    calls = [call(3.0)] * 100
    for found, why in (
        (window(900.0, calls, fault='the topic is silent'), 'the topic is silent'),
        (window(900.0, calls, since_s=30.0), 'interrupted'),
        (window(900.0, calls, unknown('W', 'never measured')), 'never measured'),
        (window(900.0, calls, stated(0.0, 'W', 'never set', 'default')), 'never set'),
        (window(900.0, []), 'no call ended'),
    ):
        assert found.factor.value is None
        assert why in found.factor.source
        assert found.warning == ''


def test_less_than_the_base_load_alone_is_a_warning() -> None:
    """The base load is stated too high: no factor, and what to do."""
    found = window(590.0, [call(3.0)] * 100)
    assert found.factor.value is None
    assert 'measure the base load again' in found.warning


def test_windows_follow_each_other_and_lose_no_call() -> None:
    """Five minutes of one reading a second: five windows, each call in exactly one."""
    meter, made, closed = Battery(), Reconciler(Battery(), BASE), []
    for second in range(301):
        meter.put(float(second), 20.0, -1.0)
        if second % 3 == 1:
            made.add(second + 0.5, call(30.0))
        found = made.update(meter.read(float(second)))
        closed += [found] if found else []
    assert [f.end_s for f in closed] == [60.0, 120.0, 180.0, 240.0, 300.0]
    assert sum(f.calls for f in closed) == 100
    assert all(f.factor.value == pytest.approx(1.0) for f in closed)


def test_a_call_that_is_told_late_counts_in_the_next_window() -> None:
    """A run that outlasted the minute is not lost."""
    made = Reconciler(Battery(), BASE)
    made.update(Reading(0.0, 0.0, (0.0,), ''))
    made.update(Reading(60.0, 0.0, (700.0,), ''))
    made.add(59.0, call(100.0))
    found = made.update(Reading(120.0, 0.0, (1400.0,), ''))
    assert found is not None
    assert (found.calls, found.factor.value) == (1, pytest.approx(1.0))


def test_time_that_goes_back_begins_a_new_window() -> None:
    """A bag played again: nothing is compared across the jump."""
    made = Reconciler(Battery(), BASE)
    made.update(Reading(1000.0, 1000.0, (0.0,), ''))
    assert made.update(Reading(0.0, 0.0, (0.0,), '')) is None
    found = made.update(Reading(60.0, 0.0, (600.0,), ''))
    assert found is not None
    assert found.start_s == 0.0


@pytest.mark.parametrize('seconds', [0.0, -1.0, math.nan, math.inf])
def test_the_window_is_checked(seconds: float) -> None:
    """It is a time."""
    with pytest.raises(ConfigError, match='window_s'):
        Reconciler(Battery(), BASE, seconds)


def test_the_base_load_is_a_power() -> None:
    """Joules in its place are refused."""
    with pytest.raises(ConfigError, match='in W'):
        Reconciler(Battery(), call(3.0))
