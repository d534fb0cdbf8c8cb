"""Pairing: whether two cards can be fast and slow of one robot, and what would make them."""

from __future__ import annotations

from collections.abc import Iterator
import difflib

from selector.cards.card import Card
from selector.errors import ConfigError

_SHOWN = 8


def check_pair(fast: Card, slow: Card) -> None:
    """Refuse two models whose answers cannot be compared.

    Raises:
        ConfigError: names every difference; of labels with the label map that would help.
    """
    found = list(_differences(fast, slow))
    if found:
        raise ConfigError(
            f'{fast.name} and {slow.name} cannot be a pair: {"; ".join(found)}', problems=found
        )


def _differences(fast: Card, slow: Card) -> Iterator[str]:
    if fast.task != slow.task:
        yield f'{fast.name} is of task {fast.task}, {slow.name} of {slow.task}'
        return
    if fast.answer_labels != slow.answer_labels:
        yield _labels(fast, slow)
    for key in ('class_weights', 'scales'):
        one, other = getattr(fast, key), getattr(slow, key)
        if one != other:
            yield f'{key} are {one or "not given"} and {other or "not given"}; give both the same'


def _labels(fast: Card, slow: Card) -> str:
    one, other = fast.answer_labels, slow.answer_labels
    return (
        f'{fast.name} has {len(one)} labels and {slow.name} {len(other)}, or in another order; a '
        f'pair shares them. Give {slow.name} the label_map {{{proposal(slow.labels, one)}}}, '
        f'after checking it'
    )


def proposal(labels: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """Return a label map as YAML: which of `labels` could be called as one of `wanted`.

    Every wanted name is there, in its order, so that it has its place among the classes: with the
    label that is spelled like it, else with a question mark in its place, for a person to replace.
    """
    near = {name: _nearest(name, labels) for name in wanted}
    pairs = [f'{near[name] or _unknown(name)}: {name}' for name in wanted[:_SHOWN]]
    more = ['...'] if len(wanted) > _SHOWN else []
    rest = ["'*': null"] if set(labels) - set(near.values()) else []
    return ', '.join(pairs + more + rest)


def _unknown(name: str) -> str:
    return f"'?{name}'"


def _nearest(name: str, labels: tuple[str, ...]) -> str:
    plain = {label.lower().replace(' ', '_'): label for label in reversed(labels)}
    key = name.lower().replace(' ', '_')
    found = difflib.get_close_matches(key, plain, n=1, cutoff=0.75)
    return plain[found[0]] if found else ''
