"""Recognition: which task and decoding the outputs of a graph suggest, and what is asked."""

from __future__ import annotations

import pytest
from selector.errors import ModelError
from selector.newcomer.graph import Channel
from selector.newcomer.graph import Graph
from selector.newcomer.graph import Output
from selector.newcomer.graph import Tensor
from selector.newcomer.head import Head
from selector.newcomer.head import shape_text
from selector.newcomer.recognition import recognise

IMAGE = Tensor('image', 'float32', (1, 3, 64, 64))
UNIT = (0.0, 1.0)


def out(
    name: str,
    shape: tuple[int, ...],
    values: tuple[float, float] = UNIT,
    dtype: str = 'float32',
    sums: tuple[float, float] = (0.3, 0.4),
    operation: str = '',
    channels: tuple[Channel, ...] = (),
) -> Output:
    """Return an output as it came out of a run."""
    tensor = Tensor(name, dtype, shape)
    return Output(tensor, operation, shape, True, *values, sums, channels)


def graph(*outputs: Output, names: int = 0) -> Graph:
    """Return what a file with these outputs and this many names shows."""
    labels = tuple(f'label {k}' for k in range(names))
    return Graph('0' * 64, 1, 17, '', (IMAGE,), outputs, names=labels)


def values(head: Head) -> dict[str, object]:
    """Return the settings of a decoding without where they come from."""
    return {key: claim.value for key, claim in head.settings.items()}


def test_scores_are_a_classification() -> None:
    """(1, C), (C,) and (1, C, 1, 1); logits, or probabilities where they sum to 1."""
    for shape in ((1, 10), (10,), (1, 10, 1, 1)):
        head = recognise(graph(out('y', shape, (-3.0, 4.0))))
        assert (head.task, head.kind, head.classes) == ('classification', 'classifier', 10)
        assert head.roles == {'scores': 'y'}
        assert values(head) == {'values': 'logits'}
    softmax = out('y', (1, 3), sums=(1.0, 1.0), operation='Softmax')
    assert values(recognise(graph(softmax))) == {'values': 'probabilities'}
    assert 'from the file' in recognise(graph(softmax)).settings['values'].origin


def test_a_few_numbers_are_asked_about() -> None:
    """Three numbers may be anything, unless their name, their sum or the labels say more."""
    few = out('y', (1, 3), (-1.0, 2.0))
    with pytest.raises(ModelError, match='--task classification or --task regression'):
        recognise(graph(few))
    assert recognise(graph(few, names=3)).task == 'classification'
    assert recognise(graph(few), labels=3).task == 'classification'
    assert recognise(graph(few), task='classification').classes == 3
    assert recognise(graph(few), task='regression').classes == 3
    named = out('class_logits', (1, 3), (-1.0, 2.0))
    assert recognise(graph(named)).task == 'classification'
    with pytest.raises(ModelError, match='has one number'):
        recognise(graph(out('y', (1, 1))), task='classification')


def test_several_rows_are_asked_about() -> None:
    """An auxiliary output beside the scores, or scores of classes of which several can be."""
    two = graph(out('aux', (1, 10), (-1.0, 1.0)), out('logits', (1, 10), (-1.0, 1.0)))
    head = recognise(two)
    assert head.roles == {'scores': 'logits'}
    assert ['--card output=NAME'] == [q.answer for q in head.questions]
    (question,) = recognise(graph(out('y', (1, 12), operation='Sigmoid'))).questions
    assert 'several' in question.text


def test_a_regression_has_spreads_by_their_name() -> None:
    """A second output of its shape is taken for what its name says; others for nothing."""
    rows = [out('pose', (1, 3)), out('pose_logvar', (1, 3)), out('features', (1, 3))]
    head = recognise(graph(*rows), task='regression')
    assert head.roles == {'values': 'pose', 'spreads': 'pose_logvar'}
    assert values(head) == {'spread': 'log_variance'}
    assert recognise(graph(rows[0], rows[2]), task='regression').roles == {'values': 'pose'}


def columns(*values: tuple[float, float]) -> tuple[Channel, ...]:
    """Return columns with these least and largest values."""
    return tuple(Channel(low, high, False) for low, high in values)


PIXELS = [(0.0, 60.0)] * 4


@pytest.mark.parametrize(
    ('shape', 'names', 'layout', 'objectness', 'classes', 'asks'),
    [
        ((1, 84, 8400), 0, 'anchors_last', False, 80, True),
        ((1, 84, 8400), 80, 'anchors_last', False, 80, False),
        ((1, 84, 8400), 79, 'anchors_last', True, 79, False),
        ((1, 25200, 85), 0, 'anchors_first', True, 80, True),
        ((1, 25200, 85), 80, 'anchors_first', True, 80, False),
        ((1, 25200, 85), 81, 'anchors_first', False, 81, False),
        ((1, 5, 20), 1, 'anchors_last', False, 1, False),
    ],
)
def test_a_yolo_is_known_by_its_columns(
    shape: tuple[int, ...], names: int, layout: str, objectness: bool, classes: int, asks: bool
) -> None:
    """Columns are fewer than anchors; objectness is asked about unless the labels tell."""
    head = recognise(graph(out('output0', shape, (0.0, 60.0)), names=names))
    assert (head.kind, head.classes, bool(head.questions)) == ('yolo', classes, asks)
    assert values(head)['layout'] == layout
    assert values(head)['objectness'] is objectness


def test_the_run_tells_the_ranges_of_a_yolo() -> None:
    """Boxes in pixels or in 0..1, scores or logits."""
    rows = columns(*PIXELS, (0.0, 0.9))
    plain = recognise(graph(out('y', (1, 5, 20), (0.0, 60.0), channels=rows), names=1))
    assert values(plain)['normalised'] is False
    assert values(plain)['apply_sigmoid'] is False
    rows = columns(*[(0.0, 1.02)] * 4, (-7.0, 3.0))
    other = recognise(graph(out('y', (1, 5, 20), (-7.0, 3.0), channels=rows), names=1))
    assert values(other)['normalised'] is True
    assert values(other)['apply_sigmoid'] is True


def test_finished_boxes_are_refused_with_a_way_out() -> None:
    """(1, 300, 6) with a whole-numbered last column is no YOLO before NMS."""
    rows = (*columns(*PIXELS, (0.0, 0.9)), Channel(0.0, 5.0, True))
    with pytest.raises(ModelError, match='nms=False'):
        recognise(graph(out('output0', (1, 300, 6), (0.0, 60.0), channels=rows)))


def test_tensorflow_detectors_are_ssd() -> None:
    """Boxes, scores, classes and count by their names, or by what came out."""
    outputs = [
        out('detection_scores', (1, 100)),
        out('num_detections', (1,)),
        out('detection_boxes', (1, 100, 4)),
        out('detection_classes', (1, 100), (0.0, 80.0)),
    ]
    head = recognise(graph(*outputs))
    assert head.kind == 'ssd'
    assert head.roles == {
        'boxes': 'detection_boxes',
        'scores': 'detection_scores',
        'classes': 'detection_classes',
        'count': 'num_detections',
    }
    assert values(head) == {'order': 'yxyx', 'normalised': True, 'label_offset': 0}
    assert head.classes is None
    whole = out('b', (1, 100), (0.0, 80.0), channels=(Channel(0.0, 80.0, True),))
    nameless = recognise(graph(out('a', (1, 100, 4)), whole, out('c', (1, 100))))
    assert nameless.roles == {'boxes': 'a', 'scores': 'c', 'classes': 'b'}


def test_boxes_with_scores_of_classes_are_ssd_or_detr() -> None:
    """Probabilities are of an SSD, with a background where they sum to 1; logits of a DETR."""
    boxes = out('boxes', (1, 50, 4), (0.0, 63.0))
    head = recognise(graph(boxes, out('scores', (1, 50, 3), sums=(1.0, 1.0))))
    assert (head.kind, head.classes) == ('ssd', 2)
    assert values(head) == {'order': 'yxyx', 'normalised': False, 'label_offset': 1}
    head = recognise(graph(boxes, out('scores', (1, 50, 3))))
    assert (head.kind, head.classes) == ('ssd', 3)
    queries = [out('logits', (1, 100, 92), (-9.0, 5.0)), out('pred_boxes', (1, 100, 4))]
    head = recognise(graph(*queries))
    assert (head.kind, head.classes, len(head.questions)) == ('detr', 91, 1)
    assert values(head) == {'scores': 'softmax', 'boxes': 'cxcywh', 'normalised': True}
    assert recognise(graph(*queries, names=91)).questions == ()
    assert values(recognise(graph(*queries, names=92)))['scores'] == 'sigmoid'


def test_torchvision_detectors_are_known() -> None:
    """Boxes, whole-numbered labels and scores without a batch, in any order."""
    outputs = [
        out('b', (7, 4), (0.0, 63.0)),
        out('s', (7,)),
        out('l', (7,), (1.0, 3.0), dtype='int64'),
    ]
    head = recognise(graph(*outputs))
    assert head.kind == 'torchvision'
    assert head.roles == {'boxes': 'b', 'labels': 'l', 'scores': 's'}
    assert values(head) == {'label_offset': 1}
    batch = [
        out('boxes', (1, 7, 4), (0.0, 63.0)),
        out('labels', (1, 7), (0.0, 3.0), dtype='int64'),
        out('scores', (1, 7)),
    ]
    head = recognise(graph(*batch))
    assert (head.kind, values(head)) == ('torchvision', {'label_offset': 0})


def test_a_map_is_a_segmentation() -> None:
    """(1, C, H, W); of logits the sigmoid is taken."""
    head = recognise(graph(out('sigmoid_0', (1, 1, 96, 160), operation='Sigmoid')))
    assert (head.kind, head.classes) == ('segmentation_map', 1)
    assert values(head)['apply_sigmoid'] is False
    assert 'from the file' in head.settings['apply_sigmoid'].origin
    head = recognise(graph(out('y', (1, 3, 96, 160), (-5.0, 4.0))))
    assert (head.classes, len(head.questions)) == (3, 2)
    assert values(head)['apply_sigmoid'] is True


@pytest.mark.parametrize(
    'outputs',
    [
        [out('y', (1, 3, 20, 20, 85))],
        [out('rows', (1, 116, 8400)), out('masks', (1, 32, 160, 160))],
        [out('y', (1, 10), dtype='int64')],
        [out('y', ())],
    ],
)
def test_what_no_card_decodes_is_told_with_its_shapes(outputs: list[Output]) -> None:
    """Raw heads, masks, class numbers alone."""
    with pytest.raises(ModelError, match='that a card can decode') as caught:
        recognise(graph(*outputs))
    assert all(shape_text(o.shape) in str(caught.value) for o in outputs)


def test_nothing_is_taken_for_another_task() -> None:
    """A user who says detection gets no classifier; and a file without outputs is none."""
    with pytest.raises(ModelError, match='a detection model'):
        recognise(graph(out('y', (1, 10))), task='detection')
    with pytest.raises(ModelError, match='no output'):
        recognise(graph())
