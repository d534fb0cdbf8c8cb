"""Vision: detections and classifications as vision_msgs holds them, where it is installed.

Everything goes by attribute, because the layout moved between the versions: 4.x has
`bbox.center.position.x` and `result.hypothesis.class_id`, older ones `bbox.center.x` and
`result.id`.
"""

from __future__ import annotations

import importlib
import math
from types import ModuleType
from typing import Any
from typing import NamedTuple

from selector.errors import PredictionError
from selector.tasks.classification import Classification
from selector.tasks.detection import Box
from selector.tasks.detection import Detection
import selector_msgs.msg as ros

# Type and topic of what is published beside `~/prediction`, by task.
BESIDE = {
    Detection.name: ('Detection2DArray', '~/detections'),
    Classification.name: ('Classification', '~/classification'),
}


class Seen(NamedTuple):
    """One detection of a message.

    Attributes:
        box: left, top, right, bottom [pixel].
        class_name: what it is said to be; may be a number in digits.
        score: of that class.
    """

    box: Box
    class_name: str
    score: float


def vision_type(task: str) -> type | None:
    """Return the message type that a task's answers have in vision_msgs, None without one."""
    module = _messages()
    if module is None or task not in BESIDE:
        return None
    found: type = getattr(module, BESIDE[task][0])
    return found


def prediction_to_vision(msg: ros.Prediction) -> Any:
    """Return an answer as Detection2DArray or Classification, with the same header.

    Returns:
        The message; None for other tasks, and where vision_msgs is not installed.
    """
    module = _messages()
    if module is None or msg.task not in BESIDE:
        return None
    made = getattr(module, BESIDE[msg.task][0])(header=msg.header)
    if msg.task == Detection.name:
        made.detections = [_detection(module, msg, k) for k in range(len(msg.scores))]
    else:
        # Without an answer there are labels all the same, and no scores.
        named = zip(msg.labels, msg.scores, strict=False)
        made.results = [_named(module.ObjectHypothesis(), *pair) for pair in named]
    return made


def seen_from_vision(msg: Any) -> list[Seen]:
    """Return the detections of a Detection2DArray; of several classes, that of the best score.

    Raises:
        PredictionError: a detection has no class, or a box or score that is none.
    """
    found = []
    for detection in msg.detections:
        if not detection.results:
            raise PredictionError('answered a detection without a class')
        scores = {_class_name(h): score(h.score) for h in map(_hypothesis, detection.results)}
        best, bbox = max(scores, key=scores.__getitem__), detection.bbox
        box = upright(bbox.center, float(bbox.size_x), float(bbox.size_y))
        found.append(Seen(box, best, scores[best]))
    return found


def scores_from_vision(msg: Any) -> dict[str, float]:
    """Return the score of each class that a Classification names.

    Raises:
        PredictionError: a score is none.
    """
    return {_class_name(h): score(h.score) for h in map(_hypothesis, msg.results)}


def score(value: float) -> float:
    """Return a score in [0, 1].

    Raises:
        PredictionError: it is not within.
    """
    if not 0.0 <= value <= 1.0:
        raise PredictionError(f'answered the score {value}; scores are within [0, 1]')
    return float(value)


def upright(center: Any, width: float, height: float) -> Box:
    """Return the upright box around one that may be turned about its centre.

    Args:
        center: with `position` and `theta` [rad], or with x, y and theta.
        width, height: of the box before it is turned [pixel].

    Raises:
        PredictionError: a number is NaN or infinite, or a size negative.
    """
    point, angle = getattr(center, 'position', center), float(center.theta)
    x, y = float(point.x), float(point.y)
    if not all(map(math.isfinite, (x, y, width, height, angle))) or min(width, height) < 0.0:
        raise PredictionError(
            f'answered a box of {width} x {height} pixels around ({x}, {y}), turned by {angle}; '
            'sizes are >= 0, and all are finite'
        )
    cosine, sine = abs(math.cos(angle)), abs(math.sin(angle))
    right, down = (width * cosine + height * sine) / 2, (width * sine + height * cosine) / 2
    return x - right, y - down, x + right, y + down


def _messages() -> ModuleType | None:
    try:
        return importlib.import_module('vision_msgs.msg')
    except ImportError:
        return None


def _detection(module: ModuleType, msg: ros.Prediction, number: int) -> Any:
    left, top, right, bottom = map(float, msg.boxes[4 * number : 4 * number + 4])
    made = module.Detection2D(header=msg.header)
    point = getattr(made.bbox.center, 'position', made.bbox.center)
    point.x, point.y = (left + right) / 2, (top + bottom) / 2
    made.bbox.size_x, made.bbox.size_y = right - left, bottom - top
    result = module.ObjectHypothesisWithPose()
    _named(_hypothesis(result), msg.labels[number], msg.scores[number])
    made.results = [result]
    return made


def _hypothesis(result: Any) -> Any:
    return getattr(result, 'hypothesis', result)


def _named(hypothesis: Any, name: str, value: float) -> Any:
    setattr(hypothesis, 'class_id' if hasattr(hypothesis, 'class_id') else 'id', name)
    hypothesis.score = float(value)
    return hypothesis


def _class_name(hypothesis: Any) -> str:
    return str(hypothesis.class_id if hasattr(hypothesis, 'class_id') else hypothesis.id)
