"""The budget's guarantee (decision.md section 4): no window of a trace overspends beyond B.

A trace holds whatever an adversary may choose: gains, stakes, stamps, costs up to the cap, when
and how calls end. The controller under test decides; what it spent is booked here on its own, at
the decision, and compared with Lemma 1, Lemma 2 and a token bucket in exact fractions.
"""

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import SECOND_NS
from scripted import settings
from scripted import tier
from selector.budget import Resource
from selector.controller import Controller
from selector.controller import Invoke
from selector.cost import Cost
from selector.decision import Reason
from selector.decision import TierSpec
from selector.outcome import OutcomeKind
from selector.outcome import OutcomeRecord
from selector.settings import Settings

GAP_MAX_S = 1.0
TIERS = ('cloud', 'ensemble', 'slow')
NEVER = 10**9


class Shot(NamedTuple):
    """One frame of a trace.

    Attributes:
        dt_ns: step of the stamp, possibly 0 or negative [ns].
        gains: of the tiers.
        stake: how much an error matters.
        late: whether the call times out before it ends.
        delay: frames from the decision to the end of the call.
        used: actual cost as a share of the cap; None leaves the cap charged.
    """

    dt_ns: int
    gains: tuple[float, ...]
    stake: float
    late: bool
    delay: int
    used: float | None


class Bucket:
    """A plain token bucket in exact arithmetic: the oracle."""

    def __init__(self, resource: Resource) -> None:
        self.burst = Fraction(resource.burst)
        self._rate = Fraction(resource.rate)
        self.tokens, self.reserved = self.burst, Fraction(0)

    def refill(self, elapsed_s: Fraction) -> None:
        """Add what accrued; tokens and reserves together never exceed the burst."""
        self.tokens = min(self.burst - self.reserved, self.tokens + self._rate * elapsed_s)

    def spend(self, cap: float) -> None:
        """Take a cap out and keep it in reserve."""
        self.tokens -= Fraction(cap)
        self.reserved += Fraction(cap)

    def settle(self, cap: float, actual: float) -> None:
        """Give the cap back and take what was really used."""
        self.reserved -= Fraction(cap)
        self.tokens += Fraction(cap) - Fraction(actual)
        self.tokens = min(self.burst - self.reserved, self.tokens)


class Open(NamedTuple):
    """A call that has not ended."""

    frame: int
    spec: TierSpec
    shot: Shot


class Trace:
    """Runs shots through a controller and books what was spent, per frame and resource."""

    def __init__(self, made: Settings, shots: list[Shot]) -> None:
        self.settings = made
        self.predictor = ScriptedGain()
        self.controller = Controller(made, self.predictor)
        self.buckets = [Bucket(resource) for resource in made.resources]
        count = len(made.resources)
        self.charge = np.zeros((len(shots), count))
        self.excess = np.zeros((len(shots), count))
        self.elapsed_s = np.zeros(len(shots))
        self.scarcity = np.zeros((len(shots), count))
        self.left = np.zeros((len(shots), count))
        self.invoked = 0
        self._open: list[Open] = []
        self._stamp_ns = 0
        self._latest_ns: int | None = None
        for frame, shot in enumerate(shots):
            self._end_calls(frame)
            self._offer(frame, shot)

    def _offer(self, frame: int, shot: Shot) -> None:
        self._stamp_ns += shot.dt_ns
        elapsed_s = self._counted_s()
        self.elapsed_s[frame] = float(elapsed_s)
        for bucket in self.buckets:
            bucket.refill(elapsed_s)
        self.predictor.gains = dict(zip(TIERS, shot.gains, strict=True))
        step = self.controller.offer(offer(frame, self._stamp_ns, stake=shot.stake))
        self.scarcity[frame] = step.record.scarcity
        self.left[frame] = step.record.left
        self._compare_tokens(step.record.left)
        self._compare_reasons({t.name: t.reason for t in step.record.decision.tiers})
        if isinstance(step.action, Invoke):
            self._spend(frame, shot, step.action.tier)

    def _counted_s(self) -> Fraction:
        latest = self._latest_ns
        self._latest_ns = self._stamp_ns if latest is None else max(latest, self._stamp_ns)
        if latest is None or self._stamp_ns <= latest:
            return Fraction(0)
        return min(Fraction(self._stamp_ns - latest, SECOND_NS), Fraction(GAP_MAX_S))

    def _spend(self, frame: int, shot: Shot, name: str) -> None:
        spec = next(t for t in self.settings.tiers if t.name == name)
        self.invoked += 1
        self.charge[frame] = spec.cost_cap
        for bucket, cap in zip(self.buckets, spec.cost_cap, strict=True):
            bucket.spend(cap)
        self._open.append(Open(frame, spec, shot))
        if shot.late:
            self.controller.resume(outcome(frame, OutcomeKind.TIMED_OUT, name))

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
        if call.shot.late:
            done = outcome(call.frame, OutcomeKind.LATE, spec.name, cost=actual)
            record = self.controller.learn(done)
        else:
            done = outcome(call.frame, OutcomeKind.ANSWERED, spec.name, cost=actual)
            record = self.controller.resume(done)[1]
        self._book(call, record, spec.cost_cap if actual is None else actual)

    def _book(self, call: Open, record: OutcomeRecord, actual: Cost) -> None:
        for k, (cap, amount) in enumerate(zip(call.spec.cost_cap, actual, strict=True)):
            self.charge[call.frame, k] = amount
            self.excess[call.frame, k] = record.excess[k]
            assert record.excess[k] == max(0.0, amount - cap)
            self.buckets[k].settle(cap, amount)
        self._compare_tokens(record.left)

    def _compare_tokens(self, left: Cost) -> None:
        for resource, bucket, tokens in zip(
            self.settings.resources, self.buckets, left, strict=True
        ):
            assert abs(tokens - bucket.tokens) <= 1e-9 * max(1.0, resource.burst)

    def _compare_reasons(self, reasons: dict[str, Reason]) -> None:
        """A tier is out of budget exactly where the oracle cannot cover the largest cost."""
        for spec in self.settings.tiers:
            rooms = [
                float(bucket.tokens) - resource.cost_max
                for resource, bucket, cap in zip(
                    self.settings.resources, self.buckets, spec.cost_cap, strict=True
                )
                if cap > 0.0
            ]
            scale = max(r.burst for r in self.settings.resources)
            if all(abs(room) > 1e-9 * max(1.0, scale) for room in rooms):
                short = any(room <= 0.0 for room in rooms)
                assert short == (reasons[spec.name] is Reason.BUDGET_EXHAUSTED)

    def worst_window(self, k: int, charge: np.ndarray) -> float:
        """Return the largest sum of charge - rho * time over all windows, time inside only."""
        at = self.settings.resources[k].rate * np.cumsum(self.elapsed_s)
        after = np.cumsum(charge[:, k]) - at
        before = after - charge[:, k]
        return float((after - np.minimum.accumulate(before)).max(initial=0.0))


def _assert_guarantee(trace: Trace) -> None:
    within_cap = trace.charge - trace.excess
    for k, resource in enumerate(trace.settings.resources):
        slack = 1e-9 * max(1.0, resource.burst)
        assert trace.worst_window(k, within_cap) <= resource.burst + slack
        ceiling = resource.price_ceiling + resource.step * resource.cost_max
        outside = resource.step * trace.excess[:, k].sum()
        assert (trace.scarcity[:, k] <= (ceiling + outside) * (1.0 + 1e-9)).all()


@st.composite
def budgets(draw: st.DrawFn, count: int) -> tuple[Resource, ...]:
    """Draw resources of very different scale, some with a burst that barely fits."""
    made = []
    for k in range(count):
        cost_max = draw(st.sampled_from([1.0, 0.3, 7.5, 2e5]))
        burst = cost_max * draw(st.sampled_from([1.0001, 1.5, 2.0, 5.0, 20.0]))
        rate = cost_max * draw(st.sampled_from([0.0, 0.1, 1.0, 7.3]))
        kappa = draw(st.sampled_from([0.1, 1.0, 50.0])) / cost_max
        beta = draw(st.sampled_from([0.0, 0.05])) / cost_max
        made.append(Resource(f'resource_{k}', rate, burst, kappa, beta, cost_max))
    return tuple(made)


@st.composite
def specs(draw: st.DrawFn, name: str, resources: tuple[Resource, ...]) -> TierSpec:
    """Draw a tier whose expected cost is anything up to its cap, which is anything up to c_max."""
    caps = [r.cost_max * draw(st.sampled_from([0.0, 0.2, 0.7, 1.0, 1.0])) for r in resources]
    costs = [cap * draw(st.sampled_from([0.0, 0.1, 1.0])) for cap in caps]
    return tier(name, cost=tuple(costs), cost_cap=tuple(caps))


@st.composite
def plans(draw: st.DrawFn) -> Settings:
    """Draw one to three tiers over one to three resources."""
    resources = draw(budgets(draw(st.integers(1, 3))))
    names = TIERS[: draw(st.integers(1, 3))]
    tiers = [draw(specs(name, resources)) for name in names]
    return settings(tiers, resources, gap_max_s=GAP_MAX_S, value_clip=1000.0)


def shots(most_used: float) -> st.SearchStrategy[list[Shot]]:
    """Draw a trace: stamps that repeat, jump and go back; greedy gains; any delay."""
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
    )
    return st.lists(shot, max_size=80)


@run(PATIENT, max_examples=300)
@given(plans(), shots(most_used=1.0))
def test_no_window_overspends(plan: Settings, trace: list[Shot]) -> None:
    """Overspend in every window <= B and lambda <= kappa + eta * c_max, on any drawn trace."""
    done = Trace(plan, trace)
    assert not done.excess.any()
    _assert_guarantee(done)


@run(PATIENT, max_examples=200)
@given(plans(), shots(most_used=3.0))
def test_costs_above_the_cap_are_excluded_exactly(plan: Settings, trace: list[Shot]) -> None:
    """What is used above the declared cap is told; without exactly that, the bound holds.

    With it, a window exceeds B by no more than the excess recorded in it.
    """
    done = Trace(plan, trace)
    _assert_guarantee(done)
    for k, resource in enumerate(plan.resources):
        bound = resource.burst + done.excess[:, k].sum()
        assert done.worst_window(k, done.charge) <= bound * (1.0 + 1e-9)


@run(PATIENT, max_examples=100)
@given(plans(), shots(most_used=1.0))
def test_lemma_1_holds_in_every_window(plan: Settings, trace: list[Shot]) -> None:
    """Sum of (charge - rho * dt) over every [s, e] <= (lambda_{e+1} - lambda_s) / eta.

    Calls end at once here with the cap charged, so each lambda holds all that was charged before.
    """
    done = Trace(plan, [shot._replace(delay=1, used=None) for shot in trace])
    for k, resource in enumerate(plan.resources):
        balance = done.scarcity[:, k] / resource.step
        accrued = resource.rate * done.elapsed_s
        flow = np.cumsum(done.charge[:-1, k] - accrued[1:])
        for start in range(len(flow)):
            inside = flow[start:] - (flow[start - 1] if start else 0.0)
            bound = balance[start + 1 :] - balance[start]
            assert (inside <= bound + 1e-9 * max(1.0, resource.burst)).all()


def _greedy(random: np.random.Generator, frames: int, delay: int) -> list[Shot]:
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
        worst.append(done.worst_window(0, done.charge))
    # The test could not fail if the trace never came near the bound.
    assert max(worst) > burst - 2.0 * calls.cost_max


def test_the_bound_is_tight() -> None:
    """A burst of frames at one stamp is invoked until lambda reaches kappa, then never."""
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    plan = settings([tier()], [calls], value_clip=1000.0)
    greedy = Shot(0, (1.0, 1.0, 1.0), 1000.0, late=False, delay=1, used=1.0)
    done = Trace(plan, [greedy] * 40)
    assert done.invoked == 19
    assert done.worst_window(0, done.charge) == 19.0


def test_a_cap_above_c_max_would_break_the_bound_and_is_refused() -> None:
    """The oracle of this file sees a broken bound: one charge of 5 where c_max says 1."""
    calls = Resource('slow_calls', 2.0, 20.0, 1.0, 0.05, 1.0)
    fake = Trace(settings([tier()], [calls]), [])
    fake.elapsed_s = np.zeros(5)
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
    assert done.invoked == 38


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
    assert two.worst_window(0, two.charge) == pytest.approx(
        1e3 * one.worst_window(0, one.charge), rel=1e-9
    )
    assert one.invoked == two.invoked > 20
