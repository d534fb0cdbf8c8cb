"""Carried: the newest trusted answer of a camera, never from the future and never too old."""

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import PATIENT
from scripted import SECOND_NS
from selector.carried import Carried
from selector.carried import CarriedAnswers
from selector.errors import ConfigError

STAMP = st.integers(0, 20)
STEP = st.tuples(
    st.sampled_from(['put', 'put', 'put', 'rewind']), st.sampled_from(['left', 'right']), STAMP
)


def _answer(sequence: int, stamp: int) -> Carried:
    return Carried(sequence, stamp * SECOND_NS, 'slow', 3)


def _newest(kept: list[Carried]) -> Carried | None:
    return max(kept, key=lambda answer: (answer.stamp_ns, answer.sequence), default=None)


@PATIENT
@given(st.lists(STEP, max_size=40), st.integers(0, 10), st.integers(-5, 30))
def test_it_is_the_newest_of_the_camera_within_its_age(
    steps: list[tuple[str, str, int]], max_age_s: int, now: int
) -> None:
    """Against a plain list: by stamp, whatever the order they came in, each camera apart.

    After a rewind a camera whose newest answer was later carries nothing on.
    """
    made = CarriedAnswers(max_age_s)
    kept: dict[str, list[Carried]] = {'left': [], 'right': []}
    for sequence, (what, camera, stamp) in enumerate(steps):
        if what == 'put':
            made.put(camera, _answer(sequence, stamp))
            kept[camera].append(_answer(sequence, stamp))
            continue
        made.rewind(stamp * SECOND_NS)
        for name, answers in kept.items():
            newest = _newest(answers)
            later = newest is not None and newest.stamp_ns > stamp * SECOND_NS
            kept[name] = [] if later else answers
    for camera, answers in kept.items():
        expected = _newest(answers)
        if expected and not 0 < now * SECOND_NS - expected.stamp_ns <= max_age_s * SECOND_NS:
            expected = None
        assert made.at(camera, now * SECOND_NS) == expected


def test_the_oldest_age_is_allowed_and_one_nanosecond_more_is_not() -> None:
    """Exactly at the limit an answer is carried on; its own frame is not its future."""
    made = CarriedAnswers(0.5)
    made.put('front', _answer(0, 10))
    half = SECOND_NS // 2
    assert made.at('front', 10 * SECOND_NS) is None
    assert made.at('front', 10 * SECOND_NS + 1) == _answer(0, 10)
    assert made.at('front', 10 * SECOND_NS + half) == _answer(0, 10)
    assert made.at('front', 10 * SECOND_NS + half + 1) is None
    assert made.at('front', 10 * SECOND_NS - 1) is None
    assert made.at('rear', 10 * SECOND_NS + 1) is None


def test_without_an_age_nothing_is_carried() -> None:
    """Age 0 turns carrying off."""
    made = CarriedAnswers(0.0)
    made.put('front', _answer(0, 10))
    assert made.at('front', 10 * SECOND_NS + 1) is None


@pytest.mark.parametrize('age_s', [-1e-9, math.nan, math.inf])
def test_an_age_that_is_none_is_refused(age_s: float) -> None:
    """Negative, NaN and infinite ages stop the start."""
    with pytest.raises(ConfigError, match='reuse_max_age_s'):
        CarriedAnswers(age_s)
