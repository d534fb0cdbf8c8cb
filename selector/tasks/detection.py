"""Detection: boxes with classes and scores; loss by optimal sub-pattern assignment (OSPA).

The distance of two sets of boxes is OSPA (Schuhmacher, Vo and Vo, 2008) of order 1 and cut-off 1
with the base distance 1 - IoU between boxes of one class and 1 between classes, each box counting
as much as its class weighs. As boxes of two classes have nothing in common, that is

    1 - sum_c w_c A_c / max(W, W'),   W = sum of w over the boxes of a set,

A_c being the largest total IoU of a one-to-one pairing of the boxes of class c. It is a metric, as
1 - IoU is one: the triangle inequality survives the division by the larger weight
(docs/models.md).
"""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.assignment import best_total
from selector.errors import PredictionError
from selector.evidence import Evidence
from selector.prediction import Prediction
from selector.task import NO_WEIGHTS
from selector.task import TaskSpec

Box = tuple[float, float, float, float]


class Boxes(NamedTuple):
    """What a detector found; the scores stand in `Prediction.scores`, the highest first.

    Attributes:
        xyxy: (N, 4) left < right, top < bottom: left, top, right, bottom [pixels of the original
            frame].
        class_ids: (N,) class of each box.
        threshold: score from which a box counts, in (0, 1).
        doubtful: scores in (0, threshold) of the candidates that were left out, after NMS.
    """

    xyxy: tuple[Box, ...] = ()
    class_ids: tuple[int, ...] = ()
    threshold: float = 0.5
    doubtful: tuple[float, ...] = ()


class Detection:
    """Any number of boxes; see `selector.task.Task`."""

    name = 'detection'

    def __init__(
        self, labels: tuple[str, ...] = (), weights: Mapping[str, float] = NO_WEIGHTS
    ) -> None:
        """Take the class names, and how much a box of a class counts (> 0, 1 where not named)."""
        self._classes = len(labels)
        self._weights = {k: float(weights.get(name, 1.0)) for k, name in enumerate(labels)}

    def check(self, answer: Prediction) -> None:
        """Refuse boxes, classes or scores that are none; no box at all is an answer.

        Raises:
            PredictionError: see above.
        """
        found = boxes(answer)
        count = len(found.xyxy)
        if not count == len(found.class_ids) == len(answer.scores):
            raise PredictionError(
                f'returned {count} boxes, {len(found.class_ids)} classes and '
                f'{len(answer.scores)} scores'
            )
        if not all(0.0 <= score <= 1.0 for score in (*answer.scores, *found.doubtful)):
            raise PredictionError('returned a score outside [0, 1]')
        if self._classes and not all(0 <= k < self._classes for k in found.class_ids):
            raise PredictionError(f'returned a class outside the {self._classes} labels')
        for box in found.xyxy:
            if not all(map(math.isfinite, box)) or box[0] >= box[2] or box[1] >= box[3]:
                raise PredictionError(
                    f'returned the box {box}; left < right and top < bottom are needed'
                )

    def evidence(self, answer: Prediction) -> Evidence:
        """Return what the scores say about the set of boxes.

        Confidence is the expected share of right boxes among those given and those missed: the
        sum of the given scores over the number given plus the sum of the doubtful ones; where
        none is given, the probability that none is there. Margin is the least distance of a score
        from the threshold, over the largest there can be. Entropy is the mean binary entropy of
        all scores [bit]. Without any candidate nothing speaks for or against: all are 0.5.
        """
        found = boxes(answer)
        given, doubtful, cut = answer.scores, found.doubtful, found.threshold
        scores = (*given, *doubtful)
        if not scores:
            return Evidence(0.5, 0.5, 0.5)
        confidence = math.prod(1.0 - score for score in doubtful)
        if given:
            confidence = math.fsum(given) / (len(given) + math.fsum(doubtful))
        margin = min(abs(score - cut) for score in scores) / max(cut, 1.0 - cut)
        entropy = math.fsum(map(_bits, scores)) / len(scores)
        return Evidence(confidence, min(1.0, margin), min(1.0, entropy))

    def classes(self, answer: Prediction) -> tuple[int, ...]:
        """Return every class a box has, that of the highest score first; () without a box."""
        return tuple(dict.fromkeys(boxes(answer).class_ids))

    def disagreement(self, one: Prediction, other: Prediction) -> float:
        """Return the OSPA distance of the two sets of boxes."""
        return self.distance(boxes(one), boxes(other))

    def loss(self, answer: Prediction, truth: Prediction) -> float:
        """Return the OSPA distance from the true boxes."""
        return self.distance(boxes(answer), boxes(truth))

    def likeness(self, one: Prediction, other: Prediction) -> float:
        """Return 1 - the OSPA distance."""
        return 1.0 - self.distance(boxes(one), boxes(other))

    def check_truth(self, truth: Prediction) -> None:
        """Refuse boxes that are none.

        Raises:
            PredictionError: see above.
        """
        self.check(truth)

    def bare(self, answer: Prediction) -> Prediction:
        """Return the answer without the doubtful scores."""
        return answer._replace(content=boxes(answer)._replace(doubtful=()))

    def distance(self, one: Boxes, other: Boxes) -> float:
        """Return the OSPA distance of two sets of boxes, in [0, 1]."""
        if not one.xyxy and not other.xyxy:
            return 0.0
        weight = max(self._weight(one), self._weight(other))
        common = 0.0
        for class_id in sorted(set(one.class_ids) & set(other.class_ids)):
            overlaps = iou(_of_class(one, class_id), _of_class(other, class_id))
            common += self._weights.get(class_id, 1.0) * best_total(overlaps)
        return min(1.0, max(0.0, 1.0 - common / weight))

    def _weight(self, found: Boxes) -> float:
        return math.fsum(self._weights.get(class_id, 1.0) for class_id in found.class_ids)


def make(spec: TaskSpec) -> Detection:
    """Return the task of a card."""
    return Detection(spec.labels, spec.class_weights)


def prediction(
    model: str, found: Boxes, scores: tuple[float, ...], wall_s: float = 0.0
) -> Prediction:
    """Return boxes and their scores as an answer, the highest score first."""
    order = sorted(range(len(scores)), key=lambda k: -scores[k])
    ranked = found._replace(
        xyxy=tuple(found.xyxy[k] for k in order),
        class_ids=tuple(found.class_ids[k] for k in order),
    )
    class_id = ranked.class_ids[0] if order else -1
    return Prediction(model, tuple(scores[k] for k in order), class_id, wall_s, ranked)


def truth(xyxy: tuple[Box, ...], class_ids: tuple[int, ...]) -> Prediction:
    """Return true boxes in the form of an answer."""
    return prediction('', Boxes(xyxy, class_ids), (1.0,) * len(xyxy))


def boxes(answer: Prediction) -> Boxes:
    """Return the boxes of an answer.

    Raises:
        PredictionError: it is no answer of a detector.
    """
    if not isinstance(answer.content, Boxes):
        raise PredictionError('returned no boxes')
    return answer.content


def iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union (N, M) of boxes (N, 4) and (M, 4); 0 for empty ones."""
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    far = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.clip(far - corner, 0.0, None).prod(axis=2)
    union = _area(one)[:, None] + _area(other)[None, :] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0.0))


def _area(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1))


def _of_class(found: Boxes, class_id: int) -> NDArray[np.float64]:
    kept = [box for box, k in zip(found.xyxy, found.class_ids, strict=True) if k == class_id]
    return np.asarray(kept, np.float64).reshape(-1, 4)


def _bits(p: float) -> float:
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return -p * math.log2(p) - (1.0 - p) * math.log2(1.0 - p)
