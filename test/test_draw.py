"""Draw: who holds the key draws the same numbers, who does not cannot guess them."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from selector.draw import draw
from selector.draw import key_of


@given(st.binary(min_size=1, max_size=64), st.integers(0, 2**64 - 1))
def test_it_is_the_first_53_bits(key: bytes, sequence: int) -> None:
    """The number times 2**53 is the first 53 bits of BLAKE2b over the sequence number."""
    whole = hashlib.blake2b(sequence.to_bytes(8, 'big'), key=key).digest()
    number = draw(key, sequence)
    assert 0.0 <= number < 1.0
    assert number * 2**53 == int.from_bytes(whole, 'big') >> (512 - 53)


def test_the_numbers_never_change() -> None:
    """A log of today can be drawn again by any later version."""
    key = key_of('a secret', 'mission')
    assert [draw(key, k) for k in range(3)] == [
        0.3733261715753905,
        0.9276131701370541,
        0.5109520864064413,
    ]


def test_the_key_is_the_text_or_else_the_mission() -> None:
    """A text gives the same key in every mission; without one each mission has its own."""
    assert key_of('secret', 'a') == key_of('secret', 'b') != key_of('other', 'a')
    assert key_of('', 'a') != key_of('', 'b')
    assert len(key_of('x' * 1000, '')) == 64  # as long as BLAKE2b takes


def test_they_are_uniform_and_independent_of_their_neighbours() -> None:
    """Mean, spread and the correlation of neighbours are those of independent uniform numbers."""
    key = key_of('', 'mission')
    numbers = np.array([draw(key, k) for k in range(20_000)])
    assert abs(numbers.mean() - 0.5) < 4 * (1 / 12) ** 0.5 / 20_000**0.5
    assert abs(numbers.var() - 1 / 12) < 0.002
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 4 / 20_000**0.5
