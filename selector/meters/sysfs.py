"""Sysfs: one number or word out of a file of the kernel, or why not."""

from __future__ import annotations

import math
from pathlib import Path

from selector.errors import InputError
from selector.errors import MissingError


def word(path: Path) -> str:
    """Return a file's text without blanks around it.

    Raises:
        MissingError: the file cannot be read.
    """
    try:
        return path.read_text(errors='replace').strip()
    except OSError as err:
        raise MissingError(f'{path} cannot be read: {err.strerror}', path=str(path)) from err


def number(path: Path) -> float:
    """Return the finite number in a file.

    Raises:
        InputError: the file holds something else.
        MissingError: the file cannot be read.
    """
    text = word(path)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f'{path} holds {text[:40]!r}, no number', path=str(path))
    return value
