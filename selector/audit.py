"""Audit log: every decision and outcome, one JSON line each, in one hash chain.

A line is `{"n":…,"kind":…,"previous":…,"body":{…},"hash":…}`. The hash is the SHA-256 of the
bytes of the line before `,"hash":` as written; `previous` is the hash of the record before. A log
without its closing record is unclosed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
import hashlib
from pathlib import Path
from typing import BinaryIO
from typing import NamedTuple

import msgspec
from selector.errors import LogError
from selector.justification import Justification
from selector.outcome import OutcomeRecord
from selector.settings import Change
from selector.settings import Settings

SCHEMA_VERSION = 2
GENESIS = '0' * 64
_SEAL = b',"hash":"'
_SEAL_BYTES = len(_SEAL) + 64 + 2


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which file answered as which tier.

    Attributes:
        tier, name: of the model.
        sha256: digest of its file, or of its card where it has none.
        card: digest of everything its card declares, '' where that was not recorded.
    """

    tier: str
    name: str
    sha256: str
    card: str = ''


@dataclass(frozen=True, slots=True)
class Header:
    """What stays the same for a mission; first record of every segment.

    Attributes:
        schema_version: of this format.
        mission_id: names the mission in every message.
        segment: number of the file, from 0.
        software: version of this package.
        clock: `ros` for a live run, `virtual` for a replay.
        settings: what the controller was made with.
        config: every parameter by dotted name; without the audit key.
        config_digest: SHA-256 of `config`.
        models: the model files, by tier.
        correlation_digest: SHA-256 of the fitted correlation.
        reference: what losses are measured against, `LABEL` or `SLOWEST_ASSUMED`.
        evidence_names: names of the evidence values and of those of the scene, in order.
        labels: class names, in order.
        audit_key_digest: SHA-256 of the key that the audits are drawn with.
        task: what the answers are, e.g. `classification`.
    """

    schema_version: int
    mission_id: str
    segment: int
    software: str
    clock: str
    settings: Settings
    config: dict[str, bool | int | float | str]
    config_digest: str
    models: tuple[ModelIdentity, ...]
    correlation_digest: str
    reference: str
    evidence_names: tuple[str, ...]
    labels: tuple[str, ...]
    audit_key_digest: str = ''
    task: str = 'classification'


@dataclass(frozen=True, slots=True)
class Close:
    """The closing record.

    Attributes:
        decisions, outcomes: how many there are.
        lost: records that could not be written (a full disk).
    """

    decisions: int
    outcomes: int
    lost: int


Body = Header | Justification | OutcomeRecord | Change | Close
KINDS: dict[str, type[Body]] = {
    'header': Header,
    'decision': Justification,
    'outcome': OutcomeRecord,
    'input': Change,
    'close': Close,
}
_KIND_OF = {kind: name for name, kind in KINDS.items()}


class _Line(msgspec.Struct):
    n: int
    kind: str
    previous: str
    body: msgspec.Raw
    hash: str


class Link(NamedTuple):
    """Where a record stands in the chain."""

    hash: str
    previous: str


class Head(NamedTuple):
    """How a closed log ends: number of records and hash of the closing one."""

    records: int
    hash: str


_encoder = msgspec.json.Encoder()


def encode(body: Body) -> bytes:
    """Return the one JSON form of a record's body."""
    return _encoder.encode(body)


def digest(value: object) -> str:
    """Return the SHA-256 of the JSON form of `value`."""
    return hashlib.sha256(_encoder.encode(value)).hexdigest()


class AuditLog:
    """Writes a log; each record is flushed, none is waited for.

    A write that fails (a full disk) stops nothing: the record is counted as lost and the next one
    is tried; the chain shows the gap.
    """

    def __init__(self, folder: Path, header: Header, segment_records: int) -> None:
        """Create `folder` and write the header.

        Raises:
            LogError: the folder exists already or cannot be made.
        """
        try:
            folder.mkdir(parents=True)
        except OSError as err:
            raise LogError(f'cannot start a log in {folder}: {err.strerror}') from err
        self.lost = 0
        self._folder, self._header, self._segment_records = folder, header, segment_records
        self._n, self._previous = 0, GENESIS
        self._counts = dict.fromkeys(KINDS, 0)
        self._file: BinaryIO | None = None
        self._segment = -1
        self._roll()

    def append(self, body: Justification | OutcomeRecord | Change) -> Link:
        """Write one record and return its place in the chain."""
        if self._n - self._first_n >= self._segment_records:
            self._roll()
        return self._write(body)

    def close(self) -> Head:
        """Write the closing record; the log is complete."""
        self._write(Close(self._counts['decision'], self._counts['outcome'], self.lost))
        if self._file is not None:
            self._file.close()
        return Head(self._n, self._previous)

    def _roll(self) -> None:
        if self._file is not None:
            self._file.close()
        self._segment += 1
        self._first_n = self._n
        try:
            self._file = (self._folder / f'{self._segment:06d}.jsonl').open('xb', buffering=0)
        except OSError:
            self._file = None
        self._write(replace(self._header, segment=self._segment))

    def _write(self, body: Body) -> Link:
        kind = _KIND_OF[type(body)]
        start = b'{"n":%d,"kind":"%s","previous":"%s","body":' % (
            self._n,
            kind.encode(),
            self._previous.encode(),
        )
        sealed = start + _encoder.encode(body)
        link = Link(hashlib.sha256(sealed).hexdigest(), self._previous)
        self._n, self._previous = self._n + 1, link.hash
        self._counts[kind] += 1
        line = sealed + _SEAL + link.hash.encode() + b'"}\n'
        try:
            whole = self._file is not None and self._file.write(line) == len(line)
        except OSError:
            whole = False
        self.lost += not whole  # a disk that fills up may also take part of a line
        return link


class Record(NamedTuple):
    """One record as read back: its place, its typed body and the body's bytes as they stand."""

    n: int
    kind: str
    link: Link
    body: Body
    raw: bytes


class Flaw(NamedTuple):
    """The first place where a log is not what was written.

    Attributes:
        record: number of the record that is missing, altered or out of place.
        where: file and line.
        what: the finding, in words.
        unclosed: nothing is altered, the log merely has no closing record.
    """

    record: int
    where: str
    what: str
    unclosed: bool = False


def segments(folder: Path) -> list[Path]:
    """Return the files of the log in `folder` (a run folder or its `audit/`), in order.

    Raises:
        LogError: there are none.
    """
    inner = folder / 'audit' if (folder / 'audit').is_dir() else folder
    files = sorted(inner.glob('*.jsonl'))
    if not files:
        raise LogError(f'{folder} holds no audit log (no *.jsonl, no audit/*.jsonl)')
    return files


def records(files: list[Path]) -> Iterator[Record | Flaw]:
    """Yield the records of a log in order; a `Flaw` ends it."""
    n, previous, closed, where = 0, GENESIS, False, ''
    for where, line in _lines(files):
        if closed:
            yield Flaw(n, where, f'record {n} stands behind the closing record')
            return
        found = _read(line, n, previous, where)
        yield found
        if isinstance(found, Flaw):
            return
        n, previous, closed = n + 1, found.link.hash, found.kind == 'close'
    if not closed:
        what = f'unclosed after record {n - 1}' if n else 'unclosed and without any record'
        yield Flaw(n, where or files[-1].name, what, unclosed=True)


def _lines(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        with file.open('rb') as lines:
            for number, line in enumerate(lines, 1):
                yield f'{file.name}, line {number}', line


def _read(line: bytes, n: int, previous: str, where: str) -> Record | Flaw:
    if not line.endswith(b'"}\n') or line[-_SEAL_BYTES - 1 : -67] != _SEAL:
        torn = not line.endswith(b'\n')
        what = f'record {n} is torn off' if torn else f'record {n} is no sealed line'
        return Flaw(n, where, what)
    sealed, written = line[: -_SEAL_BYTES - 1], line[-67:-3].decode('ascii', 'replace')
    if hashlib.sha256(sealed).hexdigest() != written:
        return Flaw(n, where, f'record {n} was altered: its hash is not that of its content')
    try:
        parsed = msgspec.json.decode(line, type=_Line)
        if parsed.n != n:
            gone = 'is missing' if parsed.n > n else 'is out of place'
            return Flaw(n, where, f'record {n} {gone}: record {parsed.n} stands here')
        if parsed.previous != previous:
            return Flaw(
                n, where, f'record {n} does not follow record {n - 1}: one of them was altered'
            )
        body = msgspec.json.decode(parsed.body, type=KINDS[parsed.kind])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError) as err:
        return Flaw(n, where, f'record {n} is no record of this format: {err}')
    return Record(n, parsed.kind, Link(parsed.hash, previous), body, bytes(parsed.body))
