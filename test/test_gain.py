"""Gain: disagreement x khat or the seed rule, from the tables of the right tier and context."""

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import PATIENT
from selector.calibration import Table
from selector.correlation import AccuracyCorrelation
from selector.correlation import JointStatistics
from selector.evidence import Evidence
from selector.gain import ALL_CONTEXTS
from selector.gain import ContextTables
from selector.gain import FittedGain

EVIDENCE = Evidence(0.6, 0.3, 0.5)


def _constant(value: float, width: float = 0.0) -> Table:
    return Table((0.0, 0.0, 0.0), 0.0, (0.0,), (value,), (width,))


def _tables(**changes: object) -> ContextTables:
    made = ContextTables(
        statistics=JointStatistics(200, 0.3, 0.1, 0.21, 0.09, 0.042),
        fast_error=_constant(0.4, 0.04),
        disagreement=_constant(0.5, 0.06),
        khat=0.8,
        khat_width=0.1,
        disagreeing=60,
        slow_error=Table((1.0, 0.0, 0.0), 0.0, (0.0, 1.0), (0.5, 0.0), (0.0, 0.0)),
        low=(0.1, 0.0, 0.0),
        high=(1.0, 1.0, 1.0),
    )
    return made._replace(**changes)


def _fitted(rule: str = 'calibrated', **contexts: ContextTables) -> FittedGain:
    return FittedGain({'slow': {ALL_CONTEXTS: _tables(), **contexts}}, rule)


def test_the_calibrated_gain_is_disagreement_times_khat() -> None:
    """Gain = dhat * khat with the width of a product (decision.md section 1)."""
    found = _fitted().gain('slow', EVIDENCE, '')
    assert found == pytest.approx((0.5 * 0.8, 0.06 * 0.8 + 0.5 * 0.1), rel=1e-12)


def test_a_slow_model_that_is_worse_has_a_negative_gain() -> None:
    """A negative khat turns disagreement into loss, with a width that stays positive."""
    found = _fitted(night=_tables(khat=-0.2)).gain('slow', EVIDENCE, 'night')
    assert found == pytest.approx((-0.1, 0.06 * 0.2 + 0.5 * 0.1), rel=1e-12)


def test_the_seed_rule_by_hand() -> None:
    """L_f - (m_s + slope * (L_f - m_f)) with slope = cov / var_f (arXiv 2108.01235)."""
    slope = 0.042 / 0.21
    expected = 0.4 - (0.1 + slope * (0.4 - 0.3))
    found = _fitted('seed').gain('slow', EVIDENCE, '')
    assert found == pytest.approx((expected, 0.04 * (1.0 - slope)), rel=1e-12)


def test_the_seed_rule_finds_the_gain_of_the_analytic_case() -> None:
    """With P(slow wrong | fast wrong) = a, | fast right) = b the gain at P = z is z(1-a) - (1-z)b.

    The pairs hold exactly these shares (decision.md section 1, analytic test case).
    """
    a, b = 0.4, 0.1
    correlation = AccuracyCorrelation()
    for fast, share in ((1.0, a), (0.0, b)):
        for k in range(50):
            correlation.update(fast, float(k < 50 * share))
    for z in (0.0, 0.2, 0.7, 1.0):
        tables = _tables(statistics=correlation.statistics, fast_error=_constant(z))
        gain = FittedGain({'slow': {ALL_CONTEXTS: tables}}, 'seed').gain('slow', EVIDENCE, '')
        assert gain.mean == pytest.approx(z * (1.0 - a) - (1.0 - z) * b, abs=1e-12)


@PATIENT
@given(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1), st.floats(0, 1))
def test_gains_and_widths_stay_in_range(
    loss: float, dhat: float, khat: float, width: float
) -> None:
    """Whatever was fitted, a gain is in [-1, 1] and a width is not negative."""
    tables = _tables(
        fast_error=_constant(loss, width), disagreement=_constant(dhat, width), khat=khat
    )
    for rule in ('calibrated', 'seed'):
        gain = FittedGain({'slow': {ALL_CONTEXTS: tables}}, rule).gain('slow', EVIDENCE, '')
        assert -1.0 <= gain.mean <= 1.0
        assert gain.width >= 0.0


@pytest.mark.parametrize('rule', ['calibrated', 'seed'])
def test_without_a_fast_answer_the_gain_is_what_slow_gets_right(rule: str) -> None:
    """No evidence: fast has loss 1, slow its mean loss, and nothing is out of support."""
    fitted = _fitted(rule)
    assert fitted.gain('slow', None, '').mean == pytest.approx(1.0 - 0.1)
    assert fitted.assess(None, '') == (1.0, 200, ALL_CONTEXTS, False)


def test_the_context_chooses_the_tables() -> None:
    """A fitted context is used by name; an unknown or empty one falls back to all contexts."""
    night = _tables(
        fast_error=_constant(0.9), statistics=JointStatistics(70, 0.9, 0.2, 0.1, 0.1, 0.0)
    )
    fitted = _fitted(night=night)
    assert fitted.assess(EVIDENCE, 'night') == (0.9, 70, 'night', False)
    for context in ('', 'fog', ALL_CONTEXTS):
        assert fitted.assess(EVIDENCE, context) == (0.4, 200, ALL_CONTEXTS, False)
        assert fitted.gain('slow', EVIDENCE, context) == fitted.gain('slow', EVIDENCE, '')
    assert fitted.gain('slow', None, 'night').mean == pytest.approx(0.8)


@pytest.mark.parametrize('place', range(3))
@pytest.mark.parametrize('side', [-1, 1])
def test_evidence_outside_the_fitted_range_is_flagged(place: int, side: int) -> None:
    """Each piece of evidence counts, on both sides; the range itself is inside."""
    tables = _tables(low=(0.2, 0.2, 0.2), high=(0.7, 0.7, 0.7))
    fitted = FittedGain({'slow': {ALL_CONTEXTS: tables}}, 'calibrated')
    edge = (0.2, 0.7)[side > 0]
    values = [0.5, 0.5, 0.5]
    values[place] = edge
    assert not fitted.assess(Evidence(*values), '').out_of_support
    values[place] = math.nextafter(edge, side * math.inf)
    assert fitted.assess(Evidence(*values), '').out_of_support


def test_the_loss_of_an_answer_comes_from_its_own_evidence() -> None:
    """A surer slow answer has a smaller loss, from the tables of its context."""
    fitted = _fitted(night=_tables(slow_error=_constant(0.7)))
    losses = [fitted.answer_loss('slow', Evidence(c, 0.0, 0.0), '') for c in (0.0, 0.5, 1.0)]
    assert losses == [0.5, 0.25, 0.0]
    assert fitted.answer_loss('slow', EVIDENCE, 'night') == 0.7


def test_the_order_of_the_tiers_changes_no_assessment() -> None:
    """Two tiers with different tables give the same assessment in either order."""
    one = {ALL_CONTEXTS: _tables(fast_error=_constant(0.2))}
    two = {ALL_CONTEXTS: _tables(fast_error=_constant(0.6))}
    forwards = FittedGain({'cloud': one, 'slow': two}, 'calibrated')
    backwards = FittedGain({'slow': two, 'cloud': one}, 'calibrated')
    assert forwards.assess(EVIDENCE, '') == backwards.assess(EVIDENCE, '')
    assert forwards.gain('slow', EVIDENCE, '') == backwards.gain('slow', EVIDENCE, '')
