"""Overlay: a person sees on the picture what the model said."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
import pytest
from selector.newcomer.sample_picture import sample_picture
from selector.overlay import boxes_text
from selector.overlay import overlay
from selector.prediction import Prediction
from selector.tasks import detection
from selector.tasks import regression
from selector.tasks.detection import Boxes

GREY = np.full((480, 640, 3), 100, np.uint8)
LABELS = ('ball', 'robot')


def drawn(image: NDArray[np.uint8], answer: Prediction) -> NDArray[np.uint8]:
    """Return the pixels of the overlay."""
    data = overlay(image, answer, LABELS)
    assert data.startswith(b'\x89PNG')
    return np.asarray(Image.open(io.BytesIO(data)).convert('RGB'))


def found(*boxes: detection.Box, doubtful: tuple[float, ...] = ()) -> Prediction:
    """Return boxes of class 0 and descending scores."""
    scores = tuple(0.9 - 0.01 * k for k in range(len(boxes)))
    return detection.prediction('m', Boxes(boxes, (0,) * len(boxes), 0.5, doubtful), scores)


def test_a_box_stands_where_it_was_found() -> None:
    """Its edges are drawn, its inside and what lies far from it are left as they were."""
    picture = drawn(GREY, found((100.0, 200.0, 300.0, 260.0)))
    changed = (picture[:480] != 100).any(axis=2)
    assert changed[200, 100:300].all()
    assert changed[200:260, 100].all()
    assert not changed[210:250, 110:290].any()
    assert not changed[:, 310:].any()
    assert not changed[270:].any()


def test_small_pictures_are_enlarged_with_their_boxes() -> None:
    """A 32x32 picture is shown fifteen times as large, so that text can be read on it."""
    picture = drawn(GREY[:32, :32], found((8.0, 16.0, 24.0, 28.0)))
    assert picture.shape[1] == 480
    changed = (picture[:480] != 100).any(axis=2)
    assert changed[16 * 15, 8 * 15 : 24 * 15].all()
    assert not changed[18 * 15 : 26 * 15, 10 * 15 : 22 * 15].any()


def test_large_pictures_are_made_smaller() -> None:
    """No picture is wider than 1600 pixels."""
    assert drawn(np.zeros((3000, 4000, 3), np.uint8), found()).shape[1] == 1600


def test_the_strip_tells_the_answer() -> None:
    """Below the picture: boxes, five classes with bars of their probability, or numbers."""
    scores = (0.6, 0.25, 0.1, 0.03, 0.01, 0.01)
    bars = drawn(GREY, Prediction('m', scores, 0, 0.0))[480:]
    blue = (bars == (59, 110, 165)).all(axis=2).sum(axis=1)
    assert blue.max() == pytest.approx(0.6 * 640, abs=2)
    numbers = drawn(GREY, regression.prediction('m', regression.Values((1.5, 2.0))))
    assert drawn(GREY, found()).shape[0] < numbers.shape[0] < 480 + bars.shape[0]
    assert (drawn(GREY, found())[:480] == 100).all()


def test_boxes_are_counted_in_words() -> None:
    """None, one and many; what is doubtful is told apart."""
    for count, text in ((0, '0 boxes'), (1, '1 box of'), (2, '2 boxes')):
        answer = found(*[(0.0, 0.0, 9.0, 9.0)] * count)
        assert isinstance(answer.content, Boxes)
        assert boxes_text(answer, answer.content).startswith(text)
    answer = found(doubtful=(0.3, 0.2))
    assert isinstance(answer.content, Boxes)
    assert boxes_text(answer, answer.content).endswith('2 doubtful below')


@pytest.mark.parametrize('label', ['', 'ä' * 500, '人', '\x1b[31m', 'é\n'])
def test_any_label_can_be_drawn(label: str) -> None:
    """Scripts that the font lacks, texts without end and control characters do no harm."""
    data = overlay(GREY, found((600.0, 0.0, 640.0, 5.0)), (label,))
    assert data.startswith(b'\x89PNG')


@pytest.mark.parametrize('shape', [(1, 1), (1, 5000), (5000, 1), (480, 640)])
def test_any_shape_can_be_drawn(shape: tuple[int, int]) -> None:
    """Even one line of pixels, with more boxes than can be told apart."""
    image = np.zeros((*shape, 3), np.uint8)
    box = (0.0, 0.0, float(shape[1]), float(shape[0]))
    assert overlay(image, found(*[box] * 150), LABELS).startswith(b'\x89PNG')


def test_the_sample_picture_is_the_same_each_time() -> None:
    """What a model says of it can be compared between machines."""
    picture = sample_picture()
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8
    assert (picture == sample_picture()).all()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
