"""Channel: a message comes whole or not at all, and nobody waits longer than told."""

from __future__ import annotations

from collections.abc import Iterator
import pickle
import socket
import struct
import threading
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.workers.channel import Channel

Pair = tuple[Channel, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a channel and the bare other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


@given(st.lists(st.one_of(st.none(), st.binary(max_size=300), st.floats(allow_nan=False))))
def test_messages_come_in_order(messages: list[Any]) -> None:
    """Every message arrives as it was, in order."""
    ours, theirs = map(Channel, socket.socketpair())
    for message in messages:
        ours.send(message)
    assert [theirs.receive(1.0) for _ in messages] == messages
    ours.close()
    with pytest.raises(EOFError):
        theirs.receive(1.0)
    theirs.close()


def test_a_message_in_pieces(pair: Pair) -> None:
    """A message larger than any buffer arrives whole."""
    channel, other = pair
    big = bytes(range(256)) * 10_000
    sender = threading.Thread(target=Channel(other).send, args=(big,))
    sender.start()
    assert channel.receive(10.0) == big
    sender.join()


@pytest.mark.parametrize('part', [b'', b'\x01', struct.pack('<Q', 100) + b'half'])
def test_the_other_end_stops(pair: Pair, part: bytes) -> None:
    """Who stops before or within a message is waited for as long as told, no longer."""
    channel, other = pair
    other.sendall(part)
    start_s = time.monotonic()
    with pytest.raises(TimeoutError):
        channel.receive(0.05)
    assert time.monotonic() - start_s >= 0.05


@pytest.mark.parametrize('part', [b'', b'\x01', struct.pack('<Q', 100) + b'half'])
def test_the_other_end_goes(pair: Pair, part: bytes) -> None:
    """Who goes before or within a message has sent none."""
    channel, other = pair
    other.sendall(part)
    other.close()
    with pytest.raises(EOFError):
        channel.receive(10.0)


@pytest.mark.parametrize(
    'data',
    [
        struct.pack('<Q', 5) + b'BOOM!',
        struct.pack('<Q', 0),
        b'\xff' * 8,
        struct.pack('<Q', 4) + pickle.dumps(1)[:4],
    ],
)
def test_what_is_no_message_is_the_end(pair: Pair, data: bytes) -> None:
    """Garbage is read as the end; a length that no message has does not take memory."""
    channel, other = pair
    other.sendall(data)
    with pytest.raises(EOFError):
        channel.receive(10.0)


def test_nobody_reads(pair: Pair) -> None:
    """Sending fails within the time told where nobody reads, and at once where nobody is."""
    channel, other = pair
    with pytest.raises(TimeoutError):
        channel.send(bytes(10_000_000), 0.05)
    other.close()
    with pytest.raises(EOFError):
        channel.send(b'', 10.0)


def test_nothing_of_a_bad_message_is_sent(pair: Pair) -> None:
    """After a message that cannot be pickled the next one arrives."""
    channel, other = pair
    with pytest.raises((AttributeError, pickle.PicklingError)):
        channel.send(lambda: None)
    channel.send('next')
    assert Channel(other).receive(1.0) == 'next'
