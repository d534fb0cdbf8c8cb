"""Diagnostics: the node's health once a second, as DiagnosticArray."""

from __future__ import annotations

from collections.abc import Mapping
import time
from types import MappingProxyType
from typing import NamedTuple

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from selector.outcome import OutcomeKind
from selector.ros.tally import quantile
from selector.ros.tally import Tally

_BUSY_FACTOR = 10.0
# One look a second cannot tell a hung model from a slow moment in less time than that.
_BUSY_LEAST_S = 1.0


class Health(NamedTuple):
    """What the counts do not say.

    Attributes:
        active: images are subscribed to.
        shadow: decides without acting.
        stake: w >= 0.
        context: declared context, '' when unknown or stale.
        context_age_s: since it was declared [s], None when it never was.
        resources: names of the budgeted resources.
        busy_since_s: how long the slow model has been running, 0 when idle [s].
        slow_p99_s: of the slow model, measured at start [s].
        records_lost: log records that could not be written.
        slow_restarts: processes of the slow model that were started again.
        slow_fault: why the last one was lost, '' for none.
        slow_ready: there is one that takes calls.
        energy: what is known of the energy of calls.
        energy_warning: '' or what is off about it.
    """

    active: bool
    shadow: bool
    stake: float
    context: str
    context_age_s: float | None
    resources: tuple[str, ...]
    busy_since_s: float
    slow_p99_s: float
    records_lost: int
    slow_restarts: int = 0
    slow_fault: str = ''
    slow_ready: bool = True
    energy: Mapping[str, object] = MappingProxyType({})
    energy_warning: str = ''


class _Finding(NamedTuple):
    """A level (the message's own constant, which is a byte string) and why."""

    level: bytes
    message: str


_FINE = _Finding(DiagnosticStatus.OK, 'ok')


class Diagnostics:
    """Makes one DiagnosticArray after the other; rates are over the time between them."""

    def __init__(self, node_name: str, hardware_id: str) -> None:
        """Name the parts after the node."""
        self._node_name, self._hardware_id = node_name, hardware_id
        self._before: dict[str, int] = {}
        self._before_s = time.monotonic()

    def report(self, tally: Tally, health: Health, stamp: Time) -> DiagnosticArray:
        """Return the diagnostics of the time since the last report."""
        now_s = time.monotonic()
        elapsed_s = max(1e-3, now_s - self._before_s)
        counts = _counts(tally) | {'slow_restarts': health.slow_restarts}
        fresh = {name: count - self._before.get(name, 0) for name, count in counts.items()}
        self._before, self._before_s = counts, now_s
        statuses = [
            self._status('perception', *_perception(tally, health, fresh, elapsed_s)),
            self._status('budget', *_budget(tally, health, fresh)),
            self._status('slow model', *_slow(counts, health, fresh)),
            self._status('learning', *_learning(tally, fresh)),
            self._status('audit log', *_audit(counts, health)),
            self._status(
                'energy', _warn((health.energy_warning, health.energy_warning)), health.energy
            ),
        ]
        array = DiagnosticArray(status=statuses)
        array.header.stamp = stamp
        return array

    def _status(
        self, part: str, finding: _Finding, values: Mapping[str, object]
    ) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=finding.level,
            name=f'{self._node_name}: {part}',
            message=finding.message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
        )


def _counts(tally: Tally) -> dict[str, int]:
    return {
        'frames': tally.frames,
        'undecodable': tally.undecodable,
        'fast_failed': tally.fast_failed,
        'rewinds': tally.rewinds,
        'invoked': tally.invoked,
        'timed_out': tally.outcomes[OutcomeKind.TIMED_OUT.value],
        'late': tally.outcomes[OutcomeKind.LATE.value],
        'failed': tally.outcomes[OutcomeKind.FAILED.value],
        'outcomes': tally.outcomes.total(),
        'advised': tally.advised,
        'overdrawn': tally.overdrawn,
        'labels_refused': tally.labels_refused,
    }


def _text(value: object) -> str:
    if value is None:
        return 'nan'
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def _warn(*problems: tuple[object, str]) -> _Finding:
    told = '; '.join(text for given, text in problems if given)
    return _Finding(DiagnosticStatus.WARN, told) if told else _FINE


def _perception(
    tally: Tally, health: Health, fresh: Mapping[str, int], elapsed_s: float
) -> tuple[_Finding, dict[str, object]]:
    silent = health.active and not fresh['frames']
    finding = _warn(
        (not health.active, 'not active'),
        (silent and not tally.frames, 'no image received yet'),
        (silent and tally.frames, 'no image since the last report'),
        (fresh['undecodable'], f'{fresh["undecodable"]} images could not be decoded'),
        (fresh['fast_failed'], f'the fast model failed on {fresh["fast_failed"]} images'),
        (fresh['rewinds'], 'the image stamps jumped back'),
        (fresh['advised'], f'a declared rule gave advice on {fresh["advised"]} images'),
    )
    return finding, {
        'frames': tally.frames,
        'answered': tally.finals,
        'reused': tally.reused,
        'overridden': tally.overridden,
        'advised': tally.advised,
        'undecodable': tally.undecodable,
        'fast_failed': tally.fast_failed,
        'duplicates': tally.duplicates,
        'rewinds': tally.rewinds,
        'frames_hz': fresh['frames'] / elapsed_s,
        'answer_p50_s': quantile(tally.latency_s, 0.5),
        'answer_p95_s': quantile(tally.latency_s, 0.95),
        'context': health.context,
        'context_age_s': health.context_age_s,
        'stake': health.stake,
        'shadow': health.shadow,
    }


def _budget(
    tally: Tally, health: Health, fresh: Mapping[str, int]
) -> tuple[_Finding, dict[str, object]]:
    ran = tally.invoked + tally.observed
    finding = _warn(
        (fresh['overdrawn'], f'the safety reserve was overdrawn {fresh["overdrawn"]} times'),
    )
    values: dict[str, object] = {'slow_share': ran / tally.frames if tally.frames else None}
    for k, name in enumerate(health.resources):
        values[f'{name}_left'] = tally.left[k] if tally.left else None
        values[f'{name}_audit_left'] = tally.audit_left[k] if tally.audit_left else None
        values[f'{name}_price'] = tally.price[k] if tally.price else None
    return finding, values


def _learning(tally: Tally, fresh: Mapping[str, int]) -> tuple[_Finding, dict[str, object]]:
    finding = _warn((fresh['labels_refused'], f'{fresh["labels_refused"]} labels fit no frame'))
    if finding is _FINE and tally.missing:
        text = f'it learns: {tally.missing} more slow answers before it acts'
        finding = _Finding(DiagnosticStatus.OK, text)
    return finding, {
        'observed': tally.observed,
        'audits': tally.outcomes[OutcomeKind.AUDIT.value],
        'missing': tally.missing,
        'labels': tally.outcomes[OutcomeKind.LABEL.value],
        'labels_refused': tally.labels_refused,
    }


def _slow(
    counts: Mapping[str, int], health: Health, fresh: Mapping[str, int]
) -> tuple[_Finding, dict[str, object]]:
    limit_s = max(_BUSY_FACTOR * health.slow_p99_s, _BUSY_LEAST_S)
    finding = _warn(
        (fresh['timed_out'], f'{fresh["timed_out"]} calls passed their deadline'),
        (fresh['failed'], f'{fresh["failed"]} calls failed'),
        (fresh['slow_restarts'], f'its process was started again: {health.slow_fault}'),
        (not health.slow_ready, f'there is no process of it: {health.slow_fault}'),
    )
    if health.busy_since_s > limit_s:
        text = f'busy for {health.busy_since_s:.1f} s, more than {limit_s:.1f} s: it hangs'
        finding = _Finding(DiagnosticStatus.ERROR, text)
    return finding, {
        'invoked': counts['invoked'],
        'timed_out': counts['timed_out'],
        'late': counts['late'],
        'failed': counts['failed'],
        'busy_since_s': health.busy_since_s,
        'restarts': health.slow_restarts,
        'p99_s': health.slow_p99_s,
    }


def _audit(counts: Mapping[str, int], health: Health) -> tuple[_Finding, dict[str, object]]:
    finding = _FINE
    if health.records_lost:
        text = f'{health.records_lost} records could not be written (disk full?)'
        finding = _Finding(DiagnosticStatus.ERROR, text)
    return finding, {
        'decisions': counts['frames'],
        'outcomes': counts['outcomes'],
        'records_lost': health.records_lost,
    }
