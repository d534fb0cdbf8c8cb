"""Profile table: a measured profile for people, for machines and for model cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from selector.meters.energy import CallEnergy
from selector.meters.figure import amount
from selector.meters.figure import Figure
from selector.tools.model_profile import ModelProfile
from selector.tools.model_profile import Profiled
from selector.tools.timing import Timing
import yaml

_HEAD = ('p50', 'p90', 'p99', 'calls')
_CROWDED = 0.25


def text(made: Profiled) -> str:
    """Return the profile as a table for people."""
    width, height = made.frame_px
    when = f'; {made.date}' if made.date else ''
    lines = [
        f'{made.machine}, load average {made.load_average:.2f} before{when}; '
        f'frames of {width}x{height}',
        *_crowded(made),
        '',
        *_latencies(made),
        '',
        *_footprints(made),
        '',
        *_energies(made),
        '',
        'energy meters of this machine',
        *(f'  {f.name:12}{"yes" if f.meter else "no":5}{f.reason}' for f in made.meters),
    ]
    return '\n'.join(lines)


def _crowded(made: Profiled) -> Iterator[str]:
    if made.load_average > _CROWDED * made.cores:
        yield 'other programs were busy: `alone` is not alone, and the times are not for a card'


def _latencies(made: Profiled) -> Iterator[str]:
    yield _line('latency of a warm call', 'threads', 'input', 'condition', *_HEAD)
    for model in made.models:
        for row in model.rows:
            cells = (str(row.threads), _size(row.size_px), row.condition)
            yield _line(model.name, *cells, *_quantiles(row.timing))
    if made.beside is not None:
        pair = made.beside
        yield _line('fast, in turns', '', '', 'alone', *_quantiles(pair.alone))
        yield _line('', '', '', 'while slow runs', *_quantiles(pair.beside))
        yield f'slow ended {pair.slow_calls} calls meanwhile'


def _line(name: str, threads: str, size: str, condition: str, *cells: str) -> str:
    numbers = ''.join(f'{cell:>10}' for cell in cells)
    return f'{name:24}{threads:>8}{size:>9}  {condition:18}{numbers}'.rstrip()


def _size(size_px: int | tuple[int, int] | None) -> str:
    if size_px is None:
        return ''
    return f'{size_px[1]}x{size_px[0]} px' if isinstance(size_px, tuple) else f'{size_px} px'


def _quantiles(timing: Timing) -> tuple[str, ...]:
    return (*(_short(q) for q in (timing.p50, timing.p90, timing.p99)), str(timing.calls))


def _footprints(made: Profiled) -> Iterator[str]:
    heads = ('to load', 'first call', 'adds memory', 'process')
    yield _wide('cold, and memory', *heads)
    for model in made.models:
        yield _wide(model.name, *(_short(figure) for figure in model.footprint))


def _wide(name: str, *cells: str) -> str:
    return f'{name:24}' + ''.join(f'{cell:>13}' for cell in cells)


def _energies(made: Profiled) -> Iterator[str]:
    heads = ('base load off', '95 % interval', 'calls', 'without calls', 'its card says')
    yield _spread('energy of a call', *heads)
    for model in made.models:
        energy = model.energy
        yield _spread(
            model.name,
            _kinded(energy.per_call),
            _interval(energy),
            str(energy.calls),
            _short(energy.base),
            _kinded(model.card_energy),
        )
    base = made.base_load
    yield f'base load, fast + idle: {_kinded(base)}' + (f', {base.source}' if base.value else '')
    told = [base, *(model.energy.per_call for model in made.models)]
    yield from dict.fromkeys(figure.text() for figure in told if figure.value is None)


def _spread(name: str, *cells: str) -> str:
    return f'{name:24}' + ''.join(f'{cell:>20}' for cell in cells)


def _interval(energy: CallEnergy) -> str:
    if energy.low_j is None or energy.high_j is None:
        return 'unknown'
    return f'{amount(energy.low_j, "J")}, {amount(energy.high_j, "J")}'


def _kinded(figure: Figure) -> str:
    return 'unknown' if figure.value is None else figure.text()


def _short(figure: Figure) -> str:
    return 'unknown' if figure.value is None else amount(figure.value, figure.unit)


def tree(made: Profiled) -> dict[str, Any]:
    """Return the profile for machines: every figure with all its fields."""
    return {
        'machine': made.machine,
        'date': made.date,
        'cores': made.cores,
        'load_average': made.load_average,
        'frame_px': list(made.frame_px),
        'models': [_model(model) for model in made.models],
        'fast_beside_slow': made.beside
        and {
            'alone': _timing(made.beside.alone),
            'while_slow_runs': _timing(made.beside.beside),
            'slow_calls': made.beside.slow_calls,
        },
        'base_load': figure(made.base_load),
        'meters': [
            {'name': f.name, 'usable': f.meter is not None, 'reason': f.reason}
            for f in made.meters
        ],
    }


def _model(model: ModelProfile) -> dict[str, Any]:
    return {
        'name': model.name,
        'latency': [
            {
                'threads': row.threads,
                'size_px': row.size_px,
                'condition': row.condition,
                **_timing(row.timing),
            }
            for row in model.rows
        ],
        **{name: figure(f) for name, f in model.footprint._asdict().items()},
        'energy': {
            'per_call': figure(model.energy.per_call),
            'low_j': model.energy.low_j,
            'high_j': model.energy.high_j,
            'base_load': figure(model.energy.base),
            'calls': model.energy.calls,
        },
        'card_energy': figure(model.card_energy),
    }


def _timing(timing: Timing) -> dict[str, Any]:
    quantiles = {name: figure(getattr(timing, name)) for name in ('p50', 'p90', 'p99')}
    return {'calls': timing.calls, **quantiles}


def figure(told: Figure) -> dict[str, Any]:
    """Return a figure with its fields by name."""
    return {
        'value': told.value,
        'unit': told.unit,
        'source': told.source,
        'age_s': told.age_s,
        'kind': told.kind,
    }


def card_lines(model: ModelProfile) -> str:
    """Return the lines of a card that a profile replaces, as YAML to paste.

    An energy that was not measured replaces nothing: the card keeps what it has.
    """
    timing = model.rows[0].timing
    told = {'latency_p50_s': timing.p50, 'latency_p99_s': timing.p99}
    kept = ''
    if model.energy.per_call.value is None:
        kept = f'# energy_j stays as it is; here it is {model.energy.per_call.text()}\n'
    else:
        told['energy_j'] = model.energy.per_call
    lines = {
        name: {'value': _rounded(f.value), 'kind': f.kind, 'source': f.source}
        for name, f in told.items()
    }
    dumped = yaml.safe_dump(lines, sort_keys=False, width=10_000)
    return f'# {model.name}: in place of the same lines of its card.yaml\n{dumped}{kept}'


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f'{value:.3g}')
