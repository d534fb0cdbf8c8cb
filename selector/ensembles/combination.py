"""Combination: the answers of several models to one frame as one answer, by kind of task."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import math

from selector.ensembles.box_fusion import fuse
from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.prediction import Prediction
from selector.tasks import detection
from selector.tasks import regression

IOU_MIN = 0.55  # the default of weighted boxes fusion
Combine = Callable[[str, Sequence[Prediction]], Prediction]
"""From a name and one answer a model, at least one, to the answer of that name."""


def mean_probabilities(name: str, answers: Sequence[Prediction]) -> Prediction:
    """Return the mean of the class probabilities: what the models dispute is doubtful in it."""
    columns = zip(*(answer.scores for answer in answers), strict=True)
    scores = tuple(math.fsum(column) / len(answers) for column in columns)
    return Prediction(name, scores, scores.index(max(scores)), 0.0)


def fused_boxes(name: str, answers: Sequence[Prediction], threshold: float) -> Prediction:
    """Return the fused boxes (`box_fusion`); those scored below `threshold` become doubtful.

    A doubtful score of one model has no box to fuse and counts by its share of the models, so
    that the number expected missed is their mean.
    """
    fused = fuse(answers, IOU_MIN)
    kept = [box for box in fused if box.score >= threshold]
    left = [box.score for box in fused[len(kept) :] if box.score > 0.0]
    shares = [s / len(answers) for answer in answers for s in detection.boxes(answer).doubtful]
    found = detection.Boxes(
        xyxy=tuple(box.xyxy for box in kept),
        class_ids=tuple(box.class_id for box in kept),
        threshold=threshold,
        doubtful=tuple(s for s in (*left, *shares) if 0.0 < s < threshold),
    )
    return detection.prediction(name, found, tuple(box.score for box in kept))


def mean_values(name: str, answers: Sequence[Prediction]) -> Prediction:
    """Return the mean numbers; their spread is that of the mixture of the models.

    Its variance is the variance between the models plus the mean of their own, 0 where a model
    states none. One model alone keeps its own.
    """
    if len(answers) == 1:
        return answers[0]._replace(model=name, wall_s=0.0)
    given = [regression.content(answer) for answer in answers]
    values, spreads = [], []
    for place, column in enumerate(zip(*(one.values for one in given), strict=True)):
        mean = math.fsum(column) / len(column)
        own = [one.spreads[place] ** 2 if one.spreads else 0.0 for one in given]
        between = [(value - mean) ** 2 for value in column]
        values.append(mean)
        spreads.append(math.sqrt(math.fsum((*between, *own)) / len(column)))
    return regression.prediction(name, regression.Values(tuple(values), tuple(spreads)))


_TASKS = ('classification', 'detection', 'regression')


def combination(task: str, threshold: float) -> Combine:
    """Return how answers of a task are combined.

    Args:
        task: its name.
        threshold: score from which a fused box counts, in (0, 1).

    Raises:
        ConfigError: there is no way for it.
    """
    if task not in _TASKS:
        raise ConfigError(
            f'answers of the task {task!r} cannot be combined; an ensemble does one of '
            f'{", ".join(_TASKS)}{did_you_mean(task, _TASKS)}'
        )
    if task == 'detection':
        return lambda name, answers: fused_boxes(name, answers, threshold)
    return mean_probabilities if task == 'classification' else mean_values
