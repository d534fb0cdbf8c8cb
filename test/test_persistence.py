"""Persistence: how stale a carried answer is, before anything was compared and afterwards."""

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import EVIDENCE
from scripted import PATIENT
from selector.evidence import AGE_MAX_S
from selector.evidence import Scene
from selector.evidence import UNSEEN
from selector.gain import View
from selector.persistence import Persistence
from selector.persistence import stale_prior

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCENES = st.builds(Scene, FINITE, FINITE, FINITE, FINITE, FINITE)
UNIT = st.floats(0.0, 1.0)


def _view(change: float, age_s: float, carried: str = 'slow') -> View:
    return View(EVIDENCE, Scene(0.5, 0.5, change, age_s, 0.5), '', carried)


def test_an_answer_is_as_stale_as_the_images_are_unlike_and_old() -> None:
    """Likeness 0.9 at a tenth of the longest age: 1 - 0.9 x 0.9; nothing carried is stale."""
    assert stale_prior(_view(0.1, 0.1 * AGE_MAX_S)) == pytest.approx(1.0 - 0.9 * 0.9)
    assert stale_prior(_view(0.0, 0.0)) == 0.0
    assert stale_prior(_view(0.1, 0.1 * AGE_MAX_S, '')) == 1.0
    assert stale_prior(View(EVIDENCE, UNSEEN, '', 'slow')) == 1.0


@PATIENT
@given(UNIT, UNIT, st.floats(0.0, AGE_MAX_S), st.floats(0.0, AGE_MAX_S))
def test_more_change_or_age_is_never_fresher(
    one: float, two: float, young_s: float, old_s: float
) -> None:
    """The prior grows with scene change and with age."""
    (low, high), (soon_s, late_s) = sorted((one, two)), sorted((young_s, old_s))
    assert stale_prior(_view(low, soon_s)) <= stale_prior(_view(high, soon_s))
    assert stale_prior(_view(low, soon_s)) <= stale_prior(_view(low, late_s))


@PATIENT
@given(st.lists(st.tuples(SCENES, UNIT), max_size=20), SCENES)
def test_staleness_of_any_finite_scene_is_a_probability(
    seen: list[tuple[Scene, float]], scene: Scene
) -> None:
    """Before and after learning, for numbers far outside their range too."""
    made = Persistence()
    assert 0.0 <= stale_prior(View(EVIDENCE, scene, '', 'slow')) <= 1.0
    for shown, stale in seen:
        made.observe(View(EVIDENCE, shown, '', 'slow'), stale)
    assert 0.0 <= made.stale(View(EVIDENCE, scene, '', 'slow')) <= 1.0
    assert made.stale(View(EVIDENCE, scene, '', '')) == 1.0


def test_it_starts_cautious_and_learns_what_persists() -> None:
    """Unknown ground counts as staler than the prior; then the observed share, near there."""
    made = Persistence()
    view = _view(0.3, 1.0)
    assert made.stale(view) > stale_prior(view)
    for k in range(2_000):
        made.observe(view, float(k % 10 == 0))
    assert made.stale(view) == pytest.approx(0.1, abs=0.05)
    assert made.stale(_view(0.9, 30.0)) > 0.3


def test_answers_of_two_tiers_persist_apart() -> None:
    """What goes stale of the cloud's answers says nothing about those of slow."""
    made = Persistence()
    before = made.stale(_view(0.1, 1.0))
    for _ in range(200):
        made.observe(_view(0.1, 1.0, 'cloud'), 1.0)
        made.observe(_view(0.1, 1.0, ''), 1.0)
    assert made.stale(_view(0.1, 1.0)) == before
    assert made.stale(_view(0.1, 1.0, 'cloud')) > 0.9
