"""Regressor: numbers with factors and offsets, and spreads as the network tells them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from selector.cards.decoding_card import RegressorCard
from selector.decoders.outputs import fits
from selector.decoders.regressor import decode
from selector.decoders.regressor import shapes
from selector.errors import PredictionError


def card(**more: Any) -> RegressorCard:
    """Return a card."""
    return RegressorCard.model_validate({'kind': 'regressor', **more})


def test_numbers_are_scaled_and_shifted() -> None:
    """Factor x output + offset, in any of the shapes."""
    of = card(factors=[2.0, -1.0], offsets=[0.5, 0.0])
    for shape in ((2,), (1, 2), (1, 2, 1, 1)):
        assert fits(shape, shapes(of, 2)['values'])
        found = decode({'values': np.array([1.0, 3.0], np.float32).reshape(shape)}, of)
        assert found == ((2.5, -3.0), ())


@pytest.mark.parametrize(
    ('kind', 'given'),
    [
        ('deviation', [0.5, 2.0]),
        ('variance', [0.25, 4.0]),
        ('log_variance', [math.log(0.25), math.log(4.0)]),
    ],
)
def test_spreads_are_standard_deviations(kind: str, given: list[float]) -> None:
    """Whatever the network gives, and scaled like the numbers, never negative."""
    of = card(spread=kind, factors=[1.0, -3.0])
    found = decode({'values': np.zeros((1, 2)), 'spreads': np.array([given])}, of)
    assert found.spreads == pytest.approx([0.5, 6.0])


@pytest.mark.parametrize('key', ['values', 'spreads'])
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_told(key: str, bad: float) -> None:
    """NaN and infinity, in the numbers or the spreads."""
    outputs = {'values': np.zeros((1, 2)), 'spreads': np.ones((1, 2))}
    outputs[key] = np.array([[1.0, bad]])
    with pytest.raises(PredictionError, match='NaN'):
        decode(outputs, card())


@pytest.mark.parametrize('kind', ['deviation', 'variance'])
def test_a_negative_spread_is_told(kind: str) -> None:
    """A network without softplus on its spread."""
    outputs = {'values': np.zeros((1, 1)), 'spreads': np.array([[-1.0]])}
    with np.errstate(invalid='ignore'), pytest.raises(PredictionError, match='negative'):
        decode(outputs, card(spread=kind))
