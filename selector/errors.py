"""The errors of this project: one base class, one kind per mistake a user can make."""

from __future__ import annotations

from collections.abc import Iterable
import difflib


class SelectorError(Exception):
    """A mistake somebody can mend: the text says what was given, what is allowed, what to do.

    Attributes:
        values: the numbers and names of the message, by name.
        exit_code: what a command exits with (2 bad input, 3 something missing on this machine).
    """

    exit_code = 2

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.values = values


class ConfigError(SelectorError):
    """A parameter, a key or a combination of them is not allowed."""


class ModelError(SelectorError):
    """A model file or its card is missing, altered or contradicts itself."""


class PredictionError(SelectorError):
    """A model ran and what it returned is not a prediction (NaN, wrong shape, an exception)."""


class InputError(SelectorError):
    """An image, a message or a profile table cannot be read."""


class BagError(InputError):
    """A bag cannot be opened, or holds nothing that can be replayed."""


class LogError(SelectorError):
    """An audit log cannot be read at all (a log that fails verification is no error)."""


class SequenceError(SelectorError):
    """An outcome names a decision that is not open: never offered, or already committed."""


class MissingError(SelectorError):
    """A package, a tool or a device is missing on this machine."""

    exit_code = 3


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ''
