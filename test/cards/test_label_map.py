"""Label map: two models with other labels can answer with the same classes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from selector.cards.label_map import answer_ids
from selector.cards.label_map import answer_labels
from selector.cards.label_map import faults

LABELS = ('cat', 'car', 'van', 'dog')
NAMES = st.sampled_from(['animal', 'vehicle', 'other', None])


def test_without_a_map_all_names_stay() -> None:
    """The ids are the places of the labels."""
    assert answer_labels(LABELS, {}) == LABELS
    assert answer_ids(LABELS, {}) == (0, 1, 2, 3)
    assert list(faults(LABELS, {})) == []


@given(st.dictionaries(st.sampled_from([*LABELS, '*']), NAMES, min_size=1))
def test_each_label_goes_where_the_map_says(names: dict[str, str | None]) -> None:
    """By its own line or that of the others; without either the map is refused."""
    known, ids = answer_labels(LABELS, names), answer_ids(LABELS, names)
    for label, place in zip(LABELS, ids, strict=True):
        called = names.get(label, names.get('*'))
        assert called == (None if place < 0 else known[place])
    assert bool(list(faults(LABELS, names))) == ('*' not in names and set(names) != set(LABELS))


def test_the_order_of_the_classes_is_that_of_the_map() -> None:
    """So that it can be made that of the other model of the pair."""
    names = {'van': 'vehicle', 'cat': 'animal', 'car': 'vehicle', '*': None}
    assert answer_labels(LABELS, names) == ('vehicle', 'animal')
    assert answer_ids(LABELS, names) == (1, 0, 0, -1)


def test_mistakes_are_told() -> None:
    """Labels that repeat, a name that is no label, and how many were forgotten."""
    found = list(faults((*LABELS, 'cat'), {'cta': 'x', 'cat': 'y'}))
    assert found[0] == 'labels: they repeat'
    assert "'cta' is none of the labels; did you mean 'cat'?" in found[1]
    assert "3 labels are not in it, such as 'car'" in found[2]
