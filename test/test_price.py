"""Price: exchange rate plus a scarcity price that follows the ledger up to its ceiling."""

from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import PATIENT
from selector.budget import Ledger
from selector.budget import Resource
from selector.price import Price
from selector.price import price

ENERGY = Resource('energy_j', 0.5, 8.0, 0.3, 0.01, 2.0)


def _price_at(used: float, resource: Resource = CALLS) -> Price:
    ledger = Ledger((resource,), 1.0)
    ledger.reserve((used,))
    return price((resource,), ledger)


def test_a_full_budget_costs_the_exchange_rate() -> None:
    """With nothing used the scarcity price is 0 and only beta is paid."""
    assert _price_at(0.0) == ((0.0,), (0.05,), (False,))


@PATIENT
@given(st.floats(0.0, 40.0))
def test_the_scarcity_price_is_proportional_to_the_balance(used: float) -> None:
    """Lambda = kappa * Q / (B - c_max), computed here on its own."""
    found = _price_at(used, ENERGY)
    assert found.scarcity[0] == pytest.approx(0.3 * used / 6.0, rel=1e-12)
    assert found.total[0] == pytest.approx(0.01 + 0.3 * used / 6.0, rel=1e-12)


def test_the_ceiling_is_reached_when_one_more_call_might_not_fit() -> None:
    """Exhausted exactly from Q = B - c_max on, where lambda = kappa."""
    assert not _price_at(math.nextafter(19.0, 0.0)).exhausted[0]
    at_ceiling = _price_at(19.0)
    assert at_ceiling.exhausted[0]
    assert at_ceiling.scarcity[0] == pytest.approx(CALLS.price_ceiling, rel=1e-12)
    assert _price_at(25.0).exhausted[0]


def test_a_disabled_resource_is_exhausted_from_the_start() -> None:
    """Rate 0 and burst 0: nothing may be used, although the balance is 0."""
    assert _price_at(0.0, replace(CALLS, rate=0.0, burst=0.0)).exhausted == (True,)


def test_prices_keep_the_order_of_the_resources() -> None:
    """Two resources give two prices in order, each from its own balance."""
    ledger = Ledger((CALLS, ENERGY), 1.0)
    ledger.reserve((9.5, 7.0))
    found = price((CALLS, ENERGY), ledger)
    assert found.scarcity == pytest.approx((0.5, 0.35))
    assert found.total == pytest.approx((0.55, 0.36))
    assert found.exhausted == (False, True)
