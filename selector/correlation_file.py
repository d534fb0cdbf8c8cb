"""Correlation file: the fitted correlation as readable JSON with its own digest."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any
from typing import NamedTuple

from selector.calibration import checked
from selector.calibration import Table
from selector.correlation import JointStatistics
from selector.errors import ConfigError
from selector.errors import SelectorError
from selector.evidence import EVIDENCE_NAMES
from selector.fitted_gain import ALL_CONTEXTS
from selector.fitted_gain import ContextTables

SCHEMA = 'model_selector/correlation/1'


class Correlation(NamedTuple):
    """A fitted correlation as read from its file.

    Attributes:
        tables: by tier, then context.
        digest: SHA-256 of the file's content without its own `sha256` field.
        date: day of the fit, ISO.
        reference: what the losses are measured against.
        models: SHA-256 of the model files the fit was made with, by tier.
    """

    tables: dict[str, dict[str, ContextTables]]
    digest: str
    date: str
    reference: str
    models: dict[str, str]


def content_digest(tree: dict[str, Any]) -> str:
    """Return the SHA-256 of a correlation without its `sha256` field."""
    content = {k: v for k, v in tree.items() if k != 'sha256'}
    text = json.dumps(content, sort_keys=True, separators=(',', ':'), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def context_tree(tables: ContextTables) -> dict[str, Any]:
    """Return one context's tables as JSON values, with the summary an auditor reads first."""
    statistics = tables.statistics
    slope = statistics.slope_interval()
    bounded = math.isfinite(slope.low)
    return {
        'summary': {
            **statistics._asdict(),
            'rho': statistics.rho,
            'rho_interval': list(statistics.rho_interval()),
            'slope': statistics.slope,
            'slope_interval': list(slope) if bounded else None,
            'intercept': statistics.intercept,
        },
        'khat': tables.khat,
        'khat_width': tables.khat_width,
        'disagreeing': tables.disagreeing,
        'evidence_low': list(tables.low),
        'evidence_high': list(tables.high),
        'fast_error': _table_tree(tables.fast_error),
        'disagreement': _table_tree(tables.disagreement),
        'slow_error': _table_tree(tables.slow_error),
    }


def _table_tree(table: Table) -> dict[str, Any]:
    return {
        'bias': table.bias,
        'weights': dict(zip(EVIDENCE_NAMES, table.weights, strict=True)),
        'knots': [list(knot) for knot in zip(table.x, table.y, table.width, strict=True)],
        'knot_columns': ['score', 'probability', 'half_width'],
    }


def write_correlation(path: Path, tree: dict[str, Any]) -> str:
    """Write a correlation with its digest; return the digest."""
    sealed = {**tree, 'sha256': content_digest(tree)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.partial')
    partial.write_text(json.dumps(sealed, indent=1, allow_nan=False) + '\n')
    partial.replace(path)
    return str(sealed['sha256'])


def read_correlation(path: Path) -> Correlation:
    """Return the correlation in `path` after comparing its digest.

    Raises:
        ConfigError: the file is missing, was altered, or is no correlation of this format.
    """
    tree = _tree(path)
    found = content_digest(tree)
    if tree.get('sha256') != found:
        raise ConfigError(
            f'{path} was altered: it names sha256 {tree.get("sha256")}, its content has {found}; '
            'fit again with `selector fit`',
            expected=tree.get('sha256'),
            found=found,
        )
    try:
        tables = {
            tier: {name: _context(part) for name, part in contexts.items()}
            for tier, contexts in tree['pairs'].items()
        }
        if not tables or any(ALL_CONTEXTS not in contexts for contexts in tables.values()):
            raise ConfigError(f'{path} has no tables for all contexts together')
        return Correlation(tables, found, tree['date'], tree['reference'], dict(tree['models']))
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise ConfigError(f'{path}: bad or missing field {err}') from err
    except SelectorError as err:
        raise ConfigError(f'{path}: {err}') from err


def _tree(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`, all of whose numbers are finite."""
    try:
        tree = json.loads(path.read_text())
        json.dumps(tree, allow_nan=False)
    except OSError as err:
        raise ConfigError(
            f'no fitted correlation at {path}: {err.strerror}; make one with `selector fit`'
        ) from err
    except ValueError as err:
        raise ConfigError(f'{path} is no JSON: {err}') from err
    if not isinstance(tree, dict) or tree.get('schema') != SCHEMA:
        raise ConfigError(f'{path} is no correlation file of schema {SCHEMA}')
    return tree


def _context(tree: dict[str, Any]) -> ContextTables:
    for name, low, high in (('khat', -1.0, 1.0), ('khat_width', 0.0, 1.0)):
        if not low <= tree[name] <= high:
            raise ValueError(f'{name} = {tree[name]}; it is in [{low:g}, {high:g}]')
    for name in ('evidence_low', 'evidence_high'):
        if len(tree[name]) != len(EVIDENCE_NAMES):
            raise ValueError(f'{name} has {len(tree[name])} values for {EVIDENCE_NAMES}')
    summary = tree['summary']
    return ContextTables(
        statistics=JointStatistics(**{k: summary[k] for k in JointStatistics._fields}),
        fast_error=_table(tree['fast_error']),
        disagreement=_table(tree['disagreement']),
        khat=float(tree['khat']),
        khat_width=float(tree['khat_width']),
        disagreeing=int(tree['disagreeing']),
        slow_error=_table(tree['slow_error']),
        low=tuple(map(float, tree['evidence_low'])),
        high=tuple(map(float, tree['evidence_high'])),
    )


def _table(tree: dict[str, Any]) -> Table:
    weights = tuple(float(tree['weights'][name]) for name in EVIDENCE_NAMES)
    x, y, width = (tuple(map(float, column)) for column in zip(*tree['knots'], strict=True))
    return checked(Table(weights, float(tree['bias']), x, y, width), len(EVIDENCE_NAMES))
