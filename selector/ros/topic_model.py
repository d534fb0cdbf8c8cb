"""Topic model: a detector that is another ROS node, asked one image at a time."""

from __future__ import annotations

from array import array
from collections import deque
import io
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
import rclpy
from rclpy.context import Context
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from selector.cards.card import Card
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.prediction import Prediction
from selector.ros.answer import message_type
from selector.ros.answer import reader
from selector.ros.answer import Size
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.conversions import stamp_to_ros
from selector.tasks.known import task_named
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header

START_S = 30.0
_GONE = (
    ExternalShutdownException,
    rclpy_implementation.RCLError,
    rclpy_implementation.InvalidHandle,
)
# How long `close` may have to wait for a call that runs.
_SLICE_S = 0.05
_GIVEN_UP = 16
_BLANK = (480, 640, 3)
_QUALITY = 95


class _NoAnswer(PredictionError):
    """Nobody listens, or answers in time: what a detector that is still starting does."""


class TopicModel:
    """A detector behind two topics; it gets an image only when it is asked about one.

    It has a node and an executor of its own, and whoever calls `predict` runs that executor while
    it waits. So no other thread has to be free for the answer to arrive, and the selector's node
    may be busy, or wait itself.

    Attributes:
        name: of the model.
        late: answers that came after they had been given up.
        foreign: answers to nothing that was asked.
    """

    def __init__(
        self,
        card: Card,
        context: Context | None = None,
        namespace: str = '',
        *,
        start_s: float = START_S,
    ) -> None:
        """Create the publisher and the subscription.

        Args:
            card: of a model whose runtime is `topic`.
            context: ROS context, that of the selector's node; None: one of its own.
            namespace: of relative topics, that of the selector's node.
            start_s: longest time the detector may take to start, while warming up [s].

        Raises:
            ModelError: the card has no topics, or the answers' type does not fit its task.
            MissingError: the package of the answers' type is not installed.
        """
        if card.topic is None:
            raise ModelError(f'{card.name} has no topics: its runtime is {card.runtime}')
        topics = card.topic
        self.name = card.name
        self.late = self.foreign = 0
        self._card, self._topics, self._start_s = card, topics, start_s
        self._task = task_named(card.task, card.task_spec)
        self._read = reader(topics.answer, card)
        kind = message_type(topics.answer)
        self._own = _context() if context is None else None
        context = self._own if context is None else context
        self._asked_ns = 0
        self._given_up: deque[int] = deque(maxlen=_GIVEN_UP)
        self._found: Any = None
        self._calls, self._closed = threading.Lock(), threading.Event()
        self._node = _node(card.name, context, namespace)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        images = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        # Matches a detector of either reliability; an answer that is lost is one that never came.
        answers = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        try:
            self._publisher = self._node.create_publisher(
                CompressedImage if topics.compressed else Image, topics.input, images
            )
            self._subscription = self._node.create_subscription(
                kind, topics.output, self._receive, answers
            )
        except NameValidationException as err:
            self.close()
            raise ModelError(f'{card.name}: {" ".join(str(err).split())}') from err

    def predict(self, image: NDArray[np.uint8]) -> Prediction:
        """Return the prediction for one image (H, W, 3) uint8 RGB, under a stamp of our own.

        Raises:
            PredictionError: see `predict_at`.
        """
        return self.predict_at(image, max(time.time_ns(), self._asked_ns + 1), '')

    def predict_at(self, image: NDArray[np.uint8], stamp_ns: int, frame_id: str) -> Prediction:
        """Return the prediction for one image under the stamp and frame id of its own header.

        A detector that joins the image with other topics, or that others join with the image,
        needs them.

        Args:
            image: (H, W, 3) uint8 RGB.
            stamp_ns: of the frame's header [ns].
            frame_id: of the frame's header.

        Raises:
            PredictionError: nobody listens, no answer came in time, or it is none.
        """
        with self._calls:
            return self._ask(image, stamp_ns, frame_id)

    def warm_up(self, runs: int) -> list[float]:
        """Ask about a blank image `runs` times and return each measured time [s].

        The detector may still be starting: until its first answer we keep asking.

        Raises:
            PredictionError: see `predict_at`.
        """
        blank = np.zeros(_BLANK, np.uint8)
        times: list[float] = []
        end_s = time.monotonic() + self._start_s
        while len(times) < runs:
            try:
                times.append(self.predict(blank).wall_s)
            except _NoAnswer:
                if times or time.monotonic() > end_s:
                    raise
                time.sleep(_SLICE_S)
        return times

    def close(self) -> None:
        """Let the node go; a call that runs fails, and so do later ones."""
        self._closed.set()
        with self._calls:
            self._executor.shutdown()
            self._node.destroy_node()  # a second time does nothing
            if self._own is not None:
                self._own.try_shutdown()

    def _ask(self, image: NDArray[np.uint8], stamp_ns: int, frame_id: str) -> Prediction:
        start_s = time.perf_counter()
        self._asked_ns, self._found = stamp_ns, None
        others = self.foreign
        try:
            self._check_listeners()
            header = Header(stamp=stamp_to_ros(stamp_ns), frame_id=frame_id)
            self._publisher.publish(
                image_to_ros(image, header, compressed=self._topics.compressed)
            )
            found = self._wait(start_s + self._topics.timeout_s)
        except _GONE as err:
            raise PredictionError(f'cannot be asked any more: {_first_line(err)}') from err
        if found is None:
            self._given_up.append(stamp_ns)
            raise _NoAnswer(self._silence(self.foreign - others))
        answer = self._read(found, self._card, Size(image.shape[1], image.shape[0]))
        self._task.check(answer)
        return answer._replace(wall_s=time.perf_counter() - start_s)

    def _check_listeners(self) -> None:
        if self._closed.is_set():
            raise PredictionError('is closed')
        if not self._publisher.get_subscription_count():
            topic = self._publisher.topic_name
            unmatched = self._node.count_subscribers(topic)
            hint = (
                'their type or QoS is another than that of our images'
                if unmatched
                else 'start the detector, or correct the input topic in the card'
            )
            raise _NoAnswer(
                f'reaches nobody on {topic} (0 of {unmatched} subscribers match); {hint}'
            )

    def _wait(self, end_s: float) -> Any:
        """Run callbacks until the answer is there; None when it is not by `end_s`."""
        while self._found is None:
            left_s = end_s - time.perf_counter()
            if left_s <= 0.0:
                return None
            if self._closed.is_set():
                raise PredictionError('is closed')
            self._executor.spin_once(timeout_sec=min(left_s, _SLICE_S))
        return self._found

    def _receive(self, msg: Any) -> None:
        stamp_ns = stamp_ns_from_ros(msg.header.stamp)
        # Where stamps only have to be near, a late answer must not pass for the awaited one.
        asked = min((self._asked_ns, *self._given_up), key=lambda ns: abs(ns - stamp_ns))
        if abs(asked - stamp_ns) > self._topics.stamp_slop_s * 1e9:
            self.foreign += 1
        elif asked == self._asked_ns:
            self._found = msg
        else:
            self._given_up.remove(asked)
            self.late += 1

    def _silence(self, others: int) -> str:
        topic = self._subscription.topic_name
        text = f'got no answer on {topic} within {self._topics.timeout_s:g} s'
        if not self._node.count_publishers(topic):
            return f'{text}: nobody publishes there; correct the output topic in the card'
        if others:
            return f'{text}, but {others} with other stamps; see stamp_slop_s of the card'
        return text


def image_to_ros(
    image: NDArray[np.uint8], header: Header, *, compressed: bool
) -> Image | CompressedImage:
    """Return pixels (H, W, 3) uint8 RGB as a message, rgb8 or JPEG; `header` as it is."""
    if compressed:
        stream = io.BytesIO()
        Picture.fromarray(image).save(stream, 'JPEG', quality=_QUALITY)
        packed = CompressedImage(header=header, format='jpeg')
        packed.data = array('B', stream.getvalue())
        return packed
    height, width, channels = image.shape
    step = channels * width
    msg = Image(header=header, height=height, width=width, encoding='rgb8', step=step)
    # rclpy takes an array as it is; it would check every byte of anything else.
    msg.data = array('B', image.tobytes())
    return msg


def _context() -> Context:
    made = Context()
    rclpy.init(args=[], context=made, signal_handler_options=SignalHandlerOptions.NO)
    return made


def _node(model: str, context: Context | None, namespace: str) -> Node:
    # Not the command line's arguments: they rename the selector's node, and would this one.
    return Node(
        'asks_' + ''.join(c if c.isascii() and c.isalnum() else '_' for c in model),
        context=context,
        namespace=namespace,
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
    )


def _first_line(err: BaseException) -> str:
    return str(err).strip().partition('\n')[0] or type(err).__name__
