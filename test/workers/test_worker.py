"""Worker: one call at a time in a thread of its own; whatever a model does comes back as data."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import queue
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.backends.fake_model import FakeModel
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.workers.worker import Finished
from selector.workers.worker import run
from selector.workers.worker import Worker

IMAGE = np.zeros((4, 4, 3), np.uint8)
WAIT_S = 10.0
GOOD = Prediction('m', (0.25, 0.75), 1, 0.0)


def one_hot(class_id: int) -> NDArray[np.float64]:
    """Return logits (4,) that name a class."""
    logits = np.zeros(4)
    logits[class_id] = 1.0
    return logits


class Returning:
    """A user's model that returns whatever it is told to."""

    name = 'user'

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def predict(self, _image: NDArray[np.uint8]) -> Prediction:
        """Return the answer."""
        return self._answer  # type: ignore[no-any-return]

    def warm_up(self, runs: int) -> list[float]:
        """Return nothing of interest."""
        return [0.0] * runs


class Gate:
    """Logits that come when the gate is opened."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Wait for the gate, then answer with the image's first pixel as class."""
        self.entered.set()
        assert self.open.wait(WAIT_S)
        return one_hot(int(image[0, 0, 0]))


Made = Callable[[Any], tuple[Worker, 'queue.Queue[Finished]']]


@pytest.fixture
def made() -> Iterator[Made]:
    """Makes workers that end with the test."""
    workers: list[Worker] = []

    def make(answer: Any) -> tuple[Worker, queue.Queue[Finished]]:
        done: queue.Queue[Finished] = queue.Queue()
        workers.append(Worker('slow', FakeModel('fake', answer), done.put))
        return workers[-1], done

    yield make
    assert all(worker.stop(WAIT_S) for worker in workers)


def test_an_answer_comes_back_with_its_sequence(made: Made) -> None:
    """Each call ends in one Finished with its own sequence and answer, in order."""
    worker, done = made(lambda image: np.eye(4)[int(image[0, 0, 0])])
    for k in range(4):
        worker.submit(10 + k, IMAGE + np.uint8(k))
        end = done.get(timeout=WAIT_S)
        assert (end.sequence, end.tier, end.fault) == (10 + k, 'slow', '')
        assert end.prediction is not None
        assert end.prediction.class_id == k
        assert end.latency_s >= 0.0
    assert done.empty()


def test_busy_lasts_until_the_model_has_ended(made: Made) -> None:
    """Busy from submit on, while the model runs however long, and free when the end is told."""
    gate = Gate()
    worker, done = made(gate)
    idle = worker.busy
    worker.submit(0, IMAGE)
    submitted = worker.busy
    assert gate.entered.wait(WAIT_S)
    assert (submitted, worker.busy) == (True, True)
    assert not idle
    assert done.empty()
    gate.open.set()
    done.get(timeout=WAIT_S)
    assert not worker.busy


def test_done_finds_the_worker_free() -> None:
    """The callback may submit the next call: the worker is not busy while it runs."""
    seen: queue.Queue[bool] = queue.Queue()
    worker = Worker('slow', FakeModel('f', lambda _i: np.eye(2)[0]), lambda _e: seen.put(w.busy))
    w = worker
    worker.submit(0, IMAGE)
    assert seen.get(timeout=WAIT_S) is False
    assert worker.stop(WAIT_S)


@pytest.mark.parametrize(
    'fault',
    [ValueError('bad'), RuntimeError(''), KeyError(3), MemoryError(), PredictionError('nan'),
     AssertionError('x'), StopIteration(), RecursionError('deep')],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_a_fault_is_an_end_and_the_next_call_works(made: Made, fault: Exception) -> None:
    """Whatever a model raises is told as a fault; the thread lives on."""
    faults = [fault]

    def answer(_image: NDArray[np.uint8]) -> NDArray[np.float64]:
        if faults:
            raise faults.pop()
        return one_hot(1)

    worker, done = made(answer)
    worker.submit(1, IMAGE)
    end = done.get(timeout=WAIT_S)
    assert end.prediction is None
    assert end.fault
    assert not worker.busy
    worker.submit(2, IMAGE)
    good = done.get(timeout=WAIT_S)
    assert good.prediction is not None
    assert good.fault == ''


def test_stop_waits_for_a_running_call(made: Made) -> None:
    """Stop says False while the model still runs, and True once it has ended."""
    gate = Gate()
    worker, done = made(gate)
    worker.submit(0, IMAGE)
    assert gate.entered.wait(WAIT_S)
    assert worker.stop(0.01) is False
    gate.open.set()
    assert worker.stop(WAIT_S) is True
    assert done.get(timeout=WAIT_S).prediction is not None


def test_run_gives_a_good_answer_through() -> None:
    """A prediction that is one comes back as it is."""
    assert run(Returning(GOOD), IMAGE) is GOOD


@pytest.mark.parametrize(
    'answer',
    [
        None,
        (0.5, 0.5),
        GOOD._replace(scores=()),
        GOOD._replace(scores=(1.0,), class_id=0),
        GOOD._replace(scores=(float('nan'), 1.0)),
        GOOD._replace(scores=(float('inf'), 0.0), class_id=0),
        GOOD._replace(scores=(-0.5, 1.5)),
        GOOD._replace(scores=(0.3, 0.3)),
        GOOD._replace(scores=(30.0, 70.0)),
        GOOD._replace(scores=('a', 'b')),  # type: ignore[arg-type]
        GOOD._replace(class_id=0),
        GOOD._replace(class_id=-1),
        GOOD._replace(class_id=7),
    ],
    ids=str,
)
def test_run_refuses_what_is_no_prediction(answer: Any) -> None:
    """A model of the user's that keeps the contract badly is a failed call, named by the model.

    A NaN let through here would end in the decision, where it stops perception.
    """
    with pytest.raises(PredictionError, match='user'):
        run(Returning(answer), IMAGE)


def test_run_lets_the_user_interrupt() -> None:
    """Ctrl-C is no fault of a model."""

    def answer(_image: NDArray[np.uint8]) -> NDArray[np.float64]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(FakeModel('f', answer), IMAGE)


def test_a_model_that_wants_to_exit_ends_nothing() -> None:
    """`sys.exit` in a user's model is a failed call; neither the thread nor the node ends."""

    def leave(_image: np.ndarray) -> np.ndarray:
        raise SystemExit(3)

    with pytest.raises(PredictionError, match='SystemExit'):
        run(FakeModel('f', leave), IMAGE)
