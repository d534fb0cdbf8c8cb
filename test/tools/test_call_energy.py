"""Call energy: blocks with and without calls, on a scripted clock and on a real one."""

from __future__ import annotations

from pathlib import Path
import threading
import time

from fake_sysfs import rails
from fake_sysfs import write
import pytest
from selector.meters.energy import per_call
from selector.meters.energy import PowerIntegral
from selector.meters.energy import Reading
from selector.meters.figure import Kind
from selector.meters.hwmon import Ina3221
from selector.tools.call_energy import base_load
from selector.tools.call_energy import call_energy
from selector.tools.call_energy import Pace
from selector.tools.call_energy import paced
from selector.tools.call_energy import repeat
from selector.tools.call_energy import Sampler


class Robot:
    """10 W when idle; a call takes 0.1 s and 30 W more, and 5 W for 0.2 s after it has ended."""

    name = 'scripted'
    source = 'a scripted robot'
    parts: tuple[str, ...] = ('robot',)
    period_s = 0.001
    kind: Kind = 'measured'

    def __init__(self) -> None:
        """Start at 0 s with nothing used."""
        self.stamp_s, self.used_j, self._owed_j = 0.0, 0.0, 0.0

    def now(self) -> float:  # noqa: D102
        return self.stamp_s

    def sleep(self, seconds: float) -> None:
        """Let time pass; what a call left behind is used up in it."""
        self.stamp_s += seconds
        after = min(self._owed_j, 5.0 * seconds)
        self._owed_j -= after
        self.used_j += 10.0 * seconds + after

    def call(self) -> None:
        """Make a call."""
        self.stamp_s += 0.1
        self.used_j += 4.0
        self._owed_j = 1.0

    def read(self, stamp_s: float) -> Reading:
        """Return what was used."""
        return Reading(stamp_s, 0.0, (self.used_j,), '')


def test_a_call_costs_what_it_caused_to_its_real_end() -> None:
    """3 J a call in itself; what the last one left running for 0.2 s belongs to it too."""
    robot = Robot()
    pace = Pace(robot.now, robot.sleep)
    made = [repeat(lambda: robot.read(robot.now()), robot.call, 0.95, 0.2, pace) for _ in range(3)]
    assert [m[0].calls for m in made] == [10, 10, 10]
    assert [m[1] for m in made] == pytest.approx([0.1] * 3)
    found = per_call(robot, [m[0] for m in made], 0.1)
    assert found.per_call.value == pytest.approx(3.0 + 1.0 / 10)
    assert found.base.value == pytest.approx(10.0)


def test_a_slow_call_is_made_once_at_least() -> None:
    """A block shorter than a call has one."""
    robot = Robot()
    made, _ = repeat(
        lambda: robot.read(robot.now()), robot.call, 0.01, 0.0, Pace(robot.now, robot.sleep)
    )
    assert made.calls == 1


def test_calls_at_a_rate() -> None:
    """5 a second for 2 s are 10; where a call takes longer than its turn there are fewer."""
    robot = Robot()
    pace = Pace(robot.now, robot.sleep)
    assert paced(robot.call, 5.0, 1.99, pace) == 10
    assert robot.stamp_s == pytest.approx(2.0)
    assert paced(robot.call, 100.0, 0.95, pace) == 10


def test_a_meter_is_sampled_while_nobody_asks(tmp_path: Path) -> None:
    """A power that is high between two questions is in the integral: a thread has seen it."""
    chip = 'sys/class/hwmon/hwmon0'
    rails(tmp_path, chip, {1: ('VDD_IN', 5_000, 2_000)})
    write(tmp_path, {f'{chip}/update_interval': 20})
    meter = Ina3221(tmp_path)
    threads = threading.active_count()
    with Sampler(meter) as sampler:
        first = sampler.now()
        write(tmp_path, {f'{chip}/curr1_input': 20_000})
        time.sleep(0.3)
        write(tmp_path, {f'{chip}/curr1_input': 2_000})
        time.sleep(0.1)
        last = sampler.now()
    assert last.fault == ''
    # The two of the ends alone would have seen 10 W; 90 W x 0.3 s came on top.
    assert last.parts_j[0] > 10.0 * (last.stamp_s - first.stamp_s) + 10.0
    assert threading.active_count() == threads


class Switch:
    """Draws 5 W, and 50 W during a call; the power is known at every moment."""

    name = 'switch'
    source = 'a switch'
    parts: tuple[str, ...] = ('switch',)
    period_s = 0.002
    kind: Kind = 'measured'

    def __init__(self) -> None:
        """Start switched off."""
        self._integral, self._on = PowerIntegral(10.0), False

    def read(self, stamp_s: float) -> Reading:
        """Sample the power."""
        return self._integral.sample(stamp_s, 50.0 if self._on else 5.0)

    def call(self) -> None:
        """Draw more for a while."""
        self._on = True
        time.sleep(0.01)
        self._on = False


def test_the_whole_measurement_on_a_real_clock() -> None:
    """Calls cost more than nothing, and the base load is apart from them."""
    switch = Switch()
    found = call_energy(switch, switch.call, 5, 0.1)
    assert found.low_j is not None
    assert found.high_j is not None
    assert found.low_j + found.high_j > 0.0
    assert found.per_call.kind in {'measured', 'unknown'}
    assert found.base.value == pytest.approx(5.0)
    assert found.calls >= 5


def test_the_base_load_is_with_the_calls() -> None:
    """Idle and calls at their rate: more than idle, less than always on."""
    switch = Switch()
    found = base_load(switch, switch.call, 33.0, 0.5)
    assert found.value is not None
    assert 5.0 < found.value < 50.0
    assert (found.unit, '33 calls/s' in found.source) == ('W', True)


def test_a_meter_that_fails_leaves_the_reason(tmp_path: Path) -> None:
    """A rail that vanishes in the middle: unknown, and why."""
    chip = 'sys/class/hwmon/hwmon0'
    rails(tmp_path, chip, {1: ('VDD_IN', 5_000, 2_000)})
    write(tmp_path, {f'{chip}/update_interval': 1})
    meter = Ina3221(tmp_path)
    (tmp_path / chip / 'curr1_input').unlink()
    found = call_energy(meter, lambda: time.sleep(0.001), 2, 0.01)
    assert found.per_call.value is None
    assert 'cannot be read' in found.per_call.source
    assert base_load(meter, lambda: None, 100.0, 0.02).value is None
