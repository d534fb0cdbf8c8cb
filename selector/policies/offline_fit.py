"""Offline fit: the weights of the offline routers, cross-fitted so that no row predicts itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.errors import InputError
from selector.errors import MissingError
from selector.policies.offline_gain import Forest
from selector.policies.offline_gain import quadratic
from selector.policies.offline_gain import Tree

Array = NDArray[np.float64]


class RidgeFit(NamedTuple):
    """A cross-fitted ridge router.

    Attributes:
        out_of_fold: (N,) prediction of each row by a fit without its cluster.
        weights: of `quadratic(row)`, fitted on all rows; for `RidgeGain`.
    """

    out_of_fold: Array
    weights: tuple[float, ...]


class TreesFit(NamedTuple):
    """A cross-fitted router of boosted trees.

    Attributes:
        out_of_fold: (N,) prediction of each row by a fit without its cluster.
        forest: fitted on all rows; for `TreeGain`.
    """

    out_of_fold: Array
    forest: Forest


def fit_ridge(
    x: Array, gain: Array, cluster: NDArray[Any], folds: int = 5, *, penalty: float = 1.0
) -> RidgeFit:
    """Return the ridge regression of the gain on the quadratic terms; the constant is free.

    Args:
        x: (N, F) columns as `baseline.columns` gives them.
        gain: (N,) L_fast - L_slow in [-1, 1].
        cluster: (N,) rows of one cluster (source image, track) stay in one fold.
        folds: number of folds, 2 to the number of clusters.
        penalty: weight of the squared weights, > 0.

    Raises:
        InputError: the shapes differ, a number is not finite, or the folds do not fit.
        MissingError: scikit-learn is not installed.
    """
    terms = np.array([quadratic(row) for row in x.tolist()])

    def fitted(rows: NDArray[np.int64]) -> Any:
        return _sklearn('linear_model').Ridge(alpha=penalty).fit(terms[rows, 1:], gain[rows])

    out_of_fold = _cross_fit(fitted, terms[:, 1:], gain, cluster, folds)
    final = fitted(np.arange(len(gain)))
    return RidgeFit(out_of_fold, (float(final.intercept_), *map(float, final.coef_)))


def fit_trees(
    x: Array, gain: Array, cluster: NDArray[Any], folds: int = 5, *, trees: int = 100
) -> TreesFit:
    """Return boosted regression trees of depth 3 on the columns; arguments as `fit_ridge`.

    Args:
        trees: number of trees, >= 1.

    Raises:
        InputError: the shapes differ, a number is not finite, or the folds do not fit.
        MissingError: scikit-learn is not installed.
    """

    def fitted(rows: NDArray[np.int64]) -> Any:
        # Not the histogram variant: only this one shows its trees through a public interface.
        model = _sklearn('ensemble').GradientBoostingRegressor(
            n_estimators=trees,
            max_depth=3,
            learning_rate=0.1,
            subsample=0.5,
            min_samples_leaf=min(20, max(1, len(rows) // 10)),
            random_state=0,
        )
        return model.fit(x[rows], gain[rows])

    out_of_fold = _cross_fit(fitted, x, gain, cluster, folds)
    return TreesFit(out_of_fold, exported(fitted(np.arange(len(gain)))))


def exported(model: Any) -> Forest:
    """Return a fitted GradientBoostingRegressor (squared error) as plain tables."""
    return Forest(
        float(np.ravel(model.init_.constant_)[0]),
        float(model.learning_rate),
        tuple(_tree(stage.tree_) for stage in model.estimators_[:, 0]),
    )


def _tree(nodes: Any) -> Tree:
    return Tree(
        tuple(max(-1, int(feature)) for feature in nodes.feature),
        tuple(map(float, nodes.threshold)),
        tuple(map(int, nodes.children_left)),
        tuple(map(int, nodes.children_right)),
        tuple(map(float, nodes.value[:, 0, 0])),
    )


def _cross_fit(
    fitted: Callable[[NDArray[np.int64]], Any],
    inputs: Array,
    gain: Array,
    cluster: NDArray[Any],
    folds: int,
) -> Array:
    """Return the prediction of each row by the fit on the folds that lack its cluster."""
    rows = len(gain)
    if inputs.shape[:1] != (rows,) or cluster.shape != (rows,) or gain.ndim != 1:
        raise InputError(f'{inputs.shape} inputs, {gain.shape} gains, {cluster.shape} clusters')
    if not (np.isfinite(inputs).all() and np.isfinite(gain).all()):
        raise InputError('an input or a gain is NaN or infinite')
    clusters = len(np.unique(cluster))
    if not 2 <= folds <= clusters:
        raise InputError(f'{folds} folds of {clusters} clusters; allowed are 2 to {clusters}')
    splitter = _sklearn('model_selection').GroupKFold(n_splits=folds)
    found = np.empty(rows)
    for train, test in splitter.split(inputs, gain, cluster):
        found[test] = fitted(train).predict(inputs[test])
    return found


def _sklearn(module: str) -> Any:
    try:
        import importlib

        return importlib.import_module(f'sklearn.{module}')
    except ImportError as err:
        raise MissingError(
            "fitting needs the extra 'fit': pip install 'scikit-learn>=1.5'"
        ) from err
