"""Metrics: figures of merit of a policy on a stream, and how sure they are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.95
_DRAWS_AT_ONCE = 4_000_000  # bounds the memory of a bootstrap to about 100 MB


def worst_window(charge: NDArray[np.float64], accrued: NDArray[np.float64]) -> float:
    """Return the largest overspend of any window of at least one frame.

    Args:
        charge: (N,) what each frame cost, in units of the resource.
        accrued: (N,) what the budget allowed since the frame before, in the same unit.

    Returns:
        The maximum over all windows of charge - accrued, in the same unit; 0 without a frame.
    """
    total = np.concatenate([[0.0], np.cumsum(charge - accrued)])
    if total.size == 1:
        return 0.0
    return float((total[1:] - np.minimum.accumulate(total)[:-1]).max())


def clustered_mean(
    values: NDArray[np.float64],
    cluster: NDArray[np.int64],
    resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Return the mean of the values and its 95 % interval, bootstrapped over clusters.

    Args:
        values: (N,), N >= 1.
        cluster: (N,) which values belong together; whole clusters are drawn.
        resamples: how often all clusters are drawn anew, >= 1.
        rng: source of the draws.

    Returns:
        Mean, lower and upper end; the ends are percentiles of the resampled means.
    """
    _, place = np.unique(cluster, return_inverse=True)
    size = np.bincount(place).astype(np.float64)
    total = np.bincount(place, weights=values)
    at_once = max(1, _DRAWS_AT_ONCE // len(size))
    means = []
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        drawn = rng.integers(0, len(size), (count, len(size)))
        means.append(total[drawn].sum(axis=1) / size[drawn].sum(axis=1))
    tail = 50.0 * (1.0 - COVERAGE)
    low, high = np.percentile(np.concatenate(means), [tail, 100.0 - tail])
    return float(values.mean()), float(low), float(high)


def paired_interval(values_by_seed: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % t-interval.

    Args:
        values_by_seed: (S,), for two policies the difference on each seed; with one seed the
            interval is the whole line.
    """
    mean, count = float(values_by_seed.mean()), len(values_by_seed)
    if count < 2:
        return mean, -math.inf, math.inf
    half = student_t(count - 1) * float(values_by_seed.std(ddof=1)) / math.sqrt(count)
    return mean, mean - half, mean + half


def student_t(freedom: int) -> float:
    """Return t with P(|T| < t) = 95 % for Student's distribution of `freedom` >= 1 degrees.

    With T = sqrt(freedom) tan(angle), the density of the angle is proportional to
    cos(angle)**(freedom - 1): a smooth integral over a finite range. Good to 6 digits up to some
    thousand degrees.
    """
    angle = np.linspace(0.0, 0.5 * np.pi, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    reached = np.interp(COVERAGE * below[-1], below, angle)
    return math.sqrt(freedom) * math.tan(float(reached))


def area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the area under a curve given by K points in any order, by the trapezoid rule.

    Args:
        x: (K,).
        y: (K,).
    """
    order = np.argsort(x, kind='stable')
    x, y = x[order], y[order]
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2.0)


def apgr(
    spend: NDArray[np.float64], accuracy: NDArray[np.float64], fast: float, slow: float
) -> float:
    """Return the average performance gap recovered (RouteLLM, arXiv 2406.18665).

    The share of the gap between both models that is recovered, averaged over the spend from 0 to
    1. A random choice has 0.5. Where the curve does not reach an end, that end is the model alone.

    Args:
        spend: (K,) share of frames that the slow model answers, in [0, 1].
        accuracy: (K,) accuracy at that spend.
        fast: accuracy of the fast model alone.
        slow: accuracy of the slow model alone; where it equals `fast`, the result is NaN.
    """
    if slow == fast:
        return math.nan
    if spend.min() > 0.0:
        spend, accuracy = np.append(0.0, spend), np.append(fast, accuracy)
    if spend.max() < 1.0:
        spend, accuracy = np.append(spend, 1.0), np.append(accuracy, slow)
    return area(spend, (accuracy - fast) / (slow - fast))


def cpt(
    spend: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    fast: float,
    slow: float,
    share: float,
) -> float | None:
    """Return the call-performance threshold: the least spend that recovers `share` of the gap.

    Between two points the curve is a straight line; before the first one it starts at the fast
    model alone.

    Args:
        spend: (K,) share of frames that the slow model answers, in [0, 1].
        accuracy: (K,) accuracy at that spend.
        fast: accuracy of the fast model alone.
        slow: accuracy of the slow model alone.
        share: in (0, 1].

    Returns:
        The spend, in [0, 1]; None where the curve never recovers that much.
    """
    if slow == fast:
        return None
    order = np.argsort(spend, kind='stable')
    x, y = spend[order], (accuracy[order] - fast) / (slow - fast)
    if x[0] > 0.0:
        x, y = np.append(0.0, x), np.append(0.0, y)
    enough = np.flatnonzero(y >= share)
    if not enough.size:
        return None
    k = int(enough[0])
    if k == 0:
        return float(x[0])
    return float(x[k - 1] + (x[k] - x[k - 1]) * (share - y[k - 1]) / (y[k] - y[k - 1]))


def auroc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive's score is above a negative's; ties count half.

    Args:
        score: (N,) 0.5 results where it tells nothing.
        positive: (N,) with at least one true and one false.
    """
    below, above = np.sort(score[~positive]), score[positive]
    wins = np.searchsorted(below, above, 'left') + np.searchsorted(below, above, 'right')
    return float(wins.mean() / (2.0 * len(below)))


def slope(log_x: NDArray[np.float64], log_y: NDArray[np.float64]) -> float:
    """Return the slope of the straight line through K >= 2 points that fits best.

    Args:
        log_x: (K,) such as the logarithms of the numbers of frames, not all equal.
        log_y: (K,) such as the logarithms of the regrets.
    """
    centred = log_x - log_x.mean()
    return float((centred * log_y).sum() / (centred * centred).sum())


def streaming_loss(
    stamp_s: NDArray[np.float64],
    publish_s: NDArray[np.float64],
    answer_class: NDArray[np.int64],
    label: NDArray[np.int64],
) -> float:
    """Return how often what the robot knows when a frame is captured is wrong about that frame.

    At each stamp the newest published answer is scored against that stamp's truth. The newest
    answer is the one about the latest frame among those published by then: an answer that arrives
    after a later frame's is out of date already. Before the first, the loss is 1.

    Args:
        stamp_s: (N,) capture times, increasing [s].
        publish_s: (N,) when the answer about each frame is published [s]; inf for never.
        answer_class: (N,) the answer about each frame.
        label: (N,) its true class.
    """
    by_time = np.argsort(publish_s, kind='stable')
    newest = np.concatenate([[-1], np.maximum.accumulate(by_time)])
    known = newest[np.searchsorted(publish_s[by_time], stamp_s, side='right')]
    wrong = (known < 0) | (answer_class[known] != label)
    return float(wrong.mean())
