"""A pair that a robot team trained, described by two cards, on crops of its real bag."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from selector.build import build_model
from selector.build import FAST
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.config import from_flat
from selector.redecision import verify
from selector.table import ProfileTable
from selector.tools.replay import replay
from selector.workers.worker import run
import yaml

pytest.importorskip('rosbags', reason='rosbags is not installed')
from benchmarks.bench import robocup_stream  # noqa: E402

LABELS = ['ball', 'obstacle', 'human', 'parking', 'goal post', 'background']


@pytest.fixture(scope='module')
def data() -> Path:
    """Where the recordings are."""
    found = robocup_stream.folder()
    if found is None:
        pytest.skip('SELECTOR_ROBOCUP_DIR names no folder with the RoboCup data')
    return found


@pytest.fixture(scope='module')
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan of the pair, from nothing but two cards beside the files."""
    models = tmp_path_factory.mktemp('robocup') / 'models'
    for tier, p50_s in (('fast', 0.0002), ('slow', 0.002)):
        folder = models / f'robocup_{tier}'
        folder.mkdir(parents=True)
        content = (data / f'{tier}.onnx').read_bytes()
        (folder / 'model.onnx').write_bytes(content)
        figure = {'value': p50_s, 'kind': 'default', 'source': 'of this test'}
        card = {
            'name': folder.name,
            'task': 'classification',
            'file': 'model.onnx',
            'sha256': hashlib.sha256(content).hexdigest(),
            'labels': LABELS,
            'input': {'name': 'image', 'size_px': 32, 'scale': 1.0},
            'output': 'logits',
            'training_data': 'RoboCup Middle Size League, 2019 to 2024',
            'licence': 'Apache-2.0',
            'latency_p50_s': figure,
            'latency_p99_s': figure,
        }
        (folder / 'card.yaml').write_text(yaml.safe_dump(card))
    values = {
        'models.folder': str(models),
        'models.fast': 'robocup_fast',
        'models.slow': 'robocup_slow',
        'models.correlation': '',
        'decision.gain_rule': 'learned',
        'decision.learning_pairs': 20,
        'budget.audit_share': 0.3,
    }
    return plan(from_flat(values))


def test_the_cards_run_the_models_as_the_team_does(data: Path, made: Plan) -> None:
    """On every box of the bag both models say what they say without us, bit for bit nearly."""
    stream = robocup_stream.bag()
    assert stream is not None
    images = [
        robocup_stream.crop(image, *map(float, line.split()[1:]))
        for image, text in robocup_stream._truths(data / robocup_stream.BAG)
        for line in text.splitlines()
    ]
    assert len(images) == len(stream.label)
    for tier, scores in ((FAST, stream.fast_scores), (SLOW, stream.slow_scores)):
        model = build_model(made, tier)
        said = np.asarray([run(model, image, made.task).scores for image in images])
        assert said == pytest.approx(scores, abs=1e-4)


def test_the_pair_is_decided_about(made: Plan, tmp_path: Path) -> None:
    """The bag's crops through the live controller: all answered, decided again, and worth it."""
    stream = robocup_stream.bag()
    assert stream is not None
    count = len(stream.label)
    table = ProfileTable(
        stamp_ns=stream.stamp_ns,
        context=('',) * count,
        track=np.full(count, -1, np.int64),
        label=stream.label,
        fast_scores=stream.fast_scores,
        slow_scores=stream.slow_scores,
        digest=('',) * count,
        fault=('',) * count,
        sharpness=stream.sharpness,
        exposure=stream.exposure,
        thumbnail=stream.thumbnail,
    )
    done = replay(table, made, tmp_path / 'run')
    assert done.unanswered == 0
    assert verify(tmp_path / 'run').sound
    assert (done.answer == stream.label).mean() > (stream.fast_class == stream.label).mean()
