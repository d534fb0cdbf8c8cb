"""Feasibility: the first obstacle of a tier, and what alone would have had it invoked."""

from dataclasses import replace
from typing import Any

import pytest
from scripted import CALLS
from scripted import offer
from scripted import tier
from selector.budget import Ledger
from selector.budget import Resource
from selector.decision import Base
from selector.decision import Candidate
from selector.decision import Flip
from selector.decision import NO_FLIP
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.decision import Weights
from selector.feasibility import candidate
from selector.feasibility import Means
from selector.feasibility import Proposal
from selector.gain import Gain
from selector.latency import Latency
from selector.price import price

FAST = Base('fast', TierKind.FAST, 0.0)
WEIGHTS = Weights(FAST, 1.0, 1.0)
LATE = {'remaining_s': 0.01}
# What stands in the way, the worst first: nothing mends an image that cannot be read.
ORDER = (
    (Reason.INPUT_UNDECODABLE, {'decodable': False}),
    (Reason.TIER_BUSY, {'busy': ('cloud',)}),
    (Reason.TIER_DENIED, {}),
    (Reason.DEADLINE_TOO_SHORT, LATE),
    (Reason.BUDGET_EXHAUSTED, {}),
)


def _means(used: float = 0.0, deny: str = '', resource: Resource = CALLS) -> Means:
    ledger = Ledger((resource,), 1.0)
    ledger.reserve((used,))
    return Means((resource,), ledger.used, price((resource,), ledger), 0.5, deny)


def _candidate(
    means: Means | None = None,
    weights: Weights = WEIGHTS,
    gain: float = 0.5,
    spec: TierSpec | None = None,
    **changes: Any,
) -> Candidate:
    spec = spec or tier()
    proposal = Proposal(spec, Gain(gain, 0.1), Latency(spec.latency_p50_s, spec.latency_p99_s))
    return candidate(proposal, offer(**changes), means or _means(), weights)


def test_without_an_obstacle_a_tier_enters_as_it_is() -> None:
    """Gain and P(arrival) of the proposal, no obstacle and nothing to flip.

    Another tier that is busy, or a denied cloud, is no obstacle to a local one.
    """
    expected = Candidate(tier(), Gain(0.5, 0.1), 1.0)
    assert _candidate() == expected
    assert _candidate(busy=('cloud',)) == expected
    assert _candidate(_means(deny='clinic')) == expected
    assert _candidate(remaining_s=0.03).p_arrive == pytest.approx(0.99)


@pytest.mark.parametrize('first', range(5))
def test_the_first_obstacle_is_the_one_that_nothing_mends(first: int) -> None:
    """Of all obstacles from some one on the worst is named; two or more promise no way out."""
    cloud = tier('cloud', kind=TierKind.CLOUD)
    held = ORDER[first:]
    reasons = [reason for reason, _ in held]
    changes: dict[str, Any] = {}
    for _, change in held:
        changes |= change
    means = _means(
        used=19.0 if Reason.BUDGET_EXHAUSTED in reasons else 0.0,
        deny='clinic' if Reason.TIER_DENIED in reasons else '',
    )
    found = _candidate(means, spec=cloud, **changes)
    assert found.obstacle is ORDER[first][0]
    assert (found.flip == NO_FLIP) == (len(held) > 1)


def test_a_busy_tier_names_no_way_out_but_what_it_would_have_netted() -> None:
    """No number that was weighed could have freed it; its net without the obstacle is told."""
    found = _candidate(busy=('slow',))
    assert (found.obstacle, found.flip) == (Reason.TIER_BUSY, NO_FLIP)
    assert found.freed_net == pytest.approx(0.5 - 0.05)


def test_too_late_is_freed_by_all_the_time_and_flips_at_the_time_that_pays() -> None:
    """Free of the deadline p is 1; the time is that where p is the least, or pays the price.

    Price 0.05 and gain 0.5 pay from p = 0.1 on, so the least p decides: the median, 20 ms. With
    gain 0.0625 it takes p = 0.8.
    """
    found = _candidate(**LATE)
    assert found.freed_net == pytest.approx(0.45)
    assert found.flip == Flip('remaining_s', 0.01, 0.02)
    found = _candidate(gain=0.0625, **LATE)
    assert found.flip.after == pytest.approx(0.02 + 0.3 / 0.49 * 0.01)
    assert _candidate(gain=0.04, **LATE).flip == NO_FLIP


@pytest.mark.parametrize('declared', [0.0, 0.1, 1.0])
def test_the_time_that_pays_is_that_of_the_stake_after_the_table(declared: float) -> None:
    """A rule raised the stake to 2: the frame's own stake, even 0, plays no part any more."""
    raised = WEIGHTS._replace(stake=2.0)
    found = _candidate(weights=raised, gain=0.03125, stake=declared, **LATE)
    assert found.flip.after == pytest.approx(0.02 + 0.3 / 0.49 * 0.01)


def test_the_time_that_pays_counts_reuse_and_reach() -> None:
    """Over a carried answer of gain 0.4, serving 2 frames: 0.03125 x 2 pays 0.05 from p = 0.8."""
    weights = Weights(Base(REUSE, TierKind.REUSE, 0.4), 1.0, 1.0, 2.0)
    found = _candidate(weights=weights, gain=0.43125, **LATE)
    assert found.flip.after == pytest.approx(0.02 + 0.3 / 0.49 * 0.01)


def test_out_of_budget_is_freed_by_a_full_one_and_flips_at_the_tokens_that_pay() -> None:
    """At exchange rate 0.05 the gain of 0.5 leaves 0.45: tokens 20 - 0.45 x 19 = 11.45 pay."""
    found = _candidate(_means(used=19.0))
    assert found.obstacle is Reason.BUDGET_EXHAUSTED
    assert found.freed_net == pytest.approx(0.45)
    assert found.flip == Flip('tokens(slow_calls)', 1.0, pytest.approx(20.0 - 0.45 * 19.0))
    rich = _candidate(_means(used=19.0), WEIGHTS._replace(stake=50.0, value_clip=100.0))
    assert rich.flip == Flip('tokens(slow_calls)', 1.0, 1.0)


def test_a_budget_that_a_tier_does_not_use_is_no_obstacle() -> None:
    """Exhausted energy does not stop a tier that needs none."""
    free = tier(cost=(0.0,), cost_cap=(0.0,))
    assert _candidate(_means(used=19.5), spec=free).obstacle is None


def test_a_disabled_budget_promises_no_tokens() -> None:
    """Rate 0 and burst 0: exhausted for good."""
    found = _candidate(_means(resource=replace(CALLS, rate=0.0, burst=0.0)))
    assert (found.obstacle, found.flip) == (Reason.BUDGET_EXHAUSTED, NO_FLIP)
