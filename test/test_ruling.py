"""Ruling: the declared table on one frame after another, and what becomes of its decisions."""

from typing import Any

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import settings
from scripted import tier
from selector.action import Answer
from selector.action import Invoke
from selector.budget import Resource
from selector.controller import Controller
from selector.decision import Advice
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import TierKind
from selector.errors import ConfigError
from selector.indecision import Due
from selector.purses import Purses
from selector.ruling import Ruled
from selector.ruling import Ruling
from selector.stakes import Effects
from selector.stakes import OverrideRule
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty

LABELS = ('pedestrian', 'pothole', 'background')
PERSON, POTHOLE, GROUND = range(3)
FORCE = OverrideRule('close', time_to_collision_below_s=1.0, force_slow=True)
CAREFUL = OverrideRule('crossing', zones=('crossing',), conservative=True)
DECIDE = OverrideRule('decide', max_indecision_s=1.0)
LOCAL = OverrideRule('clinic', zones=('clinic',), deny_cloud=True)
HIGH = OverrideRule('person', classes=('pedestrian',), stake=4.0)
CLOUD = tier('cloud', kind=TierKind.CLOUD)


def _made(
    *rules: OverrideRule,
    gain: float = 0.0,
    empty: WhenEmpty = WhenEmpty.OVERDRAW,
    **changes: Any,
) -> tuple[Controller, ScriptedGain]:
    table = StakesTable(rules, LABELS, empty)
    values = {'reuse_max_age_s': 10.0, 'safety_share': 0.25, 'labels': LABELS} | changes
    predictor = ScriptedGain(dict.fromkeys(('cloud', 'ensemble', 'slow'), gain))
    return Controller(settings(stakes=table, **values), predictor), predictor


def _carry(made: Controller, class_id: int, sequence: int = 0) -> None:
    """Have slow answer `class_id` about one frame, whatever it gains."""
    predictor = made._predictor
    gains, predictor.gains = predictor.gains, {'slow': 1.0}
    step = made.offer(offer(sequence, fast_class=class_id))
    assert isinstance(step.action, Invoke)
    made.resume(outcome(sequence, class_id=class_id, cost=(0.0,)))
    predictor.gains = gains


def _close(sequence: int = 0, **changes: Any) -> Any:
    return offer(sequence, **({'time_to_collision_s': 0.5, 'fast_class': POTHOLE} | changes))


# --- tables that could not do what they say ------------------------------------------------------


def test_forcing_without_a_reserve_is_refused() -> None:
    """A rule that forces calls, by itself or by indecision, needs tokens, or advises instead."""
    for rule in (FORCE, DECIDE):
        with pytest.raises(ConfigError, match='safety_share'):
            _made(rule, safety_share=0.0)
        _made(rule, safety_share=0.0, empty=WhenEmpty.ADVISE_STOP)
    _made(CAREFUL, LOCAL, HIGH, safety_share=0.0)


def test_an_indecision_that_outlives_what_is_carried_is_refused() -> None:
    """Answers that are carried on for 0.5 s cannot show that nothing was decided for 1 s."""
    with pytest.raises(ConfigError, match='decide'):
        _made(DECIDE, reuse_max_age_s=0.5)
    with pytest.raises(ConfigError, match='decide'):
        _made(DECIDE, reuse_max_age_s=0.0)
    _made(DECIDE, reuse_max_age_s=1.0)


# --- the stake -----------------------------------------------------------------------------------


def test_a_rule_raises_the_stake_and_with_it_the_value() -> None:
    """A pedestrian counts four times: a gain that does not pay for a pothole pays for one."""
    for class_id, stake, invoked in ((PERSON, 4.0, True), (POTHOLE, 1.0, False), (-1, 1.0, False)):
        made, _ = _made(HIGH, gain=0.03)
        step = made.offer(offer(fast_class=class_id))
        assert (step.record.stake, isinstance(step.action, Invoke)) == (stake, invoked)
        assert step.record.matched == (('person',) if class_id == PERSON else ())
        assert step.record.decision.rule == ''
    made, _ = _made(HIGH)
    assert made.offer(offer(fast_class=PERSON, stake=9.0)).record.stake == 9.0


def test_a_rule_sees_every_class_in_the_answer() -> None:
    """A pedestrian beside a pothole counts although the pothole's box has the higher score."""
    made, _ = _made(HIGH, gain=0.03)
    record = made.offer(offer(fast_class=POTHOLE, also_seen=(GROUND, PERSON))).record
    assert (record.stake, record.matched) == (4.0, ('person',))
    assert made.offer(offer(1, fast_class=POTHOLE, also_seen=(GROUND,))).record.matched == ()


def test_a_stake_of_zero_that_a_rule_raises_does_not_break_the_record() -> None:
    """The robot says that errors do not matter, the rule that they do; too late for slow."""
    made, _ = _made(HIGH, gain=0.5)
    step = made.offer(offer(fast_class=PERSON, stake=0.0, remaining_s=0.001))
    assert step.record.decision.reason is Reason.DEADLINE_TOO_SHORT
    assert step.record.decision.flip.after == pytest.approx(0.02)


# --- forced calls --------------------------------------------------------------------------------


def test_a_forced_call_is_made_whatever_its_price() -> None:
    """No gain at all, and yet slow is invoked out of the safety reserve, which pays for it."""
    made, _ = _made(FORCE)
    step = made.offer(_close())
    decision = step.record.decision
    assert step.action == Invoke('slow')
    assert (decision.reason, decision.rule, decision.purse) == (
        Reason.OVERRIDDEN,
        'close',
        Purse.SAFETY,
    )
    assert step.record.observation_probability == 1.0
    made.resume(outcome(0, cost=(1.0,)))
    record = made.offer(_close(1, time_to_collision_s=None)).record
    assert record.left == (15.0,)
    assert record.safety_left == pytest.approx((4.0 + 0.05,))


def test_a_forced_call_that_pays_is_the_rules_own() -> None:
    """The budget of the rule pays where the price would have had it invoked anyway."""
    made, _ = _made(FORCE, gain=0.9)
    decision = made.offer(_close()).record.decision
    assert (decision.reason, decision.rule) == (Reason.GAIN_ABOVE_PRICE, 'close')
    assert decision.purse is Purse.RULE


@pytest.mark.parametrize(
    'changes',
    [{'remaining_s': 0.015}, {'remaining_s': -1.0}, {'busy': ('slow',)}, {'decodable': False}],
)
def test_what_cannot_answer_in_time_is_not_forced(changes: dict[str, Any]) -> None:
    """A pedestrian half a second ahead: no call that comes too late, the advice to slow down."""
    made, _ = _made(FORCE)
    if 'decodable' in changes:
        changes = changes | {'fault': 'the JPEG is cut off', 'evidence': None, 'fast_class': -1}
    step = made.offer(_close(**changes))
    assert step.action == Answer('fast')
    decision = step.record.decision
    assert (decision.rule, decision.advice) == ('close', Advice.SLOW_DOWN)
    assert step.record.spent == (0.0,)


def test_an_empty_reserve_is_overdrawn_loudly() -> None:
    """Five tokens of safety: the sixth call at one stamp is made all the same, and marked."""
    made, _ = _made(FORCE)
    for k in range(8):
        step = made.offer(_close(k, stamp_ns=0))
        assert step.action == Invoke('slow')
        assert step.record.overdrawn == (k >= 5)
        made.resume(outcome(k, cost=(1.0,)))
    assert made.offer(offer(8, 0)).record.safety_left == (-3.0,)


def test_an_empty_reserve_may_advise_to_stop_instead() -> None:
    """Where the table says so, the sixth call is not made; nothing is skipped silently."""
    made, _ = _made(FORCE, empty=WhenEmpty.ADVISE_STOP)
    for k in range(8):
        step = made.offer(_close(k, stamp_ns=0))
        assert isinstance(step.action, Invoke) == (k < 5)
        assert not step.record.overdrawn
        if isinstance(step.action, Invoke):
            made.resume(outcome(k, cost=(1.0,)))
        else:
            decision = step.record.decision
            assert (decision.rule, decision.advice) == ('close', Advice.STOP)


def test_a_dear_tier_does_not_keep_a_cheap_one_from_being_forced() -> None:
    """The reserve covers slow but not the cloud: slow is called, no stop is advised."""
    dear = tier('cloud', kind=TierKind.CLOUD, cost=(4.0,), cost_cap=(4.0,))
    budget = Resource('slow_calls', 0.0, 20.0, 1.0, 0.05, 4.0)
    made, _ = _made(FORCE, empty=WhenEmpty.ADVISE_STOP, tiers=[dear, tier()], resources=[budget])
    for k in range(5):
        assert made.offer(_close(k, stamp_ns=0)).action == Invoke('slow')
        made.resume(outcome(k, cost=(1.0,)))
    assert made.offer(_close(5, stamp_ns=0)).record.decision.advice is Advice.STOP


def test_a_disabled_tier_is_not_forced_even_by_overdraft() -> None:
    """Rate 0 and burst 0 means never; the robot is advised."""
    off = Resource('slow_calls', 0.0, 0.0, 1.0, 0.05, 1.0)
    made, _ = _made(FORCE, resources=[off], gain=0.9)
    step = made.offer(_close())
    assert step.action == Answer('fast')
    assert step.record.decision.advice is Advice.STOP


def test_an_exhausted_budget_of_the_rule_does_not_stop_a_forced_call() -> None:
    """That is what the safety reserve is for."""
    made, _ = _made(FORCE, gain=0.9, value_clip=100.0)
    for k in range(14):
        assert made.offer(offer(k, 0, stake=1000.0)).action == Invoke('slow')
        made.resume(outcome(k, cost=(1.0,)))
    assert made.offer(offer(14, 0, stake=1000.0)).action == Answer('fast')
    step = made.offer(_close(15, stamp_ns=0))
    assert (step.action, step.record.decision.purse) == (Invoke('slow'), Purse.SAFETY)


@pytest.mark.parametrize('gain', [0.0, 0.9])
def test_a_forced_call_is_acted_upon_in_the_learning_phase(gain: float) -> None:
    """Declared by a person, it does not wait for the learner, whether or not it would pay."""
    made, predictor = _made(FORCE, gain=gain)
    predictor.missing = 5
    assert made.offer(_close()).action == Invoke('slow')


def test_a_forced_call_in_shadow_is_only_recorded() -> None:
    """It is charged to the safety reserve as if it had been made, and not made."""
    made, _ = _made(FORCE, shadow=True)
    step = made.offer(_close())
    assert step.action == Answer('fast')
    assert step.record.decision.reason is Reason.SHADOWED
    assert made.offer(offer(1, 0)).record.safety_left == (4.0,)


# --- the cloud -----------------------------------------------------------------------------------


def test_a_denied_cloud_is_never_called() -> None:
    """Not by the price, not by force, not to audit, not to learn; elsewhere it is."""
    for changes in ({'observe': True}, {'draw': 0.0}, {'time_to_collision_s': 0.5}, {}):
        for gain, missing in ((0.9, 0), (0.9, 5), (0.0, 0)):
            made, predictor = _made(FORCE, LOCAL, gain=gain, tiers=[CLOUD], audit_share=0.25)
            predictor.missing = missing
            for k in range(3):
                step = made.offer(offer(k, zone='clinic', **changes))
                assert step.action == Answer('fast')
                assert step.record.decision.tiers[0].reason is Reason.TIER_DENIED
                assert step.record.matched[0] == 'clinic'
    made, _ = _made(LOCAL, gain=0.9, tiers=[CLOUD])
    assert made.offer(offer(zone='street')).action == Invoke('cloud')


def test_a_denied_cloud_leaves_the_local_tier() -> None:
    """The cloud would gain more; the local one is called instead, and the record says why."""
    made, predictor = _made(LOCAL, tiers=[CLOUD, tier()])
    predictor.gains = {'cloud': 0.9, 'slow': 0.5}
    step = made.offer(offer(zone='clinic'))
    assert step.action == Invoke('slow')
    assert step.record.decision.tiers[0].reason is Reason.TIER_DENIED


# --- the conservative answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ('fast', 'carried', 'gain', 'action', 'reason'),
    [
        (GROUND, PERSON, -0.5, REUSE, Reason.OVERRIDDEN),
        (GROUND, PERSON, 0.5, REUSE, Reason.REUSED),
        (PERSON, GROUND, -0.5, 'fast', Reason.GAIN_BELOW_PRICE),
        (PERSON, GROUND, 0.5, 'fast', Reason.OVERRIDDEN),
        (PERSON, PERSON, 0.5, REUSE, Reason.REUSED),
        (-1, PERSON, -0.5, 'fast', Reason.GAIN_BELOW_PRICE),
    ],
)
def test_the_more_conservative_of_fast_and_carried_is_committed(
    fast: int, carried: int, gain: float, action: str, reason: Reason
) -> None:
    """A pedestrian before the background, whichever says so and whatever is predicted to gain."""
    made, predictor = _made(CAREFUL)
    _carry(made, carried)
    predictor.reuse_gain = gain
    step = made.offer(offer(1, fast_class=fast, zone='crossing'))
    assert step.action == Answer(action)
    assert step.record.decision.reason is reason
    if fast >= 0 and fast != carried:
        assert step.record.decision.rule == 'crossing'
    elsewhere = made.offer(offer(2, fast_class=fast))
    assert elsewhere.action == Answer(REUSE if gain > 0.0 else 'fast')


@pytest.mark.parametrize(
    ('fast', 'slow', 'committed'),
    [(PERSON, GROUND, 'fast'), (GROUND, PERSON, 'slow'), (PERSON, PERSON, 'slow')],
)
@pytest.mark.parametrize('better', ['fast', 'slow'])
def test_of_two_answers_that_differ_the_more_conservative_is_committed(
    fast: int, slow: int, committed: str, better: str
) -> None:
    """Whatever their predicted losses; where they agree, or no rule matches, the losses decide."""
    for zone, expected in (
        ('crossing', committed if fast != slow else better),
        ('', better),
    ):
        made, predictor = _made(CAREFUL, gain=0.9)
        predictor.tier_loss = 0.9 if better == 'fast' else 0.1
        made.offer(offer(0, fast_class=fast, zone=zone))
        assert made.resume(outcome(0, class_id=slow))[0] == Answer(expected)


# --- indecision ----------------------------------------------------------------------------------


def test_indecision_forces_a_call_at_half_time_and_then_the_conservative_answer() -> None:
    """Slow said pedestrian, fast says background: a call from 0.5 s on, pedestrian from 1 s on.

    Slow is too slow here, so the call cannot be made: the advice is to slow down, and at the end
    the more conservative answer is given, with the rule's name.
    """
    made, _ = _made(DECIDE)
    _carry(made, PERSON)
    for k in range(1, 13):
        step = made.offer(offer(k, fast_class=GROUND, remaining_s=0.001))
        decision = step.record.decision
        assert step.record.undecided_s == pytest.approx(k * 0.1)
        assert decision.advice is (Advice.SLOW_DOWN if k >= 5 else Advice.NONE)
        assert decision.rule == ('decide' if k >= 5 else '')
        assert step.action == Answer(REUSE if k >= 10 else 'fast')


def test_a_slow_answer_ends_the_indecision() -> None:
    """The call that is forced at half time answers; from its frame on the clock starts anew."""
    made, _ = _made(DECIDE)
    _carry(made, PERSON)
    called = []
    for k in range(1, 12):
        step = made.offer(offer(k, fast_class=GROUND))
        if isinstance(step.action, Invoke):
            assert step.record.decision.purse is Purse.SAFETY
            made.resume(outcome(k, class_id=PERSON, cost=(0.0,)))
            called.append(k)
    assert called == [5, 10]


def test_tracks_and_cameras_are_undecided_apart() -> None:
    """Another track's clock starts with its own first difference."""
    made, _ = _made(DECIDE)
    _carry(made, PERSON)
    for k in range(1, 4):
        made.offer(offer(k, fast_class=GROUND, track=1))
    record = made.offer(offer(4, fast_class=GROUND, track=2)).record
    assert record.undecided_s == 0.0
    record = made.offer(offer(5, fast_class=GROUND, track=1)).record
    assert record.undecided_s == pytest.approx(0.4)
    assert made.offer(offer(6, fast_class=GROUND, camera='rear')).record.undecided_s == 0.0


def test_without_a_table_no_clock_runs() -> None:
    """No rules: nothing is undecided, matched, forced or advised."""
    made, _ = _made()
    _carry(made, PERSON)
    record = made.offer(offer(1, fast_class=GROUND, time_to_collision_s=0.01)).record
    assert (record.undecided_s, record.matched, record.decision.rule) == (0.0, (), '')
    assert len(made._calls.ruling.indecision) == 0


# --- what the rules say together -----------------------------------------------------------------


@pytest.mark.parametrize('due', list(Due))
@pytest.mark.parametrize('force', ['', 'close'])
@pytest.mark.parametrize('careful', ['', 'crossing'])
def test_a_declared_rule_goes_before_an_indecision(due: Due, force: str, careful: str) -> None:
    """The name that is told is the forcing rule's; else that of the indecision where it is due."""
    ruled = Ruled(Effects(1.0, force, '', careful, 1.0, 'decide', ()), 0.7, due)
    assert ruled.forcing == (force or ('decide' if due is not Due.NONE else ''))
    assert ruled.cautious == (careful or ('decide' if due is Due.CONSERVATIVE else ''))


@run(PATIENT, max_examples=200)
@given(st.integers(-1, 3), st.integers(-1, 3))
def test_the_more_conservative_class_is_that_of_the_declared_order(one: int, other: int) -> None:
    """By place in the order; a class without a name ranks last; of equals the first is kept."""
    made = settings(stakes=StakesTable((CAREFUL,), LABELS), labels=LABELS)
    ruling = Ruling(made, Purses((CALLS,), 0.0, 0.0, 1.0))
    ranks = [k if 0 <= k < 3 else 3 for k in (one, other)]
    expected = 'second' if ranks[1] < ranks[0] else 'first'
    assert ruling.more_conservative(one, other, 'first', 'second') == expected
