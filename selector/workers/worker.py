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
from selector.prediction import Origin
from selector.prediction import Prediction
from selector.task import Task
from selector.tasks.classification import Classification

_ANY: Task = Classification()
_CLOSE_S = 0.2


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


class _Call(NamedTuple):
    sequence: int
    image: NDArray[np.uint8]
    origin: Origin | None
    start_s: float


def close(model: Model) -> None:
    """Let a model that waits for others give up and let go; the others have nothing to close."""
    end = getattr(model, 'close', None)
    if end is not None:
        end()


def run(
    model: Model, image: NDArray[np.uint8], task: Task = _ANY, origin: Origin | None = None
) -> Prediction:
    """Return a model's prediction; whatever it raises comes out as one kind of error.

    Args:
        model: the model.
        image: (H, W, 3) uint8 RGB.
        task: what an answer has to be.
        origin: of the image, for a model that wants to know.

    Raises:
        PredictionError: the model failed or answered nonsense.
    """
    try:
        ask = None if origin is None else getattr(model, 'predict_at', None)
        answer = model.predict(image) if ask is None else ask(image, *(origin or ()))
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
    """A single-flight thread for one tier; `busy` from submit until the model has really ended.

    Attributes:
        tier: the tier.
        done: called with the end of each call, in the thread; may be exchanged while no call runs.
    """

    def __init__(
        self, tier: str, model: Model, done: Callable[[Finished], None], task: Task = _ANY
    ) -> None:
        """Start the thread; `task` is as in `run`."""
        self.tier, self.done = tier, done
        self._model, self._task = model, task
        self._busy = threading.Event()
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=f'{tier} model', daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a call is running, on time or not."""
        return self._busy.is_set()

    def submit(
        self, sequence: int, image: NDArray[np.uint8], origin: Origin | None = None
    ) -> None:
        """Start one call; the caller has seen that the worker is not busy."""
        self._busy.set()
        self._calls.put(_Call(sequence, image, origin, time.perf_counter()))

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; return whether it did within `timeout_s`."""
        self._calls.put(None)
        self._thread.join(timeout_s)
        close(self._model)
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while (call := self._calls.get()) is not None:
            prediction, fault = None, ''
            try:
                prediction = run(self._model, call.image, self._task, call.origin)
            except PredictionError as err:
                fault = str(err)
            latency_s = time.perf_counter() - call.start_s
            finished = Finished(call.sequence, self.tier, prediction, fault, latency_s)
            self._busy.clear()
            self.done(finished)
