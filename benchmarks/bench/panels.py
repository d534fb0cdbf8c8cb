"""Panels: the results as one table a policy and as small charts."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.bench.chart import Panel
from benchmarks.bench.chart import Series
from benchmarks.bench.compare import Score
from benchmarks.bench.compare import Source
from benchmarks.bench.compare import stream_of
from benchmarks.bench.metrics import apgr
from benchmarks.bench.metrics import area
from benchmarks.bench.metrics import cpt
from benchmarks.bench.metrics import paired_interval
from benchmarks.bench.plan import Results

SHOWN = (
    'ours, labels where slow ran',
    'ours with reuse, no labels',
    'ours, no labels',
    'confidence threshold',
    'seed rule, learned',
    'HI-LCB',
    'random',
)
NOISE = 'ours, beta 0.05, labels on 10 % of frames, 60 s late'


def summaries(results: Results, frames: int, split: str = 'report') -> list[dict[str, Any]]:
    """Return one row a stream, spend and policy, and the curve figures of each policy."""
    found = [_summary(key, scores) for key, scores in sorted(results.items())]
    for kind, name in sorted({(key[0], key[2]) for key in results}):
        curve = _curve(results, kind, name)
        if len(curve[0]) >= 3:
            source = Source(kind, frames, split)
            slow = float(stream_of(source, 0, 'report').gain.mean())
            figures = _curve_figures(curve[0], curve[1], slow)
            found.append({'stream': kind, 'policy': name, 'slow_only': slow, **figures})
    return found


def _summary(key: tuple[str, ...], scores: list[Score]) -> dict[str, Any]:
    gain, low, high = paired_interval(np.array([s.gain for s in scores]))
    return {
        'stream': key[0],
        'spend_wanted': float(key[1]),
        'policy': key[2],
        'seeds': len(scores),
        'gain': gain,
        'gain_low': low,
        'gain_high': high,
        'spend': float(np.mean([s.spend for s in scores])),
        'invoked': float(np.mean([s.invoked for s in scores])),
        'spend_error': float(np.mean([s.spend for s in scores])) / float(key[1]) - 1.0,
        'worst_window_calls': max(s.overspend for s in scores),
        'streaming_loss': float(np.mean([s.streaming for s in scores])),
        'decide_p50_us': 1e6 * float(np.median([s.decide_p50_s for s in scores])),
    }


def _curve(
    results: Results, kind: str, name: str
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return spend, gain and its interval of one policy, by spend."""
    keys = sorted((float(k[1]), k) for k in results if (k[0], k[2]) == (kind, name))
    rows = []
    for _, key in keys:
        scores = results[key]
        gain, low, high = paired_interval(np.array([s.gain for s in scores]))
        rows.append((float(np.mean([s.spend for s in scores])), gain, low, high))
    columns = list(zip(*rows, strict=True))
    return tuple(list(c) for c in columns)  # type: ignore[return-value]


def _curve_figures(spend: list[float], gain: list[float], top: float) -> dict[str, Any]:
    """Return the area, APGR and CPT of a curve of gain over fast, where slow alone gains `top`."""
    x = np.array([0.0, *spend])
    y = np.array([0.0, *gain])
    shares = (0.2, 0.5, 0.8)
    return {
        'area': area(x, y),
        'apgr': apgr(x, y, 0.0, top) if top > 0.0 else None,
        'cpt': {f'{s:.0%}': cpt(x, y, 0.0, top, s) if top > 0.0 else None for s in shares},
    }


def panels(results: Results) -> list[Panel]:
    """Return one panel a stream, gain in points against calls a frame, and calls under noise."""
    found = []
    for kind in dict.fromkeys(key[0] for key in results if key[0] != 'noise, blind'):
        series = []
        for name in SHOWN:
            if not any((k[0], k[2]) == (kind, name) for k in results):
                continue
            x, y, low, high = (np.array(c) for c in _curve(results, kind, name))
            ours = name.startswith('ours, labels') or 'reuse' in name
            band = (100.0 * low, 100.0 * high) if ours else (None, None)
            series.append(Series(name, x, 100.0 * y, *band, ours))
        found.append(Panel(kind, 'slow calls a frame', 'points of accuracy gained', series))
    noise = results.get(('noise, blind', '0.3', NOISE))
    if noise:
        shares = np.array([s.invoked_by_bin for s in noise])
        x = 1000.0 * (1.0 + np.arange(shares.shape[1]))
        low, high = np.percentile(shares, [10, 90], axis=0)
        line = Series('ours at beta 0.05', x, np.median(shares, axis=0), low, high, True)
        found.append(
            Panel('noise, evidence of other frames', 'frame', 'slow share to answer', [line])
        )
    return found
