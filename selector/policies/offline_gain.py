"""Offline gain: post-hoc routers that predict the labelled gain with weights fitted offline."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from selector.errors import InputError
from selector.gain import View
from selector.policies.baseline import Baseline
from selector.policies.baseline import columns
from selector.policies.baseline import within


class Tree(NamedTuple):
    """A regression tree as tables; node 0 is the root.

    Attributes:
        feature: column that each node compares, -1 at a leaf.
        threshold: the left child is taken where the column is <= threshold.
        left, right: children of each node, -1 at a leaf.
        value: what each node predicts; only the leaves' are used.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]


class Forest(NamedTuple):
    """Boosted trees: base + rate * (sum of what the trees predict).

    Attributes:
        base: prediction of no tree.
        rate: learning rate.
        trees: the trees, in the order of their fit.
    """

    base: float
    rate: float
    trees: tuple[Tree, ...]

    def value(self, row: Sequence[float]) -> float:
        """Return the prediction for a row (F,), compared in single precision as scikit-learn."""
        single = array('f', row)
        total = self.base
        for tree in self.trees:
            total += self.rate * _leaf(tree, single)
        return total


class RidgeGain(Baseline):
    """Predicts the gain as a weighted sum of the columns, their squares and products.

    The post-hoc router of learning to defer (Narasimhan et al., NeurIPS 2022; Jitkrittum et al.,
    arXiv 2307.02764): regress L_fast - L_slow offline, then threshold it.
    """

    reference = 'LABEL'

    def __init__(self, weights: Sequence[float], threshold: float = 0.0) -> None:
        """Take the weights of `quadratic(columns)` (45,) and the threshold in [-1, 1].

        Raises:
            ConfigError: the threshold is out of range.
            InputError: there are more or fewer weights than terms.
        """
        super().__init__()
        terms = len(quadratic((0.0,) * 8))
        if len(weights) != terms:
            raise InputError(f'{len(weights)} weights for the {terms} terms of 8 columns')
        self._weights = tuple(within('weight', float(weight), -1e9, 1e9) for weight in weights)
        self._threshold = within('threshold', threshold, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return the predicted gain, 1 without a fast answer, minus the threshold."""
        row = columns(view)
        return (1.0 if row is None else weighted(self._weights, row)) - self._threshold


class TreeGain(Baseline):
    """Predicts the gain by boosted trees over the columns; otherwise as `RidgeGain`."""

    reference = 'LABEL'

    def __init__(self, forest: Forest, threshold: float = 0.0) -> None:
        """Take the fitted trees and the threshold in [-1, 1].

        Raises:
            ConfigError: the threshold is out of range.
        """
        super().__init__()
        self._forest = forest
        self._threshold = within('threshold', threshold, -1.0, 1.0)

    def net(self, view: View) -> float:
        """Return the predicted gain, 1 without a fast answer, minus the threshold."""
        row = columns(view)
        return (1.0 if row is None else self._forest.value(row)) - self._threshold


def quadratic(row: Sequence[float]) -> tuple[float, ...]:
    """Return the terms of a row (F,): 1, each column, each product i <= j; (1+F)(2+F)/2 in all."""
    products = (a * b for place, a in enumerate(row) for b in row[place:])
    return 1.0, *row, *products


def weighted(weights: Sequence[float], row: Sequence[float]) -> float:
    """Return the sum of weight * term over `quadratic(row)`, in their order."""
    total = 0.0
    for weight, term in zip(weights, quadratic(row), strict=True):
        total += weight * term
    return total


def _leaf(tree: Tree, row: Sequence[float]) -> float:
    node = 0
    while tree.left[node] >= 0:
        goes_left = row[tree.feature[node]] <= tree.threshold[node]
        node = tree.left[node] if goes_left else tree.right[node]
    return tree.value[node]
