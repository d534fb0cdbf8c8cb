"""Audit: whatever is done to a log on disk, reading it back ends at the right record."""

from __future__ import annotations

from collections.abc import Callable
import errno
from pathlib import Path
import shutil
from typing import Any
from typing import NamedTuple

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import pair
import pytest
from selector.audit import AuditLog
from selector.audit import Close
from selector.audit import Flaw
from selector.audit import GENESIS
from selector.audit import Header
from selector.audit import Record
from selector.audit import records
from selector.audit import segments
from selector.build import header
from selector.build import Plan
from selector.errors import LogError
from selector.settings import Change
from selector.tools.replay import replay

FRAMES = 12
SEGMENT = 10


class Whole(NamedTuple):
    """A run with a whole log."""

    made: Plan
    folder: Path
    lines: tuple[bytes, ...]


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A closed log of several segments, with decisions and outcomes."""
    base = tmp_path_factory.mktemp('audit')
    made = pair.made_plan(pair.models_folder(base / 'm'), {'audit.segment_records': SEGMENT})
    replay(pair.table(FRAMES), made, base / 'run')
    found = tuple(
        line for file in segments(base / 'run') for line in file.read_bytes().splitlines(True)
    )
    return Whole(made, base / 'run', found)


def read(folder: Path, lines: list[bytes]) -> tuple[int, Flaw | None]:
    """Write lines as a log; return how many records are read, and the flaw that ends it."""
    folder.mkdir(exist_ok=True)
    (folder / '000000.jsonl').write_bytes(b''.join(lines))
    found = list(records(segments(folder)))
    good = [f for f in found if isinstance(f, Record)]
    flaw = found[-1] if found and isinstance(found[-1], Flaw) else None
    assert len(good) + (flaw is not None) == len(found)
    return len(good), flaw


def test_the_untouched_log_has_no_flaw(whole: Whole, tmp_path: Path) -> None:
    """All records are read; the numbers run on, the chain starts at zero, the close is last."""
    found = [f for f in records(segments(whole.folder)) if isinstance(f, Record)]
    assert [r.n for r in found] == list(range(len(whole.lines)))
    assert found[0].link.previous == GENESIS
    assert [r.link.previous for r in found[1:]] == [r.link.hash for r in found[:-1]]
    assert isinstance(found[-1].body, Close)
    assert found[-1].body.decisions == FRAMES
    assert sum(r.kind == 'header' for r in found) == len(segments(whole.folder)) > 2
    assert read(tmp_path / 'one', list(whole.lines)) == (len(whole.lines), None)


def test_segments_hold_what_is_allowed(whole: Whole) -> None:
    """No file has more than `segment_records` records (and the close), its header first."""
    for number, file in enumerate(segments(whole.folder)):
        lines = file.read_bytes().splitlines()
        assert len(lines) <= SEGMENT + 1
        assert b'"kind":"header"' in lines[0]
        assert b'"segment":%d,' % number in lines[0]
        assert file.name == f'{number:06d}.jsonl'


def _flip(line: bytes) -> bytes:
    return line[:40] + bytes([line[40] ^ 1]) + line[41:]


def _digit(line: bytes) -> bytes:
    at = next(i for i in range(100, len(line)) if line[i : i + 1].isdigit())
    return line[:at] + str((int(line[at : at + 1]) + 1) % 10).encode() + line[at + 1 :]


def _number(line: bytes) -> bytes:
    return b'{"n":7' + line[5:]


def _hash(line: bytes) -> bytes:
    at = len(line) - 20
    return line[:at] + (b'0' if line[at : at + 1] != b'0' else b'1') + line[at + 1 :]


def _upper(line: bytes) -> bytes:
    return line[:-67] + line[-67:-3].upper() + line[-3:]


def _previous(line: bytes) -> bytes:
    at = line.index(b'"previous":"') + 20
    return line[:at] + (b'0' if line[at : at + 1] != b'0' else b'1') + line[at + 1 :]


def _seal(line: bytes) -> bytes:
    return line.replace(b',"hash":"', b',"Hash":"')


def _space(line: bytes) -> bytes:
    return line[:-1] + b' \n'


def _newline_inside(line: bytes) -> bytes:
    return line[:50] + b'\n' + line[50:]


def _no_newline(line: bytes) -> bytes:
    return line[:-1] + b' '


def _windows(line: bytes) -> bytes:
    return line[:-1] + b'\r\n'


def _key(line: bytes) -> bytes:
    return line.replace(b'{"n":', b'{"x":1,"n":', 1)


def _blank_before(line: bytes) -> bytes:
    return b'\n' + line


EDITS = [_flip, _digit, _number, _hash, _upper, _previous, _seal, _space, _newline_inside,
         _no_newline, _windows, _key, _blank_before]  # fmt: skip


@pytest.mark.parametrize('edit', EDITS, ids=lambda e: e.__name__)
def test_an_edit_of_any_record_is_found_at_that_record(
    whole: Whole, tmp_path: Path, edit: Callable[[bytes], bytes]
) -> None:
    """For every record n: edited without a new hash, reading ends at n; all before n are read."""
    for n, line in enumerate(whole.lines):
        altered = edit(line)
        if altered == line:
            continue
        lines = [*whole.lines[:n], altered, *whole.lines[n + 1 :]]
        good, flaw = read(tmp_path / 'log', lines)
        assert flaw is not None
        assert (good, flaw.record, flaw.unclosed) == (n, n, False)
        assert f'record {n}' in flaw.what
        assert flaw.where == f'000000.jsonl, line {n + 1}'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_any_byte_of_any_record(whole: Whole, tmp_path: Path, data: st.DataObject) -> None:
    """Any byte anywhere replaced by any other: reading ends at the record that holds the byte."""
    n = data.draw(st.integers(0, len(whole.lines) - 1))
    line = bytearray(whole.lines[n])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] = data.draw(st.integers(0, 255).filter(lambda b: b != line[at]))
    lines = [*whole.lines[:n], bytes(line), *whole.lines[n + 1 :]]
    good, flaw = read(tmp_path / 'log', lines)
    assert flaw is not None
    assert (good, flaw.record, flaw.unclosed) == (n, n, False)


def test_a_dropped_record_is_the_one_named(whole: Whole, tmp_path: Path) -> None:
    """For every n: without it, n is named missing; without the close, the log is unclosed."""
    last = len(whole.lines) - 1
    for n in range(last + 1):
        good, flaw = read(tmp_path / 'log', [*whole.lines[:n], *whole.lines[n + 1 :]])
        assert flaw is not None
        assert (good, flaw.record, flaw.unclosed) == (n, n, n == last)
        missing = f'record {n} is missing: record {n + 1} stands here'
        assert flaw.what == (f'unclosed after record {n - 1}' if n == last else missing)


def test_swapped_records_are_found_at_the_first(whole: Whole, tmp_path: Path) -> None:
    """For every n: swapped with the next, n is named, because n + 1 stands in its place."""
    for n in range(len(whole.lines) - 1):
        lines = list(whole.lines)
        lines[n], lines[n + 1] = lines[n + 1], lines[n]
        good, flaw = read(tmp_path / 'log', lines)
        assert flaw is not None
        assert (good, flaw.record) == (n, n)
        assert flaw.what == f'record {n} is missing: record {n + 1} stands here'


def test_a_doubled_record_is_found_at_its_second_place(whole: Whole, tmp_path: Path) -> None:
    """For every n: doubled, n + 1 is named, because n stands in its place."""
    last = len(whole.lines) - 1
    for n, line in enumerate(whole.lines):
        good, flaw = read(tmp_path / 'log', [*whole.lines[: n + 1], line, *whole.lines[n + 1 :]])
        assert flaw is not None
        assert (good, flaw.record) == (n + 1, n + 1)
        behind = f'record {n + 1} stands behind the closing record'
        place = f'record {n + 1} is out of place: record {n} stands here'
        assert flaw.what == (behind if n == last else place)


def test_a_log_cut_after_a_record_is_unclosed(whole: Whole, tmp_path: Path) -> None:
    """For every n but the close: cut after it, nothing is altered and the log is unclosed."""
    for n in range(len(whole.lines) - 1):
        good, flaw = read(tmp_path / 'log', list(whole.lines[: n + 1]))
        assert flaw is not None
        assert (good, flaw.record, flaw.unclosed) == (n + 1, n + 1, True)
        assert flaw.what == f'unclosed after record {n}'


def test_a_record_cut_in_the_middle_is_torn(whole: Whole, tmp_path: Path) -> None:
    """For every n and several places: the torn record is named, which is no mere unclosed."""
    for n, line in enumerate(whole.lines):
        for size in (1, len(line) // 3, len(line) - 70, len(line) - 2, len(line) - 1):
            good, flaw = read(tmp_path / 'log', [*whole.lines[:n], line[:size]])
            assert flaw is not None
            assert (good, flaw.record, flaw.unclosed) == (n, n, False)
            assert flaw.what == f'record {n} is torn off'


def test_an_empty_log_is_unclosed(tmp_path: Path) -> None:
    """Files without a record are named as such, without a record of number -1."""
    good, flaw = read(tmp_path / 'log', [])
    assert flaw is not None
    assert (good, flaw.record, flaw.unclosed) == (0, 0, True)
    assert '-1' not in flaw.what
    assert flaw.where


def test_lines_behind_the_close_are_found(whole: Whole, tmp_path: Path) -> None:
    """Whatever follows the closing record is named, also an empty line."""
    for extra in (b'\n', b'x', whole.lines[1]):
        _, flaw = read(tmp_path / 'log', [*whole.lines, extra])
        assert flaw is not None
        assert flaw.record == len(whole.lines)


@pytest.mark.parametrize('which', [0, 1, -1])
def test_a_missing_segment_is_found(whole: Whole, tmp_path: Path, which: int) -> None:
    """Without a file, the first record of it is named; without the last, the log is unclosed."""
    folder = Path(shutil.copytree(whole.folder / 'audit', tmp_path / 'log'))
    files = segments(folder)
    before = sum(len(f.read_bytes().splitlines()) for f in files[: files.index(files[which])])
    files[which].unlink()
    flaw = list(records(segments(folder)))[-1]
    assert isinstance(flaw, Flaw)
    assert (flaw.record, flaw.unclosed) == (before, which == -1)


def test_the_place_is_told_by_file_and_line(whole: Whole, tmp_path: Path) -> None:
    """In a log of several files the finding names the file and the line in it."""
    folder = Path(shutil.copytree(whole.folder / 'audit', tmp_path / 'log'))
    path = segments(folder)[1]
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b''.join([*lines[:3], _flip(lines[3]), *lines[4:]]))
    flaw = list(records(segments(folder)))[-1]
    assert isinstance(flaw, Flaw)
    assert flaw.where == '000001.jsonl, line 4'


def test_no_log_is_an_error(tmp_path: Path) -> None:
    """A folder without a log, or none, is a LogError with the path."""
    for folder in (tmp_path, tmp_path / 'none'):
        with pytest.raises(LogError, match=str(folder)):
            segments(folder)


def test_a_log_is_never_overwritten(whole: Whole) -> None:
    """A second log into the same folder is refused, and the first stays as it is."""
    before = [f.read_bytes() for f in segments(whole.folder)]
    with pytest.raises(LogError, match='cannot start a log'):
        AuditLog(whole.folder / 'audit', header(whole.made, 'm', 'virtual'), SEGMENT)
    assert [f.read_bytes() for f in segments(whole.folder)] == before


class Disk:
    """A file on a disk that is full between two writes, and then has room again."""

    def __init__(self, file: Any, writes: list[int], full: range, partial: int | None) -> None:
        self._file, self._writes, self._full, self._partial = file, writes, full, partial

    def write(self, data: bytes) -> int:
        """Write, fail, or write a part, as a full disk does."""
        self._writes[0] += 1
        if self._writes[0] - 1 not in self._full:
            return int(self._file.write(data))
        if self._partial is None:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return int(self._file.write(data[: self._partial]))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@pytest.mark.parametrize(
    'full', [range(3, 4), range(3, 8), range(3, 1000), range(9, 12), range(2)]
)
@pytest.mark.parametrize('partial', [None, 0, 25])
def test_a_full_disk_stops_nothing(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: range,
    partial: int | None,
) -> None:  # fmt: skip
    """Append never raises; what was not written is counted, and reading names the first of it."""
    writes, opened = [0], Path.open

    def open_on_disk(path: Path, mode: str = 'r', **options: Any) -> Any:
        file = opened(path, mode, **options)
        return Disk(file, writes, full, partial) if 'x' in mode else file

    monkeypatch.setattr(Path, 'open', open_on_disk)
    log = AuditLog(tmp_path / 'log', header(whole.made, 'm', 'virtual'), SEGMENT)
    links = [log.append(Change(k, 'test', shadow=False)) for k in range(15)]
    head = log.close()
    monkeypatch.undo()
    assert log.lost == len([k for k in full if k < writes[0]])
    assert len({link.hash for link in links}) == 15
    assert head.records == 15 + 2 + 1
    flaw = list(records(segments(tmp_path / 'log')))[-1]
    assert isinstance(flaw, Flaw)
    assert flaw.record == full.start
    assert flaw.unclosed == (full.stop == 1000 and not partial)


def test_a_folder_that_vanishes_stops_nothing(whole: Whole, tmp_path: Path) -> None:
    """When not even the next segment can be opened, records are counted as lost."""
    log = AuditLog(tmp_path / 'log', header(whole.made, 'm', 'virtual'), SEGMENT)
    shutil.rmtree(tmp_path / 'log')
    for k in range(25):
        log.append(Change(k, 'test'))
    assert log.lost > 0
    log.close()


def test_what_is_written_is_on_disk_at_once(whole: Whole, tmp_path: Path) -> None:
    """A process that is killed loses nothing: each record is in the file when append returns."""
    log = AuditLog(tmp_path / 'log', header(whole.made, 'm', 'virtual'), 1000)
    for k in range(3):
        log.append(Change(k, 'test'))
        found = list(records(segments(tmp_path / 'log')))
        assert len(found) == 1 + k + 1 + 1
        flaw = found[-1]
        assert isinstance(flaw, Flaw)
        assert flaw.unclosed
    log.close()


def test_bodies_come_back_as_they_were(whole: Whole, tmp_path: Path) -> None:
    """Header, change and closing record are read as the objects that were written."""
    head = header(whole.made, 'm', 'virtual')
    log = AuditLog(tmp_path / 'log', head, 1000)
    change = Change(5, 'tést "quoted"\n', True, whole.made.settings.resources, 7)
    log.append(change)
    end = log.close()
    found = [f for f in records(segments(tmp_path / 'log')) if isinstance(f, Record)]
    assert [f.body for f in found] == [head, change, Close(0, 0, 0)]
    assert isinstance(found[0].body, Header)
    assert (end.records, end.hash) == (3, found[-1].link.hash)
