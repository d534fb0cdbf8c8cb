"""Verdict: the rows of the specification, each met or missed, from the scores of all runs."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench.analytic_stream import optimum
from benchmarks.bench.analytic_stream import seed_rule
from benchmarks.bench.compare import Score
from benchmarks.bench.compare import Source
from benchmarks.bench.compare import stream_of
from benchmarks.bench.contenders import BURST
from benchmarks.bench.contenders import routers
from benchmarks.bench.plan import Results

RESAMPLES = 1000
ROUTER_SEEDS = 2
OURS, FULL = 'ours, labels where slow ran', 'ours, labels where slow ran, full information'


class Ratio(NamedTuple):
    """One figure against its target, with a 95 % interval.

    Attributes:
        row: of the specification's table.
        stream, spend: where.
        what: the figure, in words.
        value, low, high: and its interval.
        target: what it is to reach.
        met: whether `value` does.
    """

    row: str
    stream: str
    spend: str
    what: str
    value: float
    low: float
    high: float
    target: float
    met: bool


def ratios(results: Results, frames: int, split: str = 'report') -> list[Ratio]:
    """Return rows 1 to 3 of every stream and spend."""
    found: list[Ratio] = []
    for kind, spend in sorted({key[:2] for key in results}):
        if (kind, spend, 'random') not in results or (kind, spend, OURS) not in results:
            continue
        found += _rows(results, spend, Source(kind, frames, split))
    return found


def _rows(results: Results, spend: str, source: Source) -> list[Ratio]:
    kind = source.kind

    def scores(name: str) -> list[Score]:
        return results[kind, spend, name]

    told = scores(OURS)
    none = scores('ours, no labels')
    full_none = results.get((kind, spend, 'ours, no labels, full information'), [])
    found = [
        _ratio(('1a', kind, spend), 'ours / ours with full information', told, scores(FULL), 0.97),
    ]
    if full_none:
        what = 'the same without labels'
        found.append(_ratio(('1a', kind, spend), what, none, full_none, 0.97))
    reference = hindsight(source, told)
    static = reference['confidence threshold in hindsight']
    found.append(_ratio(('2', kind, spend), 'ours / best threshold', told, static, _two(kind)))
    found.append(_ratio(('2', kind, spend), 'ours without labels / the same', none, static, 0.98))
    for name, router in reference.items():
        if name.startswith('offline'):
            found.append(_ratio(('1b', kind, spend), f'ours / {name}', told, router, 0.97))
    if kind == 'tracks':
        carried = scores('ours with reuse, no labels')
        target = 3.0 if spend == '0.05' else 0.98
        found.append(_ratio(('2', kind, spend), 'with reuse / threshold', carried, static, target))
        shelled = scores('confidence threshold with reuse')
        what = 'with reuse / threshold with reuse'
        found.append(_ratio(('2', kind, spend), what, carried, shelled, 0.98))
    chance = scores('random')
    reachable = _ratio(('3', kind, spend), 'full information / random', scores(FULL), chance, 0.0)
    target = 2.5 if reachable.value >= 2.5 else 0.0
    found.append(reachable)
    found.append(_ratio(('3', kind, spend), 'ours / random', told, chance, target))
    return found


def _two(kind: str) -> float:
    return 1.05 if kind == 'changing' else 0.98


def hindsight(source: Source, ours: list[Score]) -> dict[str, list[Score]]:
    """Return what static rankings reach that spend what ours did to answer, stream by stream.

    They rank all frames of the stream at once and know the share in advance; no bucket binds them.
    The offline routers are cross-fitted on the stream's own labels.
    """
    found: dict[str, list[Score]] = {'confidence threshold in hindsight': []}
    for seed, own in enumerate(ours):
        stream = stream_of(source, seed, 'report')
        rankings = {'confidence threshold in hindsight': -stream.evidence[:, 0]}
        if seed < ROUTER_SEEDS:
            rankings |= _routers(source, seed)
        for name, score in rankings.items():
            count = int(round(own.invoked * len(score)))
            chosen = np.argsort(-score, kind='stable')[:count]
            saved = np.zeros(len(score))
            saved[chosen] = stream.gain[chosen]
            found.setdefault(name, []).append(
                own._replace(
                    gain=float(saved.mean()), by_cluster=np.bincount(stream.cluster, saved)
                )
            )
    return found


@lru_cache(maxsize=32)
def _routers(source: Source, seed: int) -> dict[str, NDArray[np.float64]]:
    return routers(stream_of(source, seed, 'report'))


def _ratio(
    where: tuple[str, str, str], what: str, one: list[Score], other: list[Score], target: float
) -> Ratio:
    """Return the ratio of two gains with an interval, over the seeds that both have."""
    row, kind, spend = where
    seeds = min(len(one), len(other))
    one, other = one[:seeds], other[:seeds]
    low, high = _interval(one, other, kind)
    value = _mean(one) / _mean(other) if _mean(other) else float('nan')
    return Ratio(row, kind, spend, what, value, low, high, target, bool(value >= target))


def _mean(scores: list[Score]) -> float:
    return float(np.mean([score.gain for score in scores]))


def _interval(one: list[Score], other: list[Score], kind: str) -> tuple[float, float]:
    """Return the 95 % interval of a ratio of gains: bootstrap over images, tracks or seeds.

    Runs with other seeds see the same images, so they are pooled by image first; the streams of
    the analytic case share nothing, so there the seeds are resampled.
    """
    if kind.startswith('analytic'):
        pairs = np.array([[a.gain, b.gain] for a, b in zip(one, other, strict=True)])
    else:
        pairs = np.stack([_pooled(one), _pooled(other)], axis=1)
        pairs = pairs[_frames(one) > 0.0]
    draw = np.random.default_rng(9)
    picks = draw.integers(0, len(pairs), (RESAMPLES, len(pairs)))
    sums = pairs[picks].sum(axis=1)
    shares = sums[:, 0] / np.where(sums[:, 1] == 0.0, np.nan, sums[:, 1])
    low, high = np.nanpercentile(shares, [2.5, 97.5])
    return float(low), float(high)


def _pooled(scores: list[Score]) -> NDArray[np.float64]:
    return _summed([score.by_cluster for score in scores])


def _frames(scores: list[Score]) -> NDArray[np.float64]:
    return _summed([score.frames_by_cluster for score in scores])


def _summed(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = np.zeros(max(len(part) for part in parts))
    for part in parts:
        total[: len(part)] += part
    return total


def optimal(results: Results) -> list[Ratio]:
    """Return the gain over the optimum on the analytic streams, at the spend of each run."""
    found = []
    for (kind, spend, name), scores in sorted(results.items()):
        if not kind.startswith('analytic') or name not in (OURS, 'ours, no labels'):
            continue
        variant = int(kind[-1])
        shares = np.array([s.gain / optimum(variant, s.spend) for s in scores])
        half = 1.96 * float(shares.std(ddof=1)) / len(shares) ** 0.5 if len(shares) > 1 else 0.0
        value = float(shares.mean())
        what = f'{name} / OPT of the realised spend'
        found.append(
            Ratio('c', kind, spend, what, value, value - half, value + half, 0.97, value >= 0.97)
        )
        if variant == 2:
            direct = np.array([s.gain / seed_rule(2, s.spend) for s in scores])
            value = float(direct.mean())
            half = (
                1.96 * float(direct.std(ddof=1)) / len(direct) ** 0.5 if len(direct) > 1 else 0.0
            )
            what = f'{name} / seed rule at its best'
            found.append(
                Ratio('c', kind, spend, what, value, value - half, value + half, 1.0, value > 1.0)
            )
    return found


def spends(results: Results) -> list[Ratio]:
    """Return row 4 of our own runs: spend over budget, and the worst window over its bound."""
    found = []
    for (kind, spend, name), scores in sorted(results.items()):
        if name != OURS:
            continue
        binding = [s.budget_share for s in scores if s.price_positive >= 0.95]
        if binding:
            least = float(min(binding))
            what = 'spend / budget where the price binds'
            found.append(
                Ratio('4', kind, spend, what, least, least, max(binding), 0.98, least >= 0.98)
            )
        worst = max(s.overspend for s in scores) / BURST
        what = 'worst window / bound'
        found.append(Ratio('4', kind, spend, what, worst, worst, worst, 1.0, worst <= 1.0))
    return found


def streaming(results: Results) -> list[Ratio]:
    """Return row 12: our streaming loss over the best of all policies, lower is better."""
    found = []
    for kind, spend in sorted({key[:2] for key in results}):
        means = {
            name: float(np.mean([s.streaming for s in scores]))
            for (k, p, name), scores in results.items()
            if (k, p) == (kind, spend) and len(scores) > 1 and 'full information' not in name
        }
        rivals = {n: v for n, v in means.items() if not n.startswith(('ours', 'prices'))}
        own = {n: v for n, v in means.items() if n.startswith('ours')}
        if not rivals or not own:
            continue
        name = min(own, key=lambda n: own[n])
        rival = min(rivals, key=lambda n: rivals[n])
        value = own[name] / rivals[rival]
        what = f'streaming loss, {name} / {rival}'
        found.append(Ratio('12', kind, spend, what, value, value, value, 1.0, value <= 1.005))
    return found
