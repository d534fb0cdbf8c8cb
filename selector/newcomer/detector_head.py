"""Detector head: a detector whose boxes and scores are outputs of their own."""

from __future__ import annotations

from selector.newcomer.graph import Graph
from selector.newcomer.graph import Output
from selector.newcomer.head import best
from selector.newcomer.head import Claim
from selector.newcomer.head import FILE
from selector.newcomer.head import GUESS
from selector.newcomer.head import Head
from selector.newcomer.head import named
from selector.newcomer.head import normalised
from selector.newcomer.head import Question
from selector.newcomer.head import ranked
from selector.newcomer.head import shape
from selector.newcomer.head import sums_to_one
from selector.newcomer.head import within_01

_ORDER = Claim('yxyx', f'{GUESS}: as TensorFlow gives them')
_ORDER_QUESTION = Question(
    'in which order are the numbers of a box? top, left, bottom, right is taken; the picture '
    'shows whether the boxes lie right',
    '--card decoding.order=xyxy, or cxcywh',
)


def torchvision(graph: Graph, known: int) -> Head | None:
    """Return boxes (N, 4), whole-numbered labels (N,) and scores (N,); or `labels` in a batch."""
    for batch in (0, 1):
        boxes = ranked(graph, 2 + batch, last=4)
        flat = ranked(graph, 1 + batch)
        labels = [o for o in flat if o.tensor.dtype.startswith('int')]
        scores = [o for o in flat if o.tensor.dtype.startswith('float')]
        if not (len(boxes) == len(labels) == len(scores) == 1):
            continue
        if batch and 'label' not in labels[0].tensor.name.lower():
            continue
        question = Question(
            'does its first label have the number 0, or 1 with 0 as the background? '
            f'{"The first" if batch else "The second"} is taken',
            f'--card decoding.label_offset={batch}',
        )
        return Head(
            'detection',
            'torchvision',
            named({'boxes': boxes[0], 'labels': labels[0], 'scores': scores[0]}),
            {'label_offset': Claim(1 - batch, f'{GUESS}: torchvision counts the background')},
            None,
            f'{FILE}: boxes, whole-numbered labels and scores',
            (question,),
        )
    return None


def ssd(graph: Graph, known: int) -> Head | None:
    """Return boxes (1, N, 4), scores (1, N), classes (1, N) and, if any, their count."""
    boxes = best(ranked(graph, 3, last=4), 'box')
    rows = [o for o in ranked(graph, 2) if boxes and shape(o)[1] == shape(boxes)[1]]
    classes = best([o for o in rows if _holds_classes(o)], 'class', 'label')
    scores = best([o for o in rows if o is not classes], 'score', 'conf')
    if boxes is None or scores is None or classes is None:
        return None
    roles = {'boxes': boxes, 'scores': scores, 'classes': classes}
    if (count := best(ranked(graph, 1), 'num', 'count')) is not None:
        roles['count'] = count
    text = 'is the first label number 0 or 1 in the output of classes? 0 is taken'
    return Head(
        'detection',
        'ssd',
        named(roles),
        {
            'order': _ORDER,
            'normalised': normalised(boxes.low, boxes.high),
            'label_offset': Claim(0, f'{GUESS}: the first label is 0'),
        },
        None,
        f'{FILE}: boxes (1, N, 4) with scores (1, N) and classes (1, N)',
        (_ORDER_QUESTION, Question(text, '--card decoding.label_offset=1')),
    )


def queries(graph: Graph, known: int) -> Head | None:
    """Return boxes (1, Q, 4) with scores of each class (1, Q, K): a DETR, or an SSD before NMS."""
    boxes = best(ranked(graph, 3, last=4), 'box')
    if boxes is None:
        return None
    rows = [o for o in ranked(graph, 3) if o is not boxes and shape(o)[1] == shape(boxes)[1]]
    scores = best(rows, 'logit', 'score', 'class', 'conf')
    if scores is None:
        return None
    columns = shape(scores)[2]
    if not isinstance(columns, int):
        return None
    if 'logit' in scores.tensor.name.lower() or not within_01(scores.low, scores.high):
        return _detr(boxes, scores, columns, known)
    background = int(sums_to_one(scores) and known in (0, columns - 1))
    offset = Claim(
        background,
        f'{GUESS}: the scores of a box sum to 1, so one is the background'
        if background
        else f'{GUESS}: the first column is the first label',
    )
    return Head(
        'detection',
        'ssd',
        named({'boxes': boxes, 'scores': scores}),
        {
            'order': _ORDER,
            'normalised': normalised(boxes.low, boxes.high),
            'label_offset': offset,
        },
        columns,
        f'{FILE}: boxes (1, N, 4) with scores (1, N, K) in 0..1',
        (_ORDER_QUESTION,),
    )


def _detr(boxes: Output, scores: Output, columns: int, known: int) -> Head:
    sigmoid = known == columns
    questions: tuple[Question, ...] = ()
    if sigmoid or known == columns - 1:
        origin = f'{FILE}: {known} labels and {columns} columns'
    else:
        origin = f'{GUESS}: one column is for no object'
        questions = (
            Question(
                f'has it {columns} classes with a sigmoid for each, or {columns - 1} and one for '
                'no object? The second is taken',
                '--card decoding.scores=sigmoid, or --labels',
            ),
        )
    return Head(
        'detection',
        'detr',
        named({'logits': scores, 'boxes': boxes}),
        {
            'scores': Claim('sigmoid' if sigmoid else 'softmax', origin),
            'boxes': Claim('cxcywh', f'{GUESS}: as DETR gives them'),
            'normalised': normalised(boxes.low, boxes.high),
        },
        columns,
        f'{FILE}: logits (1, Q, K) with boxes (1, Q, 4)',
        questions,
    )


def _holds_classes(output: Output) -> bool:
    name = output.tensor.name.lower()
    if output.tensor.dtype.startswith('int') or 'class' in name or 'label' in name:
        return True
    whole = bool(output.channels) and all(row.whole for row in output.channels)
    return whole and 'score' not in name and 'conf' not in name
