"""Demo: the main job, as a user starts it."""

from __future__ import annotations

from pathlib import Path
import re
import subprocess
import sys

import pair
import pytest
from selector.redecision import verify
from selector.tools.demo import read_live
from selector.tools.replay import replay


def selector(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, '-m', 'selector.tools.cli', *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.ros
@pytest.mark.slow
def test_demo_answers_every_frame(tmp_path: Path) -> None:
    """The demo runs the real node on the stream, explains a decision and verifies its log."""
    pytest.importorskip('rclpy')
    done = selector('demo', '--rate', '60', '--out', str(tmp_path / 'run'), '-q')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == 'demo: 1200 frames, 1200 decisions, 0 unanswered, log verified'
    for row in ('fast only', 'slow only', 'random, same spend', 'ours', 'oracle, same spend'):
        assert any(re.match(rf'{row} +0\.\d+ ', line) for line in lines), row
    assert any(re.match(r'Frame \d+ at .*: slow was invoked; .*turned to', line) for line in lines)
    (folder,) = tmp_path.iterdir()
    assert verify(folder).sound


@pytest.mark.parametrize('shadow', [False, True])
def test_a_log_tells_what_was_answered(tmp_path: Path, shadow: bool) -> None:
    """Where slow ran and what was committed, reuse and audits included, is read off the log."""
    values = {
        'decision.reuse_max_age_s': 2.0,
        'decision.shadow': shadow,
        'budget.slow_calls.rate_hz': 1.0,
        'budget.audit_share': 0.3,
    }
    made = pair.made_plan(pair.models_folder(tmp_path / 'models'), values)
    table = pair.seen(pair.table(300))
    done = replay(table, made, tmp_path / 'run')
    live = read_live(done.folder, table)
    assert (live.answer == done.answer).all()
    assert (live.invoked == done.invoked).all()
    assert done.reused.any() == done.invoked.any() == (not shadow)


def test_a_bad_bag_is_one_sentence(tmp_path: Path) -> None:
    """A path that holds no bag ends the demo with code 2 before anything starts."""
    done = selector('demo', '--bag', str(tmp_path / 'none'))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith('selector: no bag at ')
    assert 'Traceback' not in done.stderr
