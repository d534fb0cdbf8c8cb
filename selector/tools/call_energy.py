"""Call energy: blocks with and without calls, read by a meter."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time
from types import TracebackType
from typing import NamedTuple

from selector.meters.energy import CallEnergy
from selector.meters.energy import EnergyMeter
from selector.meters.energy import per_call
from selector.meters.energy import power
from selector.meters.energy import Reading
from selector.meters.energy import Repeat
from selector.meters.figure import Figure

_LEAST_PERIOD_S, _MOST_PERIOD_S = 0.02, 1.0
_VALUES = 10.0


class Pace(NamedTuple):
    """How time is told and spent: the machine's own, or a scripted one in tests.

    Attributes:
        now: the time [s].
        sleep: let so much of it pass [s].
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


_REAL = Pace()


class Sampler:
    """Reads a meter again and again in a thread, so that sampled power becomes energy."""

    def __init__(self, meter: EnergyMeter) -> None:
        """Be ready to read `meter`, twice for each value that it has."""
        self._meter = meter
        self._wait_s = min(max(0.5 * meter.period_s, _LEAST_PERIOD_S), _MOST_PERIOD_S)
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name='energy meter', daemon=True)

    def __enter__(self) -> Sampler:
        """Start reading."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading."""
        self._end.set()
        self._thread.join()

    def now(self) -> Reading:
        """Return the reading of this moment."""
        with self._lock:
            return self._meter.read(time.monotonic())

    def _loop(self) -> None:
        while not self._end.wait(self._wait_s):
            self.now()


def call_energy(
    meter: EnergyMeter, call: Callable[[], object], repeats: int, block_s: float
) -> CallEnergy:
    """Return the energy of a call: `repeats` times a block without and one with calls.

    Args:
        meter: what is read.
        call: makes one call and waits for its real end.
        repeats: 2 to 10.
        block_s: least length of a block [s]; longer where the meter has few values in it.
    """
    block_s = max(block_s, _VALUES * meter.period_s)
    with Sampler(meter) as sampler:
        made = [repeat(sampler.now, call, block_s, meter.period_s) for _ in range(repeats)]
    return per_call(meter, [m[0] for m in made], sum(m[1] for m in made) / len(made))


def repeat(
    read: Callable[[], Reading],
    call: Callable[[], object],
    block_s: float,
    tail_s: float,
    pace: Pace = _REAL,
) -> tuple[Repeat, float]:
    """Return one repeat and the mean time of its calls [s].

    After the last call the meter gets `tail_s` more [s]: what the calls caused shows late.
    """
    idle = read()
    pace.sleep(block_s)
    start, first, calls = pace.now(), read(), 0
    while not calls or pace.now() - start < block_s:
        call()
        calls += 1
    call_s = (pace.now() - start) / calls
    pace.sleep(tail_s)
    return Repeat((idle, first), (first, read()), calls), call_s


def base_load(
    meter: EnergyMeter, call: Callable[[], object], rate_hz: float, block_s: float
) -> Figure:
    """Return the power [W] while `call` is made `rate_hz` times a second and nothing else runs."""
    block_s = max(block_s, _VALUES * meter.period_s)
    with Sampler(meter) as sampler:
        first = sampler.now()
        paced(call, rate_hz, block_s)
        last = sampler.now()
    found = power(meter, first, last)
    if found.value is None:
        return found
    return Figure(found.value, 'W', f'{found.source}, {rate_hz:g} calls/s', 0.0, found.kind)


def paced(call: Callable[[], object], rate_hz: float, block_s: float, pace: Pace = _REAL) -> int:
    """Make calls at a rate for a time; return how many, fewer where they take too long."""
    start, calls = pace.now(), 0
    while pace.now() - start < block_s:
        call()
        calls += 1
        pace.sleep(max(0.0, start + calls / rate_hz - pace.now()))
    return calls
