"""Bag: read a rosbag2 without ROS, as far as it can be read."""

from __future__ import annotations

from collections.abc import Iterator
import hashlib
import json
from pathlib import Path
from typing import Any
from typing import BinaryIO
from typing import NamedTuple

from selector.errors import BagError
from selector.errors import did_you_mean
from selector.errors import InputError
from selector.errors import MissingError
from selector.frame import Frame
from selector.image import decode_compressed
from selector.image import decode_raw

_STRING = 'std_msgs/msg/String'
IMAGE_TYPES = ('sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/Image')


class RawMessage(NamedTuple):
    """One message as stored: topic, ROS type, bag stamp [ns] and CDR bytes."""

    topic: str
    msgtype: str
    stamp_ns: int
    data: bytes


class Loss(NamedTuple):
    """Where reading ended early.

    Attributes:
        file: name of the damaged file.
        offset_bytes: position up to which it could be read.
        messages: messages read before.
        why: the finding, in words.
    """

    file: str
    offset_bytes: int
    messages: int
    why: str


class BagFrame(NamedTuple):
    """One image of a bag with what the bag says about it.

    Attributes:
        frame: the image.
        context: latest declared context, '' before the first.
        label: name of the true class, '' when the bag does not say.
        track: id of the object in view, -1 when the bag does not say.
    """

    frame: Frame
    context: str
    label: str
    track: int


class Bag:
    """A rosbag2 folder or a single `.mcap` file; `loss` says what could not be read."""

    def __init__(self, path: Path) -> None:
        """Find the bag's files.

        Raises:
            BagError: there is no bag at `path`.
            MissingError: the packages that read bags are not installed.
        """
        self.path = path
        self.loss: Loss | None = None
        files = [path] if path.suffix == '.mcap' else sorted(path.glob('*.mcap'))
        if not path.exists():
            raise BagError(f'no bag at {path}')
        if not files and not (path / 'metadata.yaml').is_file():
            raise BagError(f'{path} is no rosbag2: no metadata.yaml and no .mcap file in it')
        self._files = files
        try:
            import rosbags.rosbag2
            import rosbags.typesys
        except ImportError as err:
            raise MissingError(
                "reading bags needs the extra 'data': pip install 'rosbags>=0.10' mcap"
            ) from err
        self._reader = rosbags.rosbag2
        self._types: Any = rosbags.typesys.get_typestore(rosbags.typesys.Stores.ROS2_JAZZY)

    def messages(self) -> Iterator[RawMessage]:
        """Yield every readable message in bag order; afterwards `loss` tells what was not."""
        self.loss = None
        try:
            reader = self._reader.Reader(self.path)
            reader.open()
        except Exception as err:  # rosbags raises its own, struct's and OS errors on damage
            if not self._files:
                raise BagError(f'{self.path} cannot be opened: {_brief(err)}') from err
            yield from self._salvaged(_brief(err))
            return
        count = 0
        try:
            for connection, stamp_ns, data in reader.messages():
                yield RawMessage(connection.topic, connection.msgtype, stamp_ns, bytes(data))
                count += 1
        except Exception as err:  # see above
            self.loss = self._located(count, _brief(err))
        finally:
            reader.close()

    def decode(self, message: RawMessage) -> Any:
        """Return a message as an object with its ROS fields.

        Raises:
            InputError: the type is unknown or the bytes do not fit it.
        """
        try:
            return self._types.deserialize_cdr(message.data, message.msgtype)
        except Exception as err:  # rosbags raises several kinds on damaged bytes
            raise InputError(f'{message.topic}: message cannot be decoded: {_brief(err)}') from err

    def _salvaged(self, why: str) -> Iterator[RawMessage]:
        """Yield the messages before the damage, reading records in file order, no index."""
        count = 0
        for file in self._files:
            for found in _until_broken(file):
                if isinstance(found, RawMessage):
                    yield found
                    count += 1
                elif found.why and self.loss is None:
                    self.loss = Loss(file.name, found.offset_bytes, count, found.why)
        if self.loss is None and (self.path / 'metadata.yaml').is_file():
            self.loss = Loss('metadata.yaml', 0, count, why)

    def _located(self, count: int, why: str) -> Loss:
        """Return the loss of a reading by index that failed after `count` messages."""
        for file in self._files:
            for found in _until_broken(file):
                if isinstance(found, _End) and found.why:
                    return Loss(file.name, found.offset_bytes, count, found.why)
        return Loss(self.path.name, 0, count, why)


class _End(NamedTuple):
    """Where the last whole record of a file ends, and why nothing follows; '' when all is read."""

    offset_bytes: int
    why: str


def _until_broken(file: Path) -> Iterator[RawMessage | _End]:
    with file.open('rb') as stream:
        offset_bytes, why = 0, ''
        try:
            for found, end in _stream(stream):
                offset_bytes = end
                yield from found
        except Exception as err:  # mcap raises its own, struct's and codec errors
            why = _brief(err)
        yield _End(offset_bytes, why)


def _stream(stream: BinaryIO) -> Iterator[tuple[list[RawMessage], int]]:
    """Yield the messages of each record of an mcap stream and where it ends, until it breaks."""
    from mcap.records import Channel
    from mcap.records import Chunk
    from mcap.records import Message
    from mcap.records import Schema
    from mcap.stream_reader import breakup_chunk
    from mcap.stream_reader import StreamReader

    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    for outer in StreamReader(stream, emit_chunks=True).records:
        found = []
        for record in breakup_chunk(outer, True) if isinstance(outer, Chunk) else [outer]:
            if isinstance(record, Schema):
                schemas[record.id] = record.name
            elif isinstance(record, Channel):
                channels[record.id] = (record.topic, schemas.get(record.schema_id, ''))
            elif isinstance(record, Message):
                place = channels[record.channel_id]
                found.append(RawMessage(*place, record.log_time, bytes(record.data)))
        yield found, stream.tell()


def frames(bag: Bag, image_topic: str = '') -> Iterator[BagFrame]:
    """Yield the images of a bag with context and label, numbered from 0.

    Args:
        bag: the bag, read twice.
        image_topic: which images; may be empty where the bag has one image topic.

    Raises:
        BagError: there is no such topic, or several and none is named.
    """
    topic, truths = _scan(bag, image_topic)
    context, sequence = '', 0
    for message in bag.messages():
        if message.topic == '/context':
            context = _text(bag, message)
        elif message.topic == topic:
            frame = _frame(bag, message, sequence)
            label, track = truths.get(frame.stamp_ns, ('', -1))
            yield BagFrame(frame, context, label, track)
            sequence += 1


def _scan(bag: Bag, wanted: str) -> tuple[str, dict[int, tuple[str, int]]]:
    """Return the image topic, and label and track by stamp."""
    topics: dict[str, str] = {}
    truths: dict[int, tuple[str, int]] = {}
    for message in bag.messages():
        topics[message.topic] = message.msgtype
        if message.topic == '/ground_truth':
            truths.update(_truth(bag, message))
    images = sorted(t for t, kind in topics.items() if kind in IMAGE_TYPES)
    if wanted and wanted not in images:
        raise BagError(
            f'no images on {wanted} in {bag.path}{did_you_mean(wanted, images)}; topics: '
            f'{", ".join(sorted(topics)) or "none"}'
        )
    if not wanted and len(images) != 1:
        listed = ', '.join(images) or 'none; topics: ' + (', '.join(sorted(topics)) or 'none')
        raise BagError(f'{bag.path} needs one image topic, it has {listed}; name one with --topic')
    return wanted or images[0], truths


def _text(bag: Bag, message: RawMessage) -> str:
    """Return the text of a std_msgs/String, '' when it is none."""
    try:
        return str(bag.decode(message).data) if message.msgtype == _STRING else ''
    except InputError:
        return ''


def _truth(bag: Bag, message: RawMessage) -> dict[int, tuple[str, int]]:
    try:
        told = json.loads(_text(bag, message))
        return {int(told['stamp_ns']): (str(told['label']), int(told.get('track', -1)))}
    except (ValueError, TypeError, KeyError, OverflowError):
        return {}


def _frame(bag: Bag, message: RawMessage, sequence: int) -> Frame:
    digest = hashlib.sha256(message.data).hexdigest()[:16]
    stamp_ns, frame_id = message.stamp_ns, ''
    try:
        decoded = bag.decode(message)
        stamp = decoded.header.stamp
        stamp_ns, frame_id = stamp.sec * 1_000_000_000 + stamp.nanosec, decoded.header.frame_id
        digest = hashlib.sha256(decoded.data).hexdigest()[:16]
        if message.msgtype == IMAGE_TYPES[0]:
            image = decode_compressed(bytes(decoded.data))
        else:
            image = decode_raw(
                decoded.data, decoded.encoding, decoded.height, decoded.width, decoded.step
            )
    except InputError as err:
        return Frame(sequence, stamp_ns, frame_id, '', None, digest, str(err))
    return Frame(sequence, stamp_ns, frame_id, '', image, digest)


def _brief(err: Exception) -> str:
    text = ' '.join(str(err).split())
    return f'{type(err).__name__}{": " if text else ""}{text}'[:200]
