"""Found: the energy meters of this machine, each usable or with the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import functools
from pathlib import Path
from typing import Any
from typing import NamedTuple

from selector.errors import MissingError
from selector.errors import SelectorError
from selector.meters import nvml as gpu
from selector.meters.energy import EnergyMeter
from selector.meters.hwmon import CHIP
from selector.meters.hwmon import Ina3221
from selector.meters.nvml import Nvml
from selector.meters.powercap import Powercap
from selector.meters.together import Together


class Found(NamedTuple):
    """A meter that was looked for.

    Attributes:
        name: its name.
        meter: the meter, None where it cannot be used.
        reason: what it covers, or why it cannot be used and what to do.
    """

    name: str
    meter: EnergyMeter | None
    reason: str


def find_meters(root: Path = Path('/'), nvml: Any = None) -> list[Found]:
    """Return every kind of meter, the usable ones and the others with the reason.

    Args:
        root: where `sys/` lies.
        nvml: NVML bindings that are started; None: those of this machine, if `root` is its own.
    """
    found = [
        _tried(Powercap.name, lambda: Powercap(root)),
        _tried(CHIP, lambda: Ina3221(root)),
        *_gpus(root, nvml),
    ]
    told = {
        'battery': 'a topic of the robot (BatteryState), which only the node hears',
        'modelled': 'no sensor: calls x J per invocation of the cards',
    }
    return [*found, *(Found(name, None, reason) for name, reason in told.items())]


def _tried(name: str, make: Callable[[], EnergyMeter]) -> Found:
    try:
        meter = make()
    except SelectorError as err:
        return Found(name, None, str(err))
    # A counter that is there may still not be readable: ask once.
    fault = meter.read(0.0).fault
    return Found(name, None, fault) if fault else Found(name, make(), meter.source)


def _gpus(root: Path, nvml: Any) -> list[Found]:
    try:
        if nvml is None:
            if root != Path('/'):
                raise MissingError(f'not looked for below {root}')
            nvml = gpu.load()
        count = gpu.gpus(nvml)
    except MissingError as err:
        return [Found('nvml', None, str(err))]
    if not count:
        return [Found('nvml', None, 'NVML is there, but no GPU')]
    return [_tried(f'nvml-{k}', functools.partial(Nvml, nvml, k)) for k in range(count)]


def chosen(found: Sequence[Found]) -> EnergyMeter | None:
    """Return the meter that sees most without seeing anything twice, None where there is none.

    That is the rails of a Jetson, which feed its GPU too; else the CPU and all GPUs together.
    """
    usable = {f.name: f.meter for f in found if f.meter is not None}
    if CHIP in usable:
        return usable[CHIP]
    return (
        Together(list(usable.values())) if len(usable) > 1 else next(iter(usable.values()), None)
    )
