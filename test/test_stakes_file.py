"""Stakes file: YAML gives the declared table, or one error that names every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest
from selector.errors import ConfigError
from selector.stakes import checked_table
from selector.stakes import effects
from selector.stakes import more_conservative
from selector.stakes import NO_STAKES
from selector.stakes import OverrideRule
from selector.stakes import Situation
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty
from selector.stakes_file import read_stakes
import yaml

EXAMPLE = Path(__file__).resolve().parents[1] / 'config' / 'stakes.example.yaml'
RULE: dict[Any, Any] = {'name': 'r', 'stake': 2}


def written(folder: Path, text: str) -> Path:
    """Write a stakes file; return its path."""
    path = folder / 'stakes.yaml'
    path.write_text(text, encoding='utf-8')
    return path


def refusal(folder: Path, tree: Any) -> list[str]:
    """Return the problems with which a tree is refused, in one line that names the file."""
    path = written(folder, tree if isinstance(tree, str) else yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match='.+') as caught:
        read_stakes(path)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)
    problems = caught.value.values.get('problems', [str(caught.value)])
    assert isinstance(problems, list)
    assert all(problem in str(caught.value) for problem in problems)
    return problems


def test_every_key_gets_into_the_table(tmp_path: Path) -> None:
    """Each key of a rule and of the file stands in the table as written."""
    text = """
when_empty: advise_stop
conservative_order: [pedestrian, background]
stakes:
  - name: all
    classes: [pedestrian, cyclist]
    time_to_collision_below_s: 2
    zones: [crossing]
    contexts: [night]
    stake: 1e1
    force_slow: true
    deny_cloud: true
    conservative: true
    max_indecision_s: 0.5
  - {name: least, deny_cloud: true}
"""
    every = OverrideRule(
        name='all',
        classes=('pedestrian', 'cyclist'),
        time_to_collision_below_s=2.0,
        zones=('crossing',),
        contexts=('night',),
        stake=10.0,
        force_slow=True,
        deny_cloud=True,
        conservative=True,
        max_indecision_s=0.5,
    )
    least = OverrideRule('least', deny_cloud=True)
    wanted = StakesTable((every, least), ('pedestrian', 'background'), WhenEmpty.ADVISE_STOP)
    assert read_stakes(written(tmp_path, text)) == wanted


@pytest.mark.parametrize('text', ['', '# nothing\n', '{}', 'stakes: []'])
def test_an_empty_file_is_a_table_of_none(tmp_path: Path, text: str) -> None:
    """A file without rules overrides nothing, and a forced call would overdraw."""
    assert read_stakes(written(tmp_path, text)) == NO_STAKES
    assert NO_STAKES.when_empty is WhenEmpty.OVERDRAW


@pytest.mark.parametrize(
    ('tree', 'told'),
    [
        ({'stake': [RULE]}, "unknown key 'stake'; did you mean 'stakes'?"),
        ({'when_emty': 'overdraw'}, "unknown key 'when_emty'; did you mean 'when_empty'?"),
        ({'when_empty': 'overdrow'}, "did you mean 'overdraw'?"),
        ({'when_empty': True}, 'when_empty = True: must be overdraw or advise_stop'),
        ({'when_empty': ['overdraw']}, 'must be overdraw or advise_stop'),
        ({'stakes': None}, 'stakes = None: must be a list of rules'),
        ({'stakes': RULE}, 'must be a list of rules'),
        ({'stakes': ['r']}, "stakes[0] = 'r': must be a rule with the keys name, classes"),
        ({'stakes': [RULE, None]}, 'stakes[1] = None: must be a rule'),
        ({'stakes': [{'stake': 1}]}, 'stakes[0]: name is missing'),
        ({'stakes': [{**RULE, 'name': 7}]}, 'stakes[0]: name = 7: must be a text'),
        ({'stakes': [{**RULE, 'clases': ['x']}]}, "rule 'r': unknown key 'clases'; did you mean"),
        ({'stakes': [{**RULE, 'time_to_collision_s': 1}]}, "'time_to_collision_below_s'?"),
        ({'stakes': [{**RULE, 'max_indecision': 1}]}, "did you mean 'max_indecision_s'?"),
        ({'stakes': [{'name': 'r', 'force': True}]}, "did you mean 'force_slow'?"),
        ({'stakes': [{**RULE, 5: 1}]}, "rule 'r': unknown key 5"),
        ({'stakes': [{**RULE, 'classes': 'x'}]}, "rule 'r': classes = 'x': must be a list"),
        ({'stakes': [{**RULE, 'classes': [3]}]}, 'classes = [3]: must be a list of texts'),
        ({'stakes': [{**RULE, 'zones': None}]}, 'zones = None: must be a list'),
        ({'stakes': [{**RULE, 'contexts': {}}]}, 'contexts = {}: must be a list'),
        ({'stakes': [{**RULE, 'stake': 'high'}]}, "stake = 'high': must be a number"),
        ({'stakes': [{**RULE, 'stake': True}]}, 'stake = True: must be a number'),
        ({'stakes': [{**RULE, 'stake': 10**400}]}, 'must be a number'),
        ({'stakes': [{**RULE, 'stake': None}]}, 'stake = None: must be a number'),
        ({'stakes': [{**RULE, 'force_slow': 'yes'}]}, "force_slow = 'yes': must be true or false"),
        ({'stakes': [{**RULE, 'deny_cloud': 1}]}, 'deny_cloud = 1: must be true or false'),
        (
            {'stakes': [{**RULE, 'conservative': 'x'}], 'conservative_order': ['a']},
            'true or false',
        ),
        ({'stakes': [{'name': 'r', 'force_slow': 'x'}]}, "force_slow = 'x'"),
        (
            {'stakes': [{'name': 'r', 'conservative': True}], 'conservative_order': 'a'},
            "conservative_order = 'a': must be a list",
        ),
        ({'conservative_order': 'pedestrian'}, "conservative_order = 'pedestrian': must be"),
        ({'conservative_order': [1]}, 'conservative_order = [1]: must be a list of texts'),
        ({'stakes': [{**RULE, 'stake': -2}]}, "rule 'r': stake = -2.0; a stake is finite"),
        ({'stakes': [{**RULE, 'stake': float('nan')}]}, 'stake = nan'),
        ({'stakes': [{'name': 'r'}]}, "rule 'r': has no effect"),
        ({'stakes': [RULE, RULE]}, "2 rules are named 'r'"),
        ({'stakes': [{'name': 'r', 'conservative': True}]}, 'conservative_order is empty'),
    ],
)
def test_each_mistake_is_told_alone(tmp_path: Path, tree: Any, told: str) -> None:
    """A file with one mistake is refused for that one: a bad value makes no second problem."""
    problems = refusal(tmp_path, tree)
    assert len(problems) == 1, problems
    assert told in problems[0]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Unknown keys, wrong kinds and values out of range of all rules are in the one error."""
    tree = {
        'when_empty': 'never',
        'conservative_ordr': ['a'],
        'stakes': [
            {'name': 'p', 'stake': 'x', 'max_indecision_s': -1},
            {'name': 'p', 'zone': ['z'], 'deny_cloud': True},
            {'conservative': True},
            3,
        ],
    }
    problems = refusal(tmp_path, tree)
    wanted = [
        "unknown key 'conservative_ordr'",
        "rule 'p': stake = 'x'",
        "rule 'p': unknown key 'zone'; did you mean 'zones'?",
        'stakes[2]: name is missing',
        'stakes[3] = 3',
        "when_empty = 'never'",
        "2 rules are named 'p'",
        "rule 'p': max_indecision_s = -1.0",
    ]
    assert len(problems) == len(wanted)
    for problem, start in zip(problems, wanted, strict=True):
        assert problem.startswith(start)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """A second list of stakes, or a second stake, does not silently replace the first."""
    for text in (
        'stakes: [{name: r, stake: 2}]\nstakes: []',
        'stakes:\n- {name: r, stake: 2, stake: 1}',
    ):
        assert 'stands twice; keep one' in refusal(tmp_path, text)[0]


def test_rules_may_share_keys_by_merging(tmp_path: Path) -> None:
    """A key taken over by a merge and written again does not stand twice."""
    text = (
        'stakes:\n- &a {name: a, stake: 2}\n- &b {<<: *a, name: b}\n- {<<: *b, name: c, stake: 3}'
    )
    read = read_stakes(written(tmp_path, text)).rules
    assert [(rule.name, rule.stake) for rule in read] == [('a', 2.0), ('b', 2.0), ('c', 3.0)]


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('stakes: [1', 'is no YAML'),
        ('- 1\n- 2', 'holds no mapping'),
        ('just words', 'holds no mapping'),
        ('? [a]\n: 1', 'is no YAML'),
        ('a: 2001-99-99', 'is no YAML'),
        ('[' * 5000, 'is no YAML'),
        ('\x00', 'is no YAML'),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """No YAML and no mapping are refused in one line."""
    assert told in refusal(tmp_path, text)[0]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder and a file of no text each give one error with the path."""
    (tmp_path / 'latin').write_bytes(b'stakes: \xff\xfe')
    for path in (tmp_path / 'none.yaml', tmp_path, tmp_path / 'latin'):
        with pytest.raises(ConfigError, match=path.name):
            read_stakes(path)


text = st.text('a1é:#\'"- \n', max_size=4)
leaf = st.none() | st.booleans() | st.integers() | st.floats() | text
keys = st.sampled_from(
    ['name', 'classes', 'stake', 'force_slow', 'max_indecision_s', 'zones', 'time', '']
)
values = leaf | st.lists(leaf, max_size=2)
trees = st.fixed_dictionaries(
    {},
    optional={
        'stakes': values | st.lists(values | st.dictionaries(keys, values), max_size=3),
        'conservative_order': values | st.lists(text, max_size=2),
        'when_empty': values | st.just('overdraw'),
        'other': leaf,
    },
)


@settings(deadline=None)  # it writes and reads a file
@given(tree=trees)
def test_any_tree_is_a_checked_table_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, tree: Any
) -> None:
    """Whatever stands in the file, a table that passes the check comes back or a ConfigError."""
    path = written(tmp_path_factory.getbasetemp(), yaml.safe_dump(tree))
    try:
        table = read_stakes(path)
    except ConfigError as err:
        assert err.values['problems']
        return
    assert checked_table(table) is table


def test_the_example_tells_a_pedestrian_from_a_pothole() -> None:
    """The shipped table is accepted and does what its comments say."""
    table = read_stakes(EXAMPLE)
    assert table.when_empty is WhenEmpty.OVERDRAW
    assert more_conservative(table, 'background', 'pedestrian') == 'pedestrian'
    pedestrian = effects(table, Situation(('pedestrian',), 0.4, '', 'day', 1.0))
    assert (pedestrian.force_slow, pedestrian.conservative) == ('pedestrian-close',) * 2
    assert pedestrian.stake == 10.0
    unmeasured = effects(table, Situation(('pedestrian',), None, '', 'day', 1.0))
    assert (unmeasured.stake, unmeasured.force_slow) == (10.0, '')
    pothole = effects(table, Situation(('pothole',), 0.4, '', 'night', 1.0))
    assert (pothole.stake, pothole.force_slow, pothole.conservative) == (3.0, '', '')
    crossing = effects(table, Situation(('background',), None, 'crossing', 'night', 1.0))
    assert (crossing.stake, crossing.max_indecision_s) == (5.0, 0.6)
    assert effects(table, Situation((), None, 'clinic', '', 1.0)).deny_cloud == 'clinic-privacy'
    assert effects(table, Situation(('vehicle',), 9.0, '', 'day', 0.5)).matched == ()
