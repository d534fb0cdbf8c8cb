"""Profile table: what both models said about every frame, so that every decision can be tried."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from typing import NamedTuple
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from selector.errors import InputError
from selector.scene import CELLS
from selector.scene import Look

_LOOK = ('sharpness', 'exposure', 'thumbnail')
_Number = TypeVar('_Number', np.float64, np.float32)


class ProfileTable(NamedTuple):
    """Both models' answers to the same N frames.

    Attributes:
        stamp_ns: (N,) int64 header stamps [ns].
        context: (N,) declared contexts, '' when unknown.
        track: (N,) int64 id of the object followed; -1 unknown. Rows of one object are no
            independent samples.
        label: (N,) int64 true class, -1 unknown.
        fast_scores, slow_scores: (N, C) class probabilities; a row of NaN where a model failed.
        digest: (N,) digests of the frames, '' when unknown.
        fault: (N,) why a frame could not be decoded, '' where it could.
        sharpness, exposure: (N,) float64 of the image, see `scene.Look`; NaN without an image.
        thumbnail: (N, CELLS, CELLS) float32 of the image, 0 to 255; this and the two before are
            there together, or None.
    """

    stamp_ns: NDArray[np.int64]
    context: tuple[str, ...]
    track: NDArray[np.int64]
    label: NDArray[np.int64]
    fast_scores: NDArray[np.float64]
    slow_scores: NDArray[np.float64]
    digest: tuple[str, ...]
    fault: tuple[str, ...]
    sharpness: NDArray[np.float64] | None = None
    exposure: NDArray[np.float64] | None = None
    thumbnail: NDArray[np.float32] | None = None

    def look(self, k: int) -> Look | None:
        """Return the look of row `k`, None where the table has none."""
        if self.thumbnail is None or self.sharpness is None or self.exposure is None:
            return None
        sharpness, exposure = float(self.sharpness[k]), float(self.exposure[k])
        known = not math.isnan(sharpness)
        return Look(self.thumbnail[k], sharpness, exposure) if known else None

    def __repr__(self) -> str:
        """Return the sizes, not the values."""
        return f'ProfileTable({len(self.stamp_ns)} frames, {self.fast_scores.shape[1]} classes)'


def read_table(path: Path) -> ProfileTable:
    """Return the profile table of an `.npz` file (docs/interfaces: stamps, scores, labels).

    Raises:
        InputError: the file is missing or damaged, a column is missing, or shapes do not match;
            the message lists what is there.
    """
    try:
        with path.open('rb') as stream, np.load(stream, allow_pickle=False) as file:
            columns = {name: np.atleast_1d(file[name]) for name in file.files}
    except FileNotFoundError as err:
        raise InputError(f'no profile table at {path}') from err
    except Exception as err:  # numpy, zipfile and zlib raise many kinds on damaged input
        text = ' '.join(str(err).split())
        raise InputError(f'{path} is no profile table (.npz): {text}') from err
    seen = [name for name in _LOOK if name in columns]
    needed = ('stamp_ns', 'fast_scores', 'slow_scores', *(_LOOK if seen else ()))
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(
            f'{path} lacks {", ".join(missing)}; it has {", ".join(sorted(columns)) or "nothing"}'
        )
    try:
        table = _table(columns)
    except (ValueError, TypeError, OverflowError) as err:
        raise InputError(f'{path}: a column has another type than it should: {err}') from err
    return _checked(table, path)


def _table(columns: dict[str, NDArray[Any]]) -> ProfileTable:
    count = len(columns['stamp_ns'])
    unknown = np.full(count, -1, np.int64)
    empty = np.full(count, '')
    return ProfileTable(
        stamp_ns=columns['stamp_ns'].astype(np.int64),
        context=tuple(columns.get('context', empty).astype(str).tolist()),
        track=columns.get('track', unknown).astype(np.int64),
        label=columns.get('label', unknown).astype(np.int64),
        fast_scores=columns['fast_scores'].astype(np.float64),
        slow_scores=columns['slow_scores'].astype(np.float64),
        digest=tuple(empty.tolist()),
        fault=tuple(empty.tolist()),
        sharpness=_column(columns, 'sharpness', np.float64),
        exposure=_column(columns, 'exposure', np.float64),
        thumbnail=_column(columns, 'thumbnail', np.float32),
    )


def _column(columns: dict[str, NDArray[Any]], name: str, kind: type[_Number]) -> Any:
    return columns[name].astype(kind) if name in columns else None


def _checked(table: ProfileTable, path: Path) -> ProfileTable:
    present = {n: column for n, column in table._asdict().items() if column is not None}
    lengths = {name: len(column) for name, column in present.items()}
    if len(set(lengths.values())) != 1 or not lengths['stamp_ns']:
        raise InputError(f'{path}: columns differ in length or are empty: {lengths}')
    shapes = (table.fast_scores.shape, table.slow_scores.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][1] < 2:
        raise InputError(
            f'{path}: fast_scores {shapes[0]} and slow_scores {shapes[1]} must be (N, C)'
        )
    if table.label.max() >= shapes[0][1]:
        raise InputError(f'{path}: label {table.label.max()} with {shapes[0][1]} classes')
    for name in ('fast_scores', 'slow_scores'):
        scores = getattr(table, name)
        known = scores[~np.isnan(scores).all(axis=1)]
        if not ((known >= 0.0) & (known <= 1.0)).all():
            raise InputError(f'{path}: {name} has values outside [0, 1] or partly NaN rows')
    if table.thumbnail is not None:
        _check_looks(table, path)
    return table


def _check_looks(table: ProfileTable, path: Path) -> None:
    assert table.thumbnail is not None
    assert table.sharpness is not None
    if table.thumbnail.shape[1:] != (CELLS, CELLS):
        raise InputError(
            f'{path}: thumbnail {table.thumbnail.shape} must be (N, {CELLS}, {CELLS})'
        )
    known = ~np.isnan(table.sharpness)
    for name, most in (('sharpness', 1.0), ('exposure', 1.0), ('thumbnail', 255.0)):
        values = getattr(table, name)[known]
        if not ((values >= 0.0) & (values <= most)).all():
            raise InputError(f'{path}: {name} has values outside [0, {most:g}]')
