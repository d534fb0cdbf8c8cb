"""What other nodes' messages say; of packages that are not here, on stand-ins (stand_ins.py)."""

from __future__ import annotations

import math
from typing import Any
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
import pytest
from selector.cards.backend_card import TopicCard
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.ros.answer import message_type
from selector.ros.answer import reader
from selector.ros.answer import READERS
from selector.ros.answer import Size
from selector.tasks.detection import boxes
from selector.tasks.known import task_named
from selector.tasks.regression import content
import selector_msgs.msg as ros
import stand_ins

SIZE = Size(640, 480)
OURS, VISION, CLASSES, YOLO = READERS


def card(task: str = 'detection', **more: Any) -> Card:
    """Return the card of a model behind topics; `more` over what it usually says."""
    tree = {
        'name': 'slow',
        'task': task,
        'runtime': 'topic',
        'labels': ['cat', 'dog', 'cow'],
        'topic': {'input': 'images', 'output': 'answers', 'answer': OURS},
        'training_data': 'none',
        'licence': 'none',
    }
    return checked_card({**tree, **more}, 'test')


def read(kind: str, msg: Any, about: Card) -> Prediction:
    """Return what a message says, checked as an answer of its task."""
    answer = reader(kind, about)(msg, about, SIZE)
    task_named(about.task, about.task_spec).check(answer)
    return answer


def ours(**fields: Any) -> ros.Prediction:
    """Return one of our own messages, with one box unless told otherwise."""
    usual = {
        'task': 'detection',
        'labels': ['dog'],
        'scores': [0.75],
        'boxes': [8.0, 9.0, 12.0, 11.0],
    }
    return ros.Prediction(**{**usual, **fields})


def test_every_kind_can_be_declared() -> None:
    """A card may name exactly the types that can be read."""
    assert set(get_args(TopicCard.model_fields['answer'].annotation)) == set(READERS)


@pytest.mark.parametrize(
    ('kind', 'msg'),
    [
        (OURS, ours()),
        (OURS, ours(labels=[], class_ids=[1])),
        (
            VISION,
            stand_ins.Detection2DArray(detections=[stand_ins.detection(10, 10, 4, 2, dog=0.75)]),
        ),
        (
            VISION,
            stand_ins.Detection2DArray(
                detections=[stand_ins.detection(10, 10, 4, 2, **{'1': 0.75})]
            ),
        ),
        (
            YOLO,
            stand_ins.DetectionArray(
                detections=[stand_ins.yolo(10, 10, 4, 2, name='dog', number=7, score=0.75)]
            ),
        ),
        (
            YOLO,
            stand_ins.DetectionArray(
                detections=[stand_ins.yolo(10, 10, 4, 2, number=1, score=0.75)]
            ),
        ),
    ],
)
def test_one_dog(kind: str, msg: Any) -> None:
    """Every type says the same: by name, and by number where there is no name."""
    answer = read(kind, msg, card())
    assert (answer.model, answer.scores, answer.class_id) == ('slow', (0.75,), 1)
    assert boxes(answer).xyxy == ((8.0, 9.0, 12.0, 11.0),)


@pytest.mark.parametrize(
    ('kind', 'msg'),
    [
        (OURS, ours(labels=[], class_ids=[], scores=[], boxes=[])),
        (VISION, stand_ins.Detection2DArray()),
        (YOLO, stand_ins.DetectionArray()),
    ],
)
def test_no_box(kind: str, msg: Any) -> None:
    """Nothing seen is an answer."""
    assert boxes(read(kind, msg, card())).xyxy == ()


def seen(*scores: float, name: str = 'dog') -> Any:
    """Return detections with these scores, one beside the other."""
    found = [
        stand_ins.yolo(10.0 * k + 5, 10, 4, 2, name=name, score=score)
        for k, score in enumerate(scores)
    ]
    return stand_ins.DetectionArray(detections=found)


def test_the_threshold_of_the_card() -> None:
    """Boxes below it are doubtful, or not told of; the others stand the best first."""
    answer = read(YOLO, seen(0.6, 0.3, 0.9, 0.05), card(threshold=0.6, candidates_above=0.1))
    found = boxes(answer)
    assert answer.scores == (0.9, 0.6)
    assert [box[0] for box in found.xyxy] == [23.0, 3.0]
    assert (found.threshold, found.doubtful) == (0.6, (0.3,))


def test_the_most_boxes_of_the_card() -> None:
    """Of more boxes than it allows the best remain."""
    assert read(YOLO, seen(0.6, 0.7, 0.9), card(max_boxes=2)).scores == (0.9, 0.7)


def test_the_label_map_of_the_card() -> None:
    """Classes get the name that the pair shares; those it leaves out are left out."""
    about = card(label_map={'cow': 'big', 'dog': 'small', 'cat': None})
    both = stand_ins.DetectionArray(
        detections=[
            stand_ins.yolo(10, 10, 4, 2, name='cat', score=0.9),
            stand_ins.yolo(10, 10, 4, 2, name='dog', score=0.8),
            stand_ins.yolo(10, 10, 4, 2, name='cow', score=0.7),
        ]
    )
    answer = read(YOLO, both, about)
    assert about.answer_labels == ('big', 'small')
    assert (answer.scores, boxes(answer).class_ids) == ((0.8, 0.7), (1, 0))


@given(st.tuples(*(st.floats(-100, 800, width=32) for _ in range(4))))
def test_boxes_end_at_the_frame(corners: tuple[float, float, float, float]) -> None:
    """A box that reaches over the edge ends there; one that has no part within is left out."""
    left, right = sorted(corners[::2])
    top, bottom = sorted(corners[1::2])
    other = [8.0, 9.0, 12.0, 11.0]
    msg = ours(labels=['cat', 'dog'], scores=[0.9, 0.8])
    msg.boxes = [left, top, right, bottom, *other]
    found = boxes(read(OURS, msg, card())).xyxy
    inside = (max(left, 0), max(top, 0), min(right, 640), min(bottom, 480))
    seen = inside[0] < inside[2] and inside[1] < inside[3]
    assert found == ((inside, tuple(other)) if seen else (tuple(other),))


def test_only_boxes_outside_the_frame() -> None:
    """A detector that answers in other pixels than the image's is told so."""
    msg = ours(boxes=[900.0, 9.0, 950.0, 11.0])
    with pytest.raises(PredictionError, match='outside the frame of 640 x 480 pixels only'):
        read(OURS, msg, card())


@pytest.mark.parametrize(
    ('msg', 'match'),
    [
        (ours(task='regression'), "the task 'regression'; its card says 'detection'"),
        (ours(boxes=[1.0, 2.0]), '2 numbers for the boxes of 1 classes and 1 scores'),
        (ours(scores=[0.5, 0.5]), '4 numbers for the boxes of 1 classes and 2 scores'),
        (ours(labels=['dogg']), "'dogg', which is none of the 3 labels.*did you mean 'dog'"),
        (ours(labels=['3']), "'3', which is none of the 3 labels"),
        (ours(labels=[], class_ids=[-1]), "'-1', which is none"),
        (ours(scores=[math.nan]), 'the score nan; scores are within'),
        (ours(scores=[1.5]), 'the score 1.5; scores are within'),
        (ours(boxes=[8.0, math.inf, 12.0, 11.0]), 'left, top, right, bottom, and all are finite'),
        (ours(boxes=[12.0, 9.0, 8.0, 11.0]), r'the box \(12.0, 9.0, 8.0, 11.0\)'),
    ],
)
def test_what_is_no_detection(msg: ros.Prediction, match: str) -> None:
    """Wrong sizes, unknown classes, NaN and inverted boxes are refused, and told."""
    with pytest.raises(PredictionError, match=match):
        read(OURS, msg, card())


def classes(**scores: float) -> Any:
    """Return a classification with these classes."""
    results = [stand_ins.ObjectHypothesis(class_id=k, score=p) for k, p in scores.items()]
    return stand_ins.Classification(results=results)


def test_classification() -> None:
    """Scores come in the order of the card, whatever that of the message."""
    about = card('classification')
    msg = classes(cow=0.2, cat=0.1, dog=0.7)
    assert read(CLASSES, msg, about).scores == pytest.approx((0.1, 0.7, 0.2))
    assert read(CLASSES, msg, about).class_id == 1
    mine = ros.Prediction(labels=['cow', 'cat', 'dog'], scores=[0.2, 0.1, 0.7])
    assert read(OURS, mine, about).scores == pytest.approx((0.1, 0.7, 0.2))
    bare = ros.Prediction(scores=[0.2, 0.1, 0.7])
    assert read(OURS, bare, about).scores == pytest.approx((0.2, 0.1, 0.7))


def test_the_best_classes_only() -> None:
    """What the classes named leave of 1 is shared by those not named."""
    assert read(CLASSES, classes(dog=0.8), card('classification')).scores == pytest.approx(
        (0.1, 0.8, 0.1)
    )


def test_classes_of_the_label_map() -> None:
    """Classes of one name are added; what is left out counts no more."""
    about = card('classification', label_map={'cat': 'pet', 'dog': 'pet', 'cow': 'cow'})
    assert read(CLASSES, classes(cat=0.3, dog=0.3, cow=0.4), about).scores == pytest.approx(
        (0.6, 0.4)
    )
    about = card('classification', label_map={'cat': 'cat', 'dog': 'dog', '*': None})
    assert read(CLASSES, classes(cat=0.1, dog=0.3, cow=0.6), about).scores == pytest.approx(
        (0.25, 0.75)
    )
    with pytest.raises(PredictionError, match='a label that its label_map leaves out'):
        read(CLASSES, classes(cow=1.0, cat=0.0, dog=0.0), about)


@pytest.mark.parametrize(
    'bad',
    [
        classes(),
        classes(dog=0.2),  # the others would have more than the best
        classes(dog=0.9, cat=0.9),
        classes(dog=0.5, cat=0.2, cow=0.2),
    ],
)
def test_scores_that_are_no_probabilities(bad: Any) -> None:
    """They are refused: nothing can be said about how sure the model is."""
    with pytest.raises(PredictionError, match='they are no class probabilities'):
        read(CLASSES, bad, card('classification'))


def test_a_score_a_class() -> None:
    """Our message has as many scores as labels, or as the card has."""
    with pytest.raises(PredictionError, match='answered 2 scores for 3 classes'):
        read(OURS, ros.Prediction(scores=[0.5, 0.5]), card('classification'))


def test_regression() -> None:
    """Numbers and their spreads are taken over."""
    about = card('regression', labels=[], scales=[1.0, 2.0])
    answer = read(OURS, ros.Prediction(values=[3.0, 4.0], spreads=[0.1, 0.2]), about)
    assert content(answer) == ((3.0, 4.0), (0.1, 0.2))


def test_what_cannot_be_read() -> None:
    """An unknown type, and one that holds no answers of the task, are told."""
    with pytest.raises(ModelError, match="did you mean 'vision_msgs/Detection2DArray'"):
        reader('vision_msgs/Detections2DArray', card())
    with pytest.raises(ModelError, match='slow is for detection; vision_msgs/Classification'):
        reader(CLASSES, card())


def test_message_types() -> None:
    """They are found by name; what is missing is told, with what to do."""
    assert message_type('selector_msgs/Prediction') is ros.Prediction
    assert message_type('selector_msgs/msg/Prediction') is ros.Prediction
    with pytest.raises(MissingError, match="no message Predicton; did you mean 'Prediction'"):
        message_type('selector_msgs/Predicton')
    with pytest.raises(MissingError, match='no_such_msgs is not here .*ros-.*no-such-msgs'):
        message_type('no_such_msgs/Thing')
    for bad in ('Prediction', 'a/b/c', '/Prediction', 'selector_msgs/'):
        with pytest.raises(ModelError, match='is no message type; write it as package/Type'):
            message_type(bad)
