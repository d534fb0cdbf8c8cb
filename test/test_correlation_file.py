"""Correlation file: what was fitted comes back bit for bit, and a changed digit is refused."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import json
from pathlib import Path
import re
from typing import Any

import pair
import pytest
from selector.correlation_file import content_digest
from selector.correlation_file import context_tree
from selector.correlation_file import read_correlation
from selector.correlation_file import write_correlation
from selector.errors import ConfigError
from selector.fitted_gain import FittedGain
from selector.gain import View


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A written correlation."""
    write_correlation(tmp_path / 'sub' / 'c.json', pair.correlation())
    return tmp_path / 'sub' / 'c.json'


def refusal(path: Path) -> str:
    """Return the one line with which the file is refused."""
    with pytest.raises(ConfigError, match='.+') as caught:
        read_correlation(path)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def resealed(path: Path, tree: dict[str, Any]) -> None:
    """Write a tree with a digest that fits it, whatever is in it."""
    path.write_text(json.dumps({**tree, 'sha256': content_digest(tree)}))


def leaves(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all leaves of a JSON tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, value in inner:
        if isinstance(value, dict | list):
            yield from leaves(value, (*at, name))
        else:
            yield (*at, name)


def test_round_trip(path: Path) -> None:
    """Every table of every context is the fitted one, bit for bit; no partial file is left."""
    tree = pair.correlation()
    read = read_correlation(path)
    assert read.digest == content_digest(tree) == json.loads(path.read_text())['sha256']
    assert (read.date, read.reference, read.models) == ('2026-01-01', 'LABEL', tree['models'])
    assert sorted(read.tables['slow']) == ['all', 'day', 'dusk']
    for name, tables in read.tables['slow'].items():
        assert context_tree(tables) == tree['pairs']['slow'][name]
    assert [p.name for p in path.parent.iterdir()] == ['c.json']


def test_the_read_tables_predict(path: Path) -> None:
    """What is read drives the predictor: gains are finite and grow with the fast model's doubt."""
    gain = FittedGain(read_correlation(path).tables, 'calibrated')
    from selector.evidence import Evidence

    sure, doubting = (
        gain.forecast(View(evidence, context='day'), ('slow',)).gains[0]
        for evidence in (Evidence(0.99, 0.98, 0.05), Evidence(0.3, 0.05, 0.9))
    )
    assert -1.0 <= sure.mean < doubting.mean <= 1.0


def test_every_altered_digit_is_refused(path: Path) -> None:
    """Any digit of any number or digest that makes another number is found by the digest."""
    text = path.read_text()
    whole = json.loads(text)
    places = [m.start() for m in re.finditer(r'\d', text)]
    assert len(places) > 1000
    for at in places[:: len(places) // 150]:
        digit = str((int(text[at]) + 1) % 10)
        altered = text[:at] + digit + text[at + 1 :]
        with contextlib.suppress(ValueError):
            if json.loads(altered) == whole:  # the 17th digit of a double may say nothing
                continue
        path.write_text(altered)
        told = refusal(path)
        assert 'was altered' in told or 'is no JSON' in told or 'schema' in told


def test_the_refusal_names_both_digests(path: Path) -> None:
    """Expected and found digest and the way out are in the message."""
    tree = json.loads(path.read_text())
    tree['pairs']['slow']['all']['khat'] += 0.01
    path.write_text(json.dumps(tree))
    text = refusal(path)
    assert tree['sha256'] in text
    assert content_digest(tree) in text
    assert 'selector fit' in text


@pytest.mark.parametrize('number', ['NaN', 'Infinity', '-Infinity', '1e999'])
def test_a_number_that_is_none_is_refused(path: Path, number: str) -> None:
    """JSON readers accept NaN; we do not."""
    text = re.sub(r'"khat": [-\d.e]+', f'"khat": {number}', path.read_text(), count=1)
    assert number in text
    path.write_text(text)
    refusal(path)


@pytest.mark.parametrize(
    'text', ['', '{', '[]', '3', 'null', '"x"', '{}', '{"schema": "other/1"}', '\x00']
)
def test_other_files_are_refused(path: Path, text: str) -> None:
    """What is no correlation is refused in one line."""
    path.write_text(text)
    refusal(path)


def test_missing_binary_or_folder_is_refused(path: Path) -> None:
    """A file that is not there is answered with the command that makes it."""
    assert 'selector fit' in refusal(path.with_name('none.json'))
    assert str(path.parent) in refusal(path.parent)
    path.write_bytes(b'\xff\xfe')
    refusal(path)


def test_a_sealed_tree_without_a_field_is_refused(path: Path) -> None:
    """Each single field that the reader needs, removed and resealed, is missed by name."""
    tree = pair.correlation()
    contexts = tree['pairs']['slow']
    for name in ('fast_error', 'khat', 'khat_width', 'disagreeing', 'evidence_low', 'summary'):
        part = {k: v for k, v in contexts['day'].items() if k != name}
        resealed(path, {**tree, 'pairs': {'slow': {**contexts, 'day': part}}})
        assert name in refusal(path)
    for name in ('pairs', 'models', 'date', 'reference'):
        resealed(path, {k: v for k, v in tree.items() if k != name})
        assert name in refusal(path)
    resealed(path, {**tree, 'pairs': {'slow': {'day': contexts['day']}}})
    assert 'no tables for all contexts' in refusal(path)
    resealed(path, {**tree, 'pairs': {}})
    assert 'no tables' in refusal(path)


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('knots', []),
        ('knots', [[0.0, 0.5, 0.1], [0.0, 0.6, 0.1]]),
        ('knots', [[1.0, 0.5, 0.1], [0.0, 0.6, 0.1]]),
        ('knots', [[0.0, 1.5, 0.1]]),
        ('knots', [[0.0, 0.5]]),
        ('weights', {'confidence': 1.0}),
        ('bias', 'high'),
    ],
)
def test_a_sealed_table_that_is_none_is_refused(path: Path, field: str, value: object) -> None:
    """Knots out of order, values outside [0, 1], missing weights: refused, though sealed."""
    tree = json.loads(json.dumps(pair.correlation()))
    tree['pairs']['slow']['all']['fast_error'][field] = value
    resealed(path, tree)
    refusal(path)


@pytest.mark.parametrize(
    ('field', 'value'),
    [('evidence_low', [0.0]), ('evidence_high', []), ('khat', 1.5), ('khat_width', -0.1)],
)
def test_a_sealed_context_that_would_fail_later_is_refused(
    path: Path, field: str, value: object
) -> None:
    """Ranges of another length or an impossible khat are found at reading, not at a frame."""
    tree = json.loads(json.dumps(pair.correlation()))
    tree['pairs']['slow']['all'][field] = value
    resealed(path, tree)
    assert field in refusal(path)


def test_no_leaf_of_another_type_crashes_the_reader(path: Path) -> None:
    """Whatever leaf becomes a text, the sealed file is read or refused, nothing else."""
    small = json.loads(json.dumps(pair.correlation()))
    small['pairs']['slow'] = {'all': small['pairs']['slow']['all']}
    refused = 0
    for at in list(leaves(small))[::3]:
        tree = json.loads(json.dumps(small))
        node = tree
        for name in at[:-1]:
            node = node[name]
        node[at[-1]] = 'x'
        resealed(path, tree)
        try:
            read_correlation(path)
        except ConfigError:
            refused += 1
    assert refused > 0
