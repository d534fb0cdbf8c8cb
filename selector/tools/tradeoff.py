"""Tradeoff: what a run's decisions were worth beside the simple ways to spend the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.build import FAST
from selector.build import Plan
from selector.build import SLOW
from selector.tools.profile import Profile


class Row(NamedTuple):
    """One way to answer every frame.

    Attributes:
        name: of the way.
        accuracy: share of labelled frames answered right, None without labels.
        slow_share: share of frames on which slow ran.
        latency_s: mean model time a frame [s], measured; None when no model ran.
        energy_j: mean energy a frame [J], None when unknown.
    """

    name: str
    accuracy: float | None
    slow_share: float
    latency_s: float | None
    energy_j: float | None


def rows(
    profile: Profile, made: Plan, invoked: NDArray[np.bool_], answer: NDArray[np.int64]
) -> list[Row]:
    """Return fast only, slow only, random at the same spend, this run, and the oracle.

    The oracle spends the same number of calls on the frames where only slow is right; it knows the
    labels and cannot be reached.

    Args:
        profile: both models on every frame.
        made: the plan, for the energy figures.
        invoked: (N,) where this run had slow run, audits included.
        answer: (N,) what this run committed, answers that were carried on included.
    """
    table = profile.table
    known = table.label >= 0
    labelled = int(known.sum())
    fast = _right(table.fast_scores, table.label)[known]
    slow = _right(table.slow_scores, table.label)[known]
    share = float(invoked.mean())
    reachable = int((slow & ~fast).sum())
    calls = int(invoked[known].sum())
    best = int(fast.sum()) + min(calls, reachable)
    ours = int((answer == table.label)[known].sum())
    fast_only, slow_only, own, oracle = (
        float(right) / max(1, labelled) for right in (fast.sum(), slow.sum(), ours, best)
    )
    accuracies = {
        'fast only': (fast_only, 0.0),
        'slow only': (slow_only, 1.0),
        'random, same spend': ((1.0 - share) * fast_only + share * slow_only, share),
        'ours': (own, share),
        'oracle, same spend': (oracle, share),
    }
    return [
        _row(name, accuracy if labelled else None, part, profile, made)
        for name, (accuracy, part) in accuracies.items()
    ]


def advantage(profile: Profile, invoked: NDArray[np.bool_], answer: NDArray[np.int64]) -> str:
    """Return how far this run is from random at the same spend, with a 95 % interval.

    Frames of one object are no independent samples, so the interval is clustered by object (by
    frame where the table has no tracks), and unknown with one object; '' without labels.
    """
    table = profile.table
    known = table.label >= 0
    if not known.any():
        return ''
    fast, slow = (_right(s, table.label) for s in (table.fast_scores, table.slow_scores))
    share = float(invoked.mean())
    extra = (answer == table.label) - ((1.0 - share) * fast + share * slow)
    own = np.arange(len(known)) + table.track.max() + 1
    _, cluster = np.unique(np.where(table.track < 0, own, table.track)[known], return_inverse=True)
    mean = float(extra[known].mean())
    sums = np.bincount(cluster, extra[known] - mean)
    half = 1.96 * float(np.sqrt((sums**2).sum())) / int(known.sum())
    interval = f'{100 * (mean - half):+.1f} to {100 * (mean + half):+.1f} ({len(sums)} objects)'
    return (
        f'ours - random: {100 * mean:+.1f} points of accuracy, 95 % interval '
        f'{interval if len(sums) > 1 else "unknown (1 object)"}'
    )


def render(table: list[Row], energy_kind: str) -> str:
    """Return the rows as a text table; `energy_kind` says where the energy figures come from."""
    head = f'{"":22}{"accuracy":>10}{"slow share":>12}{"latency":>12}{"energy":>12}'
    lines = [head]
    for row in table:
        accuracy = 'unknown' if row.accuracy is None else f'{row.accuracy:.3f}'
        latency = 'unknown' if row.latency_s is None else f'{row.latency_s * 1e3:.2f} ms'
        energy = 'unknown' if row.energy_j is None else f'{row.energy_j * 1e3:.2f} mJ'
        lines.append(
            f'{row.name:22}{accuracy:>10}{row.slow_share:>11.1%} {latency:>11}{energy:>12}'
        )
    lines.append(
        'oracle: knows the labels and buys the frames that only slow gets right, one by one; ours '
        'may also carry answers on'
    )
    lines.append(
        f'latency: mean model time a frame, measured here; energy: mean a frame, {energy_kind} '
        '(J per invocation of the model cards)'
    )
    return '\n'.join(lines)


def _row(name: str, accuracy: float | None, share: float, profile: Profile, made: Plan) -> Row:
    fast_runs = 0.0 if name == 'slow only' else 1.0
    fast_s, slow_s = _mean(profile.fast_wall_s), _mean(profile.slow_wall_s)
    latency = None if fast_s is None or slow_s is None else fast_runs * fast_s + share * slow_s
    fast_j, slow_j = (made.cards[tier].energy_j.value for tier in (FAST, SLOW))
    energy = None if fast_j is None or slow_j is None else fast_runs * fast_j + share * slow_j
    return Row(name, accuracy, share, latency, energy)


def _mean(times: NDArray[np.float64]) -> float | None:
    measured = times[~np.isnan(times)]
    return float(measured.mean()) if measured.size else None


def _right(scores: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.bool_]:
    failed = np.isnan(scores).any(axis=1)
    return np.asarray(
        (np.where(failed, -1, np.nan_to_num(scores).argmax(1)) == label) & (label >= 0)
    )
