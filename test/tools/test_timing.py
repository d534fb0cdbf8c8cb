"""Timing: quantiles of real calls; fast beside slow, with nothing left running."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.tools.busy import Busy
from selector.tools.busy import cores
from selector.tools.timing import Background
from selector.tools.timing import beside
from selector.tools.timing import timed
from selector.tools.timing import timing

FRAME = np.zeros((4, 4, 3), np.uint8)


class Sleeper:
    """A model that only waits, and counts; after `fails_after` calls it raises."""

    def __init__(self, name: str, wait_s: float, fails_after: int = 10**9) -> None:
        """Wait `wait_s` a call."""
        self.name, self.calls, self.running = name, 0, False
        self._wait_s, self._fails_after = wait_s, fails_after

    def predict(self, image: NDArray[np.uint8]) -> Prediction:  # noqa: D102
        self.running = True
        self.calls += 1
        if self.calls > self._fails_after:
            raise PredictionError(f'{self.name} failed')
        time.sleep(self._wait_s)
        self.running = False
        return Prediction(self.name, (0.5, 0.5), 0, self._wait_s)

    def warm_up(self, runs: int) -> list[float]:  # noqa: D102
        return [0.0] * runs


def test_quantiles_are_times_that_were_measured() -> None:
    """Of 1 to 100 ms: 50, 90 and 99 ms, not something in between."""
    found = timing([k * 1e-3 for k in range(100, 0, -1)], 'counted down')
    assert [found.p50.value, found.p90.value, found.p99.value] == [0.05, 0.09, 0.099]
    assert (found.calls, found.p99.unit, found.p99.kind) == (100, 's', 'measured')
    assert 'largest' not in found.p99.source


def test_few_calls_have_no_99th_percentile() -> None:
    """It is the largest of them, and says so."""
    found = timing([0.001, 0.002, 0.003], 'three')
    assert found.p99.value == 0.003
    assert found.p99.source == '3 calls, of which it is the largest, three'


def test_calls_go_on_until_both_are_reached() -> None:
    """At least so many, and for at least so long."""
    model = Sleeper('m', 0.002)
    assert len(timed(model, FRAME, 5)) == 5
    begin = time.perf_counter()
    times = timed(model, FRAME, 1, least_s=0.02)
    assert time.perf_counter() - begin >= 0.02
    assert len(times) > 1
    assert min(times) >= 0.002


def test_fast_alone_and_while_slow_runs() -> None:
    """Both have at least the calls that were asked for; slow ended at least one a block."""
    fast, slow = Sleeper('fast', 0.0005), Sleeper('slow', 0.01)
    threads = threading.active_count()
    found = beside(fast, slow, FRAME, 10, 'a test')
    assert min(found.alone.calls, found.beside.calls) >= 10
    assert found.slow_calls >= 5
    assert 'while slow runs' in found.beside.p50.source
    assert not slow.running
    assert threading.active_count() == threads


def test_slow_rests_while_fast_is_timed_alone() -> None:
    """Between `pause` and `resume` no call is made; after `resume` one is running."""
    slow = Sleeper('slow', 0.005)
    with Background(slow, FRAME) as other:
        assert slow.calls == 0
        for _ in range(20):
            other.resume()
            assert slow.calls > 0
            other.pause()
            rested = slow.calls
            assert not slow.running
            time.sleep(0.002)
            assert slow.calls == rested
    assert other.calls == slow.calls


def test_a_slow_model_that_fails_is_told() -> None:
    """Its error comes out where the measuring is; nothing hangs."""
    with pytest.raises(PredictionError, match='slow failed'):
        beside(Sleeper('fast', 0.001), Sleeper('slow', 0.001, fails_after=5), FRAME, 10, '')


def test_the_load_is_there_and_gone() -> None:
    """So many processes run during the block, and none after it."""
    with Busy(2) as load:
        assert all(process.poll() is None for process in load._processes)
    assert all(process.poll() is not None for process in load._processes)
    assert cores() >= 1


def test_the_load_ends_with_us() -> None:
    """A process that dies without ending its load leaves none behind."""
    code = (
        'import os\n'
        'from selector.tools.busy import Busy\n'
        'with Busy(1) as load:\n'
        '    print(load._processes[0].pid, flush=True)\n'
        '    os._exit(1)\n'
    )
    told = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, check=False, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    )  # fmt: skip
    pid = int(told.stdout)
    for _ in range(200):
        if not _alive(pid):
            return
        time.sleep(0.05)
    pytest.fail(f'process {pid} still runs')


def _alive(pid: int) -> bool:
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False
