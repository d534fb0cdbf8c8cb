"""A real detector at two sizes, on rendered scenes, through the whole controller."""

from __future__ import annotations

import os

import numpy as np
import pytest
from selector.errors import MissingError
from selector.policies.random_share import RandomShare
from selector.tasks.detection import Boxes
from selector.tasks.detection import iou

from benchmarks import detection
from benchmarks.bench import street_pair
from benchmarks.bench.contenders import Contender
from benchmarks.bench.contenders import ours
from benchmarks.bench.simulate import SEEN
from benchmarks.bench.street import HEIGHT
from benchmarks.bench.street import scene
from benchmarks.bench.street import WIDTH
from benchmarks.bench.street_pair import Seen

FIRST, COUNT = 5000, 24


@pytest.fixture(scope='module')
def scenes() -> list[Seen]:
    """What both sizes say about a few scenes."""
    try:
        street_pair.network()
    except MissingError as err:
        if 'SELECTOR_REQUIRE_ROS' in os.environ:
            raise
        pytest.skip(str(err))
    return street_pair.seen(FIRST, COUNT)


def test_a_scene_is_a_function_of_its_number() -> None:
    """The same bytes and boxes each time, inside the frame; another number, another scene."""
    one, again, other = scene(3), scene(3), scene(4)
    assert (one.image == again.image).all()
    assert one.xyxy == again.xyxy
    assert (one.image != other.image).any()
    for left, top, right, bottom in one.xyxy:
        assert 0 <= left < right <= WIDTH
        assert 0 <= top < bottom <= HEIGHT


def test_boxes_are_in_pixels_of_the_original_frame(scenes: list[Seen]) -> None:
    """At 960 pixels nearly every line of text is found where it was painted, near or far."""
    found = total = 0
    for seen in scenes:
        assert isinstance(seen.slow.content, Boxes)
        assert isinstance(seen.truth.content, Boxes)
        right = np.asarray(seen.truth.content.xyxy).reshape(-1, 4)
        said = np.asarray(seen.slow.content.xyxy).reshape(-1, 4)
        total += len(right)
        if len(right) and len(said):
            found += int((iou(right, said).max(axis=1) > 0.5).sum())
    assert total >= COUNT
    assert found >= 0.9 * total


def test_the_large_size_loses_less_and_takes_longer(scenes: list[Seen]) -> None:
    """The pair is one: slow's loss is well below fast's, for several times the time."""
    fast, slow = detection.ends(scenes)
    assert slow < 0.6 * fast
    times = [np.median([getattr(s, tier).wall_s for s in scenes]) for tier in ('fast', 'slow')]
    assert times[1] > 3.0 * times[0]


def test_the_controller_beats_chance(scenes: list[Seen]) -> None:
    """From a cold start a call gains more than one at random; every frame is answered."""
    fast = detection.ends(scenes)[0]
    gains = []
    for contender in (ours(SEEN), Contender('random', RandomShare)):
        point = detection.run(scenes, contender, 0.3, 1500, 0)
        assert point.unanswered == 0
        assert point.sound
        gains.append((fast - point.loss) / point.spend)
    assert gains[0] > 1.1 * gains[1]
