"""Footprint: what loading a model and calling it first takes, measured in a child process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import contextlib
import multiprocessing
from pathlib import Path
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.config import Config
from selector.errors import ModelError
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.meters.figure import unknown
from selector.tools.one_model import load_model

CALLS = 10
_STATUS, _RESET = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class Child(NamedTuple):
    """What one child saw.

    Attributes:
        load_s: time to check and load the model [s].
        first_s: time of its first call [s].
        rise: how far the resident memory rose at its peak [B], None where the system does not say.
        peak: resident memory of the whole process at its peak [B], likewise.
    """

    load_s: float
    first_s: float
    rise: int | None
    peak: int | None


class Footprint(NamedTuple):
    """What a model takes before it is warm.

    Attributes:
        load: to check and load the file [s].
        first: the first call [s].
        rise: what it adds to the memory of a process [B].
        process: memory of a process that runs it and nothing else [B].
    """

    load: Figure
    first: Figure
    rise: Figure
    process: Figure


def footprint(
    config: Config, name: str, threads: int, image: NDArray[np.uint8], children: int
) -> Footprint:
    """Return the largest of what `children` processes saw, one after the other.

    Raises:
        ModelError: the model cannot be loaded, or its process died.
        PredictionError: it cannot be called.
    """
    seen = [_in_child(config, name, threads, image) for _ in range(children)]
    how = f'largest of {children} child processes, file cached'
    memory = f'{how}; loaded and called {CALLS} times'
    return Footprint(
        load=stated(max(c.load_s for c in seen), 's', how, 'measured'),
        first=stated(max(c.first_s for c in seen), 's', how, 'measured'),
        rise=_bytes([c.rise for c in seen], f'{memory}; rise of the resident memory'),
        process=_bytes([c.peak for c in seen], f'{memory}; with Python and its libraries'),
    )


def _bytes(values: Sequence[int | None], source: str) -> Figure:
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return unknown('B', f'this system does not say ({_STATUS}, {_RESET})')
    return stated(float(max(known)), 'B', source, 'measured')


def _in_child(config: Config, name: str, threads: int, image: NDArray[np.uint8]) -> Child:
    # Spawned: a forked child would begin with our memory, and so would its peak.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(child, config, name, threads, image).result()
        except BrokenProcessPool as err:
            raise ModelError(
                f'{name}: the process that loaded it died; is there enough memory?'
            ) from err


def child(config: Config, name: str, threads: int, image: NDArray[np.uint8]) -> Child:
    """Load and call a model, and say what that took; run in a process of its own."""
    before = _memory('VmRSS') if _peak_reset() else None
    start = time.perf_counter()
    model = load_model(config, name, threads)
    loaded = time.perf_counter()
    model.predict(image)
    first = time.perf_counter()
    for _ in range(CALLS - 1):
        model.predict(image)
    peak = _memory('VmHWM')
    rise = None if before is None or peak is None else max(0, peak - before)
    return Child(loaded - start, first - loaded, rise, peak)


def _peak_reset() -> bool:
    """Have the peak count anew, as importing the libraries had one too; False where we may not."""
    with contextlib.suppress(OSError):
        _RESET.write_text('5')
        return True
    return False


def _memory(field: str) -> int | None:
    """Return a field of this process's status [B].

    Not ru_maxrss: where a process is started without a fork of its own, it begins with the peak
    of the one that started it.
    """
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(f'{field}:'):
                return 1024 * int(line.split()[1])
    return None
