"""Compare: run contenders on streams in parallel, and set them side by side at equal spend."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
import os
import sys
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import analytic_stream
from benchmarks.bench import cifar_streams
from benchmarks.bench import robocup_stream
from benchmarks.bench.contenders import budget
from benchmarks.bench.contenders import Contender
from benchmarks.bench.metrics import streaming_loss
from benchmarks.bench.metrics import worst_window
from benchmarks.bench.simulate import Simulation
from benchmarks.bench.stream import part
from benchmarks.bench.stream import Stream

CAMERA = ('day', 'dusk', 'motion_blur', 'dirty_lens')
BIN_FRAMES = 1000
TUNING_FRAMES = 6000
TUNING_STEPS = 8


class Source(NamedTuple):
    """Which stream, without its seed.

    Attributes:
        kind: `independent`, `changing`, `tracks`, `dark`, `noise`, `noise, blind`, `analytic 1`,
            `analytic 2`, `robocup` or `robocup bag`.
        frames: how many.
        split: images of the reporting half, on the CIFAR-10 streams.
    """

    kind: str
    frames: int
    split: str = 'report'


class Score(NamedTuple):
    """What one run gained.

    Attributes:
        gain: mean loss saved a frame, against the fast answer.
        spend: calls a frame, audits included.
        invoked: calls a frame to answer.
        overspend: worst window of charge beyond accrual, in calls.
        price_positive: share of frames on which the scarcity price was above 0.
        budget_share: spent over accrued, from the start.
        streaming: streaming loss.
        decide_p50_s, decide_p99_s: measured time of the controller a frame [s].
        by_cluster: (C,) sum of the loss saved by cluster.
        frames_by_cluster: (C,) frames of each.
        invoked_by_bin: share of frames invoked, by BIN_FRAMES frames.
    """

    gain: float
    spend: float
    invoked: float
    overspend: float
    price_positive: float
    budget_share: float
    streaming: float
    decide_p50_s: float
    decide_p99_s: float
    by_cluster: NDArray[np.float64]
    frames_by_cluster: NDArray[np.float64]
    invoked_by_bin: NDArray[np.float64]


@lru_cache(maxsize=6)
def stream_of(source: Source, seed: int, half: str) -> Stream:
    """Return a stream; `half` is `tuning` or `report`."""
    kind, frames, split = source
    split = 'development' if half == 'tuning' else split
    if kind.startswith('analytic'):
        offset = 10_000 if half == 'tuning' else 0
        return analytic_stream.analytic(int(kind[-1]), offset + seed, frames)
    if kind == 'tracks':
        return cifar_streams.tracks(split, seed, frames)
    if kind == 'changing':
        return cifar_streams.blocks(split, seed, (*CAMERA, 'dark'), frames, frames // 8)
    if kind in ('dark', 'noise'):
        return cifar_streams.independent(split, seed, (kind,), frames)
    if kind == 'noise, blind':
        return _blinded(cifar_streams.independent(split, seed, ('noise',), frames), seed)
    if kind == 'independent':
        return cifar_streams.independent(split, seed, CAMERA, frames)
    return _robocup(kind, seed, half)


def _blinded(stream: Stream, seed: int) -> Stream:
    """Return a stream whose evidence is that of other frames: what is seen tells nothing.

    It still tells how often the models differ on the whole, and is as varied as before.
    """
    order = np.random.default_rng([13, seed]).permutation(len(stream.label))
    return stream._replace(
        evidence_override=stream.evidence[order],
        slow_evidence_override=stream.slow_evidence[order],
        sharpness=stream.sharpness[order],
        exposure=stream.exposure[order],
    )


def _robocup(kind: str, seed: int, half: str) -> Stream:
    """Return the crops of every second camera frame, or those of the bag, tuned on the crops."""
    crops = robocup_stream.crops(seed)
    found = robocup_stream.bag() if kind == 'robocup bag' and half == 'report' else crops
    if found is None or crops is None:
        raise LookupError('SELECTOR_ROBOCUP_DIR names no folder')
    if kind == 'robocup bag':
        return found
    return part(found, found.cluster % 2 == (half == 'report'), restamp=True)


def run(source: Source, contender: Contender, spend: float, knob: float, seed: int) -> Score:
    """Return the score of one contender on the reporting half with one seed."""
    return scored(stream_of(source, seed, 'report'), contender, spend, knob, seed)


def scored(stream: Stream, contender: Contender, spend: float, knob: float, seed: int) -> Score:
    """Return the score of one contender on a stream."""
    settings = budget(spend, contender)
    made = Simulation(stream, settings, contender.make(knob), contender.feedback)
    trace = made.run(seed)
    saved = stream.fast_loss - (trace.answer != stream.label)
    bins = max(1, len(saved) // BIN_FRAMES)
    stamp_s = (stream.stamp_ns - stream.stamp_ns[0]) * 1e-9
    whole = np.array_split(trace.invoked.astype(float), bins)
    return Score(
        float(saved.mean()),
        float(trace.charge.mean()),
        float(trace.invoked.mean()),
        worst_window(trace.charge, trace.accrued),
        float((trace.scarcity > 0.0).mean()),
        float(trace.charge.sum() / max(1e-9, spend * len(saved))),
        streaming_loss(stamp_s, trace.publish_s, trace.answer, stream.label),
        float(np.median(trace.decide_s)),
        float(np.percentile(trace.decide_s, 99)),
        np.bincount(stream.cluster, saved),
        np.bincount(stream.cluster).astype(float),
        np.array([part.mean() for part in whole]),
    )


def tuned(source: Source, contender: Contender, spend: float) -> float:
    """Return the knob that spends what is wanted on the tuning half, the most selective such."""
    if contender.knobs is None or contender.knobs[0] == contender.knobs[1]:
        return 0.0 if contender.knobs is None else contender.knobs[0]
    low, high = contender.knobs
    shorter = source._replace(frames=min(source.frames, TUNING_FRAMES))
    stream = stream_of(shorter, 0, 'tuning')
    for _ in range(TUNING_STEPS):
        middle = 0.5 * (low + high)
        enough = scored(stream, contender, spend, middle, 0).spend >= 0.985 * spend
        low, high = (middle, high) if enough else (low, middle)
    return low


class Progress:
    """A line on stderr: what is done, how fast, how long it will take."""

    def __init__(self, total: int, quiet: bool = False) -> None:
        """Expect `total` steps."""
        self._total, self._done, self._quiet = total, 0, quiet
        self._start_s = self._said_s = time.monotonic()

    def step(self, name: str) -> None:
        """Count one step."""
        self._done += 1
        now_s = time.monotonic()
        if self._quiet or (now_s - self._said_s < 2.0 and self._done < self._total):
            return
        self._said_s = now_s
        spent_s = now_s - self._start_s
        left_s = spent_s / self._done * (self._total - self._done)
        line = f'{self._done}/{self._total} {spent_s:.0f} s, {left_s:.0f} s left: {name}'
        end = '\r' if sys.stderr.isatty() else '\n'
        print(f'{line:79.79s}', end=end, file=sys.stderr, flush=True)


class Job(NamedTuple):
    """One run in a worker: the contender is made there, by its place in `lookup`'s answer."""

    key: tuple[str, ...]
    source: Source
    spend: float
    seed: int


Lookup = Callable[[Source, float, str], Contender]


def run_all(
    jobs: Iterable[Job], lookup: Lookup, workers: int, quiet: bool
) -> dict[tuple[str, ...], list[Score]]:
    """Return the scores of all jobs by key, in the order of their seeds."""
    todo = list(jobs)
    progress = Progress(len(todo), quiet)
    found: dict[tuple[str, ...], list[Score]] = {job.key: [] for job in todo}
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    with ProcessPoolExecutor(workers) as pool:
        scores = pool.map(_work, todo, [lookup] * len(todo), chunksize=4)
        for job, score in zip(todo, scores, strict=True):
            found[job.key].append(score)
            progress.step(' '.join(job.key))
    return found


@lru_cache(maxsize=4096)
def _knob(source: Source, spend: float, name: str, lookup: Lookup) -> float:
    return tuned(source, lookup(source, spend, name), spend)


@lru_cache(maxsize=4096)
def _contender(source: Source, spend: float, name: str, lookup: Lookup) -> Contender:
    return lookup(source, spend, name)


def _work(job: Job, lookup: Lookup) -> Score:
    """Run one job; the knob is searched once a process and kept."""
    name = job.key[-1]
    knob = _knob(job.source, job.spend, name, lookup)
    contender = _contender(job.source, job.spend, name, lookup)
    return run(job.source, contender, job.spend, knob, job.seed)
