"""Stakes: the declared table says what an error matters and which rule overrides the price."""

from __future__ import annotations

from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
import msgspec
import pytest
from selector.errors import ConfigError
from selector.stakes import checked_table
from selector.stakes import Effects
from selector.stakes import effects
from selector.stakes import more_conservative
from selector.stakes import NO_STAKES
from selector.stakes import OverrideRule
from selector.stakes import Situation
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty

CLASSES = ('pedestrian', 'pothole', 'background')
ZONES = ('crossing', 'clinic')
CONTEXTS = ('day', 'night')


def lists(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Return conditions on a name."""
    return st.lists(st.sampled_from(names), max_size=2).map(tuple)


positive = st.floats(0.01, 100.0) | st.sampled_from([0.5, 1.0, 2.0])
rules = st.builds(
    OverrideRule,
    name=st.text('abcdef', min_size=1, max_size=3),
    classes=lists(CLASSES),
    time_to_collision_below_s=st.none() | positive,
    zones=lists(ZONES),
    contexts=lists(CONTEXTS),
    stake=st.none() | st.floats(0.0, 100.0),
    force_slow=st.booleans(),
    deny_cloud=st.booleans(),
    conservative=st.booleans(),
    max_indecision_s=st.none() | positive,
).filter(
    lambda r: bool(r.stake or r.force_slow or r.deny_cloud or r.conservative or r.max_indecision_s)
)
rule_lists = st.lists(rules, max_size=6, unique_by=lambda r: r.name)
situations = st.builds(
    Situation,
    class_names=lists(('', *CLASSES)),
    time_to_collision_s=st.none() | st.floats(0.0, 10.0) | st.sampled_from([0.5, 1.0, math.inf]),
    zone=st.sampled_from(('', *ZONES)),
    context=st.sampled_from(('', *CONTEXTS)),
    stake=st.floats(0.0, 100.0),
)
UNKNOWN = Situation((), None, '', '', 1.0)


def table(*of: OverrideRule) -> StakesTable:
    """Return a checked table of rules."""
    return checked_table(StakesTable(of, CLASSES))


def refusal(bad: StakesTable) -> str:
    """Return the one line with which a table is refused."""
    with pytest.raises(ConfigError, match='.+') as caught:
        checked_table(bad)
    assert '\n' not in str(caught.value)
    problems = caught.value.values['problems']
    assert isinstance(problems, list)
    assert str(caught.value) == '; '.join(problems)
    return str(caught.value)


def naive(of: list[OverrideRule], at: Situation) -> Effects:
    """Return the effects by a second, plainer implementation."""
    hit = []
    for rule in of:
        inside = True
        if rule.classes and not set(rule.classes) & set(at.class_names) - {''}:
            inside = False
        for value, allowed in (
            (at.zone, rule.zones),
            (at.context, rule.contexts),
        ):
            if allowed and (not value or value not in allowed):
                inside = False
        limit_s, time_s = rule.time_to_collision_below_s, at.time_to_collision_s
        if limit_s is not None and (time_s is None or time_s >= limit_s):
            inside = False
        if inside:
            hit.append(rule)
    shortest = [r for r in hit if r.max_indecision_s is not None]
    shortest.sort(key=lambda r: (r.max_indecision_s, r.name))

    def first(effect: str) -> str:
        return min((r.name for r in hit if getattr(r, effect)), default='')

    return Effects(
        stake=max([at.stake] + [r.stake or 0.0 for r in hit]),
        force_slow=first('force_slow'),
        deny_cloud=first('deny_cloud'),
        conservative=first('conservative'),
        max_indecision_s=shortest[0].max_indecision_s if shortest else None,
        indecision_rule=shortest[0].name if shortest else '',
        matched=tuple(sorted(r.name for r in hit)),
    )


@given(rule_lists, situations)
def test_effects_are_those_of_a_plain_search(of: list[OverrideRule], at: Situation) -> None:
    """Effects agree with a second implementation for every table and situation."""
    assert effects(table(*of), at) == naive(of, at)


@given(rule_lists.flatmap(lambda of: st.tuples(st.just(of), st.permutations(of))), situations)
def test_the_order_of_the_rules_changes_nothing(
    orders: tuple[list[OverrideRule], list[OverrideRule]], at: Situation
) -> None:
    """Every permutation of the rules has the same effects."""
    one, other = orders
    assert effects(table(*one), at) == effects(table(*other), at)


@given(rule_lists, st.integers(0, 6), situations)
def test_a_further_rule_never_takes_an_effect_away(
    of: list[OverrideRule], kept: int, at: Situation
) -> None:
    """With more rules the stake is no smaller, the limit no longer and no override is lost."""
    fewer, more = effects(table(*of[:kept]), at), effects(table(*of), at)
    assert at.stake <= fewer.stake <= more.stake
    assert set(fewer.matched) <= set(more.matched)
    assert (more.max_indecision_s or math.inf) <= (fewer.max_indecision_s or math.inf)
    for name in ('force_slow', 'deny_cloud', 'conservative'):
        assert getattr(more, name) or not getattr(fewer, name)


@given(rule_lists)
def test_what_is_unknown_never_matches(of: list[OverrideRule]) -> None:
    """Where nothing is known exactly the rules without any condition match."""
    bare = [
        r.name
        for r in of
        if not (r.classes or r.zones or r.contexts) and r.time_to_collision_below_s is None
    ]
    assert effects(table(*of), UNKNOWN).matched == tuple(sorted(bare))


@pytest.mark.parametrize(
    ('condition', 'known', 'unknown'),
    [
        (
            {'classes': ('pothole',)},
            {'class_names': ('person', 'pothole')},
            {'class_names': ('',)},
        ),
        ({'zones': ('clinic',)}, {'zone': 'clinic'}, {'zone': ''}),
        ({'contexts': ('night',)}, {'context': 'night'}, {'context': ''}),
        (
            {'time_to_collision_below_s': 1e9},
            {'time_to_collision_s': 1.0},
            {'time_to_collision_s': None},
        ),
        (
            {'time_to_collision_below_s': 1e9},
            {'time_to_collision_s': -1.0},
            {'time_to_collision_s': math.nan},
        ),
    ],
)
def test_each_condition_needs_what_it_is_about(
    condition: dict[str, object], known: dict[str, object], unknown: dict[str, object]
) -> None:
    """A rule with one condition matches when it is known to hold, and not when it is unknown."""
    stakes = table(replace(OverrideRule('r', stake=9.0), **condition))  # type: ignore[arg-type]
    assert effects(stakes, UNKNOWN._replace(**known)).stake == 9.0  # type: ignore[arg-type]
    assert effects(stakes, UNKNOWN._replace(**unknown)).stake == 1.0  # type: ignore[arg-type]


def test_unknown_is_in_no_list_of_an_unchecked_table() -> None:
    """Even a list that names '' does not match an unknown class."""
    stakes = StakesTable((OverrideRule('r', classes=('',), stake=9.0),))
    assert effects(stakes, UNKNOWN).matched == ()


def test_the_time_limit_itself_is_not_below_it() -> None:
    """A time to collision equal to the limit does not match, the next double below does."""
    stakes = table(OverrideRule('r', time_to_collision_below_s=0.5, force_slow=True))
    at = Situation(('pothole',), 0.5, '', '', 1.0)
    assert effects(stakes, at).force_slow == ''
    before = at._replace(time_to_collision_s=math.nextafter(0.5, 0.0))
    assert effects(stakes, before).force_slow == 'r'


def test_of_two_rules_with_one_effect_the_smaller_name_is_told() -> None:
    """The smallest name stands for an effect; with equal limits too, else the shortest limit."""
    b = OverrideRule('b', max_indecision_s=1.0, force_slow=True, deny_cloud=True)
    a = replace(b, name='a', conservative=True)
    told = effects(table(b, a, replace(b, name='c', max_indecision_s=0.9)), UNKNOWN)
    assert (told.force_slow, told.deny_cloud, told.conservative) == ('a', 'a', 'a')
    assert (told.max_indecision_s, told.indecision_rule) == (0.9, 'c')
    assert effects(table(b, a), UNKNOWN).indecision_rule == 'a'


def test_an_empty_table_only_passes_the_declared_stake_on() -> None:
    """Without rules nothing is overridden and the stake is the declared one."""
    at = Situation(('pedestrian',), 0.1, 'crossing', 'night', 0.25)
    assert effects(NO_STAKES, at) == Effects(0.25, '', '', '', None, '', ())


def test_a_declared_stake_that_is_no_number_is_passed_over() -> None:
    """NaN from the stake topic does not get into the value: the rules' stake stands."""
    at = UNKNOWN._replace(stake=math.nan)
    assert effects(table(OverrideRule('r', stake=3.0)), at).stake == 3.0
    assert effects(NO_STAKES, at).stake == 0.0


RULE = OverrideRule('r', stake=2.0)


@pytest.mark.parametrize(
    ('bad', 'told'),
    [
        (replace(RULE, name=''), "name = ''"),
        (replace(RULE, stake=-0.1), 'stake = -0.1; a stake is finite and >= 0'),
        (replace(RULE, stake=math.inf), 'stake = inf'),
        (replace(RULE, stake=math.nan), 'stake = nan'),
        (replace(RULE, time_to_collision_below_s=0.0), 'time_to_collision_below_s = 0.0'),
        (replace(RULE, time_to_collision_below_s=-1.0), 'time_to_collision_below_s = -1.0'),
        (replace(RULE, time_to_collision_below_s=math.nan), 'time_to_collision_below_s = nan'),
        (replace(RULE, max_indecision_s=0.0), 'max_indecision_s = 0.0; it is finite and > 0 s'),
        (replace(RULE, max_indecision_s=math.inf), 'max_indecision_s = inf'),
        (replace(RULE, classes=('pothole', '')), 'classes'),
        (replace(RULE, zones=('',)), 'zones'),
        (replace(RULE, contexts=('',)), 'contexts'),
        (OverrideRule('r', classes=('pothole',)), 'has no effect'),
        (OverrideRule('r', stake=0.0), 'has no effect'),
    ],
)
def test_a_bad_rule_is_refused(bad: OverrideRule, told: str) -> None:
    """Each mistake alone is refused, with the rule's name, what was given and what is allowed."""
    text = refusal(StakesTable((bad,), CLASSES))
    assert told in text
    assert f"rule '{bad.name}'" in text


@pytest.mark.parametrize(
    'effect',
    [
        {'stake': 1e-9},
        {'force_slow': True},
        {'deny_cloud': True},
        {'conservative': True},
        {'max_indecision_s': 1e-3},
    ],
)
def test_each_effect_alone_is_enough(effect: dict[str, object]) -> None:
    """A rule with any one effect is allowed, and the same table comes back."""
    fine = StakesTable((OverrideRule('r', **effect),), CLASSES)  # type: ignore[arg-type]
    assert checked_table(fine) is fine


def test_names_are_unique() -> None:
    """Two rules of one name are refused once, with the name."""
    text = refusal(StakesTable((RULE, RULE, replace(RULE, name='s'))))
    assert text == "2 rules are named 'r'; names are unique"


@pytest.mark.parametrize('effect', ['conservative', 'max_indecision_s'])
def test_the_conservative_answer_needs_an_order(effect: str) -> None:
    """What commits the conservative answer is refused where no class is listed, else allowed."""
    rule = OverrideRule('r', **{effect: 1})  # type: ignore[arg-type]
    assert 'conservative_order is empty' in refusal(StakesTable((rule,)))
    checked_table(StakesTable((rule,), ('pedestrian',)))


@pytest.mark.parametrize(
    ('order', 'told'),
    [(('a', 'b', 'a'), "'a' stands there 2 times"), (('a', ''), "'' is no class")],
)
def test_a_bad_order_is_refused(order: tuple[str, ...], told: str) -> None:
    """A class twice, or one without a name, has no rank."""
    assert told in refusal(StakesTable((), order))


def test_all_mistakes_are_told_at_once() -> None:
    """One error names every mistake of every rule."""
    bad = StakesTable(
        (replace(RULE, stake=-1.0, max_indecision_s=-2.0), OverrideRule('q'), OverrideRule('q')),
        ('a', 'a'),
    )
    text = refusal(bad)
    for told in ('-1.0', '-2.0', "2 rules are named 'q'", 'no effect', 'stands there 2 times'):
        assert told in text


@given(st.permutations(['a', 'b', 'c', 'd']), st.lists(st.sampled_from('abcdxy'), min_size=1))
def test_the_first_in_the_order_is_the_most_conservative(
    order: list[str], names: list[str]
) -> None:
    """Taken two at a time, the answer is the listed class of least rank, else the first given."""
    stakes = StakesTable((), tuple(order))
    found = names[0]
    for name in names[1:]:
        found = more_conservative(stakes, found, name)
    listed = [name for name in order if name in names]
    assert found == (listed[0] if listed else names[0])


@given(rule_lists, st.sampled_from(WhenEmpty))
def test_a_table_comes_back_from_the_log(of: list[OverrideRule], when: WhenEmpty) -> None:
    """Encoded and decoded by msgspec, the table and its effects are the same."""
    written = StakesTable(tuple(of), CLASSES, when)
    read = msgspec.json.decode(msgspec.json.encode(written), type=StakesTable)
    assert read == written
    assert read.when_empty is when
    told = effects(written, UNKNOWN)
    assert msgspec.json.decode(msgspec.json.encode(told), type=Effects) == told
