"""The budget's guarantee (decision.md section 4): no window of a trace overspends beyond B.

A trace holds whatever an adversary may choose: gains, stakes, stamps, costs up to the cap, when
and how calls end, which rules force a call, which frames are audited. The controller under test
decides; what it spent is booked here on its own, purse by purse, and compared with Lemma 1,
Lemma 2 and a token bucket in exact fractions.
"""

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import EVIDENCE
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import SECOND_NS
from scripted import settings
from scripted import tier
from selector.action import Invoke
from selector.action import Step
from selector.budget import Resource
from selector.controller import Answer
from selector.controller import Controller
from selector.cost import Cost
from selector.decision import Purse
from selector.decision import Reason
from selector.decision import TierSpec
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.settings import Settings
from selector.stakes import OverrideRule
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty

GAP_MAX_S = 1.0
TIERS = ('cloud', 'ensemble', 'slow')
PURSES = (Purse.RULE, Purse.AUDIT, Purse.SAFETY)
NEVER = 10**9
FORCE = OverrideRule('close', time_to_collision_below_s=1.0, force_slow=True)
OVERDRAW = StakesTable((FORCE,), when_empty=WhenEmpty.OVERDRAW)
ADVISE = StakesTable((FORCE,), when_empty=WhenEmpty.ADVISE_STOP)


class Shot(NamedTuple):
    """One frame of a trace.

    Attributes:
        dt_ns: step of the stamp, possibly 0 or negative [ns].
        gains: of the tiers.
        stake: how much an error matters.
        late: whether the call times out before it ends.
        delay: frames from the decision to the end of the call.
        used: actual cost as a share of the cap; None leaves the cap charged.
        forced: a declared rule forces a call.
        draw: of the audit stream.
        observe: a label will come.
        learning: answers that are still missing before it may be acted upon.
        camera: which one the frame is from.
        pending: it is decided about before the fast model has run.
    """

    dt_ns: int
    gains: tuple[float, ...]
    stake: float
    late: bool
    delay: int
    used: float | None
    forced: bool = False
    draw: float = 1.0
    observe: bool = False
    learning: int = 0
    camera: str = 'front'
    pending: bool = False


def _allowed(resource: Resource, start_s: Fraction, end_s: Fraction) -> Fraction:
    """Return what a resource accrues from one mission time to a later one, in exact arithmetic."""
    plan = [(Fraction(at), Fraction(factor)) for at, factor in resource.plan] or [
        (Fraction(0), Fraction(1))
    ]
    total = Fraction(0)
    for k, (from_s, factor) in enumerate(plan):
        until_s = plan[k + 1][0] if k + 1 < len(plan) else max(end_s, from_s)
        total += factor * max(Fraction(0), min(end_s, until_s) - max(start_s, from_s))
    return Fraction(resource.rate) * total


class Bucket:
    """A plain token bucket in exact arithmetic: the oracle."""

    def __init__(self, resource: Resource, part: Fraction, start_share: float) -> None:
        self.burst = Fraction(resource.burst) * part
        self._resource, self._part = resource, part
        self._mission_s = Fraction(0)
        self.tokens, self.reserved = self.burst * Fraction(start_share), Fraction(0)

    def refill(self, elapsed_s: Fraction) -> None:
        """Add what accrued; tokens and reserves together never exceed the burst."""
        start_s = self._mission_s
        self._mission_s += elapsed_s
        gain = self._part * _allowed(self._resource, start_s, self._mission_s)
        self.tokens = min(self.burst - self.reserved, self.tokens + gain)

    def spend(self, cap: float) -> Fraction:
        """Take a cap out and keep it in reserve; return what of it there were no tokens for."""
        missing = min(Fraction(cap), max(Fraction(0), Fraction(cap) - self.tokens))
        self.tokens -= Fraction(cap)
        self.reserved += Fraction(cap)
        return missing

    def settle(self, cap: float, actual: float) -> None:
        """Give the cap back and take what was really used."""
        self.reserved -= Fraction(cap)
        self.tokens += Fraction(cap) - Fraction(actual)
        self.tokens = min(self.burst - self.reserved, self.tokens)


class Open(NamedTuple):
    """A call that has not ended."""

    frame: int
    spec: TierSpec
    purse: Purse
    waits: bool
    shot: Shot


class Trace:
    """Runs shots through a controller and books what was spent, per purse, frame and resource.

    Attributes:
        charge: by purse, what is charged in the end (frames, resources).
        excess: of that, what was used above the declared cap.
        overdrawn: of that, what the safety purse had no tokens for at the decision.
        accrued: what the whole budget allowed up to each frame (frames, resources).
    """

    def __init__(self, made: Settings, shots: list[Shot]) -> None:
        self.settings = made
        self.predictor = ScriptedGain()
        self.controller = Controller(made, self.predictor)
        audit, safety = Fraction(made.audit_share), Fraction(made.safety_share)
        parts = (1 - audit - safety, audit, safety)
        self.parts = dict(zip(PURSES, parts, strict=True))
        self.buckets = {
            purse: [Bucket(resource, part, made.start_share) for resource in made.resources]
            for purse, part in self.parts.items()
        }
        size = (len(shots), len(made.resources))
        self.charge = {purse: np.zeros(size) for purse in PURSES}
        self.excess, self.overdrawn = np.zeros(size), np.zeros(size)
        self.accrued, self.scarcity = np.zeros(size), np.zeros(size)
        self.calls = dict.fromkeys(PURSES, 0)
        self.learned = 0
        self._open: list[Open] = []
        self._stamp_ns, self._mission_s = 0, Fraction(0)
        self._latest_ns: int | None = None
        for frame, shot in enumerate(shots):
            self._end_calls(frame)
            self._offer(frame, shot)

    def _offer(self, frame: int, shot: Shot) -> None:
        self._stamp_ns += shot.dt_ns
        elapsed_s = self._counted_s()
        self._mission_s += elapsed_s
        for buckets in self.buckets.values():
            for bucket in buckets:
                bucket.refill(elapsed_s)
        for k, resource in enumerate(self.settings.resources):
            self.accrued[frame, k] = float(_allowed(resource, Fraction(0), self._mission_s))
        self.predictor.gains = dict(zip(TIERS, shot.gains, strict=True))
        self.predictor.missing = shot.learning
        step = self.controller.offer(
            offer(
                frame,
                self._stamp_ns,
                stake=shot.stake,
                camera=shot.camera,
                draw=shot.draw,
                observe=shot.observe,
                time_to_collision_s=0.5 if shot.forced else None,
                pending=shot.pending,
                evidence=None if shot.pending else EVIDENCE,
                fast_class=-1 if shot.pending else 3,
            )
        )
        record = step.record
        self.scarcity[frame] = record.scarcity
        self._compare_tokens(record.left, record.audit_left, record.safety_left)
        self._compare_reasons({t.name: t.reason for t in record.decision.tiers})
        self._spend(frame, shot, step)

    def _counted_s(self) -> Fraction:
        latest = self._latest_ns
        self._latest_ns = self._stamp_ns if latest is None else max(latest, self._stamp_ns)
        if latest is None or self._stamp_ns <= latest:
            return Fraction(0)
        return min(Fraction(self._stamp_ns - latest, SECOND_NS), Fraction(GAP_MAX_S))

    def _spend(self, frame: int, shot: Shot, step: Step) -> None:
        action = step.action
        waits = isinstance(action, Invoke) and action.tier != self.settings.fast
        name = action.tier if waits else action.observe
        if isinstance(action, Invoke) and not waits:
            assert shot.pending
            self._run_fast(frame, action)
        purse = step.record.decision.purse
        assert (purse is Purse.NONE) == (not name)
        if not name:
            return
        spec = next(t for t in self.settings.tiers if t.name == name)
        self.calls[purse] += 1
        self.learned += not waits and purse is Purse.RULE
        self.charge[purse][frame] = spec.cost_cap
        missing = [
            bucket.spend(cap)
            for bucket, cap in zip(self.buckets[purse], spec.cost_cap, strict=True)
        ]
        if purse is Purse.SAFETY:
            self.overdrawn[frame] = [float(amount) for amount in missing]
        self._compare_overdraw(step, missing)
        self._open.append(Open(frame, spec, purse, waits, shot))
        if shot.late and waits:
            timed_out = outcome(frame, OutcomeKind.TIMED_OUT, name)
            self._run_fast(frame, self.controller.resume(timed_out)[0])

    def _run_fast(self, frame: int, action: Invoke | Answer) -> None:
        """Let the fast model answer where it is asked for; it is free."""
        if isinstance(action, Invoke):
            assert action.tier == self.settings.fast
            answer = self.controller.resume(outcome(frame, tier=self.settings.fast))[0]
            assert answer == Answer(self.settings.fast)

    def _compare_overdraw(self, step: Step, missing: list[Fraction]) -> None:
        """A purse is overdrawn exactly where the record says so, and only the one of safety."""
        scale = max(r.burst for r in self.settings.resources)
        if max(missing) > 1e-9 * max(1.0, scale):
            assert step.record.overdrawn
            assert step.record.decision.purse is Purse.SAFETY
        elif max(missing) == 0:
            close = 1e-9 * max(1.0, scale)
            tokens = [float(b.tokens) for b in self.buckets[step.record.decision.purse]]
            assert not step.record.overdrawn or min(tokens) < close

    def _end_calls(self, frame: int) -> None:
        due = [call for call in self._open if call.frame + call.shot.delay <= frame]
        for call in due:
            self._open.remove(call)
            self._end(call)

    def _end(self, call: Open) -> None:
        spec, share = call.spec, call.shot.used
        actual: Cost | None = None
        if share is not None:
            actual = tuple(cap * share for cap in spec.cost_cap)
        if call.waits and not call.shot.late:
            done = outcome(call.frame, OutcomeKind.ANSWERED, spec.name, cost=actual)
            action, record = self.controller.resume(done)
            self._run_fast(call.frame, action)
        else:
            kind = OutcomeKind.LATE if call.waits else OutcomeKind.AUDIT
            record = self.controller.learn(outcome(call.frame, kind, spec.name, cost=actual))
        self._book(call, record, spec.cost_cap if actual is None else actual)

    def _book(self, call: Open, record: OutcomeRecord, actual: Cost) -> None:
        for k, (cap, amount) in enumerate(zip(call.spec.cost_cap, actual, strict=True)):
            self.charge[call.purse][call.frame, k] = amount
            self.excess[call.frame, k] = record.excess[k]
            assert record.excess[k] == max(0.0, amount - cap)
            self.buckets[call.purse][k].settle(cap, amount)
        self._compare_tokens(record.left)

    def _compare_tokens(self, *lefts: Cost) -> None:
        for purse, left in zip(PURSES, lefts, strict=False):
            for resource, bucket, tokens in zip(
                self.settings.resources, self.buckets[purse], left, strict=True
            ):
                assert abs(tokens - bucket.tokens) <= 1e-9 * max(1.0, resource.burst)

    def _compare_reasons(self, reasons: dict[str, Reason]) -> None:
        """A tier is out of budget exactly where the oracle cannot cover the largest cost."""
        for spec in self.settings.tiers:
            rooms = [
                float(bucket.tokens) - resource.cost_max
                for resource, bucket, cap in zip(
                    self.settings.resources, self.buckets[Purse.RULE], spec.cost_cap, strict=True
                )
                if cap > 0.0
            ]
            scale = max(r.burst for r in self.settings.resources)
            forced = reasons[spec.name] is Reason.OVERRIDDEN
            if not forced and all(abs(room) > 1e-9 * max(1.0, scale) for room in rooms):
                short = any(room <= 0.0 for room in rooms)
                assert short == (reasons[spec.name] is Reason.BUDGET_EXHAUSTED)

    @property
    def total(self) -> np.ndarray:
        """What all purses together were charged in the end (frames, resources)."""
        return sum(self.charge.values(), start=np.zeros_like(self.excess))

    def worst_window(self, k: int, charge: np.ndarray, part: float = 1.0) -> float:
        """Return the largest sum of charge - part * what accrued over all windows.

        Only the time inside a window counts, not that before its first charge.
        """
        after = np.cumsum(charge[:, k]) - part * self.accrued[:, k]
        before = after - charge[:, k]
        return float((after - np.minimum.accumulate(before)).max(initial=0.0))


def _assert_guarantee(trace: Trace) -> None:
    """Lemma 2 for the rule; the bound in every window for each purse and for all together.

    Excluded is exactly what was used above a cap and what a declared override overdrew.
    """
    made = trace.settings
    excluded = trace.excess + trace.overdrawn
    for k, resource in enumerate(made.resources):
        slack = 1e-9 * max(1.0, resource.burst)
        assert trace.worst_window(k, trace.total - excluded) <= resource.burst + slack
        for purse, part in trace.parts.items():
            mine = trace.charge[purse] > 0.0
            within = trace.charge[purse] - np.where(mine, excluded, 0.0)
            bound = resource.burst * float(part) + slack
            assert trace.worst_window(k, within, float(part)) <= bound
        rule = resource.share(float(trace.parts[Purse.RULE]))
        ceiling = rule.price_ceiling + rule.step * rule.cost_max
        mine = trace.charge[Purse.RULE][:, k] > 0.0
        outside = rule.step * trace.excess[mine, k].sum()
        assert (trace.scarcity[:, k] <= (ceiling + outside) * (1.0 + 1e-9)).all()


PLANS = [(), (), ((0.0, 1.0),), ((0.0, 0.5), (0.7, 0.0), (1.5, 3.0)), ((0.0, 2.0), (5.0, 0.1))]


@st.composite
def budgets(draw: st.DrawFn, count: int, smallest: float) -> tuple[Resource, ...]:
    """Draw resources of very different scale, some with a burst that barely fits each part."""
    made = []
    for k in range(count):
        cost_max = draw(st.sampled_from([1.0, 0.3, 7.5, 2e5]))
        burst = cost_max * draw(st.sampled_from([1.0001, 1.5, 2.0, 5.0, 20.0])) / smallest
        rate = cost_max * draw(st.sampled_from([0.0, 0.1, 1.0, 7.3]))
        kappa = draw(st.sampled_from([0.1, 1.0, 50.0])) / cost_max
        beta = draw(st.sampled_from([0.0, 0.05])) / cost_max
        plan = draw(st.sampled_from(PLANS))
        made.append(Resource(f'resource_{k}', rate, burst, kappa, beta, cost_max, plan))
    return tuple(made)


@st.composite
def specs(draw: st.DrawFn, name: str, resources: tuple[Resource, ...]) -> TierSpec:
    """Draw a tier whose expected cost is anything up to its cap, which is anything up to c_max."""
    caps = [r.cost_max * draw(st.sampled_from([0.0, 0.2, 0.7, 1.0, 1.0])) for r in resources]
    costs = [cap * draw(st.sampled_from([0.0, 0.1, 1.0])) for cap in caps]
    return tier(name, cost=tuple(costs), cost_cap=tuple(caps))


@st.composite
def plans(draw: st.DrawFn, tables: tuple[StakesTable, ...] = (ADVISE,)) -> Settings:
    """Draw one to three tiers over one to three resources in one to three purses."""
    stakes = draw(st.sampled_from(tables))
    audit = draw(st.sampled_from([0.0, 0.1, 0.3]))
    # A reserve that may be overdrawn has to be one.
    safety = draw(st.sampled_from([0.0, 0.1, 0.3] if stakes is ADVISE else [0.1, 0.3]))
    smallest = min(part for part in (audit, safety, 1.0 - audit - safety) if part > 0.0)
    resources = draw(budgets(draw(st.integers(1, 3)), smallest))
    names = TIERS[: draw(st.integers(1, 3))]
    tiers = [draw(specs(name, resources)) for name in names]
    return settings(
        tiers,
        resources,
        gap_max_s=GAP_MAX_S,
        value_clip=1000.0,
        audit_share=audit,
        safety_share=safety,
        start_share=draw(st.sampled_from([1.0, 1.0, 0.4, 0.0])),
        reference=draw(st.sampled_from(['', names[-1]])),
        stakes=stakes,
    )


def shots(most_used: float) -> st.SearchStrategy[list[Shot]]:
    """Draw a trace: stamps that repeat, jump and go back; greedy gains; any delay and purse."""
    steps = st.one_of(
        st.sampled_from([0, 1, 33_333_333, SECOND_NS, -SECOND_NS, 60 * SECOND_NS]),
        st.integers(-2 * SECOND_NS, 2 * SECOND_NS),
    )
    gain = st.sampled_from([-1.0, 0.0, 0.3, 1.0])
    shot = st.builds(
        Shot,
        steps,
        st.tuples(gain, gain, gain),
        st.sampled_from([0.0, 1.0, 1000.0, 1000.0]),
        st.booleans(),
        st.sampled_from([1, 1, 2, 5, 30, NEVER]),
        st.one_of(st.none(), st.sampled_from([0.0, 1.0]), st.floats(0.0, most_used)),
        st.sampled_from([False, False, True]),
        st.sampled_from([0.0, 0.0, 0.3, 1.0]),
        st.sampled_from([False, False, True]),
        st.sampled_from([0, 0, 5]),
        st.sampled_from(['front', 'rear']),
        st.sampled_from([False, False, True]),
    )
    return st.lists(shot, max_size=80)


@run(PATIENT, max_examples=250)
@given(plans(), shots(most_used=1.0))
def test_no_window_overspends(plan: Settings, trace: list[Shot]) -> None:
    """Overspend of all purses in every window <= B and lambda <= kappa + eta * c_max.

    On any drawn trace: rule, audits by draw and by request, forced calls that do not overdraw,
    learning calls, spending plans, several cameras, a start with less than the burst, frames
    that are decided about before the fast model has run.
    """
    done = Trace(plan, trace)
    assert not done.excess.any()
    assert (done.overdrawn <= 1e-9 * max(1.0, *(r.burst for r in plan.resources))).all()
    _assert_guarantee(done)


@run(PATIENT, max_examples=150)
@given(plans((OVERDRAW,)), shots(most_used=1.0))
def test_overdrawn_overrides_are_excluded_exactly(plan: Settings, trace: list[Shot]) -> None:
    """What the safety purse had no tokens for is told; without exactly that, the bound holds.

    With it, a window exceeds B by no more than what was overdrawn in the whole trace.
    """
    done = Trace(plan, trace)
    _assert_guarantee(done)
    for k, resource in enumerate(plan.resources):
        bound = resource.burst + done.overdrawn[:, k].sum()
        assert done.worst_window(k, done.total) <= bound + 1e-9 * max(1.0, bound)


@run(PATIENT, max_examples=150)
@given(plans((ADVISE, OVERDRAW)), shots(most_used=3.0))
def test_costs_above_the_cap_are_excluded_exactly(plan: Settings, trace: list[Shot]) -> None:
    """What is used above the declared cap is told; without exactly that, the bound holds.

    With it, a window exceeds B by no more than the excess recorded in it.
    """
    done = Trace(plan, trace)
    _assert_guarantee(done)
    for k, resource in enumerate(plan.resources):
        bound = resource.burst + done.excess[:, k].sum() + done.overdrawn[:, k].sum()
        assert done.worst_window(k, done.total) <= bound * (1.0 + 1e-9)


@run(PATIENT, max_examples=100)
@given(plans((ADVISE, OVERDRAW)), shots(most_used=1.0))
def test_lemma_1_holds_in_every_window(plan: Settings, trace: list[Shot]) -> None:
    """Sum of (charge - rho * dt) over every [s, e] <= (lambda_{e+1} - lambda_s) / eta.

    For the rule's own purse. Calls end at once here with the cap charged, so each lambda holds all
    that was charged before.
    """
    done = Trace(plan, [shot._replace(delay=1, used=None) for shot in trace])
    part = float(done.parts[Purse.RULE])
    for k, resource in enumerate(plan.resources):
        balance = done.scarcity[:, k] / resource.share(part).step
        passed = np.diff(done.accrued[:, k]) * part
        flow = np.cumsum(done.charge[Purse.RULE][:-1, k] - passed)
        for start in range(len(flow)):
            inside = flow[start:] - (flow[start - 1] if start else 0.0)
            bound = balance[start + 1 :] - balance[start]
            assert (inside <= bound + 1e-9 * max(1.0, resource.burst)).all()


def _greedy(
    random: np.random.Generator, frames: int, delay: int, forced: float = 0.0
) -> list[Shot]:
    used = random.choice([0.0, 0.5, 1.0], frames)
    gains = random.choice([0.0, 0.4, 1.0], (frames, 3))
    dt_ns = random.integers(-5_000_000, 80_000_000, frames)
    # An adversary saves up in quiet spells and then wants everything.
    quiet = np.repeat(random.random(frames // 50 + 1) < 0.3, 50)[:frames]
    return [
        Shot(
            int(dt_ns[k]),
            tuple(map(float, gains[k] * (not quiet[k]))),
            1000.0,
            bool(used[k] > 0.6),
            delay,
            float(used[k]),
            bool(random.random() < forced),
            float(random.random()),
            bool(random.random() < forced),
        )
        for k in range(frames)
    ]


@pytest.mark.slow
@pytest.mark.parametrize('delay', [1, 5, 10, 30])
@pytest.mark.parametrize('burst', [1.5, 5.0, 20.0])
def test_long_traces_with_late_costs(delay: int, burst: float) -> None:
    """Eight traces of 600 frames each: the bound holds, and is nearly reached, at every delay."""
    calls = Resource('slow_calls', 2.0, burst, 1.0, 0.05, 1.0)
    plan = settings([tier(name) for name in TIERS], [calls], value_clip=1000.0)
    worst = []
    for seed in range(8):
        done = Trace(plan, _greedy(np.random.default_rng(seed), 600, delay))
        _assert_guarantee(done)
        worst.append(done.worst_window(0, done.total))
    # The test could not fail if the trace never came near the bound.
    assert max(worst) > burst - 2.0 * calls.cost_max


def test_the_bound_is_tight() -> None:
    """A burst of frames at one stamp is invoked until lambda reaches kappa, then never."""
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    plan = settings([tier()], [calls], value_clip=1000.0)
    greedy = Shot(0, (1.0, 1.0, 1.0), 1000.0, late=False, delay=1, used=1.0)
    done = Trace(plan, [greedy] * 40)
    assert done.calls[Purse.RULE] == 19
    assert done.worst_window(0, done.total) == 19.0


def test_a_cap_above_c_max_would_break_the_bound_and_is_refused() -> None:
    """The oracle of this file sees a broken bound: one charge of 5 where c_max says 1."""
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    fake = Trace(settings([tier()], [calls]), [])
    fake.accrued = np.zeros((5, 1))
    broken = np.full((5, 1), 5.0)
    assert fake.worst_window(0, broken) == 25.0
    with pytest.raises(Exception, match='cost_max'):
        Trace(settings([tier(cost_cap=(5.0,))], [calls]), [])


def test_late_refunds_of_an_earlier_window_do_not_add_to_a_later_one() -> None:
    """Caps that come back long after their decision make no room beyond B in any window.

    A ledger that refunds what had meanwhile accrued would let 20 + 19 calls through here.
    """
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    plan = settings([tier()], [calls], value_clip=1000.0, gap_max_s=100.0)
    greedy = Shot(0, (1.0, 1.0, 1.0), 1000.0, late=True, delay=30, used=0.0)
    idle = greedy._replace(stake=0.0)
    wait = idle._replace(dt_ns=60 * SECOND_NS)
    last = greedy._replace(delay=NEVER)
    done = Trace(plan, [greedy] * 19 + [wait] + [idle] * 40 + [last] * 40)
    _assert_guarantee(done)
    assert done.calls[Purse.RULE] == 38


def test_the_log_of_the_bound_scales_with_the_unit() -> None:
    """The same trace in calls and in thousandths of a call gives the same worst window."""
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    milli = replace(
        calls, rate=2e3, burst=2e4, price_ceiling=1e-3, exchange_rate=5e-5, cost_max=1e3
    )
    trace = _greedy(np.random.default_rng(5), 400, 5)
    one = Trace(settings([tier('cloud')], [calls], value_clip=1000.0), trace)
    small = tier('cloud', cost=(1e3,), cost_cap=(1e3,))
    two = Trace(settings([small], [milli], value_clip=1000.0), trace)
    assert two.worst_window(0, two.total) == pytest.approx(
        1e3 * one.worst_window(0, one.total), rel=1e-9
    )
    assert one.calls[Purse.RULE] == two.calls[Purse.RULE] > 20


@pytest.mark.slow
@pytest.mark.parametrize('delay', [1, 10])
@pytest.mark.parametrize('table', [ADVISE, OVERDRAW])
def test_long_traces_of_all_purses(delay: int, table: StakesTable) -> None:
    """Six traces of 600 frames with audits and forced calls: every purse is used and bounded."""
    calls = Resource(
        'slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0, ((0.0, 1.0), (6.0, 0.2), (12.0, 2.0))
    )
    plan = settings(
        [tier(name) for name in TIERS],
        [calls],
        value_clip=1000.0,
        audit_share=0.25,
        safety_share=0.25,
        stakes=table,
    )
    worst = []
    for seed in range(6):
        done = Trace(plan, _greedy(np.random.default_rng(seed), 600, delay, forced=0.2))
        _assert_guarantee(done)
        assert min(done.calls.values()) > 5
        assert (done.overdrawn.any()) == (table is OVERDRAW)
        worst.append(done.worst_window(0, done.total - done.overdrawn))
    assert max(worst) > 10.0


def test_the_bound_of_all_purses_is_tight() -> None:
    """At one stamp: 9 calls of the rule, 5 audits and 5 forced ones, 19 of 20 in all.

    The rule stops where one more largest call might not fit, the reserves where the next does not.
    """
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    plan = settings(
        [tier()],
        [calls],
        value_clip=1000.0,
        audit_share=0.25,
        safety_share=0.25,
        stakes=ADVISE,
    )
    greedy = Shot(0, (1.0, 1.0, 1.0), 1000.0, late=False, delay=1, used=1.0)
    asked = greedy._replace(gains=(0.0, 0.0, 0.0), observe=True)
    forced = greedy._replace(gains=(0.0, 0.0, 0.0), forced=True)
    done = Trace(plan, [greedy] * 20 + [asked] * 20 + [forced] * 20)
    assert done.calls == {Purse.RULE: 9, Purse.AUDIT: 5, Purse.SAFETY: 5}
    assert done.worst_window(0, done.total) == 19.0


def test_an_overdraft_by_hand() -> None:
    """Five tokens of safety, 8 forced calls at one stamp: 3 overdrawn, and nothing else is.

    2 a second, of which a quarter is safety's: after 6 s the debt is paid and nothing is left.
    """
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    plan = settings(
        [tier()], [calls], value_clip=1000.0, safety_share=0.25, gap_max_s=100.0, stakes=OVERDRAW
    )
    forced = Shot(0, (0.0,) * 3, 1.0, late=False, delay=1, used=1.0, forced=True)
    idle = forced._replace(forced=False)
    done = Trace(plan, [forced] * 8 + [idle])
    assert done.calls == {Purse.RULE: 0, Purse.AUDIT: 0, Purse.SAFETY: 8}
    assert done.overdrawn.sum() == 3.0
    assert done.worst_window(0, done.total) == 8.0
    assert done.controller.offer(offer(9, 0)).record.safety_left == (-3.0,)
    assert done.controller.offer(offer(10, 6 * SECOND_NS)).record.safety_left == (0.0,)
    assert done.controller.offer(offer(11, 6 * SECOND_NS)).record.left == (15.0,)


def test_learning_calls_are_charged_like_any_other() -> None:
    """In the learning phase the rule's purse pays, and stops paying where it is empty."""
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    plan = settings([tier()], [calls], value_clip=1000.0)
    greedy = Shot(0, (1.0,) * 3, 1000.0, late=False, delay=1, used=1.0, learning=5)
    done = Trace(plan, [greedy] * 40)
    assert done.learned == done.calls[Purse.RULE] == 19
    assert done.worst_window(0, done.total) == 19.0
