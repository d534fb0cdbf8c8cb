"""Plan: which contenders run on which streams, and how the results are put together."""

from __future__ import annotations

from typing import NamedTuple

from selector.correlation_file import read_correlation
from selector.fitted_gain import FittedGain
from selector.installed import share

from benchmarks.bench.compare import Job
from benchmarks.bench.compare import run_all
from benchmarks.bench.compare import Score
from benchmarks.bench.compare import Source
from benchmarks.bench.compare import stream_of
from benchmarks.bench.contenders import baselines
from benchmarks.bench.contenders import Contender
from benchmarks.bench.contenders import frugal
from benchmarks.bench.contenders import libraries
from benchmarks.bench.contenders import ours
from benchmarks.bench.contenders import reusing
from benchmarks.bench.contenders import warm
from benchmarks.bench.simulate import NONE
from benchmarks.bench.simulate import SEEN
from benchmarks.bench.simulate import TENTH

SPENDS = (0.05, 0.15, 0.3)
MIDDLE = 0.15
CURVE = (0.02, 0.1, 0.5, 0.8)
CURVE_SEEDS = 3
LIBRARY_SEEDS = 5
CIFAR = ('independent', 'changing', 'tracks', 'dark', 'noise', 'noise, blind')
MISLEADING = ('dark', 'noise')
BLIND = 'noise, blind'
FITTED_ON = 'calibration'
SAME_ORDER = ('entropy threshold', 'margin threshold', 'periodic')
"""These order the frames much as confidence and chance do, and run on one stream only."""


class Scale(NamedTuple):
    """How much is run.

    Attributes:
        frames: of each stream.
        seeds: of each contender.
        spends: calls a frame.
        kinds: of streams.
        workers: processes.
        quiet: no progress on stderr.
        split: images that results are reported on; what an offline fit saw is left out on them.
    """

    frames: int
    seeds: int
    spends: tuple[float, ...]
    kinds: tuple[str, ...]
    workers: int
    quiet: bool
    split: str = 'report'


Results = dict[tuple[str, ...], list[Score]]
"""Scores by (kind of stream, spend, name of the contender)."""


def fitted() -> FittedGain:
    """Return the offline fit of the embedded pair: clean and three corruptions, other images."""
    return FittedGain(read_correlation(share() / 'models' / 'correlation_cifar10.json').tables, '')


def own(kind: str, spend: float) -> list[Contender]:
    """Return our policy in the forms that a stream and a spend call for."""
    if kind == BLIND:
        return [frugal(TENTH), frugal(NONE)]
    found = [ours(feedback) for feedback in (NONE, SEEN)]
    found.append(ours(SEEN._replace(full=True)))
    if kind == 'tracks':
        found += [ours(NONE, reuse=True), ours(SEEN, reuse=True)]
    if spend == MIDDLE:
        found += [ours(TENTH), ours(NONE._replace(full=True))]
        if kind in CIFAR and kind != 'tracks':
            found += [warm(fitted(), NONE), ours(SEEN, audit_share=0.1)]
        if kind in ('independent', 'changing'):
            found += [ours(SEEN._replace(declared=True)), warm(fitted(), SEEN)]
    if kind == 'noise':
        found += [frugal(TENTH), frugal(NONE)]
    return found


def others(kind: str, spend: float, frames: int) -> list[Contender]:
    """Return the baselines of a stream: all at the middle spend, the two to beat at each."""
    tuning = stream_of(Source(kind, min(6000, frames)), 0, 'tuning')
    found = baselines(spend, tuning, fitted() if kind in CIFAR else None)
    if kind != 'independent':
        found = [c for c in found if c.name not in SAME_ORDER]
    if spend != MIDDLE or kind in MISLEADING:
        found = [c for c in found if c.name in ('random', 'confidence threshold')]
    if kind == 'tracks':
        shelled = ('confidence threshold', 'random', 'HI-LCB', 'LinUCB')
        found += [reusing(c) for c in found if c.name in shelled]
    return found


def lookup(source: Source, spend: float, name: str) -> Contender:
    """Return a contender by its name; workers make their own."""
    mine = [c for c in own(source.kind, spend) if c.name == name]
    if mine:
        return mine[0]
    if name == ours(SEEN).name:
        return ours(SEEN)
    found = others(source.kind, spend, source.frames) + libraries()
    return next(c for c in found if c.name == name)


def gather(scale: Scale, with_libraries: bool) -> Results:
    """Return the scores of everything on the reporting half, knobs chosen on the tuning half."""
    jobs: list[Job] = []
    for kind in scale.kinds:
        source = Source(kind, scale.frames, scale.split)
        for spend in _spends(kind, scale):
            for contender in _contenders(kind, spend, scale):
                jobs += _jobs(source, contender, spend, scale.seeds)
        for spend in CURVE if scale.seeds > 2 and kind != BLIND else ():
            jobs += _jobs(source, ours(SEEN), spend, CURVE_SEEDS)
        if with_libraries and kind in ('independent', 'analytic 1'):
            for contender in libraries():
                jobs += _jobs(source, contender, MIDDLE, min(scale.seeds, LIBRARY_SEEDS))
    return run_all(jobs, lookup, scale.workers, scale.quiet)


def _contenders(kind: str, spend: float, scale: Scale) -> list[Contender]:
    """Return ours and the baselines; on images that the offline fit saw, what it did not touch."""
    found = own(kind, spend) + others(kind, spend, scale.frames)
    return [c for c in found if not (c.fitted and scale.split == FITTED_ON)]


def _spends(kind: str, scale: Scale) -> tuple[float, ...]:
    """Return the spends of a stream; where confidence misleads, the two that are judged."""
    if kind == BLIND:
        return scale.spends[-1:]
    return scale.spends[-2:] if kind in MISLEADING else scale.spends


def _jobs(source: Source, contender: Contender, spend: float, seeds: int) -> list[Job]:
    key = source.kind, f'{spend:g}', contender.name
    return [Job(key, source, spend, seed) for seed in range(seeds)]
