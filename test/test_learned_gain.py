"""Learned gain: the tables, corrected by what every call shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pair
import pytest
from selector.build import plan
from selector.config import from_flat
from selector.correlation_file import read_correlation
from selector.evidence import Evidence
from selector.gain import FittedGain
from selector.learned_gain import LearnedGain
from selector.redecision import verify
from selector.table import ProfileTable
from selector.tools.replay import replay

SURE = Evidence(0.95, 0.92, 0.1)
UNSURE = Evidence(0.3, 0.05, 0.9)


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a fitted correlation."""
    return pair.models_folder(tmp_path_factory.mktemp('learned') / 'models')


@pytest.fixture
def fitted(models: Path) -> FittedGain:
    """The tables of that folder."""
    return FittedGain(read_correlation(models / 'correlation_cifar10.json').tables, 'calibrated')


def test_before_the_first_call_it_is_the_table(fitted: FittedGain) -> None:
    """Without optimism and before any outcome the gain is the fitted one."""
    learned = LearnedGain(fitted, optimism=0.0)
    for evidence in (SURE, UNSURE):
        assert learned.gain('slow', evidence, '').mean == pytest.approx(
            fitted.gain('slow', evidence, '').mean
        )
    assert learned.gain('slow', None, '') == fitted.gain('slow', None, '')


def test_it_learns_that_the_tables_are_wrong(fitted: FittedGain) -> None:
    """Where calls always show agreement, the gain falls towards 0."""
    learned = LearnedGain(fitted, optimism=0.0)
    before = learned.gain('slow', UNSURE, '').mean
    for _ in range(200):
        learned.learn('slow', UNSURE, '', 0.0)
    assert learned.gain('slow', UNSURE, '').mean < 0.2 * before


def test_optimism_adds_to_a_gain_until_it_is_known(fitted: FittedGain) -> None:
    """Optimism raises the predicted gain by the width, which falls with every call."""
    hopeful, sober = LearnedGain(fitted, optimism=1.0), LearnedGain(fitted, optimism=0.0)
    first = hopeful.gain('slow', SURE, '').mean - sober.gain('slow', SURE, '').mean
    for _ in range(100):
        hopeful.learn('slow', SURE, '', 0.0)
        sober.learn('slow', SURE, '', 0.0)
    later = hopeful.gain('slow', SURE, '').mean - sober.gain('slow', SURE, '').mean
    assert first > 3.0 * later >= 0.0


def test_a_learning_replay_verifies(models: Path, tmp_path: Path) -> None:
    """A log made while learning is decided again bit for bit, and a second run gives its bytes."""
    draw = np.random.default_rng(3)
    scores = draw.dirichlet(np.full(10, 0.4), size=(2, 600))
    table = ProfileTable(
        stamp_ns=np.arange(600) * 100_000_000,
        context=('',) * 600,
        track=np.full(600, -1),
        label=draw.integers(0, 10, 600),
        fast_scores=scores[0],
        slow_scores=scores[1],
        digest=('',) * 600,
        fault=('',) * 600,
    )
    values = {'models.folder': str(models), 'decision.gain_rule': 'learned'}
    logs = []
    for name in ('one', 'two'):
        replay(table, plan(from_flat(values)), tmp_path / name)
        verdict = verify(tmp_path / name)
        assert verdict.sound, verdict.flaw
        assert verdict.outcomes > 50
        logs.append((tmp_path / name / 'audit' / '000000.jsonl').read_bytes())
    assert logs[0] == logs[1]
    replay(table, plan(from_flat(values | {'decision.gain_rule': 'calibrated'})), tmp_path / 'c')
    assert (tmp_path / 'c' / 'audit' / '000000.jsonl').read_bytes() != logs[0]
