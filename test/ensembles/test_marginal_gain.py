"""The gain of a further member is learned from what further members changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.ensembles.marginal_gain import doubt_cell
from selector.ensembles.marginal_gain import MarginalGain
from selector.ensembles.marginal_gain import MEMORY_PAIRS
from selector.ensembles.marginal_gain import PRIOR
from selector.errors import ConfigError


def test_the_first_estimate_is_the_prior_times_khat() -> None:
    """Nothing observed, nothing known."""
    assert MarginalGain(3, 0.4).gain(1, 0.9) == pytest.approx(0.4 * PRIOR)


def test_the_estimate_is_the_mean_of_what_was_seen() -> None:
    """By number of members and by doubt; other cells do not move."""
    gain = MarginalGain(3)
    for k in range(400):
        gain.observe(1, 0.9, 1.0 if k % 4 == 0 else 0.0)
    assert gain.gain(1, 0.9) == pytest.approx(0.25, abs=0.005)
    assert gain.gain(2, 0.9) == gain.gain(1, 0.3) == PRIOR


def test_sure_answers_and_doubtful_ones_are_told_apart() -> None:
    """The cell halves the doubt, down to one in 32."""
    cells = [doubt_cell(p / 1000) for p in range(1001)]
    assert cells == sorted(cells)
    assert set(cells) == set(range(6))
    assert [doubt_cell(p) for p in (0.0, 0.499, 0.6, 0.97, 1.0)] == [0, 0, 1, 5, 5]


def test_one_stop_in_many_is_not_taken() -> None:
    """So a cell that started low learns better, at a bounded cost; 0 takes every stop."""
    gain, never = MarginalGain(2, look_every=20), MarginalGain(2, look_every=0)
    for table in (gain, never):
        for _ in range(50):
            table.observe(1, 0.9, 0.0)
    asked = [gain.worth(1, 0.9, 0.1) for _ in range(200)]
    assert (sum(asked), asked.index(True)) == (10, 19)
    assert not any(never.worth(1, 0.9, 0.1) for _ in range(200))


def test_what_changed_is_found_by_the_looks_alone() -> None:
    """Members that never changed the answer begin to: the table finds out while it stops."""
    gain = MarginalGain(2, look_every=10)
    for _ in range(30):
        gain.observe(1, 0.9, 0.0)
    asked = 0
    for _ in range(400):
        if gain.worth(1, 0.9, 0.2):
            asked += 1
            gain.observe(1, 0.9, 1.0)
    assert asked > 300


def test_a_price_no_gain_can_reach_is_not_looked_at() -> None:
    """At a price of khat and more, one member answers, always."""
    gain = MarginalGain(2, khat=0.5, look_every=2)
    assert not any(gain.worth(1, 0.0, price) for price in (0.5, 1.0, float('inf')) * 20)


def test_old_observations_fade() -> None:
    """After twice the memory the table follows what is, not what was."""
    gain = MarginalGain(2)
    for _ in range(int(MEMORY_PAIRS)):
        gain.observe(1, 0.9, 0.0)
    for _ in range(int(3 * MEMORY_PAIRS)):
        gain.observe(1, 0.9, 1.0)
    assert gain.gain(1, 0.9) > 0.9


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=60), st.floats(0.01, 1))
def test_the_estimate_stays_between_nothing_and_khat(
    seen: list[tuple[float, float]], khat: float
) -> None:
    """Always above 0, so that a price of 0 asks every member."""
    gain = MarginalGain(2, khat)
    for confidence, disagreement in seen:
        gain.observe(1, confidence, disagreement)
    for confidence, _ in seen:
        assert 0.0 < gain.gain(1, confidence) <= khat
        assert gain.worth(1, confidence, 0.0)


@pytest.mark.parametrize(
    'wrong', [{'members': 0}, {'khat': 0.0}, {'khat': 1.1}, {'look_every': 1}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    """The sentence has the ranges."""
    with pytest.raises(ConfigError, match='khat in'):
        MarginalGain(**{'members': 2, 'khat': 1.0, 'look_every': 20, **wrong})  # type: ignore[arg-type]
