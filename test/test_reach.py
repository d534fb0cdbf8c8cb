"""Reach: how many frames a fresh answer serves, by hand and within its range."""

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import PATIENT
from selector.reach import Reach
from selector.reach import REACH_MAX

GAIN = st.floats(-1.0, 1.0)


def test_before_anything_it_is_one_frame() -> None:
    """What was never carried on serves its own frame only, however often it was called."""
    reach = Reach()
    assert reach.frames == 1.0
    for _ in range(50):
        reach.called(0.4)
    assert reach.frames == 1.0


def test_one_call_and_three_carried_frames_by_hand() -> None:
    """0.5 to start with, discounted, plus 0.4 at the call; 3 x 0.3 carried: 1 + 0.9 / 0.89."""
    reach = Reach()
    reach.called(0.4)
    for _ in range(3):
        reach.carried(0.3)
    assert reach.frames == pytest.approx(1.0 + 0.9 / (0.5 * 0.98 + 0.4), rel=1e-12)
    reach.called(0.2)
    at_call = (0.5 * 0.98 + 0.4) * 0.98 + 0.2
    assert reach.frames == pytest.approx(1.0 + 0.9 * 0.98 / at_call, rel=1e-12)


def test_in_the_long_run_it_is_one_plus_the_frames_carried() -> None:
    """Each answer gains as much on 9 later frames as at its call: it serves 10."""
    reach = Reach()
    for _ in range(1000):
        reach.called(0.3)
        for _ in range(9):
            reach.carried(0.3)
    # Measured after the carried frames of the last call, before the next one discounts them.
    assert reach.frames == pytest.approx(10.0, rel=0.01)


def test_losses_count_for_nothing() -> None:
    """Where carrying on loses, the fast answer is given: it takes nothing from the reach."""
    one, two = Reach(), Reach()
    for reach in (one, two):
        reach.called(0.4)
        reach.carried(0.2)
    two.carried(-0.9)
    assert one.frames == two.frames
    one.called(-0.5)
    two.called(0.0)
    assert one.frames == two.frames


def test_a_change_is_forgotten_after_a_while() -> None:
    """After 300 calls whose answers serve one frame, the ten frames of before are forgotten."""
    reach = Reach()
    for _ in range(300):
        reach.called(0.3)
        for _ in range(9):
            reach.carried(0.3)
    for _ in range(300):
        reach.called(0.3)
    assert reach.frames == pytest.approx(1.0, abs=0.05)


@PATIENT
@given(st.lists(st.tuples(st.booleans(), GAIN), max_size=200))
def test_it_stays_in_its_range(steps: list[tuple[bool, float]]) -> None:
    """Any order of calls and carried frames keeps it in [1, REACH_MAX], never falling by gains."""
    reach = Reach()
    for is_call, gain in steps:
        before = reach.frames
        if is_call:
            reach.called(gain)
        else:
            reach.carried(gain)
            assert reach.frames >= before
        assert 1.0 <= reach.frames <= REACH_MAX


def test_without_any_gain_at_a_call_it_is_capped() -> None:
    """Calls that gain nothing and frames that gain a lot end at the cap, not at infinity."""
    reach = Reach()
    for _ in range(5000):
        reach.called(0.0)
    for _ in range(300):
        reach.carried(1.0)
    assert reach.frames == REACH_MAX
