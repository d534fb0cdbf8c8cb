"""Fit: known statistics are recovered within their intervals; too little data is refused."""

from __future__ import annotations

import math
from pathlib import Path
import sys
from typing import Any
from typing import NamedTuple

import numpy as np
import pair
import pytest
from selector.correlation_file import read_correlation
from selector.correlation_file import write_correlation
from selector.errors import InputError
from selector.errors import MissingError
from selector.evidence import Evidence
from selector.fitted_gain import FittedGain
from selector.gain import View
from selector.table import ProfileTable
from selector.tools.fit import fit
from selector.tools.fit import ROWS_MIN

MODELS = {'fast': '0' * 64, 'slow': '1' * 64}


class Truth(NamedTuple):
    """The law that a table is drawn from, independent of any evidence."""

    fast_wrong: float
    slow_wrong: float
    both_wrong: float
    same_wrong: float

    @property
    def covariance(self) -> float:
        """Covariance of the two losses."""
        return self.both_wrong - self.fast_wrong * self.slow_wrong

    @property
    def slope(self) -> float:
        """Covariance over the variance of the fast loss."""
        return self.covariance / (self.fast_wrong * (1.0 - self.fast_wrong))

    @property
    def rho(self) -> float:
        """Correlation of the losses."""
        spread = [p * (1.0 - p) for p in (self.fast_wrong, self.slow_wrong)]
        return self.covariance / math.sqrt(spread[0] * spread[1])

    @property
    def khat(self) -> float:
        """Gain over disagreement."""
        one_wrong = self.fast_wrong + self.slow_wrong - 2.0 * self.both_wrong
        disagree = one_wrong + self.both_wrong * (1.0 - self.same_wrong)
        return (self.fast_wrong - self.slow_wrong) / disagree


def scores(answer: Any, top: Any) -> Any:
    """Return scores with `top` on the answered class and the rest evenly spread."""
    count = len(answer)
    out = np.repeat(((1.0 - top) / 9.0)[:, None], 10, axis=1)
    out[np.arange(count), answer] = top
    return out


def drawn(truth: Truth, count: int, seed: int, repeat: int = 1) -> ProfileTable:
    """Return a table drawn from `truth`; each draw stands in `repeat` rows of one track."""
    draw = np.random.default_rng(seed)
    fast_only = truth.fast_wrong - truth.both_wrong
    slow_only = truth.slow_wrong - truth.both_wrong
    both = truth.both_wrong
    right = 1.0 - fast_only - slow_only - both
    kind = draw.choice(4, count, p=[right, fast_only, slow_only, both])
    fast = np.isin(kind, (1, 3)).astype(int)
    same = draw.random(count) < truth.same_wrong
    slow = np.where(kind == 3, np.where(same, 1, 2), np.isin(kind, (2,)).astype(int))
    tops = [draw.uniform(0.3, 0.9, count) for _ in range(2)]
    rows = np.repeat(np.arange(count), repeat)
    total = len(rows)
    return pair.table(
        total,
        label=np.zeros(total, np.int64),
        track=rows.astype(np.int64),
        context=('',) * total,
        fast_scores=scores(fast[rows], tops[0][rows]),
        slow_scores=scores(slow[rows], tops[1][rows]),
    )


def fitted(table: ProfileTable) -> dict[str, Any]:
    """Return a fitted correlation."""
    return fit(table, MODELS, '2026-01-01', '2' * 64)


def whole(table: ProfileTable) -> dict[str, Any]:
    """Return the tables of all contexts together."""
    tables: dict[str, Any] = fitted(table)['pairs']['slow']['all']
    return tables


TRUTHS = [
    Truth(0.3, 0.1, 0.06, 0.5),
    Truth(0.5, 0.2, 0.02, 1.0),
    Truth(0.2, 0.3, 0.1, 0.5),
]


@pytest.mark.parametrize('truth', TRUTHS, ids=str)
def test_known_statistics_are_inside_their_intervals(truth: Truth) -> None:
    """Rho, slope and khat of the law lie in the 95 % intervals in at least 8 of 10 draws.

    A right interval fails this once in 90 runs of new seeds; these seeds are fixed.
    """
    inside = {'rho': 0, 'slope': 0, 'khat': 0}
    for seed in range(10):
        found = whole(drawn(truth, 800, seed))
        summary = found['summary']
        inside['rho'] += summary['rho_interval'][0] <= truth.rho <= summary['rho_interval'][1]
        low, high = summary['slope_interval']
        inside['slope'] += low <= truth.slope <= high
        inside['khat'] += abs(found['khat'] - truth.khat) <= found['khat_width']
        assert high - low < 0.5
        assert found['khat_width'] < 0.4
    assert min(inside.values()) > 7, inside


def test_statistics_are_those_of_the_rows() -> None:
    """Against numpy on the same rows: means, variances, covariance, rho and khat."""
    table = drawn(TRUTHS[0], 700, 5)
    found = whole(table)
    loss_fast = (table.fast_scores.argmax(1) != 0).astype(float)
    loss_slow = (table.slow_scores.argmax(1) != 0).astype(float)
    disagree = table.fast_scores.argmax(1) != table.slow_scores.argmax(1)
    covariance = np.cov(loss_fast, loss_slow, bias=True)
    wanted = {
        'pairs': 700,
        'mean_fast': loss_fast.mean(),
        'mean_slow': loss_slow.mean(),
        'var_fast': covariance[0, 0],
        'var_slow': covariance[1, 1],
        'covariance': covariance[0, 1],
        'rho': np.corrcoef(loss_fast, loss_slow)[0, 1],
    }
    assert {k: found['summary'][k] for k in wanted} == pytest.approx(wanted)
    assert found['khat'] == pytest.approx((loss_fast - loss_slow).sum() / disagree.sum())
    assert found['disagreeing'] == disagree.sum()


def test_repeated_frames_of_one_object_are_no_more_evidence() -> None:
    """Each frame five times in a track of its own: the same khat, and the same width."""
    once, often = (whole(drawn(TRUTHS[0], 400, 3, repeat=r)) for r in (1, 5))
    assert often['khat'] == pytest.approx(once['khat'])
    assert often['khat_width'] == pytest.approx(once['khat_width'])
    unknown = drawn(TRUTHS[0], 400, 3, repeat=5)._replace(track=np.full(2000, -1))
    assert whole(unknown)['khat_width'] == pytest.approx(once['khat_width'] / math.sqrt(5.0))


def test_one_object_tells_nothing_about_others() -> None:
    """All frames of a single track: the interval of khat is the whole range, not a point."""
    table = drawn(TRUTHS[0], 400, 3)._replace(track=np.zeros(400, np.int64))
    assert whole(table)['khat_width'] == 1.0


def test_calibration_is_monotone_and_close() -> None:
    """Where P(fast wrong) is 1 - confidence, the table says so within its width."""
    draw = np.random.default_rng(11)
    top = draw.uniform(0.3, 0.99, 6000)
    wrong = (draw.random(6000) > top).astype(int)
    table = pair.table(
        6000, label=np.zeros(6000, np.int64), context=('',) * 6000,
        track=np.full(6000, -1), fast_scores=scores(wrong, top),
        slow_scores=scores(np.zeros(6000, int), np.full(6000, 0.9) + 0.05 * draw.random(6000)),
    )  # fmt: skip
    tree = whole(table)
    x, y, width = zip(*tree['fast_error']['knots'], strict=True)
    assert list(x) == sorted(set(x))
    assert list(y) == sorted(y)
    assert all(0.0 <= v <= 1.0 for v in (*y, *width))


def test_the_fit_predicts_what_it_was_drawn_from(tmp_path: Path) -> None:
    """Read back: calibrated loss and gain are near the truth in the middle of the evidence."""
    draw = np.random.default_rng(12)
    count = 8000
    top = draw.uniform(0.3, 0.99, count)
    wrong = (draw.random(count) > top).astype(int)
    table = pair.table(
        count, label=np.zeros(count, np.int64), context=('',) * count, track=np.full(count, -1),
        fast_scores=scores(wrong, top), slow_scores=scores(np.zeros(count, int), top),
    )  # fmt: skip
    write_correlation(tmp_path / 'c.json', fitted(table))
    gain = FittedGain(read_correlation(tmp_path / 'c.json').tables, 'calibrated')
    for confidence in (0.45, 0.65, 0.85):
        row = scores(np.zeros(1, int), np.array([confidence]))[0]
        from selector.tasks.classification import evidence

        seen: Evidence = evidence(row.tolist())
        found = gain.forecast(View(seen), ('slow',))
        assert found.fast_loss == pytest.approx(1.0 - confidence, abs=0.06)
        assert found.gains[0].mean == pytest.approx(1.0 - confidence, abs=0.06)
        assert not found.out_of_support
    outside = gain.forecast(View(Evidence(1.0, 1.0, 0.0)), ('slow',))
    assert outside.out_of_support


@pytest.mark.parametrize('have', [0, 1, ROWS_MIN - 1])
def test_too_little_is_refused_with_what_is_missing(have: int) -> None:
    """One labelled frame too few is too few, and the number that is missing is told."""
    table = pair.table(400)
    label = table.label.copy()
    label[have:] = -1
    with pytest.raises(InputError, match=f'{ROWS_MIN - have} more are needed'):
        fitted(table._replace(label=label))
    label[: ROWS_MIN + 1] = table.label[: ROWS_MIN + 1]
    assert fitted(table._replace(label=label))['source']['labelled'] == ROWS_MIN + 1


def test_failed_rows_do_not_count() -> None:
    """A row where either model gave no answer is no pair."""
    table = pair.table(400)
    slow, fast = table.slow_scores.copy(), table.fast_scores.copy()
    slow[:50] = np.nan
    fast[50:60] = np.nan
    found = fitted(table._replace(slow_scores=slow, fast_scores=fast))
    assert found['source']['labelled'] == found['pairs']['slow']['all']['summary']['pairs'] == 340


def test_a_small_context_is_skipped_and_said() -> None:
    """A context with too few rows has no tables of its own; how many are missing is told."""
    names = ('fog',) * 150 + ('day',) * 350
    found = fitted(pair.table(500)._replace(context=names))
    assert sorted(found['pairs']['slow']) == ['all', 'day']
    assert found['skipped_contexts'] == {'fog': '50 more labelled frames are needed'}
    assert found['pairs']['slow']['day']['summary']['pairs'] == 350
    assert found['pairs']['slow']['all']['summary']['pairs'] == 500


def test_a_context_called_all_does_not_replace_the_whole() -> None:
    """A context with the name of the tables for all contexts leaves those as they are."""
    names = ('all',) * 250 + ('day',) * 350
    found = fitted(pair.table(600)._replace(context=names))
    assert found['pairs']['slow']['all']['summary']['pairs'] == 600


def test_equal_evidence_uses_every_row() -> None:
    """Where all frames look the same, the table is the mean over all, not over the first."""
    count = 600
    wrong = (np.arange(count) >= count // 2).astype(int)
    table = pair.table(
        count, label=np.zeros(count, np.int64), context=('',) * count, track=np.full(count, -1),
        fast_scores=scores(wrong, np.full(count, 0.6)),
        slow_scores=scores(np.zeros(count, int), np.full(count, 0.9)),
    )  # fmt: skip
    knots = whole(table)['fast_error']['knots']
    assert [k[1] for k in knots] == [pytest.approx(0.5)]
    assert knots[0][2] == pytest.approx(0.04, abs=0.005)


@pytest.mark.parametrize('kind', ['fast perfect', 'both perfect', 'slow always wrong'])
def test_losses_that_never_vary_are_no_crash(kind: str, tmp_path: Path) -> None:
    """Constant losses give finite tables that can be written and read."""
    count = 300
    zero, one = np.zeros(count, int), np.ones(count, int)
    fast = zero if 'perfect' in kind else one
    slow = one if 'slow' in kind else zero
    draw = np.random.default_rng(0)
    tops = [draw.uniform(0.4, 0.9, count) for _ in range(2)]
    table = pair.table(
        count, label=np.zeros(count, np.int64), context=('',) * count,
        fast_scores=scores(fast, tops[0]), slow_scores=scores(slow, tops[1]),
    )  # fmt: skip
    write_correlation(tmp_path / 'c.json', fitted(table))
    tables = read_correlation(tmp_path / 'c.json').tables['slow']['all']
    assert tables.statistics.rho == 0.0
    assert (tables.khat, tables.khat_width) == (0.0, 1.0)


def test_the_same_table_gives_the_same_tree() -> None:
    """No draw, no clock: twice the same."""
    assert fitted(pair.table(500)) == fitted(pair.table(500))


def test_without_sklearn_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to install is in the message."""
    monkeypatch.setitem(sys.modules, 'sklearn.linear_model', None)
    with pytest.raises(MissingError, match='scikit-learn'):
        fitted(pair.table(300))
