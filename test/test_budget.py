"""Budget: settings that cannot hold the guarantee are refused; the ledger keeps its promises."""

from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import PATIENT
from scripted import SECOND_NS
from selector.budget import checked
from selector.budget import Ledger
from selector.errors import ConfigError

STAMP = st.integers(-(2**62), 2**62)
AMOUNT = st.floats(0.0, 100.0)


def _ledger(gap_max_s: float = 1.0) -> Ledger:
    return Ledger((CALLS,), gap_max_s)


@pytest.mark.parametrize(
    'changes',
    [
        {field: value}
        for field in ('rate', 'burst', 'exchange_rate', 'cost_max', 'price_ceiling')
        for value in (-1e-9, math.nan, math.inf)
    ]
    + [{'price_ceiling': 0.0}, {'burst': 1.0}, {'burst': 0.0}, {'cost_max': 20.0}]
    + [{'price_ceiling': 1e300, 'burst': 1e-300, 'cost_max': 0.0}]
    + [
        {'plan': plan}
        for plan in (
            ((1.0, 1.0),),
            ((0.0, 1.0), (0.0, 2.0)),
            ((0.0, 1.0), (5.0, 2.0), (4.0, 1.0)),
            ((0.0, 1.0), (math.inf, 2.0)),
            ((0.0, 1.0), (math.nan, 2.0)),
            ((0.0, -1e-9),),
            ((0.0, math.inf),),
            ((0.0, math.nan),),
        )
    ],
)
def test_settings_that_cannot_hold_are_refused(changes: dict[str, float]) -> None:
    """Every number has its range, the burst covers one call, the price step stays finite."""
    with pytest.raises(ConfigError, match=CALLS.name):
        checked(replace(CALLS, **changes))


def test_a_burst_that_is_too_small_is_told_what_would_fit() -> None:
    """The message names the smallest and the advised burst, and how to disable a tier."""
    with pytest.raises(ConfigError) as caught:
        checked(replace(CALLS, burst=3.0, cost_max=4.0))
    assert all(text in str(caught.value) for text in ('3.0', '8.0', '40.0', 'disable'))
    assert caught.value.values == {'burst': 3.0, 'cost_max': 4.0}


def test_rate_and_burst_zero_disable_a_resource() -> None:
    """Both zero is allowed and means off; only one of them is not off."""
    off = replace(CALLS, rate=0.0, burst=0.0)
    assert checked(off) is off
    assert off.disabled
    assert not replace(CALLS, rate=0.0).disabled
    assert off.step == 0.0


def test_the_step_takes_the_price_to_its_ceiling_at_the_last_call() -> None:
    """Eta * (B - c_max) = kappa."""
    assert CALLS.step * (CALLS.burst - CALLS.cost_max) == pytest.approx(CALLS.price_ceiling)


def test_time_accrues_from_the_second_stamp_on() -> None:
    """The first frame starts with the full burst whatever its stamp; then rate * time accrues."""
    ledger = _ledger()
    assert ledger.accrue(1_700_000_000 * SECOND_NS) == 0.0
    ledger.reserve((3.0,))
    assert ledger.left == (17.0,)
    assert ledger.accrue(1_700_000_000 * SECOND_NS + SECOND_NS // 2) == pytest.approx(0.5)
    assert ledger.accrued == pytest.approx([1.0])


PLAN = ((0.0, 1.0), (10.0, 0.0), (20.0, 3.0))


def test_a_plan_by_hand() -> None:
    """2 a second: 10 s at 1, 10 s at 0, then at 3; any part of it, and beyond its last time."""
    planned = checked(replace(CALLS, plan=PLAN))
    for start_s, end_s, expected in (
        (0.0, 10.0, 20.0),
        (5.0, 12.0, 10.0),
        (11.0, 19.0, 0.0),
        (19.0, 21.0, 6.0),
        (9.0, 21.0, 8.0),
        (100.0, 101.0, 6.0),
        (7.0, 7.0, 0.0),
    ):
        assert planned.allowed(start_s, end_s) == pytest.approx(expected, abs=1e-12)
    assert CALLS.allowed(3.0, 5.5) == 5.0


@PATIENT
@given(st.lists(st.floats(0.0, 40.0), min_size=2, max_size=20), st.floats(0.0, 5.0))
def test_what_a_plan_allows_adds_up(times: list[float], factor: float) -> None:
    """The parts of a span allow what the span allows, however it is cut; nothing is negative."""
    planned = replace(CALLS, plan=((0.0, 1.0), (7.5, factor), (20.0, 0.25)))
    times = sorted(times)
    parts = [planned.allowed(a, b) for a, b in zip(times, times[1:], strict=False)]
    assert math.fsum(parts) == pytest.approx(planned.allowed(times[0], times[-1]), abs=1e-9)
    assert min(parts) >= 0.0


def test_a_ledger_follows_the_plan_by_the_time_that_counted() -> None:
    """The plan runs on the mission's own clock: gaps that are cut off do not move it on."""
    ledger = Ledger((replace(CALLS, burst=1000.0, plan=PLAN),), 1.0)
    ledger.accrue(0)
    ledger.reserve((100.0,))
    ledger.settle((100.0,), (100.0,))
    for second in range(1, 26):
        ledger.accrue(second * 1000 * SECOND_NS)  # 1000 s apart, of which 1 s counts
    assert ledger.mission_s == 25.0
    assert ledger.accrued == pytest.approx([20.0 + 5 * 6.0])
    assert ledger.left == pytest.approx((950.0,))


@pytest.mark.parametrize('part', [0.0, 0.1, 0.25, 1.0])
def test_a_share_is_a_part_of_rate_and_burst_only(part: float) -> None:
    """Name, ceiling, exchange rate, largest cost and plan stay; rate and burst shrink."""
    planned = replace(CALLS, plan=PLAN)
    found = planned.share(part)
    assert found == replace(planned, rate=2.0 * part, burst=20.0 * part)
    assert found.disabled == (part == 0.0)


@pytest.mark.parametrize('start_share', [0.0, 0.3, 1.0])
def test_the_start_is_a_share_of_the_burst(start_share: float) -> None:
    """Tokens at the start are that share; nothing counts as spent, and time fills the rest."""
    ledger = Ledger((CALLS,), 100.0, start_share)
    assert ledger.left == pytest.approx((20.0 * start_share,), abs=1e-12)
    assert (ledger.spent, ledger.reserved) == ([0.0], [0.0])
    ledger.accrue(0)
    ledger.accrue(50 * SECOND_NS)
    assert ledger.left == (20.0,)


@PATIENT
@given(st.lists(STAMP, min_size=1, max_size=40), st.floats(0.001, 10.0))
def test_no_order_of_stamps_accrues_more_than_the_time_it_spans(
    stamps: list[int], gap_max_s: float
) -> None:
    """Repeated, backward and leaping stamps count at most their span, and a gap its maximum."""
    ledger = _ledger(gap_max_s)
    seconds = [ledger.accrue(stamp) for stamp in stamps]
    latest = stamps[0]
    for stamp, counted in zip(stamps, seconds, strict=True):
        if stamp <= latest:
            assert counted == 0.0
        else:
            assert counted == pytest.approx(min((stamp - latest) * 1e-9, gap_max_s))
        latest = max(latest, stamp)
    assert math.fsum(seconds) <= (max(stamps) - stamps[0]) * 1e-9 * (1.0 + 1e-12)


def test_two_cameras_share_one_clock() -> None:
    """A slower camera's older stamps do not accrue the same second again."""
    ledger = _ledger()
    for stamp_s in (0, 1, 0, 1, 0, 1):
        ledger.accrue(stamp_s * SECOND_NS)
    assert ledger.accrued == [2.0]


def test_a_clock_that_was_set_back_goes_on_from_there() -> None:
    """After a rewind new stamps accrue again, and what was used stays used."""
    ledger = _ledger()
    ledger.accrue(100 * SECOND_NS)
    ledger.reserve((5.0,))
    ledger.settle((5.0,), (5.0,))
    ledger.rewind(0)
    assert ledger.left == (15.0,)
    assert ledger.accrue(SECOND_NS) == 1.0
    assert ledger.left == (17.0,)


def test_a_full_bucket_stays_full() -> None:
    """Idle time beyond the burst is lost: tokens never exceed B - reserved."""
    ledger = _ledger(gap_max_s=1e6)
    ledger.accrue(0)
    ledger.reserve((4.0,))
    ledger.accrue(1000 * SECOND_NS)
    assert ledger.left == (16.0,)
    ledger.settle((4.0,), (4.0,))
    assert ledger.left == (16.0,)
    ledger.accrue(1001 * SECOND_NS)
    assert ledger.left == (18.0,)


def test_settling_below_the_cap_refunds_and_above_it_leaves_a_debt() -> None:
    """The cap is replaced by what was used: less comes back, more is owed."""
    for actual, left in ((0.0, 20.0), (1.5, 18.5), (4.0, 16.0), (30.0, -10.0)):
        ledger = _ledger()
        ledger.reserve((4.0,))
        ledger.settle((4.0,), (actual,))
        assert ledger.left == (left,)
        assert ledger.spent == [actual]
        assert ledger.reserved == [0.0]


@PATIENT
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just('reserve'), AMOUNT),
            st.tuples(st.just('settle'), st.floats(0.0, 3.0)),
            st.tuples(st.just('wait'), st.floats(0.0, 20.0)),
        ),
        max_size=60,
    )
)
def test_the_balance_is_never_below_what_is_reserved(steps: list[tuple[str, float]]) -> None:
    """Any order of reserving, settling and waiting keeps Q >= reserved >= 0."""
    ledger, stamp_ns, caps = _ledger(gap_max_s=100.0), 0, []
    ledger.accrue(0)
    for kind, amount in steps:
        if kind == 'reserve':
            ledger.reserve((amount,))
            caps.append(amount)
        elif kind == 'wait':
            stamp_ns += int(amount * SECOND_NS)
            ledger.accrue(stamp_ns)
        elif caps:
            cap = caps.pop(0)
            ledger.settle((cap,), (cap * amount,))
        assert ledger.used[0] >= ledger.reserved[0] >= 0.0
        assert ledger.reserved[0] == pytest.approx(math.fsum(caps), abs=1e-9)
    if not caps:
        assert ledger.reserved[0] == pytest.approx(0.0, abs=1e-9)


def test_new_settings_keep_balance_and_spending() -> None:
    """A live change of rate and burst keeps Q, so the tokens left change with the burst only."""
    ledger = _ledger()
    ledger.accrue(0)
    ledger.reserve((6.0,))
    ledger.settle((6.0,), (6.0,))
    ledger.declare((replace(CALLS, rate=4.0, burst=30.0),))
    assert ledger.left == (24.0,)
    ledger.accrue(SECOND_NS)
    assert (ledger.left, ledger.spent, ledger.accrued) == ((28.0,), [6.0], [4.0])


def test_resources_do_not_mix() -> None:
    """Each resource has its own rate, reserve and balance, in order."""
    bytes_sent = replace(CALLS, name='sent_bytes', rate=1000.0, burst=1e6, cost_max=1e5)
    ledger = Ledger((CALLS, bytes_sent), 1.0)
    ledger.accrue(0)
    ledger.reserve((1.0, 5e4))
    ledger.accrue(SECOND_NS)
    assert ledger.left == (19.0, 950_000.0)
    ledger.settle((1.0, 5e4), (1.0, 2e4))
    assert (ledger.left, ledger.spent) == ((19.0, 980_000.0), [1.0, 2e4])
