"""The tasks a card may name."""

from __future__ import annotations

import pytest
from selector.errors import ConfigError
from selector.task import TaskSpec
from selector.tasks import known
from selector.tasks.regression import make


@pytest.mark.parametrize('name', known.names())
def test_every_task_is_made_by_name(name: str) -> None:
    """A task named in a card is made from the card's labels and scales."""
    spec = TaskSpec(('a', 'b'), scales=(1.0,))
    assert known.task_named(name, spec).name == name


def test_an_unknown_task_is_refused_with_the_nearest() -> None:
    """The message lists what there is."""
    with pytest.raises(ConfigError, match="did you mean 'detection'"):
        known.task_named('detecton', TaskSpec())


def test_a_task_of_your_own_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is known then; a name that is taken is refused."""
    monkeypatch.setattr(known, '_TASKS', dict(known._TASKS))
    known.register('odometry', make)
    assert 'odometry' in known.names()
    for name in ('odometry', 'detection', ''):
        with pytest.raises(ConfigError, match='empty or taken'):
            known.register(name, make)
