"""Torch and torchvision for the tests, or the reason why a test is skipped.

The registry's torchvision is linked to CUDA libraries and does not start beside a CPU torch: its
own operators are not there, and it asks for two of them on import. Here their signatures are
declared before, and non-maximum suppression gets a plain implementation, so that its detectors run
in the tests. The product does no such thing: to a user it says what is wrong.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

SCHEMAS = ('nms', 'qnms')


def torch() -> Any:
    """Return torch, or skip."""
    return _package('torch')


@functools.cache
def torchvision() -> Any:
    """Return torchvision, with stand-ins for its operators where they do not load; or skip."""
    _package('torch')
    spec = importlib.util.find_spec('torchvision')
    if spec is None or spec.origin is None or _operators_load(Path(spec.origin)):
        return _package('torchvision')
    _declare_operators()
    found = _package('torchvision')
    # It asks whether its library was loaded before it calls what is declared above.
    found.ops.boxes._assert_has_ops = lambda: None
    return found


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # `make test` sets this where it installed torch, so that a broken set-up cannot pass.
        if os.environ.get('SELECTOR_REQUIRE_TORCH'):
            raise
        pytest.skip(f'{name} is not here: {error}')


def _operators_load(package: Path) -> bool:
    for library in package.parent.glob('_C*.so'):
        try:
            torch().ops.load_library(str(library))
        except OSError:
            return False
    return hasattr(torch().ops.torchvision, 'nms')


@functools.cache
def _declare_operators() -> Any:
    """Declare the operators; the library they are in lives as long as the process."""
    library = torch().library.Library('torchvision', 'FRAGMENT')
    for name in SCHEMAS:
        library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    library.impl('nms', _nms, 'CPU')
    return library


def _nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Return the places of the boxes (N, 4) that no better one overlaps more than allowed."""
    kept = []
    order = scores.argsort(descending=True, stable=True)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    while order.numel():
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = boxes[rest, :2].maximum(boxes[best, :2])
        far = boxes[rest, 2:].minimum(boxes[best, 2:])
        common = (far - corner).clamp(min=0.0).prod(dim=1)
        overlap = common / (area[rest] + area[best] - common)
        order = rest[~(overlap > iou_threshold)]
    return torch().stack(kept) if kept else order
