"""Benchmark of the torch backend: both sides do the same work, and the figures are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch_here

from benchmarks import models_torch


@pytest.mark.parametrize('form', models_torch.FORMS)
def test_both_sides_run_the_same_network_on_the_same_tensor(form: str, tmp_path: Path) -> None:
    """The backend's scores are the softmax of what the bare call returns."""
    torch = torch_here.torch()
    made, module = models_torch.model(tmp_path, form, 2)
    side = models_torch.SIDE
    image = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    ready = np.ascontiguousarray(image.transpose(2, 0, 1)[None] * np.float32(1.0 / 255.0))
    logits = models_torch.bare(module, torch.from_numpy(ready))()[0].double()
    assert made.predict(image).scores == pytest.approx(logits.softmax(0).tolist(), rel=1e-5)


@pytest.mark.parametrize('form', models_torch.FORMS)
def test_the_figures(form: str, tmp_path: Path) -> None:
    """Times of both, and their ratio."""
    torch_here.torch()
    figures = models_torch.compare(tmp_path, form, 2, 5)
    assert set(figures) == {'bare_ms', 'predict_ms', 'overhead_us', 'ratio'}
    assert figures['ratio'] == pytest.approx(figures['predict_ms'] / figures['bare_ms'])
