"""Latency: how long a tier takes to answer, learned from every call, timeouts included."""

from __future__ import annotations

import math

from selector.arrival import p_arrive
from selector.arrival import remaining_for

BINS = 48
_LOW_S, _STEP = 0.0005, 1.25
_EDGES_S = tuple(_LOW_S * _STEP**k for k in range(BINS))
"""Upper edge of each bin [s], 0.5 ms to 18 s; what is slower falls into one more bin."""

PRIOR_CALLS = 20.0
MEMORY_CALLS = 200.0
RELAX_S = 20.0


class Latency:
    """Distribution of one tier's latency: a profile, corrected by what the calls showed.

    The profile counts as PRIOR_CALLS calls, the last MEMORY_CALLS calls or so count beside it. A
    call that was given up after c seconds says only that it took longer: its weight goes to the
    bins above c in the proportion they have already (right-censored). So one timeout lowers
    P(arrival) a little and ten in a row by a lot: there is no mode that it falls into.
    """

    def __init__(self, p50_s: float, p99_s: float) -> None:
        """Start from the profiled median and 99th percentile [s]."""
        self._p50_s, self._p99_s = p50_s, p99_s
        self._prior = _prior(p50_s, p99_s)
        self._seen = [0.0] * (BINS + 1)
        self._total = 0.0

    def observe(self, latency_s: float, *, ended: bool) -> None:
        """Take in a call that took `latency_s`, or was given up after it (`ended` false).

        A call that failed never arrives: its latency is infinite, however fast it failed.
        """
        keep = 1.0 - 1.0 / MEMORY_CALLS
        self._seen = [weight * keep for weight in self._seen]
        self._total = self._total * keep + 1.0
        first = _bin(latency_s)
        if ended:
            self._seen[first] += 1.0
            return
        tail = [
            p + s for p, s in zip(self._prior[first + 1 :], self._seen[first + 1 :], strict=True)
        ]
        mass = math.fsum(tail)
        for k, weight in enumerate(tail, first + 1):
            self._seen[k] += weight / mass if mass > 0.0 else 1.0 / len(tail)

    def relax(self, elapsed_s: float) -> None:
        """Forget a little of the calls: a tier that is not called any more is tried again.

        Args:
            elapsed_s: time that passed without a call because of them [s].
        """
        keep = max(0.0, 1.0 - elapsed_s / RELAX_S)
        self._seen = [weight * keep for weight in self._seen]
        self._total *= keep

    def p_arrive(self, remaining_s: float) -> float:
        """Return P(latency <= remaining_s) in [0, 1]; 0 where no time is left.

        Before the first call this is the profile's; afterwards it is linear within a bin.
        """
        if remaining_s <= 0.0:
            return 0.0
        profile = p_arrive(remaining_s, self._p50_s, self._p99_s)
        if not self._total:
            return profile
        whole = _bin(remaining_s)
        below = math.fsum(self._seen[:whole])
        if whole < BINS:
            start_s = _EDGES_S[whole - 1] if whole else 0.0
            inside = (remaining_s - start_s) / (_EDGES_S[whole] - start_s)
            below += inside * self._seen[whole]
        share = (PRIOR_CALLS * profile + below) / (PRIOR_CALLS + self._total)
        return min(1.0, share)

    def remaining_for(self, share: float) -> float | None:
        """Return the least time [s] at which `p_arrive` reaches `share`, None where none does."""
        if not self._total:
            return remaining_for(share, self._p50_s, self._p99_s)
        low, high = 0.0, 2.0 * max(_EDGES_S[-1], self._p99_s)
        if self.p_arrive(high) < share:
            return None
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self.p_arrive(middle) >= share else (middle, high)
        return high


def _bin(latency_s: float) -> int:
    """Return the number of the bin of a latency [s]; BINS for one beyond the last edge."""
    low, high = 0, BINS
    while low < high:
        middle = (low + high) // 2
        if _EDGES_S[middle] >= latency_s:
            high = middle
        else:
            low = middle + 1
    return low


def _prior(p50_s: float, p99_s: float) -> list[float]:
    """Return the weight that the profile gives each bin, PRIOR_CALLS in all."""
    below = [p_arrive(edge_s, p50_s, p99_s) for edge_s in _EDGES_S] + [1.0]
    return [PRIOR_CALLS * (b - a) for a, b in zip([0.0, *below[:-1]], below, strict=True)]
