"""Parameters: declares the table of `selector.config` on a node and keeps a checked snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from collections.abc import Mapping

from rcl_interfaces.msg import FloatingPointRange
from rcl_interfaces.msg import IntegerRange
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from selector.config import Config
from selector.config import flat
from selector.config import from_flat
from selector.config import parameters
from selector.errors import ConfigError
from selector.errors import SelectorError
from selector.mission_budget import checked_budget
from selector.parameter import Parameter

AUTOSTART = 'autostart'
_AUTOSTART_TEXT = 'Configure and activate without being asked; false leaves it to a manager.'
# Declared by rclpy itself, or read by it without being declared.
_OF_ROS = ('use_sim_time', 'start_type_description_service')
_OF_ROS_PREFIX = 'qos_overrides.'


def plain(value: object) -> object:
    """Return a parameter's value in Python's own types: rclpy hands out arrays as `array`."""
    return list(value) if isinstance(value, array | tuple) else value


def candidate(values: Mapping[str, object]) -> Config:
    """Return the configuration with `values` over the defaults, checked as a whole.

    Raises:
        SelectorError: an unknown name, a bad value, or values that do not fit together.
    """
    config = from_flat(values)
    checked_budget(config)
    return config


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Return what `ros2 param describe` and rqt show about one row of the table.

    The type is dynamic so that a whole number may stand for a double, as people write it in YAML;
    rclpy then checks no range of it, our own check does.
    """
    unit = f' [{parameter.unit}]' if parameter.unit not in ('', '1') else ''
    described = ParameterDescriptor(
        description=parameter.description + unit,
        read_only=not parameter.live,
        dynamic_typing=True,
    )
    if parameter.choices:
        described.additional_constraints = f'one of: {", ".join(parameter.choices)}'
    if parameter.low is not None and parameter.high is not None:
        if parameter.type is int:
            span = IntegerRange(from_value=int(parameter.low), to_value=int(parameter.high))
            described.integer_range = [span]
        else:
            reach = FloatingPointRange(
                from_value=float(parameter.low), to_value=float(parameter.high)
            )
            described.floating_point_range = [reach]
    return described


def overrides(node: Node) -> dict[str, object]:
    """Return the values that the node was started with, without those meant for ROS itself.

    rclpy ignores an override that nobody declares, so a misspelled key would pass in silence; the
    private attribute is the only place where one can be seen.
    """
    given = node._parameter_overrides
    return {
        name: plain(parameter.value)
        for name, parameter in given.items()
        if name not in _OF_ROS and not name.startswith(_OF_ROS_PREFIX)
    }


class Parameters:
    """The node's parameters: `config` is an immutable snapshot, replaced as a whole.

    Attributes:
        config: the snapshot.
        autostart: whether the node activates itself.
    """

    def __init__(self, node: Node, changed: Callable[[Config, frozenset[str]], None]) -> None:
        """Declare every parameter and watch for changes.

        Args:
            node: the node.
            changed: called with the new snapshot and the names that were set.

        Raises:
            ConfigError: names every unknown name and every bad value the node was started with.
        """
        given = overrides(node)
        autostart = given.pop(AUTOSTART, True)
        if not isinstance(autostart, bool):
            raise ConfigError(f'{AUTOSTART} = {autostart!r}: must be true or false')
        self.autostart = autostart
        self.config = candidate(given)
        self._changed = changed
        self._table = {p.name: p for p in parameters()}
        told = ParameterDescriptor(description=_AUTOSTART_TEXT, read_only=True)
        node.declare_parameter(AUTOSTART, autostart, told, ignore_override=True)
        for name, value in flat(self.config).items():
            about = descriptor(self._table[name])
            node.declare_parameter(name, value, about, ignore_override=True)
        node.add_pre_set_parameters_callback(self._widened)
        node.add_on_set_parameters_callback(self._checked)
        node.add_post_set_parameters_callback(self._applied)

    def _widened(self, changes: list[RosParameter]) -> list[RosParameter]:
        """Make doubles of whole numbers, so that readers always find the declared type."""
        return [self._double(change) for change in changes]

    def _double(self, change: RosParameter) -> RosParameter:
        row = self._table.get(change.name)
        if row is None or row.type is not float or change.type_ != RosParameter.Type.INTEGER:
            return change
        return RosParameter(change.name, RosParameter.Type.DOUBLE, float(change.value))

    def _ours(self, changes: list[RosParameter]) -> dict[str, object]:
        return {c.name: plain(c.value) for c in changes if c.name in self._table}

    def _checked(self, changes: list[RosParameter]) -> SetParametersResult:
        try:
            changed = candidate({**flat(self.config), **self._ours(changes)})
            if list(changed.budget.parts()) != list(self.config.budget.parts()):
                raise ConfigError('what is budgeted is fixed; restart to add or drop an allowance')
        except SelectorError as err:
            return SetParametersResult(successful=False, reason=str(err))
        return SetParametersResult(successful=True)

    def _applied(self, changes: list[RosParameter]) -> None:
        ours = self._ours(changes)
        if ours:
            self.config = candidate({**flat(self.config), **ours})
            self._changed(self.config, frozenset(ours))
