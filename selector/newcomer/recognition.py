"""Recognition: from the outputs of a graph to its task and its decoding."""

from __future__ import annotations

from selector.errors import ModelError
from selector.newcomer import dense_head
from selector.newcomer import detector_head
from selector.newcomer.graph import Graph
from selector.newcomer.graph import Output
from selector.newcomer.head import best
from selector.newcomer.head import Claim
from selector.newcomer.head import FILE
from selector.newcomer.head import GUESS
from selector.newcomer.head import Head
from selector.newcomer.head import named
from selector.newcomer.head import Question
from selector.newcomer.head import shape
from selector.newcomer.head import shape_text
from selector.newcomer.head import sums_to_one
from selector.newcomer.head import within_01

# Fewer numbers than this may be a regression, where nothing else says what they are.
_FEW = 10
_WORDS = ('logit', 'prob', 'softmax', 'score', 'class')
_DETECTORS = (
    detector_head.torchvision,
    detector_head.ssd,
    detector_head.queries,
    dense_head.yolo,
    dense_head.segmentation_map,
)


def recognise(graph: Graph, task: str = '', labels: int = 0) -> Head:
    """Return the decoding that fits the outputs.

    Args:
        graph: what the file holds.
        task: what it answers, '' unknown.
        labels: number of labels the user names, 0 unknown.

    Raises:
        ModelError: none fits, or several do; the text says what to do.
    """
    known = labels or len(graph.names)
    if not graph.outputs:
        raise ModelError('it has no output')
    if task in ('', 'detection'):
        for rule in _DETECTORS:
            if (head := rule(graph, known)) is not None:
                return head
    rows = [output for output in graph.outputs if _is_row(output)]
    if not rows or task == 'detection':
        raise ModelError(_unknown(graph, task))
    if task == 'regression':
        return _regressor(rows)
    output = best(rows, *_WORDS)
    assert output is not None
    if task == 'classification' or _says_classes(output, known):
        return _classifier(output, rows)
    raise ModelError(
        f'its output {output.tensor.name!r} {shape_text(shape(output))} may be the scores of '
        'classes or the numbers of a regression; say which with --task classification or --task '
        'regression'
    )


def _unknown(graph: Graph, task: str) -> str:
    outputs = ', '.join(f'{o.tensor.name!r} {shape_text(shape(o))}' for o in graph.outputs)
    wanted = f'of a {task} model ' if task else ''
    return (
        f'its outputs ({outputs}) are none {wanted}that a card can decode: scores (1, C); boxes '
        'with scores; (1, 4 + C, N) of a YOLO; logits (1, Q, K) with boxes (1, Q, 4); or a map '
        '(1, C, H, W); end the network with one of these when you export it'
    )


def _classifier(output: Output, rows: list[Output]) -> Head:
    classes = _count(output)
    if classes < 2:
        raise ModelError(
            f'its output {output.tensor.name!r} has one number; a classification has a score for '
            'each of 2 or more classes: export it so, or take --task regression'
        )
    sums = sums_to_one(output)
    origin = f'{GUESS}: on a picture they {"summed" if sums else "did not sum"} to 1'
    if sums and output.operation == 'Softmax':
        origin = f'{FILE}: it ends with a softmax'
    questions = []
    if len(rows) > 1:
        others = ', '.join(repr(o.tensor.name) for o in rows if o is not output)
        text = f'are the scores in {output.tensor.name!r}, and not in {others}? That is taken'
        questions.append(Question(text, '--card output=NAME'))
    if not sums and within_01(output.low, output.high):
        text = (
            'its scores are in 0..1 and do not sum to 1: are they of classes of which several can '
            'be right? They are taken for logits of classes of which one is'
        )
        questions.append(Question(text, 'export it with a softmax, or its logits'))
    return Head(
        'classification',
        'classifier',
        named({'scores': output}),
        {'values': Claim('probabilities' if sums else 'logits', origin)},
        classes,
        f'{GUESS}: {classes} numbers {shape_text(shape(output))} are scores of classes',
        tuple(questions),
    )


def _regressor(rows: list[Output]) -> Head:
    roles = {'values': rows[0]}
    alike = [o for o in rows[1:] if shape(o) == shape(rows[0])]
    for word, spread in (('logvar', 'log_variance'), ('var', 'variance'), ('std', 'deviation')):
        for output in alike:
            if word in output.tensor.name.lower():
                roles['spreads'] = output
                settings = {'spread': Claim(spread, f'{GUESS}: by its name')}
                return _numbers(roles, settings)
    return _numbers(roles, {})


def _numbers(roles: dict[str, Output], settings: dict[str, Claim]) -> Head:
    count = _count(roles['values'])
    text = 'by how much must each number be off to be wholly wrong, in its unit? 1 is taken'
    return Head(
        'regression',
        'regressor',
        named(roles),
        settings,
        count,
        'given',
        (Question(text, f"--card 'scales=[{', '.join(['1.0'] * count)}]'"),),
    )


def _says_classes(output: Output, known: int) -> bool:
    name = output.tensor.name.lower()
    count = _count(output)
    named_so = any(word in name for word in _WORDS)
    return count >= 2 and (named_so or sums_to_one(output) or known == count or count >= _FEW)


def _is_row(output: Output) -> bool:
    """Return whether it is (1, C), (C,) or (1, C, 1, 1)."""
    sizes = shape(output)
    count = sizes[0] if len(sizes) == 1 else sizes[1] if len(sizes) in (2, 4) else None
    rows = ((count,), (1, count), (1, count, 1, 1))
    return output.tensor.dtype.startswith('float') and isinstance(count, int) and sizes in rows


def _count(output: Output) -> int:
    return max(size for size in shape(output) if isinstance(size, int))
