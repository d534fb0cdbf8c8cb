"""Latency: the profile until something is seen, then what the calls show, without a cliff."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from scripted import PATIENT
from selector.arrival import p_arrive
from selector.arrival import remaining_for
from selector.latency import Latency
from selector.latency import MEMORY_CALLS
from selector.latency import PRIOR_CALLS
from selector.latency import RELAX_S

SECONDS = st.floats(0.0, 40.0)
CALL = st.tuples(st.sampled_from(['call', 'call', 'timeout', 'relax']), SECONDS)
CALLS = st.lists(CALL, max_size=60)
LEFT = st.floats(-1.0, 50.0)


@st.composite
def profiles(draw: st.DrawFn) -> tuple[float, float]:
    """Draw p50 <= p99, often equal, some shorter than the first bin, some beyond the last."""
    p50 = draw(st.one_of(st.floats(1e-4, 2.0), st.sampled_from([1e-6, 0.02, 25.0])))
    return p50, p50 * draw(st.sampled_from([1.0, 1.5, 4.0]))


def _played(profile: tuple[float, float], calls: list[tuple[str, float]]) -> Latency:
    made = Latency(*profile)
    for what, seconds in calls:
        if what == 'relax':
            made.relax(seconds)
        else:
            made.observe(seconds, ended=what == 'call')
    return made


@PATIENT
@given(profiles(), LEFT, st.floats(0.01, 1.0))
def test_before_any_call_it_is_the_profile(
    profile: tuple[float, float], left_s: float, share: float
) -> None:
    """P(arrival) and the time that is needed are exactly those of the two profiled quantiles."""
    made = Latency(*profile)
    made.relax(3.0)
    assert made.p_arrive(left_s) == p_arrive(left_s, *profile)
    assert made.remaining_for(share) == remaining_for(share, *profile)


@PATIENT
@given(profiles(), CALLS, LEFT, LEFT)
def test_it_is_a_distribution(
    profile: tuple[float, float], calls: list[tuple[str, float]], one: float, two: float
) -> None:
    """In [0, 1], monotone in the time left, 0 without any, whatever was seen."""
    made = _played(profile, calls)
    low, high = (made.p_arrive(left_s) for left_s in sorted((one, two)))
    assert 0.0 <= low <= high + 1e-12
    assert high <= 1.0
    assert made.p_arrive(0.0) == made.p_arrive(-1.0) == 0.0


@PATIENT
@given(profiles(), CALLS, CALL, LEFT)
def test_no_call_moves_it_far(
    profile: tuple[float, float],
    calls: list[tuple[str, float]],
    last: tuple[str, float],
    left: float,
) -> None:
    """One more call, timed out or not, moves P(arrival) by its share of the calls at most.

    That is 1 / 21 after the profile alone, and less later: there is no mode it falls into.
    """
    made = _played(profile, calls)
    before = made.p_arrive(left)
    made.observe(last[1], ended=last[0] == 'call')
    assert abs(made.p_arrive(left) - before) <= 1.0 / (PRIOR_CALLS + 1.0) + 1e-9


@PATIENT
@given(profiles(), CALLS, st.floats(0.001, 15.0), st.floats(0.0, 1.0))
def test_a_timeout_never_makes_an_earlier_arrival_likelier(
    profile: tuple[float, float], calls: list[tuple[str, float]], given_up_s: float, part: float
) -> None:
    """A call that was given up after c says nothing good about arriving by c or before."""
    made = _played(profile, calls)
    left_s = part * given_up_s
    before = made.p_arrive(left_s)
    made.observe(given_up_s, ended=False)
    assert made.p_arrive(left_s) <= before + 1e-12


def test_timeouts_in_a_row_take_it_down_step_by_step() -> None:
    """Each of 60 timeouts lowers P(arrival), by no more than the one before, towards 0."""
    made = Latency(0.02, 0.03)
    found = [made.p_arrive(0.06)]
    for _ in range(60):
        made.observe(0.06, ended=False)
        found.append(made.p_arrive(0.06))
    steps = -np.diff(found)
    assert (steps > 0.0).all()
    assert (np.diff(steps) <= 1e-12).all()
    assert steps[0] == pytest.approx(1.0 / 21.0, rel=1e-6)
    assert found[10] < 0.7
    assert found[60] < 0.3


def test_a_censored_call_says_only_that_it_took_longer() -> None:
    """Given up after 10 of usually 100 ms, the rest of the distribution keeps its shape."""
    made = Latency(0.1, 0.2)
    before = [made.p_arrive(left_s) for left_s in (0.12, 0.15, 0.2, 0.5)]
    for _ in range(50):
        made.observe(0.01, ended=False)
    after = [made.p_arrive(left_s) for left_s in (0.12, 0.15, 0.2, 0.5)]
    assert after == pytest.approx(before, abs=0.1)  # a bin is 25 % wide
    assert after[3] == pytest.approx(before[3], abs=1e-6)


def test_it_learns_another_latency_within_its_memory() -> None:
    """500 calls of 0.3 to 0.5 s where the profile says 20 ms: the quantiles are the new ones."""
    made = Latency(0.02, 0.03)
    draw = np.random.default_rng(0)
    for seconds in draw.uniform(0.3, 0.5, 500):
        made.observe(float(seconds), ended=True)
    for left_s, expected in ((0.2, 0.0), (0.4, 0.5), (0.6, 1.0)):
        seen = MEMORY_CALLS * (1.0 - (1.0 - 1.0 / MEMORY_CALLS) ** 500)
        weight = PRIOR_CALLS / (PRIOR_CALLS + seen)
        assert made.p_arrive(left_s) == pytest.approx(weight + (1.0 - weight) * expected, abs=0.1)
    needed_s = made.remaining_for(0.9)
    assert needed_s is not None
    assert 0.4 < needed_s < 0.65


def test_it_forgets_what_it_was_long_ago() -> None:
    """After 1000 quick calls the 1000 slow ones before are gone."""
    made = Latency(0.02, 0.03)
    for _ in range(1000):
        made.observe(0.5, ended=True)
    assert made.p_arrive(0.05) < 0.15
    for _ in range(1000):
        made.observe(0.01, ended=True)
    assert made.p_arrive(0.05) > 0.99


def test_it_recovers_while_it_is_not_called() -> None:
    """Time without a call takes it back to the profile, steadily and never beyond."""
    made = Latency(0.02, 0.03)
    for _ in range(100):
        made.observe(0.06, ended=False)
    found = [made.p_arrive(0.06)]
    for _ in range(2000):
        made.relax(0.1)
        found.append(made.p_arrive(0.06))
    assert (np.diff(found) >= 0.0).all()
    assert np.diff(found).max() < 0.01
    assert found[0] < 0.25
    assert found[-1] == pytest.approx(1.0, abs=0.01)
    made.relax(RELAX_S)
    assert made.p_arrive(0.06) == p_arrive(0.06, 0.02, 0.03)


@PATIENT
@given(profiles(), CALLS, st.floats(0.01, 1.0))
def test_the_time_needed_is_the_least_that_is_enough(
    profile: tuple[float, float], calls: list[tuple[str, float]], share: float
) -> None:
    """At the named time the share is reached, just below it is not; None only where none does."""
    made = _played(profile, calls)
    needed_s = made.remaining_for(share)
    if needed_s is None:
        assert made.p_arrive(1e9) < share
        return
    assert made.p_arrive(needed_s * (1.0 + 1e-9)) >= share - 1e-12
    assert made.p_arrive(needed_s * (1.0 - 1e-6)) < share + 1e-9


@pytest.mark.parametrize('seconds', [0.0, 1e-9, 18.9, 1e6])
@pytest.mark.parametrize('ended', [True, False])
def test_any_latency_can_be_taken_in(seconds: float, ended: bool) -> None:
    """Below the first bin and beyond the last one: it stays a distribution."""
    made = Latency(0.02, 0.03)
    for _ in range(10):
        made.observe(seconds, ended=ended)
    found = [made.p_arrive(left_s) for left_s in (1e-6, 0.01, 0.05, 1.0, 30.0, 1e9)]
    assert found == sorted(found)
    assert 0.0 <= found[0]
    assert found[-1] <= 1.0


def _observe(made: Latency) -> None:
    made.observe(0.05, ended=True)


def _give_up(made: Latency) -> None:
    made.observe(0.05, ended=False)


@pytest.mark.parametrize('apply', [_observe, _give_up])
def test_it_is_reproducible(apply: Callable[[Latency], None]) -> None:
    """The same calls in the same order give the same bits."""
    one, two = Latency(0.02, 0.03), Latency(0.02, 0.03)
    for _ in range(50):
        apply(one)
        apply(two)
    lefts = np.linspace(0.0, 1.0, 200).tolist()
    assert [one.p_arrive(left) for left in lefts] == [two.p_arrive(left) for left in lefts]
