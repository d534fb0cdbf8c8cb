"""The player publishes a bag as it stands, and never runs away from who answers."""

from collections.abc import Callable
from collections.abc import Iterator
import json
from pathlib import Path
import struct
import threading
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore
from rosbags.typesys import Stores
from rosgraph_msgs.msg import Clock
from selector.errors import BagError
from selector.ros import player
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.conversions import stamp_to_ros
from selector.ros.pace import image_stamp_ns
from selector.ros.pace import Window
from selector_msgs.msg import Prediction
from sensor_msgs.msg import CompressedImage
from small_pair import jpeg
from std_msgs.msg import Header
from std_msgs.msg import String

pytestmark = pytest.mark.ros

IMAGES = 12
START_NS = 1_700_000_000 * 10**9
STEP_NS = 10**9 // 50


def image(number: int) -> CompressedImage:
    """Return the image of the bag with this number."""
    header = Header(stamp=stamp_to_ros(START_NS + number * STEP_NS), frame_id='camera')
    return CompressedImage(header=header, format='jpeg', data=jpeg(10 * number))


def write_bag(path: Path) -> Path:
    """Write a bag with a context, images and a recorded answer."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        context = writer.add_connection('/context', 'std_msgs/msg/String', typestore=store)
        kind = 'sensor_msgs/msg/CompressedImage'
        images = writer.add_connection('/image_raw/compressed', kind, typestore=store)
        clock = writer.add_connection('/clock', 'rosgraph_msgs/msg/Clock', typestore=store)
        writer.write(context, START_NS, serialize_message(String(data='dusk')))
        for number in range(IMAGES):
            stamp_ns = START_NS + number * STEP_NS
            writer.write(images, stamp_ns, serialize_message(image(number)))
            writer.write(clock, stamp_ns, serialize_message(Clock()))
    return path


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small bag."""
    return write_bag(tmp_path_factory.mktemp('bag') / 'small')


class Listener:
    """Hears what the player publishes, in a thread of its own, and may answer.

    Attributes:
        images, contexts, clocks: what was heard, images as bytes.
        answer: whether an image gets a final answer, by its number from 0.
    """

    def __init__(self, context: Context, namespace: str) -> None:
        self.node = Node('selector', context=context, namespace=namespace)
        self.images: list[bytes] = []
        self.contexts: list[str] = []
        self.clocks: list[int] = []
        self.answer: Callable[[int], bool] = lambda _: True
        self._answers = self.node.create_publisher(Prediction, '~/prediction', 100)
        deep = QoSProfile(depth=100)
        self.node.create_subscription(
            CompressedImage, 'image_raw/compressed', self._hear, deep, raw=True
        )
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(
            String, 'context', lambda m: self.contexts.append(m.data), latched
        )
        self.node.create_subscription(
            Clock, '/clock', lambda m: self.clocks.append(stamp_ns_from_ros(m.clock)), deep
        )
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def close(self) -> None:
        """End the thread before the context goes, or the process would be aborted."""
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def _hear(self, data: bytes) -> None:
        number = len(self.images)
        self.images.append(data)
        if self.answer(number):
            header = deserialize_message(data, CompressedImage).header
            self._answers.publish(Prediction(header=header, provisional=True))
            self._answers.publish(Prediction(header=header))


@pytest.fixture
def listen(ros: Any) -> Iterator[Callable[..., Listener]]:
    """Return what makes a listener."""
    made: list[Listener] = []

    def listener(namespace: str = '') -> Listener:
        made.append(Listener(ros, namespace))
        return made[-1]

    yield listener
    for one in made:
        one.close()


def result(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """Return the JSON line on stdout, and stderr."""
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_everything_arrives(
    bag: Path, listen: Callable[..., Listener], capsys: pytest.CaptureFixture[str]
) -> None:
    """Images arrive as the bytes of the bag, the context once, /clock before each message."""
    heard = listen()
    assert player.main([str(bag), '--progress']) == 0
    told, err = result(capsys)
    assert {k: told[k] for k in ('frames', 'answered', 'stalled')} == {
        'frames': IMAGES,
        'answered': IMAGES,
        'stalled': 0,
    }
    assert told['wall_s'] >= (IMAGES - 1) * STEP_NS * 1e-9
    assert heard.images == [serialize_message(image(n)) for n in range(IMAGES)]
    assert heard.contexts == ['dusk']
    assert heard.clocks[0] == START_NS
    assert heard.clocks == sorted(heard.clocks)
    assert heard.clocks[-1] == START_NS + (IMAGES - 1) * STEP_NS
    assert '100 %, 12 images' in err
    assert '\r' not in err
    assert '/clock of the bag is left out' in err


def test_namespace_and_no_clock(
    bag: Path, listen: Callable[..., Listener], capsys: pytest.CaptureFixture[str]
) -> None:
    """Names are relative, so that a namespace moves them; /clock can be left to others."""
    heard = listen('/front')
    words = [str(bag), '--no-clock', '--rate', 'inf', '--ros-args', '-r', '__ns:=/front']
    assert player.main(words) == 0
    assert result(capsys)[0]['answered'] == IMAGES
    assert heard.clocks == []


def test_held_back(
    bag: Path,
    listen: Callable[..., Listener],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never more than `--ahead` images wait; after a stall the player goes on and counts it."""
    monkeypatch.setattr(player, 'STALL_S', 0.5)
    heard = listen()
    most: list[int] = []

    def answer(number: int) -> bool:
        most.append(number)
        return number >= 3

    heard.answer = answer
    assert player.main([str(bag), '--rate', 'inf', '--ahead', '3']) == 0
    told, _ = result(capsys)
    assert (told['frames'], told['answered'], told['stalled']) == (IMAGES, IMAGES - 3, 1)
    assert told['wall_s'] >= 0.5


def test_nobody_listens(
    bag: Path, ros: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a subscriber nothing is played; the message says what to start."""
    monkeypatch.setattr(player, 'MATCH_S', 0.3)
    assert player.main([str(bag)]) == 3
    err = capsys.readouterr().err
    assert 'nobody subscribed to /image_raw/compressed' in err
    assert 'start the node first' in err


def test_nobody_answers(
    bag: Path,
    listen: Callable[..., Listener],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where nobody can answer, images are not held back, and it is said."""
    heard = listen()
    words = [str(bag), '--rate', 'inf', '--answers', 'other/prediction']
    assert player.main(words) == 0
    told, err = result(capsys)
    assert (told['answered'], told['stalled']) == (0, 0)
    assert 'nobody answers on other/prediction' in err
    assert len(heard.images) == IMAGES


def test_truncated_bag(
    bag: Path,
    tmp_path: Path,
    listen: Callable[..., Listener],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What can be read is played; the loss is told with its place, and the exit code is 1."""
    (whole,) = bag.glob('*.mcap')
    data = unchunked(tmp_path)
    broken = tmp_path / 'broken.mcap'
    broken.write_bytes(data[: len(data) // 2])
    assert whole.stat().st_size > 0
    listen()
    assert player.main([str(broken), '--rate', 'inf']) == 1
    told, err = result(capsys)
    assert 0 < told['frames'] == told['answered'] < IMAGES
    assert 'broken.mcap is damaged at byte ' in err
    assert 'messages could be read' in err


def unchunked(folder: Path) -> bytes:
    """Return a plain mcap file of the images, record after record."""
    from mcap.writer import CompressionType
    from mcap.writer import Writer as McapWriter

    path = folder / 'plain.mcap'
    with path.open('wb') as stream:
        writer = McapWriter(stream, compression=CompressionType.NONE, use_chunking=False)
        writer.start('ros2', 'test')
        schema = writer.register_schema('sensor_msgs/msg/CompressedImage', 'ros2msg', b'')
        channel = writer.register_channel('/image_raw/compressed', 'cdr', schema)
        for number in range(IMAGES):
            stamp_ns = START_NS + number * STEP_NS
            payload = serialize_message(image(number))
            writer.add_message(channel, stamp_ns, payload, stamp_ns)
        writer.finish()
    return path.read_bytes()


def test_no_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that holds no bag is bad input, in one line."""
    assert player.main([str(tmp_path / 'nothing')]) == 2
    assert 'player: no bag at' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['--rate', '0'], ['--rate', 'fast'], ['--ahead', '0']])
def test_bad_option(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An option out of range is a usage error."""
    with pytest.raises(SystemExit) as ended:
        player.main(['bag', *words])
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_window() -> None:
    """Two images of one stamp are two; an answer nobody waits for counts for nothing."""
    window = Window(2)
    window.send(5)
    assert not window.full
    window.send(5)
    assert window.full
    window.answer(5)
    window.answer(7)
    assert (window.open, window.answered) == (1, 1)
    window.give_up()
    window.answer(5)
    assert (window.open, window.answered, window.sent) == (0, 1, 2)


def test_stamp_without_decoding() -> None:
    """The stamp is read from the bytes, in either byte order; too few bytes are refused."""
    data = serialize_message(image(3))
    assert image_stamp_ns(data) == START_NS + 3 * STEP_NS
    assert image_stamp_ns(b'\0\0\0\0' + struct.pack('>iI', 7, 9)) == 7 * 10**9 + 9
    with pytest.raises(BagError, match='has no header'):
        image_stamp_ns(data[:11])


def test_context_is_not_left_behind(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The player ends its own context; the default one is not touched."""
    assert player.main([str(bag), '--wait-for', 'image/compressed']) == 2
    assert "did you mean '/image_raw/compressed'" in capsys.readouterr().err
    assert not rclpy.ok()
