"""Special: the two streams on which confidence misleads, and what labels change there."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.bench.compare import Score
from benchmarks.bench.metrics import paired_interval
from benchmarks.bench.plan import Results
from benchmarks.bench.verdict import Ratio

DARK_SPEND, NOISE_SPEND = '0.15', '0.3'
TENTH = 'labels on 10 % of frames, 60 s late'
LATE_BIN = 10


def special(results: Results) -> tuple[dict[str, Any], list[Ratio]]:
    """Return what there is to plot, and the rows: the dark beside random, calls under noise."""
    extra: dict[str, Any] = {}
    rows: list[Ratio] = []
    for feedback in (TENTH, 'labels where slow ran', 'no labels'):
        scores = results.get(('dark', DARK_SPEND, f'ours, {feedback}'))
        chance = results.get(('dark', DARK_SPEND, 'random'))
        if scores and chance:
            rows += _dark(scores, chance, feedback)
    for feedback in (TENTH, 'no labels'):
        name = f'ours, beta 0.05, {feedback}'
        for kind in ('noise, blind', 'noise'):
            scores = results.get((kind, NOISE_SPEND, name))
            if scores:
                by_bin = np.array([score.invoked_by_bin for score in scores])
                extra[f'{kind}: slow share to answer by 1,000 frames, {feedback}'] = {
                    'median': np.median(by_bin, axis=0).tolist(),
                    'low': np.percentile(by_bin, 10, axis=0).tolist(),
                    'high': np.percentile(by_bin, 90, axis=0).tolist(),
                }
                rows.append(
                    _worth(scores, feedback) if kind == 'noise' else _blind(by_bin, feedback)
                )
    return extra, rows


def _dark(scores: list[Score], chance: list[Score], feedback: str) -> list[Ratio]:
    pairs = zip(scores, chance, strict=False)
    # Random at equal spend: what random gained a call, times our calls, audits included.
    differences = [a.gain - b.gain / max(1e-9, b.spend) * a.spend for a, b in pairs]
    mean, low, high = (100.0 * v for v in paired_interval(np.array(differences)))
    what = f'points over random, {feedback}'
    return [
        Ratio('dark', 'dark', DARK_SPEND, what, mean, low, high, 0.0, mean >= 0.0),
        Ratio(
            'dark', 'dark', DARK_SPEND, f'lower bound, {what}', low, low, low, -0.5, low >= -0.5
        ),
    ]


def _blind(by_bin: np.ndarray, feedback: str) -> Ratio:
    """Return how much is still called late, where nothing that is seen tells what slow gains."""
    late = by_bin[:, LATE_BIN:].mean(axis=1) if by_bin.shape[1] > LATE_BIN else by_bin[:, -1]
    value = float(np.median(late))
    low, high = (float(v) for v in np.percentile(late, [2.5, 97.5]))
    what = f'slow share to answer, late frames, {feedback}'
    return Ratio('noise', 'noise, blind', NOISE_SPEND, what, value, low, high, 0.02, value <= 0.02)


def _worth(scores: list[Score], feedback: str) -> Ratio:
    """Return what a call gained where some calls are worth their price: at least beta."""
    gains = np.array([s.gain / max(1e-9, s.invoked) for s in scores])
    mean, low, high = paired_interval(gains)
    what = f'gain a call at beta 0.05, {feedback}'
    return Ratio('noise', 'noise', NOISE_SPEND, what, mean, low, high, 0.05, mean >= 0.05)
