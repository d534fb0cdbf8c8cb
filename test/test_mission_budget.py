"""Mission budget: parameters become the budgeted resources, or a refusal with the numbers."""

from pathlib import Path

import pair
import pytest
from selector.errors import ConfigError


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder of the test's own."""
    return pair.models_folder(tmp_path / 'models')


def test_a_spending_plan_reaches_the_budget(models: Path) -> None:
    """The plan and the start share of the parameters are those of the settings."""
    values = {'budget.plan': '0:1 60:0.5', 'budget.start_share': 0.4}
    made = pair.made_plan(models, values)
    assert made.settings.start_share == 0.4
    assert [r.plan for r in made.settings.resources] == [((0.0, 1.0), (60.0, 0.5))]


def test_a_plan_that_breaks_a_total_is_refused(models: Path) -> None:
    """A total per mission binds whatever the plan: more accrual than it leaves is refused."""
    values = {'budget.slow_calls.allowance': '500 calls/mission', 'budget.mission_s': 1000.0}
    with pytest.raises(ConfigError, match='average 1 at most') as caught:
        pair.made_plan(models, values | {'budget.plan': '0:1 500:1.2'})
    assert caught.value.values['accrues'] > caught.value.values['allowed']
    kept = pair.made_plan(models, values | {'budget.plan': '0:1.2 500:0.8'})
    (resource,) = kept.settings.resources
    assert resource.allowed(0.0, 1000.0) + resource.burst <= 500.0 * (1.0 + 1e-12)
