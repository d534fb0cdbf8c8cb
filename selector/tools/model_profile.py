"""Model profile: what models cost on this machine, each figure with where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import os
from pathlib import Path
import platform
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from selector.config import Config
from selector.errors import InputError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.meters.energy import CallEnergy
from selector.meters.energy import EnergyMeter
from selector.meters.energy import REPEATS_MAX
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.meters.figure import unknown
from selector.meters.found import chosen
from selector.meters.found import find_meters
from selector.meters.found import Found
from selector.prediction import Model
from selector.tools.busy import Busy
from selector.tools.busy import cores
from selector.tools.call_energy import base_load
from selector.tools.call_energy import call_energy
from selector.tools.footprint import Footprint
from selector.tools.footprint import footprint
from selector.tools.one_model import card_of
from selector.tools.one_model import load_model
from selector.tools.one_model import own_threads
from selector.tools.timing import Beside
from selector.tools.timing import beside
from selector.tools.timing import timed
from selector.tools.timing import Timing
from selector.tools.timing import timing

ALONE = 'alone'
_WARM_UP = 5
_NO_METER = 'no energy meter can be used here; the list of meters says why'


class Asked(NamedTuple):
    """What is to be measured, and how long.

    Attributes:
        threads: thread counts besides the model's own; empty: 1, 2, 4, ... and the number of
            cores.
        sizes_px: sides of the input besides the card's [px].
        runs: calls of each distribution, at least.
        children: processes that load a model, one after the other.
        repeats: repeats of the energy's blocks, 2 to 10.
        block_s: length of a block of the energy [s].
        rate_hz: calls a second of the fast model in the base load.
        machine: name of this machine in the sources; empty: its kind and its cores.
        date: day of the measurement (ISO), in the sources.
        root: where `sys/` lies.
    """

    threads: tuple[int, ...] = ()
    sizes_px: tuple[int, ...] = ()
    runs: int = 300
    children: int = 3
    repeats: int = 5
    block_s: float = 2.0
    rate_hz: float = 10.0
    machine: str = ''
    date: str = ''
    root: Path = Path('/')


class Row(NamedTuple):
    """One distribution.

    Attributes:
        threads: threads of the model.
        size_px: side of its input, or (height, width) [px]; None where its card states none.
        condition: alone, or beside what.
        timing: the quantiles.
    """

    threads: int
    size_px: int | tuple[int, int] | None
    condition: str
    timing: Timing


class ModelProfile(NamedTuple):
    """What one model costs.

    Attributes:
        name: the model.
        rows: the distributions; the first is the one for its card.
        footprint: loading, first call and memory.
        energy: what a call used.
        card_energy: what its card says of that [J].
    """

    name: str
    rows: tuple[Row, ...]
    footprint: Footprint
    energy: CallEnergy
    card_energy: Figure


class Profiled(NamedTuple):
    """What was measured.

    Attributes:
        machine, date: where and when.
        cores: how many there are for us.
        load_average: of the last minute, before anything was started.
        frame_px: (width, height) of the frame.
        models: one profile each.
        beside: fast alone and while slow runs, None where not both were asked for.
        base_load: power with the fast model at its rate and nothing else [W].
        meters: the energy meters, usable or not.
    """

    machine: str
    date: str
    cores: int
    load_average: float
    frame_px: tuple[int, int]
    models: tuple[ModelProfile, ...]
    beside: Beside | None
    base_load: Figure
    meters: tuple[Found, ...]


class _Setting(NamedTuple):
    """What all measurements of one run share."""

    config: Config
    asked: Asked
    image: NDArray[np.uint8]
    where: str
    found: tuple[Found, ...]
    meter: EnergyMeter | None
    progress: Callable[[str], None]


def profile_models(
    config: Config,
    names: Sequence[str],
    image: NDArray[np.uint8],
    asked: Asked,
    progress: Callable[[str], None] = lambda _what: None,
) -> Profiled:
    """Measure models, one after the other.

    Args:
        config: where they are, which are fast and slow, and their threads.
        names: the models; empty: the fast and the slow one.
        image: (H, W, 3) uint8 RGB, the frame that they are called with.
        asked: what is measured.
        progress: called with what is measured next.

    Raises:
        InputError: what is asked for is out of range, or a model cannot take a size.
        SelectorError: a model cannot be loaded or called.
    """
    check(asked)
    load_average = os.getloadavg()[0]
    fast, slow = config.models.fast, config.models.slow
    wanted = list(dict.fromkeys(names or (fast, slow)))
    for name in wanted:  # before anything takes time
        card_of(config, name)
    setting = _setting(config, image, asked, load_average, progress)
    made = tuple(_profile(setting, name) for name in wanted)
    pair = _beside(setting) if {fast, slow} <= set(wanted) else None
    base = unknown('W', _NO_METER)
    if setting.meter is not None:
        model = _warm(setting, fast, own_threads(config, fast))
        progress(f'base load with {fast}')
        base = base_load(setting.meter, lambda: model.predict(image), asked.rate_hz, asked.block_s)
    return Profiled(
        machine=_machine(asked),
        date=asked.date,
        cores=cores(),
        load_average=load_average,
        frame_px=(image.shape[1], image.shape[0]),
        models=made,
        beside=pair,
        base_load=base,
        meters=setting.found,
    )


def check(asked: Asked) -> None:
    """Check what is asked for.

    Raises:
        InputError: a number is out of its range; the text names the range.
    """
    numbers: list[tuple[str, Sequence[float], float, float]] = [
        ('threads', asked.threads, 1, 64),
        ('sizes', asked.sizes_px, 1, 4096),
        ('runs', (asked.runs,), 1, 1_000_000),
        ('children', (asked.children,), 1, 100),
        ('repeats', (asked.repeats,), 2, REPEATS_MAX),
        ('block_s', (asked.block_s,), 0.01, 3600),
        ('rate_hz', (asked.rate_hz,), 0.01, 10_000),
    ]
    for name, values, low, high in numbers:
        for value in values:
            if not low <= value <= high:
                raise InputError(f'{name} = {value:g}; it is {low:g} to {high:g}')


def _setting(
    config: Config,
    image: NDArray[np.uint8],
    asked: Asked,
    load_average: float,
    progress: Callable[[str], None],
) -> _Setting:
    found = tuple(find_meters(asked.root))
    height, width = image.shape[:2]
    where = (
        f'a {width}x{height} frame with crop and resize, {_machine(asked)}, load average '
        f'{load_average:.1f} before, {asked.date}'
    )
    return _Setting(
        config=config,
        asked=asked,
        image=image,
        where=where.rstrip(', '),
        found=found,
        meter=chosen(found),
        progress=progress,
    )


def _machine(asked: Asked) -> str:
    return asked.machine or f'{platform.machine()}, {cores()} cores'


def _counted(threads: int) -> str:
    return '1 thread' if threads == 1 else f'{threads} threads'


def _profile(setting: _Setting, name: str) -> ModelProfile:
    config, asked = setting.config, setting.asked
    card = card_of(config, name)
    own = own_threads(config, name)
    rows = tuple(_rows(setting, name, own, None if card.input is None else card.input.size_px))
    setting.progress(f'{name}: loading and memory')
    taken = footprint(config, name, own, setting.image, asked.children)
    return ModelProfile(
        name=name,
        rows=rows,
        footprint=taken,
        energy=_energy(setting, name, own),
        card_energy=stated(
            card.energy_j.value, 'J', card.energy_j.source, card.energy_j.kind, None
        ),
    )


def _rows(
    setting: _Setting, name: str, own: int, size_px: int | tuple[int, int] | None
) -> Iterator[Row]:
    asked = setting.asked
    counts = asked.threads or (*(2**k for k in range(cores().bit_length())), cores())
    for threads in dict.fromkeys((own, *sorted(counts))):
        setting.progress(f'{name}: {_counted(threads)}')
        model = _warm(setting, name, threads)
        how = f'warm, {setting.where}, {_counted(threads)}'
        times = timed(model, setting.image, asked.runs)
        yield Row(threads, size_px, ALONE, timing(times, how))
        load = f'{cores()} busy processes'
        with Busy(cores()):
            times = timed(model, setting.image, asked.runs)
        yield Row(threads, size_px, load, timing(times, f'{how}, beside {load} of ours'))
    for other_px in dict.fromkeys(asked.sizes_px):
        if other_px != size_px:
            yield _resized(setting, name, own, other_px)


def _resized(setting: _Setting, name: str, threads: int, size_px: int) -> Row:
    setting.progress(f'{name}: input of {size_px} px')
    try:
        model = _warm(setting, name, threads, size_px)
    except (ModelError, PredictionError) as err:
        raise InputError(
            f'{name} takes no input of {size_px} px, its graph is fixed: leave --sizes out, or '
            f'export it with height and width free ({err})'
        ) from err
    how = f'warm, {setting.where}, {_counted(threads)}, input of {size_px} px'
    times = timed(model, setting.image, setting.asked.runs)
    return Row(threads, size_px, ALONE, timing(times, how))


def _warm(setting: _Setting, name: str, threads: int, size_px: int | None = None) -> Model:
    model = load_model(setting.config, name, threads, size_px)
    model.warm_up(_WARM_UP)
    timed(model, setting.image, _WARM_UP)
    return model


def _energy(setting: _Setting, name: str, threads: int) -> CallEnergy:
    if setting.meter is None:
        return CallEnergy(unknown('J', _NO_METER), None, None, unknown('W', _NO_METER), 0)
    setting.progress(f'{name}: energy, {setting.meter.name}')
    model = _warm(setting, name, threads)
    asked = setting.asked
    found = call_energy(
        setting.meter, lambda: model.predict(setting.image), asked.repeats, asked.block_s
    )
    net = found.per_call
    if net.value is None:
        return found
    return found._replace(
        per_call=stated(net.value, 'J', f'{net.source}; {setting.where}', net.kind)
    )


def _beside(setting: _Setting) -> Beside:
    config = setting.config
    setting.progress('fast while slow runs')
    fast, slow = (
        _warm(setting, name, own_threads(config, name))
        for name in (config.models.fast, config.models.slow)
    )
    return beside(fast, slow, setting.image, setting.asked.runs, f'warm, {setting.where}')
