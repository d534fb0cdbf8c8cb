"""Known: the tasks a card may name, and the place where a new one is registered."""

from __future__ import annotations

from collections.abc import Callable

from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.task import Task
from selector.task import TaskSpec
from selector.tasks import classification
from selector.tasks import detection
from selector.tasks import regression

Make = Callable[[TaskSpec], Task]

_TASKS: dict[str, Make] = {
    'classification': classification.make,
    'detection': detection.make,
    'regression': regression.make,
}


def register(name: str, make: Make) -> None:
    """Let cards name a task of your own.

    Raises:
        ConfigError: the name is empty or taken.
    """
    if not name or name in _TASKS:
        raise ConfigError(f'task {name!r} cannot be registered: the name is empty or taken')
    _TASKS[name] = make


def names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return tuple(sorted(_TASKS))


def task_named(name: str, spec: TaskSpec) -> Task:
    """Return a task.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in _TASKS:
        raise ConfigError(
            f'task {name!r} is unknown; one of {", ".join(names())}{did_you_mean(name, names())}'
        )
    return _TASKS[name](spec)
