"""Faulty model: does to its own process what a frame's first pixel says; for the child to import.

What is built here is built in another process, which shares nothing with the test but files.
"""

from __future__ import annotations

from collections.abc import Callable
import mmap
import os
from pathlib import Path
import signal
import sys
import threading
import time
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from selector.errors import MissingError
from selector.errors import ModelError
from selector.prediction import Model
from selector.prediction import Prediction

CLASSES = 256
SLEEP_S = 60.0
(
    FINE,
    ROS,
    SEGFAULT,
    KILL,
    STOP,
    EXIT,
    MEMORY,
    NATIVE_MEMORY,
    RAISE,
    LEAVE,
    NAN,
    SLEEP,
    LARGE,
    LAMBDA,
    TOO_LARGE,
    GARBAGE,
    LINGER,
) = range(17)


def frame(kind: int, echo: int = 0) -> NDArray[np.uint8]:
    """Return an image (2, 2, 3) that asks for a fault, or to be answered with class `echo`."""
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = kind, echo, 0
    return image


class FaultyModel:
    """Answers with the class of the first pixel's second number, where it is to be fine."""

    name = 'faulty'

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the answer, or do what the pixel says."""
        kind, echo = int(image[0, 0, 0]), int(image[0, 0, 1])
        image[:] = 255  # the image is the model's own
        faults: dict[int, Callable[[], object]] = {
            SEGFAULT: lambda: os.kill(os.getpid(), signal.SIGSEGV),
            KILL: lambda: os.kill(os.getpid(), signal.SIGKILL),
            STOP: lambda: os.kill(os.getpid(), signal.SIGSTOP),
            EXIT: lambda: os._exit(3),
            MEMORY: lambda: [np.empty(1 << 24, np.uint8) for _ in range(1 << 12)],
            NATIVE_MEMORY: _abort_without_memory,
            RAISE: _raise,
            LEAVE: lambda: sys.exit('enough'),
            SLEEP: lambda: time.sleep(SLEEP_S),
            GARBAGE: _write_garbage,
            LINGER: lambda: threading.Thread(target=time.sleep, args=(SLEEP_S,)).start(),
        }
        faults.get(kind, lambda: None)()
        content: dict[int, object] = {
            LARGE: b'x' * 3_000_000,
            LAMBDA: lambda: None,
            TOO_LARGE: bytes((1 << 28) + 1) if kind == TOO_LARGE else None,
        }
        answer = _answer(float('nan') if kind == NAN else 1.0, echo)
        if kind == ROS:
            answer = _answer(1.0, int(any(name.startswith('rcl') for name in sys.modules)))
        return answer._replace(content=content.get(kind))

    def warm_up(self, runs: int) -> list[float]:
        """Return times that tell the number of the run."""
        return [float(k) for k in range(runs)]


def _answer(score: float, echo: int) -> Prediction:
    scores = [0.0] * CLASSES
    scores[echo] = score
    return Prediction('faulty', tuple(scores), echo, 0.0)


def _raise() -> NoReturn:
    raise RuntimeError('no\nsense')


def _abort_without_memory() -> None:
    """End as native code does that gets no memory."""
    try:
        mmap.mmap(-1, 1 << 36, mmap.MAP_PRIVATE)
    except (OSError, MemoryError):
        os.abort()


def _write_garbage() -> None:
    """Write to every socket, as a process with damaged memory might."""
    for fd in range(3, 64):
        try:
            if os.readlink(f'/proc/self/fd/{fd}').startswith('socket:'):
                os.write(fd, b'\x05\0\0\0\0\0\0\0BOOM!')
        except OSError:
            pass


def missing(path: Path) -> NoReturn:
    """Fail as a model whose file is not there."""
    raise ModelError(f'{path} is missing;\nput it there')


def unequipped() -> NoReturn:
    """Fail as a model whose package is not installed."""
    raise MissingError('torch is not installed')


def crashing() -> NoReturn:
    """Die while the model is built."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def sleeping() -> Model:
    """Build for ever."""
    time.sleep(SLEEP_S)
    return FaultyModel()


def built_unless(path: Path) -> Model:
    """Return the model, unless `path` is there: then its text is what is wrong."""
    if path.exists():
        raise ValueError(path.read_text())
    return FaultyModel()


class Impatient(FaultyModel):
    """A model that fails when it is warmed up."""

    def warm_up(self, runs: int) -> list[float]:
        """Fail."""
        raise RuntimeError('cold')
