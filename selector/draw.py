"""Draw: the random numbers of the audit stream, which whoever holds the key can draw again."""

from __future__ import annotations

import hashlib

_BITS = 53


def key_of(text: str, mission_id: str) -> bytes:
    """Return the key that `text` stands for; without a text, the one of the mission's name.

    Whoever knows the key knows which frames will be audited.
    """
    return hashlib.blake2b((text or mission_id).encode()).digest()


def draw(key: bytes, sequence: int) -> float:
    """Return the number of one frame in [0, 1): the first 53 bits of BLAKE2b over 2**53.

    Args:
        key: at most 64 bytes.
        sequence: running number of the frame, >= 0.
    """
    whole = hashlib.blake2b(sequence.to_bytes(8, 'big'), key=key).digest()
    return float(int.from_bytes(whole[:8], 'big') >> (64 - _BITS)) / float(2**_BITS)
