"""Battery: voltage x current of a topic that may be late, silent, charging or NaN."""

from __future__ import annotations

import math

import pytest
from selector.meters.battery import Battery
from selector.meters.energy import spent


def test_discharging_is_integrated() -> None:
    """24 V x 2 A for 10 s are 480 J; the current of a battery in use is negative."""
    meter = Battery()
    meter.put(0.0, 24.0, -2.0)
    first = meter.read(0.0)
    for second in range(1, 11):
        meter.put(float(second), 24.0, -2.0)
    found = spent(meter, first, meter.read(10.4))
    assert found.value == pytest.approx(480.0)
    assert 'whole robot' in found.source


def test_a_reading_is_as_old_as_its_last_value() -> None:
    """Between two messages nothing new is known, and no energy is made up for that time."""
    meter = Battery()
    meter.put(0.0, 24.0, -2.0)
    first = meter.read(0.9)
    assert first.stamp_s == 0.0
    assert 'no new value' in spent(meter, first, meter.read(0.95)).source


def test_drivers_of_the_other_sign() -> None:
    """Some publish the current in use as positive: it is said, not guessed."""
    meter = Battery(discharging=1)
    meter.put(0.0, 10.0, 1.0)
    first = meter.read(0.0)
    meter.put(1.0, 10.0, 1.0)
    assert spent(meter, first, meter.read(1.0)).value == pytest.approx(10.0)


@pytest.mark.parametrize(
    ('voltage', 'current', 'why'),
    [
        (24.0, 3.0, 'is charged'),
        (24.0, math.nan, 'nan'),
        (math.nan, -1.0, 'nan'),
        (0.0, -1.0, '0.0 V'),
        (-24.0, -1.0, '-24.0 V'),
        (24.0, -math.inf, 'inf'),
    ],
)
def test_what_says_nothing_about_consumption(voltage: float, current: float, why: str) -> None:
    """Charging, unmeasured or impossible values: unknown, with what the topic said."""
    meter = Battery()
    meter.put(0.0, 24.0, -2.0)
    first = meter.read(0.0)
    meter.put(1.0, voltage, current)
    found = spent(meter, first, meter.read(1.0))
    assert found.value is None
    assert why in found.source
    meter.put(2.0, 24.0, -2.0)
    back = meter.read(2.0)
    meter.put(3.0, 24.0, -2.0)
    assert spent(meter, back, meter.read(3.0)).value == pytest.approx(48.0)


def test_no_current_is_unknown() -> None:
    """A battery out of which nothing is taken while we run is not measured at all."""
    meter = Battery()
    meter.put(0.0, 24.0, 0.0)
    first = meter.read(0.0)
    meter.put(1.0, 24.0, 0.0)
    assert 'did not move' in spent(meter, first, meter.read(1.0)).source


def test_silence_is_a_fault() -> None:
    """Before the first value, after five periods without one, and over such a gap."""
    meter = Battery(period_s=0.5)
    assert 'no value came yet' in meter.read(0.0).fault
    meter.put(0.0, 24.0, -2.0)
    first = meter.read(0.0)
    assert 'no value came for 3 s' in meter.read(3.0).fault
    meter.put(3.0, 24.0, -2.0)
    assert 'no sample for 3 s' in spent(meter, first, meter.read(3.0)).source


def test_stamps_that_go_back_are_a_fault() -> None:
    """A bag played again: what was counted before has no time."""
    meter = Battery()
    meter.put(5.0, 24.0, -2.0)
    meter.put(4.0, 24.0, -2.0)
    assert 'went back' in meter.read(4.0).fault
