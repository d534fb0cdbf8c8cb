"""Stand-ins for messages that are not installed here, with the fields that their packages publish.

vision_msgs is that of 4.x (Humble and later); what begins with `Old` is how 2.x (Foxy) had it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from selector.ros.conversions import stamp_to_ros
from std_msgs.msg import Header


class Message:
    """A message: fields of fixed types, as generated ones have; unknown fields are refused."""

    FIELDS: dict[str, Callable[[], Any]]

    def __init__(self, **given: Any) -> None:
        for name, kind in self.FIELDS.items():
            self.__dict__[name] = kind()
        for name, value in given.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.FIELDS, f'{type(self).__name__} has no {name}'
        assert isinstance(value, type(self.__dict__[name])), f'{name} = {value!r}'
        super().__setattr__(name, value)


def message(kind: str, **fields: Callable[[], Any]) -> Any:
    """Return a type of messages; a field's default is what its type gives without arguments."""
    return type(kind, (Message,), {'FIELDS': fields})


# vision_msgs
Point2D = message('Point2D', x=float, y=float)
Pose2D = message('Pose2D', position=Point2D, theta=float)
BoundingBox2D = message('BoundingBox2D', center=Pose2D, size_x=float, size_y=float)
ObjectHypothesis = message('ObjectHypothesis', class_id=str, score=float)
ObjectHypothesisWithPose = message(
    'ObjectHypothesisWithPose', hypothesis=ObjectHypothesis, pose=object
)
Detection2D = message('Detection2D', header=Header, results=list, bbox=BoundingBox2D, id=str)
Detection2DArray = message('Detection2DArray', header=Header, detections=list)
Classification = message('Classification', header=Header, results=list)

OldPose2D = message('Pose2D', x=float, y=float, theta=float)
OldBoundingBox2D = message('BoundingBox2D', center=OldPose2D, size_x=float, size_y=float)
OldHypothesis = message('ObjectHypothesisWithPose', id=str, score=float, pose=object)
OldDetection2D = message('Detection2D', header=Header, results=list, bbox=OldBoundingBox2D)

# yolo_msgs, without what is of no use here
YoloBox = message('BoundingBox2D', center=Pose2D, size=Point2D)
YoloDetection = message(
    'Detection', class_id=int, class_name=str, score=float, id=str, bbox=YoloBox
)
DetectionArray = message('DetectionArray', header=Header, detections=list)


def vision_msgs() -> ModuleType:
    """Return what `import vision_msgs.msg` gives."""
    module = ModuleType('vision_msgs.msg')
    for kind in (
        *(Classification, Detection2D, Detection2DArray),
        *(ObjectHypothesis, ObjectHypothesisWithPose),
    ):
        setattr(module, kind.__name__, kind)
    return module


def header(stamp_ns: int = 7_000_000_001) -> Header:
    """Return the header of an image."""
    return Header(stamp=stamp_to_ros(stamp_ns), frame_id='camera')


def detection(*box: float, theta: float = 0.0, **scores: float) -> Any:
    """Return a detection: centre x and y, width, height, and the score of each class."""
    x, y, width, height = map(float, box)
    center = Pose2D(position=Point2D(x=x, y=y), theta=theta)
    results = [
        ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id=name, score=score))
        for name, score in scores.items()
    ]
    bbox = BoundingBox2D(center=center, size_x=width, size_y=height)
    return Detection2D(results=results, bbox=bbox)


def yolo(*box: float, name: str = '', number: int = 0, score: float = 0.9) -> Any:
    """Return a detection of yolo_ros: centre x and y, width and height."""
    x, y, width, height = map(float, box)
    bbox = YoloBox(center=Pose2D(position=Point2D(x=x, y=y)), size=Point2D(x=width, y=height))
    return YoloDetection(class_id=number, class_name=name, score=score, bbox=bbox)
