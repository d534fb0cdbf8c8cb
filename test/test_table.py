"""Table: a profile table is read as it was written, or refused with what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pair
import pytest
from selector.errors import InputError
from selector.table import read_table

ROWS = 5


def columns(**changes: Any) -> dict[str, Any]:
    """Return the columns of a good table with `changes`; None removes a column."""
    scores = np.full((ROWS, 3), 1.0 / 3.0)
    good: dict[str, Any] = {
        'stamp_ns': np.arange(ROWS) + pair.START_NS,
        'fast_scores': scores,
        'slow_scores': scores.copy(),
        'label': np.zeros(ROWS, np.int64),
    }
    return {k: v for k, v in {**good, **changes}.items() if v is not None}


def written(folder: Path, **changes: Any) -> Path:
    """Write a table; return its path."""
    np.savez(folder / 't.npz', **columns(**changes))
    return folder / 't.npz'


def refusal(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(InputError, match='.+') as caught:
        read_table(path)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_round_trip(tmp_path: Path) -> None:
    """What was written comes back, column by column and bit by bit."""
    table = pair.table(30)
    read = read_table(pair.write_table(tmp_path / 't.npz', table))
    for name in table._fields:
        assert np.array_equal(getattr(read, name), getattr(table, name))


def test_looks_come_back(tmp_path: Path) -> None:
    """Looks at the images are read bit by bit; a row without an image has none."""
    table = pair.seen(pair.table(30))
    assert table.sharpness is not None
    table.sharpness[3] = np.nan
    read = read_table(pair.write_table(tmp_path / 't.npz', table))
    for name in ('sharpness', 'exposure', 'thumbnail'):
        assert np.array_equal(getattr(read, name), getattr(table, name), equal_nan=True)
    one = read.look(2)
    assert one is not None
    assert (one.thumbnail.dtype, one.thumbnail.shape) == (np.float32, (12, 12))
    assert one.sharpness == table.sharpness[2]
    assert read.look(3) is None
    assert pair.table(5).look(0) is None


def test_whole_grey_levels_are_enough(tmp_path: Path) -> None:
    """Thumbnails may be stored as bytes."""
    grey = np.full((ROWS, 12, 12), 200, np.uint8)
    shares = np.full(ROWS, 0.5)
    path = written(tmp_path, thumbnail=grey, sharpness=shares, exposure=shares)
    one = read_table(path).look(0)
    assert one is not None
    assert (one.thumbnail == 200.0).all()


@pytest.mark.parametrize(
    ('changes', 'why'),
    [
        ({'exposure': None}, 'lacks exposure'),
        ({'thumbnail': None}, 'lacks thumbnail'),
        ({'thumbnail': np.zeros((ROWS, 12))}, 'must be'),
        ({'thumbnail': np.zeros((ROWS, 6, 6))}, 'must be'),
        ({'thumbnail': np.full((ROWS, 12, 12), 256.0)}, 'thumbnail has values outside'),
        ({'thumbnail': np.full((ROWS, 12, 12), np.nan)}, 'thumbnail has values outside'),
        ({'sharpness': np.full(ROWS, 1.5)}, 'sharpness has values outside'),
        ({'exposure': np.full(ROWS, -0.5)}, 'exposure has values outside'),
        ({'exposure': np.full(ROWS - 1, 0.5)}, 'differ in length'),
    ],
)
def test_looks_that_are_none_are_refused(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    """All three columns or none, of the right shape and range."""
    good = {
        'thumbnail': np.zeros((ROWS, 12, 12)),
        'sharpness': np.full(ROWS, 0.5),
        'exposure': np.full(ROWS, 0.5),
    }
    assert why in refusal(written(tmp_path, **{**good, **changes}))


def test_optional_columns_are_unknown(tmp_path: Path) -> None:
    """Without label, track and context these are -1, -1 and ''."""
    table = read_table(written(tmp_path, label=None))
    assert (table.label == -1).all()
    assert (table.track == -1).all()
    assert set(table.context) == {''}


@pytest.mark.parametrize('name', ['stamp_ns', 'fast_scores', 'slow_scores'])
def test_a_missing_column_is_named_with_those_there(tmp_path: Path, name: str) -> None:
    """The message says which column is missing and which are there."""
    text = refusal(written(tmp_path, **{name: None}))
    assert f'lacks {name}' in text
    assert 'label' in text


@pytest.mark.parametrize(
    'changes',
    [
        {'stamp_ns': np.arange(ROWS + 1)},
        {'label': np.zeros(ROWS - 1, np.int64)},
        {'slow_scores': np.full((ROWS, 4), 0.25)},
        {'fast_scores': np.full(ROWS, 0.5), 'slow_scores': np.full(ROWS, 0.5)},
        {'fast_scores': np.ones((ROWS, 1)), 'slow_scores': np.ones((ROWS, 1))},
        {'label': np.full(ROWS, 3)},
        {'fast_scores': np.full((ROWS, 3), 1.5)},
        {'fast_scores': np.full((ROWS, 3), -0.1)},
        {'fast_scores': np.full((ROWS, 3), np.inf)},
        {'slow_scores': np.array([[np.nan, 0.5, 0.5]] * ROWS)},
        {'fast_scores': np.full((ROWS, 3), 'x')},
        {'stamp_ns': np.array(['now'] * ROWS)},
        {'stamp_ns': np.array(7)},
        {'fast_scores': np.array(0.5)},
        {'label': np.array(['cat'] * ROWS)},
        {'label': np.array(['cat', None, 1, 2, 3], object)},
        {'context': np.array([b'\xff'] * ROWS)},
        {'stamp_ns': np.zeros(0), 'fast_scores': np.zeros((0, 3)),
         'slow_scores': np.zeros((0, 3)), 'label': np.zeros(0)},
    ],
    ids=lambda c: '+'.join(c),
)  # fmt: skip
def test_contradictions_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Lengths, shapes, values, types: what contradicts the format is refused, in one line."""
    refusal(written(tmp_path, **changes))


def test_a_failed_model_is_a_row_of_nan(tmp_path: Path) -> None:
    """Rows of NaN are allowed: the model gave no answer there."""
    scores = columns()['slow_scores'].copy()
    scores[2] = np.nan
    assert np.isnan(read_table(written(tmp_path, slow_scores=scores)).slow_scores[2]).all()


def _text(path: Path) -> None:
    path.write_text('stamp_ns,label\n1,2\n')


def _empty(path: Path) -> None:
    path.write_bytes(b'')


def _array(path: Path) -> None:
    with path.open('wb') as file:
        np.save(file, np.arange(3))


def _pickle(path: Path) -> None:
    with path.open('wb') as file:
        np.save(file, np.array([{}], object), allow_pickle=True)


def _half(path: Path) -> None:
    np.savez(path, **columns())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _not_an_array(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('stamp_ns', 'hello')


@pytest.mark.parametrize(
    'make', [_text, _empty, _array, _pickle, _half, _not_an_array, Path.mkdir],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Text, nothing, a bare array, a pickle, half a file or a folder is no profile table."""
    make(tmp_path / 't.npz')
    refusal(tmp_path / 't.npz')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path that is not there is in the message."""
    assert 'no profile table' in refusal(tmp_path / 'none.npz')


@pytest.mark.parametrize('compressed', [False, True])
def test_a_flipped_byte_never_crashes(tmp_path: Path, compressed: bool) -> None:
    """Whatever byte of the file is altered, it is read or refused, never anything else."""
    path = tmp_path / 't.npz'
    (np.savez_compressed if compressed else np.savez)(path, **columns())
    whole, refused = path.read_bytes(), 0
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            read_table(path)
        except InputError:
            refused += 1
    assert refused > 0
