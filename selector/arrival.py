"""Arrival: how much time is left, and how likely an answer comes before the deadline."""

from __future__ import annotations


def p_arrive(remaining_s: float, p50_s: float, p99_s: float) -> float:
    """Return P(latency <= remaining_s) from two quantiles of the latency, in [0, 1].

    Piecewise linear through (p50, 0.5), (p99, 0.99) and (2 * p99, 1); below the median it is 0: an
    answer that is more likely late than not is never waited for.

    Args:
        remaining_s: time left until the deadline [s]; negative when it has passed.
        p50_s: median latency [s].
        p99_s: 99th percentile of the latency [s], >= p50_s.
    """
    if remaining_s < p50_s or remaining_s <= 0.0:
        return 0.0
    if remaining_s < p99_s:
        return 0.5 + 0.49 * (remaining_s - p50_s) / (p99_s - p50_s)
    if p99_s <= 0.0 or remaining_s >= 2.0 * p99_s:
        return 1.0
    return 0.99 + 0.01 * (remaining_s - p99_s) / p99_s


def remaining_for(share: float, p50_s: float, p99_s: float) -> float:
    """Return the least time left [s] at which `p_arrive` reaches `share`, in (0, 1].

    Args:
        share: the probability wanted.
        p50_s, p99_s: as for `p_arrive`.
    """
    if share <= 0.5:
        return p50_s
    if share <= 0.99:
        return p50_s + (share - 0.5) / 0.49 * (p99_s - p50_s)
    return p99_s + (share - 0.99) / 0.01 * p99_s


def remaining(
    stamp_ns: int, receive_ns: int, now_ns: int, deadline_s: float, max_skew_s: float
) -> tuple[float, bool]:
    """Return the time left until a frame's deadline [s] and whether its stamp was set aside.

    The deadline counts from the header stamp; from receipt, where stamp and node clock differ by
    more than allowed (a camera with a clock of its own, an unset stamp).

    Args:
        stamp_ns: header stamp [ns].
        receive_ns: node clock at receipt [ns].
        now_ns: node clock now [ns].
        deadline_s: time from stamp to deadline [s].
        max_skew_s: largest believable difference of stamp and receipt [s].
    """
    skewed = abs(receive_ns - stamp_ns) * 1e-9 > max_skew_s
    start_ns = receive_ns if skewed else stamp_ns
    return deadline_s - (now_ns - start_ns) * 1e-9, skewed
