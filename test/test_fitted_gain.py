"""Fitted gain: disagreement x khat or the seed rule, from the tables of tier and context."""

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import PATIENT
from selector.calibration import Table
from selector.correlation import AccuracyCorrelation
from selector.correlation import JointStatistics
from selector.evidence import AGE_MAX_S
from selector.evidence import Evidence
from selector.evidence import UNSEEN
from selector.fitted_gain import ALL_CONTEXTS
from selector.fitted_gain import carried_gain
from selector.fitted_gain import ContextTables
from selector.fitted_gain import FittedGain
from selector.fitted_gain import LABEL
from selector.fitted_gain import NoFit
from selector.fitted_gain import SLOWEST_ASSUMED
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View

EVIDENCE = Evidence(0.6, 0.3, 0.5)
VIEW = View(EVIDENCE)
UNIT = st.floats(0.0, 1.0)


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


def _forecast(fitted: FittedGain, context: str = '', **changes: object) -> Forecast:
    return fitted.forecast(VIEW._replace(context=context, **changes), ('slow',))


def _gain(fitted: FittedGain, context: str = '', **changes: object) -> Gain:
    return _forecast(fitted, context, **changes).gains[0]


def test_the_calibrated_gain_is_disagreement_times_khat() -> None:
    """Gain = dhat * khat with the width of a product (decision.md section 1)."""
    found = _gain(_fitted())
    assert found == pytest.approx((0.5 * 0.8, 0.06 * 0.8 + 0.5 * 0.1, 0.5, 0.8), rel=1e-12)


def test_a_slow_model_that_is_worse_has_a_negative_gain() -> None:
    """A negative khat turns disagreement into loss, with a width that stays positive."""
    found = _gain(_fitted(night=_tables(khat=-0.2)), 'night')
    assert found == pytest.approx((-0.1, 0.06 * 0.2 + 0.5 * 0.1, 0.5, -0.2), rel=1e-12)


def test_the_seed_rule_by_hand() -> None:
    """L_f - (m_s + slope * (L_f - m_f)) with slope = cov / var_f (arXiv 2108.01235)."""
    slope = 0.042 / 0.21
    expected = 0.4 - (0.1 + slope * (0.4 - 0.3))
    found = _gain(_fitted('seed'))
    assert found == pytest.approx((expected, 0.04 * (1.0 - slope), 0.5, 0.8), rel=1e-12)


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
        gain = _gain(FittedGain({'slow': {ALL_CONTEXTS: tables}}, 'seed'))
        assert gain.mean == pytest.approx(z * (1.0 - a) - (1.0 - z) * b, abs=1e-12)


@PATIENT
@given(UNIT, UNIT, st.floats(-1, 1), UNIT)
def test_gains_and_widths_stay_in_range(
    loss: float, dhat: float, khat: float, width: float
) -> None:
    """Whatever was fitted, a gain is in [-1, 1] and a width is not negative."""
    tables = _tables(
        fast_error=_constant(loss, width), disagreement=_constant(dhat, width), khat=khat
    )
    for rule in ('calibrated', 'seed'):
        gain = _gain(FittedGain({'slow': {ALL_CONTEXTS: tables}}, rule))
        assert -1.0 <= gain.mean <= 1.0
        assert gain.width >= 0.0


@pytest.mark.parametrize('rule', ['calibrated', 'seed'])
def test_without_a_fast_answer_the_gain_is_what_slow_gets_right(rule: str) -> None:
    """No evidence: fast has loss 1, slow its mean loss, and nothing is out of support."""
    found = _forecast(_fitted(rule), evidence=None)
    assert found.gains[0] == pytest.approx((1.0 - 0.1, 0.0, 1.0, 1.0))
    assert found.fast_loss == 1.0
    assert (found.support, found.tables, found.out_of_support) == (200, ALL_CONTEXTS, False)


def test_the_context_chooses_the_tables() -> None:
    """A fitted context is used by name; an unknown or empty one falls back to all contexts."""
    night = _tables(
        fast_error=_constant(0.9), statistics=JointStatistics(70, 0.9, 0.2, 0.1, 0.1, 0.0)
    )
    fitted = _fitted(night=night)
    found = _forecast(fitted, 'night')
    assert (found.fast_loss, found.support, found.tables) == (0.9, 70, 'night')
    for context in ('', 'fog', ALL_CONTEXTS):
        found = _forecast(fitted, context)
        assert (found.fast_loss, found.support, found.tables) == (0.4, 200, ALL_CONTEXTS)
        assert found == _forecast(fitted)
    assert _gain(fitted, 'night', evidence=None).mean == pytest.approx(0.8)


@pytest.mark.parametrize('place', range(3))
@pytest.mark.parametrize('side', [-1, 1])
def test_evidence_outside_the_fitted_range_is_flagged(place: int, side: int) -> None:
    """Each piece of evidence counts, on both sides; the range itself is inside."""
    tables = _tables(low=(0.2, 0.2, 0.2), high=(0.7, 0.7, 0.7))
    fitted = FittedGain({'slow': {ALL_CONTEXTS: tables}}, 'calibrated')
    edge = (0.2, 0.7)[side > 0]
    values = [0.5, 0.5, 0.5]
    values[place] = edge
    assert not _forecast(fitted, evidence=Evidence(*values)).out_of_support
    values[place] = math.nextafter(edge, side * math.inf)
    assert _forecast(fitted, evidence=Evidence(*values)).out_of_support


def test_the_losses_of_two_answers_come_from_their_own_evidence() -> None:
    """A surer slow answer has a smaller loss, from the tables of its context; fast keeps its."""
    fitted = _fitted(night=_tables(slow_error=_constant(0.7), fast_error=_constant(0.9)))
    losses = [fitted.losses('slow', VIEW, Evidence(c, 0.0, 0.0)) for c in (0.0, 0.5, 1.0)]
    assert losses == [(0.4, 0.5), (0.4, 0.25), (0.4, 0.0)]
    assert fitted.losses('slow', VIEW._replace(context='night'), EVIDENCE) == (0.9, 0.7)
    assert fitted.losses('slow', VIEW._replace(evidence=None), EVIDENCE)[0] == 1.0


def test_the_order_of_the_tiers_changes_no_gain() -> None:
    """Two tiers with different tables have the same gains in whatever order they stand."""
    one = {ALL_CONTEXTS: _tables(disagreement=_constant(0.2))}
    two = {ALL_CONTEXTS: _tables(disagreement=_constant(0.6))}
    forwards = FittedGain({'cloud': one, 'slow': two}, 'calibrated')
    backwards = FittedGain({'slow': two, 'cloud': one}, 'calibrated')
    assert forwards.forecast(VIEW, ('cloud', 'slow')) == backwards.forecast(
        VIEW, ('cloud', 'slow')
    )
    asked = forwards.forecast(VIEW, ('slow', 'cloud')).gains
    assert asked == forwards.forecast(VIEW, ('cloud', 'slow')).gains[::-1]
    assert [gain.disagreement for gain in asked] == [0.6, 0.2]


def test_what_was_fitted_stays() -> None:
    """Answers and labels teach it nothing: the forecast is the same to the bit."""
    fitted = _fitted()
    before = _forecast(fitted)
    for _ in range(50):
        fitted.observe(Observation('slow', VIEW, 1.0, 1.0))
        fitted.label(Truth(VIEW, 1.0, 'slow', 0.0, 1.0))
    assert _forecast(fitted) == before
    assert before.reference == LABEL


# --- reuse ---------------------------------------------------------------------------------------


def test_the_gain_of_a_carried_answer_by_hand() -> None:
    """Fast loses 0.5, a fresh slow one 0.1; still right with 0.8: loss 1 - 0.8 x 0.9 = 0.28."""
    gains = (Gain(0.1, 0.0), Gain(0.4, 0.0))
    assert carried_gain(0.5, gains, 0.2) == pytest.approx(0.22)
    assert carried_gain(0.5, gains, 0.0) == pytest.approx(0.4)
    assert carried_gain(0.5, gains, 1.0) == pytest.approx(-0.5)
    assert carried_gain(0.5, (), 0.0) == pytest.approx(0.0)


@PATIENT
@given(UNIT, st.lists(st.floats(-1.0, 1.0), max_size=3), UNIT, UNIT)
def test_a_carried_answer_gains_no_more_than_a_fresh_one(
    loss: float, means: list[float], one: float, two: float
) -> None:
    """In [-1, 1], at most the best fresh gain and the whole loss, and less the staler it is."""
    gains = tuple(Gain(mean, 0.0) for mean in means)
    fresher, staler = (carried_gain(loss, gains, stale) for stale in sorted((one, two)))
    assert -1.0 <= staler <= fresher + 1e-12
    assert fresher <= min(loss, max(0.0, max(means, default=0.0))) + 1e-12


def test_reuse_by_hand() -> None:
    """Likeness 0.9 at a tenth of the longest age: stale 1 - 0.81; without any, nothing gains."""
    scene = UNSEEN._replace(scene_change=0.1, slow_age_s=0.1 * AGE_MAX_S)
    found = _forecast(_fitted(), scene=scene, carried='slow')
    assert found.stale == pytest.approx(0.19)
    assert found.reuse_gain == pytest.approx(0.4 - (1.0 - 0.81 * 1.0))
    assert (_forecast(_fitted()).stale, _forecast(_fitted()).reuse_gain) == (1.0, -1.0)


# --- without any fit -----------------------------------------------------------------------------


@PATIENT
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_without_a_fit_fast_is_as_often_wrong_as_it_says(confidence: float) -> None:
    """1 - confidence, within [0, 1] for any number; slow is taken for right, and that is told."""
    found = NoFit().start('slow', View(Evidence(confidence, 0.0, 0.0)))
    assert found.fast_loss == found.disagreement == min(1.0, max(0.0, 1.0 - confidence))
    assert (found.khat, found.support, found.reference) == (1.0, 0, SLOWEST_ASSUMED)
    assert NoFit().losses('slow', VIEW, EVIDENCE) is None
    assert NoFit().blind('slow', '') == 1.0
