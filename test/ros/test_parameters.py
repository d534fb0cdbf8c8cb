"""The traps of ROS parameters, each met by a real node."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter
from selector.config import Config
from selector.config import flat
from selector.config import parameters
from selector.config_file import read_values
from selector.config_file import ros_form
from selector.errors import ConfigError
from selector.mission_budget import resources
from selector.ros.parameters import candidate
from selector.ros.parameters import Parameters

pytestmark = pytest.mark.ros

RATE = 'budget.slow_calls.rate_hz'
Changed = list[tuple[Config, frozenset[str]]]
Declare = Callable[..., tuple[Node, Parameters, Changed]]


@pytest.fixture
def declare(ros: Any, tmp_path: Path) -> Any:
    """Return what declares the parameters on a node started with a YAML text."""
    nodes = []

    def made(yaml: str = '', **overrides: Any) -> tuple[Node, Parameters, Changed]:
        args = []
        if yaml:
            path = tmp_path / 'params.yaml'
            path.write_text(yaml)
            args = ['--ros-args', '--params-file', str(path)]
        given = [Parameter(n.replace('__', '.'), value=v) for n, v in overrides.items()]
        node = Node('selector', context=ros, cli_args=args, parameter_overrides=given)
        nodes.append(node)
        changed: Changed = []
        settings = Parameters(node, lambda config, names: changed.append((config, names)))
        return node, settings, changed

    yield made
    for node in nodes:
        node.destroy_node()


def in_yaml(text: str) -> str:
    """Return `text` as the parameters of every node."""
    return f'/**:\n  ros__parameters:\n    {text}\n'


def refusal(node: Node, name: str, value: Any) -> str:
    """Return why a live change is refused, '' when it is accepted."""
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert result.successful is (result.reason == '')
    return str(result.reason)


def test_every_parameter_is_declared(declare: Declare) -> None:
    """Each row of the table is there with its default, its range, its unit and its sentence."""
    node, settings, _ = declare()
    assert settings.config == Config()
    for row in parameters():
        told: ParameterDescriptor = node.describe_parameter(row.name)
        assert node.get_parameter(row.name).value == row.default
        assert told.description.startswith(row.description)
        assert told.read_only is not row.live
        assert bool(told.integer_range or told.floating_point_range) == (row.low is not None)
    assert node.describe_parameter(RATE).description.endswith('[calls/s]')
    choices = node.describe_parameter('publish.mode').additional_constraints
    assert choices == 'one of: final_only, provisional_then_final'


def test_whole_number_for_a_double(declare: Declare) -> None:
    """Trap a: `rate_hz: 1` in YAML is taken as 1.0, and so is a live change to 3."""
    node, settings, _ = declare(in_yaml(f'{RATE}: 1'))
    assert settings.config.budget.slow_calls.rate_hz == 1.0
    assert refusal(node, RATE, 3) == ''
    assert settings.config.budget.slow_calls.rate_hz == 3.0
    assert node.get_parameter(RATE).type_ == Parameter.Type.DOUBLE


def test_integer_out_of_the_range_of_a_double(declare: Declare) -> None:
    """Trap b: a whole number outside the range is refused at the start and later."""
    with pytest.raises(ConfigError, match=r'rate_hz = 2000: .*allowed: 0 to 1000 calls/s'):
        declare(in_yaml(f'{RATE}: 2000'))
    node, settings, changed = declare()
    assert 'out of range' in refusal(node, RATE, 2000)
    assert settings.config == Config()
    assert changed == []


def test_misspelled_key(declare: Declare) -> None:
    """Trap c: a key that nobody declares is refused with the closest that is meant."""
    with pytest.raises(ConfigError, match=f"'budget.slow_calls.rate'; did you mean '{RATE}'"):
        declare(in_yaml('budget.slow_calls.rate: 1.0'))


def test_keys_of_ros_itself(declare: Declare) -> None:
    """What ROS declares or reads by itself is no misspelling."""
    _, settings, _ = declare(
        in_yaml('use_sim_time: true\n    start_type_description_service: false'),
        **{'qos_overrides./tf.subscription.depth': 1, 'autostart': False},
    )
    assert (settings.config, settings.autostart) == (Config(), False)


def test_array(declare: Declare) -> None:
    """Trap d: an array is shown as the list that was written, not as rclpy's array type."""
    with pytest.raises(ConfigError, match=r'rate_hz = \[1, 2\]: '):
        declare(in_yaml(f'{RATE}: [1, 2]'))


@pytest.mark.parametrize(
    ('name', 'value', 'why'),
    [
        (RATE, '2.0', 'must be float'),
        (RATE, True, 'must be float'),
        ('decision.shadow', 'true', 'must be bool'),
        ('decision.shadow', 1, 'must be bool'),
        ('models.threads', 1.5, 'models.threads = 1.5'),
        ('models.threads', 0, 'allowed: 1 to 64 threads'),
        ('publish.mode', 'sometimes', 'final_only'),
        ('mission.name', 7, 'mission.name = 7'),
        ('decision.stake', float('nan'), 'decision.stake'),
        ('autostart', 'yes', 'must be true or false'),
    ],
)
def test_bad_start_value(declare: Declare, name: str, value: Any, why: str) -> None:
    """A value of another type, range or choice is refused with a reason."""
    with pytest.raises(ConfigError, match=why):
        declare(**{name: value})


def test_all_mistakes_at_once(declare: Declare) -> None:
    """Every mistake is named, not only the first."""
    with pytest.raises(ConfigError) as caught:
        declare(**{RATE: -1.0, 'modles.fast': 'x', 'publish.mode': 'no'})
    text = str(caught.value)
    assert all(part in text for part in (RATE, "did you mean 'models.fast'", 'publish.mode'))


def test_live_change(declare: Declare) -> None:
    """A live parameter replaces the snapshot and is told once, with its name."""
    node, settings, changed = declare()
    before = settings.config
    assert refusal(node, 'decision.stake', 3.0) == ''
    assert before.decision.stake == 1.0
    assert changed == [(settings.config, frozenset({'decision.stake'}))]
    assert settings.config.decision.stake == 3.0


def test_read_only_after_the_start(declare: Declare) -> None:
    """What is fixed for a mission is refused by name."""
    node, settings, changed = declare()
    assert 'read-only parameter: decision.deadline_s' in refusal(node, 'decision.deadline_s', 1.0)
    assert (settings.config, changed) == (Config(), [])


@pytest.mark.parametrize(
    ('value', 'why'),
    [('2.0', 'must be float'), (True, 'must be float'), (-1.0, 'out of range'), (None, RATE)],
)
def test_bad_live_value(declare: Declare, value: Any, why: str) -> None:
    """A bad live value is refused with a reason and changes nothing, nor does removing one."""
    node, settings, changed = declare()
    assert why in refusal(node, RATE, value)
    assert (settings.config, changed) == (Config(), [])
    assert node.get_parameter(RATE).value == 2.0


def test_values_that_do_not_fit_together(declare: Declare) -> None:
    """A live change is checked with everything else: a burst below one call would buy nothing."""
    node, settings, _ = declare()
    assert 'does not cover one invocation' in refusal(node, 'budget.slow_calls.burst', 0.5)
    assert settings.config == Config()


def test_a_budget_in_words_is_live(declare: Declare) -> None:
    """A new allowance in words counts at once; one that cannot be read is refused with why."""
    node, settings, changed = declare(**{'budget.slow_calls.allowance': '60 calls/min'})
    assert refusal(node, 'budget.slow_calls.allowance', '30 calls/min') == ''
    assert resources(settings.config)[0].rate == 0.5
    assert 'states -1.0' in refusal(node, 'budget.slow_calls.allowance', '-1 calls/s')
    assert 'units of slow_calls' in refusal(node, 'budget.slow_calls.allowance', '3 W')
    assert len(changed) == 1


def test_what_is_budgeted_is_fixed(declare: Declare) -> None:
    """An allowance for another resource needs a restart, and a reserve must cover a call."""
    node, settings, _ = declare()
    assert 'restart to add or drop' in refusal(node, 'budget.energy.allowance', '1 W')
    assert 'audit reserve' in refusal(node, 'budget.slow_calls.burst', 5.0)
    assert settings.config == Config()
    with pytest.raises(ConfigError, match='audit reserve'):
        declare(**{'budget.slow_calls.burst': 5.0})


def test_atomic_change(declare: Declare) -> None:
    """Two values that only fit together are accepted together, and told once."""
    node, settings, changed = declare()
    off = [Parameter(RATE, value=0.0), Parameter('budget.slow_calls.burst', value=0.0)]
    assert node.set_parameters_atomically(off).successful
    assert settings.config.budget.slow_calls.burst == 0.0
    assert len(changed) == 1


def test_other_parameters_pass(declare: Declare) -> None:
    """A change of ROS's own parameter is none of our business."""
    node, _, changed = declare()
    assert refusal(node, 'use_sim_time', True) == ''
    assert changed == []


def test_run_file_starts_the_same_node(declare: Declare, tmp_path: Path) -> None:
    """The parameters written into a run folder are a parameter file with the same values."""
    wanted = candidate({RATE: 1.5, 'mission.name': 'night: 1', 'decision.shadow': True})
    path = tmp_path / 'config.yaml'
    path.write_text(ros_form(wanted))
    assert candidate(read_values(path)) == wanted
    _, settings, _ = declare(path.read_text())
    assert flat(settings.config) == flat(wanted)
