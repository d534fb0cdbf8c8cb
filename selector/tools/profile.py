"""Profile: run both models on every frame of a bag."""

from __future__ import annotations

from collections.abc import Callable
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.bag import Bag
from selector.bag import BagFrame
from selector.bag import frames
from selector.build import build_model
from selector.build import FAST
from selector.build import Plan
from selector.build import SLOW
from selector.errors import BagError
from selector.errors import InputError
from selector.errors import PredictionError
from selector.prediction import Model
from selector.scene import CELLS
from selector.scene import Look
from selector.scene import look
from selector.table import ProfileTable
from selector.tasks.classification import Classification
from selector.workers.worker import run

_BLANK = np.zeros((CELLS, CELLS), np.float32)


class Profile(NamedTuple):
    """A profile table and the measured times, which are data of their own.

    Attributes:
        table: both models' answers.
        fast_wall_s, slow_wall_s: (N,) measured model times [s], NaN where a model did not run.
    """

    table: ProfileTable
    fast_wall_s: NDArray[np.float64]
    slow_wall_s: NDArray[np.float64]


class _Row(NamedTuple):
    seen: BagFrame
    look: Look | None
    fast: tuple[float, ...]
    slow: tuple[float, ...]
    fast_s: float
    slow_s: float


def profile_bag(
    bag: Bag, made: Plan, topic: str = '', progress: Callable[[int], None] = lambda _n: None
) -> Profile:
    """Return what both models of a plan say about every frame of a bag.

    Args:
        bag: the bag.
        made: which models.
        topic: image topic, may be empty where there is one.
        progress: called with the number of frames done.

    Raises:
        BagError: there is no image in the bag.
        ModelError: a model cannot be loaded.
        InputError: the models are no classifiers; a profile table holds class scores.
    """
    if made.task.name != Classification.name:
        raise InputError(
            f'{made.cards[FAST].name} and {made.cards[SLOW].name} are models of task '
            f'{made.task.name}, and a profile table holds class scores: play the bag into the '
            'node instead, ros2 launch model_selector replay.launch.py bag:=BAG params_file:=FILE'
        )
    fast, slow = build_model(made, FAST), build_model(made, SLOW)
    fast.warm_up(3)
    slow.warm_up(3)
    labels = made.cards[FAST].labels
    rows = []
    for seen in frames(bag, topic):
        rows.append(_row(seen, fast, slow, len(labels)))
        progress(len(rows))
    if not rows:
        raise BagError(f'{bag.path} holds no readable image')
    numbers = {name: k for k, name in enumerate(labels)}
    table = ProfileTable(
        stamp_ns=np.array([r.seen.frame.stamp_ns for r in rows], np.int64),
        context=tuple(r.seen.context for r in rows),
        track=np.array([r.seen.track for r in rows], np.int64),
        label=np.array([numbers.get(r.seen.label, -1) for r in rows], np.int64),
        fast_scores=np.array([r.fast for r in rows]),
        slow_scores=np.array([r.slow for r in rows]),
        digest=tuple(r.seen.frame.digest for r in rows),
        fault=tuple(r.seen.frame.fault for r in rows),
        sharpness=np.array([r.look.sharpness if r.look else math.nan for r in rows]),
        exposure=np.array([r.look.exposure if r.look else math.nan for r in rows]),
        thumbnail=np.array([r.look.thumbnail if r.look else _BLANK for r in rows], np.float32),
    )
    return Profile(table, np.array([r.fast_s for r in rows]), np.array([r.slow_s for r in rows]))


def _row(seen: BagFrame, fast: Model, slow: Model, classes: int) -> _Row:
    bare = seen._replace(frame=seen.frame._replace(image=None))
    image = seen.frame.image
    answers = [_scores(model, image, classes) for model in (fast, slow)]
    seen_look = None if image is None else look(image)
    return _Row(bare, seen_look, answers[0][0], answers[1][0], answers[0][1], answers[1][1])


def _scores(
    model: Model, image: NDArray[np.uint8] | None, classes: int
) -> tuple[tuple[float, ...], float]:
    nothing = (float('nan'),) * classes
    if image is None:
        return nothing, float('nan')
    try:
        answer = run(model, image)
    except PredictionError:
        return nothing, float('nan')
    return answer.scores, answer.wall_s
