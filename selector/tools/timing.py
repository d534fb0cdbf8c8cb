"""Timing: how long the calls of a model take, as quantiles."""

from __future__ import annotations

from collections.abc import Sequence
import math
import threading
import time
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.prediction import Model

_P99_CALLS = 100
_ROUNDS = 5
_PATIENCE_S = 120.0


class Timing(NamedTuple):
    """Quantiles of the time of a call [s].

    Attributes:
        calls: how many were timed.
        p50, p90, p99: the quantiles; each is one of the times.
    """

    calls: int
    p50: Figure
    p90: Figure
    p99: Figure


class Beside(NamedTuple):
    """The fast model alone and while the slow one runs, in turns.

    Attributes:
        alone, beside: times of the fast model.
        slow_calls: calls that the slow model ended meanwhile.
    """

    alone: Timing
    beside: Timing
    slow_calls: int


def timed(model: Model, image: NDArray[np.uint8], runs: int, least_s: float = 0.0) -> list[float]:
    """Return the times [s] of at least `runs` calls that go on for at least `least_s`."""
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < runs or time.perf_counter() - begin < least_s:
        start = time.perf_counter()
        model.predict(image)
        times.append(time.perf_counter() - start)
    return times


def timing(times_s: Sequence[float], how: str) -> Timing:
    """Return the quantiles of measured times; `how` says what was measured."""
    calls = len(times_s)
    p50, p90, p99 = np.quantile(times_s, (0.5, 0.9, 0.99), method='inverted_cdf').tolist()
    largest = '' if calls >= _P99_CALLS else ', of which it is the largest'
    return Timing(
        calls=calls,
        p50=stated(p50, 's', f'{calls} calls, {how}', 'measured'),
        p90=stated(p90, 's', f'{calls} calls, {how}', 'measured'),
        p99=stated(p99, 's', f'{calls} calls{largest}, {how}', 'measured'),
    )


def beside(fast: Model, slow: Model, image: NDArray[np.uint8], runs: int, how: str) -> Beside:
    """Return the fast model's times alone and while the slow one runs in another thread.

    Blocks of both take turns, so that a change of the machine meets both alike. A block is at
    least as long as a call of the slow model, so that every part of one is met.
    """
    alone: list[float] = []
    together: list[float] = []
    each = math.ceil(runs / _ROUNDS)
    least_s = max(timed(slow, image, 3))
    with Background(slow, image) as other:
        for _ in range(_ROUNDS):
            alone += timed(fast, image, each, least_s)
            other.resume()
            together += timed(fast, image, each, least_s)
            other.pause()
    return Beside(
        timing(alone, f'{how}, alone'),
        timing(together, f'{how}, while {slow.name} runs in another thread'),
        other.calls,
    )


class Background:
    """Calls a model again and again in a thread of its own, between `resume` and `pause`."""

    def __init__(self, model: Model, image: NDArray[np.uint8]) -> None:
        """Be ready to call `model`."""
        self.calls = 0
        self._model, self._image = model, image
        self._go, self._running, self._still = (threading.Event() for _ in range(3))
        self._end = False
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._loop, name='background', daemon=True)

    def __enter__(self) -> Background:
        """Start the thread; it waits."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread after its current call."""
        self._end = True
        self._go.set()
        self._thread.join(_PATIENCE_S)

    def resume(self) -> None:
        """Go on calling; return when the first call runs."""
        self._still.clear()
        self._go.set()
        self._running.wait(_PATIENCE_S)

    def pause(self) -> None:
        """Stop calling; return when the current call has ended, or raise what it raised."""
        self._go.clear()
        self._still.wait(_PATIENCE_S)
        if self._fault is not None:
            raise self._fault

    def _loop(self) -> None:
        try:
            while True:
                self._running.clear()
                if not self._go.is_set():
                    self._still.set()
                    self._go.wait()
                if self._end:
                    return
                self._running.set()
                self._model.predict(self._image)
                self.calls += 1
        except Exception as err:  # raised in the thread that measures
            self._fault = err
            self._running.set()
            self._still.set()
