"""Energy watch: a real battery topic beside the figures of slow calls."""

from __future__ import annotations

import os
import time

import pytest
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from selector.cards.card import FigureCard
from selector.config import EnergyConfig
from selector.outcome import OutcomeKind
from selector.ros.conversions import stamp_to_ros
from selector.ros.energy_watch import EnergyWatch
from selector.ros.tally import Tally
from sensor_msgs.msg import BatteryState

CALL = FigureCard(value=2.0, kind='profiled', source='of this test')
BASE_W = 10.0
WAIT_S = 10.0


class Robot:
    """A node with a watch, and a battery that another node publishes."""

    def __init__(self, context: Context) -> None:
        """Make both nodes; nothing is published yet."""
        self.node = Node('selector', context=context)
        self._other = Node('battery', context=context)
        config = EnergyConfig(meter='battery', base_load_w=BASE_W)
        self.watch = EnergyWatch(self.node, config, CALL)
        self._battery = self._other.create_publisher(BatteryState, 'battery_state', 10)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        end_s = time.monotonic() + WAIT_S
        while not self._battery.get_subscription_count() and time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.05)
        assert self._battery.get_subscription_count()

    def minute(self, tally: Tally, watts: float, first_s: int = 0, calls: int = 60) -> None:
        """Publish a value a second at 10 V, and let a call end with each."""
        for second in range(first_s, first_s + 62):
            msg = BatteryState(voltage=10.0, current=-watts / 10.0)
            msg.header.stamp = stamp_to_ros(second * 1_000_000_000)
            self._battery.publish(msg)
            self._executor.spin_once(timeout_sec=WAIT_S)
            if second - first_s < calls:
                tally.outcomes[OutcomeKind.ANSWERED.value] += 1
            self.watch.update(tally, float(second))


@pytest.fixture
def robot(ros: Context) -> Robot:
    """A robot in a domain of its own."""
    return Robot(ros)


def test_a_minute_is_compared_with_the_battery(robot: Robot) -> None:
    """Calls of 2 J a second beside 12 W over a base load of 10 W: the factor is 1, no warning."""
    tally = Tally()
    robot.minute(tally, BASE_W + 2.0)
    values = robot.watch.values()
    assert values['factor'] == pytest.approx(1.0, abs=0.06)
    assert values['summed_j'] == pytest.approx(120.0, abs=5.0)
    assert (values['per_call_j'], values['per_call_kind']) == (2.0, 'profiled')
    assert robot.watch.warning == ''


def test_figures_that_are_far_off_are_a_warning(robot: Robot) -> None:
    """The battery gives twice what the figures say: the factor is 2, and it is said."""
    tally = Tally()
    robot.minute(tally, BASE_W + 4.0)
    assert robot.watch.values()['factor'] == pytest.approx(2.0, abs=0.1)
    assert 'more than their figures say' in robot.watch.warning


def test_it_lets_go_of_the_battery(robot: Robot) -> None:
    """After `close` nobody hears the topic, so that a node configured again hears it once."""
    before = robot.node.count_subscribers('battery_state')
    robot.watch.close()
    assert (before, robot.node.count_subscribers('battery_state')) == (1, 0)


def test_without_calls_there_is_no_factor(robot: Robot) -> None:
    """Nothing is divided by nothing: the reason stands there instead, and never 0."""
    robot.minute(Tally(), BASE_W, calls=0)
    assert 'no call ended' in str(robot.watch.values()['factor'])


@pytest.mark.parametrize('meter', ['none', 'auto'])
def test_without_a_meter_it_says_why(ros: Context, meter: str) -> None:
    """No sensor is no 0 J: the figure of the card stands beside why there is no meter."""
    config = EnergyConfig(meter=meter)  # type: ignore[arg-type]
    watch = EnergyWatch(Node('selector', context=ros), config, CALL)
    watch.update(Tally(), 0.0)
    told = str(watch.values()['meter'])
    assert told.startswith('none: ') or os.path.isdir('/sys/class/powercap')
    assert 'factor' not in watch.values()
