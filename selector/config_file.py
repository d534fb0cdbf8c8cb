"""Config file: parameters from YAML files and from the command line."""

from __future__ import annotations

from collections.abc import Mapping
import contextlib
from pathlib import Path
from typing import Any

from selector.config import Config
from selector.config import flat
from selector.config import from_flat
from selector.config import parameters
from selector.errors import ConfigError
import yaml


def flattened(tree: Mapping[str, object], prefix: str = '') -> dict[str, object]:
    """Return a nested mapping as one by dotted name."""
    out: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            out.update(flattened(value, f'{prefix}{name}.'))
        else:
            out[f'{prefix}{name}'] = value
    return out


# What a node's parameter file may hold besides the table; means nothing without ROS.
_OF_THE_NODE = ('use_sim_time', 'autostart', 'qos_overrides')


def read_values(path: Path) -> dict[str, object]:
    """Return the values by dotted name of a YAML file, plain or in ROS parameter form.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or names several nodes.
    """
    try:
        tree = yaml.safe_load(path.read_text())
    except OSError as err:
        raise ConfigError(f'cannot read {path}: {err.strerror}', path=str(path)) from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise ConfigError(
            f'{path} is no YAML: {" ".join(str(err).split())}', path=str(path)
        ) from err
    tree = {} if tree is None else tree
    nodes = [v for v in tree.values() if _is_node(v)] if isinstance(tree, dict) else []
    if len(nodes) > 1:
        raise ConfigError(f'{path} has parameters of {len(nodes)} nodes; keep one', path=str(path))
    if nodes and len(tree) > 1:
        others = ', '.join(str(name) for name, value in tree.items() if not _is_node(value))
        raise ConfigError(f'{path} has {others} beside the parameters of a node', path=str(path))
    values = (nodes[0]['ros__parameters'] or {}) if nodes else tree
    if nodes and isinstance(values, dict):
        values = {k: v for k, v in values.items() if k not in _OF_THE_NODE}
    if not isinstance(values, dict):
        raise ConfigError(f'{path} holds no mapping of parameters', path=str(path))
    return {name: _number(name, value) for name, value in flattened(values).items()}


def _number(name: str, value: object) -> object:
    """Return `1e-3` as the number it is: YAML 1.1 reads it as text, ROS as a number."""
    if isinstance(value, str) and any(p.name == name and p.type is float for p in parameters()):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def _is_node(value: object) -> bool:
    return isinstance(value, dict) and 'ros__parameters' in value


def load(path: Path | None, settings: tuple[str, ...] = ()) -> Config:
    """Return the configuration of a file with `key=value` settings over it, checked as a whole.

    Raises:
        ConfigError: see `read_values` and `from_flat`; or a setting is not `key=value`.
    """
    values = read_values(path) if path else {}
    for setting in settings:
        name, equals, text = setting.partition('=')
        if not equals:
            raise ConfigError(f"'{setting}' is not key=value", given=setting)
        values[name.strip()] = text if known_text(name.strip()) else _value(setting, text)
    return from_flat(values)


def _value(setting: str, text: str) -> object:
    try:
        return _number(setting.partition('=')[0].strip(), yaml.safe_load(text))
    except (yaml.YAMLError, ValueError) as err:
        raise ConfigError(f'{setting!r}: the value is no YAML', given=setting) from err


def known_text(name: str) -> bool:
    """Return whether `name` is a text parameter, whose value is taken as it stands."""
    return any(p.name == name and p.type is str for p in parameters())


def ros_form(config: Config) -> str:
    """Return every parameter as a ROS parameter file, which starts the same node again."""
    tree: dict[str, Any] = {}
    for name, value in flat(config).items():
        *groups, leaf = name.split('.')
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    return yaml.safe_dump({'/**': {'ros__parameters': tree}}, sort_keys=False)
