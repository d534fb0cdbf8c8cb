"""Model child: the process that builds one model and answers its parent's calls."""

from __future__ import annotations

from collections.abc import Callable
import contextlib
import ctypes
import os
from pathlib import Path
import pickle
import resource
import signal
import socket
import sys
import threading
import time
from typing import NamedTuple

from selector.errors import MissingError
from selector.errors import PredictionError
from selector.errors import SelectorError
from selector.prediction import Model
from selector.prediction import Prediction
from selector.task import Task
from selector.workers.channel import Channel
from selector.workers.shared_image import SharedImage
from selector.workers.worker import run

_PR_SET_PDEATHSIG = 1
_FIRST_TO_GO = '1000'
_LOOK_S = 1.0


class Order(NamedTuple):
    """What a child is to do.

    Attributes:
        make: returns the model.
        task: as in `worker.run`.
        warm_up_runs: how often the model is run before it takes calls.
        memory_limit_bytes: most memory that the process may hold for itself [bytes]; 0: no limit.
    """

    make: Callable[[], Model]
    task: Task
    warm_up_runs: int
    memory_limit_bytes: int


class Ready(NamedTuple):
    """The model takes calls; `warm_up_s` are the times of its warm-up runs [s]."""

    warm_up_s: list[float]


class Refused(NamedTuple):
    """The model could not be made ready.

    Attributes:
        why: one line.
        missing: what is missing is not the model, but something on this machine.
    """

    why: str
    missing: bool


class Call(NamedTuple):
    """The shared image, of `shape` (H, W, C), is to be answered."""

    shape: tuple[int, ...]


class Answer(NamedTuple):
    """The model's answer, or None and the fault."""

    prediction: Prediction | None
    fault: str


def main(channel_fd: int, image_fd: int, parent: int) -> None:
    """Serve the process `parent` until it closes the channel, says so, or is gone.

    Args:
        channel_fd: of the socket to the parent; an `Order`, pickled, comes first.
        image_fd: of the shared image.
        parent: process id.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end, not the terminal
    for fd in (channel_fd, image_fd):
        os.set_inheritable(fd, False)
    _end_with(parent)
    _be_first_to_go()
    with contextlib.suppress(EOFError):
        _serve(Channel(socket.socket(fileno=channel_fd)), SharedImage(image_fd))


def _serve(channel: Channel, image: SharedImage) -> None:
    told = channel.receive()
    try:
        order: Order = pickle.loads(told)
        if order.memory_limit_bytes:
            # Not RLIMIT_AS: threads and GPU drivers reserve far more addresses than they use.
            resource.setrlimit(resource.RLIMIT_DATA, (order.memory_limit_bytes,) * 2)
        model = order.make()
        ready = Ready([float(t) for t in model.warm_up(order.warm_up_runs)])
    except (Exception, SystemExit) as err:  # a user's model may raise anything
        channel.send(Refused(_one_line(err), isinstance(err, MissingError)))
        return
    channel.send(ready)
    while isinstance(call := channel.receive(), Call):
        answer = _answer(model, image, call, order.task)
        try:
            channel.send(answer)
        except EOFError:
            raise
        except Exception as err:  # pickle raises whatever the answer's parts do
            fault = f'{model.name} gave an answer that cannot be sent: {_one_line(err)}'
            channel.send(Answer(None, fault))


def _answer(model: Model, image: SharedImage, call: Call, task: Task) -> Answer:
    try:
        return Answer(run(model, image.read(call.shape), task), '')
    except (PredictionError, MemoryError) as err:
        return Answer(None, _one_line(err))


def _one_line(err: BaseException) -> str:
    text = str(err) if isinstance(err, SelectorError) else f'{type(err).__name__}: {err}'
    return ' '.join(text.split())


def _end_with(parent: int) -> None:
    """End this process as soon as its parent has ended, whatever the model does just then."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


def _be_first_to_go() -> None:
    """Have the kernel end this process before any other when memory runs out."""
    with contextlib.suppress(OSError):  # another system, or /proc is read-only
        Path('/proc/self/oom_score_adj').write_text(_FIRST_TO_GO)
