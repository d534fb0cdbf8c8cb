"""Purses: three parts of one budget that add up to it, and never pay for each other."""

from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import PATIENT
from scripted import SECOND_NS
from selector.budget import Resource
from selector.decision import Purse
from selector.errors import ConfigError
from selector.purses import PURSES
from selector.purses import Purses
from selector.purses import split

ENERGY = Resource('energy_j', 5.0, 100.0, 0.1, 0.001, 3.0, ((0.0, 1.0), (60.0, 0.5)))
SHARE = st.one_of(st.just(0.0), st.floats(1e-3, 0.45))


def _purses(audit: float = 0.25, safety: float = 0.25, gap_max_s: float = 100.0) -> Purses:
    return Purses((CALLS, ENERGY), audit, safety, gap_max_s)


@PATIENT
@given(SHARE, SHARE)
def test_the_parts_add_up_to_the_budget(audit: float, safety: float) -> None:
    """Rates and bursts of the three parts are those the user gave; all else is the same."""
    big = replace(CALLS, burst=1e9), replace(ENERGY, burst=1e9)
    parts = split(big, audit, safety)
    assert tuple(parts) == PURSES
    for k, whole in enumerate(big):
        for field in ('rate', 'burst'):
            total = math.fsum(getattr(parts[purse][k], field) for purse in PURSES)
            assert total == pytest.approx(getattr(whole, field), rel=1e-12)
        for purse in PURSES:
            part = parts[purse][k]
            assert replace(part, rate=whole.rate, burst=whole.burst) == whole
    assert parts[Purse.AUDIT][0].rate == audit * CALLS.rate
    assert parts[Purse.SAFETY][0].rate == safety * CALLS.rate


@pytest.mark.parametrize(
    'shares',
    [
        (-1e-9, 0.0),
        (0.0, -1e-9),
        (1.0, 0.0),
        (0.0, 1.0),
        (0.5, 0.5),
        (0.7, 0.6),
        (math.nan, 0.0),
        (0.0, math.nan),
        (math.inf, 0.0),
    ],
)
def test_shares_that_leave_nothing_or_are_none_are_refused(shares: tuple[float, float]) -> None:
    """Each share is in [0, 1), and the rule keeps something."""
    with pytest.raises(ConfigError, match='share'):
        split((CALLS,), *shares)


@pytest.mark.parametrize('shares', [(0.05, 0.0), (0.0, 0.05), (0.01, 0.3), (0.6, 0.399)])
def test_a_part_that_covers_no_call_is_refused_with_what_would_fit(
    shares: tuple[float, float],
) -> None:
    """The message names the resource and a burst; just above that burst it is accepted."""
    with pytest.raises(ConfigError, match='slow_calls') as caught:
        split((CALLS,), *shares)
    needed = caught.value.values['needed']
    assert isinstance(needed, float)
    assert needed >= CALLS.burst
    with pytest.raises(ConfigError):
        split((replace(CALLS, burst=needed * (1.0 - 1e-9)),), *shares)
    # Of several parts that do not fit the first is named, so the next one may be named now.
    smallest = min(share for share in (*shares, 1.0 - sum(shares)) if share > 0.0)
    split((replace(CALLS, burst=CALLS.cost_max / smallest * (1.0 + 1e-9)),), *shares)


def test_a_resource_that_is_off_or_badly_set_is_off_or_refused_in_every_part() -> None:
    """Rate 0 and burst 0 fits any share; a number out of range is refused before it is split."""
    off = replace(CALLS, rate=0.0, burst=0.0)
    for parts in split((off,), 0.1, 0.1).values():
        assert parts[0].disabled
    with pytest.raises(ConfigError):
        split((replace(CALLS, rate=math.nan),), 0.1, 0.1)
    with pytest.raises(ConfigError):
        split((replace(CALLS, cost_max=20.0),), 0.0, 0.0)


def test_time_fills_every_part_at_its_own_rate() -> None:
    """Half of the rate goes to the rule, a quarter to each reserve, and the sum is told."""
    purses = _purses()
    assert purses.accrue(0) == 0.0
    for purse in PURSES:
        purses.ledgers[purse].reserve((2.0, 3.0))
        purses.ledgers[purse].settle((2.0, 3.0), (2.0, 3.0))
    assert purses.accrue(SECOND_NS) == 1.0
    assert purses.left(Purse.RULE) == (10.0 - 2.0 + 1.0, 50.0 - 3.0 + 2.5)
    for purse in (Purse.AUDIT, Purse.SAFETY):
        assert purses.left(purse) == (5.0 - 2.0 + 0.5, 25.0 - 3.0 + 1.25)
    assert purses.accrued == (2.0, 5.0)
    assert purses.spent == (6.0, 9.0)


def test_a_part_without_a_share_stays_empty() -> None:
    """Share 0: no tokens ever accrue there and nothing is covered, not even after a day."""
    purses = _purses(0.0, 0.0, gap_max_s=1e6)
    purses.accrue(0)
    purses.accrue(86_400 * SECOND_NS)
    for purse in (Purse.AUDIT, Purse.SAFETY):
        assert purses.left(purse) == (0.0, 0.0)
        assert not purses.covers(purse, (1e-9, 0.0))
        assert purses.covers(purse, (0.0, 0.0))
    assert purses.rule.left == (20.0, 100.0)


@PATIENT
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PURSES), st.floats(0.0, 1.0), st.floats(0.0, 3.0), st.integers(0, 3)
        ),
        max_size=60,
    )
)
def test_a_covered_call_never_overdraws_and_parts_do_not_pay_for_each_other(
    calls: list[tuple[Purse, float, float, int]],
) -> None:
    """Covered exactly where the tokens of that part reach; the tokens of the others stay."""
    purses = _purses()
    stamp_ns, spent = 0, [0.0, 0.0]
    purses.accrue(0)
    for purse, calls_used, energy_used, wait in calls:
        stamp_ns += wait * SECOND_NS // 4
        purses.accrue(stamp_ns)
        cap = calls_used, energy_used
        before = {p: purses.left(p) for p in PURSES}
        fits = all(amount <= left for amount, left in zip(cap, before[purse], strict=True))
        close = any(abs(a - left) < 1e-9 for a, left in zip(cap, before[purse], strict=True))
        assert close or purses.covers(purse, cap) == fits
        if not purses.covers(purse, cap):
            continue
        purses.ledgers[purse].reserve(cap)
        purses.ledgers[purse].settle(cap, cap)
        spent = [a + b for a, b in zip(spent, cap, strict=True)]
        assert min(purses.left(purse)) >= -1e-9
        assert all(purses.left(p) == before[p] for p in PURSES if p is not purse)
    assert purses.spent == pytest.approx(tuple(spent))


def test_new_settings_keep_the_balance_of_every_part() -> None:
    """A larger budget is shared in the same way, and what was used stays used in each part."""
    purses = _purses()
    purses.accrue(0)
    for purse, used in zip(PURSES, (4.0, 2.0, 1.0), strict=True):
        purses.ledgers[purse].reserve((used, 0.0))
        purses.ledgers[purse].settle((used, 0.0), (used, 0.0))
    purses.declare((replace(CALLS, burst=40.0), ENERGY))
    assert [purses.left(purse)[0] for purse in PURSES] == [16.0, 8.0, 9.0]
    assert purses.spent == (7.0, 0.0)


def test_refused_settings_change_nothing() -> None:
    """A burst that does not fit every part is refused with all parts as they were."""
    purses = _purses()
    before = dict(purses.resources), [purses.left(purse) for purse in PURSES]
    with pytest.raises(ConfigError):
        purses.declare((replace(CALLS, burst=3.9), ENERGY))
    assert (purses.resources, [purses.left(purse) for purse in PURSES]) == before


def test_a_clock_set_back_is_set_back_for_every_part() -> None:
    """After a rewind time fills all three parts again from there."""
    purses = _purses()
    purses.accrue(1000 * SECOND_NS)
    for purse in PURSES:
        purses.ledgers[purse].reserve((3.0, 0.0))
        purses.ledgers[purse].settle((3.0, 0.0), (3.0, 0.0))
    purses.rewind(0)
    assert purses.accrue(SECOND_NS) == 1.0
    assert [purses.left(purse)[0] for purse in PURSES] == [8.0, 2.5, 2.5]


@pytest.mark.parametrize('start_share', [0.0, 0.5])
def test_the_start_share_holds_for_every_part(start_share: float) -> None:
    """Each part starts with that share of its own burst."""
    purses = Purses((CALLS,), 0.25, 0.25, 1.0, start_share)
    lefts = [purses.left(purse)[0] for purse in PURSES]
    assert lefts == pytest.approx([10.0 * start_share, 5.0 * start_share, 5.0 * start_share])
