"""What the fast model loses while the slow one crashes, hangs and eats memory: nothing, one run.

    python benchmarks/slow_faults.py [--check] [--quick]

Frames of the demo stream come at 30 Hz. The fast model answers each in this process; the slow one
runs in a `ProcessWorker` and is invoked on every frame on which it is not busy. Segments without
and with faults alternate, so both see the same noise. In the latter a fault comes at a random
moment, in random order (seeded): SIGSEGV, SIGKILL or SIGSTOP to the slow model's process, whatever
it is doing, or a frame on which it eats all the memory that it may have.

A frame counts as answered when the fast answer is there before the next frame comes, and the time
of an answer runs from the moment the frame is due. A segment with faults ends, and the next one
without begins, once the slow model is back. Targets: every frame answered; p99 of the fast answers
with faults <= 1.5 times that without; each call of the slow model ended exactly once.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections import deque
from collections.abc import Sequence
import functools
import json
import os
from pathlib import Path
import random
import signal
import sys
import time
from typing import NamedTuple

import numpy as np
from selector.bag import Bag
from selector.bag import frames
from selector.build import build_model
from selector.build import FAST
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.config import Config
from selector.errors import PredictionError
from selector.installed import share
from selector.workers.process_worker import ProcessWorker
from selector.workers.worker import Finished
from selector.workers.worker import run

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.bench.hungry_model import HungryModel  # noqa: E402
from benchmarks.bench.hungry_model import marked  # noqa: E402

TARGET = 1.5
RATE_HZ = 30.0
SEED = 20
MEMORY = 'out of memory'
KINDS = ('SIGSEGV', 'SIGKILL', 'SIGSTOP', MEMORY)
FAULTS_A_SEGMENT, SEGMENT_S = 2, 3.5
HANG_S = 1.0
LIMIT_BYTES = 1 << 29
WARM_UP_RUNS = 20
WAIT_S = 30.0


class Fault(NamedTuple):
    """What is done to the slow model, `after_s` into a segment [s]."""

    after_s: float
    kind: str


class Run:
    """The stream and what became of it.

    Attributes:
        worker: runs the slow model.
        times_s: time of each fast answer [s], without faults and with.
        unanswered: frames that had no fast answer when the next one came.
        injected: faults brought about, by kind.
        submitted: calls of the slow model.
        ended: how often each of them was told to have ended, by sequence.
        failed: how many of them ended with a fault.
    """

    def __init__(self, made: Plan) -> None:
        self.times_s: dict[bool, list[float]] = {False: [], True: []}
        self.unanswered = self.submitted = self.failed = 0
        self.injected: Counter[str] = Counter()
        self.ended: Counter[int] = Counter()
        self._task = made.task
        self._fast = build_model(made, FAST)
        self._fast.warm_up(WARM_UP_RUNS)
        bag = Bag(share() / 'bags' / 'patrol')
        self._images = [f.frame.image for f in frames(bag) if f.frame.image is not None]
        self._frame = 0
        self._meal = False  # the next frame is one that slow cannot stomach
        self.worker = ProcessWorker(
            SLOW,
            functools.partial(HungryModel, made),
            self._done,
            task=made.task,
            hang_s=HANG_S,
            memory_limit_bytes=LIMIT_BYTES,
        )
        self.worker.wait_until_ready()

    def segment(self, faults: Sequence[Fault] = ()) -> None:
        """Play a segment; one with faults goes on until slow is back from the last."""
        times_s, waiting = self.times_s[bool(faults)], deque(faults)
        start_s = time.perf_counter()
        for number in range(int((SEGMENT_S + WAIT_S) * RATE_HZ)):
            due_s = start_s + number / RATE_HZ
            while waiting and start_s + waiting[0].after_s < due_s and self.worker.pid:
                _sleep_until(start_s + waiting[0].after_s)
                self._inject(waiting.popleft().kind)
            _sleep_until(due_s)
            through = due_s > start_s + SEGMENT_S and not (waiting or self._meal)
            if through and not (faults and self.worker.busy):
                return
            times_s.append(self._play(due_s))
        raise SystemExit(f'the slow model did not come back: {self.worker.last_fault}')

    def end(self) -> int:
        """Stop the worker; return how many calls did not end exactly once."""
        if not self.worker.stop(WAIT_S):
            raise SystemExit('the process of the slow model could not be ended')
        return self.submitted - sum(count == 1 for count in self.ended.values())

    def _done(self, finished: Finished) -> None:
        self.ended[finished.sequence] += 1
        self.failed += bool(finished.fault)

    def _play(self, due_s: float) -> float:
        """Have a frame answered, invoke slow where it is free; return the answer's time [s]."""
        image = self._images[self._frame % len(self._images)]
        self._frame += 1
        answered = True
        try:
            run(self._fast, image, self._task)
        except PredictionError:
            answered = False
        time_s = time.perf_counter() - due_s
        self.unanswered += not answered or time_s > 1.0 / RATE_HZ
        if not self.worker.busy:
            self.worker.submit(self._frame, marked(image) if self._meal else image)
            self.submitted += 1
            self._meal = False
        return time_s

    def _inject(self, kind: str) -> None:
        pid = self.worker.pid
        if kind == MEMORY:
            self._meal = True
        elif pid is not None:
            os.kill(pid, signal.Signals[kind])
        self.injected[kind] += 1


def _sleep_until(end_s: float) -> None:
    time.sleep(max(0.0, end_s - time.perf_counter()))


def schedule(pairs: int) -> list[list[Fault]]:
    """Return the faults of each segment with faults: kinds in random order, at random moments."""
    draw = random.Random(SEED)
    count = pairs * FAULTS_A_SEGMENT
    kinds = list(KINDS) * (count // len(KINDS))
    draw.shuffle(kinds)
    moments_s = [draw.uniform(0.0, SEGMENT_S) for _ in range(count)]
    return [
        sorted(map(Fault, moments_s[k : k + FAULTS_A_SEGMENT], kinds[k : k + FAULTS_A_SEGMENT]))
        for k in range(0, count, FAULTS_A_SEGMENT)
    ]


def main() -> int:
    """Print the figures; with --check, 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--quick', action='store_true', help='two pairs of segments, not ten')
    arguments = parser.parse_args()
    played = Run(plan(Config()))
    for faults in schedule(2 if arguments.quick else 10):
        played.segment()
        played.segment(faults)
    open_calls = played.end()
    clean, faulty = (np.percentile(played.times_s[which], [50, 99]) for which in (False, True))
    ratio = float(faulty[1] / clean[1])
    met = ratio <= TARGET and played.unanswered == 0 and open_calls == 0
    result = {
        'frames': {'clean': len(played.times_s[False]), 'faulty': len(played.times_s[True])},
        'unanswered': played.unanswered,
        'faults': dict(played.injected),
        'slow_calls': {
            'submitted': played.submitted,
            'failed': played.failed,
            'not_ended_once': open_calls,
        },
        'restarts': played.worker.restarts,
        'clean_p50_ms': round(float(clean[0]) * 1e3, 3),
        'clean_p99_ms': round(float(clean[1]) * 1e3, 3),
        'ratio_p50': round(float(faulty[0] / clean[0]), 3),
        'ratio_p99': round(ratio, 3),
        'target_ratio': TARGET,
        'met': met,
    }
    print(json.dumps(result))
    return 1 if arguments.check and not met else 0


if __name__ == '__main__':
    sys.exit(main())
