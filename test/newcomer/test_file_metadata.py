"""File metadata: names and sizes are read as data; nothing in them is ever run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.newcomer.file_metadata import read_metadata
from selector.newcomer.file_metadata import shown


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ("{0: 'person', 1: 'car'}", ('person', 'car')),
        ("{1: 'car', 0: 'person'}", ('person', 'car')),
        ('{"0": "person", "1": "car"}', ('person', 'car')),
        ('["person", "car"]', ('person', 'car')),
        ("['a\\nb', '\\x1b[31mred']", ('a b', '?[31mred')),
        ("{0: 'person', 2: 'car'}", ()),
        ("['person', '']", ()),
        ('[[1], [2]]', ()),
        ('person, car', ()),
        ('__import__("os").abort()', ()),
        ('[' * 100_000, ()),
        ('1' * 2_000_000, ()),
        ('', ()),
    ],
)
def test_names_are_read_or_left(text: str, names: tuple[str, ...]) -> None:
    """A list, or numbers 0, 1, ... with names; anything else names nothing."""
    assert read_metadata({'names': text}).names == names


@pytest.mark.parametrize(
    ('text', 'size'),
    [('[640, 480]', (640, 480)), ('640', (640, 640)), ('[0, 640]', None), ('x', None)],
)
def test_the_size_is_read(text: str, size: tuple[int, int] | None) -> None:
    """(height, width), or one side."""
    assert read_metadata({'imgsz': text}).size_px == size


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_any_entries_are_read(entries: dict[str, str]) -> None:
    """What is told of them is short and printable."""
    rest = read_metadata(entries).rest
    assert all(text.isprintable() and len(text) <= 200 for text in (*rest, *rest.values()))


def test_shown_is_one_line_of_printable_characters() -> None:
    """No terminal is told to do anything."""
    assert shown('a\n b\x1b[2J\0', 100) == 'a b?[2J?'
    assert shown('x' * 300) == 'x' * 200
