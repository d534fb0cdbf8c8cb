"""Conversions: between ROS messages and the types of the core."""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

from builtin_interfaces.msg import Time
import numpy as np
from selector.errors import did_you_mean
from selector.errors import InputError
from selector.frame import Frame
from selector.image import decode_compressed
from selector.image import decode_raw
from selector.outcome import OutcomeKind
from selector.perception import Final
from selector.perception import Learned
from selector.prediction import Prediction
from selector.tasks import classification
from selector.tasks import detection
from selector.tasks import regression
import selector_msgs.msg as ros
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header as RosHeader

_NS = 1_000_000_000


def stamp_ns_from_ros(stamp: Time) -> int:
    """Return a ROS time as one number [ns]."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def stamp_to_ros(stamp_ns: int) -> Time:
    """Return a time [ns] as a ROS time."""
    seconds, nanoseconds = divmod(stamp_ns, _NS)
    return Time(sec=seconds, nanosec=nanoseconds)


def or_nan(value: float | None) -> float:
    """Return a number, NaN where it is not known."""
    return math.nan if value is None else value


def frame_from_compressed(msg: CompressedImage, sequence: int, camera: str) -> Frame:
    """Return the frame of a compressed image; a damaged one has no pixels and says why."""
    data = bytes(msg.data)
    frame = _bare_frame(msg.header, sequence, camera, hashlib.sha256(data).hexdigest())
    try:
        return frame._replace(image=decode_compressed(data))
    except InputError as err:
        return frame._replace(fault=str(err))


def frame_from_raw(msg: Image, sequence: int, camera: str) -> Frame:
    """Return the frame of a raw image; a damaged one has no pixels and says why."""
    data = np.frombuffer(msg.data, np.uint8) if len(msg.data) else np.zeros(0, np.uint8)
    frame = _bare_frame(msg.header, sequence, camera, hashlib.sha256(msg.data).hexdigest())
    try:
        pixels = decode_raw(data, msg.encoding, msg.height, msg.width, msg.step)
        return frame._replace(image=pixels)
    except InputError as err:
        return frame._replace(fault=str(err))


def _bare_frame(header: RosHeader, sequence: int, camera: str, digest: str) -> Frame:
    stamp_ns = stamp_ns_from_ros(header.stamp)
    return Frame(sequence, stamp_ns, header.frame_id, camera, None, digest[:16])


class Told(NamedTuple):
    """A label as it came in.

    Attributes:
        sequence: of the frame, -1 where its stamp names it.
        stamp_ns: of the frame's image [ns].
        truth: what is true, in the form of an answer.
    """

    sequence: int
    stamp_ns: int
    truth: Prediction


def label_from_ros(msg: ros.Label, task: str, labels: tuple[str, ...]) -> Told:
    """Return what a label says.

    Args:
        msg: the message.
        task: name of the models' task.
        labels: the class names in their order.

    Raises:
        InputError: it names an unknown class, or boxes and classes do not fit.
    """
    return Told(int(msg.sequence), stamp_ns_from_ros(msg.header.stamp), _truth(msg, task, labels))


def _truth(msg: ros.Label, task: str, labels: tuple[str, ...]) -> Prediction:
    if task == detection.Detection.name:
        return detection.truth(_boxes(msg), tuple(map(int, msg.class_ids)))
    if task == regression.Regression.name:
        return regression.prediction('', regression.Values(tuple(map(float, msg.values))))
    class_id = int(msg.class_id)
    if msg.label:
        if msg.label not in labels:
            raise InputError(f'label {msg.label!r} is unknown{did_you_mean(msg.label, labels)}')
        class_id = labels.index(msg.label)
    return classification.truth(class_id)


def _boxes(msg: ros.Label) -> tuple[detection.Box, ...]:
    numbers = [float(number) for number in msg.boxes]
    if len(numbers) != 4 * len(msg.class_ids):
        raise InputError(
            f'the label has {len(numbers)} numbers for the boxes of {len(msg.class_ids)} classes; '
            'there are 4 a box: left, top, right, bottom'
        )
    corners = iter(numbers)
    return tuple(zip(corners, corners, corners, corners, strict=True))


def outcome_to_ros(learned: Learned, header: RosHeader, mission_id: str) -> ros.Outcome:
    """Return an outcome record as a message; `header` is that of the decision's image."""
    record, link = learned.record, learned.link
    outcome = record.outcome
    label = outcome.kind is OutcomeKind.LABEL  # it is no probability, but what was the case
    return ros.Outcome(
        header=header,
        mission_id=mission_id,
        sequence=outcome.sequence,
        kind=outcome.kind.value,
        tier=outcome.tier,
        committed=record.committed,
        stamp=stamp_to_ros(outcome.stamp_ns),
        latency_s=outcome.latency_s,
        class_id=outcome.class_id,
        disagreement=or_nan(outcome.disagreement),
        stale=or_nan(outcome.stale),
        fast_loss=math.nan if label else record.fast_loss,
        tier_loss=math.nan if label else or_nan(record.tier_loss),
        loss=or_nan(learned.label_loss),
        fast_label_loss=or_nan(outcome.fast_label_loss),
        tier_label_loss=or_nan(outcome.tier_label_loss),
        observed_cost=outcome.cost or (),
        excess=record.excess,
        budget_left=record.left,
        detail=outcome.detail,
        record_hash=link.hash,
        previous_hash=link.previous,
    )


def prediction_to_ros(
    final: Final,
    header: RosHeader,
    task: str,
    labels: tuple[str, ...],
    *,
    provisional: bool = False,
) -> ros.Prediction:
    """Return an answer as a message; without one, labels and scores are empty.

    Args:
        final: the answer.
        header: header of the image, handed on as it is.
        task: name of the models' task.
        labels: class names by class id.
        provisional: a final answer for the same frame follows.
    """
    msg = ros.Prediction(
        header=header,
        tier=final.tier,
        task=task,
        provisional=provisional,
        age_s=final.age_s,
        confidence=math.nan,
        class_id=-1,
    )
    if final.prediction is not None:
        msg.model = final.prediction.model
        msg.confidence = 1.0 - final.loss
        msg.scores = final.prediction.scores
        msg.class_id = final.prediction.class_id
        _tell_content(msg, final.prediction.content, labels)
    return msg


def _tell_content(msg: ros.Prediction, content: object, labels: tuple[str, ...]) -> None:
    """Fill in what an answer holds beside scores."""
    if isinstance(content, detection.Boxes):
        msg.labels = [labels[k] if k < len(labels) else str(k) for k in content.class_ids]
        msg.class_ids = content.class_ids
        msg.boxes = [corner for box in content.xyxy for corner in box]
    elif isinstance(content, regression.Values):
        msg.values, msg.spreads = content.values, content.spreads
    elif content is None:
        msg.labels = list(labels)
