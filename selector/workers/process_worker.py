"""Process worker: runs one slow model in a process of its own, one call at a time.

Whatever happens to that process (it crashes, is killed, eats its memory, hangs) ends the call with
a fault and is answered with a new process; the fast model's process only reads about it.
"""

from __future__ import annotations

from collections.abc import Callable
import contextlib
import math
from multiprocessing import connection
import pickle
import queue
import socket
import threading
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Model
from selector.prediction import Origin
from selector.prediction import Prediction
from selector.task import Task
from selector.tasks.classification import Classification
from selector.workers.model_child import Answer
from selector.workers.model_child import Order
from selector.workers.model_child import Ready
from selector.workers.model_child import Refused
from selector.workers.model_process import ModelProcess
from selector.workers.worker import Finished

_ANY: Task = Classification()
_PAUSE_FIRST_S, _PAUSE_LONGEST_S = 0.1, 10.0
# A process that has lived that long, or answered that often, does not die of its start.
_HEALTHY_S, _HEALTHY_ANSWERS = 60.0, 20
_KILL_S = 2.0
_RINGS = 4096


class _Call(NamedTuple):
    sequence: int
    image: NDArray[np.uint8]
    start_s: float


class ProcessWorker:
    """A single-flight process for one tier; `busy` while a call runs or no process is ready.

    Attributes:
        tier: the tier.
        done: called with the end of each call, in the worker's thread; may be exchanged while no
            call runs.
        restarts: how many processes were started after the first one.
        last_fault: why the last process was lost or could not be started, '' if none was.
    """

    def __init__(
        self,
        tier: str,
        make: Callable[[], Model],
        done: Callable[[Finished], None],
        *,
        task: Task = _ANY,
        warm_up_runs: int = 20,
        hang_s: float = 10.0,
        start_s: float = 60.0,
        memory_limit_bytes: int = 0,
    ) -> None:
        """Start the first process; `wait_until_ready` tells how that went.

        Args:
            tier: the tier.
            make: builds the model, in the child. It goes there pickled: a function or class that
                can be imported by name (not from `__main__`), or a `functools.partial` of one.
            done: called once a call.
            task: as in `worker.run`.
            warm_up_runs: of each new model before it takes calls.
            hang_s: how long a call may take before its process is killed [s].
            start_s: how long building and warming up may take [s].
            memory_limit_bytes: most memory the process may hold for itself [bytes]; 0: no limit.

        Raises:
            ModelError: `make` or `task` cannot be sent to another process.
        """
        self.tier, self.done = tier, done
        self.restarts, self.last_fault = 0, ''
        order = Order(make, task, warm_up_runs, memory_limit_bytes)
        try:
            self._order = pickle.dumps(order)
        except Exception as err:  # pickle raises whatever the parts do
            raise ModelError(
                f'the {tier} model cannot be built in another process: {err}; give a function '
                f'that can be imported by name, or a functools.partial of one'
            ) from err
        self._hang_s, self._start_s = hang_s, start_s
        self._ready, self._calling, self._gone = False, False, True
        self._failed, self._missing = '', False
        self._warm_up_s: list[float] = []
        self._pause_s, self._since_s, self._answers = 0.0, math.inf, 0
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._ending, self._settled = threading.Event(), threading.Event()
        self._process: ModelProcess | None = None
        self._wake, self._bell = socket.socketpair()
        self._thread = threading.Thread(target=self._supervise, name=f'{tier} model', daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a call is running, on time or not, or there is no process to take one."""
        return self._calling or not self._ready

    @property
    def ready(self) -> bool:
        """Whether there is a process that takes calls, or is busy with one."""
        return self._ready

    @property
    def pid(self) -> int | None:
        """Process id of the process, None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def wait_until_ready(self) -> list[float]:
        """Wait for the first process; return the times of its warm-up runs [s].

        Raises:
            ModelError: it could not be made ready; it is not tried again.
            MissingError: nor could it, for want of something on this machine.
        """
        self._settled.wait()
        if self._failed:
            self.stop(_KILL_S)
            raise MissingError(self._failed) if self._missing else ModelError(self._failed)
        return self._warm_up_s

    def submit(
        self, sequence: int, image: NDArray[np.uint8], _origin: Origin | None = None
    ) -> None:
        """Start one call; the caller has seen that the worker is not busy."""
        self._calling = True
        self._calls.put(_Call(sequence, image, time.perf_counter()))
        self._ring()

    def stop(self, timeout_s: float) -> bool:
        """Let a running call end, but kill it after `timeout_s`; end the process and the thread.

        Returns:
            True, unless the kernel does not let go of a process that has been killed.
        """
        self._ending.set()
        self._ring()
        self._thread.join(timeout_s)
        process = self._process
        if self._thread.is_alive() and process is not None:
            process.kill()
            self._thread.join(_KILL_S)
        if self._thread.is_alive():
            return False
        self._wake.close()
        self._bell.close()
        return self._gone

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # stopped already
            self._bell.send(b'.')

    def _supervise(self) -> None:
        """Start one process after the other; they end with this thread."""
        try:
            self._lead_one()
            if not self._settled.is_set():
                self._failed = self.last_fault or f'the {self.tier} model was stopped at its start'
            while not (self._failed or self._ending.is_set()):
                self._wait(time.monotonic() + self._pause_s)
                if not self._ending.is_set():
                    self.restarts += 1
                    self._lead_one()
        finally:
            self._ready = False
            self._settled.set()
            self._refuse()

    def _lead_one(self) -> None:
        """Lead one process from its start to its end."""
        self._since_s, self._answers = math.inf, 0
        try:
            process = self._process = ModelProcess(self._order)
        except OSError as err:
            self._lose(f'could not be started: {err.strerror}')
            return
        try:
            if self._made_ready(process):
                self._serve(process)
        finally:
            self._ready, self._process = False, None
            self._gone = process.kill() and self._gone
            process.close()

    def _made_ready(self, process: ModelProcess) -> bool:
        end_s = time.monotonic() + self._start_s
        try:
            process.order()
            self._wait(end_s, process)
            if self._ending.is_set():
                return False
            told = process.told(end_s - time.monotonic())
        except TimeoutError:
            self._lose(f'was not ready within {self._start_s:.1f} s')
            return False
        except EOFError:
            self._lose(f'{process.cause()} before it was ready')
            return False
        if isinstance(told, Refused):
            self._missing = told.missing
            self._lose(f'could not build or warm up its model: {told.why}')
            return False
        assert isinstance(told, Ready)
        self._warm_up_s, self._since_s = told.warm_up_s, time.monotonic()
        self._ready = True
        self._settled.set()
        return True

    def _serve(self, process: ModelProcess) -> None:
        """Answer calls until the process is lost or the worker ends."""
        while True:
            ending = self._ending.is_set()  # asked first: what was submitted before is answered
            while (call := self._next()) is not None:
                if not self._answered(process, call):
                    return
            if ending:
                process.leave()
                return
            ready = connection.wait([process.fileno(), self._wake])
            if process.fileno() in ready:  # between calls it has nothing to say
                self._lose(process.cause())
                return
            self._wake.recv(_RINGS)

    def _answered(self, process: ModelProcess, call: _Call) -> bool:
        """End one call; return whether the process lives on."""
        try:
            answer = process.ask(call.image, self._hang_s)
        except PredictionError as err:
            answer = Answer(None, str(err))
        except TimeoutError:
            self._end(call, self._lose(f'gave no answer for {self._hang_s:.1f} s and is killed'))
            return False
        except EOFError:
            self._end(call, self._lose(process.cause()))
            return False
        self._answers += answer.prediction is not None
        self._end(call, answer.fault, answer.prediction)
        return True

    def _lose(self, what: str) -> str:
        """Take in that the process is lost; return what a call is told."""
        self._ready = False
        if self._ending.is_set():
            return f'the {self.tier} model was stopped while it ran'
        self.last_fault = f'the process of the {self.tier} model {what}'
        lived_s = time.monotonic() - self._since_s
        healthy = lived_s >= _HEALTHY_S or self._answers >= _HEALTHY_ANSWERS
        doubled_s = min(2.0 * self._pause_s, _PAUSE_LONGEST_S)
        self._pause_s = _PAUSE_FIRST_S if healthy else max(_PAUSE_FIRST_S, doubled_s)
        return f'{self.last_fault}; it is started again in {self._pause_s:.1f} s'

    def _wait(self, end_s: float, process: ModelProcess | None = None) -> None:
        """Wait for a word of the process, the end of the worker, or `end_s`; take no call."""
        sources: list[socket.socket | int] = [self._wake]
        if process is not None:
            sources.append(process.fileno())
        while not self._ending.is_set() and (left_s := end_s - time.monotonic()) > 0.0:
            self._refuse()
            ready = connection.wait(sources, left_s)
            if self._wake in ready:
                self._wake.recv(_RINGS)
            elif ready:
                return

    def _refuse(self) -> None:
        """End calls that came when there was nobody to take them; whoever submits may be late."""
        while (call := self._next()) is not None:
            why = self.last_fault or f'the {self.tier} model is not ready'
            self._end(call, f'{why}; nothing takes calls now')

    def _next(self) -> _Call | None:
        with contextlib.suppress(queue.Empty):
            return self._calls.get_nowait()
        return None

    def _end(self, call: _Call, fault: str, prediction: Prediction | None = None) -> None:
        latency_s = time.perf_counter() - call.start_s
        self._calling = False
        self.done(Finished(call.sequence, self.tier, prediction, fault, latency_s))
