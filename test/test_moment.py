"""Moment: the base answer of a frame, and the classes of what there is to choose from."""

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import controller
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from selector.carried import Carried
from selector.decision import Base
from selector.decision import REUSE
from selector.decision import TierKind
from selector.gain import Forecast
from selector.moment import base_answer

CARRIED = Carried(3, 10, 'slow', 7)


@PATIENT
@given(st.floats(-1.0, 1.0))
def test_the_carried_answer_is_the_base_where_it_gains(gain: float) -> None:
    """With a positive gain, and only with something carried; a gain of exactly 0 is none."""
    forecast = Forecast(0.5, (), reuse_gain=gain)
    fast = Base('fast', TierKind.FAST, 0.0)
    assert base_answer('fast', None, forecast) == fast
    found = base_answer('fast', CARRIED, forecast)
    assert found == (Base(REUSE, TierKind.REUSE, gain) if gain > 0.0 else fast)


def test_the_record_holds_what_was_known_before_the_decision() -> None:
    """Forecast, carried answer, purses and prices as they were when it was decided."""
    made = controller({'slow': 0.5}, reuse_max_age_s=1.0, audit_share=0.25, safety_share=0.25)
    made._predictor.reach = 2.5
    first = made.offer(offer(0)).record
    assert (first.carried, first.carried_tier, first.stale) == (-1, '', 1.0)
    assert (first.left, first.audit_left, first.safety_left) == ((10.0,), (5.0,), (5.0,))
    assert (first.spent, first.accrued, first.scarcity) == ((0.0,), (0.0,), (0.0,))
    made.resume(outcome(0, cost=(1.0,)))
    made._predictor.reuse_gain = 0.25
    second = made.offer(offer(1, stake=2.0)).record
    assert (second.carried, second.carried_tier, second.stale) == (0, 'slow', 0.2)
    assert (second.reuse_gain, second.reach, second.stake) == (0.25, 2.5, 2.0)
    assert (second.fast_loss, second.support, second.missing) == (0.5, 100, 0)
    assert second.left == pytest.approx((10.0 - 1.0 + 0.1,))
    assert second.spent == (1.0,)
    assert second.accrued == pytest.approx((0.2,))
    assert second.scarcity == pytest.approx((0.9 / 9.0,))
    found = second.decision.tiers[0]
    assert (found.gain, found.reach) == (0.25, 2.5)
    assert found.value == 1.0  # 2 x 0.25 x 2.5 is clipped
