"""Energy: integrals with gaps, and the energy of a call above the base load."""

from __future__ import annotations

from collections.abc import Sequence
import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.errors import InputError
from selector.meters.energy import CallEnergy
from selector.meters.energy import Count
from selector.meters.energy import EnergyMeter
from selector.meters.energy import per_call
from selector.meters.energy import power
from selector.meters.energy import PowerIntegral
from selector.meters.energy import Reading
from selector.meters.energy import Repeat
from selector.meters.energy import spent
from selector.meters.figure import Kind


class Meter:
    """A meter of which only the description is used."""

    name = 'meter'
    source = 'a meter of all'

    def __init__(self, period_s: float = 0.001, parts: tuple[str, ...] = ('all',)) -> None:
        """Describe it."""
        self.period_s, self.parts = period_s, parts
        self.kind: Kind = 'measured'

    def read(self, stamp_s: float) -> Reading:
        """Return nothing known."""
        return Reading(stamp_s, stamp_s, (), 'not read here')


METER: EnergyMeter = Meter()


def at(stamp_s: float, *joules: float, since_s: float = 0.0, fault: str = '') -> Reading:
    """Return a reading."""
    return Reading(stamp_s, since_s, joules, fault)


def repeats(nets_j: Sequence[float], base_w: float = 10.0, calls: int = 100) -> list[Repeat]:
    """Return repeats of 2 s idle and 3 s of calls that use each of `nets_j` above the base."""
    out = []
    for net_j in nets_j:
        used = 3.0 * base_w + calls * net_j
        idle = (at(0.0, 0.0), at(2.0, 2.0 * base_w))
        out.append(Repeat(idle, (at(2.0, 0.0), at(5.0, used)), calls))
    return out


def test_a_count_begins_anew_after_a_fault() -> None:
    """What is counted across a fault is not known; after it counting starts at 0."""
    count = Count()
    assert count.add(1.0, (5.0,)).parts_j == (0.0,)
    first = count.add(2.0, (5.0,))
    assert (first.parts_j, first.since_s) == ((5.0,), 1.0)
    assert count.broken(3.0, 'gone').parts_j == ()
    again = count.add(4.0, (7.0,))
    assert (again.parts_j, again.since_s, again.fault) == ((0.0,), 4.0, '')
    assert spent(METER, first, count.add(5.0, (1.0,))).value is None
    assert spent(METER, again, count.add(6.0, (1.0,))).value == 2.0


@pytest.mark.parametrize('joules', [-1.0, math.nan, math.inf])
def test_a_count_takes_no_nonsense(joules: float) -> None:
    """Negative, NaN and infinite energies are faults."""
    count = Count()
    count.add(1.0, (0.0,))
    assert str(joules) in count.add(2.0, (joules,)).fault


def test_a_count_does_not_go_back_in_time() -> None:
    """A stamp that is earlier than the last one is a fault."""
    count = Count()
    count.add(2.0, (0.0,))
    assert 'went back' in count.add(1.0, (3.0,)).fault


def test_the_integral_of_a_ramp_is_exact() -> None:
    """Trapezoids of 0 to 10 W in 10 s are 50 J, in any steps."""
    integral = PowerIntegral(5.0)
    for stamp in (0.0, 1.0, 1.5, 6.0, 10.0):
        last = integral.sample(stamp, stamp)
    assert last.parts_j == pytest.approx((50.0,))


@given(st.lists(st.tuples(st.floats(0.01, 4.9), st.floats(0.0, 500.0)), min_size=1, max_size=30))
def test_the_integral_lies_between_the_extremes(steps: list[tuple[float, float]]) -> None:
    """Energy is at least the smallest power x time and at most the largest."""
    integral, stamp = PowerIntegral(5.0), 0.0
    reading = integral.sample(0.0, steps[0][1])
    for step, watts in steps:
        stamp += step
        reading = integral.sample(stamp, watts)
    powers = [watts for _, watts in steps]
    assert reading.fault == ''
    low, high = min(powers) * stamp, max(powers) * stamp
    assert low * (1 - 1e-9) <= reading.parts_j[0] <= high * (1 + 1e-9)


def test_a_gap_is_not_bridged() -> None:
    """Two samples too far apart say nothing of what was between; the next ones count again."""
    integral = PowerIntegral(2.0)
    first = integral.sample(0.0, 10.0)
    assert 'no sample for 3 s' in integral.sample(3.0, 10.0).fault
    integral.sample(3.5, 10.0)
    last = integral.sample(4.5, 10.0)
    assert last.parts_j == (10.0,)
    assert 'interrupted' in spent(METER, first, last).source


@pytest.mark.parametrize('watts', [-0.1, math.nan, math.inf])
def test_a_power_that_cannot_be_is_a_fault(watts: float) -> None:
    """Negative, NaN and infinite powers are faults, not 0 W."""
    assert PowerIntegral(2.0).sample(0.0, watts).fault


def test_spent_needs_movement_time_and_no_fault() -> None:
    """Unknown, each with its reason: a part that stands still, no time, a fault, a gap."""
    two = Meter(parts=('package-0', 'dram'))
    good = spent(two, at(0.0, 1.0, 1.0), at(2.0, 5.0, 2.0))
    assert (good.value, good.unit, good.kind, good.source) == (5.0, 'J', 'measured', two.source)
    for last, why in (
        (at(2.0, 5.0, 1.0), 'dram did not move in 2 s'),
        (at(0.0, 5.0, 2.0), 'no new value'),
        (at(2.0, fault='the file is gone'), 'the file is gone'),
        (at(2.0, 5.0, 2.0, since_s=1.0), 'interrupted'),
        (at(2.0, math.nan, 2.0), 'package-0 did not move'),
    ):
        found = spent(two, at(0.0, 1.0, 1.0), last)
        assert found.value is None
        assert why in found.source
        assert power(two, at(0.0, 1.0, 1.0), last).value is None
    assert power(two, at(0.0, 1.0, 1.0), at(2.0, 5.0, 2.0)).value == 2.5


def test_a_call_is_what_is_above_the_base_load() -> None:
    """30 J of base load come off; the interval and the base load are told apart from it."""
    found = per_call(METER, repeats([0.19, 0.20, 0.21]), call_s=0.03)
    assert found.per_call.value == pytest.approx(0.20)
    # By hand: standard deviation 0.01, t of 2 degrees of freedom 4.303.
    half = 4.303 * 0.01 / math.sqrt(3)
    assert (found.low_j, found.high_j) == pytest.approx((0.20 - half, 0.20 + half))
    assert found.base.value == pytest.approx(10.0)
    assert found.base.unit == 'W'
    assert (found.calls, found.per_call.kind) == (300, 'measured')


def test_a_sensor_slower_than_a_call_only_profiles() -> None:
    """The same energies, read by a sensor with one value a second: `profiled`."""
    found = per_call(Meter(period_s=1.0), repeats([0.19, 0.20, 0.21]), call_s=0.03)
    assert found.per_call.kind == 'profiled'
    assert found.base.kind == 'measured'


@pytest.mark.parametrize('nets', [[-0.2, -0.21, -0.19], [0.5, -0.29, 0.1], [0.01, 0.2, 0.5]])
def test_below_what_the_meter_resolves(nets: list[float]) -> None:
    """A negative mean, or an interval with 0 in it, is unknown: neither 0 J nor the mean."""
    found = per_call(METER, repeats(nets), call_s=0.03)
    assert found.per_call.value is None
    assert 'below what meter can resolve' in found.per_call.source
    assert found.base.value == pytest.approx(10.0)


def test_one_repeat_that_failed_spoils_all() -> None:
    """A fault in one repeat is the reason; no figure is made of the others."""
    made = repeats([0.2, 0.2, 0.2])
    broken = made[1]._replace(busy=(made[1].busy[0], at(5.0, fault='the rail is gone')))
    found = per_call(METER, [made[0], broken, made[2]], call_s=0.03)
    assert (found.per_call.value, found.base.value) == (None, None)
    assert 'the rail is gone' in found.per_call.source


@pytest.mark.parametrize('count', [0, 1, 11])
def test_the_number_of_repeats_is_checked(count: int) -> None:
    """Below 2 there is no interval."""
    with pytest.raises(InputError, match='2 to 10'):
        per_call(METER, repeats([0.2] * count), call_s=0.03)


@given(
    st.lists(st.floats(0.05, 0.5), min_size=2, max_size=10),
    st.floats(0.0, 1000.0),
    st.integers(1, 1000),
)
def test_base_load_never_changes_a_call(nets: list[float], base_w: float, calls: int) -> None:
    """Whatever runs beside the calls all the time comes off entirely."""
    found: CallEnergy = per_call(METER, repeats(nets, base_w or 1.0, calls), call_s=0.03)
    assert found.low_j is not None
    assert found.high_j is not None
    mean = 0.5 * (found.low_j + found.high_j)
    assert mean == pytest.approx(sum(nets) / len(nets), rel=1e-6, abs=1e-9)


def test_the_quantiles_are_students() -> None:
    """The table is what scipy says, where scipy is here."""
    stats = pytest.importorskip('scipy.stats')
    for count in range(2, 11):
        values = [0.2] * (count - 1) + [0.3]
        found = per_call(METER, repeats(values), call_s=0.03)
        assert found.low_j is not None
        mean = sum(values) / count
        error = math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1) / count)
        assert (mean - found.low_j) / error == pytest.approx(stats.t.ppf(0.975, count - 1), 1e-3)
