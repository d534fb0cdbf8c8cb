"""Modelled: calls times the card's figure, never better known than the card."""

from __future__ import annotations

import pytest
from selector.meters.energy import spent
from selector.meters.figure import Kind
from selector.meters.figure import stated
from selector.meters.figure import unknown
from selector.meters.modelled import Modelled


@pytest.mark.parametrize(
    ('card', 'here'),
    [('measured', 'profiled'), ('profiled', 'profiled'), ('default', 'default')],
)
def test_calls_times_the_figure(card: Kind, here: str) -> None:
    """Three calls of 0.5 J are 1.5 J; what the card measured is a profile of these calls."""
    meter = Modelled('slow', stated(0.5, 'J', 'a bench', card))
    first = meter.read(0.0)
    meter.invoked()
    meter.invoked(2)
    found = spent(meter, first, meter.read(1.0))
    assert (found.value, found.kind) == (1.5, here)
    assert 'a bench' in found.source


def test_a_card_that_does_not_know() -> None:
    """No figure, no energy: unknown, with the card's reason."""
    meter = Modelled('slow', unknown('J', 'never measured'))
    first = meter.read(0.0)
    meter.invoked()
    found = spent(meter, first, meter.read(1.0))
    assert found.value is None
    assert 'never measured' in found.source


def test_no_call_is_not_0_joules() -> None:
    """Without a call there is nothing to tell."""
    meter = Modelled('slow', stated(0.5, 'J', 'a bench', 'default'))
    assert spent(meter, meter.read(0.0), meter.read(1.0)).value is None
