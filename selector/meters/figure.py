"""Figure: one number about cost, with its unit, where it comes from, its age and its kind."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Literal

from selector.errors import InputError

Kind = Literal['measured', 'profiled', 'default', 'unknown']

_PREFIXES = ((1e9, 'G'), (1e6, 'M'), (1e3, 'k'), (1.0, ''), (1e-3, 'm'), (1e-6, 'u'), (1e-9, 'n'))


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. What is not known has no value and says why; it is never 0 J.

    Attributes:
        value: the figure, None when unknown.
        unit: its unit, such as s, J, W or bytes; 1 for a ratio.
        source: how it was obtained; of an unknown one, why it is not known.
        age_s: how old it is [s], None where it bears no date.
        kind: measured (of the very thing it is about), profiled (measured on like ones, or as a
            mean over many), default (assumed), or unknown.
    """

    value: float | None
    unit: str
    source: str
    age_s: float | None
    kind: Kind

    def __post_init__(self) -> None:
        """Check the figure.

        Raises:
            InputError: the value is no finite number >= 0, is 0 J, or does not fit its kind.
        """
        if (self.value is None) != (self.kind == 'unknown'):
            raise InputError(f'a figure of {self.value} {self.unit} cannot be {self.kind}')
        if self.value is not None and (why := _flaw(self.value, self.unit)):
            raise InputError(f'{self.value} {self.unit} is no figure: {why}; use unknown()')

    def text(self) -> str:
        """Return the figure for people: `1.45 mJ (default)`, or `unknown: ` and why."""
        if self.value is None:
            return f'unknown: {self.source}'
        return f'{amount(self.value, self.unit)} ({self.kind})'


def unknown(unit: str, why: str) -> Figure:
    """Return a figure that is not known, with the reason."""
    return Figure(None, unit, why, None, 'unknown')


def stated(
    value: float | None, unit: str, source: str, kind: Kind, age_s: float | None = 0.0
) -> Figure:
    """Return a figure; one that is unknown, with the reason, where the value can be none."""
    if value is None or kind == 'unknown':
        return unknown(unit, source)
    if why := _flaw(value, unit):
        return unknown(unit, f'{why}: {source}')
    return Figure(value, unit, source, age_s, kind)


def amount(value: float, unit: str) -> str:
    """Return a number with three digits and an SI prefix, such as `1.45 mJ`."""
    factor, prefix = next((p for p in _PREFIXES if abs(value) >= p[0]), (1.0, ''))
    return f'{value / factor:.3g} {prefix}{unit}' if unit != '1' else f'{value:.3g}'


def _flaw(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return f'{value} {unit} is not finite'
    if value < 0.0:
        return f'{value:.3g} {unit} is negative'
    return '0 J would say that it is free' if value == 0.0 and unit == 'J' else ''
