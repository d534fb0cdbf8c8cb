"""Dense head: a detector with one output that has numbers for each anchor or each pixel."""

from __future__ import annotations

from selector.errors import ModelError
from selector.newcomer.graph import Channel
from selector.newcomer.graph import Graph
from selector.newcomer.head import Claim
from selector.newcomer.head import FILE
from selector.newcomer.head import GUESS
from selector.newcomer.head import Head
from selector.newcomer.head import normalised
from selector.newcomer.head import Question
from selector.newcomer.head import shape
from selector.newcomer.head import shape_text
from selector.newcomer.head import within_01

# Columns of a finished box: left, top, right, bottom, score, class.
_FINISHED = 6


def yolo(graph: Graph, known: int) -> Head | None:
    """Return one output with 4 + C numbers, or 5 + C, for each anchor.

    Raises:
        ModelError: its boxes are finished, which no decoding of a card reads.
    """
    output = graph.outputs[0]
    if len(graph.outputs) != 1 or len(shape(output)) != 3:
        return None
    _, one, other = shape(output)
    if not isinstance(one, int) or not isinstance(other, int) or min(one, other) < 5:
        return None
    first, columns = one > other, min(one, other)
    rows = output.channels
    if columns == _FINISHED and first and rows and rows[5].whole:
        raise ModelError(
            f'its output {output.tensor.name!r} {shape_text(shape(output))} looks like finished '
            'boxes (left, top, right, bottom, score, class), which no decoding of a card reads; '
            'export it without NMS (Ultralytics: nms=False, and end2end=False)'
        )
    objectness, questions = _objectness(columns, first, known)
    layout = 'anchors_first' if first else 'anchors_last'
    return Head(
        'detection',
        'yolo',
        {'predictions': output.tensor.name},
        {
            'layout': Claim(layout, f'{FILE}: {columns} columns, {max(one, other)} anchors'),
            'objectness': objectness,
            'boxes': Claim('cxcywh', f'{GUESS}: as YOLO gives them'),
            **_ranges(rows),
        },
        columns,
        f'{GUESS}: one output with a column of numbers for each anchor',
        questions,
    )


def _ranges(rows: tuple[Channel, ...]) -> dict[str, Claim]:
    """Return what the boxes and scores that came out say about their scale."""
    low = min((row.low for row in rows[:4]), default=0.0)
    high = max((row.high for row in rows[:4]), default=0.0)
    inside = all(within_01(row.low, row.high) for row in rows[4:])
    origin = f'{GUESS}: on a picture its scores were {"" if inside else "not "}within 0..1'
    return {'normalised': normalised(low, high), 'apply_sigmoid': Claim(not inside, origin)}


def _objectness(columns: int, first: bool, known: int) -> tuple[Claim, tuple[Question, ...]]:
    """Return whether one of the columns is objectness; the number of labels says so, if known."""
    if known in (columns - 4, columns - 5):
        origin = f'{FILE}: {known} labels and {columns} columns'
        return Claim(known == columns - 5, origin), ()
    taken = 'the second is taken, as YOLOv5 to v7 have it'
    if not first:
        taken = 'the first is taken, as YOLOv8 and newer have it'
    question = Question(
        f'has it {columns - 4} classes, or objectness and {columns - 5}? By the order of its axes '
        f'{taken}',
        f'--card decoding.objectness={"false" if first else "true"}, or --labels',
    )
    return Claim(first, f'{GUESS}: by the order of the axes'), (question,)


def segmentation_map(graph: Graph, known: int) -> Head | None:
    """Return one output (1, C, H, W): a map for each label."""
    output = graph.outputs[0]
    if len(graph.outputs) != 1 or len(shape(output)) != 4:
        return None
    _, classes, height, width = shape(output)
    if not isinstance(classes, int) or (height, width) == (1, 1):
        return None
    inside = within_01(output.low, output.high)
    origin = f'{GUESS}: on a picture it was {"" if inside else "not "}within 0..1'
    if inside and output.operation == 'Sigmoid':
        origin = f'{FILE}: it ends with a sigmoid'
    questions = [
        Question(
            'do its regions fill the objects, or were they shrunk in training, as text detectors '
            'do it? The first is taken',
            '--card decoding.unclip=1.5',
        )
    ]
    if classes > 1:
        text = f'is one of its {classes} maps the background? None is taken for it'
        questions.append(Question(text, "--card 'label_map={BACKGROUND: null, OTHER: OTHER}'"))
    return Head(
        'detection',
        'segmentation_map',
        {'map': output.tensor.name},
        {
            'binarise': Claim(0.3, GUESS),
            'apply_sigmoid': Claim(not inside, origin),
            'unclip': Claim(0.0, f'{GUESS}: text detectors need about 1.5'),
        },
        classes,
        f'{GUESS}: one output {shape_text(shape(output))} is a map for each label',
        tuple(questions),
    )
