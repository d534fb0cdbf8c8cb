"""Any run: whatever is configured and happens, frames are answered and the log is sound."""

from __future__ import annotations

from pathlib import Path
import random
from typing import Any

import numpy as np
import pair
import pytest
from selector.audit import AuditLog
from selector.build import audit_key
from selector.build import build_controller
from selector.build import header
from selector.build import Plan
from selector.errors import ConfigError
from selector.errors import SequenceError
from selector.frame import Frame
from selector.justification import explain
from selector.perception import Decided
from selector.perception import Perception
from selector.prediction import Prediction
from selector.redecision import verify
from selector.scene import Look
from selector.settings import Change
from selector.situation import Situation
from selector.table import ProfileTable
from selector.tasks.classification import truth

FRAMES = 120
MS = 1_000_000
RULES = (
    '{name: near, classes: [bird, cat], time_to_collision_below_s: 1.0, force_slow: true}',
    '{name: careful, zones: [depot], conservative: true, max_indecision_s: 0.4}',
    '{name: night, contexts: [dusk], stake: 2.0}',
    '{name: force, zones: [depot], force_slow: true}',
)


def some_plan(draw: random.Random, models: Path, folder: Path) -> Plan:
    """Return a plan with parameters drawn at random; some do not fit together."""
    path = folder / 'stakes.yaml'
    rules = ''.join(f'  - {rule}\n' for rule in draw.sample(RULES, draw.randint(1, 4)))
    empty = draw.choice(['overdraw', 'advise_stop'])
    path.write_text(f'when_empty: {empty}\nconservative_order: [bird, cat, dog]\nstakes:\n{rules}')
    values = {
        'models.correlation': draw.choice(['', pair.CORRELATION]),
        'decision.gain_rule': draw.choice(['calibrated', 'learned', 'seed']),
        'decision.learning_pairs': draw.choice([0, 5, 50]),
        'decision.reuse_max_age_s': draw.choice([0.0, 0.3, 5.0]),
        'decision.stakes_file': draw.choice(['', str(path)]),
        'decision.shadow': draw.random() < 0.1,
        'budget.audit_share': draw.choice([0.0, 0.1, 0.3]),
        'budget.safety_share': draw.choice([0.0, 0.2]),
        'budget.slow_calls.rate_hz': draw.choice([0.0, 0.5, 3.0, 20.0]),
        'budget.slow_calls.burst': draw.choice([0.0, 12.0, 40.0]),
        'budget.energy.allowance': draw.choice(['', '20 mW', '0 W']),
        'audit.segment_records': draw.choice([50, 10_000]),
    }
    return pair.made_plan(models, values)


class Chance:
    """A camera, a slow model and an operator that do whatever the draw says."""

    def __init__(self, draw: random.Random, perception: Perception, table: ProfileTable) -> None:
        self._draw, self._perception, self._table = draw, perception, table
        self._now_ns = pair.START_NS
        self._calls: dict[int, bool] = {}
        self.finals = [0] * FRAMES

    def frame(self, k: int) -> Decided:
        """Offer frame `k`, let calls end, labels come in and settings change."""
        draw = self._draw
        self._now_ns += draw.choice([0, 50, 100, 2000, -30]) * MS
        fast = None if draw.random() < 0.05 else _answer(self._table.fast_scores[k])
        torn = 'torn' if fast is None and draw.random() < 0.5 else ''
        frame = Frame(k, self._now_ns, '', draw.choice('ab'), None, '', torn)
        decided = self._perception.begin(frame, fast, '' if fast else 'broken', self._situation(k))
        self.finals[k] += decided.final is not None
        if decided.invoke or decided.observe:
            self._calls[k] = bool(decided.observe)
        for sequence in list(self._calls):
            self._end(sequence)
        self._disturb(k)
        return decided

    def close(self) -> None:
        """End what is still open."""
        while self._calls:
            for sequence in list(self._calls):
                self._end(sequence)

    def _situation(self, k: int) -> Situation:
        draw, now_ns = self._draw, self._now_ns
        grey = np.random.default_rng(k // 8).uniform(0.0, 255.0, (12, 12)).astype(np.float32)
        return Situation(
            now_ns,
            now_ns + draw.choice([1, 20, 70, 200]) * MS,
            draw.choice(['', 'day', 'dusk']),
            draw.choice([0.0, 1.0, 3.0, 1000.0]),
            ('slow',) if len(self._calls) > 2 else (),
            track=draw.choice([-1, 1, 2]),
            zone=draw.choice(['', 'depot']),
            time_to_collision_s=draw.choice([None, 0.5, -1.0]),
            observe=draw.random() < 0.05,
            look=draw.choice([None, Look(grey, draw.random(), draw.random())]),
        )

    def _end(self, sequence: int) -> None:
        draw, now_ns, perception = self._draw, self._now_ns, self._perception
        end = draw.choice(['', '', '', 'answered', 'answered', 'failed', 'cancelled', 'timed_out'])
        if not end or (end == 'timed_out' and self._calls[sequence]):
            return
        if end == 'timed_out':
            self._calls[sequence] = True
            learned = perception.timed_out(sequence, now_ns, 0.08)
        else:
            del self._calls[sequence]
            if end == 'answered':
                answer = _answer(self._table.slow_scores[sequence])
                latency_s = draw.choice([0.01, 0.09, 50.0])
                learned = perception.answered(sequence, answer, now_ns, latency_s)
            else:
                learned = getattr(perception, end)(sequence, now_ns, 0.05, 'x')
        self.finals[sequence] += learned.final is not None

    def _disturb(self, k: int) -> None:
        draw, perception = self._draw, self._perception
        if draw.random() < 0.2:
            try:
                perception.labelled(draw.randint(0, k), truth(draw.randint(0, 9)), self._now_ns)
            except SequenceError as err:
                assert 'label already' in str(err)
        if draw.random() < 0.03:
            perception.adjust(Change(self._now_ns, 'test', shadow=draw.random() < 0.5))
        if draw.random() < 0.03:
            self._now_ns -= 1000 * MS
            perception.adjust(Change(self._now_ns, 'test', rewind_ns=self._now_ns))


def _answer(scores: Any) -> Prediction:
    return Prediction('m', tuple(scores.tolist()), int(scores.argmax()), 0.0)


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a fitted correlation."""
    return pair.models_folder(tmp_path_factory.mktemp('any') / 'models')


@pytest.mark.parametrize('seed', range(25))
def test_any_run_is_answered_and_sound(models: Path, tmp_path: Path, seed: int) -> None:
    """One final a frame, a sentence for each decision, and all of it taken again bit for bit.

    Rules, reserves, reuse, learning, labels, late and failed calls, clocks set back, in any mix.
    """
    draw = random.Random(seed)
    while True:
        try:
            made = some_plan(draw, models, tmp_path)
        except ConfigError:
            continue
        break
    log = AuditLog(
        tmp_path / 'run', header(made, 'm', 'virtual'), made.config.audit.segment_records
    )
    perception = Perception(
        build_controller(made), log, 0.08, 0.5, key=audit_key(made.config, 'm')
    )
    chance = Chance(draw, perception, pair.table(FRAMES, seed=seed))
    names = tuple(resource.name for resource in made.settings.resources)
    for k in range(FRAMES):
        assert explain(chance.frame(k).record, names).endswith('.')
    chance.close()
    log.close()
    assert chance.finals == [1] * FRAMES
    assert perception.open_calls() == []
    verdict = verify(tmp_path / 'run')
    assert verdict.sound, verdict.flaw
