"""Album: what a frame is compared with, and what is kept of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from selector.album import Album
from selector.album import look_at
from selector.album import NOTHING_KEPT
from selector.album import Page
from selector.carried import Carried
from selector.evidence import AGE_MAX_S
from selector.evidence import UNSEEN
from selector.frame import Frame
from selector.prediction import Prediction
from selector.scene import change
from selector.scene import look
from selector.tasks.classification import Classification

SECOND_NS = 1_000_000_000
FAST = Prediction('f', (0.7, 0.2, 0.1), 0, 0.0)
OTHER = Prediction('f', (0.1, 0.2, 0.7), 2, 0.0)
SLOW = Prediction('s', (0.0, 0.1, 0.9), 2, 0.0)


def picture(seed: int) -> Any:
    """Return a picture of its own, of coarse blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))


def page(k: int, fast: Prediction | None = FAST, seed: int | None = 1, **changes: Any) -> Page:
    """Return frame `k`, one a second, as it is kept; without a seed it has no picture."""
    frame = Frame(k, k * SECOND_NS, '', changes.pop('camera', ''), None, '')
    seen = None if seed is None else look(picture(seed))
    return Page(frame, seen, changes.pop('track', -1), fast)._replace(**changes)


def carrying(source: Page, tier: str = 'slow') -> tuple[Album, Carried]:
    """Return an album that carries the answer about a frame on."""
    album = Album('fast', 3, Classification())
    album.put(source)
    album.answered(source._replace(slow=SLOW, slow_loss=0.05), 'slow', carried=True)
    return album, Carried(source.frame.sequence, source.frame.stamp_ns, tier, 2)


def test_a_first_frame_has_only_its_own_look() -> None:
    """Nothing carried: sharpness and exposure of the image, the rest as unseen."""
    now = page(0)
    scene = Album('fast', 3, Classification()).scene(now, None)
    assert now.look is not None
    assert scene == UNSEEN._replace(sharpness=now.look.sharpness, exposure=now.look.exposure)
    assert Album('fast', 3, Classification()).kept(now, None) == NOTHING_KEPT


def test_a_frame_without_a_picture_is_unseen() -> None:
    """No pixels, no look, and a scene in which nothing is known."""
    assert look_at(Frame(0, 0, '', '', None, '')) is None
    assert Album('fast', 3, Classification()).scene(page(0, seed=None), None) == UNSEEN


def test_a_later_frame_is_compared_with_the_carried_one() -> None:
    """Change by the two pictures, age by the two stamps, agreement by the fast scores."""
    before, now = page(0), page(2, OTHER, seed=9)
    album, carried = carrying(before)
    scene = album.scene(now, carried)
    assert before.look is not None
    assert now.look is not None
    assert scene.scene_change == change(now.look, before.look) > 0.5
    assert scene.slow_age_s == 2.0
    assert scene.track_agreement == pytest.approx(0.1 + 0.2 + 0.1)
    assert album.scene(page(1), carried).scene_change == pytest.approx(0.0, abs=0.01)
    assert album.scene(page(1), carried).track_agreement == pytest.approx(1.0)


@pytest.mark.parametrize(('then', 'now', 'agreement'), [(4, 4, 1.0), (4, 5, 0.0)])
def test_a_tracker_says_whether_it_is_the_same_thing(
    then: int, now: int, agreement: float
) -> None:
    """Where both frames have a track id, it decides, whatever the scores say."""
    album, carried = carrying(page(0, FAST, track=then))
    assert album.scene(page(1, FAST, track=now), carried).track_agreement == agreement


def test_what_is_not_known_is_not_made_up() -> None:
    """Without a picture or a fast answer the change is 1 and the agreement 0; an age is capped."""
    album, carried = carrying(page(0, None, seed=None))
    scene = album.scene(page(100), carried)
    assert (scene.scene_change, scene.track_agreement) == (1.0, 0.0)
    assert scene.slow_age_s == AGE_MAX_S


@pytest.mark.parametrize(('tier', 'answer', 'loss'), [('slow', SLOW, 0.05), ('fast', FAST, 0.4)])
def test_the_better_of_two_answers_is_carried(tier: str, answer: Prediction, loss: float) -> None:
    """The controller says whose answer it carries: that one is kept, with its loss and age."""
    album, carried = carrying(page(0)._replace(fast_loss=0.4), tier)
    kept = album.kept(page(3), carried)
    assert (kept.prediction, kept.loss, kept.age_s) == (answer, loss, 3.0)


def test_each_camera_has_its_own_carried_frame() -> None:
    """What one camera saw is not compared with what another one sees."""
    album, carried = carrying(page(0, camera='left'))
    assert album.kept(page(1, camera='left'), carried).prediction == SLOW
    assert album.kept(page(1, camera='right'), carried) == NOTHING_KEPT


def test_an_answer_that_is_not_carried_is_not_kept() -> None:
    """A late answer about an older frame does not take the place of a newer one."""
    album, carried = carrying(page(5))
    album.answered(page(1)._replace(slow=OTHER), 'slow', carried=False)
    assert album.kept(page(6), carried).prediction == SLOW


def test_only_the_last_frames_are_kept_for_labels() -> None:
    """Of more frames than asked for the oldest are forgotten; no scores are kept of any."""
    album = Album('fast', 3, Classification())
    for k in range(5):
        album.put(page(k))
    assert album.named(1) is None
    named = album.named(4)
    assert named is not None
    assert named.fast is not None
    assert (named.fast.class_id, named.fast.scores) == (0, ())
    assert album.at(3 * SECOND_NS) == 3
    assert album.at(0) is None
    album.answered(page(0)._replace(slow=SLOW), 'slow', carried=False)
    assert album.named(0) is None
