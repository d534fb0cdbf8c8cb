"""NMS: of boxes of one class that overlap, the one with the highest score is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from selector.decoders.candidates import Candidates
from selector.tasks.detection import iou

_AT_ONCE = 512


def ranked(found: Candidates, most: int) -> Candidates:
    """Return the `most` candidates with the highest scores, the highest first."""
    order = np.argsort(-found.scores, kind='stable')[:most]
    return _taken(found, order)


def suppressed(found: Candidates, overlap: float, most: int) -> Candidates:
    """Return what greedy non-maximum suppression keeps, the highest score first.

    Args:
        found: candidates, the highest score first.
        overlap: intersection over union above which the lower of two boxes of a class is dropped.
        most: where to stop.
    """
    count = len(found.scores)
    at_once = slice(0, count) if count <= _AT_ONCE else None
    table = _rivals(found, at_once, overlap) if at_once else None
    left, kept = np.ones(count, np.bool_), []
    for k in range(count):
        if left[k]:
            kept.append(k)
            if len(kept) == most:
                break
            row = _rivals(found, slice(k, k + 1), overlap)[0] if table is None else table[k]
            left &= ~row
    return _taken(found, np.array(kept, np.intp))


def _rivals(found: Candidates, part: slice, overlap: float) -> NDArray[np.bool_]:
    """Return which of all candidates (N,) are of one class with, and overlap, each of a part."""
    same = found.class_ids[part, None] == found.class_ids[None, :]
    return np.asarray(same & (iou(found.xyxy[part], found.xyxy) > overlap))


def _taken(found: Candidates, order: NDArray[np.intp]) -> Candidates:
    return Candidates(found.xyxy[order], found.scores[order], found.class_ids[order])
