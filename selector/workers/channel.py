"""Channel: whole messages between two processes of ours, each within a time limit."""

from __future__ import annotations

import pickle
import socket
import struct
import time
from typing import Any

_LENGTH = struct.Struct('<Q')
_LARGEST_BYTES = 1 << 28  # what says it is longer is no message of ours


class Channel:
    """One end of a stream socket that carries pickled objects; for our own processes only."""

    def __init__(self, end: socket.socket) -> None:
        """Take a connected stream socket."""
        self._socket = end

    def fileno(self) -> int:
        """Return the file descriptor, to wait for."""
        return self._socket.fileno()

    def send(self, message: object, timeout_s: float | None = None) -> None:
        """Send one message; nothing of one that cannot be pickled, or is too long, is sent.

        Raises:
            EOFError: nobody is there to read it.
            TimeoutError: it was not taken within `timeout_s`; the channel is of no use then.
            ValueError: the message is too long; pickle raises whatever it likes.
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        if len(data) > _LARGEST_BYTES:
            raise ValueError(f'{len(data)} bytes; at most {_LARGEST_BYTES} are sent')
        self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)
        except ConnectionError as err:
            raise EOFError('the other end is gone') from err

    def receive(self, timeout_s: float | None = None) -> Any:
        """Return the next message.

        Raises:
            EOFError: the other end is gone, or what it sent is no message.
            TimeoutError: there was no whole one within `timeout_s`; the channel is of no use then.
        """
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        (size,) = _LENGTH.unpack(self._exactly(_LENGTH.size, end_s))
        if size > _LARGEST_BYTES:
            raise EOFError(f'a message of {size} bytes')
        data = self._exactly(size, end_s)
        try:
            return pickle.loads(data)
        except Exception as err:  # a process whose memory is damaged may send anything
            raise EOFError(f'an unreadable message: {err}') from err

    def close(self) -> None:
        """Close this end; the other one reads that as the end."""
        self._socket.close()

    def _exactly(self, size: int, end_s: float | None) -> bytearray:
        data = bytearray(size)
        left = memoryview(data)
        while left:
            if end_s is not None and time.monotonic() >= end_s:
                raise TimeoutError
            self._socket.settimeout(None if end_s is None else max(1e-3, end_s - time.monotonic()))
            try:
                count = self._socket.recv_into(left)
            except ConnectionError as err:
                raise EOFError('the other end is gone') from err
            if count == 0:
                raise EOFError('the other end is gone')
            left = left[count:]
        return data
