"""Fit: the correlation of two models' losses and the gain tables, from labelled answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.calibration import Table
from selector.correlation import AccuracyCorrelation
from selector.correlation_file import context_tree
from selector.correlation_file import SCHEMA
from selector.errors import InputError
from selector.errors import MissingError
from selector.fitted_gain import ALL_CONTEXTS
from selector.fitted_gain import ContextTables
from selector.table import ProfileTable
from selector.tasks import classification

ROWS_MIN = 200
_BIN_ROWS = 100
_BINS_MAX = 40


class _Labelled(NamedTuple):
    """The labelled rows of a table: evidence (N, 3), losses and disagreement (N,), track (N,)."""

    fast: NDArray[np.float64]
    slow: NDArray[np.float64]
    loss_fast: NDArray[np.float64]
    loss_slow: NDArray[np.float64]
    disagree: NDArray[np.float64]
    track: NDArray[np.int64]
    context: NDArray[np.str_]


def fit(table: ProfileTable, models: Mapping[str, str], date: str, source: str) -> dict[str, Any]:
    """Return the fitted correlation as JSON values, ready for `write_correlation`.

    Args:
        table: labelled answers of both models, on data that neither was trained on.
        models: SHA-256 of the model files by tier.
        date: day of the fit, ISO.
        source: SHA-256 of the profile table.

    Raises:
        InputError: there are too few labelled rows; the message says how many are missing.
        MissingError: scikit-learn is not installed.
    """
    rows = _labelled(table)
    if len(rows.track) < ROWS_MIN:
        raise InputError(
            f'{len(rows.track)} labelled frames are too few to fit a correlation: '
            f'{ROWS_MIN - len(rows.track)} more are needed',
            have=len(rows.track),
            need=ROWS_MIN,
        )
    contexts: dict[str, Any] = {ALL_CONTEXTS: context_tree(_tables(rows))}
    skipped = {}
    for name in sorted(set(rows.context.tolist()) - {'', ALL_CONTEXTS}):
        pick = rows.context == name
        if (count := int(pick.sum())) < ROWS_MIN:
            skipped[name] = f'{ROWS_MIN - count} more labelled frames are needed'
            continue
        part = _Labelled(*(column[pick] for column in rows))
        contexts[name] = context_tree(_tables(part))
    return {
        'schema': SCHEMA,
        'date': date,
        'reference': 'LABEL',
        'source': {'sha256': source, 'labelled': len(rows.track)},
        'models': dict(models),
        'pairs': {'slow': contexts},
        'skipped_contexts': skipped,
    }


def _labelled(table: ProfileTable) -> _Labelled:
    known = (table.label >= 0) & ~np.isnan(table.fast_scores[:, 0])
    known &= ~np.isnan(table.slow_scores[:, 0])
    fast, slow = table.fast_scores[known], table.slow_scores[known]
    label = table.label[known]
    fast_class, slow_class = fast.argmax(1), slow.argmax(1)
    return _Labelled(
        fast=np.array([classification.evidence(r) for r in fast.tolist()]).reshape(-1, 3),
        slow=np.array([classification.evidence(r) for r in slow.tolist()]).reshape(-1, 3),
        loss_fast=(fast_class != label).astype(float),
        loss_slow=(slow_class != label).astype(float),
        disagree=(fast_class != slow_class).astype(float),
        track=_clusters(table.track[known]),
        context=np.array(table.context)[known],
    )


def _clusters(track: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return cluster numbers: one per track, one per row where the track is unknown."""
    own = np.arange(len(track)) + track.max(initial=0) + 1
    return np.where(track < 0, own, track)


def _tables(rows: _Labelled) -> ContextTables:
    correlation = AccuracyCorrelation()
    for fast, slow in zip(rows.loss_fast.tolist(), rows.loss_slow.tolist(), strict=True):
        correlation.update(fast, slow)
    khat, width = _khat(rows)
    return ContextTables(
        statistics=correlation.statistics,
        fast_error=_table(rows.fast, rows.loss_fast),
        disagreement=_table(rows.fast, rows.disagree),
        khat=khat,
        khat_width=width,
        disagreeing=int(rows.disagree.sum()),
        slow_error=_table(rows.slow, rows.loss_slow),
        low=tuple(rows.fast.min(0).tolist()),
        high=tuple(rows.fast.max(0).tolist()),
    )


def _khat(rows: _Labelled) -> tuple[float, float]:
    """Return E[L_fast - L_slow] / E[disagreement] and its 95 % half-width, clustered by track."""
    gain = rows.loss_fast - rows.loss_slow
    total = float(rows.disagree.sum())
    if total == 0.0:
        return 0.0, 1.0
    khat = float(gain.sum()) / total
    residual = gain - khat * rows.disagree
    _, number = np.unique(rows.track, return_inverse=True)
    by_track = np.bincount(number, residual)
    if len(by_track) < 2:  # the residuals of a single cluster sum to 0, whatever the spread
        return khat, 1.0
    return khat, min(1.0, 1.96 * float(np.sqrt((by_track**2).sum())) / total)


def _table(evidence: NDArray[np.float64], event: NDArray[np.float64]) -> Table:
    """Return P(event | evidence): a logistic score, then isotonic on quantile bins of it."""
    weights, bias = _logistic(evidence, event)
    score = bias + evidence @ weights
    order = np.argsort(score, kind='stable')
    bins = np.array_split(order, max(1, min(_BINS_MAX, len(order) // _BIN_ROWS)))
    x = np.array([score[b].mean() for b in bins])
    # Bins of one score are one knot, else only the first of them would count.
    new = np.concatenate([[True], np.diff(x) > 1e-12])
    knot = np.cumsum(new) - 1
    size = np.bincount(knot, [len(b) for b in bins]).astype(float)
    y = np.bincount(knot, [event[b].sum() for b in bins]) / size
    fitted = _isotonic(x[new], y, size)
    width = [_half_width(p, n) for p, n in zip(fitted.tolist(), size.tolist(), strict=True)]
    return Table(
        weights=tuple(weights.tolist()),
        bias=bias,
        x=tuple(x[new].tolist()),
        y=tuple(fitted.tolist()),
        width=tuple(width),
    )


def _half_width(share: float, count: float) -> float:
    """Return the half-width of Wilson's 95 % interval of a share out of `count`."""
    z = 1.96
    spread = share * (1.0 - share) / count + z * z / (4.0 * count * count)
    return float(z * np.sqrt(spread) / (1.0 + z * z / count))


def _logistic(
    evidence: NDArray[np.float64], event: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    linear = _sklearn('linear_model')
    if event.min() == event.max():
        return np.zeros(evidence.shape[1]), 0.0
    model = linear.LogisticRegression(C=100.0, max_iter=1000).fit(evidence, event)
    return model.coef_[0].astype(float), float(model.intercept_[0])


def _isotonic(
    x: NDArray[np.float64], y: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    model = _sklearn('isotonic').IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True)
    fitted: NDArray[np.float64] = np.asarray(model.fit_transform(x, y, sample_weight=size), float)
    return np.clip(fitted, 0.0, 1.0)


def _sklearn(module: str) -> Any:
    try:
        import importlib

        return importlib.import_module(f'sklearn.{module}')
    except ImportError as err:
        raise MissingError(
            "fitting needs the extra 'fit': pip install 'scikit-learn>=1.5'"
        ) from err
