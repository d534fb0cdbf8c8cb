"""Stakes file: the table of stakes and overrides from YAML; all mistakes are named at once."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
from pathlib import Path
from typing import Any
from typing import NamedTuple

from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.stakes import checked_table
from selector.stakes import OverrideRule
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty
import yaml


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: PyYAML would drop the first, here a safety rule."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Before merge keys (<<) are filled in, with which a key may well stand twice.
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                told = f'key {key.value!r} stands twice; keep one'
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            seen.add(str(key.value))
        return node


class _Kind(NamedTuple):
    """What a key may hold.

    Attributes:
        wanted: what is allowed, in words.
        fits: returns whether a value is that.
        made: returns the value as the table has it.
        stand_in: an allowed value in place of a bad one, so that the rest is checked as well.
    """

    wanted: str
    fits: Callable[[Any], bool]
    made: Callable[[Any], Any]
    stand_in: Any


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(_number(value), float)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _number(value: object) -> object:
    """Return a number as float, `1e-3` too, which YAML 1.1 reads as text; all else unchanged."""
    if isinstance(value, int | float | str):
        with contextlib.suppress(ValueError, OverflowError):
            return float(value)
    return value


_TEXT = _Kind('a text (quote it)', _is_text, str, 'stand-in')
_TEXTS = _Kind('a list of texts (quote no, on and numbers)', _are_texts, tuple, ())
_FLAG = _Kind('true or false', _is_flag, bool, True)
_NUMBER = _Kind('a number', _is_number, _number, 1.0)
_KINDS = {
    'name': _TEXT,
    'classes': _TEXTS,
    'time_to_collision_below_s': _NUMBER,
    'zones': _TEXTS,
    'contexts': _TEXTS,
    'stake': _NUMBER,
    'force_slow': _FLAG,
    'deny_cloud': _FLAG,
    'conservative': _FLAG,
    'max_indecision_s': _NUMBER,
}
_TABLE_KEYS = ('stakes', 'conservative_order', 'when_empty')


def read_stakes(path: Path) -> StakesTable:
    """Return the table of stakes and overrides in a YAML file; an empty file is a table of none.

    Raises:
        ConfigError: the file cannot be read, or it names every unknown key (with the closest known
            one), every value of a wrong kind and everything `checked_table` refuses.
    """
    problems: list[str] = []
    table = _table(_tree(path), problems)
    try:
        checked_table(table)
    except ConfigError as err:
        found: Any = err.values['problems']
        problems += found
    if problems:
        raise ConfigError(f'{path}: {"; ".join(problems)}', path=str(path), problems=problems)
    return table


def _tree(path: Path) -> dict[Any, Any]:
    """Return the mapping in `path`, empty for an empty file."""
    try:
        tree = yaml.load(path.read_text(encoding='utf-8'), _Loader)
    except OSError as err:
        raise ConfigError(f'cannot read {path}: {err.strerror}', path=str(path)) from err
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as err:
        raise ConfigError(
            f'{path} is no YAML: {" ".join(str(err).split())}', path=str(path)
        ) from err
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f'{path} holds no mapping; it may have the keys {", ".join(_TABLE_KEYS)}',
            path=str(path),
        )
    return tree


def _table(tree: Mapping[Any, Any], problems: list[str]) -> StakesTable:
    """Return the table as far as it can be read; add to `problems` what cannot."""
    unknown = _unknown(tree, _TABLE_KEYS)
    problems += unknown
    rules = tree.get('stakes', [])
    if not isinstance(rules, list):
        problems.append(f'stakes = {rules!r}: must be a list of rules ([] for none)')
        rules = []
    read = [_rule(rule, f'stakes[{n}]', problems) for n, rule in enumerate(rules)]
    # An unknown key may have been meant for the order: that it is empty is no second mistake.
    order = tree.get('conservative_order', ['stand-in'] if unknown else [])
    if not _TEXTS.fits(order):
        problems.append(f'conservative_order = {order!r}: must be {_TEXTS.wanted}')
        order = ['stand-in']
    return StakesTable(tuple(read), tuple(order), _when_empty(tree, problems))


def _when_empty(tree: Mapping[Any, Any], problems: list[str]) -> WhenEmpty:
    given = tree.get('when_empty', WhenEmpty.OVERDRAW.value)
    allowed = [choice.value for choice in WhenEmpty]
    if given in allowed:
        return WhenEmpty(given)
    close = did_you_mean(str(given), allowed)
    problems.append(f'when_empty = {given!r}: must be {" or ".join(allowed)}{close}')
    return WhenEmpty.OVERDRAW


def _rule(tree: object, where: str, problems: list[str]) -> OverrideRule:
    """Return one rule, with a stand-in for every value that is added to `problems`."""
    if not isinstance(tree, dict):
        problems.append(f'{where} = {tree!r}: must be a rule with the keys {", ".join(_KINDS)}')
        return OverrideRule(where, stake=_NUMBER.stand_in)
    name = tree.get('name')
    told = f'rule {name!r}' if _is_text(name) else where
    unknown = _unknown(tree, _KINDS)
    problems += [f'{told}: {problem}' for problem in unknown]
    values = {key: _value(key, tree[key], told, problems) for key in _KINDS if key in tree}
    if 'name' not in tree:
        problems.append(f'{where}: name is missing; give each rule one of its own')
    if not _is_text(name):
        values['name'] = where
    if unknown:
        values['force_slow'] = True  # one may have been meant for its effect: no second mistake
    return OverrideRule(**values)


def _value(key: str, given: object, where: str, problems: list[str]) -> Any:
    kind = _KINDS[key]
    if kind.fits(given):
        return kind.made(given)
    problems.append(f'{where}: {key} = {given!r}: must be {kind.wanted}')
    return kind.stand_in


def _unknown(tree: Mapping[Any, Any], known: Mapping[str, Any] | tuple[str, ...]) -> list[str]:
    return [
        f'unknown key {key!r}{did_you_mean(str(key), known)}' for key in tree if key not in known
    ]
