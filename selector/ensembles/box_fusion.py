"""Box fusion: the boxes of several detectors as one set, by weighted boxes fusion.

The method of Solovyev, Wang and Gabruseva (2021), class by class: boxes are taken from the highest
score down; each joins the fused box it overlaps most, where that is enough, or starts one of its
own; a fused box is the mean of its boxes weighted by score. Here a detector gives a fused box one
box at most, as two boxes of one detector stand for two things. So the fused score, the sum over
the detectors by their number, is the mean score where a detector without a box says 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.prediction import Prediction
from selector.tasks.detection import Box
from selector.tasks.detection import boxes
from selector.tasks.detection import iou

_LEAST_WEIGHT = 1e-9  # a score of 0 is allowed, a mean without weight is none


class Fused(NamedTuple):
    """One fused box.

    Attributes:
        xyxy: left, top, right, bottom [pixels of the original frame].
        class_id: its class.
        score: mean score over the detectors, in [0, 1].
    """

    xyxy: Box
    class_id: int
    score: float


class _Candidate(NamedTuple):
    score: float
    detector: int
    class_id: int
    xyxy: Box


class _ClassFusion:
    """The fused boxes of one class; `room` is how many there can be."""

    def __init__(self, room: int) -> None:
        self._xyxy = np.zeros((room, 4))
        self._weighted = np.zeros((room, 4))
        self._weights = np.zeros(room)
        self._detectors: list[set[int]] = []
        self._scores: list[float] = []

    def add(self, found: _Candidate, iou_min: float) -> None:
        """Let a box join the fused box it overlaps most, or start one."""
        place = self._place(found, iou_min)
        if place == len(self._scores):
            self._detectors.append(set())
            self._scores.append(0.0)
        weight = max(found.score, _LEAST_WEIGHT)
        self._weights[place] += weight
        self._weighted[place] += weight * np.asarray(found.xyxy)
        self._detectors[place].add(found.detector)
        self._scores[place] += found.score
        alone = len(self._detectors[place]) == 1
        mean = self._weighted[place] / self._weights[place]
        self._xyxy[place] = found.xyxy if alone else mean

    def fused(self, class_id: int, detectors: int) -> list[Fused]:
        """Return the fused boxes with their mean scores over `detectors`."""
        rows = self._xyxy[: len(self._scores)].tolist()
        return [
            Fused((row[0], row[1], row[2], row[3]), class_id, min(1.0, score / detectors))
            for row, score in zip(rows, self._scores, strict=True)
        ]

    def _place(self, found: _Candidate, iou_min: float) -> int:
        count = len(self._scores)
        if not count:
            return 0
        box: NDArray[np.float64] = np.asarray([found.xyxy], np.float64)
        overlaps = iou(box, self._xyxy[:count])[0]
        for taken, detectors in enumerate(self._detectors):
            if found.detector in detectors:
                overlaps[taken] = -1.0
        best = int(overlaps.argmax())
        return best if overlaps[best] >= iou_min else count


def fuse(answers: Sequence[Prediction], iou_min: float) -> list[Fused]:
    """Return the boxes of several detectors as one set, the highest score first.

    Args:
        answers: one answer a detector, at least one.
        iou_min: overlap from which two boxes of a class stand for one thing, in (0, 1].

    Raises:
        PredictionError: an answer has no boxes.
    """
    found = [
        _Candidate(score, detector, class_id, box)
        for detector, answer in enumerate(answers)
        for score, class_id, box in zip(
            answer.scores, boxes(answer).class_ids, boxes(answer).xyxy, strict=True
        )
    ]
    classes: dict[int, _ClassFusion] = {}
    for candidate in sorted(found, key=lambda c: -c.score):
        rows = classes.setdefault(candidate.class_id, _ClassFusion(len(found)))
        rows.add(candidate, iou_min)
    fused = [box for k, rows in sorted(classes.items()) for box in rows.fused(k, len(answers))]
    return sorted(fused, key=lambda box: -box.score)
