"""A detector at two sizes through the whole controller: loss against spend, beside chance.

    python benchmarks/detection.py [--check] [--scenes 400] [--frames 3000] [--svg FILE]

Fast is a text detector at 192 pixels, slow the same network at 960 (bench/street_pair.py), on
rendered streets whose lines of text are known. Every frame goes through the live perception and
into an audit log; the policy starts cold, and is told nothing or the true boxes of the frames on
which slow was run. Loss is OSPA. With --check: 0 where ours is below chance at every spend.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import os
from pathlib import Path
import sys
import tempfile
from typing import NamedTuple

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / 'models', ROOT / 'bags'):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import numpy as np  # noqa: E402
from selector import __version__  # noqa: E402
from selector.audit import AuditLog  # noqa: E402
from selector.audit import Header  # noqa: E402
from selector.audit import SCHEMA_VERSION  # noqa: E402
from selector.controller import Controller  # noqa: E402
from selector.errors import MissingError  # noqa: E402
from selector.evidence import EVIDENCE_NAMES  # noqa: E402
from selector.evidence import SCENE_NAMES  # noqa: E402
from selector.frame import Frame  # noqa: E402
from selector.perception import Perception  # noqa: E402
from selector.policies.random_share import RandomShare  # noqa: E402
from selector.redecision import verify  # noqa: E402
from selector.situation import Situation  # noqa: E402

from benchmarks.bench.chart import draw  # noqa: E402
from benchmarks.bench.chart import Panel  # noqa: E402
from benchmarks.bench.chart import Series  # noqa: E402
from benchmarks.bench.contenders import AUDIT_SHARE  # noqa: E402
from benchmarks.bench.contenders import budget  # noqa: E402
from benchmarks.bench.contenders import Contender  # noqa: E402
from benchmarks.bench.contenders import ours  # noqa: E402
from benchmarks.bench.contenders import PERIOD_S  # noqa: E402
from benchmarks.bench.simulate import NONE  # noqa: E402
from benchmarks.bench.simulate import SEEN  # noqa: E402
from benchmarks.bench.street_pair import picture  # noqa: E402
from benchmarks.bench.street_pair import Seen  # noqa: E402
from benchmarks.bench.street_pair import seen  # noqa: E402
from benchmarks.bench.street_pair import TASK  # noqa: E402

SPENDS = (0.05, 0.1, 0.2, 0.3, 0.5)
SHOWN = (1, 4, 5, 8)
_NS = 1_000_000_000


class Point(NamedTuple):
    """What one run came to.

    Attributes:
        spend: slow calls a frame, audits included.
        loss: mean OSPA of the committed answers.
        unanswered: frames without exactly one final answer.
        sound: the log decides again bit for bit.
    """

    spend: float
    loss: float
    unanswered: int
    sound: bool


def run(
    scenes: Sequence[Seen], contender: Contender, spend: float, frames: int, seed: int
) -> Point:
    """Return what a policy reaches on a random order of scenes."""
    settings = budget(spend, contender)
    draw_of = np.random.default_rng([91, seed])
    order = draw_of.integers(len(scenes), size=frames).tolist()
    controller = Controller(settings, contender.make(spend * (1.0 - AUDIT_SHARE)))
    names = (*EVIDENCE_NAMES, *SCENE_NAMES)
    head = Header(
        SCHEMA_VERSION, 'street', 0, __version__, 'virtual', settings, {}, '', (), '',
        'SLOWEST_ASSUMED', names, ('text',), task=TASK.name,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / 'audit', head, 100_000)
        key = f'{seed}'.encode()
        perception = Perception(controller, log, 0.5, 1.0, key=key, task=TASK)
        stream = _Stream(perception, contender.feedback.where_seen)
        for k, number in enumerate(order):
            stream.frame(k, scenes[number])
        log.close()
        sound = verify(Path(folder)).sound
    return Point(stream.calls / frames, stream.loss / frames, stream.unanswered, sound)


class _Stream:
    def __init__(self, perception: Perception, told: bool) -> None:
        self._perception, self._told = perception, told
        self.calls, self.loss, self.unanswered = 0, 0.0, 0

    def frame(self, k: int, scene: Seen) -> None:
        stamp_ns = _NS + int(k * PERIOD_S * _NS)
        situation = Situation(stamp_ns, stamp_ns, '', 1.0, look=scene.look)
        frame = Frame(k, stamp_ns, '', '', None, '')
        decided = self._perception.begin(frame, scene.fast, '', situation)
        finals = [decided.final]
        if decided.invoke or decided.observe:
            self.calls += 1
            finals.append(self._perception.answered(k, scene.slow, stamp_ns, 0.03).final)
            if self._told:
                self._perception.labelled(k, scene.truth, stamp_ns)
        answers = [final.prediction for final in finals if final is not None]
        self.unanswered += len(answers) != 1
        self.loss += TASK.loss(answers[0] or scene.fast, scene.truth)


def curves(scenes: Sequence[Seen], frames: int, seeds: int) -> dict[str, list[list[Point]]]:
    """Return for each policy, for each spend, a point a seed."""
    chance = Contender('random', RandomShare)
    policies = {'ours, no labels': ours(NONE), 'ours, labels where slow ran': ours(SEEN)}
    policies['random'] = chance
    found: dict[str, list[list[Point]]] = {name: [] for name in policies}
    for spend in SPENDS:
        for name, contender in policies.items():
            made = [run(scenes, contender, spend, frames, seed) for seed in range(seeds)]
            found[name].append(made)
            print(f'{name} at {spend:g}: done', file=sys.stderr, flush=True)
    return found


def ends(scenes: Sequence[Seen]) -> tuple[float, float]:
    """Return the mean loss of fast alone and of slow alone."""
    fast = float(np.mean([TASK.loss(s.fast, s.truth) for s in scenes]))
    return fast, float(np.mean([TASK.loss(s.slow, s.truth) for s in scenes]))


def mean(points: Sequence[Point]) -> tuple[float, float]:
    """Return (spend, loss) of the mean run."""
    return float(np.mean([p.spend for p in points])), float(np.mean([p.loss for p in points]))


def chart(found: dict[str, list[list[Point]]], alone: tuple[float, float]) -> str:
    """Return the curves as SVG."""
    lines = []
    for name, rows in found.items():
        points = np.asarray([(0.0, alone[0]), *map(mean, rows), (1.0, alone[1])])
        thick = name == 'ours, labels where slow ran'
        lines.append(Series(name, points[:, 0], points[:, 1], emphasised=thick))
    return draw([Panel('text on rendered streets', 'slow calls a frame', 'OSPA loss', lines)])


def render(found: dict[str, list[list[Point]]]) -> str:
    """Return loss and realised spend of every policy as a table."""
    lines = [f'{"spend":>6}' + ''.join(f'{name:>30}' for name in found)]
    for k, spend in enumerate(SPENDS):
        cells = (mean(rows[k]) for rows in found.values())
        told = ''.join(f'{f"{loss:.3f} at {used:.3f}":>30}' for used, loss in cells)
        lines.append(f'{spend:6g}{told}')
    return '\n'.join(lines)


def advantage(found: dict[str, list[list[Point]]], fast: float) -> dict[str, list[float]]:
    """Return by policy, for each spend, the gain of a call over that of random."""
    chance = found['random']
    return {
        name: [
            _gain_a_call(o, fast) / _gain_a_call(c, fast)
            for o, c in zip(rows, chance, strict=True)
        ]
        for name, rows in found.items()
        if name != 'random'
    }


def _gain_a_call(points: Sequence[Point], fast: float) -> float:
    spend, loss = mean(points)
    return (fast - loss) / spend


def main() -> int:
    """Print the table; with --check, 1 where chance is not beaten."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--scenes', type=int, default=400)
    parser.add_argument('--frames', type=int, default=3000)
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--svg', type=Path, help='write the curves')
    parser.add_argument('--picture', type=Path, help='write four scenes with their boxes (JPEG)')
    arguments = parser.parse_args()
    try:
        scenes = seen(0, arguments.scenes)
    except MissingError as err:
        print(f'detection: {err}', file=sys.stderr)
        return err.exit_code
    if arguments.picture:
        arguments.picture.write_bytes(picture(SHOWN))
    alone = ends(scenes)
    found = curves(scenes, arguments.frames, arguments.seeds)
    if arguments.svg:
        arguments.svg.write_text(chart(found, alone))
    times_s = [np.median([getattr(s, tier).wall_s for s in scenes]) for tier in ('fast', 'slow')]
    print(
        f'fast alone {alone[0]:.3f}, slow alone {alone[1]:.3f}; slow takes '
        f'{times_s[1] / times_s[0]:.0f} times as long'
    )
    print(render(found))
    shares = advantage(found, alone[0])
    for name, values in shares.items():
        print(f'{name}: gain of a call over random ' + ', '.join(f'{v:.2f}' for v in values))
    points = [p for rows in found.values() for row in rows for p in row]
    whole = all(p.unanswered == 0 and p.sound for p in points)
    least = min(v for values in shares.values() for v in values)
    print(
        f'detection: {len(points)} runs of {arguments.frames} frames, every frame answered and '
        f'every log decided again: {whole}; gain of a call at least {least:.2f} times that of '
        'random at every spend'
    )
    return 1 if arguments.check and not (whole and least > 1.0) else 0


if __name__ == '__main__':
    sys.exit(main())
