"""The figures of merit, against slow and obvious computations of the same."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from benchmarks.bench.metrics import apgr
from benchmarks.bench.metrics import area
from benchmarks.bench.metrics import auroc
from benchmarks.bench.metrics import clustered_mean
from benchmarks.bench.metrics import cpt
from benchmarks.bench.metrics import paired_interval
from benchmarks.bench.metrics import slope
from benchmarks.bench.metrics import streaming_loss
from benchmarks.bench.metrics import student_t
from benchmarks.bench.metrics import worst_window

QUARTERS = st.integers(-40, 40).map(lambda k: k / 4.0)  # sums of them are exact


@given(st.lists(st.tuples(QUARTERS, QUARTERS), min_size=1, max_size=12))
def test_the_worst_window_is_the_worst_of_all_windows(pairs: list[tuple[float, float]]) -> None:
    """No window overspends more, and one overspends as much, even where all are negative."""
    charge, accrued = np.asarray(pairs).T
    over = (charge - accrued).tolist()
    ends = [(a, b) for a in range(len(over)) for b in range(a + 1, len(over) + 1)]
    assert worst_window(charge, accrued) == max(sum(over[a:b]) for a, b in ends)


def test_without_a_frame_nothing_is_overspent() -> None:
    """An empty stream has no overspend."""
    assert worst_window(np.empty(0), np.empty(0)) == 0.0


def test_the_clustered_interval_is_the_textbook_one_where_that_holds() -> None:
    """With many clusters of one value each the ends are the mean +- 1.96 standard errors."""
    values = np.random.default_rng(1).normal(2.0, 3.0, 2_000)
    mean, low, high = clustered_mean(values, np.arange(2_000), 4_000, np.random.default_rng(2))
    error = values.std() / math.sqrt(2_000)
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_copies_do_not_narrow_the_clustered_interval() -> None:
    """Nine copies of each value in one cluster leave the interval; as clusters they cut it to 1/3.

    The clusters' numbers and the order of the rows do not matter.
    """
    values = np.random.default_rng(3).normal(0.0, 1.0, 400)
    copies, owner = np.tile(values, 9), np.tile(7 * np.arange(400) - 50, 9)

    def width(of: np.ndarray, cluster: np.ndarray) -> float:
        _, low, high = clustered_mean(of, cluster, 3_000, np.random.default_rng(4))
        return high - low

    alone = width(values, np.arange(400))
    assert width(copies, owner) == pytest.approx(alone, rel=0.05)
    assert width(copies, np.arange(3_600)) == pytest.approx(alone / 3.0, rel=0.1)


def test_a_large_cluster_weighs_as_much_as_it_has_rows() -> None:
    """With two clusters, every resampled mean is one of the three that are possible."""
    values = np.asarray([1.0, 1.0, 1.0, 5.0])
    mean, low, high = clustered_mean(
        values, np.asarray([8, 8, 8, 2]), 500, np.random.default_rng(5)
    )
    assert (mean, low, high) == (2.0, 1.0, 5.0)


def test_a_bootstrap_too_large_for_one_go_gives_the_same_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Drawing in parts changes the memory used, not the result."""
    values, cluster = np.random.default_rng(6).random(60), np.arange(60) // 3
    whole = clustered_mean(values, cluster, 999, np.random.default_rng(7))
    monkeypatch.setattr('benchmarks.bench.metrics._DRAWS_AT_ONCE', 130)
    assert clustered_mean(values, cluster, 999, np.random.default_rng(7)) == whole


@pytest.mark.parametrize(
    'freedom, t',
    [(1, 12.7062), (2, 4.3027), (4, 2.7764), (9, 2.2622), (30, 2.0423), (1000, 1.9623)],
)
def test_students_t_is_that_of_the_tables(freedom: int, t: float) -> None:
    """The quantile of 97.5 % agrees with printed tables."""
    assert student_t(freedom) == pytest.approx(t, abs=1e-4)


def test_the_interval_over_seeds_is_the_t_interval() -> None:
    """Mean and ends agree with a computation by hand: mean 3, deviation 1.5811, t(4) = 2.7764."""
    found = paired_interval(np.asarray([1.0, 2.0, 3.0, 4.0, 5.0]))
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5.0)
    assert found == pytest.approx((3.0, 3.0 - half, 3.0 + half), abs=1e-5)


def test_one_seed_says_nothing_about_others() -> None:
    """With one seed the interval is the whole line."""
    assert paired_interval(np.asarray([0.3])) == (0.3, -math.inf, math.inf)


def test_the_area_is_that_of_the_trapezoids_in_any_order() -> None:
    """The area under three points is that of two trapezoids, however they are ordered."""
    assert area(np.asarray([3.0, 0.0, 1.0]), np.asarray([4.0, 2.0, 6.0])) == pytest.approx(14.0)


def test_apgr_of_known_curves() -> None:
    """Chance recovers half of the gap on average, and a router that needs 20 % of calls 90 %."""
    spend = np.linspace(0.0, 1.0, 11)
    assert apgr(spend, 0.6 + 0.3 * spend, 0.6, 0.9) == pytest.approx(0.5)
    assert apgr(np.asarray([0.2]), np.asarray([0.9]), 0.6, 0.9) == pytest.approx(0.9)
    assert math.isnan(apgr(spend, spend, 0.7, 0.7))


def test_apgr_takes_measured_ends_before_assumed_ones() -> None:
    """Where the curve reaches an end of the spend, its own value counts there."""
    ends = np.asarray([0.0, 1.0])
    assert apgr(ends, np.asarray([0.5, 1.0]), 0.0, 1.0) == pytest.approx(0.75)


def test_cpt_is_the_least_spend_on_the_curve() -> None:
    """The threshold lies between the points by a straight line, and on the first crossing."""
    spend, accuracy = np.asarray([0.4, 0.1, 0.8]), np.asarray([0.9, 0.7, 0.6])
    assert cpt(spend, accuracy, 0.5, 0.9, 0.5) == pytest.approx(0.1)
    assert cpt(spend, accuracy, 0.5, 0.9, 0.75) == pytest.approx(0.25)
    assert cpt(spend, accuracy, 0.5, 0.9, 0.25) == pytest.approx(0.05)
    assert cpt(spend, accuracy, 0.5, 1.0, 0.9) is None
    assert cpt(spend, accuracy, 0.5, 0.5, 0.9) is None


def test_cpt_and_apgr_agree_on_a_straight_line() -> None:
    """On the line of chance the threshold of a share is that share."""
    spend = np.linspace(0.0, 1.0, 6)
    for share in (0.05, 0.5, 0.8, 1.0):
        assert cpt(spend, 0.2 + 0.5 * spend, 0.2, 0.7, share) == pytest.approx(share)


def test_the_slope_is_the_least_squares_one() -> None:
    """A power law's exponent comes back exactly, and noisy points give what polyfit gives."""
    frames = np.log([1e3, 1e4, 1e5, 1e6])
    assert slope(frames, 0.5 * frames + 2.0) == pytest.approx(0.5)
    noisy = frames + np.asarray([0.3, -0.2, 0.5, 0.1])
    assert slope(frames, noisy) == pytest.approx(float(np.polyfit(frames, noisy, 1)[0]))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=20))
def test_auroc_counts_the_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    """It is the share of (positive, negative) pairs with the positive above, ties half."""
    up = [value for value, hit in rows if hit]
    down = [value for value, hit in rows if not hit]
    if up and down:
        wins = sum((a > b) + 0.5 * (a == b) for a in up for b in down)
        score, hit = (np.asarray(column) for column in zip(*rows, strict=True))
        assert auroc(score.astype(np.float64), hit) == pytest.approx(wins / len(up) / len(down))


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.one_of(st.integers(0, 12), st.just(math.inf)),
            st.integers(0, 2),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_streaming_loss_is_the_slow_count(frames: list[tuple[int, float, int, int]]) -> None:
    """At each stamp the latest frame whose answer is out by then is looked up one by one."""
    steps, delay, answers, labels = zip(*frames, strict=True)
    stamp_s = np.cumsum(steps).astype(np.float64)
    publish_s = stamp_s + np.asarray(delay)
    lost = 0
    for now, truth in zip(stamp_s, labels, strict=True):
        out = [k for k in range(len(frames)) if publish_s[k] <= now]
        lost += not out or answers[max(out)] != truth
    found = streaming_loss(stamp_s, publish_s, np.asarray(answers), np.asarray(labels))
    assert found == pytest.approx(lost / len(frames))


def test_a_late_answer_does_not_replace_a_newer_one() -> None:
    """An answer about frame 0 that comes after the one about frame 1 is ignored."""
    stamp_s = np.asarray([0.0, 1.0, 2.0, 3.0])
    publish_s = np.asarray([2.5, 1.5, 2.1, 3.1])
    answer, label = np.asarray([9, 1, 2, 3]), np.asarray([0, 1, 1, 2])
    assert streaming_loss(stamp_s, publish_s, answer, label) == 0.5
