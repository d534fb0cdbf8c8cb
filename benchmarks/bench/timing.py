"""Timing: what one frame costs in the core, and whether memory stays flat (row 9)."""

from __future__ import annotations

import hashlib
from pathlib import Path
import tempfile
import time
from typing import NamedTuple

import numpy as np
from selector.action import Invoke
from selector.audit import AuditLog
from selector.audit import Header
from selector.audit import SCHEMA_VERSION
from selector.controller import Controller
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.fitted_gain import NoFit
from selector.justification import Offer
from selector.learned_gain import LearnedGain
from selector.outcome import Outcome
from selector.outcome import OutcomeKind
from selector.settings import Settings

from benchmarks.bench.contenders import budget
from benchmarks.bench.contenders import ours
from benchmarks.bench.simulate import NONE
from benchmarks.bench.stream import Stream


class Cost(NamedTuple):
    """What decide + learn + record cost a frame.

    Attributes:
        unit_s: one 28-element dot product and the SHA-256 of 1 kB, median of this run [s].
        p50_units, p99_units: time of a frame in that unit.
        record_bytes: mean size of a decision's line in the log.
        memory_bytes: resident memory after a tenth of the frames and after all of them.
        frames: how many.
    """

    unit_s: float
    p50_units: float
    p99_units: float
    record_bytes: float
    memory_bytes: tuple[int, int]
    frames: int


def unit_s(repeats: int = 2000) -> float:
    """Return the median time of the unit of work [s]."""
    left, right, block = np.ones(28), np.ones(28), bytes(1024)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        left.dot(right)
        hashlib.sha256(block).hexdigest()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def cost(stream: Stream, frames: int) -> Cost:
    """Return the cost over `frames` frames, going round the stream, the log written to disk."""
    settings = budget(0.15, ours(NONE, reuse=True))
    controller = Controller(settings, LearnedGain(NoFit()))
    rows = _rows(stream)
    times = np.zeros(frames)
    units, memory = [unit_s()], []
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / 'audit', _header(settings), 10**9)
        for k in range(frames):
            offer, answered, audited = _frame(k, rows[k % len(rows)])
            start = time.perf_counter()
            step = controller.offer(offer)
            log.append(step.record)
            if isinstance(step.action, Invoke):
                log.append(controller.resume(answered)[1])
            elif step.action.observe:
                log.append(controller.learn(audited))
            times[k] = time.perf_counter() - start
            if k + 1 in (frames // 10, frames):
                memory.append(_resident_bytes())
                units.append(unit_s())
        log.close()
        written = sum(f.stat().st_size for f in Path(folder).rglob('*.jsonl'))
    unit = float(np.median(units))
    p50, p99 = np.percentile(times, [50, 99])
    return Cost(
        unit,
        float(p50) / unit,
        float(p99) / unit,
        written / frames,
        (memory[0], memory[1]),
        frames,
    )


Row = tuple[Evidence, Scene, int, int, Evidence]


def _rows(stream: Stream) -> list[Row]:
    """Return what each frame shows; a still scene half of the time, so that answers are reused."""
    rows = []
    columns = zip(
        stream.evidence.tolist(),
        stream.sharpness.tolist(),
        stream.exposure.tolist(),
        stream.fast_class.tolist(),
        stream.slow_class.tolist(),
        stream.slow_evidence.tolist(),
        strict=True,
    )
    for k, (evidence, sharpness, exposure, fast, slow, answer) in enumerate(columns):
        scene = Scene(sharpness, exposure, 0.1 + 0.8 * (k % 20 < 10), 0.1 * (k % 20), 0.5)
        rows.append((Evidence(*evidence), scene, fast, slow, Evidence(*answer)))
    return rows


def _frame(k: int, row: Row) -> tuple[Offer, Outcome, Outcome]:
    evidence, scene, fast, slow, answer = row
    stamp_ns = k * 100_000_000
    offer = Offer(
        k,
        'camera',
        'camera_optical',
        stamp_ns,
        stamp_ns,
        stamp_ns + 200_000,
        '0123456789abcdef',
        'day',
        1.0,
        evidence,
        fast,
        0.078,
        scene=scene,
        draw=(k * 0.6180339887498949) % 1.0,
    )
    differs = float(fast != slow)

    def ended(kind: OutcomeKind) -> Outcome:
        return Outcome(
            k, 'slow', kind, stamp_ns, 0.03, answer, slow, differs, (1.0,), stale=differs
        )

    return offer, ended(OutcomeKind.ANSWERED), ended(OutcomeKind.AUDIT)


def _header(settings: Settings) -> Header:
    return Header(
        SCHEMA_VERSION,
        'benchmark',
        0,
        'benchmark',
        'virtual',
        settings,
        {},
        '',
        (),
        '',
        'SLOWEST_ASSUMED',
        (),
        (),
    )


def _resident_bytes() -> int:
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096
