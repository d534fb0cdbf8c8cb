"""Replay: the live controller over a profile table, in virtual time, without running a model."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.audit import AuditLog
from selector.audit import digest
from selector.audit import Head
from selector.build import audit_key
from selector.build import build_controller
from selector.build import FAST
from selector.build import header
from selector.build import learned
from selector.build import needs_scene
from selector.build import Plan
from selector.build import SLOW
from selector.config import Config
from selector.config import public
from selector.config_file import ros_form
from selector.decision import REUSE
from selector.errors import InputError
from selector.frame import Frame
from selector.perception import Final
from selector.perception import Perception
from selector.prediction import Prediction
from selector.situation import Situation
from selector.table import ProfileTable


class Run(NamedTuple):
    """What a run did, by frame.

    Attributes:
        invoked: (N,) bool, slow ran, be it for the answer or only to learn from.
        answer: (N,) committed class, -1 without an answer.
        reused: (N,) bool, an earlier answer was carried on.
        unanswered: frames without a final answer.
        head: how the log ends.
        folder: the run folder.
    """

    invoked: NDArray[np.bool_]
    answer: NDArray[np.int64]
    reused: NDArray[np.bool_]
    unanswered: int
    head: Head
    folder: Path


class _Call(NamedTuple):
    """An open call in virtual time; a fault or an answer that comes at `done_ns`.

    While the frame waits for it, `waits` is true.
    """

    sequence: int
    start_ns: int
    deadline_ns: int
    done_ns: int
    waits: bool


class _Replay:
    """One table's way through one controller."""

    def __init__(self, table: ProfileTable, made: Plan, perception: Perception) -> None:
        self._table, self._perception = table, perception
        self._fast_ns = _nanoseconds(made.cards[FAST].latency_p50_s.value)
        self._slow_ns = _nanoseconds(made.settings.tiers[0].latency_p50_s)
        self._stake = made.config.decision.stake
        self._names = made.cards[FAST].name, made.cards[SLOW].name
        self._trust_tracks = made.config.decision.trust_tracks
        self._call: _Call | None = None
        count = len(table.stamp_ns)
        self.invoked = np.zeros(count, np.bool_)
        self.answer = np.full(count, -1, np.int64)
        self.reused = np.zeros(count, np.bool_)
        self.finals = np.zeros(count, np.int64)

    def frame(self, k: int) -> None:
        """Take frame `k`: first what came before it, then its decision."""
        table = self._table
        stamp_ns = int(table.stamp_ns[k])
        now_ns = stamp_ns + self._fast_ns
        self.until(now_ns)
        frame = Frame(k, stamp_ns, '', '', None, table.digest[k], table.fault[k])
        fast = _prediction(self._names[0], table.fast_scores[k])
        fault = '' if fast is not None else table.fault[k] or 'the fast model gave no answer'
        situation = Situation(
            stamp_ns,
            now_ns,
            table.context[k],
            self._stake,
            () if self._call is None else (SLOW,),
            track=int(table.track[k]) if self._trust_tracks else -1,
            look=table.look(k),
        )
        decided = self._perception.begin(frame, fast, fault, situation)
        if decided.final is not None:
            self._commit(decided.final)
        if decided.invoke or decided.observe:
            self.invoked[k] = True
            deadline_ns = now_ns + _nanoseconds(decided.remaining_s)
            done_ns = now_ns + self._slow_ns
            self._call = _Call(k, now_ns, deadline_ns, done_ns, bool(decided.invoke))

    def until(self, now_ns: int) -> None:
        """Let everything happen that is due at `now_ns`."""
        call = self._call
        if call is None:
            return
        if call.waits and call.done_ns > call.deadline_ns <= now_ns:
            self._call = call._replace(waits=False)
            latency_s = (call.deadline_ns - call.start_ns) * 1e-9
            self._learned(
                self._perception.timed_out(call.sequence, call.deadline_ns, latency_s).final
            )
        if call.done_ns <= now_ns:
            self._call = None
            self._end(call)

    def _end(self, call: _Call) -> None:
        slow = _prediction(self._names[1], self._table.slow_scores[call.sequence])
        latency_s = (call.done_ns - call.start_ns) * 1e-9
        if slow is None:
            text = 'the profile table has no slow answer for this frame'
            learned = self._perception.failed(call.sequence, call.done_ns, latency_s, text)
        else:
            learned = self._perception.answered(call.sequence, slow, call.done_ns, latency_s)
        self._learned(learned.final)

    def _learned(self, final: Final | None) -> None:
        if final is not None:
            self._commit(final)

    def _commit(self, final: Final) -> None:
        k = final.frame.sequence
        self.finals[k] += 1
        self.reused[k] = final.tier == REUSE
        self.answer[k] = -1 if final.prediction is None else final.prediction.class_id


def replay(table: ProfileTable, made: Plan, folder: Path) -> Run:
    """Run the controller over a table and write the run folder; same input, same bytes.

    Args:
        table: both models' answers.
        made: the plan; its latencies are those of the cards.
        folder: new run folder; gets `audit/`, `config.yaml`, `summary.json`.

    Raises:
        LogError: the folder holds a log already.
        ConfigError: the budget's settings do not fit together.
        InputError: the table has another number of classes than the models.
    """
    classes = len(made.cards[FAST].labels)
    if table.fast_scores.shape[1] != classes:
        raise InputError(
            f'the table has {table.fast_scores.shape[1]} classes, the models {classes}'
        )
    mission = f'{made.config.mission.name}-{table_digest(table)[:12]}'
    head = header(made, mission, 'virtual')
    controller = build_controller(made)  # before the folder, which a refused budget must not leave
    log = AuditLog(folder / 'audit', head, made.config.audit.segment_records)
    decision = made.config.decision
    perception = Perception(
        controller,
        log,
        decision.deadline_s,
        decision.max_skew_s,
        key=audit_key(made.config, mission),
        looks=needs_scene(made),
        task=made.task,
    )
    state = _Replay(table, made, perception)
    for k in range(len(table.stamp_ns)):
        state.frame(k)
    state.until(2**63)
    end = log.close()
    unanswered = int((state.finals != 1).sum())
    done = Run(state.invoked, state.answer, state.reused, unanswered, end, folder)
    write_summary(folder, made.config, end, {**_counts(done), 'learned': learned(controller)})
    return done


def _counts(done: Run) -> dict[str, object]:
    return {
        'frames': len(done.answer),
        'decisions': len(done.answer),
        'unanswered': done.unanswered,
        'slow_calls': int(done.invoked.sum()),
        'reused': int(done.reused.sum()),
    }


def write_summary(folder: Path, config: Config, head: Head, counts: dict[str, object]) -> None:
    """Write `config.yaml` (ROS form, without the audit key) and `summary.json`."""
    (folder / 'config.yaml').write_text(ros_form(public(config)))
    summary = {'log': {'records': head.records, 'head': head.hash}, **counts}
    (folder / 'summary.json').write_text(json.dumps(summary, indent=1) + '\n')


def table_digest(table: ProfileTable) -> str:
    """Return the SHA-256 over everything a replay reads from a table."""
    whole = hashlib.sha256()
    looks = (table.sharpness, table.exposure, table.thumbnail)
    for column in (table.stamp_ns, table.fast_scores, table.slow_scores, table.track, *looks):
        if column is not None:
            whole.update(np.ascontiguousarray(column).tobytes())
    whole.update(digest((table.context, table.digest, table.fault)).encode())
    return whole.hexdigest()


def _prediction(model: str, scores: NDArray[np.float64]) -> Prediction | None:
    values = tuple(scores.tolist())
    if math.isnan(values[0]):
        return None
    return Prediction(model, values, values.index(max(values)), 0.0)


def _nanoseconds(seconds: float | None) -> int:
    return 0 if seconds is None else round(seconds * 1e9)
