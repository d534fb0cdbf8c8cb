"""The examples run, and what they show is true of the controller itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import subprocess
import sys
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pair
import pytest
from selector.audit import AuditLog
from selector.build import build_controller
from selector.build import header
from selector.frame import Frame
from selector.perception import Perception
from selector.prediction import Prediction
from selector.redecision import verify
from selector.situation import Situation

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / 'examples').glob('*.py'))
WORDS = ('go', 'to', 'the', 'kitchen', 'door')
sentences = st.lists(st.sampled_from(WORDS), max_size=6).map(tuple)


def loaded(name: str) -> ModuleType:
    """Return an example as a module."""
    path = next(path for path in EXAMPLES if path.stem == name)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SPEECH = loaded('word_error_rate')


def heard(words: tuple[str, ...], sure: float = 0.9) -> Prediction:
    """Return a transcript."""
    return Prediction('m', (sure,) * len(words), -1, 0.0, words)


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_runs(path: Path) -> None:
    """As a script, from anywhere, in under 80 lines, and it says something."""
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, cwd='/'
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout
    assert len(path.read_text().splitlines()) < 80


@given(sentences, sentences, sentences)
def test_the_distance_of_transcripts_is_a_metric(
    one: tuple[str, ...], two: tuple[str, ...], three: tuple[str, ...]
) -> None:
    """In [0, 1], 0 for the same words only, symmetric, and no detour is shorter."""
    apart = SPEECH.Transcription().disagreement
    a, b, c = heard(one), heard(two), heard(three)
    assert 0.0 <= apart(a, b) == apart(b, a) <= 1.0
    assert (apart(a, b) == 0.0) == (one == two)
    assert apart(a, c) <= apart(a, b) + apart(b, c) + 1e-9


def test_the_controller_decides_about_speech(tmp_path: Path) -> None:
    """Through the live perception: a fast model that mishears is found out, and slow is invoked.

    Every frame is answered, and the log is decided again bit for bit.
    """
    settings = {
        'models.correlation': '',
        'decision.gain_rule': 'learned',
        'decision.learning_pairs': 20,
        'budget.slow_calls.rate_hz': 5.0,
        'budget.audit_share': 0.4,
    }
    made = pair.made_plan(pair.models_folder(tmp_path / 'models'), settings)
    log = AuditLog(tmp_path / 'run' / 'audit', header(made, 'speech', 'virtual'), 1000)
    perception = Perception(
        build_controller(made), log, 0.5, 1.0, key=b'k', looks=False, task=SPEECH.Transcription()
    )
    draw, finals, doubtful, sure = np.random.default_rng(3), 0, 0, 0
    for k in range(600):
        wrong = draw.random() < 0.5
        words = ('go', 'to', 'the', 'door' if wrong else 'kitchen')
        stamp_ns = pair.START_NS + k * pair.PERIOD_NS
        frame = Frame(k, stamp_ns, '', '', None, '')
        fast = heard(words, 0.6 if wrong else 0.95)
        decided = perception.begin(frame, fast, '', Situation(stamp_ns, stamp_ns, '', 1.0))
        finals += decided.final is not None
        if decided.invoke or decided.observe:
            slow = heard(('go', 'to', 'the', 'kitchen'))
            learned = perception.answered(k, slow, stamp_ns, 0.01)
            finals += learned.final is not None
            assert learned.record.outcome.disagreement == pytest.approx(0.25 * wrong, abs=0.03)
        if k >= 300:
            doubtful += bool(decided.invoke) and wrong
            sure += bool(decided.invoke) and not wrong
    log.close()
    assert finals == 600
    assert doubtful > 10 * sure
    assert doubtful > 50
    assert verify(tmp_path / 'run').sound
