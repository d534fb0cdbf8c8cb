"""Decision: the rule of decision.md section 2, its margin, and what would have flipped it."""

from dataclasses import replace
from itertools import permutations
import math
from typing import Any

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import PATIENT
from scripted import tier
from selector.decision import assess
from selector.decision import Base
from selector.decision import Candidate
from selector.decision import checked_tier
from selector.decision import decide
from selector.decision import Decision
from selector.decision import Flip
from selector.decision import NO_FLIP
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import TierKind
from selector.decision import Weights
from selector.errors import ConfigError
from selector.gain import Gain
from selector.price import Price

NAMES = ('cloud', 'ensemble', 'human', 'slow')
EPS = 1e-6
FAST = Base('fast', TierKind.FAST, 0.0)
Case = tuple[list[Candidate], Price, Weights]


def _price(*total: float) -> Price:
    return Price(tuple(0.0 for _ in total), total, tuple(False for _ in total))


def _candidate(name: str = 'slow', gain: float = 0.5, **changes: Any) -> Candidate:
    cost = changes.pop('cost', (1.0,))
    values = {'p_arrive': 1.0} | changes
    return Candidate(tier(name, cost=cost, cost_cap=cost), Gain(gain, 0.1, 0.7, 0.8), **values)


def _decide(*candidates: Candidate, price: float = 0.2, stake: float = 1.0) -> Decision:
    return decide(candidates, _price(price), Weights(FAST, stake, 1.0))


def _reuse(gain: float) -> Base:
    return Base(REUSE, TierKind.REUSE, gain)


@st.composite
def cases(draw: st.DrawFn, obstacles: bool = True) -> Case:
    """Draw up to four candidates over two resources, prices, a base, a stake, a clip, a reach."""
    reasons = (None, Reason.TIER_BUSY, Reason.BUDGET_EXHAUSTED) if obstacles else (None,)
    candidates = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4)):
        cost = tuple(draw(st.lists(st.floats(0.0, 3.0), min_size=2, max_size=2)))
        reason = draw(st.sampled_from(reasons))
        candidate = _candidate(
            name,
            draw(st.floats(-1.0, 1.0)),
            cost=cost,
            p_arrive=draw(st.floats(0.5, 1.0)),
            obstacle=reason,
            freed_net=0.0 if reason is None else draw(st.floats(-1.0, 1.0)),
        )
        candidates.append(candidate)
    price = _price(draw(st.floats(0.0, 0.5)), draw(st.floats(0.0, 0.5)))
    base = draw(st.one_of(st.just(FAST), st.floats(1e-6, 1.0).map(_reuse)))
    stake, clip = draw(st.floats(0.1, 5.0)), draw(st.floats(0.1, 3.0))
    reach = draw(st.one_of(st.just(1.0), st.floats(1.0, 100.0)))
    return candidates, price, Weights(base, stake, clip, reach)


def _net(candidate: Candidate, price: Price, weights: Weights) -> float:
    """Compute the net of decision.md section 2 without the code under test."""
    gain = max(candidate.gain.mean - weights.base.gain, 0.0)
    value = min(weights.value_clip, weights.stake * candidate.p_arrive * gain * weights.reach)
    spent = [p * c for p, c in zip(price.total, candidate.spec.cost, strict=True)]
    return value - math.fsum(spent)


def test_the_rule_by_hand() -> None:
    """Stake 2 x 0.9 x gain 0.3 - (0.1 x 1 + 0.2 x 0.5): each recorded number recomputed."""
    candidate = _candidate(gain=0.3, p_arrive=0.9, cost=(1.0, 0.5))
    found = assess(candidate, _price(0.1, 0.2), Weights(FAST, 2.0, 1.0))
    assert found.value == pytest.approx(0.54)
    assert found.net == pytest.approx(0.34)
    assert (found.gain, found.gain_width, found.p_arrive) == (0.3, 0.1, 0.9)
    assert (found.cost, found.price) == ((1.0, 0.5), (0.1, 0.2))
    assert (found.disagreement, found.khat, found.reach) == (0.7, 0.8, 1.0)


def test_the_rule_by_hand_with_reuse_and_reach() -> None:
    """Stake 2 x 0.9 x (0.3 - 0.2 of the carried answer) x 1.5 frames; the gain is over reuse."""
    candidate = _candidate(gain=0.3, p_arrive=0.9, cost=(1.0, 0.5))
    found = assess(candidate, _price(0.1, 0.2), Weights(_reuse(0.2), 2.0, 1.0, 1.5))
    assert found.gain == pytest.approx(0.1)
    assert found.value == pytest.approx(0.27)
    assert found.net == pytest.approx(0.07)
    assert found.reach == 1.5


@PATIENT
@given(cases())
def test_the_largest_positive_net_wins(case: Case) -> None:
    """The feasible tier with the largest positive net, else fast, against a plain search."""
    candidates, price, weights = case
    decision = decide(candidates, price, weights)
    nets = {c.spec.name: _net(c, price, weights) for c in candidates if c.obstacle is None}
    best = max([0.0, *nets.values()])
    if decision.chosen == weights.base.name:
        assert best <= 1e-12
        assert decision.reason is not Reason.GAIN_ABOVE_PRICE
    else:
        assert nets[decision.chosen] == pytest.approx(best, abs=1e-12)
        assert decision.reason is Reason.GAIN_ABOVE_PRICE
        assert nets[decision.chosen] > -1e-12
    assert sorted(t.name for t in decision.tiers) == sorted(c.spec.name for c in candidates)


@PATIENT
@given(cases())
def test_the_order_of_tiers_changes_nothing(case: Case) -> None:
    """Every permutation of the candidates gives the same decision, ties included."""
    candidates, price, weights = case
    expected = decide(candidates, price, weights)
    for order in permutations(candidates):
        assert decide(order, price, weights) == expected


def test_ties_go_to_the_smaller_name() -> None:
    """Equal nets choose by name, whatever the order given; the margin is 0."""
    pair = [_candidate('slow'), _candidate('cloud')]
    for order in (pair, pair[::-1]):
        decision = _decide(*order)
        assert (decision.chosen, decision.margin) == ('cloud', 0.0)


@PATIENT
@given(cases())
def test_the_margin_is_the_distance_to_the_best_alternative(case: Case) -> None:
    """Net of the chosen one minus the best other one; fast and the clip included."""
    candidates, price, weights = case
    decision = decide(candidates, price, weights)
    nets = {t.name: t.net for t in decision.tiers}
    feasible = {t.name for t in decision.tiers if t.feasible}
    if decision.chosen != weights.base.name:
        others = [nets[name] for name in feasible - {decision.chosen}]
        assert decision.margin == pytest.approx(nets[decision.chosen] - max([0.0, *others]))
        assert decision.margin >= 0.0
    elif nets and decision.reason in (Reason.GAIN_BELOW_PRICE, Reason.REUSED):
        pool = feasible or set(nets)
        assert decision.margin == pytest.approx(-max(nets[name] for name in pool))


def _with_gain(case: Case, name: str, gain: float) -> str:
    """Return what is chosen where a tier gains `gain` over the base answer."""
    candidates, price, weights = case
    other = Gain(gain + weights.base.gain, 0.1, 0.7, 0.8)
    moved = [replace(c, gain=other) if c.spec.name == name else c for c in candidates]
    return decide(moved, price, weights).chosen


@run(PATIENT, max_examples=400)
@given(cases())
def test_a_gain_flip_is_true(case: Case) -> None:
    """Just past the turning point the decision is another one, just before it is the same."""
    candidates, price, weights = case
    decision = decide(candidates, price, weights)
    flip = decision.flip
    if not flip.quantity.startswith('gain('):
        assert flip == NO_FLIP
        assert decision.chosen == weights.base.name
        return
    name = flip.quantity.removeprefix('gain(').removesuffix(')')
    base, best = weights.base, 1.0 - weights.base.gain
    assert flip.before == next(c.gain.mean for c in candidates if c.spec.name == name) - base.gain
    if flip.after is None:
        assert decision.chosen == base.name
        assert _with_gain(case, name, best - EPS) == base.name
        return
    assert decision.chosen != base.name or flip.after < best
    past = -EPS if decision.chosen == name else EPS
    assert _with_gain(case, name, flip.after + past) != decision.chosen
    assert _with_gain(case, name, flip.after - past) == decision.chosen


@run(PATIENT, max_examples=400)
@given(cases(obstacles=False))
def test_a_flip_that_is_not_named_does_not_exist(case: Case) -> None:
    """Where the nearest tier has no turning point, no gain it can have would have paid."""
    candidates, price, weights = case
    decision = decide(candidates, price, weights)
    if decision.chosen == weights.base.name and decision.flip.after is None:
        for tier_found in decision.tiers:
            if f'gain({tier_found.name})' == decision.flip.quantity:
                best = 1.0 - weights.base.gain - EPS
                assert _with_gain(case, tier_found.name, best) == weights.base.name


def test_a_clipped_value_has_no_turning_point_above_the_clip() -> None:
    """Stake 4, price 1.2, V 1: a gain of 0.3 would be worth 1.2, but no value exceeds V."""
    decision = decide([_candidate(gain=0.2)], _price(1.2), Weights(FAST, 4.0, 1.0))
    assert decision.reason is Reason.GAIN_BELOW_PRICE
    assert decision.flip == Flip('gain(slow)', 0.2, None)
    free = decide([_candidate(gain=0.2)], _price(1.2), Weights(FAST, 4.0, 10.0))
    assert free.flip.after == pytest.approx(0.3)


def test_a_price_of_one_cannot_be_reached() -> None:
    """A gain is at most 1: at price 1 and stake 1 there is no turning point."""
    weights = Weights(FAST, 1.0, 5.0)
    assert decide([_candidate(gain=0.9)], _price(1.0), weights).flip.after is None
    assert decide([_candidate(gain=0.9)], _price(0.99), weights).flip.after is not None


def test_the_gain_has_to_exceed_the_price() -> None:
    """At exactly the price fast is kept, one step above it slow is invoked."""
    assert _decide(_candidate(gain=0.25), price=0.25).reason is Reason.GAIN_BELOW_PRICE
    above = math.nextafter(0.25, 1.0)
    assert _decide(_candidate(gain=above), price=0.25).reason is Reason.GAIN_ABOVE_PRICE


def test_gain_below_price() -> None:
    """Bound by the price, with a negative net told as a positive distance."""
    decision = _decide(_candidate(gain=0.1), price=0.3)
    assert (decision.chosen, decision.reason, decision.binding) == (
        'fast',
        Reason.GAIN_BELOW_PRICE,
        'price',
    )
    assert decision.margin == pytest.approx(0.2)
    assert decision.flip.after == pytest.approx(0.3)
    assert decision.tiers[0].reason is Reason.GAIN_BELOW_PRICE


def test_gain_above_price() -> None:
    """Nothing binds; the turning point is the gain that equals the price."""
    decision = _decide(_candidate(gain=0.5), price=0.3)
    assert (decision.chosen, decision.reason, decision.binding) == (
        'slow',
        Reason.GAIN_ABOVE_PRICE,
        '',
    )
    assert decision.flip == Flip('gain(slow)', 0.5, pytest.approx(0.3))


def test_fast_is_kept_where_nothing_else_is_declared() -> None:
    """Without tiers there is nothing to weigh, bind or flip."""
    assert _decide() == Decision('fast', Reason.FAST_KEPT, '', 0.0, NO_FLIP, (), FAST)


def test_a_carried_answer_is_kept_where_nothing_else_pays() -> None:
    """The base answer is committed by its name and reason, with and without other tiers."""
    weights = Weights(_reuse(0.2), 1.0, 1.0)
    alone = decide([], _price(0.2), weights)
    assert alone == Decision(REUSE, Reason.REUSED, '', 0.0, NO_FLIP, (), weights.base)
    beside = decide([_candidate(gain=0.3)], _price(0.2), weights)
    assert (beside.chosen, beside.reason, beside.binding) == (REUSE, Reason.REUSED, 'price')
    assert beside.margin == pytest.approx(0.1)
    assert beside.flip == Flip('gain(slow)', pytest.approx(0.1), pytest.approx(0.2))
    assert beside.tiers[0].reason is Reason.GAIN_BELOW_PRICE


def test_a_gain_beyond_what_is_left_to_gain_is_not_named() -> None:
    """Reuse gains 0.7 over fast, so nothing gains more than 0.3 over reuse: price 0.4, no flip."""
    weights = Weights(_reuse(0.7), 1.0, 1.0)
    assert decide([_candidate(gain=0.9)], _price(0.4), weights).flip.after is None
    assert decide([_candidate(gain=0.9)], _price(0.29), weights).flip.after == pytest.approx(0.29)


@PATIENT
@given(cases())
def test_the_purse_says_whether_something_is_invoked(case: Case) -> None:
    """An invocation draws on the purse of the rule, a kept base answer on none; no rule is named.

    A decision of the price never observes, advises or names a declared rule.
    """
    decision = decide(*case)
    invoked = decision.chosen != case[2].base.name
    assert decision.purse is (Purse.RULE if invoked else Purse.NONE)
    assert (decision.observe, decision.rule, decision.advice.value) == ('', '', '')
    assert decision.base == case[2].base


def test_the_loser_is_told_that_another_tier_was_better() -> None:
    """A tier that pays but loses says so, one that does not pay says that; the flip is close."""
    decision = _decide(
        _candidate('cloud', 0.6), _candidate('human', 0.1), _candidate('slow', 0.5), price=0.2
    )
    assert [(t.name, t.reason) for t in decision.tiers] == [
        ('cloud', Reason.GAIN_ABOVE_PRICE),
        ('human', Reason.GAIN_BELOW_PRICE),
        ('slow', Reason.OTHER_TIER_BETTER),
    ]
    assert decision.margin == pytest.approx(0.1)
    assert decision.flip == Flip('gain(cloud)', 0.6, pytest.approx(0.5))


@pytest.mark.parametrize(
    ('reason', 'binding'),
    [
        (Reason.BUDGET_EXHAUSTED, 'budget'),
        (Reason.DEADLINE_TOO_SHORT, 'deadline'),
        (Reason.TIER_BUSY, 'busy'),
        (Reason.TIER_DENIED, 'rule'),
        (Reason.INPUT_UNDECODABLE, ''),
    ],
)
def test_an_obstacle_is_the_reason_where_the_tier_would_have_paid(
    reason: Reason, binding: str
) -> None:
    """The obstacle binds, with its own flip; where it would not have paid, the price binds."""
    flip = Flip('tokens(slow_calls)', 0.0, 1.0)
    barred = _candidate(gain=0.5, obstacle=reason, flip=flip, freed_net=0.3)
    decision = _decide(barred)
    assert (decision.chosen, decision.reason) == ('fast', reason)
    assert (decision.binding, decision.flip) == (binding, flip)
    assert decision.margin == pytest.approx(-0.3)
    assert not decision.tiers[0].feasible
    poor = _candidate(gain=0.1, obstacle=reason, flip=flip, freed_net=-0.1)
    decision = _decide(poor)
    assert (decision.reason, decision.binding, decision.flip) == (
        Reason.GAIN_BELOW_PRICE,
        'price',
        NO_FLIP,
    )


def test_an_obstacle_to_one_tier_does_not_stop_another() -> None:
    """The best feasible tier is invoked although a better one is barred."""
    barred = _candidate('cloud', 0.9, obstacle=Reason.TIER_BUSY, freed_net=0.7)
    decision = _decide(barred, _candidate('slow', 0.3))
    assert (decision.chosen, decision.reason) == ('slow', Reason.GAIN_ABOVE_PRICE)
    assert decision.margin == pytest.approx(0.1)
    assert [t.reason for t in decision.tiers] == [Reason.TIER_BUSY, Reason.GAIN_ABOVE_PRICE]


def test_a_tier_that_makes_things_worse_is_worth_nothing() -> None:
    """A negative gain has value 0, so it can never pay, not even at price 0."""
    decision = _decide(_candidate(gain=-0.8), price=0.0)
    assert (decision.chosen, decision.tiers[0].value) == ('fast', 0.0)


def test_without_a_stake_nothing_pays() -> None:
    """Stake 0: value 0 and no gain that would change it."""
    decision = _decide(_candidate(gain=1.0), stake=0.0)
    assert (decision.chosen, decision.flip.after) == ('fast', None)


@pytest.mark.parametrize(
    'changes',
    [
        {'cost': (1.0, 1.0)},
        {'cost_cap': ()},
        {'cost': (-1.0,)},
        {'cost': (1.0,), 'cost_cap': (0.5,)},
        {'cost_cap': (1.5,)},
        {'cost': (math.nan,)},
        {'cost_cap': (math.nan,)},
        {'latency_p50_s': 0.5},
        {'latency_p50_s': math.nan},
        {'latency_p50_s': -0.1},
        {'latency_p99_s': math.inf},
        {'kind': TierKind.FAST},
        {'kind': TierKind.REUSE},
    ],
)
def test_a_tier_that_the_guarantee_does_not_cover_is_refused(changes: dict[str, Any]) -> None:
    """Cost <= cap <= c_max is what Lemma 2 stands on; p50 <= p99; fast and reuse are no calls."""
    with pytest.raises(ConfigError, match='slow'):
        checked_tier(tier(**changes), (CALLS,))


def test_a_tier_within_its_limits_is_accepted() -> None:
    """Equality everywhere is allowed, and so is a tier that costs nothing."""
    for spec in (tier(), tier(cost=(0.0,), cost_cap=(0.0,)), tier(latency_p99_s=0.02)):
        assert checked_tier(spec, (CALLS,)) is spec
