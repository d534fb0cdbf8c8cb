"""Config: the one table of parameters, from which ROS, YAML, command line and docs are made."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import get_args
from typing import get_origin
from typing import Literal
from typing import NamedTuple

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import ValidationError
from selector.errors import ConfigError
from selector.errors import did_you_mean


def _parameter(
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


class _Group(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, strict=False, allow_inf_nan=False)


class MissionConfig(_Group):
    """Naming of the mission."""

    name: str = _parameter(
        'mission', 'Name of the mission; part of the run folder and of every record.'
    )


class ModelsConfig(_Group):
    """Which models play which tier."""

    folder: str = _parameter(
        '', 'Folder with one sub-folder a model; empty: the installed models.'
    )
    fast: str = _parameter('cifar10_fast', 'Name of the model that answers every frame.')
    slow: str = _parameter('cifar10_slow', 'Name of the model that is invoked when it pays.')
    correlation: str = _parameter(
        'correlation_cifar10.json',
        'Fitted correlation of the two models (selector fit), relative to the models folder.',
    )
    threads: int = _parameter(1, 'Threads of each model.', unit='threads', ge=1, le=64)


class DecisionConfig(_Group):
    """The rule."""

    gain_rule: Literal['calibrated', 'learned', 'seed'] = _parameter(
        'calibrated',
        'How the gain is predicted: calibrated disagreement x khat, the same corrected online '
        'by what every call shows, or the second-order rule of the seed paper.',
    )
    deadline_s: float = _parameter(
        0.08,
        'An answer goes out this long after the image stamp at the latest.',
        's',
        ge=0.001,
        le=60,
    )
    max_skew_s: float = _parameter(
        0.5,
        'When stamp and node clock differ by more, the deadline counts from receipt.',
        's',
        ge=0,
        le=3600,
    )
    stake: float = _parameter(1.0, 'How much an error matters.', live=True, ge=0, le=1000)
    value_clip: float = _parameter(
        1.0, 'Largest value V one answer may have.', 'accuracy', ge=0.001, le=1000
    )
    shadow: bool = _parameter(False, 'Decide and record, but never invoke.', live=True)


class SlowCallsConfig(_Group):
    """Budget of slow calls."""

    rate_hz: float = _parameter(
        2.0,
        'Slow calls that accrue per second of image stamps.',
        'calls/s',
        live=True,
        ge=0,
        le=1000,
    )
    burst: float = _parameter(
        20.0,
        'Most calls any window may use beyond rate x its length.',
        'calls',
        live=True,
        ge=0,
        le=1_000_000,
    )
    price_ceiling: float = _parameter(
        1.0,
        'Scarcity price above which nothing is bought (kappa).',
        'accuracy/call',
        live=True,
        ge=0.000001,
        le=1_000_000,
    )
    exchange_rate: float = _parameter(
        0.05,
        'What a call is worth even with a full budget (beta).',
        'accuracy/call',
        live=True,
        ge=0,
        le=1_000_000,
    )


class BudgetConfig(_Group):
    """What may be spent."""

    slow_calls: SlowCallsConfig = SlowCallsConfig()
    gap_max_s: float = _parameter(
        1.0, 'Longest gap between stamps that accrues.', 's', ge=0.001, le=86400
    )


class ImageConfig(_Group):
    """How images are received."""

    queue_depth: int = _parameter(
        1, 'Images kept while one is processed.', 'images', ge=1, le=1000
    )
    reliability: Literal['reliable', 'best_effort'] = _parameter(
        'best_effort', 'Reliability of the image subscription; best_effort matches every camera.'
    )


class PublishConfig(_Group):
    """When answers go out."""

    mode: Literal['final_only', 'provisional_then_final'] = _parameter(
        'final_only', 'Whether the fast answer is published at once while slow runs.'
    )


class ContextConfig(_Group):
    """The declared context."""

    max_age_s: float = _parameter(
        5.0, 'A context older than this counts as unknown.', 's', ge=0.001, le=86400
    )


class AuditConfig(_Group):
    """The audit log."""

    folder: str = _parameter('runs', 'Folder that gets one run folder a mission.')
    segment_records: int = _parameter(
        100_000, 'Records in one file of the log.', 'records', ge=10, le=100_000_000
    )


class Config(_Group):
    """Every parameter of the selector."""

    mission: MissionConfig = MissionConfig()
    models: ModelsConfig = ModelsConfig()
    decision: DecisionConfig = DecisionConfig()
    budget: BudgetConfig = BudgetConfig()
    image: ImageConfig = ImageConfig()
    publish: PublishConfig = PublishConfig()
    context: ContextConfig = ContextConfig()
    audit: AuditConfig = AuditConfig()


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


def parameters(group: type[BaseModel] = Config, prefix: str = '') -> Iterator[Parameter]:
    """Yield every parameter in the order of declaration."""
    for name, field in group.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from parameters(kind, f'{prefix}{name}.')
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


def flat(config: Config) -> dict[str, bool | int | float | str]:
    """Return the values by dotted name, in the order of declaration."""
    out: dict[str, bool | int | float | str] = {}
    for parameter in parameters():
        value: Any = config
        for part in parameter.name.split('.'):
            value = getattr(value, part)
        out[parameter.name] = value
    return out


def from_flat(values: Mapping[str, object]) -> Config:
    """Return the configuration with `values` by dotted name over the defaults.

    Raises:
        ConfigError: names every unknown name (with the closest known one) and every bad value.
    """
    known = {p.name: p for p in parameters()}
    problems = [
        f"unknown parameter '{name}'{did_you_mean(name, known)}"
        for name in values
        if name not in known
    ]
    nested: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            continue
        if not _fits(value, known[name].type):
            problems.append(f'{name} = {value!r}: must be {known[name].type.__name__}')
            continue
        *groups, leaf = name.split('.')
        node = nested
        for part in groups:
            node = node.setdefault(part, {})
        node[leaf] = value
    try:
        config = Config.model_validate(nested)
    except ValidationError as err:
        problems += [_problem(error, known) for error in err.errors()]
    if problems:
        raise ConfigError('; '.join(problems), problems=problems)
    return config


def _fits(value: object, kind: type) -> bool:
    """Return whether `value` is of the kind; pydantic would make numbers of texts and bools."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _problem(error: Any, known: Mapping[str, Parameter]) -> str:
    name = '.'.join(str(part) for part in error['loc'])
    parameter = known[name]
    allowed = ''
    if parameter.low is not None:
        allowed = f' (allowed: {parameter.low:g} to {parameter.high:g} {parameter.unit})'.rstrip()
    return f'{name} = {error["input"]!r}: {error["msg"]}{allowed}'
