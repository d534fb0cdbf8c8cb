"""File metadata: class names and input size among what exporters leave in a model file."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple

_MOST_ENTRIES = 64
_MOST_CHARACTERS = 1_000_000
_MOST_NAMES = 30_000
_SHOWN_CHARACTERS = 200
_LARGEST_PX = 4096
_NAME_KEYS = ('names', 'labels', 'classes', 'class_names')


class FileMetadata(NamedTuple):
    """What the metadata says.

    Attributes:
        names: class names, by class id; () without.
        size_px: (height, width) of the input [px], None without.
        rest: the other entries, shortened.
    """

    names: tuple[str, ...]
    size_px: tuple[int, int] | None
    rest: dict[str, str]


def read_metadata(entries: Mapping[str, str]) -> FileMetadata:
    """Return what the entries say; what is no literal is text, and nothing is ever run.

    Python's parser may die of a text that is nested deep enough: this is for a child process.
    """
    names: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    rest: dict[str, str] = {}
    for key, text in list(entries.items())[:_MOST_ENTRIES]:
        if key in _NAME_KEYS and not names:
            names = _names(_literal(text))
        elif key == 'imgsz':
            size_px = _size(_literal(text))
        rest[shown(key)] = shown(text)
    return FileMetadata(names, size_px, rest)


def _literal(text: str) -> object:
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _names(value: object) -> tuple[str, ...]:
    """Return names from a list, or from a mapping of the numbers 0, 1, ... to names."""
    if isinstance(value, dict):
        value = [value.get(k, value.get(str(k))) for k in range(len(value))]
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST_NAMES:
        return ()
    texts = tuple(shown(name) for name in value if isinstance(name, str | int))
    return texts if len(texts) == len(value) and all(texts) else ()


def _size(value: object) -> tuple[int, int] | None:
    sides = value if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or not all(type(s) is int and 1 <= s <= _LARGEST_PX for s in sides):
        return None
    return sides[0], sides[1]


def shown(value: object, most: int = _SHOWN_CHARACTERS) -> str:
    """Return a text of printable characters on one line, at most `most` of them."""
    text = ' '.join(str(value).split())[:most]
    return ''.join(c if c.isprintable() else '?' for c in text)
