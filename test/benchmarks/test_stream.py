"""Streams: what is derived from the scores, how frames are selected, and how streams are drawn."""

from __future__ import annotations

import math
import os

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest
from selector.tasks import classification

from benchmarks.bench.stream import EPOCH_NS
from benchmarks.bench.stream import evidence
from benchmarks.bench.stream import part
from benchmarks.bench.stream import PERIOD_NS
from benchmarks.bench.stream import stamps
from benchmarks.bench.stream import Stream

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
pytest.importorskip('PIL', reason='Pillow is not installed')
pytest.importorskip('rosbags', reason='rosbags is not installed')
from benchmarks.bench import cifar_streams  # noqa: E402
from benchmarks.bench import robocup_stream  # noqa: E402

CAMERA = cifar_streams.CONTEXTS[:4]  # those that the tracks have
CLEAR, UNSURE = (0.9, 0.1, 0.0), (0.3, 0.3, 0.4)


def small() -> Stream:
    """Return four frames: both right, only slow right, only fast right, both wrong alike."""
    return Stream(
        name='small',
        stamp_ns=stamps(4),
        context=np.asarray(['day', 'day', 'dusk', 'dusk']),
        cluster=np.asarray([7, 7, 8, 9]),
        fast_scores=np.asarray([CLEAR, UNSURE, CLEAR, UNSURE]),
        slow_scores=np.asarray([CLEAR, CLEAR, UNSURE, UNSURE]),
        label=np.asarray([0, 0, 0, 1]),
        sharpness=np.asarray([0.1, 0.2, 0.3, 0.4]),
        exposure=np.asarray([0.5, 0.6, 0.7, 0.8]),
        thumbnail=np.arange(4 * 144, dtype=np.float32).reshape(4, 12, 12),
    )


def track_pool(tracks: int) -> Stream:
    """Return tracks of 10 to 14 frames, a cluster each, contexts in turn."""
    sizes = 10 + np.arange(tracks) % 5
    cluster = np.repeat(np.arange(tracks), sizes)
    count = int(sizes.sum())
    context = np.asarray(CAMERA)[cluster % 4]
    scores, half = np.full((count, 2), 0.5), np.full(count, 0.5)
    label = np.zeros(count, np.int64)
    return Stream('pool', stamps(count), context, cluster, scores, scores, label, half, half)


@given(st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=1, max_size=6))
def test_evidence_is_that_of_the_classification_task(rows: list[list[int]]) -> None:
    """Row by row the numbers are the controller's own, with ties, zeros and certainty."""
    weights = np.asarray([row if any(row) else [1, 1, 1, 1] for row in rows], np.float64)
    scores = weights / weights.sum(axis=1, keepdims=True)
    own = [classification.evidence(row) for row in scores.tolist()]
    assert np.allclose(evidence(scores), own, rtol=0.0, atol=1e-12)
    assert evidence(scores).min() >= 0.0
    assert evidence(scores).max() <= 1.0


def test_losses_gain_and_disagreement_of_the_four_cases() -> None:
    """Each of the four cases has its loss, its gain and its disagreement."""
    stream = small()
    assert stream.fast_class.tolist() == [0, 2, 0, 2]
    assert stream.fast_loss.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert stream.slow_loss.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert stream.gain.tolist() == [0.0, 1.0, -1.0, 0.0]
    assert stream.disagreement.tolist() == [False, True, True, False]
    assert np.array_equal(stream.slow_evidence, evidence(stream.slow_scores))
    assert np.array_equal(stream.evidence, evidence(stream.fast_scores))


def test_overrides_replace_what_is_derived() -> None:
    """A class or evidence that is given counts, and all that follows from it."""
    given_evidence = np.full((4, 3), 0.25)
    stream = small()._replace(
        evidence_override=given_evidence,
        slow_evidence_override=2.0 * given_evidence,
        fast_class_override=np.asarray([1, 1, 1, 1]),
        slow_class_override=np.asarray([0, 1, 0, 1]),
    )
    assert np.array_equal(stream.evidence, given_evidence)
    assert np.array_equal(stream.slow_evidence, 2.0 * given_evidence)
    assert stream.gain.tolist() == [1.0, 0.0, 1.0, 0.0]
    assert stream.disagreement.tolist() == [True, False, True, False]


def test_a_part_has_the_chosen_rows_of_every_field() -> None:
    """Numbers, with repeats, and masks select the same rows everywhere; None stays None."""
    stream = small()._replace(fast_class_override=np.asarray([0, 1, 2, 0]))
    made = part(stream, np.asarray([3, 1, 1]))
    for name, field in stream._asdict().items():
        found = getattr(made, name)
        if name == 'name' or field is None:
            assert found == field
        else:
            assert np.array_equal(found, field[[3, 1, 1]]), name
    masked = part(stream, stream.context == 'dusk')
    assert masked.cluster.tolist() == [8, 9]


def test_restamped_parts_run_at_ten_hertz() -> None:
    """Stamps are the camera's at 10 Hz after a change of order, and untouched without."""
    rows = np.asarray([3, 0, 2])
    assert part(small(), rows).stamp_ns.tolist() == (EPOCH_NS + PERIOD_NS * rows).tolist()
    again = part(small(), rows, restamp=True).stamp_ns
    assert (np.diff(again) == 100_000_000).all()
    assert again[0] == EPOCH_NS


@pytest.mark.parametrize('count', [0, 3, 10, 27])
def test_no_row_comes_twice_before_all_have_come(count: int) -> None:
    """Each full round is a permutation of the rows, rounds differ, and the seed decides."""
    rows = np.arange(5, 15)
    drawn = cifar_streams.shuffled(rows, count, np.random.default_rng(1))
    assert drawn.shape == (count,)
    rounds = [drawn[k : k + 10].tolist() for k in range(0, count, 10)]
    assert all(len(set(one)) == len(one) and set(one) <= set(rows.tolist()) for one in rounds)
    assert count < 20 or rounds[0] != rounds[1]
    same = cifar_streams.shuffled(rows, count, np.random.default_rng(1))
    assert np.array_equal(drawn, same)


def test_a_patrol_shows_whole_tracks_and_changes_the_context_after_a_while() -> None:
    """Tracks are whole and in order; a context lasts 150 frames and the rest of its last track."""
    pool = track_pool(80)
    rows = cifar_streams.patrol(pool, 3_000, np.random.default_rng(2))
    assert rows.shape == (3_000,)
    starts = np.flatnonzero(np.diff(pool.cluster, prepend=-1))
    step = np.diff(rows)
    jumps = np.flatnonzero(step != 1) + 1  # a row that does not follow begins a track
    assert np.isin(rows[jumps], starts).all()
    assert np.isin(rows[jumps - 1] + 1, [*starts, len(pool.label)]).all()
    context = pool.context[rows]
    changes = np.flatnonzero(context[1:] != context[:-1]) + 1
    lengths = np.diff([0, *changes])
    assert ((lengths >= 150) & (lengths < 150 + 14)).all()
    order = [str(context[k]) for k in [0, *changes]]
    assert order == [CAMERA[k % 4] for k in range(len(order))]


def test_a_patrol_shows_all_tracks_of_a_context_before_one_again() -> None:
    """No track of a context comes twice before its others have come."""
    pool = track_pool(80)
    rows = cifar_streams.patrol(pool, 3_000, np.random.default_rng(3))
    begun = rows[np.isin(rows, np.flatnonzero(np.diff(pool.cluster, prepend=-1)))]
    for context in CAMERA:
        seen = pool.cluster[begun[pool.context[begun] == context]]
        assert len(seen) > 20
        assert len(set(seen[:20].tolist())) == 20


def test_the_lamp_reaches_half_of_the_frames() -> None:
    """In `dark` a white view is bluish or nearly black, each on half of the images."""
    white = np.full((32, 32, 3), 255, np.uint8)
    made = [cifar_streams.dark(white, number) for number in range(5_000, 6_000)]
    colours = [tuple(view[0, 0].tolist()) for view in made]
    assert set(colours) == {(114, 165, 255), (7, 7, 7)}
    assert 0.45 < np.mean([colour == (7, 7, 7) for colour in colours]) < 0.55


def test_noise_has_the_declared_deviation() -> None:
    """In `noise` a grey image scatters by 130 levels: what leaves 0 to 255 is clipped there."""
    grey = np.full((32, 32, 3), 128, np.uint8)
    made = np.stack([cifar_streams.noisy(grey, number) for number in range(40)])
    black = 0.5 * math.erfc(127.0 / 130.0 / math.sqrt(2.0))  # what falls below 1 is 0
    white = 0.5 * math.erfc(127.0 / 130.0 / math.sqrt(2.0))
    assert (made == 0).mean() == pytest.approx(black, rel=0.03)
    assert (made == 255).mean() == pytest.approx(white, rel=0.03)
    assert not np.array_equal(made[0], made[1])


def picture() -> NDArray[np.uint8]:
    """Return an image (32, 32, 3) of coloured noise."""
    return np.random.default_rng(4).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_a_task_renders_to_the_same_frames_in_any_process() -> None:
    """A task is a function of its arguments, and all that is drawn depends on the image number."""
    for task in (
        cifar_streams.Task(picture(), 5_001, '', 6),
        cifar_streams.Task(picture(), 5_001, 'dusk', 3),
    ):
        one, same = (np.stack([seen.view for seen in _render(task)]) for _ in range(2))
        other = np.stack([seen.view for seen in _render(task._replace(number=5_002))])
        assert one.shape == (task.frames, 32, 32, 3)
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


def _render(task: cifar_streams.Task) -> list[cifar_streams.Seen]:
    return cifar_streams.render_task(task)


def test_a_track_moves_on_from_frame_to_frame() -> None:
    """Neighbours in a track look more alike than its ends, and none is the one before."""
    views = [
        seen.view.astype(np.float64)
        for seen in _render(cifar_streams.Task(picture(), 5_003, 'day', 10))
    ]
    steps = [np.abs(b - a).mean() for a, b in zip(views[:-1], views[1:], strict=True)]
    assert min(steps) > 0.0
    assert np.mean(steps) < np.abs(views[-1] - views[0]).mean()


def test_the_demo_split_is_not_for_benchmarks() -> None:
    """Only images that are neither trained on nor shown in the demo have pools."""
    with pytest.raises(SystemExit, match='one of development, report, calibration'):
        cifar_streams.cached('patrol', 'tracks')


def test_the_pools_hold_what_they_say() -> None:
    """Each image is once in each context, and a track has one image and one context."""
    paths = [cifar_streams.cached('development', kind) for kind in ('independent', 'tracks')]
    if not all(path.is_file() for path in paths):
        pytest.skip('no pools here: python -m benchmarks.bench.cifar_streams')
    whole = cifar_streams.pool('development', 'independent')
    cells = {(n, str(c)) for n, c in zip(whole.cluster.tolist(), whole.context, strict=True)}
    assert len(cells) == len(whole.label) == 4_500 * 6
    tracks = cifar_streams.pool('development', 'tracks')
    starts = np.diff(tracks.cluster, prepend=-1) != 0
    assert starts.sum() == np.unique(tracks.cluster).size == 1_400
    assert (tracks.context[1:] == tracks.context[:-1])[~starts[1:]].all()
    for made in (whole, tracks):
        assert (made.cluster.min(), made.cluster.max()) >= (500, 4_000)
        assert made.cluster.max() < 5_000
        assert made.thumbnail is not None
        assert made.thumbnail.shape == (len(made.label), 12, 12)
        assert np.allclose(made.fast_scores.sum(axis=1), 1.0)
    drawn = cifar_streams.blocks('development', 1, ('day', 'noise'), 1_000, 200)
    assert drawn.context[::200].tolist() == ['day', 'noise', 'day', 'noise', 'day']
    mixed = cifar_streams.independent('development', 1, ('dark', 'noise'), 9_000)
    assert len(set(zip(mixed.cluster.tolist(), mixed.context.tolist(), strict=True))) == 9_000


def test_without_the_robot_data_there_is_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset variable and a folder that is not there give None, not an error."""
    for value in ('', '/nowhere/at/all'):
        monkeypatch.setenv(robocup_stream.VARIABLE, value)
        assert robocup_stream.crops(1) is None
        assert robocup_stream.bag() is None


def test_a_crop_is_the_square_around_the_box() -> None:
    """The side is 1.2 times the longer side of the box; outside of the image it is black."""
    image = np.zeros((200, 400, 3), np.uint8)
    image[80:120, 150:250] = 255  # the box: 100 wide, 40 high, around (200, 100)
    white = robocup_stream.crop(image, 0.5, 0.5, 0.25, 0.2) > 127
    assert white.shape == (32, 32, 3)
    # 100 and 40 of 120 pixels, in units of 32 / 120.
    assert white[16].sum() / 3 == pytest.approx(100 * 32 / 120, abs=1.0)
    assert white[:, 16].sum() / 3 == pytest.approx(40 * 32 / 120, abs=1.0)
    corner = robocup_stream.crop(np.full((200, 400, 3), 255, np.uint8), 0.0, 0.0, 0.25, 0.2)
    assert corner[:15].max() == 0
    assert corner[17:, 17:].min() == 255


def test_the_robot_streams_have_the_accuracies_that_were_measured() -> None:
    """On crops never trained on, fast is right on .938 and slow on .977; the bag has 80 frames."""
    if robocup_stream.folder() is None:
        pytest.skip(f'no robot data: {os.environ.get(robocup_stream.VARIABLE, "")!r} is not there')
    crops, bag = robocup_stream.crops(1), robocup_stream.bag()
    assert crops is not None
    assert bag is not None
    assert crops.fast_loss.mean() == pytest.approx(0.062, abs=0.001)
    assert crops.slow_loss.mean() == pytest.approx(0.023, abs=0.001)
    assert np.unique(crops.cluster).size == 165
    assert np.unique(bag.cluster).size == 80
    # Mistaken boxes or classes would leave chance, .17; nobody trained on that day.
    assert bag.slow_loss.mean() < 0.15
