"""Controller: one decision a frame, from values alone, and nothing changes when it refuses."""

from collections.abc import Callable
from dataclasses import replace
import itertools
import math
from typing import Any

from hypothesis import assume
from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import controller
from scripted import EVIDENCE
from scripted import label
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import SECOND_NS
from scripted import settings
from scripted import tier
from selector.action import Answer
from selector.action import Invoke
from selector.action import Step
from selector.audit import encode
from selector.budget import Resource
from selector.controller import Controller
from selector.decision import Flip
from selector.decision import NO_FLIP
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import REUSE
from selector.decision import TierKind
from selector.errors import ConfigError
from selector.errors import InputError
from selector.errors import SequenceError
from selector.justification import Offer
from selector.outcome import OutcomeKind
from selector.settings import Change
from selector.stakes import OverrideRule
from selector.stakes import StakesTable

EPS = 1e-6
THREE = (tier('cloud', kind=TierKind.CLOUD, cost=(0.5,)), tier('ensemble'), tier('slow'))
NAMES = tuple(spec.name for spec in THREE)
RICH = replace(CALLS, rate=1e6, burst=1e9)
ENDS = (OutcomeKind.ANSWERED, OutcomeKind.FAILED, OutcomeKind.CANCELLED, OutcomeKind.TIMED_OUT)
FRAME = st.fixed_dictionaries(
    {
        'dt_ns': st.integers(-SECOND_NS, 2 * SECOND_NS),
        'gains': st.fixed_dictionaries({name: st.floats(-1.0, 1.0) for name in NAMES}),
        'stake': st.floats(0.0, 10.0),
        'remaining_s': st.floats(-0.1, 0.1),
        'busy': st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
        'faulty': st.sampled_from(['', '', '', 'fast', 'image']),
        'wait': st.integers(0, 4),
        'kind': st.sampled_from([*ENDS, OutcomeKind.LATE]),
        'used': st.one_of(st.none(), st.floats(0.0, 2.0)),
    }
)
FRAMES = st.lists(FRAME, max_size=40)
Frame = dict[str, Any]
LABELS = ('pedestrian', 'pothole', 'background')
RULES = (
    OverrideRule('clinic', zones=('clinic',), deny_cloud=True),
    OverrideRule('close', time_to_collision_below_s=1.0, force_slow=True, stake=3.0),
    OverrideRule('crossing', zones=('crossing',), conservative=True),
    OverrideRule('person', classes=('pedestrian',), max_indecision_s=0.5),
)
# Everything at once: three purses, reuse, a table of overrides, audits, labels, two cameras.
WORLD: dict[str, Any] = {
    'tiers': THREE,
    'audit_share': 0.1,
    'safety_share': 0.1,
    'reference': 'slow',
    'reuse_max_age_s': 2.0,
    'labels': LABELS,
    'stakes': StakesTable(RULES, LABELS),
}
WORLD_FRAMES = st.lists(
    st.builds(
        lambda plain, more: plain | more,
        FRAME,
        st.fixed_dictionaries(
            {
                # Most frames can be answered, so that every purse is used and overdrawn.
                'dt_ns': st.one_of(st.sampled_from([0, 1]), st.integers(0, SECOND_NS // 4)),
                'remaining_s': st.sampled_from([10.0, 0.06, 0.06, 0.025, 0.01]),
                'busy': st.sampled_from([(), (), (), ('slow',), ('cloud', 'ensemble')]),
                'faulty': st.sampled_from(['', '', '', '', '', '', 'fast', 'image']),
                'camera': st.sampled_from(['front', 'rear']),
                'draw': st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
                'observe': st.sampled_from([False, False, True]),
                'reuse_gain': st.floats(-1.0, 1.0),
                'missing': st.sampled_from([0, 0, 3]),
                'reach': st.floats(1.0, 20.0),
                'fast_class': st.integers(0, 2),
                'class_id': st.integers(0, 2),
                'zone': st.sampled_from(['', 'clinic', 'crossing']),
                'time_to_collision_s': st.sampled_from([None, None, 0.5, 3.0]),
                'labelled': st.booleans(),
            }
        ),
    ),
    min_size=8,
    max_size=40,
)
OFFERED = ('camera', 'draw', 'observe', 'zone', 'time_to_collision_s')
PREDICTED = ('reuse_gain', 'missing', 'reach')


def _offers(frames: list[Frame]) -> list[Offer]:
    stamps = itertools.accumulate(frame['dt_ns'] for frame in frames)
    faults = {'fast': 'the fast model failed', 'image': 'the JPEG is cut off', '': ''}
    return [
        offer(
            k,
            stamp_ns,
            stake=frame['stake'],
            remaining_s=frame['remaining_s'],
            busy=frame['busy'],
            fault=faults[frame['faulty']],
            evidence=None if frame['faulty'] else EVIDENCE,
            fast_class=-1 if frame['faulty'] else frame.get('fast_class', 3),
            decodable=frame['faulty'] != 'image',
            **{name: frame[name] for name in OFFERED if name in frame},
        )
        for k, (frame, stamp_ns) in enumerate(zip(frames, stamps, strict=True))
    ]


class Script:
    """Runs drawn frames and ends each call after as many frames as drawn."""

    def __init__(self, made: Controller, predictor: ScriptedGain) -> None:
        self.made, self.predictor = made, predictor
        self.steps: list[Step] = []
        self.lines: list[bytes] = []
        self._open: list[tuple[int, int, str, Frame]] = []

    def play(self, frames: list[Frame], between: Callable[[int], None] | None = None) -> None:
        """Offer every frame; `between` is called with the frame number after each step."""
        for k, (frame, made) in enumerate(zip(frames, _offers(frames), strict=True)):
            for call in [c for c in self._open if c[0] <= k]:
                self._open.remove(call)
                self._end(*call[1:])
            self.predictor.gains = frame['gains']
            for name in PREDICTED:
                setattr(self.predictor, name, frame.get(name, getattr(self.predictor, name)))
            step = self.made.offer(made)
            self.steps.append(step)
            self.lines.append(encode(step.record))
            if isinstance(step.action, Invoke):
                self._open.append((k + 1 + frame['wait'], k, step.action.tier, frame))
            elif step.action.observe:
                self._open.append((k + 1 + frame['wait'], k, step.action.observe, frame))
            elif frame.get('labelled'):
                self._learn(label(k, 1.0))
            if between is not None:
                between(k)

    def _end(self, sequence: int, name: str, frame: Frame) -> None:
        kind, used = frame['kind'], frame['used']
        cost = None if used is None else (used,)
        class_id = frame.get('class_id', 3)
        observed = isinstance(self.steps[sequence].action, Answer)
        given = {'cost': cost, 'class_id': class_id, 'disagreement': 0.5}
        if observed:
            failed = kind in (OutcomeKind.FAILED, OutcomeKind.CANCELLED)
            ended = kind if failed else OutcomeKind.AUDIT
            self._learn(outcome(sequence, ended, name, **({'cost': cost} if failed else given)))
        elif kind in (OutcomeKind.LATE, OutcomeKind.TIMED_OUT):
            self._resume(outcome(sequence, OutcomeKind.TIMED_OUT, name))
            self._learn(outcome(sequence, OutcomeKind.LATE, name, **given))
        else:
            answered = kind is OutcomeKind.ANSWERED
            self._resume(outcome(sequence, kind, name, **(given if answered else {'cost': cost})))
        if frame.get('labelled'):
            self._learn(label(sequence, 1.0, tier=name, tier_label_loss=0.5))

    def _resume(self, ended: Any) -> None:
        self.lines.append(encode(self.made.resume(ended)[1]))

    def _learn(self, ended: Any) -> None:
        self.lines.append(encode(self.made.learn(ended)))


def _play(frames: list[Frame], **changes: Any) -> Script:
    predictor = ScriptedGain()
    script = Script(Controller(settings(**({'tiers': THREE} | changes)), predictor), predictor)
    script.play(frames)
    return script


@PATIENT
@given(st.one_of(FRAMES, WORLD_FRAMES))
def test_identical_inputs_give_identical_bytes(frames: list[Frame]) -> None:
    """Two controllers that see the same write the same records, byte for byte."""
    assert _play(frames).lines == _play(frames).lines
    assert _play(frames, **WORLD).lines == _play(frames, **WORLD).lines


@PATIENT
@given(FRAMES, st.permutations(THREE))
def test_the_order_of_tiers_changes_nothing(frames: list[Frame], order: list[Any]) -> None:
    """Declaring the tiers in another order gives the same records, byte for byte."""
    assert _play(frames, tiers=order).lines == _play(frames).lines


@PATIENT
@given(WORLD_FRAMES, st.permutations(THREE), st.permutations(RULES))
def test_the_order_of_tiers_and_rules_changes_nothing(
    frames: list[Frame], tiers: list[Any], rules: list[Any]
) -> None:
    """With purses, reuse and overrides too, in any order of tiers and of declared rules."""
    other = {'tiers': tiers, 'stakes': StakesTable(tuple(rules), LABELS)}
    assert _play(frames, **(WORLD | other)).lines == _play(frames, **WORLD).lines


def _found(step: Step, name: str) -> Any:
    return next(t for t in step.record.decision.tiers if t.name == name)


@PATIENT
@given(WORLD_FRAMES)
def test_nothing_is_invoked_that_may_not_be(frames: list[Frame]) -> None:
    """Overrides, audits and learning calls included; what waits for an answer can have it in time.

    No busy tier, no undecodable frame, no cloud where a rule denies it, no arrival below the
    least where somebody waits, nothing out of an empty purse but a declared overdraw.
    """
    for step in _play(frames, **WORLD).steps:
        record, action = step.record, step.action
        decision = record.decision
        called = action.tier if isinstance(action, Invoke) else action.observe
        assert (decision.purse is Purse.NONE) == (not called)
        if not called:
            continue
        found = _found(step, called)
        assert record.offer.decodable
        assert called not in record.offer.busy
        assert not ('clinic' in record.matched and found.kind is TierKind.CLOUD)
        cap = next(t.cost_cap[0] for t in THREE if t.name == called)
        if isinstance(action, Invoke):
            assert decision.reason in (Reason.GAIN_ABOVE_PRICE, Reason.OVERRIDDEN)
            assert found.p_arrive >= 0.5
        if decision.purse is Purse.RULE:
            assert record.left[0] > CALLS.cost_max
            assert found.net > 0.0
        elif decision.purse is Purse.AUDIT:
            assert called == 'slow'
            assert action.observe
            assert record.audit_left[0] >= cap
        else:
            assert decision.rule in ('close', 'person')
            assert record.overdrawn == (record.safety_left[0] < cap)
        assert not record.overdrawn or decision.purse is Purse.SAFETY


@PATIENT
@given(WORLD_FRAMES)
def test_every_frame_is_answered_by_what_there_is(frames: list[Frame]) -> None:
    """Fast or the carried answer at once, else the invoked tier; reuse only where it is carried.

    The base answer is the carried one exactly where it is predicted to gain.
    """
    for step in _play(frames, **WORLD).steps:
        record, decision = step.record, step.record.decision
        reuses = record.carried >= 0 and record.reuse_gain > 0.0
        assert decision.base.name == (REUSE if reuses else 'fast')
        assert decision.base.gain == (record.reuse_gain if reuses else 0.0)
        if isinstance(step.action, Invoke):
            assert decision.chosen == step.action.tier
            continue
        assert step.action.tier == decision.chosen
        if decision.chosen != decision.base.name:
            assert decision.reason is Reason.OVERRIDDEN
            assert decision.rule in ('crossing', 'person')
        assert decision.chosen == 'fast' or (decision.chosen == REUSE and record.carried >= 0)


@PATIENT
@given(WORLD_FRAMES)
def test_the_probability_of_observing_slow_is_that_of_the_draw(frames: list[Frame]) -> None:
    """Recorded is 1 if something is invoked, else eps in [0, 1/2] or 1 where a label will come.

    A skipped frame is observed exactly where the draw is below it; 0 means it could not be.
    """
    for step in _play(frames, **WORLD).steps:
        record, decision = step.record, step.record.decision
        chance, asked = record.observation_probability, record.offer.observe
        if isinstance(step.action, Invoke) or decision.reason is Reason.LEARNING:
            assert chance == 1.0
            continue
        assert 0.0 <= chance <= 0.5 or (asked and chance == 1.0)
        assert bool(step.action.observe) == (record.offer.draw < chance or (asked and chance > 0))
        if chance:
            assert record.audit_left[0] >= 1.0
            assert record.offer.evidence is not None


@PATIENT
@given(WORLD_FRAMES)
def test_while_it_learns_the_slow_answer_is_never_committed(frames: list[Frame]) -> None:
    """A paying call in the learning phase only observes; a declared rule is acted upon as ever."""
    script = _play(frames, **WORLD)
    for step in script.steps:
        record, decision = step.record, step.record.decision
        if decision.reason is Reason.LEARNING:
            assert record.missing > 0
            assert step.action == Answer(decision.base.name, decision.observe)
            assert decision.purse is Purse.RULE
        elif record.missing and decision.reason is Reason.GAIN_ABOVE_PRICE:
            assert decision.rule in ('close', 'person')


@PATIENT
@given(FRAMES)
def test_nothing_infeasible_is_ever_invoked(frames: list[Frame]) -> None:
    """No busy tier, no undecodable frame, no arrival below the least, no exhausted budget.

    Each frame has one record; the recorded probability of seeing slow's answer is 1 or 0.
    """
    for step in _play(frames).steps:
        record = step.record
        acts = isinstance(step.action, Invoke)
        assert record.observation_probability == float(acts)
        assert acts == (record.decision.reason is Reason.GAIN_ABOVE_PRICE)
        if not acts:
            assert step.action == Answer('fast')
            assert record.decision.chosen == 'fast'
            continue
        chosen = next(t for t in record.decision.tiers if t.name == step.action.tier)
        assert record.offer.decodable
        assert step.action.tier not in record.offer.busy
        assert chosen.p_arrive >= 0.5
        assert record.left[0] > CALLS.cost_max
        assert chosen.net > 0.0


@pytest.mark.parametrize('arrive_min', [0.1, 0.5, 0.9, 0.99, 1.0])
def test_the_least_arrival_is_kept(arrive_min: float) -> None:
    """Over a sweep of times left, slow is invoked exactly from the declared P(arrive) on."""
    invoked = {}
    for k in range(100):
        made = controller({'slow': 1.0}, resources=[RICH], arrive_min=arrive_min)
        step = made.offer(offer(remaining_s=k * 1e-3))
        found = step.record.decision.tiers[0]
        invoked[k] = isinstance(step.action, Invoke)
        assert invoked[k] == (found.p_arrive >= arrive_min)
    assert invoked[99]
    assert not invoked[10]


@PATIENT
@given(FRAMES)
def test_rate_and_burst_zero_never_invoke(frames: list[Frame]) -> None:
    """A disabled resource: nothing is invoked, charged or spent, at any gain and stake."""
    script = _play(frames, resources=[replace(CALLS, rate=0.0, burst=0.0)], value_clip=1e6)
    assert all(step.action == Answer('fast') for step in script.steps)
    assert all(step.record.spent == (0.0,) for step in script.steps)


@PATIENT
@given(WORLD_FRAMES)
def test_rate_and_burst_zero_never_invoke_for_audits_or_rules_either(frames: list[Frame]) -> None:
    """A disabled resource is not overdrawn, audited or learned with; the robot is advised."""
    off = replace(CALLS, rate=0.0, burst=0.0)
    for step in _play(frames, **(WORLD | {'resources': [off], 'value_clip': 1e6})).steps:
        assert isinstance(step.action, Answer)
        assert step.action.observe == ''
        assert step.record.spent == (0.0,)
        assert step.record.observation_probability == 0.0
        assert not step.record.overdrawn
        if 'close' in step.record.matched:
            assert step.record.decision.advice.value in ('SLOW_DOWN', 'STOP')


@PATIENT
@given(
    st.lists(
        st.tuples(st.floats(0.0, 0.2), st.floats(-1.0, 0.05), st.floats(0.0, 1.0)), max_size=60
    )
)
def test_a_tier_that_never_pays_is_audited_within_its_share_and_else_never_seen(
    frames: list[tuple[float, float, float]],
) -> None:
    """Gains of at most the exchange rate: nothing is invoked, and audits stay in their reserve."""
    predictor = ScriptedGain()
    made = Controller(settings(audit_share=0.25, reference='slow'), predictor)
    stamp_ns, seconds = 0, 0.0
    for k, (gap_s, gain, draw) in enumerate(frames):
        stamp_ns += int(gap_s * SECOND_NS)
        seconds = stamp_ns / SECOND_NS if k else 0.0
        stamp_ns = 0 if not k else stamp_ns
        predictor.gains = {'slow': gain}
        step = made.offer(offer(k, stamp_ns, draw=draw, observe=k % 7 == 0))
        assert isinstance(step.action, Answer)
        assert step.record.decision.purse in (Purse.NONE, Purse.AUDIT)
        if step.action.observe:
            made.learn(outcome(k, OutcomeKind.AUDIT, cost=(1.0,)))
    assert made._purses.spent[0] <= 0.25 * (20.0 + 2.0 * seconds) + 1e-9


@PATIENT
@given(FRAMES)
def test_a_huge_budget_invokes_whatever_is_worth_its_exchange_rate(frames: list[Frame]) -> None:
    """With plenty left a tier is invoked where value > beta * cost, and only there."""
    for step, frame in zip(_play(frames, resources=[RICH]).steps, frames, strict=True):
        nets = [0.0]
        for spec in THREE:
            found = next(t for t in step.record.decision.tiers if t.name == spec.name)
            open_now = found.p_arrive >= 0.5 and spec.name not in frame['busy']
            if open_now and frame['faulty'] != 'image':
                gain = max(0.0, frame['gains'][spec.name])
                value = min(1.0, frame['stake'] * found.p_arrive * gain)
                nets.append(value - 0.05 * spec.cost[0])
        if abs(max(nets)) > 1e-6:
            assert isinstance(step.action, Invoke) == (max(nets) > 0.0)


@PATIENT
@given(FRAMES, st.floats(0.0, 1.0), st.floats(-1.0, 1.0))
def test_without_any_limit_the_least_predicted_loss_answers(
    frames: list[Frame], fast_loss: float, reuse_gain: float
) -> None:
    """Budget without end, no exchange rate, all the time in the world: the best answer is given.

    Of fast, the carried answer and every tier, by their predicted losses; a slower tier's own word
    about its answer is its predicted loss here.
    """
    predictor = ScriptedGain()
    predictor.fast_loss, predictor.reuse_gain = fast_loss, reuse_gain
    endless = replace(CALLS, rate=1e9, burst=1e12, exchange_rate=0.0)
    made = Controller(settings(THREE, [endless], value_clip=1e6, reuse_max_age_s=1e6), predictor)
    for k, frame in enumerate(frames):
        predictor.gains = frame['gains']
        step = made.offer(offer(k, remaining_s=10.0, fast_class=1))
        losses = {name: fast_loss - gain for name, gain in frame['gains'].items()}
        losses |= {'fast': fast_loss}
        if step.record.carried >= 0:
            losses[REUSE] = fast_loss - reuse_gain
        if isinstance(step.action, Invoke):
            predictor.tier_loss = losses[step.action.tier]
            answer = made.resume(outcome(k, tier=step.action.tier, class_id=2))[0]
        else:
            answer = step.action
        assert losses[answer.tier] <= min(losses.values()) + 1e-6


def _scaled(factor: float) -> dict[str, Any]:
    resource = Resource(
        CALLS.name,
        CALLS.rate * factor,
        CALLS.burst * factor,
        CALLS.price_ceiling / factor,
        CALLS.exchange_rate / factor,
        CALLS.cost_max * factor,
    )
    tiers = [
        replace(t, cost=(t.cost[0] * factor,), cost_cap=(t.cost_cap[0] * factor,)) for t in THREE
    ]
    return {'resources': [resource], 'tiers': tiers}


def _scaled_frames(frames: list[Frame], factor: float) -> list[Frame]:
    return [
        frame | {'used': None if frame['used'] is None else frame['used'] * factor}
        for frame in frames
    ]


@PATIENT
@given(FRAMES, st.sampled_from([2.0**-10, 2.0**7, 2.0**20]))
def test_the_unit_of_a_resource_changes_no_decision(frames: list[Frame], factor: float) -> None:
    """In a unit that is a power of two smaller or larger every decision is exactly the same."""
    plain = _play(frames)
    other = _play(_scaled_frames(frames, factor), **_scaled(factor))
    for one, two in zip(plain.steps, other.steps, strict=True):
        assert one.action == two.action
        assert one.record.decision.margin == two.record.decision.margin
        assert two.record.left[0] == one.record.left[0] * factor


def _hangs_on_rounding(step: Step) -> bool:
    """Whether a cent or a last bit more of anything could have decided otherwise."""
    record = step.record
    lefts = record.left[0], record.audit_left[0], record.safety_left[0]
    return (
        abs(record.decision.margin) <= 1e-9
        or any(abs(left - cap) <= 1e-9 for left in lefts for cap in (CALLS.cost_max, 0.5))
        or abs(record.offer.draw - record.observation_probability) <= 1e-9
    )


@PATIENT
@given(FRAMES)
def test_cents_or_euros_change_no_decision_beyond_rounding(frames: list[Frame]) -> None:
    """In hundredths, actions are the same up to the first decision that hangs on rounding."""
    plain = _play(frames)
    other = _play(_scaled_frames(frames, 100.0), **_scaled(100.0))
    for one, two in zip(plain.steps, other.steps, strict=True):
        decision, tokens = one.record.decision, one.record.left[0]
        if abs(decision.margin) <= 1e-9 or abs(tokens - CALLS.cost_max) <= 1e-9:
            return
        assert one.action == two.action
        assert two.record.decision.margin == pytest.approx(decision.margin, abs=1e-9)


@PATIENT
@given(WORLD_FRAMES)
def test_cents_or_euros_change_no_audit_or_override_either(frames: list[Frame]) -> None:
    """With all purses, rules and reuse: the same actions, probabilities and advice."""
    plain = _play(frames, **WORLD)
    other = _play(_scaled_frames(frames, 100.0), **(WORLD | _scaled(100.0)))
    for one, two in zip(plain.steps, other.steps, strict=True):
        if _hangs_on_rounding(one):
            return
        assert one.action == two.action
        assert one.record.decision.advice is two.record.decision.advice
        assert two.record.observation_probability == pytest.approx(
            one.record.observation_probability, rel=1e-9
        )


# --- shadow, faults, which answer is committed ---------------------------------------------------


@PATIENT
@given(FRAMES)
def test_shadow_never_invokes_and_prices_move_as_if_it_acted(frames: list[Frame]) -> None:
    """In shadow the same tiers are chosen at the same prices as when each call ends at once."""
    shadow = controller(tiers=THREE, shadow=True)
    acting = controller(tiers=THREE)
    # Only the acting one learns how long a call takes; far from the deadline that is no matter.
    frames = [frame | {'remaining_s': 20.0 * frame['remaining_s']} for frame in frames]
    frames = [frame for frame in frames if not 0.01 < frame['remaining_s'] < 0.1]
    for frame, made in zip(frames, _offers(frames), strict=True):
        for one in (shadow, acting):
            one._predictor.gains = frame['gains']
        kept, step = shadow.offer(made), acting.offer(made)
        assert kept.action == Answer('fast')
        assert kept.record.observation_probability == 0.0
        assert kept.record.shadow
        assert (kept.record.left, kept.record.scarcity) == (step.record.left, step.record.scarcity)
        assert kept.record.spent == step.record.spent
        assert kept.record.decision.chosen == step.record.decision.chosen
        assert kept.record.decision.tiers == step.record.decision.tiers
        if isinstance(step.action, Invoke):
            assert kept.record.decision.reason is Reason.SHADOWED
            spec = next(t for t in THREE if t.name == step.action.tier)
            acting.resume(outcome(made.sequence, tier=spec.name, cost=spec.cost))
        else:
            # The time that would have been enough is found by halving once calls were seen.
            same = replace(kept.record.decision, flip=step.record.decision.flip)
            assert same == step.record.decision


@PATIENT
@given(WORLD_FRAMES)
def test_shadow_invokes_and_audits_nothing(frames: list[Frame]) -> None:
    """With audits, labels to come, forcing rules and a learning phase: nothing is ever run."""
    script = _play(frames, **(WORLD | {'shadow': True}))
    for step in script.steps:
        assert step.action == Answer('fast')
        assert step.record.observation_probability == 0.0
        assert step.record.decision.observe == ''
    assert script.predictor.observed == []


def test_shadow_waits_for_no_outcome() -> None:
    """A shadowed decision has no open call."""
    made = controller({'slow': 1.0}, shadow=True)
    assert made.offer(offer()).record.decision.reason is Reason.SHADOWED
    with pytest.raises(SequenceError):
        made.resume(outcome(0))


@pytest.mark.parametrize(
    ('fast_loss', 'tier_loss', 'committed'),
    [(0.5, 0.1, 'slow'), (0.1, 0.5, 'fast'), (0.3, 0.3, 'slow'), (0.3, 0.30000001, 'fast')],
)
def test_the_answer_with_the_smaller_predicted_loss_is_committed(
    fast_loss: float, tier_loss: float, committed: str
) -> None:
    """Not "slow wins": a slow answer that is more likely wrong is not used (ties: slow)."""
    predictor = ScriptedGain({'slow': 0.5})
    predictor.fast_loss, predictor.tier_loss = fast_loss, tier_loss
    made = Controller(settings(), predictor)
    made.offer(offer())
    answer, record = made.resume(outcome(0))
    assert answer == Answer(committed)
    assert (record.committed, record.fast_loss, record.tier_loss) == (
        committed,
        fast_loss,
        tier_loss,
    )


@pytest.mark.parametrize(
    'kind', [OutcomeKind.FAILED, OutcomeKind.CANCELLED, OutcomeKind.TIMED_OUT]
)
def test_without_an_answer_fast_is_committed(kind: OutcomeKind) -> None:
    """A call that fails, is cancelled or times out commits the fast answer, with no tier loss."""
    made = controller({'slow': 0.5})
    made.offer(offer())
    answer, record = made.resume(outcome(0, kind))
    assert (answer, record.committed, record.tier_loss) == (Answer('fast'), 'fast', None)


def test_a_failed_call_has_cost_its_cap() -> None:
    """With the cost unknown the whole cap stays charged; with it known the rest comes back."""
    for cost, left in ((None, 19.0), ((0.25,), 19.75)):
        made = controller({'slow': 0.5})
        made.offer(offer())
        record = made.resume(outcome(0, OutcomeKind.FAILED, cost=cost))[1]
        assert record.left == (left,)


@pytest.mark.parametrize('blind_loss', [0.0, 1.0])
@pytest.mark.parametrize('tier_loss', [0.0, 0.99, 1.0])
def test_without_a_fast_answer_slow_is_committed(tier_loss: float, blind_loss: float) -> None:
    """Fast failed: the decision is degraded, slow may be invoked, and its answer is taken.

    Whatever a predictor thinks of an answer that is not there: it cannot be the better one.
    """
    predictor = ScriptedGain({'slow': 0.9})
    predictor.tier_loss, predictor.blind_loss = tier_loss, blind_loss
    made = Controller(settings(), predictor)
    step = made.offer(offer(evidence=None, fast_class=-1, fault='the fast model failed'))
    assert step.action == Invoke('slow')
    assert (step.record.degraded, step.record.fast_loss) == (True, blind_loss)
    assert made.resume(outcome(0))[0] == Answer('slow')


def test_without_a_fast_answer_the_carried_one_is_given() -> None:
    """Fast failed, slow does not pay: what is carried is better than nothing, and marked so."""
    made = controller({'slow': 0.5}, reuse_max_age_s=1.0)
    made.offer(offer(0))
    made.resume(outcome(0, class_id=2))
    made._predictor.gains, made._predictor.reuse_gain = {}, 0.6
    step = made.offer(offer(1, evidence=None, fast_class=-1, fault='the fast model failed'))
    assert step.action == Answer(REUSE)
    assert (step.record.degraded, step.record.decision.reason) == (True, Reason.DEGRADED)
    assert step.record.carried == 0


def test_without_any_answer_the_frame_is_degraded() -> None:
    """Fast failed and slow does not pay: the reason is the fault, and nothing is charged."""
    made = controller({'slow': 0.0})
    step = made.offer(offer(evidence=None, fault='the fast model failed'))
    assert step.action == Answer('fast')
    assert (step.record.decision.reason, step.record.decision.binding) == (Reason.DEGRADED, '')
    assert made.offer(offer(1, 0)).record.left == (20.0,)


# --- every reason with its binding constraint and a true flip ------------------------------------


def _drained(shots: int, gain: float = 1.0, **changes: Any) -> Controller:
    """Return a controller that has invoked slow `shots` times at stamp 0; now it gains `gain`."""
    predictor = ScriptedGain({'slow': 1.0})
    made = Controller(settings(**({'value_clip': 100.0} | changes)), predictor)
    for k in range(shots):
        assert made.offer(offer(k, 0, stake=1000.0)).action == Invoke('slow')
        made.resume(outcome(k, cost=(1.0,)))
    predictor.gains = {'slow': gain}
    return made


def _at(shots: int, gain: float, **changes: Any) -> Step:
    return _drained(shots, gain).offer(offer(shots, 0, **changes))


def test_budget_exhausted_binds_and_more_tokens_turn_it() -> None:
    """The named number of tokens is where it turns: just below not, just above it does.

    Tokens are let in by time, at 2 a second, so the whole way through the controller is tested.
    """
    for gain in (0.06, 0.3, 0.8, 1.0):
        record = _at(19, gain).record
        decision, flip = record.decision, record.decision.flip
        assert (decision.reason, decision.binding) == (Reason.BUDGET_EXHAUSTED, 'budget')
        assert flip.quantity == 'tokens(slow_calls)'
        assert flip.before == record.left[0] == 1.0
        assert flip.after is not None
        for tokens, invoked in ((flip.after - EPS, False), (flip.after + EPS, True)):
            made = _drained(19, gain, gap_max_s=100.0)
            stamp_ns = round((tokens - flip.before) / CALLS.rate * SECOND_NS)
            later = made.offer(offer(19, stamp_ns))
            assert isinstance(later.action, Invoke) == invoked, (gain, tokens)


def test_a_stake_that_pays_any_price_turns_with_the_first_token() -> None:
    """Where even the ceiling pays, the turning point is c_max: one more call would fit."""
    decision = _at(19, 1.0, stake=50.0).record.decision
    assert decision.flip == Flip('tokens(slow_calls)', 1.0, 1.0)
    assert decision.margin == pytest.approx(-(50.0 - 1.05))


def test_an_empty_budget_is_no_reason_where_the_gain_would_not_pay_at_all() -> None:
    """Below the exchange rate the price binds, exhausted or not, and no tokens are promised."""
    decision = _at(19, 0.04).record.decision
    assert (decision.reason, decision.binding, decision.flip) == (
        Reason.GAIN_BELOW_PRICE,
        'price',
        NO_FLIP,
    )
    assert decision.tiers[0].reason is Reason.BUDGET_EXHAUSTED


def test_a_disabled_budget_promises_no_tokens() -> None:
    """Rate 0 and burst 0: the budget binds, and no number of tokens would have turned it."""
    made = controller({'slow': 1.0}, resources=[replace(CALLS, rate=0.0, burst=0.0)])
    decision = made.offer(offer()).record.decision
    assert (decision.reason, decision.binding, decision.flip) == (
        Reason.BUDGET_EXHAUSTED,
        'budget',
        NO_FLIP,
    )


@run(PATIENT, max_examples=200)
@given(
    st.floats(0.0, 1.0),
    st.floats(0.2, 3.0),
    st.floats(-0.05, 0.06),
    st.sampled_from([0.1, 0.5, 0.7, 0.99, 0.995, 1.0]),
    st.integers(0, 18),
)
def test_a_deadline_flip_is_true(
    gain: float, stake: float, remaining_s: float, arrive_min: float, shots: int
) -> None:
    """With the named time left it turns, just below it does not; unnamed, no time turns it."""

    def at(left_s: float) -> Step:
        made = _drained(shots, gain, arrive_min=arrive_min)
        return made.offer(offer(shots, 0, stake=stake, remaining_s=left_s))

    record = at(remaining_s).record
    decision = record.decision
    assume(decision.tiers[0].reason is Reason.DEADLINE_TOO_SHORT)
    if decision.reason is Reason.DEADLINE_TOO_SHORT:
        flip = decision.flip
        assert decision.binding == 'deadline'
        assert (flip.quantity, flip.before) == ('remaining_s', remaining_s)
        assert flip.after is not None
        assert at(flip.after * (1.0 - 1e-7)).action == Answer('fast')
        assert at(flip.after * (1.0 + 1e-7)).action == Invoke('slow')
    else:
        assert (decision.reason, decision.flip) == (Reason.GAIN_BELOW_PRICE, NO_FLIP)
        assert at(10.0).action == Answer('fast')


def test_the_deadline_binds_where_slow_could_not_arrive() -> None:
    """10 ms left of the 20 that slow takes: not a matter of the price, whatever the gain."""
    decision = controller({'slow': 0.9}).offer(offer(remaining_s=0.01)).record.decision
    assert (decision.reason, decision.binding) == (Reason.DEADLINE_TOO_SHORT, 'deadline')
    assert decision.flip == Flip('remaining_s', 0.01, 0.02)


def test_two_obstacles_promise_no_single_way_out() -> None:
    """Too late and out of budget: neither alone would have turned it, so no flip is named."""
    made = _drained(19, 1.0)
    decision = made.offer(offer(19, 0, remaining_s=0.01)).record.decision
    assert (decision.reason, decision.flip) == (Reason.DEADLINE_TOO_SHORT, NO_FLIP)
    assert made.offer(offer(20, 0)).action == Answer('fast')


def test_two_empty_resources_promise_no_single_way_out() -> None:
    """Energy and calls both used up: more of one would not have helped."""
    energy = Resource('energy_j', 1.0, 20.0, 1.0, 0.0, 1.0)
    both = tier(cost=(1.0, 1.0), cost_cap=(1.0, 1.0))
    made = controller({'slow': 1.0}, tiers=[both], resources=[CALLS, energy], value_clip=100.0)
    for k in range(19):
        made.offer(offer(k, 0, stake=100.0))
        made.resume(outcome(k, cost=(1.0, 1.0)))
    decision = made.offer(offer(19, 0)).record.decision
    assert (decision.reason, decision.flip) == (Reason.BUDGET_EXHAUSTED, NO_FLIP)


def test_a_busy_tier_binds_where_it_would_have_paid() -> None:
    """TIER_BUSY with nothing weighed that could have changed it; poor gains blame the price."""
    made = controller({'slow': 0.5})
    decision = made.offer(offer(busy=('slow', 'other'))).record.decision
    assert (decision.reason, decision.binding, decision.flip) == (
        Reason.TIER_BUSY,
        'busy',
        NO_FLIP,
    )
    assert decision.margin == pytest.approx(-0.45)
    made = controller({'slow': 0.01})
    assert made.offer(offer(busy=('slow',))).record.decision.reason is Reason.GAIN_BELOW_PRICE


def test_an_undecodable_frame_is_answered_without_slow() -> None:
    """Nothing is invoked on an image that cannot be read, however large the stake."""
    made = controller({'slow': 1.0}, value_clip=100.0)
    step = made.offer(
        offer(evidence=None, stake=100.0, fault='the JPEG is cut off', decodable=False)
    )
    assert step.action == Answer('fast')
    assert (step.record.decision.reason, step.record.decision.binding) == (
        Reason.INPUT_UNDECODABLE,
        '',
    )
    assert step.record.decision.tiers[0].reason is Reason.INPUT_UNDECODABLE


def test_a_gain_flip_of_a_degraded_frame_is_true() -> None:
    """A record that blames the fault still names the gain at which slow would have answered."""
    faulty = {'evidence': None, 'fault': 'the fast model failed'}
    flip = controller({'slow': 0.01}).offer(offer(**faulty)).record.decision.flip
    assert flip.after is not None
    for gain, action in ((flip.after - EPS, Answer('fast')), (flip.after + EPS, Invoke('slow'))):
        assert controller({'slow': gain}).offer(offer(**faulty)).action == action


def test_fast_is_kept_without_other_tiers() -> None:
    """No tier declared: every frame is answered by fast, and the reason says that."""
    decision = controller(tiers=()).offer(offer()).record.decision
    assert (decision.reason, decision.binding, decision.flip) == (Reason.FAST_KEPT, '', NO_FLIP)


# --- refusals change nothing ---------------------------------------------------------------------


def _twins(frames: list[Frame], meddle: Callable[[Controller, int], None]) -> None:
    """Check that a controller which refused something goes on like one that never saw it."""
    expected = _play(frames)
    predictor = ScriptedGain()
    made = Controller(settings(THREE), predictor)
    script = Script(made, predictor)
    script.play(frames, lambda k: meddle(made, k))
    assert script.lines == expected.lines


@PATIENT
@given(FRAMES, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_refused_offer_changes_nothing(frames: list[Frame], bad: float) -> None:
    """NaN or infinity is refused before the budget accrues, even with a stamp far ahead."""

    def meddle(made: Controller, k: int) -> None:
        far = 10**18
        evil = offer(10_000 + k, far)
        for poisoned in (
            replace(evil, stake=bad),
            replace(evil, stake=-1.0),
            replace(evil, remaining_s=bad),
            replace(evil, evidence=EVIDENCE._replace(entropy=bad)),
            replace(evil, scene=evil.scene._replace(sharpness=bad)),
            replace(evil, time_to_collision_s=bad),
            replace(evil, draw=bad),
            replace(evil, draw=-1e-9),
            replace(evil, draw=1.0 + 1e-9),
        ):
            with pytest.raises(InputError):
                made.offer(poisoned)

    _twins(frames, meddle)


@PATIENT
@given(FRAMES)
def test_a_refused_outcome_changes_nothing(frames: list[Frame]) -> None:
    """Unknown, wrong tier, repeated, out of turn or with a bad cost: refused without a trace."""

    def meddle(made: Controller, k: int) -> None:
        name = next((name for number, name in made._calls._open if number == k), 'slow')
        other = 'cloud' if name == 'slow' else 'slow'
        bad = [
            (made.resume, outcome(9999), SequenceError),
            (made.learn, outcome(9999, OutcomeKind.LATE), SequenceError),
            (made.learn, outcome(k, OutcomeKind.LATE, name), SequenceError),
            (made.resume, outcome(k, OutcomeKind.LATE, name), SequenceError),
            (made.resume, outcome(k, tier=other), SequenceError),
            (made.resume, outcome(k, tier='fast'), SequenceError),
            (made.resume, outcome(k, tier=name, cost=(math.nan,)), InputError),
            (made.resume, outcome(k, tier=name, cost=(-1.0,)), InputError),
            (made.resume, outcome(k, tier=name, cost=(1.0, 1.0)), InputError),
            (made.resume, outcome(k, tier=name, cost=()), InputError),
            (made.resume, outcome(k, OutcomeKind.AUDIT, name), SequenceError),
            (made.resume, label(k, tier=name), SequenceError),
            (made.learn, label(9999), SequenceError),
            (made.learn, label(k, math.nan), InputError),
            (made.learn, label(k, 1.0 + 1e-9), InputError),
            (made.learn, label(k, tier_label_loss=-1e-9), InputError),
            (made.resume, outcome(k, tier=name, stale=1.5), InputError),
            (made.resume, outcome(k, tier=name, latency_s=math.inf), InputError),
            (made.resume, outcome(k, tier=name, disagreement=math.nan), InputError),
            (
                made.resume,
                outcome(k, tier=name, evidence=EVIDENCE._replace(margin=math.nan)),
                InputError,
            ),
        ]
        for apply, ended, error in bad:
            with pytest.raises(error):
                apply(ended)

    _twins(frames, meddle)


@pytest.mark.parametrize('kind', [*ENDS, OutcomeKind.LATE])
def test_an_outcome_counts_once(kind: OutcomeKind) -> None:
    """After a call has ended nothing more about it is taken, by either verb."""
    made = controller({'slow': 0.5})
    made.offer(offer())
    if kind is OutcomeKind.LATE:
        made.resume(outcome(0, OutcomeKind.TIMED_OUT))
        made.learn(outcome(0, kind))
    else:
        made.resume(outcome(0, kind))
    late = [] if kind is OutcomeKind.TIMED_OUT else [k for k in OutcomeKind if k.value != 'LABEL']
    before = encode(made.offer(offer(1, 0, stake=0.0)).record)
    for again in late:
        for apply in (made.resume, made.learn):
            with pytest.raises(SequenceError):
                apply(outcome(0, again))
    after = encode(made.offer(offer(1, 0, stake=0.0)).record)
    assert after == before


def test_after_a_time_out_only_the_end_of_the_call_counts() -> None:
    """A second time-out or an answer in time is out of turn; a late end settles the reserve."""
    made = controller({'slow': 0.5})
    made.offer(offer())
    record = made.resume(outcome(0, OutcomeKind.TIMED_OUT))[1]
    assert (record.committed, record.left) == ('fast', (19.0,))
    for kind in (OutcomeKind.TIMED_OUT, OutcomeKind.ANSWERED):
        for apply in (made.resume, made.learn):
            with pytest.raises(SequenceError):
                apply(outcome(0, kind))
    late = made.learn(outcome(0, OutcomeKind.LATE, cost=(0.5,)))
    assert (late.committed, late.left, late.tier_loss) == ('', (19.5,), 0.1)


def test_what_runs_on_stays_reserved() -> None:
    """However long a timed-out call runs, its cap is not accrued away before it ends."""
    made = controller({'slow': 0.5}, gap_max_s=1e9)
    made.offer(offer(0, 0))
    made.resume(outcome(0, OutcomeKind.TIMED_OUT))
    assert made.offer(offer(1, 10**15, stake=0.0)).record.left == (19.0,)
    made.learn(outcome(0, OutcomeKind.FAILED, cost=(0.0,)))
    assert made.offer(offer(2, 10**15, stake=0.0)).record.left == (20.0,)


def test_a_number_whose_call_is_open_is_not_taken_twice() -> None:
    """A repeated sequence number would lose the open call's reserve; it is refused, unchanged."""
    made = controller({'slow': 0.5})
    made.offer(offer(0, 0))
    with pytest.raises(SequenceError):
        made.offer(offer(0, 10**12))
    assert made.resume(outcome(0, cost=(0.0,)))[1].left == (20.0,)
    assert made.offer(offer(0, 0)).action == Invoke('slow')


# --- changes from outside ------------------------------------------------------------------------


def test_a_new_budget_keeps_what_was_used() -> None:
    """A live change of rate and burst keeps Q and what was spent, and prices follow at once."""
    made = _drained(5)
    bigger = replace(CALLS, rate=4.0, burst=40.0)
    made.adjust(Change(0, 'parameter', resources=(bigger,)))
    record = made.offer(offer(5, 0, stake=0.0)).record
    assert (record.left, record.spent) == ((35.0,), (5.0,))
    assert record.scarcity == pytest.approx((5.0 / 39.0,))
    assert made.offer(offer(6, SECOND_NS, stake=0.0)).record.left == (39.0,)


@pytest.mark.parametrize(
    'resources',
    [
        (),
        (CALLS, replace(CALLS, name='energy_j')),
        (replace(CALLS, name='energy_j'),),
        (replace(CALLS, burst=0.5),),
        (replace(CALLS, rate=math.nan),),
        (replace(CALLS, cost_max=0.5),),
    ],
)
def test_a_budget_that_does_not_fit_is_refused_whole(resources: tuple[Resource, ...]) -> None:
    """Other resources, bad numbers or a c_max below a cap: shadow and clock stay as well."""
    made, same = _drained(3), _drained(3)
    with pytest.raises(ConfigError):
        made.adjust(Change(0, 'parameter', shadow=True, resources=resources, rewind_ns=-(10**12)))
    assert not made.shadow
    later = offer(3, SECOND_NS)
    assert encode(made.offer(later).record) == encode(same.offer(later).record)


def test_shadow_can_be_switched_and_none_leaves_it() -> None:
    """True and False switch, None does not; the switch acts on the next frame."""
    made = controller({'slow': 0.5})
    made.adjust(Change(0, 'service enable', shadow=True))
    made.adjust(Change(0, 'parameter'))
    assert made.shadow
    assert made.offer(offer(0, 0)).action == Answer('fast')
    made.adjust(Change(0, 'service enable', shadow=False))
    assert made.offer(offer(1, 0)).action == Invoke('slow')


def test_a_call_that_was_open_when_shadow_began_still_ends() -> None:
    """Switching to shadow leaves running calls to their outcomes and the budget to its books."""
    made = controller({'slow': 0.5})
    made.offer(offer(0, 0))
    made.adjust(Change(0, 'service enable', shadow=True))
    assert made.resume(outcome(0, cost=(0.5,)))[1].left == (19.5,)


def test_a_clock_set_back_accrues_again_from_there() -> None:
    """After a rewind the new stamps count; without it they would be in the past for good."""
    for rewind_ns, left in ((0, 17.0), (None, 15.0)):
        made = _drained(5)
        made.offer(offer(5, 10**15, stake=0.0))
        made.adjust(Change(0, 'clock', rewind_ns=rewind_ns))
        before = made.offer(offer(6, 0, stake=0.0)).record.left[0]
        after = made.offer(offer(7, SECOND_NS, stake=0.0)).record.left[0]
        assert (before, after) == (17.0, left + 2.0)


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'changes',
    [
        {'tiers': (tier('fast'),)},
        {'tiers': (tier('slow'), tier('slow'))},
        {'tiers': (tier(cost=(1.0, 1.0)),)},
        {'tiers': (tier(cost_cap=(2.0,)),)},
        {'tiers': (tier(cost=(1.0,), cost_cap=(0.5,)),)},
        {'resources': ()},
        {'resources': (replace(CALLS, burst=1.0),)},
        {'value_clip': 0.0},
        {'value_clip': math.nan},
        {'gap_max_s': -1.0},
        {'gap_max_s': math.nan},
        {'arrive_min': 0.0},
        {'arrive_min': 1.1},
        {'tiers': (tier('reuse'),)},
        {'tiers': (tier(kind=TierKind.FAST),)},
        {'reference': 'cloud'},
        {'audit_share': 1.0},
        {'audit_share': 0.01},
        {'safety_share': math.nan},
        {'audit_share': 0.5, 'safety_share': 0.5},
        {'start_share': -0.1},
        {'start_share': 1.1},
        {'start_share': math.nan},
        {'reuse_max_age_s': math.inf},
        {'reuse_max_age_s': -1.0},
        {'resources': (replace(CALLS, plan=((1.0, 1.0),)),)},
        {'stakes': StakesTable((OverrideRule('does nothing'),))},
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    """Names that repeat, costs beyond c_max and numbers out of range stop the start."""
    with pytest.raises(ConfigError):
        controller(**changes)


@PATIENT
@given(FRAMES)
def test_a_record_holds_what_the_budget_was_before_the_decision(frames: list[Frame]) -> None:
    """Tokens, price and net of every record follow from B, Q and the record's own numbers."""
    for step in _play(frames).steps:
        record = step.record
        assert record.scarcity[0] == pytest.approx(
            CALLS.price_ceiling * (CALLS.burst - record.left[0]) / 19.0, abs=1e-12
        )
        for found in record.decision.tiers:
            assert found.price == (CALLS.exchange_rate + record.scarcity[0],)
            assert found.net == pytest.approx(found.value - found.price[0] * found.cost[0])
        assert record.accrued[0] <= CALLS.rate * len(frames) * 1.0 + 1e-9
