"""Worker: runs one slow model in a thread of its own, one call at a time."""

from __future__ import annotations

from collections.abc import Callable
import queue
import threading
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.errors import PredictionError
from selector.prediction import Model
from selector.prediction import Prediction
from selector.task import Task
from selector.tasks.classification import Classification

_ANY: Task = Classification()


class Finished(NamedTuple):
    """How a call ended.

    Attributes:
        sequence: the decision it belongs to.
        tier: the invoked tier.
        prediction: the answer, None when the model failed.
        fault: '' or why it failed.
        latency_s: measured time from `submit` to the end [s].
    """

    sequence: int
    tier: str
    prediction: Prediction | None
    fault: str
    latency_s: float


def run(model: Model, image: NDArray[np.uint8], task: Task = _ANY) -> Prediction:
    """Return a model's prediction; whatever it raises comes out as one kind of error.

    Args:
        model: the model.
        image: (H, W, 3) uint8 RGB.
        task: what an answer has to be.

    Raises:
        PredictionError: the model failed or answered nonsense.
    """
    try:
        answer = model.predict(image)
        if not isinstance(answer, Prediction):
            raise PredictionError(f'returned a {type(answer).__name__}, no Prediction')
    except PredictionError as err:
        raise _named(model, err) from err
    except (Exception, SystemExit) as err:  # a user's model may raise anything; we go on
        text = ' '.join(f'{type(err).__name__}: {err}'.split())
        raise PredictionError(f'{model.name} raised {text}') from err
    try:
        task.check(answer)
    except PredictionError as err:
        raise _named(model, err) from err
    except Exception as err:  # an answer of other types than declared
        text = ' '.join(f'{type(err).__name__}: {err}'.split())
        raise PredictionError(f'{model.name} returned no answer: {text}') from err
    return answer


def _named(model: Model, err: PredictionError) -> PredictionError:
    text = str(err)
    return err if text.startswith(model.name) else PredictionError(f'{model.name} {text}')


class Worker:
    """A single-flight thread for one tier; `busy` from submit until the model has really ended."""

    def __init__(
        self, tier: str, model: Model, done: Callable[[Finished], None], task: Task = _ANY
    ) -> None:
        """Start the thread; `done` is called in it, once a call; `task` as in `run`."""
        self.tier = tier
        self._model, self._done, self._task = model, done, task
        self._busy = threading.Event()
        self._calls: queue.SimpleQueue[tuple[int, NDArray[np.uint8], float] | None]
        self._calls = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=f'{tier} model', daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a call is running, on time or not."""
        return self._busy.is_set()

    def submit(self, sequence: int, image: NDArray[np.uint8]) -> None:
        """Start one call; the caller has seen that the worker is not busy."""
        self._busy.set()
        self._calls.put((sequence, image, time.perf_counter()))

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; return whether it did within `timeout_s`."""
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while (call := self._calls.get()) is not None:
            sequence, image, start = call
            prediction, fault = None, ''
            try:
                prediction = run(self._model, image, self._task)
            except PredictionError as err:
                fault = str(err)
            finished = Finished(
                sequence, self.tier, prediction, fault, time.perf_counter() - start
            )
            self._busy.clear()
            self._done(finished)
