"""Config: the one table of parameters, from which ROS, YAML, command line and docs are made."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Literal

from pydantic import ValidationError
from selector.budget_config import BudgetConfig
from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.parameter import declared
from selector.parameter import Group
from selector.parameter import Parameter
from selector.parameter import rows


class MissionConfig(Group):
    """Naming of the mission."""

    name: str = declared(
        'mission', 'Name of the mission; part of the run folder and of every record.'
    )


class ModelsConfig(Group):
    """Which models play which tier."""

    folder: str = declared('', 'Folder with one sub-folder a model; empty: the installed models.')
    fast: str = declared('cifar10_fast', 'Name of the model that answers every frame.')
    slow: str = declared('cifar10_slow', 'Name of the model that is invoked when it pays.')
    correlation: str = declared(
        'correlation_cifar10.json',
        'Fitted correlation of the two models (selector fit), relative to the models folder; '
        'empty: none yet, everything is learned online.',
    )
    threads: int = declared(
        1, 'Threads of each model whose card does not say.', unit='threads', ge=1, le=64
    )
    trusted_code: str = declared(
        '',
        'Classes of your own that cards of runtime torch may name (module:Class, comma between '
        'them): their code runs in the node.',
    )
    slow_worker: Literal['thread', 'process'] = declared(
        'thread',
        'Where the slow model runs. In a process of its own nothing it does takes the node with '
        'it: a crash, a lack of memory or a hang ends the call, and it is started again.',
    )
    slow_hang_s: float = declared(
        10.0, 'A process of the slow model that takes longer is replaced.', 's', ge=0.1, le=600
    )
    slow_memory_bytes: int = declared(
        0, 'Most memory of that process; 0: no limit.', 'bytes', ge=0, le=2**40
    )


class DecisionConfig(Group):
    """The rule."""

    gain_rule: Literal['calibrated', 'learned', 'seed'] = declared(
        'calibrated',
        'How the gain is predicted: calibrated disagreement x khat, the same corrected online '
        'by what every call shows, or the second-order rule of the seed paper.',
    )
    learning_pairs: int = declared(
        500,
        'Without a fitted correlation: slow answers to learn from before any is acted upon.',
        'answers',
        ge=0,
        le=1_000_000,
    )
    optimism: float = declared(
        0.1,
        'Widths added to a learned disagreement, so that a tier is worth a look where little is '
        'known.',
        ge=0,
        le=10,
    )
    reuse_max_age_s: float = declared(
        0.0, 'Longest time that an answer is carried on; 0: never.', 's', ge=0, le=60
    )
    trust_tracks: bool = declared(
        False,
        'Track ids of a profile table are evidence; only where the robot has a tracker itself.',
    )
    stakes_file: str = declared(
        '', 'Table of stakes and overrides (YAML, see stakes.example.yaml); empty: none.'
    )
    deadline_s: float = declared(
        0.08,
        'An answer goes out this long after the image stamp at the latest.',
        's',
        ge=0.001,
        le=60,
    )
    max_skew_s: float = declared(
        0.5,
        'When stamp and node clock differ by more, the deadline counts from receipt.',
        's',
        ge=0,
        le=3600,
    )
    stake: float = declared(1.0, 'How much an error matters.', live=True, ge=0, le=1000)
    value_clip: float = declared(
        1.0, 'Largest value V one answer may have.', 'accuracy', ge=0.001, le=1000
    )
    shadow: bool = declared(False, 'Decide and record, but never invoke.', live=True)


class ImageConfig(Group):
    """How images are received."""

    queue_depth: int = declared(1, 'Images kept while one is processed.', 'images', ge=1, le=1000)
    reliability: Literal['reliable', 'best_effort'] = declared(
        'best_effort', 'Reliability of the image subscription; best_effort matches every camera.'
    )


class PublishConfig(Group):
    """When answers go out."""

    mode: Literal['final_only', 'provisional_then_final'] = declared(
        'final_only', 'Whether the fast answer is published at once while slow runs.'
    )


class ContextConfig(Group):
    """The declared context."""

    max_age_s: float = declared(
        5.0, 'A context or zone older than this counts as unknown.', 's', ge=0.001, le=86400
    )
    time_to_collision_max_age_s: float = declared(
        0.5, 'A time to collision older than this counts as unknown.', 's', ge=0.001, le=60
    )


class EnergyConfig(Group):
    """How the energy of calls is checked."""

    meter: Literal['auto', 'battery', 'none'] = declared(
        'auto',
        'What the sum of the calls is compared with every 60 s: a sensor of this machine, the '
        'topic battery_state, or nothing.',
    )
    base_load_w: float = declared(
        0.0,
        'Power of what the meter sees without slow calls (selector profile-model); 0: unknown.',
        'W',
        ge=0,
        le=100_000,
    )


class AuditConfig(Group):
    """The audit log."""

    folder: str = declared('runs', 'Folder that gets one run folder a mission.')
    key: str = declared(
        '',
        'Secret text that the audits are drawn with, never logged; empty: the mission id, so that '
        'anybody can tell which frames will be audited.',
    )
    segment_records: int = declared(
        100_000, 'Records in one file of the log.', 'records', ge=10, le=100_000_000
    )


class Config(Group):
    """Every parameter of the selector."""

    mission: MissionConfig = MissionConfig()
    models: ModelsConfig = ModelsConfig()
    decision: DecisionConfig = DecisionConfig()
    budget: BudgetConfig = BudgetConfig()
    image: ImageConfig = ImageConfig()
    publish: PublishConfig = PublishConfig()
    context: ContextConfig = ContextConfig()
    energy: EnergyConfig = EnergyConfig()
    audit: AuditConfig = AuditConfig()


def parameters() -> Iterator[Parameter]:
    """Yield every parameter in the order of declaration."""
    yield from rows(Config)


def public(config: Config) -> Config:
    """Return the configuration without what must not stand in a log: the audit key."""
    audit = config.audit.model_copy(update={'key': ''})
    return config.model_copy(update={'audit': audit})


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
