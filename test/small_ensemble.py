"""Small ensembles, made in a test from models that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import shutil
from typing import Any

import pair
from selector.backends.ensemble_model import EnsembleModel
from selector.backends.onnx_model import OnnxModel
from selector.cards.card import Card
from selector.cards.card import checked_card
from selector.cards.card import read_card
from selector.tasks.known import task_named
import small_onnx


def card(members: Sequence[str], price: float = 0.0, **more: Any) -> Card:
    """Return the card of an ensemble, of a classifier of two labels where it is not said."""
    tree = {
        'name': 'all',
        'task': 'classification',
        'runtime': 'ensemble',
        'labels': ['no', 'yes'],
        'ensemble': {'members': list(members), 'marginal_gain_min': price},
        'training_data': 'none',
        'licence': 'Apache-2.0',
    }
    return checked_card(tree | more, 'a card')


def of(folders: Sequence[Path], price: float = 0.0) -> EnsembleModel:
    """Return the ONNX models of some folders as an ensemble, of the first one's task."""
    cards = [read_card(folder) for folder in folders]
    members = [
        OnnxModel(read, folder / 'model.onnx', 1)
        for read, folder in zip(cards, folders, strict=True)
    ]
    more: dict[str, Any] = {'task': cards[0].task, 'labels': list(cards[0].labels)}
    if cards[0].task == 'detection':
        more['threshold'] = cards[0].threshold
    made = card([member.name for member in members], price, **more)
    return EnsembleModel(made, members, task_named(made.task, made.task_spec))


def shipped(price: float = 0.0) -> EnsembleModel:
    """Return the two shipped models as an ensemble, the fast one first."""
    return of([pair.MODELS / pair.NAMES[tier] for tier in ('fast', 'slow')], price)


def detectors(folder: Path) -> EnsembleModel:
    """Return a detector of bright regions and one that sees them in larger pixels."""
    sharp = small_onnx.detector(folder)
    coarse = folder / 'coarse'
    shutil.copytree(sharp, coarse)
    text = (coarse / 'card.yaml').read_text(encoding='utf-8')
    text = text.replace('name: lamps', 'name: coarse').replace('size_px: 32', 'size_px: 16')
    (coarse / 'card.yaml').write_text(text, encoding='utf-8')
    return of([sharp, coarse])
