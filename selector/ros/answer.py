"""Answer: what another node's message says, as a prediction."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
import importlib
import math
import os
from typing import Any
from typing import NamedTuple

import numpy as np
from selector.cards.card import Card
from selector.decoders.classifier import merged
from selector.errors import did_you_mean
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.ros.vision import score
from selector.ros.vision import scores_from_vision
from selector.ros.vision import Seen
from selector.ros.vision import seen_from_vision
from selector.ros.vision import upright
from selector.tasks import classification
from selector.tasks import detection
from selector.tasks import regression

_CLASSIFICATION = classification.Classification.name
_DETECTION = detection.Detection.name
_REGRESSION = regression.Regression.name
_SUM_TOLERANCE = 0.01


class Size(NamedTuple):
    """Width and height of the frame that was asked about [pixel]."""

    width: int
    height: int


Reader = Callable[[Any, Card, Size], Prediction]


def message_type(name: str) -> type:
    """Return the message type of a name such as `vision_msgs/Detection2DArray`.

    Raises:
        ModelError: it is no name of a message type.
        MissingError: its package is not installed, or has no such type.
    """
    package, *middle, kind = name.split('/') if '/' in name else ('', name)
    if middle not in ([], ['msg']) or not package.isidentifier() or not kind.isidentifier():
        raise ModelError(f'{name!r} is no message type; write it as package/Type')
    try:
        module = importlib.import_module(f'{package}.msg')
    except ImportError as err:
        distro, debian = os.environ.get('ROS_DISTRO', '<distro>'), package.replace('_', '-')
        raise MissingError(
            f'{name}: the package {package} is not here ({err}); source the workspace that has '
            f'it, or install ros-{distro}-{debian}'
        ) from err
    if not hasattr(module, kind):
        near = did_you_mean(kind, vars(module))
        raise MissingError(f'the package {package} has no message {kind}{near}')
    found: type = getattr(module, kind)
    return found


def reader(name: str, card: Card) -> Reader:
    """Return what reads messages of a type as answers of a model.

    Raises:
        ModelError: messages of the type cannot be read, or hold no answers of the card's task.
    """
    if name not in READERS:
        raise ModelError(
            f'{card.name}: answers of type {name!r} cannot be read{did_you_mean(name, READERS)} '
            f'(known: {", ".join(READERS)})'
        )
    tasks, found = READERS[name]
    if card.task not in tasks:
        raise ModelError(
            f'{card.name} is for {card.task}; {name} holds answers of {" and ".join(tasks)}'
        )
    return found


def _ours(msg: Any, card: Card, size: Size) -> Prediction:
    if msg.task and msg.task != card.task:
        raise PredictionError(f'answered the task {msg.task!r}; its card says {card.task!r}')
    if card.task == _DETECTION:
        return _detected(_seen(msg), card, size)
    if card.task == _CLASSIFICATION:
        return _classified(_scores(msg, card), card)
    values = regression.Values(tuple(map(float, msg.values)), tuple(map(float, msg.spreads)))
    return regression.prediction(card.name, values)


def _seen(msg: Any) -> list[Seen]:
    names = [str(name) for name in msg.labels] or [str(k) for k in msg.class_ids]
    numbers = list(map(float, msg.boxes))
    if not len(numbers) == 4 * len(names) == 4 * len(msg.scores):
        raise PredictionError(
            f'answered {len(numbers)} numbers for the boxes of {len(names)} classes and '
            f'{len(msg.scores)} scores; there are 4 a box: left, top, right, bottom'
        )
    corners = iter(numbers)
    boxes = zip(corners, corners, corners, corners, strict=True)
    return [Seen(*each) for each in zip(boxes, names, map(score, msg.scores), strict=True)]


def _scores(msg: Any, card: Card) -> dict[str, float]:
    names = [str(name) for name in msg.labels] or list(card.labels)
    if len(names) != len(msg.scores):
        raise PredictionError(f'answered {len(msg.scores)} scores for {len(names)} classes')
    return dict(zip(names, map(score, msg.scores), strict=True))


def _vision_detections(msg: Any, card: Card, size: Size) -> Prediction:
    return _detected(seen_from_vision(msg), card, size)


def _vision_classification(msg: Any, card: Card, _size: Size) -> Prediction:
    return _classified(scores_from_vision(msg), card)


def _yolo(msg: Any, card: Card, size: Size) -> Prediction:
    """Read what yolo_ros publishes: by name, as some of its versions number the detections."""
    seen = []
    for found in msg.detections:
        box = upright(found.bbox.center, float(found.bbox.size.x), float(found.bbox.size.y))
        seen.append(Seen(box, found.class_name or str(found.class_id), score(found.score)))
    return _detected(seen, card, size)


READERS: Mapping[str, tuple[tuple[str, ...], Reader]] = {
    'selector_msgs/Prediction': ((_CLASSIFICATION, _DETECTION, _REGRESSION), _ours),
    'vision_msgs/Detection2DArray': ((_DETECTION,), _vision_detections),
    'vision_msgs/Classification': ((_CLASSIFICATION,), _vision_classification),
    'yolo_msgs/DetectionArray': ((_DETECTION,), _yolo),
}


def _detected(seen: list[Seen], card: Card, size: Size) -> Prediction:
    """Return the boxes that count, within the frame; of the doubtful ones the scores."""
    ids = card.answer_ids  # -1 where the card leaves a class out
    found = [(ids[_place(each.class_name, card)], each) for each in seen]
    known = [(class_id, _clipped(e.box, size), e.score) for class_id, e in found if class_id >= 0]
    kept = sorted((each for each in known if each[1]), key=lambda each: -each[2])
    if known and not kept:
        raise PredictionError(
            f'answered boxes outside the frame of {size.width} x {size.height} pixels only, such '
            f'as {found[0][1].box}; it must answer in pixels of the image it was sent'
        )
    counted = [each for each in kept if each[2] >= card.threshold][: card.max_boxes]
    boxes = detection.Boxes(
        tuple(box for _, box, _ in counted if box),
        tuple(class_id for class_id, _, _ in counted),
        card.threshold,
        tuple(p for _, _, p in kept if card.doubtful_from < p < card.threshold),
    )
    return detection.prediction(card.name, boxes, tuple(p for _, _, p in counted))


def _clipped(box: detection.Box, size: Size) -> detection.Box | None:
    """Return the part of a box within the frame, None where there is none."""
    left, top, right, bottom = box
    if not all(map(math.isfinite, box)) or left > right or top > bottom:
        raise PredictionError(
            f'answered the box {box}; it is left, top, right, bottom, and all are finite'
        )
    left, top = max(left, 0.0), max(top, 0.0)
    right, bottom = min(right, float(size.width)), min(bottom, float(size.height))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _classified(scores: Mapping[str, float], card: Card) -> Prediction:
    """Return class probabilities in the card's classes.

    A message may name the best classes only; what they leave of 1 is shared by the others.
    """
    named = {_place(name, card): p for name, p in scores.items()}
    missing = len(card.labels) - len(named)
    rest = max(0.0, 1.0 - math.fsum(named.values())) / missing if missing else 0.0
    given = tuple(named.get(place, rest) for place in range(len(card.labels)))
    if abs(math.fsum(given) - 1.0) > _SUM_TOLERANCE or rest > min(named.values(), default=0.0):
        raise PredictionError(
            f'answered scores that sum to {math.fsum(named.values()):g}, of {len(named)} of '
            f'{len(card.labels)} classes: they are no class probabilities'
        )
    shares = merged(given, np.array(card.answer_ids, np.intp), len(card.answer_labels))
    return Prediction(card.name, shares, shares.index(max(shares)), 0.0)


def _place(name: str, card: Card) -> int:
    """Return the place among the card's labels of a name, or of a number in digits."""
    if name in card.labels:
        return card.labels.index(name)
    if name.isdecimal() and int(name) < len(card.labels):
        return int(name)
    raise PredictionError(
        f'answered the class {name!r}, which is none of the {len(card.labels)} labels of its card'
        f'{did_you_mean(name, card.labels)}'
    )
