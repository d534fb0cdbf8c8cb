"""The CIFAR-10 streams of the embedded pair, drawn from pools that are rendered once.

    python -m benchmarks.bench.cifar_streams       # all pools, about ten CPU minutes

Settings are chosen on the split `development`; results are reported, once, on the split `report`.
The split `calibration`, which nothing but the offline fit has seen, checks what is learned online.
Each split has two pools. `independent` holds every image once in each context; `tracks` holds
tracks of 10 to 30 frames with the motion of the demo stream, one image and one context a track. A
stream is a seeded draw from a pool: streams of several seeds share images, so that intervals over
seeds say nothing about other images. `cluster` is the image's place in the test file.

Two contexts exist only here, in the independent pool, on the 32x32 view without a camera frame:

- `dark`: a night watch with a cold lamp that reaches half of the frames. What it does not reach is
  near black, and there neither model knows much. Over all frames confidence ranks the gain worse
  than chance (AUROC 0.48); the least confident 15 % still earn twice what chance does.
- `noise`: the raw image under heavy noise. The models disagree on five frames of six, slow is
  right half a point more often than fast, and nothing that can be seen tells on which frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
import hashlib
import multiprocessing
import os
from pathlib import Path
import sys
import time
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.image import decode_compressed
from selector.scene import look

from .metrics import auroc
from .stream import part
from .stream import stamps
from .stream import Stream

REPO = Path(__file__).resolve().parents[2]
for folder in (REPO / 'models', REPO / 'bags'):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import calibrate  # noqa: E402
import cifar10  # noqa: E402
import make_patrol  # noqa: E402
import render  # noqa: E402

VERSION = 2  # raise it when the pools change for another reason than a file of `_SOURCES`
SEED = 20_262
CONTEXTS = (*render.CONTEXTS, 'dark', 'noise')
SPLITS = ('development', 'report', 'calibration')
LAMP = (0.45, 0.65, 1.0)  # what is left of red, green and blue in the lamp's light
NIGHT = 0.03  # what is left of all three outside it
LAMP_SHARE = 0.5
NOISE = 130.0  # standard deviation, of 255
TRACKS = 1_400
SEGMENT_FRAMES = make_patrol.SEGMENT_FRAMES
CACHE = REPO / 'build' / 'benchmark'
FAST = REPO / 'models' / 'cifar10_fast' / 'model.onnx'
SLOW = REPO / 'models' / 'cifar10_slow' / 'model.onnx'
_SOURCES = (
    FAST,
    SLOW,
    REPO / 'selector' / 'scene.py',
    REPO / 'bags' / 'render.py',
    REPO / 'models' / 'calibrate.py',
)
_PROCESSES = 2
_REPORT_EVERY_S = 10.0


class Task(NamedTuple):
    """What one process renders at a time: a track, or an image in every context.

    Attributes:
        image: (32, 32, 3) uint8 RGB.
        number: its place in the test file.
        context: of the track; '' for one frame in each of `CONTEXTS`.
        frames: how many are rendered.
    """

    image: NDArray[np.uint8]
    number: int
    context: str
    frames: int


class Seen(NamedTuple):
    """One frame as models and controller see it.

    Attributes:
        view: (32, 32, 3) uint8 RGB, the input of both models.
        thumbnail: (12, 12) float32; see `selector.scene.Look`.
        sharpness: see there.
        exposure: see there.
    """

    view: NDArray[np.uint8]
    thumbnail: NDArray[np.float32]
    sharpness: float
    exposure: float


def independent(split: str, seed: int, contexts: tuple[str, ...], frames: int) -> Stream:
    """Return frames in random order, none twice before all have been seen.

    Args:
        split: one of `SPLITS`.
        seed: of the order.
        contexts: of `CONTEXTS`.
        frames: how many.
    """
    made = pool(split, 'independent')
    rows = np.flatnonzero(np.isin(made.context, contexts))
    order = shuffled(rows, frames, np.random.default_rng([seed, 1]))
    name = f'cifar10 {"+".join(contexts)}'
    return part(made, order, restamp=True)._replace(name=name)


def blocks(split: str, seed: int, contexts: tuple[str, ...], frames: int, block: int) -> Stream:
    """Return frames in random order whose context changes every `block` frames, in turn.

    Args:
        split: one of `SPLITS`.
        seed: of the order.
        contexts: of `CONTEXTS`, in the order of the blocks.
        frames: how many.
        block: frames of one context before the next.
    """
    made = pool(split, 'independent')
    rng = np.random.default_rng([seed, 2])
    turn = np.arange(frames) // block % len(contexts)
    order = np.empty(frames, np.int64)
    for k, context in enumerate(contexts):
        places = np.flatnonzero(turn == k)
        rows = np.flatnonzero(made.context == context)
        order[places] = shuffled(rows, len(places), rng)
    name = f'cifar10 blocks {"+".join(contexts)}'
    return part(made, order, restamp=True)._replace(name=name)


def tracks(split: str, seed: int, frames: int) -> Stream:
    """Return whole tracks in random order; the context changes after about 15 s, in turn.

    The last track of a context is shown to its end, and the last of the stream is cut.

    Args:
        split: one of `SPLITS`.
        seed: of the order.
        frames: how many.
    """
    made = pool(split, 'tracks')
    order = patrol(made, frames, np.random.default_rng([seed, 3]))
    return part(made, order, restamp=True)._replace(name='cifar10 tracks')


def shuffled(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of the rows (N >= 1) in random order, permutation after permutation."""
    rounds = -(-count // len(rows))
    drawn = [rng.permutation(rows) for _ in range(rounds)]
    return np.concatenate([*drawn, np.empty(0, np.int64)])[:count]


def patrol(made: Stream, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return rows (frames,) of a pool of tracks: whole tracks, contexts in turn.

    Args:
        made: the pool; the rows of a track are adjacent and share `cluster`.
        frames: how many rows.
        rng: source of the order.
    """
    starts = np.flatnonzero(np.diff(made.cluster, prepend=-1))
    ends = np.append(starts[1:], len(made.cluster))
    queues: dict[str, list[int]] = {context: [] for context in render.CONTEXTS}
    rows: list[NDArray[np.int64]] = []
    total, left, turn = 0, SEGMENT_FRAMES, 0
    while total < frames:
        context = render.CONTEXTS[turn % len(render.CONTEXTS)]
        if not queues[context]:
            queues[context] = rng.permutation(
                np.flatnonzero(made.context[starts] == context)
            ).tolist()
        track = queues[context].pop()
        rows.append(np.arange(starts[track], ends[track]))
        total += len(rows[-1])
        left -= len(rows[-1])
        if left <= 0:
            left, turn = SEGMENT_FRAMES, turn + 1
    return np.concatenate([*rows, np.empty(0, np.int64)])[:frames]


@lru_cache(maxsize=4)
def pool(split: str, kind: str) -> Stream:
    """Return a pool, from the cache where it is there and of today's models and renderer.

    Args:
        split: one of `SPLITS`.
        kind: `independent`, where the contexts of an image are adjacent, or `tracks`.

    Raises:
        SystemExit: the split is not for benchmarks, or the data cannot be fetched.
    """
    path = cached(split, kind)
    if not path.is_file():
        fields: dict[str, Any] = _made(split, kind)._asdict()
        kept = {name: value for name, value in fields.items() if value is not None}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f'{os.getpid()}.{path.name}')
        np.savez(partial, **kept)
        partial.replace(path)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return Stream(**{**arrays, 'name': str(arrays['name'])})


def cached(split: str, kind: str) -> Path:
    """Return where a pool made from today's files is kept; see `pool`."""
    if split not in SPLITS:
        raise SystemExit(f'split {split!r}; benchmarks use one of {", ".join(SPLITS)}')
    digest = hashlib.sha256(str(VERSION).encode())
    for source in _SOURCES:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return CACHE / f'cifar10_{split}_{kind}_{digest.hexdigest()[:16]}.npz'


def _made(split: str, kind: str) -> Stream:
    images, labels = cifar10.load(split)
    first = cifar10.SPLITS[split][1]
    tasks = _independent_tasks(images, first)
    if kind == 'tracks':
        tasks = _track_tasks(images, first)
    seen = list(_rendered(tasks, f'{split} {kind}'))
    sizes = [task.frames for task in tasks]
    number = np.repeat([task.number for task in tasks], sizes)
    contexts = [(task.context,) * task.frames if task.context else CONTEXTS for task in tasks]
    views = np.stack([frame.view for frame in seen])
    return Stream(
        name=f'{split} {kind}',
        stamp_ns=stamps(len(seen)),
        context=np.concatenate([np.asarray(names) for names in contexts]),
        cluster=number,
        fast_scores=_scores(FAST, views, split),
        slow_scores=_scores(SLOW, views, split),
        label=labels[number - first],
        sharpness=np.asarray([frame.sharpness for frame in seen]),
        exposure=np.asarray([frame.exposure for frame in seen]),
        thumbnail=np.stack([frame.thumbnail for frame in seen]),
    )


def _independent_tasks(images: NDArray[np.uint8], first: int) -> list[Task]:
    return [Task(image, first + k, '', len(CONTEXTS)) for k, image in enumerate(images)]


def _track_tasks(images: NDArray[np.uint8], first: int) -> list[Task]:
    """Return `TRACKS` tracks of different images, as long as the visits of the demo stream."""
    order = np.random.default_rng([SEED, first]).permutation(len(images))[:TRACKS]
    least, most = make_patrol.OBJECT_FRAMES
    made = []
    for k, image in enumerate(order.tolist()):
        chance = float(np.random.default_rng([SEED, first + image, 0]).random())
        frames = least + int((most + 1 - least) * chance**3)  # mostly short, as in the demo
        context = render.CONTEXTS[k % len(render.CONTEXTS)]
        made.append(Task(images[image], first + image, context, frames))
    return made


def _rendered(tasks: list[Task], title: str) -> Iterator[Seen]:
    """Yield the frames of all tasks in order; progress goes to stderr."""
    total, done, start_s = sum(task.frames for task in tasks), 0, time.monotonic()
    due_s = start_s + _REPORT_EVERY_S
    for name in ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_'):
        # Else glibc maps and clears new memory for each array: 1.6 times the time.
        os.environ.setdefault(name, '1000000000')
    # Not forked: onnxruntime's threads would not survive it.
    with multiprocessing.get_context('spawn').Pool(_PROCESSES) as workers:
        for frames in workers.imap(render_task, tasks, chunksize=8):
            yield from frames
            done += len(frames)
            now_s = time.monotonic()
            if now_s >= due_s or done == total:
                due_s = now_s + _REPORT_EVERY_S
                rate_hz = done / (now_s - start_s)
                _say(
                    f'{title}: {done} of {total} frames, {rate_hz:.0f}/s, '
                    f'{(total - done) / rate_hz:.0f} s left'
                )


def render_task(task: Task) -> list[Seen]:
    """Return the frames of a task, a function of the task alone."""
    return list(_track(task) if task.context else _each_context(task))


def _each_context(task: Task) -> Iterator[Seen]:
    day = None
    for context in render.CONTEXTS:
        seen = _through_camera(calibrate.rendered(task.image, task.number, context))
        day = seen.view if context == 'day' else day
        yield seen
    assert day is not None
    yield _without_camera(dark(day, task.number))
    yield _without_camera(noisy(task.image, task.number))


def _track(task: Task) -> Iterator[Seen]:
    draw = np.random.default_rng([SEED, task.number, 1])
    sway = render.draw_sway(draw)
    start_m = 100.0 * float(draw.random())
    still = np.zeros((render.HEIGHT, render.WIDTH, 3))
    for k in range(task.frames):
        motion = sway.at(k / 10.0, start_m + make_patrol.SPEED_M_S * k / 10.0)
        noise = still  # only the context dusk has any
        if task.context == 'dusk':
            noise = render.draw_noise(np.random.default_rng([SEED, task.number, 2, k]))
        frame = render.render(task.image, motion, task.context, noise)
        yield _through_camera(render.encode(frame))


def dark(day: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return a day view (32, 32, 3) at night, under the lamp or not; drawn by image number."""
    lit = np.random.default_rng([SEED, number, 3]).random() < LAMP_SHARE
    light = np.asarray(LAMP) if lit else np.full(3, NIGHT)
    return np.asarray(np.clip(day * light, 0.0, 255.0), np.uint8)


def noisy(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return a raw image (32, 32, 3) with sensor noise, drawn by image number."""
    noise = np.random.default_rng([SEED, number, 4]).normal(0.0, NOISE, image.shape)
    return np.asarray(np.clip(image + noise, 0.0, 255.0), np.uint8)


def _through_camera(jpeg: bytes) -> Seen:
    return Seen(calibrate.view(jpeg), *look(decode_compressed(jpeg)))


def _without_camera(view: NDArray[np.uint8]) -> Seen:
    return Seen(view, *look(view))


def _scores(model: Path, views: NDArray[np.uint8], split: str) -> NDArray[np.float64]:
    """Return the probabilities (N, 10) that a model gives views (N, 32, 32, 3)."""
    start_s = time.monotonic()
    made = calibrate.scores(model, views).astype(np.float64)
    spent_s = time.monotonic() - start_s
    _say(f'{split}: {model.parent.name} on {len(views)} frames in {spent_s:.0f} s')
    return np.asarray(made / made.sum(axis=1, keepdims=True))  # to double precision


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def summary(stream: Stream) -> str:
    """Return a table, one line a context: how often each model is right, and confidence's AUROC.

    The AUROC is that of low confidence for a gain > 0: 0.5 is no better than chance.
    """
    head = ('context', 'n', 'fast', 'slow', 'only_slow', 'only_fast', 'disagree', 'auroc')
    lines = [('{:12s}' + '{:>11s}' * 7).format(*head)]
    for context in dict.fromkeys(stream.context.tolist()):
        rows = part(stream, stream.context == context)
        figures = (
            1.0 - rows.fast_loss.mean(),
            1.0 - rows.slow_loss.mean(),
            (rows.gain > 0.0).mean(),
            (rows.gain < 0.0).mean(),
            rows.disagreement.mean(),
            auroc(-rows.evidence[:, 0], rows.gain > 0.0),
        )
        text = ''.join(f'{figure:11.4f}' for figure in figures)
        lines.append(f'{context:12s}{len(rows.label):11d}{text}')
    return '\n'.join(lines)


def main() -> int:
    """Make all pools that are not cached and print what is in them."""
    for split in SPLITS:
        for kind in ('independent', 'tracks'):
            print(f'{split}, {kind}\n{summary(pool(split, kind))}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
