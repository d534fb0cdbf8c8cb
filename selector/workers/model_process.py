"""Model process: a model in a process of its own, as the parent sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from selector.errors import PredictionError
from selector.workers.channel import Channel
from selector.workers.model_child import Answer
from selector.workers.model_child import Call
from selector.workers.shared_image import SharedImage

# A new interpreter, never a fork: locks that other threads hold would stay locked in it. The path
# is set before anything is imported from it.
_START = (
    'import sys; sys.path[:] = sys.argv[4:]; '
    'from selector.workers.model_child import main; main(*map(int, sys.argv[1:4]))'
)
_SEND_S = 5.0
_EXIT_S = 1.0


class ModelProcess:
    """One child from its start to its end; see `model_child`."""

    def __init__(self, order: bytes) -> None:
        """Start the child in this thread, whose end is the child's end too.

        Args:
            order: a pickled `model_child.Order`.

        Raises:
            OSError: the system has no room for one more process.
        """
        self._order = order
        with contextlib.ExitStack() as undo:
            ours, theirs = socket.socketpair()
            self._channel = Channel(ours)
            undo.callback(self._channel.close)
            with theirs:
                self._image = SharedImage()
                undo.callback(self._image.close)
                fds = (theirs.fileno(), self._image.fd)
                self._process = subprocess.Popen(
                    [sys.executable, '-c', _START, *map(str, (*fds, os.getpid())), *sys.path],
                    stdin=subprocess.DEVNULL,
                    pass_fds=fds,
                    start_new_session=True,  # a terminal's Ctrl-C goes to the parent alone
                )
            undo.pop_all()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Return what becomes readable when the child has said something, or is gone."""
        return self._channel.fileno()

    def order(self) -> None:
        """Tell the child what to do.

        Raises:
            EOFError: it is gone.
            TimeoutError: it does not listen.
        """
        self._channel.send(self._order, _SEND_S)

    def told(self, timeout_s: float) -> Any:
        """Return what the child says next; see `Channel.receive`."""
        return self._channel.receive(timeout_s)

    def ask(self, image: NDArray[np.uint8], timeout_s: float) -> Answer:
        """Return the answer to one image (H, W, 3) uint8 RGB.

        Raises:
            EOFError: the child is gone.
            TimeoutError: it does not answer; kill it.
            PredictionError: there is no memory for the image; the child knows nothing of it.
        """
        try:
            self._image.write(image)
        except OSError as err:
            raise PredictionError(f'no memory for an image of {image.nbytes} bytes') from err
        self._channel.send(Call(image.shape), _SEND_S)
        answer = self._channel.receive(timeout_s)
        if not isinstance(answer, Answer):
            raise EOFError(f'a {type(answer).__name__} instead of an answer')
        return answer

    def cause(self) -> str:
        """Return how the child, of which nothing more can be read, ended."""
        try:
            code = self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            return 'sent nothing that can be read and is killed'
        if code >= 0:
            return f'ended with exit code {code}'
        try:
            return f'was killed by {signal.Signals(-code).name}'
        except ValueError:  # a real-time signal has no name
            return f'was killed by signal {-code}'

    def leave(self) -> None:
        """Ask the child to end and wait until it has, or has been killed by another thread."""
        try:
            self._channel.send(None, _SEND_S)
        except (EOFError, TimeoutError):
            self._process.kill()
        self._process.wait()

    def kill(self) -> bool:
        """Kill the child; return whether it is gone (a kernel may be stuck in a driver)."""
        self._process.kill()
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Let go of what was shared with the child, which has ended."""
        self._channel.close()
        self._image.close()
