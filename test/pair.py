"""The shipped pair of models with a correlation fitted on a synthetic table, for tests."""

from __future__ import annotations

from collections.abc import Mapping
import functools
from pathlib import Path
from typing import Any

import numpy as np
from selector.build import FAST
from selector.build import model_digest
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.cards.card import read_card
from selector.config import from_flat
from selector.correlation_file import write_correlation
from selector.table import ProfileTable
from selector.tools.fit import fit

MODELS = Path(__file__).resolve().parents[1] / 'models'
NAMES = {FAST: 'cifar10_fast', SLOW: 'cifar10_slow'}
CORRELATION = 'correlation_cifar10.json'
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
CLASSES = 10


def table(count: int, seed: int = 1, **columns: Any) -> ProfileTable:
    """Return a table of `count` frames, 0.1 s apart, on some of which only slow is right."""
    draw = np.random.default_rng(seed)
    label = draw.integers(0, CLASSES, count)
    hard = draw.random(count)

    def scores(strength: float, ease: float) -> Any:
        logits = draw.normal(size=(count, CLASSES))
        logits[np.arange(count), label] += strength * (1.0 - ease * hard)
        powers = np.exp(1.5 * logits)
        return powers / powers.sum(1, keepdims=True)

    made = ProfileTable(
        stamp_ns=START_NS + PERIOD_NS * np.arange(count, dtype=np.int64),
        context=tuple('day' if k % 40 < 20 else 'dusk' for k in range(count)),
        track=np.arange(count, dtype=np.int64) // 10,
        label=label.astype(np.int64),
        fast_scores=scores(3.5, 1.0),
        slow_scores=scores(6.0, 0.6),
        digest=('',) * count,
        fault=('',) * count,
    )
    return made._replace(**columns)


def seen(made: ProfileTable) -> ProfileTable:
    """Return a table with looks: the frames of one track look nearly the same."""
    draw = np.random.default_rng(5)
    blocks = np.random.default_rng(6).uniform(40.0, 215.0, (int(made.track.max()) + 1, 12, 12))
    noise = draw.normal(0.0, 3.0, (len(made.track), 12, 12))
    return made._replace(
        sharpness=draw.random(len(made.track)),
        exposure=draw.random(len(made.track)),
        thumbnail=np.asarray(blocks[made.track] + noise, np.float32),
    )


def write_table(path: Path, made: ProfileTable) -> Path:
    """Write a table as `.npz`; return its path."""
    names = ('sharpness', 'exposure', 'thumbnail')
    looks = {n: getattr(made, n) for n in names if getattr(made, n) is not None}
    np.savez(
        path,
        stamp_ns=made.stamp_ns,
        context=np.array(made.context),
        track=made.track,
        label=made.label,
        fast_scores=made.fast_scores,
        slow_scores=made.slow_scores,
        **looks,
    )
    return path


@functools.cache
def correlation() -> dict[str, Any]:
    """Return a correlation of the shipped models, fitted once a session."""
    models = {tier: model_digest(read_card(MODELS / name)) for tier, name in NAMES.items()}
    return fit(table(3000, seed=7), models, '2026-01-01', '0' * 64)


def models_folder(folder: Path) -> Path:
    """Fill `folder` with the shipped models (links) and a fitted correlation; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES.values():
        (folder / name).symlink_to(MODELS / name)
    write_correlation(folder / CORRELATION, correlation())
    return folder


def made_plan(models: Path, values: Mapping[str, object] | None = None) -> Plan:
    """Return the plan of the models in `models` with parameter `values` over the defaults."""
    chosen = {'models.folder': str(models), 'models.correlation': CORRELATION, **(values or {})}
    return plan(from_flat(chosen))
