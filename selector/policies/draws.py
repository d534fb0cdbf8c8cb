"""Draws: reproducible random numbers for the policies that explore."""

from __future__ import annotations

from selector.draw import draw
from selector.errors import ConfigError

_KEY_MAX_BYTES = 64


class Draws:
    """A stream of numbers in [0, 1), each made from a key and its own place in the stream.

    The same key gives the same stream on every machine, and nothing but the place is kept. Its
    key is not that of the audits: a policy must not know which frames they will look at.
    """

    def __init__(self, key: bytes) -> None:
        """Start at place 0 of the stream of `key`, 1 to 64 bytes.

        Raises:
            ConfigError: the key is empty or too long.
        """
        if not 1 <= len(key) <= _KEY_MAX_BYTES:
            raise ConfigError(f'a key of {len(key)} bytes; allowed are 1 to {_KEY_MAX_BYTES}')
        self._key = key
        self._place = 0

    def next(self) -> float:
        """Return the next number of the stream."""
        self._place += 1
        return draw(self._key, self._place - 1)
