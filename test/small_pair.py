"""A fast and a slow model whose answers a test scripts, with real cards and a real correlation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
import pytest
from selector import build
from selector.backends.fake_model import FakeModel
from selector.calibration import Table
from selector.cards.card import checked_file
from selector.correlation import JointStatistics
from selector.correlation_file import context_tree
from selector.correlation_file import SCHEMA
from selector.correlation_file import write_correlation
from selector.fitted_gain import ALL_CONTEXTS
from selector.fitted_gain import ContextTables
import yaml

LABELS = ('box', 'cart', 'door', 'person')
FAST, SLOW, CORRELATION = 'small_fast', 'small_slow', 'correlation.json'
SLOW_CLASS = 3

Answer = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


def says(class_id: int) -> NDArray[np.floating]:
    """Return logits that are rather sure of a class."""
    return np.where(np.arange(len(LABELS)) == class_id, 2.0, 0.0)


@dataclass
class SmallPair:
    """The pair; `fast` and `slow` may be replaced at any time.

    Attributes:
        folder: the models folder.
        fast, slow: from an image to logits; may raise, wait or return nonsense.
    """

    folder: Path
    fast: Answer
    slow: Answer

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that select this pair."""
        return {
            'models.folder': str(self.folder),
            'models.fast': FAST,
            'models.slow': SLOW,
            'models.correlation': CORRELATION,
        }


def small_pair(folder: Path, monkeypatch: pytest.MonkeyPatch, gain: float = 0.5) -> SmallPair:
    """Make the pair in `folder` and have the node load it.

    Fast says class 0 and is wrong half the time; slow says class 3 and is wrong once in twenty.

    Args:
        folder: the models folder to be made.
        monkeypatch: of the test.
        gain: predicted gain of every frame, in [-1, 1].
    """
    pair = SmallPair(folder, lambda _: says(0), lambda _: says(SLOW_CLASS))

    def load(made: build.Plan, tier: str, _from_topic: Any = None) -> FakeModel:
        card = made.cards[tier]
        checked_file(card, made.folder / card.name)
        return FakeModel(card.name, lambda image: getattr(pair, tier)(image))

    monkeypatch.setattr(build, 'build_model', load)
    write_pair(folder, gain)
    return pair


def write_pair(folder: Path, gain: float = 0.5) -> None:
    """Write cards, model files and correlation; the files hold no model."""
    digests = {}
    for tier, name in (('fast', FAST), ('slow', SLOW)):
        model = folder / name
        model.mkdir(parents=True)
        (model / 'model.onnx').write_bytes(name.encode())
        digests[tier] = hashlib.sha256(name.encode()).hexdigest()
        (model / 'card.yaml').write_text(yaml.safe_dump(_card(name, digests[tier])))
    write_correlation(
        folder / CORRELATION,
        {
            'schema': SCHEMA,
            'date': '2026-01-01',
            'reference': 'LABEL',
            'models': digests,
            'pairs': {'slow': {ALL_CONTEXTS: context_tree(_tables(gain))}},
        },
    )


def jpeg(shade: int = 128) -> bytes:
    """Return a small grey picture."""
    buffer = io.BytesIO()
    Picture.new('RGB', (32, 32), (shade, shade, shade)).save(buffer, 'JPEG')
    return buffer.getvalue()


def _card(name: str, sha256: str) -> dict[str, Any]:
    figure = {'value': 0.01, 'kind': 'default', 'source': 'made up for a test'}
    return {
        'name': name,
        'task': 'classification',
        'file': 'model.onnx',
        'sha256': sha256,
        'labels': list(LABELS),
        'input': {'name': 'image', 'crop': 'none', 'size_px': 32, 'scale': 1.0},
        'output': 'logits',
        'training_data': 'none',
        'licence': 'Apache-2.0',
        'accuracy': figure,
        'multiply_adds': 0,
        'latency_p50_s': figure,
        'latency_p99_s': figure,
        'energy_j': {'value': None, 'kind': 'unknown', 'source': 'no sensor'},
    }


def _tables(gain: float) -> ContextTables:
    def constant(value: float) -> Table:
        return Table((0.0, 0.0, 0.0), 0.0, (0.0,), (value,), (0.0,))

    return ContextTables(
        statistics=JointStatistics(1000, 0.5, 0.05, 0.25, 0.05, 0.01),
        fast_error=constant(0.5),
        disagreement=constant(abs(gain)),
        khat=1.0 if gain >= 0.0 else -1.0,
        khat_width=0.0,
        disagreeing=500,
        slow_error=constant(0.05),
        low=(0.0, 0.0, 0.0),
        high=(1.0, 1.0, 1.0),
    )
