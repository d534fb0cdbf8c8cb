"""Player: plays a bag into the ROS graph, no faster than its images are answered."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import importlib
import json
import math
from pathlib import Path
import sys
import time
from typing import Any
from typing import NamedTuple

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.signals import uninstall_signal_handlers
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from selector.bag import Bag
from selector.bag import IMAGE_TYPES
from selector.bag import RawMessage
from selector.errors import BagError
from selector.errors import did_you_mean
from selector.errors import MissingError
from selector.errors import SelectorError
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.conversions import stamp_to_ros
from selector.ros.pace import image_stamp_ns
from selector.ros.pace import Progress
from selector.ros.pace import Window
from selector_msgs.msg import Prediction

STALL_S = 5.0
MATCH_S = 30.0
# What is declared now and then: who joins late gets the latest.
_LATCHED = ('/context', '/ground_truth')


class Options(NamedTuple):
    """What was asked for on the command line.

    Attributes:
        bag: rosbag2 folder or .mcap file.
        rate: speed, 1 is that of the recording, inf as fast as the answers come.
        clock: publish /clock.
        ahead: most images that may wait for an answer.
        wait_for: topic that must have a subscriber first, '' for the images of the bag.
        answers: topic of the final answers.
        progress: tell how far it is.
    """

    bag: Path
    rate: float
    clock: bool
    ahead: int
    wait_for: str
    answers: str
    progress: bool


class Played(NamedTuple):
    """What came of it: images sent, final answers to them, stalls, and the time it took [s]."""

    frames: int
    answered: int
    stalled: int
    wall_s: float


def scan(bag: Bag) -> tuple[dict[str, str], int]:
    """Return the type of each topic, and how many messages can be read."""
    topics: dict[str, str] = {}
    count = 0
    for message in bag.messages():
        topics[message.topic] = message.msgtype
        count += 1
    return topics, count


class Player:
    """Publishes the messages of a bag as they stand, under relative names."""

    def __init__(self, node: Node, topics: dict[str, str], options: Options) -> None:
        """Create a publisher for each topic whose type is installed."""
        self.window = Window(options.ahead)
        self.stalled = 0
        self._node, self._options = node, options
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._clock = node.create_publisher(Clock, '/clock', 10) if options.clock else None
        self._publishers: dict[str, Publisher] = {}
        for topic, msgtype in topics.items():
            if topic.lstrip('/') in ('clock', options.answers.lstrip('/')):
                _say(f'{topic} of the bag is left out: it would be taken for what happens now')
            else:
                self._create(topic, msgtype)
        self._images = [t for t, kind in topics.items() if kind in IMAGE_TYPES]
        answers = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        node.create_subscription(Prediction, options.answers, self._hear, answers)

    def play(self, messages: Callable[[], Any], total: int) -> Played:
        """Play what `messages()` yields, `total` messages; return what came of it."""
        self._await_subscribers()
        start_s = time.monotonic()
        base_s, base_ns, progress = start_s, None, Progress(total if self._options.progress else 0)
        for count, message in enumerate(messages(), 1):
            base_ns = message.stamp_ns if base_ns is None else base_ns
            due_s = base_s + (message.stamp_ns - base_ns) * 1e-9 / self._options.rate
            self._spin_until(due_s, lambda: False)
            # Whatever the message: it would take /clock past the images that wait. The schedule
            # moves along, or all that was held back would follow in one burst.
            base_s += self._hold()
            self._publish(message)
            progress.tell(count, self.window)
        self._spin_until(time.monotonic() + STALL_S, lambda: not self.window.open)
        wall_s = round(time.monotonic() - start_s, 3)
        return Played(self.window.sent, self.window.answered, self.stalled, wall_s)

    def close(self) -> None:
        """Let the node go."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _create(self, topic: str, msgtype: str) -> None:
        package, _, name = msgtype.split('/')
        try:
            kind = getattr(importlib.import_module(f'{package}.msg'), name)
        except (ImportError, AttributeError):
            _say(f'{topic} is left out: the type {msgtype} is not installed')
            return
        latched = topic in _LATCHED
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
        self._publishers[topic] = self._node.create_publisher(kind, topic.lstrip('/'), qos)

    def _await_subscribers(self) -> None:
        """Wait until somebody listens, and for the one who answers to know us.

        Raises:
            BagError: the bag has no such topic.
            MissingError: nobody listens.
        """
        names = [self._topic(self._options.wait_for)] if self._options.wait_for else self._images
        awaited = [self._publishers[name] for name in names if name in self._publishers]

        def listened() -> bool:
            return any(publisher.get_subscription_count() for publisher in awaited)

        if awaited and not self._spin_until(time.monotonic() + MATCH_S, listened):
            raise MissingError(
                f'nobody subscribed to {", ".join(p.topic_name for p in awaited)} within '
                f'{MATCH_S:.0f} s; start the node first, in the same namespace and domain'
            )
        found = self._spin_until(
            time.monotonic() + 2.0,
            lambda: self._node.count_publishers(self._options.answers) > 0,
        )
        if not found:
            _say(f'nobody answers on {self._options.answers}; images are not held back')
            self.window = Window(sys.maxsize)
        self._spin_until(time.monotonic() + 0.3, lambda: False)

    def _topic(self, wanted: str) -> str:
        for topic in self._publishers:
            if topic.lstrip('/') == wanted.lstrip('/'):
                return topic
        raise BagError(
            f'{self._options.bag} has no topic {wanted}{did_you_mean(wanted, self._publishers)} '
            f'(topics: {", ".join(self._publishers)})'
        )

    def _hold(self) -> float:
        """Wait while too many images are unanswered; return for how long [s]."""
        if not self.window.full:
            return 0.0
        start_s = time.monotonic()
        if not self._spin_until(start_s + STALL_S, lambda: not self.window.full):
            self.stalled += 1
            self.window.give_up()
        return time.monotonic() - start_s

    def _publish(self, message: RawMessage) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp_to_ros(message.stamp_ns)))
        if message.topic in self._images:
            self.window.send(image_stamp_ns(message.data))
        if message.topic in self._publishers:
            self._publishers[message.topic].publish(message.data)

    def _hear(self, msg: Prediction) -> None:
        if not msg.provisional:
            self.window.answer(stamp_ns_from_ros(msg.header.stamp))

    def _spin_until(self, end_s: float, reached: Callable[[], bool]) -> bool:
        """Run callbacks until `reached()` or the steady time `end_s`; return `reached()`."""
        while not reached():
            left_s = end_s - time.monotonic()
            if left_s <= 0.0:
                return reached()
            self._executor.spin_once(timeout_sec=min(left_s, 0.05))
        return True


def _say(text: str) -> None:
    print(f'player: {text}', file=sys.stderr, flush=True)


def _rate(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f'{text} is not above 0 (inf: as fast as answered)')
    return value


def _ahead(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is less than 1')
    return value


def _parse(words: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog='selector_player', description=__doc__)
    parser.add_argument('bag', type=Path, help='rosbag2 folder or .mcap file')
    parser.add_argument('--rate', type=_rate, default=1.0, help='speed; inf: as fast as answered')
    parser.add_argument('--clock', action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        '--ahead', type=_ahead, help='most unanswered images: 5, or 1 when as fast as answered'
    )
    parser.add_argument('--wait-for', default='', help='topic that needs a subscriber first')
    parser.add_argument('--answers', default='selector/prediction', help='topic of the answers')
    parser.add_argument('--progress', action='store_true', help='tell how far it is on stderr')
    given = vars(parser.parse_args(words))
    if given['ahead'] is None:
        # Without a pace of its own /clock would run ahead of the answers as far as the images do,
        # and deadlines with it.
        given['ahead'] = 1 if math.isinf(given['rate']) else 5
    return Options(**given)


def main(argv: list[str] | None = None) -> int:
    """Play a bag; return 0, 1 when it is damaged, 2 on bad input, 3 when nobody listens."""
    words = sys.argv[1:] if argv is None else argv
    options = _parse(remove_ros_args(words))
    context = Context()
    handlers = SignalHandlerOptions.ALL
    try:
        rclpy.init(args=words, context=context, signal_handler_options=handlers)
        return _play(options, context)
    except SelectorError as err:
        _say(str(err))
        return err.exit_code
    except (KeyboardInterrupt, ExternalShutdownException, rclpy_implementation.RCLError):
        if context.ok():
            raise
        _say('interrupted')
        return 130
    finally:
        context.try_shutdown()
        uninstall_signal_handlers()


def _play(options: Options, context: Context) -> int:
    bag = Bag(options.bag)
    topics, total = scan(bag)
    if not total:
        raise BagError(f'{options.bag} holds no message that can be read')
    node = Node('selector_player', context=context)
    player = Player(node, topics, options)
    try:
        played = player.play(bag.messages, total)
    finally:
        player.close()
    print(json.dumps(played._asdict()), flush=True)
    if bag.loss is None:
        return 0
    loss = bag.loss
    _say(
        f'{loss.file} is damaged at byte {loss.offset_bytes}: {loss.why}; '
        f'{loss.messages} messages could be read'
    )
    return 1


if __name__ == '__main__':
    sys.exit(main())
