"""Stakes: the declared table of what an error matters where, and what overrides the price.

A condition on something unknown never matches: an unknown class, zone or context is in no list,
and an unknown time to collision is below no limit. A rule that leaves the condition out covers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
import math
from typing import NamedTuple

from selector.errors import ConfigError


class WhenEmpty(str, Enum):
    """What becomes of a forced call when the safety reserve is empty: never a silent skip."""

    OVERDRAW = 'overdraw'
    ADVISE_STOP = 'advise_stop'


@dataclass(frozen=True, slots=True)
class OverrideRule:
    """One row: it matches where every condition holds, and then all its effects apply.

    Attributes:
        name: unique name; stands in the record of every frame it matches.
        classes: it is about frames in whose fast answer one of these classes is, () = any.
        time_to_collision_below_s: matches below this time to collision [s], > 0, None = any.
        zones: zones it is about, () = any.
        contexts: contexts it is about, () = any.
        stake: the stake w becomes at least this, finite, >= 0, None = not raised.
        force_slow: the slow model is called whatever its price, if its answer can arrive in time.
        deny_cloud: nothing is sent off the robot.
        conservative: the more conservative answer is committed where the fast one and the carried
            or slow one differ.
        max_indecision_s: longest the two may differ without a new slow answer [s], finite, > 0,
            None = no limit.
    """

    name: str
    classes: tuple[str, ...] = ()
    time_to_collision_below_s: float | None = None
    zones: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    stake: float | None = None
    force_slow: bool = False
    deny_cloud: bool = False
    conservative: bool = False
    max_indecision_s: float | None = None


class Situation(NamedTuple):
    """What the table is asked about: one frame.

    Attributes:
        class_names: classes in the fast answer; '' is an unknown one.
        time_to_collision_s: time to collision [s], None when unknown; below 0 is the most urgent.
        zone: where the robot is, '' when unknown.
        context: declared context, '' when unknown or stale.
        stake: declared stake w, finite, >= 0 (checked where it comes in).
    """

    class_names: tuple[str, ...]
    time_to_collision_s: float | None
    zone: str
    context: str
    stake: float


@dataclass(frozen=True, slots=True)
class Effects:
    """What the matching rules do together; of several rules with one effect, the least name.

    Attributes:
        stake: the largest of the declared stake and those of the rules, >= 0.
        force_slow: name of the rule that forces a slow call, '' = none.
        deny_cloud: name of the rule that keeps data on the robot, '' = none.
        conservative: name of the rule that asks for the conservative answer, '' = none.
        max_indecision_s: the shortest of the rules [s], None = no limit.
        indecision_rule: name of the rule it comes from, '' = none.
        matched: names of all matching rules, sorted.
    """

    stake: float
    force_slow: str
    deny_cloud: str
    conservative: str
    max_indecision_s: float | None
    indecision_rule: str
    matched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StakesTable:
    """The declared table; the order of the rules means nothing.

    Attributes:
        rules: the rows.
        conservative_order: class names, the most conservative first.
        when_empty: what a forced call does when the safety reserve is empty.
    """

    rules: tuple[OverrideRule, ...] = ()
    conservative_order: tuple[str, ...] = ()
    when_empty: WhenEmpty = WhenEmpty.OVERDRAW


NO_STAKES = StakesTable()


def checked_table(table: StakesTable) -> StakesTable:
    """Return `table` when every rule of it can match and does something.

    Raises:
        ConfigError: names every empty or repeated name, every number out of range, every rule
            without an effect, and every rule that needs a conservative order where there is none.
    """
    names = Counter(rule.name for rule in table.rules)
    problems = [
        f'{n} rules are named {name!r}; names are unique' for name, n in names.items() if n > 1
    ]
    problems += [
        f'conservative_order: {name!r} stands there {n} times; keep one'
        for name, n in Counter(table.conservative_order).items()
        if n > 1
    ]
    if '' in table.conservative_order:
        problems.append("conservative_order: '' is no class; an unlisted class ranks last anyway")
    for rule in table.rules:
        told = [*_bad_numbers(rule), *_bad_lists(rule), *_bad_effects(rule, table)]
        problems += [f'rule {rule.name!r}: {problem}' for problem in told]
    if problems:
        raise ConfigError('; '.join(problems), problems=problems)
    return table


def _bad_numbers(rule: OverrideRule) -> Iterator[str]:
    if rule.stake is not None and not 0.0 <= rule.stake < math.inf:
        yield f'stake = {rule.stake}; a stake is finite and >= 0'
    for name in ('time_to_collision_below_s', 'max_indecision_s'):
        value = getattr(rule, name)
        if value is not None and not 0.0 < value < math.inf:
            yield f'{name} = {value}; it is finite and > 0 s, or left out'


def _bad_lists(rule: OverrideRule) -> Iterator[str]:
    if not rule.name:
        yield "name = ''; the record of a frame needs a name"
    for name in ('classes', 'zones', 'contexts'):
        # It would look like a condition on the unknown, which never matches.
        if '' in getattr(rule, name):
            yield f"{name}: '' stands for unknown, which no list matches; leave {name} out"


def _bad_effects(rule: OverrideRule, table: StakesTable) -> Iterator[str]:
    ordering = rule.conservative or rule.max_indecision_s is not None
    # A stake of 0 raises nothing: no declared stake is below it.
    if not (rule.stake or rule.force_slow or rule.deny_cloud or ordering):
        yield (
            'has no effect; give it a stake > 0, force_slow, deny_cloud, conservative or '
            'max_indecision_s, or drop it'
        )
    if ordering and not table.conservative_order:
        yield 'asks for the conservative answer, but conservative_order is empty; list the classes'


def effects(table: StakesTable, situation: Situation) -> Effects:
    """Return what the matching rules do together; pure, whatever the order of the rules."""
    matched = sorted((r for r in table.rules if _matches(r, situation)), key=lambda r: r.name)
    limits = [(r.max_indecision_s, r.name) for r in matched if r.max_indecision_s is not None]
    limit, indecision_rule = min(limits, default=(None, ''))
    return Effects(
        # The declared one stands last: it is passed over, not taken, should it be no number.
        stake=max(0.0, *(r.stake for r in matched if r.stake is not None), situation.stake),
        force_slow=next((r.name for r in matched if r.force_slow), ''),
        deny_cloud=next((r.name for r in matched if r.deny_cloud), ''),
        conservative=next((r.name for r in matched if r.conservative), ''),
        max_indecision_s=limit,
        indecision_rule=indecision_rule,
        matched=tuple(r.name for r in matched),
    )


def _matches(rule: OverrideRule, situation: Situation) -> bool:
    below_s, time_s = rule.time_to_collision_below_s, situation.time_to_collision_s
    return (
        (not rule.classes or any(_listed(name, rule.classes) for name in situation.class_names))
        and _listed(situation.zone, rule.zones)
        and _listed(situation.context, rule.contexts)
        and (below_s is None or (time_s is not None and time_s < below_s))
    )


def _listed(name: str, names: tuple[str, ...]) -> bool:
    """Return whether the condition holds; an unknown name ('') is in no list."""
    return not names or (name != '' and name in names)


def more_conservative(table: StakesTable, one: str, other: str) -> str:
    """Return the class that stands first in the conservative order.

    A class that is not listed ranks last; of two that rank the same, `one` is returned.
    """
    return other if _rank(table, other) < _rank(table, one) else one


def _rank(table: StakesTable, class_name: str) -> int:
    order = table.conservative_order
    return order.index(class_name) if class_name in order else len(order)
