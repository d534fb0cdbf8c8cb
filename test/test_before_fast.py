"""Before fast: what the scene alone tells, where no model has run on the frame."""

from selector.before_fast import BeforeFast
from selector.evidence import Scene
from selector.fitted_gain import NoFit
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.learned_gain import LearnedGain


def test_before_fast_learns_by_scene() -> None:
    """Where blurred frames are the ones on which slow differs, it is preferred on those alone."""
    learned = BeforeFast()
    for k in range(400):
        sharp = k % 2
        scene = Scene(0.1 + 0.8 * sharp, 0.5, 1.0, 60.0, 0.0)
        view = View(None, scene, pending=True)
        learned.observe(Observation('slow', view, float(not sharp), None), 0.5)
        learned.label(Truth(view, float(not sharp)), 0.5)
    seen = (View(None, Scene(s, 0.5, 1.0, 60.0, 0.0), pending=True) for s in (0.1, 0.9))
    blurred, clear = (learned.forecast(view, ('slow',), 0.5, 0.0) for view in seen)
    assert blurred[0] > 0.9 > 0.1 > clear[0]
    assert blurred[1][0].mean > 0.9 > 0.1 > clear[1][0].mean


def test_a_pending_frame_is_predicted_by_what_was_learned() -> None:
    """LearnedGain hands pending frames to it, and learns for it from every answer of both."""
    learned = LearnedGain(NoFit(), before_fast=True)
    view = View(None, Scene(0.5, 0.5, 1.0, 60.0, 0.0), pending=True)
    before = learned.forecast(view, ('slow',)).fast_loss
    for _ in range(200):
        learned.observe(Observation('slow', view, 0.0, None))
    assert learned.forecast(view, ('slow',)).fast_loss < 0.1 < before
