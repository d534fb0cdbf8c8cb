"""Benchmark of the models: both sides do the same work, and the figures are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from selector.tasks.detection import Boxes

from benchmarks import models

pytest.importorskip('onnx')


def test_both_sides_run_the_same_network_on_the_same_tensor(tmp_path: Path) -> None:
    """The backend's scores are the softmax of what the bare run returns."""
    made = models.model(tmp_path, 'classifier', 2)
    image = np.random.default_rng(1).integers(0, 256, (models.SIDE, models.SIDE, 3), np.uint8)
    tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None] * np.float32(1.0 / 255.0))
    (logits,) = models.bare(tmp_path / 'classifier.onnx')(tensor)
    powers = np.exp(logits[0].astype(np.float64))
    assert made.predict(image).scores == pytest.approx(powers / powers.sum(), rel=1e-6)


def test_the_detector_has_something_to_decode(tmp_path: Path) -> None:
    """Boxes above the threshold and doubtful ones; else its figure would flatter."""
    found = models.model(tmp_path, 'detector', 2).predict(
        np.zeros((models.SIDE, models.SIDE, 3), np.uint8)
    )
    assert isinstance(found.content, Boxes)
    assert len(found.scores) >= 5
    assert found.content.doubtful


@pytest.mark.parametrize('head', sorted(models.HEADS))
def test_the_figures(tmp_path: Path, head: str) -> None:
    """Times of both, and their ratio."""
    figures = models.compare(tmp_path, head, 2, 5)
    assert set(figures) == {'bare_ms', 'predict_ms', 'overhead_us', 'ratio'}
    assert figures['ratio'] == pytest.approx(figures['predict_ms'] / figures['bare_ms'])
