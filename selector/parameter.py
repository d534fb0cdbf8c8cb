"""Parameter: one row of the table of parameters, and how a group of them is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import get_args
from typing import get_origin
from typing import Literal
from typing import NamedTuple

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field


class Group(BaseModel):
    """Parameters that share the first part of their names."""

    model_config = ConfigDict(extra='forbid', frozen=True, strict=False, allow_inf_nan=False)


class Parameter(NamedTuple):
    """One row of the table.

    Attributes:
        name: dotted name, e.g. `budget.slow_calls.rate_hz`.
        type: bool, int, float or str.
        default: its default.
        low, high: allowed range of a number, None without one.
        choices: allowed texts, empty when free.
        unit: SI unit, or '' for none.
        live: may change while the node runs.
        description: one sentence.
    """

    name: str
    type: type
    default: bool | int | float | str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    unit: str
    live: bool
    description: str


def declared(
    default: object,
    description: str,
    unit: str = '',
    *,
    live: bool = False,
    ge: float | None = None,
    le: float | None = None,
) -> Any:
    """Return a pydantic field; `live` parameters may change while the node runs."""
    extra: Any = {'unit': unit, 'live': live}
    return Field(default, description=description, ge=ge, le=le, json_schema_extra=extra)


def rows(group: type[BaseModel], prefix: str = '') -> Iterator[Parameter]:
    """Yield every parameter of a group in the order of declaration."""
    for name, field in group.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from rows(kind, f'{prefix}{name}.')
            continue
        limits = {type(m).__name__: m for m in field.metadata}
        extra: Any = field.json_schema_extra or {}
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        yield Parameter(
            name=prefix + name,
            type=str if choices else kind,
            default=field.default,
            low=limits['Ge'].ge if 'Ge' in limits else None,
            high=limits['Le'].le if 'Le' in limits else None,
            choices=choices,
            unit=extra.get('unit', ''),
            live=extra.get('live', False),
            description=field.description or '',
        )
