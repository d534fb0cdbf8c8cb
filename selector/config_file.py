"""Config file: parameters from YAML files and from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from selector.config import Config
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
    if not isinstance(tree, dict):
        raise ConfigError(f'{path} holds no mapping of parameters', path=str(path))
    nodes = [v for v in tree.values() if isinstance(v, dict) and 'ros__parameters' in v]
    if len(nodes) > 1:
        raise ConfigError(f'{path} has parameters of {len(nodes)} nodes; keep one', path=str(path))
    return flattened(nodes[0]['ros__parameters'] or {} if nodes else tree)


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
        values[name.strip()] = text if known_text(name.strip()) else yaml.safe_load(text)
    return from_flat(values)


def known_text(name: str) -> bool:
    """Return whether `name` is a text parameter, whose value is taken as it stands."""
    return any(p.name == name and p.type is str for p in parameters())
