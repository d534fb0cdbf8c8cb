"""Redecision: take every decision of a log again, from the log alone, and compare the bytes."""

from __future__ import annotations

from dataclasses import replace
import math
from pathlib import Path
from typing import NamedTuple
from typing import TypeVar

import msgspec
from selector.audit import Close
from selector.audit import encode
from selector.audit import Flaw
from selector.audit import Head
from selector.audit import Header
from selector.audit import Record
from selector.audit import records
from selector.audit import SCHEMA_VERSION
from selector.audit import segments
from selector.controller import Controller
from selector.decision import Tier
from selector.errors import SelectorError
from selector.evidence import Evidence
from selector.gain import Forecast
from selector.gain import Gain
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.justification import Justification
from selector.outcome import OutcomeRecord
from selector.settings import Change

_T = TypeVar('_T')


class Verdict(NamedTuple):
    """What verification found.

    Attributes:
        decisions, outcomes: records checked and taken again.
        head: how the log ends, None when it is not whole.
        flaw: the first finding, None when there is none.
        lost: records that the writer itself says it could not write.
    """

    decisions: int
    outcomes: int
    head: Head | None
    flaw: Flaw | None
    lost: int = 0

    @property
    def sound(self) -> bool:
        """Whether the log is whole, unaltered, closed, and every decision came out the same."""
        return self.flaw is None and self.head is not None


class _RecordedGain:
    """Gives back the predictions that a record holds; see `gain.GainPredictor`."""

    def __init__(self) -> None:
        self.decision: Justification | None = None
        self.outcome: OutcomeRecord | None = None

    def forecast(self, _view: View, tiers: tuple[str, ...]) -> Forecast:
        """Return the recorded forecast."""
        record = _present(self.decision)
        weighed = {tier.name: tier for tier in record.decision.tiers}
        if missing := [tier for tier in tiers if tier not in weighed]:
            raise SelectorError(f'the record has no tier {missing[0]!r}')
        base = record.decision.base.gain
        return Forecast(
            record.fast_loss,
            tuple(_gain(weighed[tier], base) for tier in tiers),
            record.stale,
            record.reuse_gain,
            record.reach,
            record.support,
            record.missing,
            record.tables,
            record.out_of_support,
            record.reference,
        )

    def losses(self, _tier: str, _view: View, _answer: Evidence) -> tuple[float, float]:
        """Return the recorded losses of the two answers."""
        record = _present(self.outcome)
        if record.tier_loss is None:
            raise SelectorError('the record has no tier_loss')
        return record.fast_loss, record.tier_loss

    def observe(self, _seen: Observation) -> None:
        """Nothing: what was learned shows in the recorded predictions."""

    def label(self, _truth: Truth) -> None:
        """Nothing: see `observe`."""


def _gain(tier: Tier, base: float) -> Gain:
    """Return the gain over the fast answer of a tier whose record says it over the base answer.

    What the subtraction rounded away is found again one step beside the sum, if not in it.
    """
    total = tier.gain + base
    near = (total, math.nextafter(total, math.inf), math.nextafter(total, -math.inf))
    mean = next((m for m in near if m - base == tier.gain), total)
    return Gain(mean, tier.gain_width, tier.disagreement, tier.khat)


class Redecision:
    """A controller made from a log's header, to which the log's records are applied in order."""

    def __init__(self, header: Header) -> None:
        """Make the controller the header describes.

        Raises:
            ConfigError: the header's settings do not fit together.
        """
        self.header = header
        self._predictor = _RecordedGain()
        self._controller = Controller(header.settings, self._predictor)

    def again(self, body: Justification | OutcomeRecord | Change) -> bytes:
        """Return the bytes of the record that the same inputs give now.

        Raises:
            SelectorError: the record cannot be applied at this place.
        """
        if isinstance(body, Change):
            self._controller.adjust(body)
            return encode(body)
        if isinstance(body, Justification):
            self._predictor.decision = body
            return encode(self._controller.offer(body.offer).record)
        self._predictor.outcome = body
        if body.committed or body.invoke:
            return encode(self._controller.resume(body.outcome)[1])
        return encode(self._controller.learn(body.outcome))


def verify(folder: Path) -> Verdict:
    """Check the chain of a log, take its decisions again, and compare with its summary.

    Raises:
        LogError: `folder` holds no log.
    """
    again: Redecision | None = None
    counts = {'decision': 0, 'outcome': 0, 'header': 0, 'input': 0, 'close': 0}
    last: Record | None = None
    for found in records(segments(folder)):
        flaw = found if isinstance(found, Flaw) else None
        if isinstance(found, Record):
            if again is None:
                begun = _begun(found)
                again, flaw = (None, begun) if isinstance(begun, Flaw) else (begun, None)
            else:
                flaw = _difference(found, again, counts)
        if flaw is not None:
            return Verdict(counts['decision'], counts['outcome'], None, flaw)
        assert isinstance(found, Record)
        counts[found.kind] += 1
        last = found
    assert last is not None and isinstance(last.body, Close)
    head = Head(last.n + 1, last.link.hash)
    flaw = _summary_flaw(folder, head)
    return Verdict(counts['decision'], counts['outcome'], head, flaw, last.body.lost)


def _begun(first: Record) -> Redecision | Flaw:
    """Return what takes the decisions of a log again, from its first record."""
    where = f'record {first.n}'
    if not isinstance(first.body, Header) or first.body.segment != 0:
        return Flaw(first.n, where, 'the log does not begin with the header of segment 0')
    if first.body.schema_version != SCHEMA_VERSION:
        found = first.body.schema_version
        text = f'{where} is of schema {found}; this version takes {SCHEMA_VERSION} again'
        return Flaw(first.n, where, text)
    try:
        return Redecision(first.body)
    except Exception as err:  # a forged header may hold anything
        return Flaw(first.n, where, f'{where} describes no controller: {_brief(err)}')


def _difference(found: Record, again: Redecision, counts: dict[str, int]) -> Flaw | None:
    """Return how one record contradicts what came before it, or None."""
    body, where = found.body, f'record {found.n}'
    if isinstance(body, Header):
        repeated = body == replace(again.header, segment=counts['header'])
        what = f'{where} does not repeat the first header'
        return None if repeated else Flaw(found.n, where, what)
    if isinstance(body, Close):
        told, seen = (body.decisions, body.outcomes), (counts['decision'], counts['outcome'])
        if told == seen:
            return None
        return Flaw(
            found.n, where, f'{where} closes {told} decisions and outcomes; there are {seen}'
        )
    try:
        same = again.again(body) == found.raw
    except Exception as err:  # a forged record may hold anything
        return Flaw(found.n, where, f'{where} cannot follow what came before it: {_brief(err)}')
    if same:
        return None
    return Flaw(found.n, where, f'{where}: the same inputs give another {found.kind} now')


def _summary_flaw(folder: Path, head: Head) -> Flaw | None:
    """Return how `summary.json`, where there is one, contradicts the log's end."""
    path = folder / 'summary.json'
    if not path.is_file():
        return None
    try:
        told = msgspec.json.decode(path.read_bytes()).get('log', {})
        same = (told.get('records'), told.get('head')) == (head.records, head.hash)
    except (msgspec.DecodeError, AttributeError):
        same = False
    text = f'the log ends after {head.records} records otherwise than summary.json says'
    return None if same else Flaw(head.records - 1, 'summary.json', text)


def _brief(err: Exception) -> str:
    kind = '' if isinstance(err, SelectorError) else f'{type(err).__name__}: '
    return kind + ' '.join(str(err).split())


def _present(record: _T | None) -> _T:
    if record is None:
        raise SelectorError('no record has been applied yet')
    return record
