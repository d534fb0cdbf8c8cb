"""Arrival: a probability that grows with the time left, and a deadline no bad clock moves."""

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import PATIENT
from selector.arrival import p_arrive
from selector.arrival import remaining
from selector.arrival import remaining_for

LATENCY = st.floats(1e-4, 10.0)
LEFT = st.floats(-5.0, 50.0)
MS = 1_000_000


@st.composite
def quantiles(draw: st.DrawFn) -> tuple[float, float]:
    """Draw p50 <= p99, often equal."""
    p50 = draw(LATENCY)
    return p50, p50 + draw(st.one_of(st.just(0.0), LATENCY))


@PATIENT
@given(quantiles(), LEFT, LEFT)
def test_more_time_never_makes_an_answer_less_likely(
    latency: tuple[float, float], one: float, two: float
) -> None:
    """P(arrive) is in [0, 1], monotone, and 0 once the deadline has passed."""
    low, high = (p_arrive(left, *latency) for left in sorted((one, two)))
    assert 0.0 <= low <= high <= 1.0
    assert min(one, two) > 0.0 or low == 0.0


@PATIENT
@given(quantiles())
def test_the_quantiles_are_met(latency: tuple[float, float]) -> None:
    """At p99 it is 0.99, at twice that 1, at p50 0.5, just below p50 nothing."""
    p50, p99 = latency
    assert p_arrive(p99, p50, p99) == pytest.approx(0.99, abs=1e-12)
    assert p_arrive(2.0 * p99, p50, p99) == 1.0
    assert p_arrive(p50, p50, p99) == (0.5 if p50 < p99 else 0.99)
    assert p_arrive(p50 * (1.0 - 1e-9), p50, p99) == 0.0


def test_between_the_quantiles_it_is_linear() -> None:
    """Half way from p50 to p99 it is half way from 0.5 to 0.99, and so on to 2 * p99."""
    assert p_arrive(0.03, 0.02, 0.04) == pytest.approx(0.745)
    assert p_arrive(0.06, 0.02, 0.04) == pytest.approx(0.995)


@pytest.mark.parametrize('left', [-1.0, -1e-12, 0.0])
def test_without_time_nothing_arrives(left: float) -> None:
    """Even an instant model cannot answer before a deadline that has passed."""
    assert p_arrive(left, 0.0, 0.0) == 0.0
    assert p_arrive(1e-9, 0.0, 0.0) == 1.0


@PATIENT
@given(quantiles(), st.floats(0.01, 1.0))
def test_the_time_needed_is_the_least_that_is_enough(
    latency: tuple[float, float], share: float
) -> None:
    """Just above `remaining_for(share)` the share is reached, just below it is not."""
    needed_s = remaining_for(share, *latency)
    assert p_arrive(needed_s * (1.0 + 1e-9), *latency) >= share
    assert p_arrive(needed_s * (1.0 - 1e-9), *latency) < share


def test_the_deadline_counts_from_the_stamp() -> None:
    """80 ms after the stamp, 30 of them gone."""
    left, skewed = remaining(1000 * MS, 1010 * MS, 1030 * MS, 0.08, 0.5)
    assert left == pytest.approx(0.05, abs=1e-12)
    assert not skewed


@pytest.mark.parametrize('stamp_ns', [0, 10_000 * MS - 501 * MS, 10_000 * MS + 501 * MS, 10**19])
def test_a_stamp_of_another_clock_is_set_aside(stamp_ns: int) -> None:
    """Unset, too old or too far ahead: the deadline counts from receipt, and that is told."""
    left, skewed = remaining(stamp_ns, 10_000 * MS, 10_030 * MS, 0.08, 0.5)
    assert left == pytest.approx(0.05, abs=1e-12)
    assert skewed


@pytest.mark.parametrize('skew_ms', [-500, -499, 499, 500])
def test_a_believable_skew_is_believed(skew_ms: int) -> None:
    """Up to the limit the stamp counts, so a frame from the past has less time left."""
    left, skewed = remaining((10_000 - skew_ms) * MS, 10_000 * MS, 10_000 * MS, 0.08, 0.5)
    assert left == pytest.approx(0.08 - skew_ms * 1e-3, abs=1e-9)
    assert not skewed


def test_the_deadline_may_have_passed() -> None:
    """A fast model that took too long leaves a negative time, not zero."""
    assert remaining(0, 0, 200 * MS, 0.08, 0.5)[0] == pytest.approx(-0.12)
