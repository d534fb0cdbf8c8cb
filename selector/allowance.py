"""Allowance: a budget in the user's words, and the numbers of the core that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
import math
import re
from typing import NamedTuple

from selector.budget import checked
from selector.budget import Resource
from selector.cost import RESOURCE_UNITS
from selector.errors import ConfigError
from selector.errors import did_you_mean

DEFAULT_BURST_CALLS = 20.0
ADVISED_BURST_CALLS = 10.0


class Allowance(NamedTuple):
    """What a user allows.

    Attributes:
        resource: a key of `cost.RESOURCE_UNITS`.
        rate: units of the resource per second, >= 0; 0 when stated per mission.
        total: units per mission, >= 0; None unless stated per mission.
        text: the user's words.
    """

    resource: str
    rate: float
    total: float | None
    text: str


class Derived(NamedTuple):
    """The numbers of one resource, as they are shown to the user.

    Attributes:
        resource: a key of `cost.RESOURCE_UNITS`.
        unit: its unit.
        rate: rho [unit/s].
        burst: B [unit].
        price_ceiling: kappa [accuracy/unit].
        exchange_rate: beta [accuracy/unit].
        step: eta [accuracy/unit^2].
        longest_s: B / rho, the seconds of full-rate use that the burst allows beyond the rate [s];
            infinite when nothing accrues, 0 when disabled.
        calls_in_burst: B / c_max, the dearest invocations that the burst pays for; infinite when
            they cost nothing, 0 when disabled.
        warning: what the user should know, or empty.
    """

    resource: str
    unit: str
    rate: float
    burst: float
    price_ceiling: float
    exchange_rate: float
    step: float
    longest_s: float
    calls_in_burst: float
    warning: str


def _spelled(symbols: str, words: str) -> dict[str, float]:
    """Return one table of factors; only words have a plural: a Ws is no two watts."""
    table = {}
    for entry in f'{symbols} {words}'.split():
        name, factor = entry.split('=')
        table[name] = float(factor)
        if entry in words.split():
            table[f'{name}s'] = float(factor)
    return table


_TIMES_S = _spelled(
    's=1 h=3600', 'sec=1 second=1 min=60 minute=60 hour=3600 day=86400 week=604800 mission=1'
)
_MISSIONS = ('mission', 'missions')
_SHARES = ('%', 'percent')
_UNITS = {
    'slow_calls': _spelled('Hz=1', 'call=1'),
    # Mega and milli both, or the one would be taken for the other in a different case. The shares
    # are joules per percent and watt-hour of battery.
    'energy_j': _spelled(
        'J=1 kJ=1e3 MJ=1e6 mJ=1e-3 Wh=3600 kWh=3.6e6 MWh=3.6e9 mWh=3.6 %=36 percent=36 '
        'W=1 kW=1e3 MW=1e6 mW=1e-3',
        'joule=1 watt=1',
    ),
    'latency_s': _spelled('s=1 ms=1e-3 h=3600', 'sec=1 second=1 min=60 minute=60 hour=3600'),
    'money_eur': _spelled('EUR=1 €=1', 'euro=1 ct=0.01 cent=0.01'),
    'sent_bytes': _spelled(
        'B=1 kB=1e3 MB=1e6 GB=1e9 TB=1e12 KiB=1024 MiB=1048576 GiB=1073741824',
        'byte=1 bit=0.125 kbit=125 Mbit=125e3 Gbit=125e6 Tbit=125e9 Kibit=128 Mibit=131072 '
        'Gibit=134217728',
    ),
}
_PER_SECOND = ('Hz', 'W', 'kW', 'MW', 'mW', 'watt', 'watts')
_EXAMPLES = "'2 calls/s', '6 W', '15 %/h', '0.1 s/s', '2 EUR/day' or '1.5 Mbit/s'"
_HEADER = (
    *('resource', 'u', 'rho [u/s]', 'B [u]', 'kappa [accuracy/u]', 'beta [accuracy/u]'),
    *('eta [accuracy/u^2]', 'B/rho [s]', 'B/c_max'),
)
_TEXT = re.compile(
    r'(?P<number>[-+−]?\s*(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[-+−]?(?:nan|inf(?:inity)?))'
    r'\s*(?P<unit>.*)',
    re.IGNORECASE | re.DOTALL,
)
_PER = re.compile(r'\s*(?:/|(?<![a-z])(?:per|an?)\s)\s*', re.IGNORECASE)
_OF_BATTERY = re.compile(r'(%|percent) ?(?:of )?(?:the )?battery', re.IGNORECASE)


def parse(text: str, resource: str, battery_wh: float | None = None) -> Allowance:
    """Return what `text` allows, e.g. `120 calls/min`, `15 % of battery per hour`.

    Args:
        text: a number, a unit of the resource and a time (`per` or `/`), or `per mission`; upper
            and lower case are the same where that leaves one meaning.
        resource: a key of `cost.RESOURCE_UNITS`.
        battery_wh: capacity of the battery [Wh], > 0; only percentages need it.

    Raises:
        ConfigError: the text cannot be read, or its unit is unknown, ambiguous or another
            resource's; the message names the units that fit.
    """
    number, word, period = _parts(text)
    unit, factor = _unit(text, word, resource)
    if unit in _SHARES:
        factor *= _capacity_wh(text, battery_wh)
    seconds = _seconds(text, unit, period)
    amount = number * factor / seconds
    # An underflow to 0 would switch off what the user allowed.
    if not math.isfinite(amount) or (amount == 0.0) != (number == 0.0):
        raise _refused(text, 'is too large or too small to compute with', given=number)
    if period.casefold() in _MISSIONS:
        return Allowance(resource, 0.0, amount, text.strip())
    return Allowance(resource, amount, None, text.strip())


def _refused(text: str, why: str, **values: object) -> ConfigError:
    return ConfigError(f"budget '{text.strip()}' {why}", text=text, **values)


def _parts(text: str) -> tuple[float, str, str]:
    """Return number, unit and period (empty without one)."""
    if ',' in text:
        hint = text.strip().replace(',', '.')
        raise _refused(text, f"has a comma; write '{hint}', and nothing between thousands")
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise _refused(text, f'does not start with a number; write e.g. {_EXAMPLES}')
    number = float(re.sub(r'\s', '', found['number']).replace('−', '-'))
    if not 0.0 <= number < math.inf:
        raise _refused(text, f'states {number}; a finite number >= 0 is allowed', given=number)
    unit, *periods = _PER.split(' '.join(found['unit'].split()))
    if not unit or len(periods) > 1 or periods == ['']:
        raise _refused(text, f'is not number, unit and time; write e.g. {_EXAMPLES}')
    share = _OF_BATTERY.fullmatch(unit)
    return number, share[1] if share else unit, periods[0] if periods else ''


def _candidates(word: str, names: Iterable[str]) -> list[str]:
    """Return what `word` can mean: itself, else whatever differs from it by case only."""
    names = list(names)
    if word in names:
        return [word]
    folded = word.casefold()
    # Some write Mb for megabytes, others for megabits.
    meant = (folded, f'{folded}it') if word.endswith('b') else (folded,)
    return [name for name in names if name.casefold() in meant]


def _unit(text: str, word: str, resource: str) -> tuple[str, float]:
    """Return the one unit of `resource` that `word` means, and its factor."""
    if resource not in _UNITS:
        why = f"is for the unknown resource '{resource}'{did_you_mean(resource, _UNITS)}"
        raise _refused(text, f'{why}; allowed: {", ".join(_UNITS)}', resource=resource)
    table = _UNITS[resource]
    meant = _candidates(word, table)
    if len(meant) == 1:
        return meant[0], table[meant[0]]
    if meant:
        raise _refused(text, f"'{word}' can mean {' or '.join(meant)}; write which", unit=word)
    fitting = ', '.join(name for name in table if not (name[-1] == 's' and name[:-1] in table))
    owners = [other for other, names in _UNITS.items() if _candidates(word, names)]
    why = f"has the unit '{word}', which is unknown{did_you_mean(word, table)}"
    if owners:
        why = f"has the unit '{word}' of {owners[0]}"
    raise _refused(text, f'{why}; units of {resource}: {fitting}', unit=word, resource=resource)


def _capacity_wh(text: str, battery_wh: float | None) -> float:
    if battery_wh is None or not 0.0 < battery_wh < math.inf:
        why = f'is a share of the battery, whose capacity is {battery_wh}'
        remedy = 'set budget.battery_wh to its watt-hours, > 0'
        raise _refused(text, f'{why}: {remedy}', battery_wh=battery_wh)
    return battery_wh


def _seconds(text: str, unit: str, period: str) -> float:
    """Return what to divide by: 1 for a rate, and for a mission, whose length is not known yet."""
    if unit in _PER_SECOND:
        if period:
            why = f"divides {unit}, which is per second already, by '{period}'; leave that out"
            raise _refused(text, why, unit=unit, period=period)
        return 1.0
    if not period:
        raise _refused(text, f"says no time; write '{text.strip()}/h' or '.../mission'")
    meant = _candidates(period, _TIMES_S)
    if not meant:
        why = f"has the unknown time '{period}'{did_you_mean(period, _TIMES_S)}"
        allowed = 's, sec, second, min, minute, h, hour, day, week, mission'
        raise _refused(text, f'{why}; allowed: {allowed}', period=period)
    return _TIMES_S[meant[0]]


def resource_of(
    allowance: Allowance,
    *,
    burst: float | None,
    price_ceiling: float,
    exchange_rate: float,
    cost_max: float,
    base_rate: float = 0.0,
    mission_s: float | None = None,
) -> Resource:
    """Return the budgeted resource that keeps within `allowance`.

    Args:
        allowance: what the user allows, base load included.
        burst: B [unit], >= 0; None is 20 x `cost_max`, or 0 when nothing is allowed.
        price_ceiling: kappa [accuracy/unit], > 0.
        exchange_rate: beta [accuracy/unit], >= 0.
        cost_max: the largest cost any tier may cause in one invocation [unit], >= 0.
        base_rate: what fast model and idling use, as measured [unit/s], >= 0.
        mission_s: length of the mission [s], > 0; an allowance per mission needs it. Then
            (rate + base_rate) * mission_s + burst is the total.

    Raises:
        ConfigError: the numbers do not fit together; the message names those that would.
    """
    for name, number in (('burst', burst), ('cost_max', cost_max), ('base_rate', base_rate)):
        if number is not None and not 0.0 <= number < math.inf:
            why = f'comes with {name} = {number}; it is a finite number >= 0'
            raise _refused(allowance.text, why, name=name, given=number)
    allowed = allowance.rate != 0.0 or allowance.total not in (None, 0.0)
    if burst is None:
        if allowed and cost_max == 0.0:
            raise _refused(allowance.text, 'is for what no tier uses: state a burst > 0')
        burst = DEFAULT_BURST_CALLS * cost_max if allowed else 0.0
    rate = 0.0
    if allowed or burst > 0.0:
        rate = _whole_rate(allowance, burst, cost_max, mission_s)
        if base_rate >= rate and base_rate > 0.0:
            raise _base_too_large(allowance, rate, base_rate, cost_max, mission_s)
        rate -= base_rate
    return checked(
        Resource(
            name=allowance.resource,
            rate=rate,
            burst=burst,
            price_ceiling=price_ceiling,
            exchange_rate=exchange_rate,
            cost_max=cost_max,
        )
    )


def _whole_rate(
    allowance: Allowance, burst: float, cost_max: float, mission_s: float | None
) -> float:
    """Return what may accrue per second, base load included [unit/s]."""
    total, unit = allowance.total, RESOURCE_UNITS[allowance.resource]
    if total is None:
        return allowance.rate
    if mission_s is None or not 0.0 < mission_s < math.inf:
        why = f'is per mission, and mission_s = {mission_s}: set it to how long that is, > 0'
        raise _refused(allowance.text, why, mission_s=mission_s)
    if total <= burst:
        why = f'does not exceed its burst of {burst:g} {unit}: state more than {burst:g} {unit}'
        if 2.0 * cost_max < total:
            why += f', or a burst from {2.0 * cost_max:g} to less than {total:g} {unit}'
        raise _refused(allowance.text, why, total=total, burst=burst, cost_max=cost_max)
    return (total - burst) / mission_s


def _base_too_large(
    allowance: Allowance, rate: float, base_rate: float, cost_max: float, mission_s: float | None
) -> ConfigError:
    unit = RESOURCE_UNITS[allowance.resource]
    per_s = 'W' if unit == 'J' else f'{unit}/s'
    least = base_rate + cost_max / 60.0
    why = (
        f'is too small: the base load of fast + idle is {base_rate:g} {per_s}, the budget '
        f'{rate:g} {per_s}: at least {least:g} {per_s} leaves one invocation ({cost_max:g} '
        f'{unit}) a minute, {base_rate:g} {per_s} leaves none'
    )
    if allowance.total is not None and mission_s is not None:
        least = allowance.total + (least - rate) * mission_s
        why += f'; in total, burst included, {least:g} {unit}/mission'
    return _refused(allowance.text, why, rate=rate, base_rate=base_rate, least=least)


def _ratio(amount: float, per: float) -> float:
    """Return amount / per; 0 of anything is 0, and anything by 0 is infinite."""
    if amount == 0.0:
        return 0.0
    return amount / per if per > 0.0 else math.inf


def derived(resource: Resource) -> Derived:
    """Return the numbers of `resource` as they are shown to the user."""
    return Derived(
        resource=resource.name,
        unit=RESOURCE_UNITS[resource.name],
        rate=resource.rate,
        burst=resource.burst,
        price_ceiling=resource.price_ceiling,
        exchange_rate=resource.exchange_rate,
        step=resource.step,
        longest_s=_ratio(resource.burst, resource.rate),
        calls_in_burst=_ratio(resource.burst, resource.cost_max),
        warning=_warning(resource),
    )


def _warning(resource: Resource) -> str:
    if resource.disabled:
        return 'disabled: nothing of it may be used'
    warnings = []
    if resource.rate == 0.0:
        warnings.append('nothing accrues: the burst is all there is')
    advised = ADVISED_BURST_CALLS * resource.cost_max
    if resource.burst < advised:
        warnings.append(
            f'the burst pays for {resource.burst / resource.cost_max:.3g} invocations: about .92 '
            'of the optimum is reached at 5, .96 at 10, .98 at 20; at least '
            f'{advised:g} {RESOURCE_UNITS[resource.name]} is advised'
        )
    return '; '.join(warnings)


def render(rows: Iterable[Derived]) -> str:
    """Return a plain text table of `rows`, and their warnings below it; `u` is the row's unit."""
    rows = tuple(rows)
    lines = [_HEADER, *((*row[:2], *(f'{number:.6g}' for number in row[2:-1])) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        '  '.join(
            # Names to the left, numbers to the right.
            cell.ljust(width) if k < 2 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return '\n'.join(table + [f'{row.resource}: {row.warning}' for row in rows if row.warning])
