"""Override: what a declared rule makes of a decision of the price."""

from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import PATIENT
from scripted import tier
from selector.decision import Advice
from selector.decision import Base
from selector.decision import Candidate
from selector.decision import decide
from selector.decision import Decision
from selector.decision import NO_FLIP
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import TierKind
from selector.decision import Weights
from selector.gain import Gain
from selector.override import committed_by_rule
from selector.override import forced
from selector.price import Price

NAMES = ('cloud', 'ensemble', 'slow')
KINDS = {'cloud': TierKind.CLOUD, 'ensemble': TierKind.SLOW, 'slow': TierKind.SLOW}
WEIGHTS = Weights(Base('fast', TierKind.FAST, 0.0), 1.0, 1.0)
PRICE = Price((0.0,), (0.3,), (False,))
OBSTACLES = (
    Reason.BUDGET_EXHAUSTED,
    Reason.DEADLINE_TOO_SHORT,
    Reason.TIER_BUSY,
    Reason.TIER_DENIED,
    Reason.INPUT_UNDECODABLE,
)


def _candidate(
    name: str = 'slow', gain: float = 0.1, obstacle: Reason | None = None, arrive: float = 1.0
) -> Candidate:
    return Candidate(tier(name, kind=KINDS[name]), Gain(gain, 0.1), arrive, obstacle)


def _decide(*candidates: Candidate) -> Decision:
    return decide(candidates, PRICE, WEIGHTS)


CANDIDATES = st.lists(
    st.builds(
        _candidate,
        st.sampled_from(NAMES),
        st.floats(-1.0, 1.0),
        st.one_of(st.none(), st.sampled_from(OBSTACLES)),
        st.floats(0.0, 1.0),
    ),
    max_size=3,
    unique_by=lambda c: c.spec.name,
)


def test_a_call_that_pays_anyway_is_left_to_the_price() -> None:
    """The rule is named; purse, reason and tier stay those of the price."""
    decision = _decide(_candidate(gain=0.9))
    assert forced(decision, [_candidate(gain=0.9)], 'close', set()) == replace(
        decision, rule='close'
    )


def test_a_call_that_does_not_pay_is_made_out_of_the_safety_reserve() -> None:
    """Overridden, bound by the rule, nothing that would have flipped it; the base stays told."""
    found = forced(_decide(_candidate()), [_candidate()], 'close', {'slow'})
    assert (found.chosen, found.reason, found.binding) == ('slow', Reason.OVERRIDDEN, 'rule')
    assert (found.purse, found.rule, found.flip) == (Purse.SAFETY, 'close', NO_FLIP)
    assert found.tiers[0].reason is Reason.OVERRIDDEN
    assert (found.base, found.advice) == (WEIGHTS.base, Advice.NONE)


@PATIENT
@given(CANDIDATES, st.sets(st.sampled_from(NAMES)))
def test_what_is_forced_is_the_best_that_can_arrive_and_be_paid(
    candidates: list[Candidate], covered: set[str]
) -> None:
    """Only a tier whose one obstacle may be the budget, never the cloud before a local one.

    Of those the one with the largest p_arrive * gain; else the advice: stop where only the reserve
    is empty, slow down where nothing could answer in time.
    """
    decision = _decide(*candidates)
    found = forced(decision, candidates, 'close', covered)
    assert found.rule == 'close'
    if decision.reason is Reason.GAIN_ABOVE_PRICE:
        assert found == replace(decision, rule='close')
        return
    able = [c for c in candidates if c.obstacle in (None, Reason.BUDGET_EXHAUSTED)]
    paid = [c for c in able if c.spec.name in covered]
    if not paid:
        advice = Advice.STOP if able else Advice.SLOW_DOWN
        assert found == replace(decision, rule='close', advice=advice)
        return
    chosen = next(c for c in candidates if c.spec.name == found.chosen)
    assert chosen in paid
    local = [c for c in paid if c.spec.kind is not TierKind.CLOUD] or paid
    assert chosen in local
    assert all(c.p_arrive * c.gain.mean <= chosen.p_arrive * chosen.gain.mean for c in local)


@PATIENT
@given(CANDIDATES)
def test_the_order_of_candidates_changes_nothing(candidates: list[Candidate]) -> None:
    """Every permutation forces the same tier, ties by name."""
    expected = forced(_decide(*candidates), candidates, 'close', set(NAMES))
    for order in permutations(candidates):
        assert forced(_decide(*order), order, 'close', set(NAMES)) == expected


def test_a_smaller_gain_that_is_sure_to_arrive_is_forced_before_a_larger_one() -> None:
    """0.3 that arrives for sure is worth more than 0.4 that arrives every other time."""
    pair = [_candidate('ensemble', 0.4, arrive=0.5), _candidate('slow', 0.3)]
    dear = decide(pair, Price((0.0,), (1.0,), (False,)), WEIGHTS)
    assert forced(dear, pair, 'close', set(NAMES)).chosen == 'slow'


def test_ties_go_to_the_smaller_name() -> None:
    """Equal tiers are forced by name."""
    pair = [_candidate('slow'), _candidate('ensemble')]
    for order in (pair, pair[::-1]):
        assert forced(_decide(*order), order, 'close', set(NAMES)).chosen == 'ensemble'


def test_the_answer_of_a_rule_is_committed_instead_of_the_base() -> None:
    """Another kept answer: overridden by the rule, and nothing is charged."""
    decision = _decide(_candidate())
    found = committed_by_rule(decision, REUSE, 'crossing')
    assert (found.chosen, found.reason, found.binding) == (REUSE, Reason.OVERRIDDEN, 'rule')
    assert (found.rule, found.purse) == ('crossing', Purse.NONE)


@pytest.mark.parametrize('gain', [0.1, 0.9])
def test_a_rule_that_changes_nothing_is_still_named(gain: float) -> None:
    """The base is as the rule wants it, or something is invoked: only the rule's name is added.

    The name of a rule that forced the call before is kept.
    """
    decision = _decide(_candidate(gain=gain))
    kept = 'fast' if gain < 0.3 else REUSE
    assert committed_by_rule(decision, kept, 'crossing') == replace(decision, rule='crossing')
    named = replace(decision, rule='close')
    assert committed_by_rule(named, kept, 'crossing') == named
