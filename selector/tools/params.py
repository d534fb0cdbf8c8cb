"""Params: the parameter table as text, as a ROS parameter file and as a page of the docs."""

from __future__ import annotations

import json
import math

from selector.allowance import derived
from selector.allowance import render
from selector.config import Config
from selector.config import flat
from selector.config import parameters
from selector.mission_budget import checked_budget
from selector.parameter import Parameter


def allowed(parameter: Parameter) -> str:
    """Return what a parameter may be, with its unit; '' when anything."""
    if parameter.choices:
        return ' | '.join(parameter.choices)
    if parameter.low is None or parameter.high is None:
        return parameter.unit
    return f'{parameter.low:g} to {parameter.high:g} {parameter.unit}'.rstrip()


def as_text(config: Config) -> str:
    """Return every parameter with its value, its range and what it does."""
    lines = []
    values = flat(config)
    for parameter in parameters():
        value = values[parameter.name]
        changed = '' if value == parameter.default else ' (changed)'
        rule = f' [{allowed(parameter)}]' if allowed(parameter) else ''
        lines += [
            f'{parameter.name} = {value!r}{changed}',
            f'    {parameter.description}{rule}',
        ]
    return '\n'.join(lines)


def as_yaml(config: Config) -> str:
    """Return a ROS parameter file, one comment above each parameter."""
    values = flat(config)
    lines = [
        '# Every parameter of the selector. Made by `selector params --format yaml`.',
        '/**:',
        '  ros__parameters:',
    ]
    group: list[str] = []
    for parameter in parameters():
        *parents, leaf = parameter.name.split('.')
        for depth, name in enumerate(parents):
            if group[: depth + 1] != parents[: depth + 1]:
                lines.append(f'{"  " * (depth + 2)}{name}:')
        group = parents
        indent = '  ' * (len(parents) + 2)
        rule = f' [{allowed(parameter)}]' if allowed(parameter) else ''
        live = ' Live.' if parameter.live else ''
        lines.append(f'{indent}# {parameter.description}{rule}{live}')
        lines.append(f'{indent}{leaf}: {_yaml(values[parameter.name])}')
    return '\n'.join(lines) + '\n'


def as_markdown() -> str:
    """Return the page of the docs about the parameters."""
    lines = [
        '# Parameters',
        '',
        'Made by `selector params --format markdown` from the table in `selector/config.py`.',
        'Live ones may be changed while the node runs (`ros2 param set`, rqt); the others are',
        'fixed when the node is configured. A change is checked as a whole, refused with the',
        'reason, and written to the audit log.',
        '',
        '| parameter | default | allowed | live | what it does |',
        '|---|---|---|---|---|',
    ]
    for parameter in parameters():
        live = 'yes' if parameter.live else ''
        rule = allowed(parameter).replace('|', 'or')
        lines.append(
            f'| `{parameter.name}` | `{_yaml(parameter.default)}` | {rule} | {live} '
            f'| {parameter.description} |'
        )
    return '\n'.join(lines) + '\n'


def as_derived(config: Config) -> str:
    """Return what follows from the budget in the user's words, as a table.

    Raises:
        SelectorError: an allowance cannot be read or kept.
    """
    return render(derived(resource) for resource in checked_budget(config))


def as_derived_json(config: Config) -> list[dict[str, object]]:
    """Return the same as JSON values; what is infinite or not known is None.

    Raises:
        SelectorError: see `as_derived`.
    """
    rows = [derived(resource)._asdict() for resource in checked_budget(config)]
    return [{name: _finite(value) for name, value in row.items()} for row in rows]


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _yaml(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if not isinstance(value, str):
        return repr(value)
    quoted = value.replace("'", "''")
    return f"'{quoted}'" if value.isprintable() else json.dumps(value)
