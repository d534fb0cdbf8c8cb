"""Offline gain: plain tables predict what scikit-learn predicts, and no row predicts itself."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
import pytest
from selector.errors import InputError
from selector.errors import MissingError
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.gain import View
from selector.policies.baseline import columns
from selector.policies.offline_fit import exported
from selector.policies.offline_fit import fit_ridge
from selector.policies.offline_fit import fit_trees
from selector.policies.offline_gain import quadratic
from selector.policies.offline_gain import RidgeGain
from selector.policies.offline_gain import TreeGain
from selector.policies.offline_gain import weighted

ensemble = pytest.importorskip('sklearn.ensemble')
linear_model = pytest.importorskip('sklearn.linear_model')
preprocessing = pytest.importorskip('sklearn.preprocessing')

Array = NDArray[np.float64]


def _rows(count: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return columns (N, 8), a gain (N,) that bends with them, and clusters of four rows."""
    draw = np.random.default_rng(seed)
    x = draw.random((count, 8))
    gain = np.clip(np.where(x[:, 0] < 0.5, x[:, 1], -0.3) + 0.1 * draw.normal(size=count), -1, 1)
    return x, gain, np.arange(count) // 4


def _view(row: Array) -> View:
    confidence, margin, entropy, sharpness, exposure, change, age, track = row.tolist()
    scene = Scene(sharpness, exposure, change, age * 60.0, track)
    return View(Evidence(confidence, margin, entropy), scene)


def test_the_columns_of_a_view() -> None:
    """Evidence, then the scene, the age over its maximum; none without a fast answer."""
    row = np.arange(8) / 10
    assert columns(_view(row)) == pytest.approx(tuple(row), abs=1e-15)
    assert columns(View(None)) is None


def test_terms_are_those_of_scikit_learn() -> None:
    """Constant, columns and products in the order of PolynomialFeatures(2)."""
    x = _rows(20)[0]
    expected = preprocessing.PolynomialFeatures(2).fit_transform(x)
    assert np.array([quadratic(row) for row in x.tolist()]) == pytest.approx(expected, abs=1e-15)


def test_ridge_agrees_with_scikit_learn() -> None:
    """The final weights give Ridge's predictions to 1e-9, and the policy uses them."""
    x, gain, cluster = _rows(300)
    fit = fit_ridge(x, gain, cluster, 5, penalty=0.5)
    terms = preprocessing.PolynomialFeatures(2, include_bias=False).fit_transform(x)
    expected = linear_model.Ridge(alpha=0.5).fit(terms, gain).predict(terms)
    assert [weighted(fit.weights, row) for row in x.tolist()] == pytest.approx(expected, abs=1e-9)
    policy = RidgeGain(fit.weights, 0.05)
    means = [policy.forecast(_view(row), ('slow',)).gains[0].mean for row in x]
    assert means == pytest.approx(np.clip(expected - 0.05, -1, 1), abs=1e-9)


@pytest.mark.parametrize('seed', range(3))
def test_trees_agree_with_scikit_learn(seed: int) -> None:
    """Exported trees give predict() to 1e-9, on rows of the fit and on others."""
    x, gain, _ = _rows(400, seed)
    model = ensemble.GradientBoostingRegressor(n_estimators=40, random_state=seed).fit(x, gain)
    forest = exported(model)
    others = np.concatenate([x, _rows(400, seed + 10)[0], np.zeros((1, 8)), np.ones((1, 8))])
    # Rows on a threshold itself: there the comparison decides.
    edges = np.tile(0.5, (len(forest.trees[0].threshold), 8))
    for place, (feature, edge) in enumerate(zip(*forest.trees[0][:2], strict=True)):
        edges[place, max(0, feature)] = edge
    for rows in (others, np.clip(edges, 0, 1)):
        found = [forest.value(row) for row in rows.tolist()]
        assert found == pytest.approx(model.predict(rows), abs=1e-9)


def test_fitted_trees_find_the_bend() -> None:
    """The trees of the fit predict unseen rows better than the quadratic ridge does."""
    x, gain, cluster = _rows(800)
    trees, ridge = fit_trees(x, gain, cluster, 4), fit_ridge(x, gain, cluster, 4)
    errors = [float(np.mean((fit.out_of_fold - gain) ** 2)) for fit in (trees, ridge)]
    assert errors[0] < 0.7 * errors[1] < 0.7 * np.var(gain)
    policy = TreeGain(trees.forest, 0.1)
    means = [policy.forecast(_view(row), ('slow',)).gains[0].mean for row in x[:50]]
    expected = [trees.forest.value(row) - 0.1 for row in x[:50].tolist()]
    assert means == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('fit', [fit_ridge, fit_trees])
def test_no_row_is_predicted_by_its_own_cluster(fit: object) -> None:
    """Gains that are noise by cluster cannot be told out of fold, though a fit could recall them.

    All rows of a cluster are alike, so a fit that had seen one would know the others.
    """
    assert callable(fit)
    draw = np.random.default_rng(3)
    x = np.repeat(draw.random((60, 8)), 10, axis=0)
    gain = np.repeat(draw.choice([-1.0, 1.0], 60), 10)
    found = fit(x, gain, np.repeat(np.arange(60), 10), 6).out_of_fold
    shuffled = fit(x, gain, np.tile(np.arange(10), 60), 5).out_of_fold
    honest = float(np.mean(np.sign(found) == gain))
    leaking = float(np.mean(np.sign(shuffled) == gain))
    assert honest < 0.7 < 0.8 < leaking


@pytest.mark.parametrize('folds', [1, 11])
def test_folds_must_fit_the_clusters(folds: int) -> None:
    """One fold leaves nothing to fit on; more folds than clusters leave some empty."""
    x, gain, cluster = _rows(40)
    with pytest.raises(InputError, match='2 to 10'):
        fit_ridge(x, gain, cluster, folds)


def test_bad_rows_are_refused() -> None:
    """A NaN and a missing cluster are errors, not a silent fit on fewer rows."""
    x, gain, cluster = _rows(40)
    with pytest.raises(InputError, match='clusters'):
        fit_trees(x, gain, cluster[:-1])
    x[3, 2] = np.nan
    with pytest.raises(InputError, match='NaN'):
        fit_trees(x, gain, cluster)


def test_weights_of_another_length_are_refused() -> None:
    """Weights of a fit with other columns cannot be used by mistake."""
    with pytest.raises(InputError, match='28 weights for the 45 terms'):
        RidgeGain([0.0] * 28)


def test_without_scikit_learn_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The policies need no scikit-learn; only fitting does."""
    monkeypatch.setitem(sys.modules, 'sklearn.linear_model', None)
    monkeypatch.setitem(sys.modules, 'sklearn.model_selection', None)
    with pytest.raises(MissingError, match='pip install'):
        fit_ridge(*_rows(40))
