"""Reading: what a model returns becomes a sound answer in the frame, or one PredictionError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
from numpy.typing import NDArray
import pytest
from selector.cards.card import Card
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.model_input import Placement
from selector.prediction import Prediction
from selector.reading import Reading
from selector.tasks.detection import Boxes
from selector.tasks.known import task_named
import small_onnx

FRAME = np.zeros((120, 160, 3), np.uint8)
LABELS = ['cat', 'dog', 'car']

DECODINGS: dict[str, dict[str, Any]] = {
    'yolo': {'layout': 'anchors_first', 'boxes': 'xyxy'},
    'ssd': {},
    'detr': {},
    'torchvision': {},
    'rows': {},
    'segmentation_map': {},
}
OUTPUTS: dict[str, dict[str, str]] = {
    'yolo': {'predictions': 'p'},
    'ssd': {'boxes': 'b', 'scores': 's', 'classes': 'c', 'count': 'n'},
    'detr': {'logits': 'l', 'boxes': 'b'},
    'torchvision': {'boxes': 'b', 'labels': 'c', 'scores': 's'},
    'rows': {'rows': 'r'},
    'segmentation_map': {'map': 'm'},
}


def detector(kind: str = 'yolo', decoding: Mapping[str, Any] | None = None, **more: Any) -> Card:
    """Return the card of a detector of three labels at 80 x 60."""
    tree = {
        'labels': LABELS,
        'input': {'name': 'image', 'size_px': [60, 80], 'scale': 1.0},
        'outputs': OUTPUTS[kind],
        'decoding': {'kind': kind, **DECODINGS[kind], **(decoding or {})},
        **more,
    }
    return small_onnx.card('detection', **tree)


def rows(*found: tuple[float, ...]) -> dict[str, NDArray[np.float32]]:
    """Return boxes and class scores, as the YOLO of `detector` gives them."""
    return {'p': np.array(found, np.float32).reshape(1, -1, 7)}


def read(card: Card, outputs: Mapping[str, NDArray[Any]]) -> Prediction:
    """Return the answer to a black frame, which the task has checked."""
    reading = Reading(card)
    _, placement = reading.tensor(FRAME)
    answer = reading.prediction(outputs, placement, 0.25)
    task_named(card.task, card.task_spec).check(answer)
    assert (answer.model, answer.wall_s) == ('small', 0.25)
    return answer


def boxes(card: Card, outputs: Mapping[str, NDArray[Any]]) -> Boxes:
    """Return the boxes of an answer."""
    found = read(card, outputs).content
    assert isinstance(found, Boxes)
    return found


def test_boxes_lie_in_the_frame() -> None:
    """In pixels of the frame, cut at its edges, gone where nothing is left; no size, no box."""
    found = boxes(
        detector(),
        rows(
            (10, 10, 20, 30, 0.9, 0, 0),
            (-50, 40, 20, 900, 0, 0.8, 0),
            (90, 10, 95, 20, 0.9, 0, 0),  # right of the frame
            (30, 30, 20, 40, 0.9, 0, 0),  # negative width
            (30, 30, 30, 40, 0.9, 0, 0),  # none
        ),
    )
    assert found.xyxy == ((20.0, 20.0, 40.0, 60.0), (0.0, 80.0, 40.0, 120.0))
    assert found.class_ids == (0, 1)


def test_scores_above_the_threshold_count_and_those_just_below_are_doubtful() -> None:
    """Doubtful is what lies between the threshold and a third of it, or what the card says."""
    # Eighths, which single precision holds exactly.
    given = rows(*((10 * k, 0, 10 * k + 5, 9, k / 8, 0, 0) for k in range(1, 8)))
    found = boxes(detector(threshold=0.5), given)
    assert len(found.xyxy) == 4
    assert found.doubtful == (0.375, 0.25)
    assert found.threshold == 0.5
    assert boxes(detector(threshold=0.5, candidates_above=0.01), given).doubtful == (
        0.375,
        0.25,
        0.125,
    )
    assert boxes(detector(threshold=0.75, candidates_above=0.7), given).doubtful == ()


def test_no_box_is_an_answer() -> None:
    """Zero anchors and zero detections."""
    for found in (rows(), rows((0, 0, 9, 9, 0.0, 0.1, 0.05))):
        answer = read(detector(), found)
        assert (answer.scores, answer.class_id, answer.content) == ((), -1, Boxes())


def test_overlapping_boxes_are_suppressed_before_they_are_counted() -> None:
    """YOLO by default, others where the card says; the doubtful ones too."""
    given = rows(
        (10, 10, 30, 30, 0.9, 0, 0),
        (10, 11, 30, 30, 0.8, 0, 0),
        (10, 10, 30, 31, 0.3, 0, 0),
        (10, 10, 30, 31, 0, 0.3, 0),
    )
    found = boxes(detector(), given)
    assert (len(found.xyxy), len(found.doubtful)) == (1, 1)
    kept = boxes(detector(nms_iou=1.0), given)
    assert (len(kept.xyxy), len(kept.doubtful)) == (2, 2)
    twice = {
        'b': np.array([[1, 1, 9, 9], [1, 1, 9, 9]], np.float32),
        'c': np.array([1, 1]),
        's': np.array([0.9, 0.8]),
    }
    assert len(boxes(detector('torchvision'), twice).xyxy) == 2
    assert len(boxes(detector('torchvision', nms_iou=0.5), twice).xyxy) == 1


def test_the_best_boxes_are_kept_where_there_are_too_many() -> None:
    """At most max_boxes, the best; as many doubtful ones."""
    given = rows(*((k, 0, k + 1, 1, 0.6 + k / 200, 0, 0) for k in range(60)))
    answer = read(detector(max_boxes=5), given)
    assert answer.scores == pytest.approx([0.6 + k / 200 for k in range(59, 54, -1)], abs=1e-6)
    many = np.random.default_rng(0).random((1, 20_000, 7)).astype(np.float32)
    many[..., 2:4] = many[..., :2] + 3.0
    assert len(boxes(detector(), {'p': many}).xyxy) <= 300


@pytest.mark.parametrize('kind', ['ssd', 'torchvision'])
def test_a_class_out_of_range_is_told(kind: str) -> None:
    """A number behind the last label, of the kinds of output that can hold one."""
    outputs = {
        'b': np.ones((1, 1, 4)) * [0.1, 0.1, 0.5, 0.5],
        's': np.array([[0.9]]),
        'c': np.array([[7]]),
        'n': np.array([1]),
    }
    with pytest.raises(PredictionError, match=r'returned class [67] for 3 labels'):
        read(detector(kind), outputs)


def test_a_label_map_drops_and_merges_classes() -> None:
    """Cat and dog are one class and suppress each other; a car is none of the answer's."""
    card = detector(label_map={'cat': 'animal', 'dog': 'animal', 'car': None})
    given = rows(
        (10, 10, 30, 30, 0.9, 0, 0), (10, 11, 30, 30, 0, 0.8, 0), (40, 10, 50, 30, 0, 0, 0.9)
    )
    answer = read(card, given)
    assert answer.scores == pytest.approx([0.9], abs=1e-6)
    assert answer.class_id == 0
    assert card.answer_labels == ('animal',)


def test_a_classifier_with_a_label_map() -> None:
    """The merged class can be the largest."""
    card = small_onnx.card(
        'classification',
        labels=[*LABELS, 'sky'],
        output='y',
        decoding={'kind': 'classifier', 'values': 'probabilities'},
        label_map={'car': 'car', 'cat': 'animal', 'dog': 'animal', 'sky': None},
    )
    answer = read(card, {'y': np.array([[0.2, 0.2, 0.3, 0.3]])})
    assert answer.scores == pytest.approx([0.3 / 0.7, 0.4 / 0.7])
    assert answer.class_id == 1


def test_a_regression() -> None:
    """Values and spreads, by their names."""
    card = small_onnx.card(
        'regression', scales=[1.0, 2.0], outputs={'values': 'v', 'spreads': 's'}
    )
    answer = read(card, {'v': np.array([[1.0, 2.0]]), 's': np.array([[0.5, 0.25]])})
    assert answer.content == ((1.0, 2.0), (0.5, 0.25))


@pytest.mark.parametrize(
    ('array', 'told'),
    [
        (None, "no array for 'p', but NoneType"),
        ([[1.0]], "no array for 'p', but list"),
        (np.zeros((1, 5, 6)), r"'p' of shape \(1, 5, 6\); its card says \(1, any, 7\)"),
        (np.zeros((2, 5, 7)), 'of shape'),
        (np.zeros(()), 'of shape'),
        (np.full((1, 1, 7), 'x'), 'no numbers'),
        (np.full((1, 1, 7), 1j), 'no numbers'),
    ],
)
def test_an_output_that_is_none_is_told(array: Any, told: str) -> None:
    """Missing, a list, another shape, no numbers: by name, with what the card says."""
    with pytest.raises(PredictionError, match=f'^small .*{told}'):
        read(detector(), {} if array is None else {'p': array})


def test_what_a_graph_declares_is_compared_with_the_card() -> None:
    """Sizes that are left open fit, others are told."""
    reading = Reading(detector())
    assert reading.outputs == ['p']
    assert reading.faults({'p': (None, None, 7), 'other': (1,)}) == []
    (told,) = reading.faults({'p': (1, 7, None, 3)})
    assert "'p' has shape (1, 7, any, 3)" in told
    assert '(1, any, 7) or (any, 7)' in told


def test_a_card_without_an_input_is_refused() -> None:
    """An ensemble is read by its members."""
    card = small_onnx.card(
        runtime='ensemble',
        ensemble={'members': ['a', 'b']},
        labels=['x'],
        file=None,
        sha256=None,
        input=None,
    )
    with pytest.raises(ModelError, match='has no input'):
        Reading(card)


DTYPES = st.sampled_from(
    ['f2', 'f4', 'f8', 'g', 'i1', 'u1', 'i8', 'u8', '?', 'O', 'U3', 'c8', 'M8[s]', 'V4']
)
SIDE = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8])
WILD = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, 1.0, -1.0, 2.0, np.nan, np.inf, -np.inf, 1e30, -1e30]),
    st.floats(0.0, 1.0, width=32),
)
SOUND = {'n': st.sampled_from([1.0, 2.0, 3.0]), 'c': st.sampled_from([0.0, 1.0, 2.0, 3.0])}
RISING = st.floats(0.0, 1.0, width=32)


@st.composite
def any_array(
    draw: st.DrawFn, shapes: list[tuple[int | None, ...]], sound: st.SearchStrategy[float] = RISING
) -> NDArray[Any]:
    """An array, mostly of a shape that it may have, of numbers that are mostly sound."""
    shape = tuple(draw(SIDE) if side is None else side for side in draw(st.sampled_from(shapes)))
    if draw(st.integers(0, 11)) == 11:
        shape = tuple(draw(st.lists(SIDE, max_size=4)))
    if draw(st.integers(0, 11)) == 11:
        dtype = np.dtype(draw(DTYPES))
        return np.zeros(shape, dtype) if dtype.kind in 'OUMV' else np.ones(shape).astype(dtype)
    elements = WILD if draw(st.integers(0, 5)) == 5 else sound
    array = draw(arrays.arrays(np.float32, shape, elements=elements))
    # Corners in the order of corners, so that some boxes have a size.
    return np.sort(array, axis=-1) if shape[-1:] == (4,) and draw(st.booleans()) else array


SHAPES: dict[str, dict[str, list[tuple[int | None, ...]]]] = {
    'yolo': {'p': [(1, None, 7), (None, 7)]},
    'ssd': {'b': [(1, None, 4), (1, 3, 4)], 's': [(1, 3)], 'c': [(1, 3)], 'n': [(1,), ()]},
    'detr': {'l': [(1, 3, 4), (None, 4)], 'b': [(1, 3, 4)]},
    'torchvision': {'b': [(3, 4), (3, 4), (None, 4)], 'c': [(3,)], 's': [(3,)]},
    'rows': {'r': [(1, None, 6), (None, 6)]},
    'segmentation_map': {'m': [(1, 3, None, None), (3, 4, 5)]},
}


def sound_or_told(card: Card, outputs: Mapping[str, NDArray[Any]]) -> None:
    """Check that outputs give an answer the task accepts, or one line of a PredictionError."""
    reading = Reading(card)
    placement = Placement(0.5, 0.5, -3.0, -2.0, (120, 160), (60, 80))
    try:
        answer = reading.prediction(outputs, placement)
    except PredictionError as err:
        assert str(err).startswith('small ')
        assert '\n' not in str(err)
        return
    task_named(card.task, card.task_spec).check(answer)
    if isinstance(answer.content, Boxes):
        assert len(answer.content.xyxy) <= card.max_boxes
        for left, top, right, bottom in answer.content.xyxy:
            assert 0.0 <= left < right <= 160.0
            assert 0.0 <= top < bottom <= 120.0


@pytest.mark.parametrize('kind', sorted(SHAPES))
@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_no_output_of_a_detector_crashes(kind: str, data: st.DataObject) -> None:
    """Any shape, type and number: a sound answer or a PredictionError, nothing else."""
    decoding: dict[str, Any] = {}
    if kind in ('yolo', 'segmentation_map'):
        decoding['apply_sigmoid'] = data.draw(st.booleans())
    if kind == 'detr':
        decoding['scores'] = 'softmax'
    card = detector(kind, decoding, max_boxes=2)
    outputs = {
        name: data.draw(any_array(shapes, SOUND.get(name, RISING)))
        for name, shapes in SHAPES[kind].items()
    }
    anchors = outputs.get('p', np.zeros(()))
    if anchors.shape[-1:] == (7,) and anchors.dtype == np.float32 and data.draw(st.booleans()):
        anchors[..., 2:4] += np.float32(8.0)
    sound_or_told(card, outputs)


@given(any_array([(1, 3), (3,), (1, 3, 1, 1)]), st.sampled_from(['logits', 'probabilities']))
@settings(deadline=None)
def test_no_output_of_a_classifier_crashes(array: NDArray[Any], values: str) -> None:
    """Likewise."""
    decoding = {'kind': 'classifier', 'values': values}
    sound_or_told(
        small_onnx.card('classification', labels=LABELS, output='y', decoding=decoding),
        {'y': array},
    )


@given(
    any_array([(1, 2), (2,)]),
    any_array([(1, 2), (2,)]),
    st.sampled_from(['deviation', 'variance', 'log_variance']),
)
@settings(deadline=None)
def test_no_output_of_a_regressor_crashes(
    values: NDArray[Any], spreads: NDArray[Any], kind: str
) -> None:
    """Likewise."""
    card = small_onnx.card(
        'regression',
        scales=[1.0, 1.0],
        outputs={'values': 'v', 'spreads': 's'},
        decoding={'kind': 'regressor', 'spread': kind, 'factors': [1e30, 1.0]},
    )
    sound_or_told(card, {'v': values, 's': spreads})
