"""Inspection message: what an inspector and its child say to each other, as JSON lines."""

from __future__ import annotations

from typing import NamedTuple

from selector.newcomer.graph import Graph
from selector.tasks.detection import Boxes
from selector.tasks.regression import Values


class Request(NamedTuple):
    """What is to be done: look at the file, or have the model in the folder answer the picture.

    Attributes:
        path: the file, or the folder of a card.
        answer: whether it is a folder.
        picture: JPEG or PNG, '' for noise.
        size_px: (height, width) where the file leaves them open, None to try usual ones [px].
        threads: of the model that answers.
    """

    path: str
    answer: bool = False
    picture: str = ''
    size_px: tuple[int, int] | None = None
    threads: int = 1


class Answer(NamedTuple):
    """What a model said of the picture.

    Attributes:
        scores, class_id: as in `prediction.Prediction`.
        boxes: of a detector.
        values: of a regression.
        wall_s: measured time of the second call [s].
    """

    scores: tuple[float, ...]
    class_id: int
    boxes: Boxes | None
    values: Values | None
    wall_s: float


class Said(NamedTuple):
    """One line of the child.

    Attributes:
        kind: ready, doing, done, refused; or last, which refuses and ends the process.
        text: what is being done, or why it refuses.
        graph, answer: what it found.
    """

    kind: str
    text: str = ''
    graph: Graph | None = None
    answer: Answer | None = None
