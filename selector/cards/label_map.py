"""Label map: what a model's labels are called in answers, so that two models can share classes."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from selector.errors import did_you_mean

OTHERS = '*'
"""In a label map, every label that is not named."""

LabelMap = Mapping[str, str | None]
"""Name in the answers by the model's own, None: left out; empty: all names stay."""


def answer_labels(labels: tuple[str, ...], names: LabelMap) -> tuple[str, ...]:
    """Return the class names of the answers, in the order in which `names` brings them."""
    if not names:
        return labels
    return tuple(dict.fromkeys(name for name in names.values() if name is not None))


def answer_ids(labels: tuple[str, ...], names: LabelMap) -> tuple[int, ...]:
    """Return the class id in the answers of each label, -1 where it is left out.

    >>> answer_ids(('cat', 'car', 'van'), {'car': 'vehicle', 'van': 'vehicle', '*': None})
    (-1, 0, 0)
    """
    ids = {name: k for k, name in enumerate(answer_labels(labels, names))}
    if not names:
        return tuple(range(len(labels)))
    called = (names.get(label, names.get(OTHERS)) for label in labels)
    return tuple(-1 if name is None else ids[name] for name in called)


def faults(labels: tuple[str, ...], names: LabelMap) -> Iterator[str]:
    """Yield what is wrong with labels and their map."""
    if len(set(labels)) != len(labels):
        yield 'labels: they repeat'
    if not names:
        return
    for name in sorted(names.keys() - {*labels, OTHERS}):
        yield f'label_map: {name!r} is none of the labels{did_you_mean(name, labels)}'
    silent = [label for label in labels if label not in names]
    if silent and OTHERS not in names:
        yield (
            f'label_map: {len(silent)} labels are not in it, such as {silent[0]!r}; add them, or '
            f"'{OTHERS}': null to leave them out"
        )
