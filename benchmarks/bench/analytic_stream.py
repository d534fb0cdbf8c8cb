"""The analytic test case: a stream whose best policy is known in closed form.

A number z, uniform in (0, 1), is all that the evidence reveals about a frame. The fast model is
wrong with probability z. The slow model is wrong with probability a(z) where the fast one is, and
with probability b where it is not. The expected gain of the slow model is then

    g(z) = z (1 - a(z)) - (1 - z) b.

Variant 1: a = 0.2 on every frame, so that g(z) = (1 - a + b) z - b rises with z and the least
confident frames are the best ones:  OPT(rho) = (1 - a + b)(rho - rho^2/2) - b rho.  The seed
rule, a threshold on P(fast wrong) = z, is optimal.

Variant 2: a(z) = z^2: on the hardest frames both models fail. Now

    g(z) = c z - z^3 - b = (1 - z)(z^2 + z - b)   with c = 1 + b

has its maximum at z = sqrt(c/3) = 0.592 and is 0 at both ends of (l0, 1), with l0 = 0.0477 the
root of z^2 + z = b. The best set at spend rho holds the frames of the largest gain: an interval
(l, u) with u - l = rho and g(l) = g(u), which is c = l^2 + l u + u^2, so that

    l = sqrt(c/3 - rho^2/12) - rho/2,   OPT(rho) = G(l + rho) - G(l),
    G(z) = c z^2/2 - z^4/4 - b z   up to rho = 1 - l0 = 0.952.

The seed rule takes (1 - rho, 1), the frames that neither model gets right, and so has
G(1) - G(1 - rho); random choice has rho G(1):

    rho     optimum   random   seed rule
    0.05    0.01819   0.01125  0.00231
    0.15    0.05412   0.03375  0.01869
    0.30    0.10527   0.06750  0.06278

The seed rule is worse than chance here, not just weak: the scalar correlation of both losses sees
the mean of a(z) only. All gains are in correct answers a frame, spends in calls a frame.
"""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np
from numpy.typing import NDArray

from .stream import stamps
from .stream import Stream

A = 0.2
"""P(slow wrong | fast wrong) of variant 1."""
B = 0.05
"""P(slow wrong | fast right) of both variants."""
_C = 1.0 + B


def analytic(variant: int, seed: int, frames: int) -> Stream:
    """Return `frames` independent frames; the label is always 0, and a wrong answer says 1.

    The evidence is (1 - z, 1 - z, z) for the fast and constant for the slow model. The scores do
    depend on the answers, so a policy must not look at them.

    Args:
        variant: 1 or 2.
        seed: of all draws.
        frames: how many.

    Raises:
        ValueError: there is no such variant.
    """
    _known(variant)
    rng = np.random.default_rng([seed, variant])
    z, first, second = rng.random((3, frames))
    fast = first < z
    slow = second < np.where(fast, A if variant == 1 else z * z, B)
    sure = np.maximum(z, 1.0 - z)
    half = np.full(frames, 0.5)
    return Stream(
        name=f'analytic_{variant}',
        stamp_ns=stamps(frames),
        context=np.full(frames, ''),
        cluster=np.arange(frames, dtype=np.int64),
        fast_scores=_scores(fast, sure),
        slow_scores=_scores(slow, np.full(frames, 0.75)),
        label=np.zeros(frames, np.int64),
        sharpness=half,
        exposure=half,
        evidence_override=np.stack([1.0 - z, 1.0 - z, z], axis=1),
        slow_evidence_override=np.full((frames, 3), 0.5),
        fast_class_override=fast.astype(np.int64),
        slow_class_override=slow.astype(np.int64),
    )


def expected_gain(variant: int, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return g(z) (N,), the expected gain of the slow model on frames of evidence z (N,).

    Raises:
        ValueError: there is no such variant.
    """
    _known(variant)
    both = A if variant == 1 else z * z
    return np.asarray(z * (1.0 - both) - (1.0 - z) * B)


def optimum(variant: int, rho: float) -> float:
    """Return the best mean gain a frame at a spend of at most `rho`.

    Frames on which the slow model is expected to lose are left out, which are the last 5.9 % of
    variant 1 and the last 4.8 % of variant 2.

    Args:
        variant: 1 or 2.
        rho: calls a frame, in [0, 1].

    Raises:
        ValueError: there is no such variant, or no such spend.
    """
    integral = _integral(variant, rho)
    if variant == 1:
        return seed_rule(1, rho)
    spend = min(rho, 1.0 - _worthless_below(2))
    low = math.sqrt(_C / 3.0 - spend * spend / 12.0) - spend / 2.0
    return integral(low + spend) - integral(low)


def random_gain(variant: int, rho: float) -> float:
    """Return the mean gain a frame when a share `rho` of the frames is chosen by lot.

    Raises:
        ValueError: there is no such variant, or no such spend.
    """
    integral = _integral(variant, rho)
    return rho * (integral(1.0) - integral(0.0))


def seed_rule(variant: int, rho: float) -> float:
    """Return the best mean gain a frame of a threshold on z at a spend of at most `rho`.

    Raises:
        ValueError: there is no such variant, or no such spend.
    """
    integral = _integral(variant, rho)
    # The gain is positive from there to 1 in both variants: a lower threshold adds losses only.
    threshold = max(1.0 - rho, _worthless_below(variant))
    return integral(1.0) - integral(threshold)


def _integral(variant: int, rho: float) -> Callable[[float], float]:
    """Return the integral of g from 0, after a check of the arguments."""
    _known(variant)
    if not 0.0 <= rho <= 1.0:
        raise ValueError(f'spend {rho}; a share of frames is in [0, 1]')
    if variant == 1:
        return lambda z: (1.0 - A + B) * z * z / 2.0 - B * z
    return lambda z: _C * z * z / 2.0 - z**4 / 4.0 - B * z


def _worthless_below(variant: int) -> float:
    """Return the z at which g changes from losses to gains."""
    return B / (1.0 - A + B) if variant == 1 else (math.sqrt(1.0 + 4.0 * B) - 1.0) / 2.0


def _scores(wrong: NDArray[np.bool_], sure: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 2) scores that name class 1 where `wrong`, else 0, with confidence `sure`."""
    one = np.where(wrong, sure, 1.0 - sure)
    return np.stack([1.0 - one, one], axis=1)


def _known(variant: int) -> None:
    if variant not in (1, 2):
        raise ValueError(f'variant {variant} of the analytic stream; there are 1 and 2')
