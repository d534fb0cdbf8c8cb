"""Write the demo stream `bags/patrol`: two minutes of a patrolling robot's camera as a rosbag2.

    python bags/make_patrol.py [--out bags/patrol]

The same versions of Pillow, numpy and rosbags give the same bytes. Needs the CIFAR-10 archive (see
`models/cifar10.py`); `bags/README.md` describes the stream.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import hashlib
import json
from pathlib import Path
import shutil
import sys
import tempfile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos
from rosbags.interfaces import QosDurability
from rosbags.interfaces import QosHistory
from rosbags.interfaces import QosLiveliness
from rosbags.interfaces import QosReliability
from rosbags.interfaces import QosTime
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore
from rosbags.typesys import Stores

BAGS = Path(__file__).resolve().parent
for folder in (BAGS, BAGS.parent / 'models'):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import cifar10  # noqa: E402
import render  # noqa: E402

NAME = 'patrol'
EPOCH_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
FRAMES = 1_200
SEGMENT_FRAMES = 150  # frames of one context before the next: two rounds of four
CONTEXT_LEAD_NS = 1_000_000  # a context is published this long before its first frame
CONTEXT_EVERY = 10  # frames between two messages on /context
OBJECT_FRAMES = (10, 30)  # least and most frames that an object stays in view
SPEED_M_S = 0.8
SEED = 20_260
IMAGE_TOPIC = '/image_raw/compressed'
CONTEXT_TOPIC = '/context'
TRUTH_TOPIC = '/ground_truth'
STRING = 'std_msgs/msg/String'
TYPES = get_typestore(Stores.ROS2_JAZZY)


class Visit(NamedTuple):
    """One object in view."""

    first: int
    """Number of its first frame."""
    frames: int
    """How many frames it stays, in `OBJECT_FRAMES`; the last visit may be shorter."""
    image: int
    """Its place in the split `patrol`, and its track number."""


class Message(NamedTuple):
    """One message of the bag."""

    stamp_ns: int
    topic: str
    data: bytes | memoryview


def visits(labels: NDArray[np.int64], draw: np.random.Generator) -> list[Visit]:
    """Return which object is seen when: no image twice, classes in turn in a drawn order.

    Args:
        labels: class of each image of the split, (N,).
        draw: source of all draws.
    """
    pools = {c: draw.permutation(np.flatnonzero(labels == c)).tolist() for c in range(10)}
    planned: list[Visit] = []
    order: list[int] = []
    first = 0
    while first < FRAMES:
        order = order or draw.permutation(10).tolist()
        least, most = OBJECT_FRAMES  # mostly short: more objects say more about a policy
        stay = least + int((most + 1 - least) * float(draw.random()) ** 3)
        stay = min(stay, FRAMES - first)
        planned.append(Visit(first, stay, pools[order.pop()].pop()))
        first += stay
    return planned


def context_at(frame: int) -> str:
    """Return the context of a frame: `render.CONTEXTS` in turn, `SEGMENT_FRAMES` each."""
    return render.CONTEXTS[frame // SEGMENT_FRAMES % len(render.CONTEXTS)]


def messages(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Iterator[Message]:
    """Yield every message of the bag in the order of the stamps.

    Args:
        images: the split `patrol`, (N, 32, 32, 3) uint8 RGB.
        labels: its classes, (N,).
    """
    draw = np.random.default_rng(SEED)
    for visit in visits(labels, draw):
        sway = render.draw_sway(draw)
        for number in range(visit.first, visit.first + visit.frames):
            stamp_ns = EPOCH_NS + number * PERIOD_NS
            context = context_at(number)
            if number % CONTEXT_EVERY == 0:
                yield Message(stamp_ns - CONTEXT_LEAD_NS, CONTEXT_TOPIC, _string(context))
            walk_m = SPEED_M_S * number / 10.0 + 1.7 * (visit.image % 7)
            motion = sway.at((number - visit.first) / 10.0, walk_m)
            noise = render.draw_noise(np.random.default_rng([SEED, number]))
            frame = render.render(images[visit.image], motion, context, noise)
            yield Message(stamp_ns, IMAGE_TOPIC, _image(stamp_ns, render.encode(frame)))
            truth = _truth(stamp_ns, int(labels[visit.image]), visit.image)
            yield Message(stamp_ns, TRUTH_TOPIC, _string(truth))


def _truth(stamp_ns: int, label: int, track: int) -> str:
    fields = {
        'stamp_ns': stamp_ns,
        'label': cifar10.LABELS[label],
        'label_id': label,
        'track': track,
    }
    return json.dumps(fields)


def _string(text: str) -> bytes | memoryview:
    return TYPES.serialize_cdr(TYPES.types[STRING](data=text), STRING)


def _image(stamp_ns: int, jpeg: bytes) -> bytes | memoryview:
    kind = 'sensor_msgs/msg/CompressedImage'
    second, nanosecond = divmod(stamp_ns, 1_000_000_000)
    stamp = TYPES.types['builtin_interfaces/msg/Time'](sec=second, nanosec=nanosecond)
    header = TYPES.types['std_msgs/msg/Header'](stamp=stamp, frame_id='camera')
    data = np.frombuffer(jpeg, np.uint8)
    return TYPES.serialize_cdr(TYPES.types[kind](header=header, format='jpeg', data=data), kind)


def _qos(depth: int, latched: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    forever = QosTime(sec=9_223_372_036, nsec=854_775_807)
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        forever,
        forever,
        QosLiveliness.AUTOMATIC,
        forever,
        avoid_ros_namespace_conventions=False,
    )


def write(folder: Path, content: Iterator[Message]) -> Path:
    """Write the messages as a rosbag2 into the new `folder`; return the path of the mcap file."""
    topics = {
        IMAGE_TOPIC: ('sensor_msgs/msg/CompressedImage', _qos(10, latched=False)),
        CONTEXT_TOPIC: (STRING, _qos(1, latched=True)),
        TRUTH_TOPIC: (STRING, _qos(10, latched=False)),
    }
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        connections = {
            topic: bag.add_connection(topic, kind, typestore=TYPES, offered_qos_profiles=[qos])
            for topic, (kind, qos) in topics.items()
        }
        for message in content:
            bag.write(connections[message.topic], message.stamp_ns, message.data)
    return folder / f'{folder.name}.mcap'


def make(folder: Path) -> Path:
    """Make the stream in `folder`, in place of an earlier one; return the path of the mcap file.

    Raises:
        SystemExit: `folder` holds something else than this stream.
    """
    if folder.exists() and not _is_ours(folder):
        raise SystemExit(f'{folder} exists and is not a patrol bag; give another --out')
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        write(made, messages(*cifar10.load('patrol')))
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return folder / f'{folder.name}.mcap'


def _is_ours(folder: Path) -> bool:
    files = {f'{folder.name}.mcap', 'metadata.yaml'}
    if not folder.is_dir() or {path.name for path in folder.iterdir()} != files:
        return False
    metadata = (folder / 'metadata.yaml').read_text(encoding='utf-8')
    return all(f'name: {topic}\n' in metadata for topic in (IMAGE_TOPIC, TRUTH_TOPIC))


def main() -> int:
    """Make the bag named on the command line and print its sha256."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=BAGS / NAME)
    path = make(parser.parse_args().out.resolve())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f'{path.name} {path.stat().st_size} bytes sha256 {digest}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
