"""A detector in another process, asked over real topics; it does as the first pixel says."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from selector.cards.card import checked_card
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.ros.topic_model import TopicModel
from selector.task import Task
from selector.tasks.detection import boxes
from selector.tasks.known import task_named
from selector.workers.worker import Finished
from selector.workers.worker import run
from selector.workers.worker import Worker
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros

WAIT_S = 30.0
TIMEOUT_S = 0.4
GOOD, NAN, UNEVEN, STRANGER, OUTSIDE, RESTAMPED, SILENT, EMPTY = range(8)
# What the first pixel says: what to do, and after how many hundredths of a second.
DETECTOR = """
import io, math, os, sys, time
import numpy as np
from PIL import Image as Picture
import rclpy
from selector_msgs.msg import Prediction
from sensor_msgs.msg import CompressedImage, Image
GOOD, NAN, UNEVEN, STRANGER, OUTSIDE, RESTAMPED, SILENT, EMPTY = range(8)
rclpy.init()
node = rclpy.create_node('detector', namespace=sys.argv[1])
answers = node.create_publisher(Prediction, 'answers', 10)
seen = 0
def raw(msg):
    answer(msg.header, np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3))
def compressed(msg):
    answer(msg.header, np.asarray(Picture.open(io.BytesIO(bytes(msg.data)))))
def answer(header, image):
    global seen
    seen += 1
    todo, delay, _ = map(int, image[0, 0])
    time.sleep(delay / 100)
    if todo == SILENT:
        return
    height, width, _ = image.shape
    told = Prediction(header=header, task='detection')
    if todo != EMPTY:
        told.labels = ['robot' if todo == STRANGER else header.frame_id or 'ball']
        told.scores = [float(image[-1, -1, 2]) / 255]
        told.boxes = [float(seen % 100), 0.0, float(width), float(height)]
    if todo == NAN:
        told.boxes[1] = math.nan
    if todo == UNEVEN:
        told.boxes = told.boxes[:3]
    if todo == OUTSIDE:
        told.boxes = [width + 1.0, 0.0, width + 9.0, 9.0]
    if todo == RESTAMPED:
        told.header.stamp.nanosec = (header.stamp.nanosec + 2_000_000) % 1_000_000_000
    answers.publish(told)
node.create_subscription(Image, 'images', raw, 1)
node.create_subscription(CompressedImage, 'images/compressed', compressed, 1)
print('ready', flush=True)
parent = os.getppid()
while os.getppid() == parent:  # it does not outlive a test run that was killed
    rclpy.spin_once(node, timeout_sec=0.5)
"""


def frame(
    todo: int = GOOD, delay_s: float = 0.0, *, level: int = 204, width: int = 64
) -> NDArray[np.uint8]:
    """Return an image whose first pixel tells the detector what to do; `level` is its score."""
    image = np.full((48, width, 3), level, np.uint8)
    image[0, 0] = todo, round(delay_s * 100), 0
    return image


Start = Callable[..., 'subprocess.Popen[str]']


@contextlib.contextmanager
def detectors() -> Iterator[Start]:
    """Yield what starts a detector in the domain of now and returns it when it is ready."""
    with contextlib.ExitStack() as stack:

        def started(namespace: str = '') -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, '-c', DETECTOR, namespace], stdout=subprocess.PIPE, text=True
            )
            stack.callback(end, process)
            assert process.stdout is not None
            assert process.stdout.readline().strip() == 'ready'
            return process

        yield started


def end(process: subprocess.Popen[str]) -> None:
    """End a process, whatever it does; a second time does nothing."""
    assert process.stdout is not None
    process.kill()
    process.wait(WAIT_S)
    process.stdout.close()


@pytest.fixture
def start(_domain: None) -> Iterator[Start]:
    """Yield what starts a detector of the test's own."""
    with detectors() as started:
        yield started


@pytest.fixture(scope='module')
def domain() -> Iterator[int]:
    """Yield the domain of a detector that stays for the whole module."""
    number = int(os.environ['ROS_DOMAIN_ID'])
    with detectors() as started:
        started()
        yield number


@pytest.fixture
def context(domain: int) -> Iterator[Context]:
    """Yield a context in the domain of that detector."""
    made = Context()
    rclpy.init(context=made, domain_id=domain)
    yield made
    made.try_shutdown()


def task() -> Task:
    """Return the task of the models here."""
    return task_named('detection', card().task_spec)


def card(**topic: Any) -> Any:
    """Return the card of a detector; `topic` over what its topics usually are."""
    usual = {
        'input': 'images',
        'output': 'answers',
        'answer': 'selector_msgs/Prediction',
        'timeout_s': TIMEOUT_S,
    }
    tree = {
        'name': 'slow',
        'task': 'detection',
        'runtime': 'topic',
        'labels': ['ball', 'goal'],
        'topic': {**usual, **topic},
        'training_data': 'none',
        'licence': 'none',
    }
    return checked_card(tree, 'test')


@pytest.fixture
def made(context: Context) -> Iterator[Callable[..., TopicModel]]:
    """Return what makes a model, matched with the detector unless `wait=False`."""
    with contextlib.ExitStack() as stack:

        def model(*, wait: bool = True, namespace: str = '', **topic: Any) -> TopicModel:
            found = TopicModel(card(**topic), context, namespace, start_s=WAIT_S)
            stack.callback(found.close)
            if wait:
                found.warm_up(1)
            return found

        yield model


def until_answered(model: TopicModel) -> Prediction:
    """Ask until there is an answer; fail after `WAIT_S`."""
    end_s = time.monotonic() + WAIT_S
    while True:
        try:
            return model.predict(frame())
        except PredictionError:
            assert time.monotonic() < end_s
            time.sleep(0.05)


@pytest.mark.parametrize('compressed', [False, True])
def test_the_answer_is_about_the_image(made: Callable[..., TopicModel], compressed: bool) -> None:
    """Boxes are in its pixels, the score is that of its content, the time is real."""
    topic = {'input': 'images/compressed', 'compressed': True} if compressed else {}
    model = made(**topic)
    for width, level in ((64, 204), (320, 153)):
        # A JPEG mixes the pixels of a block: there the image is of one colour, and to be answered.
        image = frame(level=level, width=width)
        image[0, 0] = (0, 0, 0)
        if compressed:
            image[:16, :16] = 0
        answer = run(model, image, task())
        found = boxes(answer)
        assert answer.model == 'slow'
        assert found.class_ids == (0,)
        assert found.xyxy[0][1:] == (0.0, width, 48.0)
        assert answer.scores[0] == pytest.approx(level / 255, abs=0.02 if compressed else 1e-6)
        assert 0.0 < answer.wall_s < TIMEOUT_S


def test_the_detector_gets_an_image_only_when_asked(made: Callable[..., TopicModel]) -> None:
    """It has seen one image more after each call, however long nobody calls."""
    model = made()
    seen = []
    for _ in range(3):
        seen.append(boxes(model.predict(frame())).xyxy[0][0])
        time.sleep(0.1)
    assert [(after - before) % 100 for before, after in zip(seen, seen[1:], strict=False)] == [
        1,
        1,
    ]


def test_stamp_and_frame_id_are_those_of_the_frame(made: Callable[..., TopicModel]) -> None:
    """`predict_at` hands them on: the answer has the stamp, and here its class is the frame id."""
    model = made()
    for stamp_ns in (1, 5_000_000_001, 2_000_000_000):  # a bag that is played again goes back
        answer = model.predict_at(frame(), stamp_ns, 'goal')
        assert boxes(answer).class_ids == (1,)


def test_no_box_is_an_answer(made: Callable[..., TopicModel]) -> None:
    """A detector that finds nothing has answered."""
    answer = run(made(), frame(EMPTY), task())
    assert answer.scores == () and boxes(answer).xyxy == ()


def test_a_silent_detector(made: Callable[..., TopicModel]) -> None:
    """The call fails after `timeout_s`, and the next one is answered."""
    model = made()
    start_s = time.monotonic()
    with pytest.raises(PredictionError, match=r'^slow got no answer on /answers within 0.4 s$'):
        run(model, frame(SILENT), task())
    assert time.monotonic() - start_s >= TIMEOUT_S
    assert run(model, frame(), task()).scores


def test_a_late_answer_is_dropped(made: Callable[..., TopicModel]) -> None:
    """It is counted and never taken for that of the next image."""
    model = made()
    with pytest.raises(PredictionError, match='no answer'):
        model.predict(frame(level=102, delay_s=TIMEOUT_S + 0.2))
    answer = model.predict(frame(level=204))
    assert answer.scores == pytest.approx([0.8])
    assert (model.late, model.foreign) == (1, 0)


def test_stamps_have_to_be_the_same(made: Callable[..., TopicModel]) -> None:
    """An answer 2 ms off is none unless the card allows that much."""
    with pytest.raises(PredictionError, match='but 1 with other stamps; see stamp_slop_s'):
        made().predict_at(frame(RESTAMPED), 1_000_000_000, '')
    answer = made(stamp_slop_s=0.01).predict_at(frame(RESTAMPED), 1_000_000_000, '')
    assert boxes(answer).class_ids == (0,)


def test_a_late_answer_near_the_stamp_is_dropped(made: Callable[..., TopicModel]) -> None:
    """Where stamps only have to be near, the nearest image asked about has the answer."""
    model = made(stamp_slop_s=0.05)
    with pytest.raises(PredictionError, match='no answer'):
        model.predict_at(frame(RESTAMPED, TIMEOUT_S + 0.2, level=102), 1_000_000_000, '')
    answer = model.predict_at(frame(level=204), 1_033_000_000, '')
    assert answer.scores == pytest.approx([0.8])
    assert model.late == 1


def test_nobody_listens(made: Callable[..., TopicModel]) -> None:
    """The call fails at once and names the topic."""
    model = made(wait=False, input='nobody/here')
    start_s = time.monotonic()
    with pytest.raises(PredictionError, match=r'^slow reaches nobody on /nobody/here \(0 of 0 '):
        run(model, frame(), task())
    assert time.monotonic() - start_s < TIMEOUT_S


def test_a_listener_that_does_not_match(made: Callable[..., TopicModel], context: Context) -> None:
    """It is told apart from nobody: somebody is there whom our images do not reach."""
    node = Node('deaf', context=context)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(Image, 'elsewhere', lambda _msg: None, latched)
    model = made(wait=False, input='elsewhere')
    end_s = time.monotonic() + WAIT_S
    while not node.count_publishers('elsewhere'):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    with pytest.raises(PredictionError, match=r'\(0 of 1 subscribers match\); their type or QoS'):
        model.predict(frame())
    node.destroy_node()


def test_nobody_publishes(made: Callable[..., TopicModel]) -> None:
    """Where the output topic is wrong, the failure says so."""
    made()  # so that the detector is found
    model = made(wait=False, output='nobody/here')
    end_s = time.monotonic() + WAIT_S
    while True:
        with pytest.raises(PredictionError) as caught:
            model.predict(frame())
        if 'reaches nobody' not in str(caught.value):
            break
        assert time.monotonic() < end_s
    assert 'no answer on /nobody/here within 0.4 s: nobody publishes there' in str(caught.value)


@pytest.mark.parametrize(
    ('todo', 'match'),
    [
        (NAN, 'slow answered the box .*nan.*, and all are finite'),
        (UNEVEN, 'slow answered 3 numbers for the boxes of 1 classes and 1 scores'),
        (STRANGER, "slow answered the class 'robot', which is none of the 2 labels"),
        (OUTSIDE, 'outside the frame of 64 x 48 pixels only, such as'),
    ],
)
def test_a_bad_answer(made: Callable[..., TopicModel], todo: int, match: str) -> None:
    """It fails the call at once, in one line; the next one is answered."""
    model = made()
    with pytest.raises(PredictionError, match=match) as caught:
        run(model, frame(todo), task())
    assert '\n' not in str(caught.value)
    assert run(model, frame(), task()).scores


@pytest.mark.parametrize('image', [np.zeros((4, 4), np.uint8), np.zeros((2, 2, 9, 3), np.uint8)])
def test_an_image_that_is_none(made: Callable[..., TopicModel], image: Any) -> None:
    """Whatever is handed in, `run` raises nothing but PredictionError."""
    with pytest.raises(PredictionError):
        run(made(), image, task())


def test_within_a_busy_executor(made: Callable[..., TopicModel], context: Context) -> None:
    """The answer needs no other executor: as fast model it is asked in a callback of the node."""
    model, node, found = made(), Node('selector', context=context), []
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.create_timer(0.01, lambda: found.append(model.predict(frame())))
    end_s = time.monotonic() + WAIT_S
    while len(found) < 3 and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.1)
    assert len(found) == 3
    executor.shutdown()
    node.destroy_node()


def test_in_the_thread_of_a_worker(made: Callable[..., TopicModel]) -> None:
    """As slow model it answers there while the thread that submitted does nothing."""
    ended, finished = threading.Event(), []

    def done(result: Finished) -> None:
        finished.append(result)
        ended.set()

    worker = Worker('slow', made(), done, task())
    worker.submit(7, frame())
    assert ended.wait(WAIT_S)
    assert worker.stop(WAIT_S)
    assert finished[0].sequence == 7 and finished[0].fault == ''


@pytest.mark.slow
def test_the_detector_stops_dies_and_is_started_again(ros: Context, start: Start) -> None:
    """Each call fails until the detector is back, and then gets the answer to its own image."""
    process = start()
    model = TopicModel(card(), ros, start_s=WAIT_S)
    model.warm_up(1)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(PredictionError, match='no answer on /answers'):
        model.predict(frame(level=102))
    process.send_signal(signal.SIGCONT)
    assert until_answered(model).scores == pytest.approx([0.8])
    end(process)
    with pytest.raises(PredictionError):
        model.predict(frame())
    start()
    assert until_answered(model).scores == pytest.approx([0.8])
    model.close()


def test_warm_up_waits_for_the_detector(ros: Context, start: Start) -> None:
    """It may be started after the model; the times returned are those of answered calls."""
    model = TopicModel(card(), ros, start_s=WAIT_S)
    times: list[float] = []
    thread = threading.Thread(target=lambda: times.extend(model.warm_up(3)))
    thread.start()
    start()
    thread.join(WAIT_S)
    model.close()
    assert len(times) == 3 and all(0.0 < t < TIMEOUT_S for t in times)


def test_warm_up_gives_up(ros: Context) -> None:
    """Without a detector it fails after the time allowed; no run needs none."""
    model = TopicModel(card(), ros, start_s=0.2)
    assert model.warm_up(0) == []
    with pytest.raises(PredictionError, match='reaches nobody on /images'):
        model.warm_up(1)
    model.close()


def test_relative_topics_are_in_the_namespace(ros: Context, start: Start) -> None:
    """Two robots with the same card do not meet."""
    start('robot1')
    mine = TopicModel(card(), ros, '/robot1', start_s=WAIT_S)
    other = TopicModel(card(), ros, '/', start_s=0.0)
    assert len(mine.warm_up(1)) == 1
    with pytest.raises(PredictionError, match='reaches nobody on /images'):
        other.warm_up(1)
    mine.close()
    other.close()


def test_close_ends_a_call(made: Callable[..., TopicModel]) -> None:
    """It fails long before its time is up; so do later calls, and a second close does nothing."""
    model, faults = made(timeout_s=WAIT_S), []

    def ask() -> None:
        try:
            model.predict(frame(SILENT))
        except PredictionError as err:
            faults.append(str(err))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    start_s = time.monotonic()
    model.close()
    thread.join(WAIT_S)
    assert time.monotonic() - start_s < WAIT_S / 2
    assert faults == ['is closed']
    model.close()
    with pytest.raises(PredictionError, match='slow is closed'):
        run(model, frame(), task())


def test_a_context_that_is_gone(domain: int) -> None:
    """A call after the shutdown of ROS fails, in one line."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    model = TopicModel(card(), context, start_s=WAIT_S)
    model.warm_up(1)
    context.shutdown()
    with pytest.raises(PredictionError, match='.+') as caught:
        run(model, frame(), task())
    assert '\n' not in str(caught.value)
    model.close()


def test_in_a_context_of_its_own(domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a context it makes one, in the domain of the environment, and ends it."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    model = TopicModel(card(), start_s=WAIT_S)
    assert len(model.warm_up(2)) == 2
    model.close()
    model.close()


def test_what_cannot_be_made(ros: Context) -> None:
    """A package that is not installed, an answer of another task and a bad name are told."""
    other = card(answer='vision_msgs/Classification')
    with pytest.raises(ModelError, match='is for detection; vision_msgs/Classification holds'):
        TopicModel(other, ros)
    with pytest.raises(ModelError, match='slow: .*[Tt]opic name.*two words'):
        TopicModel(card(input='two words'), ros)
    with pytest.raises(ModelError, match='slow has no topics: its runtime is topic'):
        TopicModel(card().model_copy(update={'topic': None}), ros)


def test_a_package_that_is_missing(ros: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where vision_msgs is not installed, that is said, and how to get it."""
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', None)
    with pytest.raises(MissingError, match='vision_msgs is not here .*ros-.*-vision-msgs'):
        TopicModel(card(answer='vision_msgs/Detection2DArray'), ros)
