"""Footprint: memory and cold times of a real model, seen by a child process."""

from __future__ import annotations

from pathlib import Path
import sys

import numpy as np
import pair
import pytest
from selector.config import from_flat
from selector.errors import ModelError
from selector.tools.footprint import child
from selector.tools.footprint import footprint

FRAME = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs /proc')
def test_a_model_takes_time_and_memory() -> None:
    """All four figures are measured; what the model adds is less than the process has."""
    config = from_flat({'models.folder': str(pair.MODELS)})
    # Memory of ours that a child must not be charged with.
    ballast = np.ones(20_000_000)
    found = footprint(config, 'cifar10_slow', 1, FRAME, 1)
    assert [f.kind for f in found] == ['measured'] * 4
    assert found.rise.value is not None
    assert found.process.value is not None
    # The weights alone are 2.6 MB.
    assert 2.6e6 < found.rise.value < found.process.value < ballast.nbytes
    assert found.load.value is not None
    assert found.load.value > 0.0


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs /proc')
def test_an_earlier_peak_is_not_the_models() -> None:
    """160 MB that were used and freed before are not in the rise."""
    config = from_flat({'models.folder': str(pair.MODELS)})
    ballast = np.ones(20_000_000)
    size = ballast.nbytes
    del ballast
    found = child(config, 'cifar10_fast', 1, FRAME)
    assert found.rise is not None
    assert found.rise < size / 2


def test_what_goes_wrong_in_the_child_is_told_here(tmp_path: Path) -> None:
    """Our errors keep their kind and their text on the way."""
    with pytest.raises(ModelError, match='no model'):
        footprint(from_flat({'models.folder': str(tmp_path)}), 'gone', 1, FRAME, 1)


@pytest.mark.parametrize('missing', ['_STATUS', '_RESET'])
def test_without_proc_memory_is_unknown(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Times are still measured; memory is unknown, not 0 bytes."""
    monkeypatch.setattr(f'selector.tools.footprint.{missing}', tmp_path / 'none' / 'none')
    config = from_flat({'models.folder': str(pair.MODELS)})
    found = child(config, 'cifar10_fast', 1, FRAME)
    assert found.rise is None
    monkeypatch.setattr('selector.tools.footprint._in_child', lambda *_: found)
    told = footprint(config, 'cifar10_fast', 1, FRAME, 1)
    assert (told.rise.value, told.first.kind) == (None, 'measured')
