"""Bag: what is readable of a bag is replayed, and what is not is told with its position."""

from __future__ import annotations

from collections.abc import Iterator
import hashlib
import io
import json
from pathlib import Path
import shutil
import sys
from typing import Any

import numpy as np
from PIL import Image
import pytest
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore
from rosbags.typesys import Stores
from selector.bag import Bag
from selector.bag import BagFrame
from selector.bag import frames
from selector.errors import BagError
from selector.errors import MissingError

TYPES: Any = get_typestore(Stores.ROS2_JAZZY)
STRING = 'std_msgs/msg/String'
JPEG = 'sensor_msgs/msg/CompressedImage'
RAW = 'sensor_msgs/msg/Image'
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
COUNT = 12


def string(text: str) -> tuple[str, Any]:
    """Return a std_msgs/String message with its type."""
    return STRING, TYPES.types[STRING](data=text)


def header(stamp_ns: int) -> Any:
    """Return a std_msgs/Header."""
    second, nanosecond = divmod(stamp_ns, 1_000_000_000)
    stamp = TYPES.types['builtin_interfaces/msg/Time'](sec=second, nanosec=nanosecond)
    return TYPES.types['std_msgs/msg/Header'](stamp=stamp, frame_id='camera')


def pixels(k: int) -> Any:
    """Return the k-th image (6, 8, 3); each is of one colour of its own."""
    return np.full((6, 8, 3), 10 * k, np.uint8)


def jpeg(k: int, data: bytes | None = None) -> tuple[str, Any]:
    """Return the k-th image compressed (losslessly, as PNG), or `data` in its place."""
    out = io.BytesIO()
    Image.fromarray(pixels(k)).save(out, 'PNG')
    payload = np.frombuffer(out.getvalue() if data is None else data, np.uint8)
    return JPEG, TYPES.types[JPEG](
        header=header(START_NS + k * STEP_NS), format='png', data=payload
    )


def raw(k: int, encoding: str = 'bgr8') -> tuple[str, Any]:
    """Return the k-th image raw."""
    return RAW, TYPES.types[RAW](
        header=header(START_NS + k * STEP_NS), height=6, width=8, encoding=encoding,
        is_bigendian=0, step=24, data=pixels(k)[..., ::-1].reshape(-1),
    )  # fmt: skip


def truth(k: int, label: str) -> tuple[str, Any]:
    """Return what is in view in the k-th image."""
    return string(json.dumps({'stamp_ns': START_NS + k * STEP_NS, 'label': label, 'track': k}))


Messages = list[tuple[str, tuple[str, Any]]]


def stream(count: int = COUNT, image: Any = jpeg) -> Messages:
    """Return the messages of a small stream; the context changes half way."""
    out: Messages = []
    for k in range(count):
        if k % (count // 2) == 0:
            out.append(('/context', string('day' if k == 0 else 'dusk')))
        out.append(('/image', image(k)))
        out.append(('/ground_truth', truth(k, f'class{k}')))
    return out


def write(
    path: Path, messages: Messages, plugin: StoragePlugin = StoragePlugin.MCAP, start: int = 0
) -> Path:
    """Write a bag, one message a millisecond in bag time; return its path."""
    connections: dict[str, Any] = {}
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        for k, (topic, (kind, message)) in enumerate(messages):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            data = TYPES.serialize_cdr(message, kind)
            writer.write(connections[topic], START_NS + (start + k) * 1_000_000, data)
    return path


def mcap_of(bag: Path) -> Path:
    """Return the one `.mcap` file of a bag."""
    (file,) = bag.glob('*.mcap')
    return file


def unchunked(source: Path, target: Path) -> Path:
    """Write the messages of a bag as one mcap file of small chunks, as a robot's recorder does."""
    from mcap.reader import make_reader
    from mcap.writer import Writer as McapWriter

    with mcap_of(source).open('rb') as stream_in, target.open('wb') as out:
        writer = McapWriter(out, chunk_size=600)
        writer.start('ros2', 'test')
        channels: dict[str, int] = {}
        for schema, channel, message in make_reader(stream_in).iter_messages():
            assert schema is not None
            if channel.topic not in channels:
                number = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.topic] = writer.register_channel(channel.topic, 'cdr', number)
            writer.add_message(
                channels[channel.topic], message.log_time, message.data, message.publish_time
            )
        writer.finish()  # type: ignore[no-untyped-call]
    return target


@pytest.mark.parametrize('image', [jpeg, raw])
@pytest.mark.parametrize('plugin', list(StoragePlugin))
def test_every_image_comes_with_its_context_and_label(
    tmp_path: Path, image: Any, plugin: StoragePlugin
) -> None:
    """Raw and compressed, sqlite and mcap: pixels, stamps, context, label and track as written."""
    bag = Bag(write(tmp_path / 'bag', stream(image=image), plugin))
    seen = list(frames(bag))
    assert bag.loss is None
    assert [s.frame.sequence for s in seen] == list(range(COUNT))
    assert [s.frame.stamp_ns for s in seen] == [START_NS + k * STEP_NS for k in range(COUNT)]
    assert [s.label for s in seen] == [f'class{k}' for k in range(COUNT)]
    assert [s.track for s in seen] == list(range(COUNT))
    assert [s.context for s in seen] == ['day'] * (COUNT // 2) + ['dusk'] * (COUNT // 2)
    for k, one in enumerate(seen):
        assert one.frame.image is not None
        assert (one.frame.image == pixels(k)).all()
        payload = image(k)[1].data.tobytes()
        assert one.frame.digest == hashlib.sha256(payload).hexdigest()[:16]


def test_a_single_mcap_file_is_a_bag(tmp_path: Path) -> None:
    """The file alone, without its metadata, gives the same frames and no loss."""
    file = mcap_of(write(tmp_path / 'bag', stream()))
    alone = Path(shutil.copy(file, tmp_path / 'alone.mcap'))
    bag = Bag(alone)
    assert len(list(frames(bag))) == COUNT
    assert bag.loss is None


def test_a_bag_without_metadata_loses_nothing(tmp_path: Path) -> None:
    """A recorder that was killed leaves whole mcap files and no metadata.yaml: all is read."""
    path = write(tmp_path / 'bag', stream())
    (path / 'metadata.yaml').unlink()
    bag = Bag(path)
    assert len(list(frames(bag))) == COUNT
    assert bag.loss is None


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    """A bag can be read again; loss belongs to the last reading."""
    bag = Bag(write(tmp_path / 'bag', stream()))
    assert [m.data for m in bag.messages()] == [m.data for m in bag.messages()]


def test_undecodable_images_are_faults_and_the_next_goes_on(tmp_path: Path) -> None:
    """A broken picture or message is a frame without pixels that says why; none is skipped."""
    messages: Messages = [
        ('/image', jpeg(0)),
        ('/image', jpeg(1, b'no picture')),
        ('/image', jpeg(2, b'')),
        ('/image', jpeg(3, jpeg(3)[1].data.tobytes()[:-30])),
        ('/image', jpeg(4)),
    ]
    seen = [s.frame for s in frames(Bag(write(tmp_path / 'bag', messages)))]
    assert [bool(f.fault) for f in seen] == [False, True, True, True, False]
    assert [f.image is None for f in seen] == [False, True, True, True, False]
    assert [f.stamp_ns for f in seen] == [START_NS + k * STEP_NS for k in range(5)]
    again = [s.frame.fault for s in frames(Bag(tmp_path / 'bag'))]
    assert again == [f.fault for f in seen]


def test_an_unsupported_encoding_is_a_fault(tmp_path: Path) -> None:
    """A raw image of another encoding is a fault that lists the supported ones."""
    (seen,) = frames(Bag(write(tmp_path / 'bag', [('/image', raw(0, '32FC1'))])))
    assert "'32FC1' is not supported; one of rgb8" in seen.frame.fault


def test_an_undecodable_message_is_a_fault_at_its_bag_stamp(tmp_path: Path) -> None:
    """Where not even the header can be read, the bag's stamp and a digest of all bytes stand."""
    path = tmp_path / 'bag'
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/image', JPEG, typestore=TYPES)
        writer.write(connection, START_NS, b'\x00\x01\x00\x00\xff')
        writer.write(connection, START_NS + 5, TYPES.serialize_cdr(jpeg(0)[1], JPEG))
    broken, whole = frames(Bag(path))
    assert broken.frame.stamp_ns == START_NS
    assert broken.frame.fault
    assert broken.frame.digest == hashlib.sha256(b'\x00\x01\x00\x00\xff').hexdigest()[:16]
    assert whole.frame.fault == ''


@pytest.mark.parametrize(
    'text',
    ['', 'no json', '[]', '3', '{}', '{"stamp_ns": 1e999, "label": "x"}',
     '{"stamp_ns": null, "label": "x"}', '{"stamp_ns": 1, "label": "x", "track": "a"}'],
)  # fmt: skip
def test_bad_truth_leaves_labels_unknown(tmp_path: Path, text: str) -> None:
    """A ground truth message that is none stops nothing."""
    messages: Messages = [('/image', jpeg(0)), ('/ground_truth', string(text))]
    (seen,) = frames(Bag(write(tmp_path / 'bag', messages)))
    assert (seen.label, seen.track) == ('', -1)


def test_context_and_truth_of_another_type_stop_nothing(tmp_path: Path) -> None:
    """Topics that carry our names but other messages are unknown, not a crash."""
    kind = 'std_msgs/msg/Header'
    messages: Messages = [
        ('/context', (kind, header(1))), ('/ground_truth', (kind, header(1))), ('/image', jpeg(0))
    ]  # fmt: skip
    (seen,) = frames(Bag(write(tmp_path / 'bag', messages)))
    assert (seen.context, seen.label) == ('', '')


def test_a_damaged_context_message_is_unknown(tmp_path: Path) -> None:
    """A context that cannot be decoded is unknown from then on; the images go on."""
    path = tmp_path / 'bag'
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        context = writer.add_connection('/context', STRING, typestore=TYPES)
        image = writer.add_connection('/image', JPEG, typestore=TYPES)
        writer.write(context, 1, TYPES.serialize_cdr(string('day')[1], STRING))
        writer.write(image, 2, TYPES.serialize_cdr(jpeg(0)[1], JPEG))
        writer.write(context, 3, b'\x00\x01\x00\x00\xff\xff\xff\xff')
        writer.write(image, 4, TYPES.serialize_cdr(jpeg(1)[1], JPEG))
    assert [s.context for s in frames(Bag(path))] == ['day', '']


def test_a_missing_topic_is_answered_with_the_list(tmp_path: Path) -> None:
    """A misspelled topic is refused with the closest image topic and all topics there are."""
    bag = Bag(write(tmp_path / 'bag', stream()))
    with pytest.raises(BagError) as caught:
        list(frames(bag, 'image'))
    text = str(caught.value)
    assert "did you mean '/image'?" in text
    assert '; topics: /context, /ground_truth, /image' in text
    with pytest.raises(BagError, match='no images on /context'):
        list(frames(bag, '/context'))
    with pytest.raises(BagError, match=r'no images on /q in .*; topics: /context'):
        list(frames(bag, '/q'))


def test_several_image_topics_ask_for_one(tmp_path: Path) -> None:
    """With two cameras the caller chooses; both are listed, and either can be named."""
    bag = Bag(write(tmp_path / 'bag', [('/left', jpeg(0)), ('/right', raw(1))]))
    with pytest.raises(BagError, match='/left, /right; name one with --topic'):
        list(frames(bag))
    assert [s.frame.stamp_ns for s in frames(bag, '/right')] == [START_NS + STEP_NS]


def test_no_image_topic_lists_what_is_there(tmp_path: Path) -> None:
    """A bag without images says so, with its topics."""
    with pytest.raises(BagError, match='it has none; topics: /context'):
        list(frames(Bag(write(tmp_path / 'bag', [('/context', string('day'))]))))


def test_what_is_no_bag_is_refused(tmp_path: Path) -> None:
    """Nothing there, an empty folder or another file is refused by its path."""
    text = tmp_path / 'notes.txt'
    text.write_text('x')
    for path in (tmp_path / 'none', tmp_path / 'none.mcap', tmp_path, text):
        with pytest.raises(BagError, match=str(path)):
            Bag(path)


def test_missing_packages_are_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rosbags the error says what to install, and commands exit with 3."""
    path = write(tmp_path / 'bag', stream())
    monkeypatch.setitem(sys.modules, 'rosbags.rosbag2', None)
    with pytest.raises(MissingError, match='pip install') as caught:
        Bag(path)
    assert caught.value.exit_code == 3


def readable(bag: Bag) -> list[BagFrame]:
    """Return the frames of a damaged bag, none where not even a topic is readable."""
    try:
        return list(frames(bag))
    except BagError:
        return []


def cuts(size: int) -> Iterator[int]:
    """Yield positions to cut at: the first bytes, then spread, then the last bytes."""
    yield from range(0, 40, 3)
    yield from range(40, size, max(1, size // 60))
    yield from range(size - 12, size)


def test_a_cut_file_is_read_up_to_the_cut(tmp_path: Path) -> None:
    """Cut anywhere: the frames are the first ones, whole, more the later the cut; loss is told.

    The offset of the loss is the end of the last record that was read: no message lies before it
    that was not given out.
    """
    file = unchunked(write(tmp_path / 'bag', stream()), tmp_path / 'whole.mcap')
    whole, cut = file.read_bytes(), tmp_path / 'cut.mcap'
    best, most_at = 0, 0
    for size in cuts(len(whole)):
        cut.write_bytes(whole[:size])
        bag = Bag(cut)
        seen = readable(bag)
        assert bag.loss is not None
        assert bag.loss.file == 'cut.mcap'
        assert 0 <= bag.loss.offset_bytes <= size
        assert bag.loss.messages == len(list(bag.messages()))
        assert bag.loss.why
        for k, one in enumerate(seen):
            assert one.frame.fault == ''
            assert one.frame.image is not None
            assert (one.frame.image == pixels(k)).all()
        assert len(seen) >= best
        best, most_at = max(best, len(seen)), bag.loss.offset_bytes
    assert best == COUNT
    assert 0 < most_at < len(whole)


def test_a_cut_loses_no_more_than_its_chunk(tmp_path: Path) -> None:
    """The offset told is where a whole prefix ends: cut there, the same messages are read."""
    file = unchunked(write(tmp_path / 'bag', stream()), tmp_path / 'whole.mcap')
    whole, cut = file.read_bytes(), tmp_path / 'cut.mcap'
    for size in range(200, len(whole), len(whole) // 25):
        cut.write_bytes(whole[:size])
        bag = Bag(cut)
        messages = [m.data for m in bag.messages()]
        assert bag.loss is not None
        offset = bag.loss.offset_bytes
        cut.write_bytes(whole[:offset])
        assert [m.data for m in bag.messages()] == messages
        assert bag.loss.offset_bytes == offset


def test_damage_in_the_middle_is_told_with_its_place(tmp_path: Path) -> None:
    """A chunk overwritten with noise: what stands before is read, the loss lies at the chunk."""
    file = unchunked(write(tmp_path / 'bag', stream()), tmp_path / 'whole.mcap')
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = b'\xaa' * 200
    file.write_bytes(data)
    bag = Bag(file)
    seen = readable(bag)
    assert 0 < len(seen) < COUNT
    assert bag.loss is not None
    assert 0 < bag.loss.offset_bytes <= middle
    assert all(not s.frame.fault for s in seen)


def test_the_damaged_one_of_two_files_is_named(tmp_path: Path) -> None:
    """In a split bag the loss names the file that is damaged; the other is read whole."""
    folder = tmp_path / 'split'
    folder.mkdir()
    for part in range(2):
        source = write(tmp_path / f'b{part}', stream(), start=part * 100)
        unchunked(source, folder / f'{part}.mcap')
    first = folder / '0.mcap'
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    bag = Bag(folder)
    count = len(list(bag.messages()))
    assert bag.loss is not None
    assert bag.loss.file == '0.mcap'
    assert bag.loss.offset_bytes <= first.stat().st_size
    assert count > len(stream())
    assert bag.loss.messages < count


def test_a_missing_file_of_a_bag_is_a_loss(tmp_path: Path) -> None:
    """Metadata that names a file which is gone: the rest is read, and the loss is told."""
    path = write(tmp_path / 'bag', stream())
    (path / 'metadata.yaml').write_text(
        (path / 'metadata.yaml').read_text().replace('bag.mcap', 'gone.mcap')
    )
    bag = Bag(path)
    list(bag.messages())
    assert bag.loss is not None
    assert 'gone' in bag.loss.why or bag.loss.file == 'metadata.yaml'


def test_foreign_channels_do_not_stop_a_salvage(tmp_path: Path) -> None:
    """A channel without schema (JSON, as loggers write) stands beside the images."""
    from mcap.writer import Writer as McapWriter

    source = mcap_of(write(tmp_path / 'bag', [('/image', jpeg(k)) for k in range(3)]))
    from mcap.reader import make_reader

    target = tmp_path / 'mixed.mcap'
    with source.open('rb') as stream_in, target.open('wb') as out:
        writer = McapWriter(out)
        writer.start('', 'test')
        foreign = writer.register_channel('/json', 'json', 0)
        writer.add_message(foreign, START_NS - 1, b'{}', START_NS - 1)
        channel_id = 0
        for schema, _, message in make_reader(stream_in).iter_messages():
            assert schema is not None
            if not channel_id:
                number = writer.register_schema(schema.name, schema.encoding, schema.data)
                channel_id = writer.register_channel('/image', 'cdr', number)
            writer.add_message(channel_id, message.log_time, message.data, message.log_time)
        writer.finish()  # type: ignore[no-untyped-call]
    bag = Bag(target)
    assert len(list(frames(bag))) == 3


def test_a_damaged_sqlite_bag_tells_its_loss(tmp_path: Path) -> None:
    """A cut database is refused or read in part with the loss; nothing else is raised."""
    path = write(tmp_path / 'bag', stream(), StoragePlugin.SQLITE3)
    (file,) = path.glob('*.db3')
    whole = file.read_bytes()
    for size in (0, 10, 100, len(whole) // 2, len(whole) - 4096):
        file.write_bytes(whole[:size])
        bag = Bag(path)
        try:
            count = len(list(bag.messages()))
        except BagError as err:
            assert str(path) in str(err)
            continue
        assert bag.loss is not None
        assert bag.loss.messages == count


@pytest.mark.parametrize('name', ['metadata.yaml'])
def test_damaged_metadata_costs_no_message(tmp_path: Path, name: str) -> None:
    """Metadata that is no YAML: the mcap files are read without it, and that is told."""
    path = write(tmp_path / 'bag', stream())
    (path / name).write_text('{ broken')
    bag = Bag(path)
    assert len(list(frames(bag))) == COUNT
    assert bag.loss is not None
    assert bag.loss.file == name
