"""Hwmon: the power rails of a Jetson, as its INA3221 monitors sample them."""

from __future__ import annotations

from collections.abc import Sequence
import contextlib
import math
from pathlib import Path
from typing import NamedTuple

from selector.errors import did_you_mean
from selector.errors import InputError
from selector.errors import MissingError
from selector.errors import SelectorError
from selector.meters.energy import PowerIntegral
from selector.meters.energy import Reading
from selector.meters.figure import Kind
from selector.meters.sysfs import number
from selector.meters.sysfs import word

CHIP = 'ina3221'
WHOLE = ('VDD_IN', 'POM_5V_IN')
"""Rails through which everything on the module is fed."""

_CHANNELS = (1, 2, 3)
_PERIOD_S = 0.1
_GAP_MAX_S = 2.0


class Rail(NamedTuple):
    """One channel of a chip.

    Attributes:
        label: the name of the rail.
        voltage: file with its voltage [mV].
        current: file with its current [mA].
    """

    label: str
    voltage: Path
    current: Path

    def power_w(self) -> float:
        """Return the power now [W].

        Raises:
            InputError: voltage or current is negative or no number.
            MissingError: a file is gone.
        """
        millivolts, milliamperes = number(self.voltage), number(self.current)
        if millivolts < 0.0 or milliamperes < 0.0:
            raise InputError(f'{self.label}: {millivolts:.0f} mV x {milliamperes:.0f} mA')
        return 1e-6 * millivolts * milliamperes


class Ina3221:
    """The rail that feeds the whole module, else the sum of all rails.

    The power is sampled, so the energy is an integral over the readings: read it often. The
    carrier board and what hangs on it are fed beside these rails.
    """

    name = CHIP
    kind: Kind = 'measured'

    def __init__(self, root: Path = Path('/'), rails: Sequence[str] = ()) -> None:
        """Find the rails below `root`.

        Args:
            root: where `sys/` lies.
            rails: labels of the rails to add up; empty: the whole module's, else all.

        Raises:
            MissingError: there is no such chip, or none of its rails.
            InputError: a rail that is named is not there.
        """
        chips = _chips(root)
        if not chips:
            raise MissingError(f'no {CHIP} below {root / "sys/class/hwmon"}: no Jetson')
        found = [rail for chip in chips for rail in _rails(chip)]
        if not found:
            raise MissingError(f'{", ".join(map(str, chips))}: no rail has a label and is enabled')
        self.rails = _chosen(found, rails)
        labels = ' + '.join(rail.label for rail in self.rails)
        self.parts: tuple[str, ...] = (labels,)
        covers = 'the whole module' if self.rails[0].label in WHOLE else 'these rails'
        self.source = f'INA3221 voltage x current of {labels}: {covers}, not the carrier board'
        self.period_s = max(_interval_s(chip) for chip in chips)
        self._integral = PowerIntegral(max(_GAP_MAX_S, 5.0 * self.period_s))

    def read(self, stamp_s: float) -> Reading:
        """Return the reading at `stamp_s` [s], the time now."""
        try:
            power_w = math.fsum(rail.power_w() for rail in self.rails)
        except SelectorError as err:
            return self._integral.broken(stamp_s, str(err))
        return self._integral.sample(stamp_s, power_w)


def _chips(root: Path) -> list[Path]:
    """Return the folder of each chip, once: both places show the same chips."""
    found = sorted((root / 'sys/class/hwmon').glob('hwmon*'))
    chips = [folder for folder in found if _is_chip(folder)]
    return chips or sorted((root / f'sys/bus/i2c/drivers/{CHIP}').glob('*/hwmon/hwmon*'))


def _is_chip(folder: Path) -> bool:
    with contextlib.suppress(MissingError):
        return word(folder / 'name') == CHIP
    return False


def _rails(chip: Path) -> list[Rail]:
    # Channels 4 to 7 are shunt voltages and their sum, no rails.
    out = []
    for k in _CHANNELS:
        with contextlib.suppress(SelectorError):
            label = word(chip / f'in{k}_label')
            enabled = chip / f'in{k}_enable'
            # NC: not connected, in the device trees of the carrier boards.
            if label not in {'', 'NC'} and not (enabled.exists() and number(enabled) == 0.0):
                out.append(Rail(label, chip / f'in{k}_input', chip / f'curr{k}_input'))
    return out


def _chosen(found: list[Rail], wanted: Sequence[str]) -> list[Rail]:
    labels = [rail.label for rail in found]
    for name in wanted:
        if name not in labels:
            raise InputError(
                f'no rail {name!r}; rails here: {", ".join(labels)}{did_you_mean(name, labels)}'
            )
    whole = [rail for rail in found if rail.label in WHOLE][:1]
    return [rail for rail in found if rail.label in wanted] if wanted else whole or found


def _interval_s(chip: Path) -> float:
    """Return how often the chip has a new value [s]."""
    with contextlib.suppress(SelectorError):
        return max(1e-3, 1e-3 * number(chip / 'update_interval'))
    return _PERIOD_S
